"""Run the members that are wanted and missing, here or on a cluster, and load what there is.

Workers return numbers; this process alone writes files. A member's numbers depend on its own seed and on nothing
that runs beside it, so the order and number of workers decide nothing.
"""

import contextlib
import os
import platform
import signal
import subprocess
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from importlib.metadata import version
from multiprocessing import get_context
from typing import NamedTuple

import numpy as np
import xarray as xr

from betavae_core import experiments, packing, store
from betavae_core.experiments import Member

SINGLE_THREAD = ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")
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


def run(
    members: Iterable[Member], jobs: int | None = None, pack: int | None = None, report=None
) -> Iterator[tuple[Member, dict]]:
    """Train members of one specification in spawned processes, storing each as it ends; yields (member, provenance).

    On a CPU, one single-threaded process for each core trains one member at a time; on a GPU one process trains as
    many together as its memory holds (`packing`). `jobs` and `pack` override either number; `report` is told.
    Closing the iterator, as Ctrl-C does, cancels what has not started, waits for the members in hand and stores them.
    """
    queue = list(members)[::-1]
    if not queue:
        return
    common = {"package": version("betavae-core"), "revision": _revision()}
    with _single_threaded(), ProcessPoolExecutor(jobs, get_context("spawn"), initializer=_quiet_worker) as pool:
        found = pool.submit(packing.find, queue[0].specification, pack or len(queue)).result()
        found = found._replace(members=pack or found.members)
        jobs = jobs or (os.cpu_count() if found.device == "CPU" else 1)
        if report:
            report(f"{found}, {jobs} process{'es' * (jobs > 1)}")
        running = {}

        def keep(future):
            done = running.pop(future)
            for member, (values, provenance) in zip(done, future.result(), strict=True):
                store.write(member, values, {**common, **provenance})
                yield member, provenance

        try:
            while queue or running:
                while queue and len(running) < jobs:
                    together = [queue.pop() for _ in range(min(found.members, len(queue)))]
                    running[pool.submit(train, together, found.xla)] = together
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    yield from keep(future)
        finally:
            for future in list(running):
                list(keep(future))


def _quiet_worker() -> None:
    """In a worker: Ctrl-C is the parent's business, and TensorFlow's start-up lines are nobody's."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)


@contextlib.contextmanager
def _single_threaded():
    """Environment that spawned workers inherit: one thread each, no start-up chatter."""
    before = dict(os.environ)
    os.environ.update(dict.fromkeys(SINGLE_THREAD, "1"), TF_CPP_MIN_LOG_LEVEL="3")
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def _revision() -> str:
    command = ["git", "-C", str(store.digits.DATA.parent), "describe", "--always", "--dirty"]
    with contextlib.suppress(OSError):
        return subprocess.run(command, capture_output=True, text=True).stdout.strip() or "unknown"
    return "unknown"
