"""Run the members that are wanted and missing, here or on a cluster, and load what there is.

Workers return numbers; this process alone writes files. A member's numbers depend on its own seed and on nothing
that runs beside it, so the order and number of workers decide nothing.
"""

import contextlib
import functools
import os
import platform
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, CancelledError, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from importlib.metadata import version
from multiprocessing import get_context, parent_process
from typing import NamedTuple

import numpy as np
import xarray as xr

from betavae_core import experiments, packing, store
from betavae_core.errors import SweepError
from betavae_core.experiments import Member

SINGLE_THREAD = ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")
ONE_AT_A_TIME = threading.Lock()  # a process keeps one compiled trainer, whatever the number of its worker's threads
PICTURES = 8  # reconstructions kept with a detailed member
LATENTS = 500  # images whose latents are kept


class Plan(NamedTuple):
    """Members wanted, split by what is known of them."""

    missing: list[Member]
    working: list[Member]
    published: list[Member]
    diverged: list[Member]


def survey(members: list[Member]) -> Plan:
    """Which members are missing, stored, published, or stored as diverged (listed with their store as well)."""
    base = store.published_cells(members[0].specification)
    found = Plan([], [], [], [])
    for member in members:
        cell = base[member.key] if member.key in base else store.read(member)
        group = found.published if member.key in base else found.missing if cell is None else found.working
        group.append(member)
        if cell is not None and cell.attrs["diverged"]:
            found.diverged.append(member)
    return found


def load(experiment: str, profile: str = "published", **options) -> xr.Dataset:
    """Stored and published results over dims beta × realization; options as in `experiments.plan`."""
    return store.collect(experiments.plan(experiment, profile, **options))


def train(members: list[Member], xla: bool = False) -> list[tuple[dict, dict]]:
    """Train and evaluate members of one specification together in this process; each as if it were alone.

    Returns
    -------
    for each member:
    values : the numbers that `store.write` takes; NaN if training diverged
    provenance : attributes
    """
    import tensorflow as tf

    from betavae_core import datasets, training

    started, spec = time.perf_counter(), members[0].specification
    tf.config.experimental.enable_op_determinism()
    seeds = [member.realization for member in members]
    drawn = {r: datasets.draw(spec.experiment, r, spec.samples, spec.scaling) for r in set(seeds)}  # β share images
    trainer = training.trainer(len(members), xla)
    betas, data = [member.beta for member in members], [drawn[r][0] for r in seeds]
    curves = trainer.fit(data, betas, seeds, spec.epochs, spec.learning_rate)
    values = _evaluated(trainer.ensemble, members, [drawn[r] for r in seeds], curves)
    device = tf.config.list_physical_devices("GPU")[:1]
    provenance = {
        "seconds": round((time.perf_counter() - started) / len(members), 2),
        "pack": len(members),
        "xla": int(xla),
        "package": version("betavae-core"),
        "python": platform.python_version(),
        "tensorflow": tf.__version__,
        "device": device[0].name if device else f"CPU {platform.machine()}",
        **vars(spec),
    }
    return [(found, provenance) for found in values]


def _evaluated(ensemble, members, drawn, curves) -> list[dict]:
    """What `store.write` takes, for each member; NaN for a member that diverged."""
    from betavae_core import evaluation

    betas, seeds = [member.beta for member in members], [member.realization for member in members]
    values = [dict.fromkeys(store.SCALARS, np.nan) for _ in members]
    sound = [i for i, curve in enumerate(curves) if np.isfinite(curve).all() and ensemble.finite(i)]
    for suffix, images in (("", [d for d, _ in drawn]), ("_heldout", [h for _, h in drawn])):
        found = evaluation.evaluate(ensemble, images, betas, seeds, only=sound)
        for name, column in found._asdict().items():
            for i, value in zip(sound, column, strict=True):
                values[i][name + suffix] = float(value)
    detailed = [i for i in sound if members[i].detailed]
    for i, details in _details(ensemble, [d for d, _ in drawn], curves, detailed).items():
        values[i] |= details
    return values


def _details(ensemble, data, curves, which: list[int]) -> dict[int, dict]:
    """Curve, latents and pictures of some members; grey levels in bytes, 128 is 0, `grey_scale` 127 steps away."""
    from betavae_core import evaluation

    if not which:
        return {}
    mean, variance = (part[:, :LATENTS] for part in evaluation.encode(ensemble, data))
    pictures, moved = evaluation.reconstructions(ensemble, data, PICTURES), evaluation.traversals(ensemble, data)
    found = {}
    for i in which:
        scale = max(np.abs(pictures[i]).max(), np.abs(moved[i]).max(), 1e-9)
        in_bytes = [np.uint8(np.clip(np.round(128 + 127 * p[i] / scale), 0, 255)) for p in (pictures, moved)]
        found[i] = {
            "curve": curves[i, :: max(1, curves.shape[1] // 100)].astype(np.float32),
            "latent_mean": mean[i].astype(np.float16),
            "latent_std": np.sqrt(variance[i].astype(np.float16)),
            "reconstructions": in_bytes[0],
            "traversals": in_bytes[1],
            "grey_scale": np.float32(scale),
        }
    return found


class Crew(NamedTuple):
    """Who trains: `submit(function, *arguments)` returns a `concurrent.futures.Future`; `size(device)` counts them."""

    submit: Callable[..., Future]
    size: Callable[[str], int]


@contextlib.contextmanager
def here(jobs: int | None = None) -> Iterator[Crew]:
    """Single-threaded spawned processes on this machine: `jobs`, or one for each core, or one if there is a GPU."""
    context = get_context("spawn")
    with single_threaded(), ProcessPoolExecutor(jobs, context, initializer=start_worker) as pool:
        try:
            yield Crew(pool.submit, lambda device: jobs or (os.cpu_count() if device == "CPU" else 1))
        except BrokenProcessPool:
            raise SweepError(
                "a training process was killed, perhaps for want of memory; what was trained is stored, "
                "and the same command goes on from there"
            ) from None


def run(members: Iterable[Member], crew=None, pack: int | None = None, report=None) -> Iterator[tuple[Member, dict]]:
    """Have members of one specification trained, storing each as it ends; yields (member, provenance).

    On a CPU each of the crew trains one member at a time; on a GPU as many together as its memory holds (`packing`),
    or `pack`. A member that another sweep has stored meanwhile is not trained again. `report` is told the packing.
    Closing the iterator, as Ctrl-C does, cancels what has not started, waits for the members in hand and stores them.

    Parameters
    ----------
    crew : context of a `Crew`, such as `here(jobs)` (the default) or `cluster.crew(address)`

    Raises
    ------
    SweepError
        if those who train are gone; what they finished is stored.
    """
    queue, running = list(members)[::-1], {}
    if not queue:
        return
    with crew or here() as (submit, size):
        found = submit(packing.find, queue[0].specification, pack or len(queue)).result()
        found = found._replace(members=pack or found.members)
        if report:
            report(f"{found}, {size(found.device)} worker{'s' * (size(found.device) > 1)}")
        try:
            while queue or running:
                while queue and len(running) < size(found.device):
                    together = [queue.pop() for _ in range(min(found.members, len(queue)))]
                    there = [member for member in together if store.read(member) is not None]
                    yield from ((member, {}) for member in there)
                    if wanted := [member for member in together if member not in there]:
                        running[submit(task, wanted, [member.key for member in wanted], found.xla)] = wanted
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    kept = _keep(future.result(), running[future])
                    del running[future]  # only now: what is trained but not stored yet is stored below
                    yield from kept
        except KeyboardInterrupt:
            if report:
                report("interrupted; storing the members in hand")
            raise
        finally:
            for future, wanted in running.items():
                with contextlib.suppress(CancelledError):  # the crew's own end is told by the error that led here
                    if not future.exception():
                        _keep(future.result(), wanted)


def _keep(results, members: list[Member]) -> list[tuple[Member, dict]]:
    """Store trained members; (member, provenance) of each."""
    for member, (values, provenance) in zip(members, results, strict=True):
        store.write(member, values, {**provenance, "revision": _revision()})
    return [(member, provenance) for member, (_, provenance) in zip(members, results, strict=True)]


def task(members: list[Member], keys: list[str], xla: bool) -> list[tuple[dict, dict]]:
    """`train` on one thread, in a worker that stands where the keys come from: same digits, same numerics version."""
    os.environ.update(dict.fromkeys(SINGLE_THREAD, "1"))  # TensorFlow reads them when it starts
    if [member.key for member in members] != keys:
        raise SweepError("a worker has other digits, or another numerics version, than this machine")
    with ONE_AT_A_TIME:
        return train(members, xla)


def start_worker() -> None:
    """Ctrl-C is the parent's business, TensorFlow's start-up lines are nobody's, and no worker outlives its parent."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    threading.Thread(target=lambda: (parent_process().join(), os._exit(1)), daemon=True).start()


@contextlib.contextmanager
def single_threaded():
    """Environment that spawned workers inherit: one thread each, no start-up chatter."""
    before = dict(os.environ)
    os.environ.update(dict.fromkeys(SINGLE_THREAD, "1"), TF_CPP_MIN_LOG_LEVEL="3")
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


@functools.cache
def _revision() -> str:
    command = ["git", "-C", str(store.digits.DATA.parent), "describe", "--always", "--dirty"]
    with contextlib.suppress(OSError):
        return subprocess.run(command, capture_output=True, text=True).stdout.strip() or "unknown"
    return "unknown"
