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

from betavae_core import experiments, store
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
    base = store._published_cells(members)
    found = Plan([], [], [], [])
    for member in members:
        cell = store.read(member)
        if cell is not None:
            found.working.append(member)
        elif member.key in base:
            cell = base[member.key]
            found.published.append(member)
        else:
            found.missing.append(member)
        if cell is not None and cell.attrs["diverged"]:
            found.diverged.append(member)
    return found


def load(experiment: str, profile: str = "published", **options) -> xr.Dataset:
    """Stored and published results over dims beta × realization; options as in `experiments.plan`."""
    return store.collect(experiments.plan(experiment, profile, **options))


def train(member: Member) -> tuple[dict, dict]:
    """Train and evaluate one member in this process.

    Returns
    -------
    values : the numbers that `store.write` takes; NaN if training diverged
    provenance : attributes
    """
    import tensorflow as tf

    from betavae_core import datasets, evaluation, training

    started, spec, seed = time.perf_counter(), member.specification, member.realization
    tf.config.experimental.enable_op_determinism()
    data, heldout = datasets.draw(spec.experiment, member.realization, spec.samples, spec.scaling)
    trainer = training.trainer()
    curve = trainer.fit([data], [member.beta], [seed], spec.epochs, spec.learning_rate)[0]
    ensemble, values = trainer.ensemble, dict.fromkeys(store.SCALARS, np.nan)
    if all(bool(tf.reduce_all(tf.math.is_finite(v))) for v in ensemble.variables) and np.isfinite(curve).all():
        for suffix, images in (("", data), ("_heldout", heldout)):
            found = evaluation.evaluate(ensemble, [images], [member.beta], [seed])
            values |= {name + suffix: float(value[0]) for name, value in found._asdict().items()}
        if member.detailed:
            values |= _details(ensemble, data, curve)
    device = tf.config.list_physical_devices("GPU")[:1]
    provenance = {
        "seconds": round(time.perf_counter() - started, 2),
        "python": platform.python_version(),
        "tensorflow": tf.__version__,
        "device": device[0].name if device else f"CPU {platform.machine()}",
        **vars(spec),
    }
    return values, provenance


def _details(ensemble, data, curve) -> dict:
    """Curve, latents and pictures; grey levels in bytes, 128 is 0 and `grey_scale` the value of 127 steps."""
    from betavae_core import evaluation

    mean, variance = (part[0, :LATENTS].astype(np.float16) for part in evaluation.encode(ensemble, [data]))
    pictures = evaluation.reconstructions(ensemble, [data], PICTURES)[0]
    moved = evaluation.traversals(ensemble, [data])[0]
    scale = max(np.abs(pictures).max(), np.abs(moved).max(), 1e-9)
    in_bytes = [np.uint8(np.clip(np.round(128 + 127 * part / scale), 0, 255)) for part in (pictures, moved)]
    return {
        "curve": curve[:: max(1, len(curve) // 100)].astype(np.float32),
        "latent_mean": mean,
        "latent_std": np.sqrt(variance),
        "reconstructions": in_bytes[0],
        "traversals": in_bytes[1],
        "grey_scale": np.float32(scale),
    }


def run(members: Iterable[Member], jobs: int | None = None) -> Iterator[tuple[Member, dict]]:
    """Train members in spawned single-threaded processes, storing each as it ends; yields (member, provenance).

    Closing the iterator, as Ctrl-C does, cancels what has not started, waits for the members in hand and stores them.
    """
    jobs, queue = jobs or os.cpu_count(), list(members)[::-1]
    common = {"package": version("betavae-core"), "revision": _revision()}
    running = {}
    with _single_threaded(), ProcessPoolExecutor(jobs, get_context("spawn"), initializer=_quiet_worker) as pool:

        def keep(future):
            member = running.pop(future)
            values, provenance = future.result()
            store.write(member, values, {**common, **provenance})
            return member, provenance

        try:
            while queue or running:
                while queue and len(running) < jobs:
                    member = queue.pop()
                    running[pool.submit(train, member)] = member
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    yield keep(future)
        finally:
            for future in list(running):
                keep(future)


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
