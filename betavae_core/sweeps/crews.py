"""Who trains: processes on this machine. A Dask cluster is another crew, in `sweeps.cluster`."""

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context, parent_process
from typing import NamedTuple

from betavae_core.errors import SweepError
from betavae_core.sweeps.work import SINGLE_THREAD

LOADED = ["betavae_core.networks.evaluation", "tensorflow_probability.python.distributions"]


class Crew(NamedTuple):
    """Who trains: `submit(function, *arguments)` returns a `concurrent.futures.Future`; `size(device)` counts them."""

    submit: Callable[..., Future]
    size: Callable[[str], int]


@contextlib.contextmanager
def here(jobs: int | None = None) -> Iterator[Crew]:
    """Single-threaded processes on this machine: `jobs`, or one for each core, or one if there is a GPU."""
    with single_threaded(), pool(jobs) as workers:
        try:
            yield Crew(workers.submit, lambda device: jobs or ((os.cpu_count() or 1) if device == "CPU" else 1))
        except BrokenProcessPool:
            raise SweepError(
                "a training process was killed, perhaps for want of memory; what was trained is stored, "
                "and the same command goes on from there"
            ) from None


def pool(jobs: int | None) -> ProcessPoolExecutor:
    """Processes that train, with this one's environment.

    On Linux they are copies of one that has loaded TensorFlow and started nothing: it is loaded once for all.
    """
    context = get_context("forkserver" if sys.platform == "linux" else "spawn")
    if sys.platform == "linux":
        context.set_forkserver_preload(LOADED)
    return ProcessPoolExecutor(jobs, context, initializer=_start, initargs=(dict(os.environ),))


def _start(environment: dict[str, str]) -> None:
    os.environ.update(environment)  # the process that this one is a copy of may be older than what they say
    start_worker()


def start_worker() -> None:
    """Ctrl-C is the parent's business, TensorFlow's start-up lines are nobody's, and no worker outlives its parent."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    threading.Thread(target=_end_with, args=(parent_process(),), daemon=True).start()


def _end_with(parent) -> None:
    parent.join()
    os._exit(1)


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
