"""Who trains: processes on this machine. A Dask cluster is another crew, in `sweeps.cluster`."""

import contextlib
import os
import signal
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context, parent_process
from typing import NamedTuple

from betavae_core import environment, machine
from betavae_core.errors import SweepError

LOADED = ["betavae_core.networks.evaluation", "tensorflow_probability.python.distributions"]


class Crew(NamedTuple):
    """Who trains: `submit(function, *arguments)` returns a `concurrent.futures.Future`; `size(device)` counts them."""

    submit: Callable[..., Future]
    size: Callable[[str], int]


@contextlib.contextmanager
def here(jobs: int | None = None) -> Iterator[Crew]:
    """Single-threaded processes on this machine: `jobs`, or one for each core, or one if there is a GPU."""
    most = jobs or machine.cores()
    with single_threaded(), pool(most) as workers:
        try:
            yield Crew(workers.submit, lambda device: jobs or (most if device == "CPU" else 1))
        except BrokenProcessPool:
            raise SweepError(
                "a training process was killed, perhaps for want of memory; what was trained is stored, "
                "and the same command goes on from there"
            ) from None


def pool(jobs: int) -> ProcessPoolExecutor:
    """Processes that train, with this one's environment.

    On Linux they are copies of one that has loaded TensorFlow and started nothing: it is loaded once for all.
    """
    context = get_context("forkserver" if sys.platform == "linux" else "spawn")
    if sys.platform == "linux":
        context.set_forkserver_preload(LOADED)
    return ProcessPoolExecutor(jobs, context, initializer=_start, initargs=(dict(os.environ),))


def _start(variables: dict[str, str]) -> None:
    """In a worker: the environment of those who want it, who may be other than those that its model was loaded for."""
    _replace_environment(variables)
    tempfile.tempdir = None  # it is in the environment
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
    """The environment that spawned workers inherit: one thread each, nothing of the user's own settings."""
    before = dict(os.environ)
    tempfile.gettempdir()  # for this process it stays: the home's path may be too long for a socket, and goes
    with environment.clean() as variables:
        try:
            _replace_environment(variables)
            yield
        finally:
            _replace_environment(before)


def _replace_environment(variables: dict[str, str]) -> None:
    os.environ.clear()
    os.environ.update(variables)
