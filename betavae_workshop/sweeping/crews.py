"""Who trains, what workers do, and how many members together: processes here. `sweeping.cluster` has another kind.

On a GPU one member leaves most of the device idle, so members are packed along the leading axis of every weight. How
many fit is found by training two steps, not by guessing at memory.
"""

import contextlib
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from multiprocessing import forkserver, get_context
from typing import NamedTuple

from betavae_core import machine
from betavae_core.errors import SweepError
from betavae_core.networks import atlas
from betavae_core.results import train_live, train_member
from betavae_core.results.members import Member
from betavae_workshop import environment

GOES_ON = "what was trained is stored, and the same command goes on from there"  # once those who train are gone
MOST = 512  # members; beyond this the host's copies of the images outgrow the gain
LOADED = ["betavae_core.networks.evaluation", "tensorflow_probability.python.distributions"]


class Crew(NamedTuple):
    """Who trains, workers of one kind: `submit(function, *arguments)` returns a `concurrent.futures.Future`.

    size : counts them, by the device they are on; packs : whether a wish for packs is theirs
    """

    submit: Callable[..., Future]
    size: Callable[[str], int]
    packs: bool = True


@contextlib.contextmanager
def here(jobs: int | None = None) -> Iterator[list[Crew]]:
    """Single-threaded processes on this machine: `jobs`, or one for each core, or one if there is a GPU."""
    most = jobs or machine.cores()
    with single_threaded(), pool(most) as workers:
        try:
            yield [Crew(workers.submit, lambda device: jobs or (most if device == "CPU" else 1))]
        except BrokenProcessPool:
            raise SweepError(f"a training process was killed, perhaps for want of memory; {GOES_ON}") from None


def each_done(crew, function: Callable, asked: dict) -> Iterator[tuple]:
    """(what was asked for, result) of a function of each value's arguments, as it ends; after Ctrl-C, of those in hand.

    The first kind of workers of the crew, by default `here`, does it all.
    """
    with crew or here() as [workers, *_]:
        tasks = {workers.submit(function, *arguments): wanted for wanted, arguments in asked.items()}
        try:
            for done in as_completed(tasks):
                yield tasks.pop(done), done.result()
        except KeyboardInterrupt:
            for done in as_completed([task for task in tasks if not task.cancel()]):
                yield tasks[done], done.result()
            raise
        finally:
            for task in tasks:
                task.cancel()


def pool(jobs: int) -> ProcessPoolExecutor:
    """Processes that train, with this one's environment.

    On Linux they are copies of one that has loaded TensorFlow and started nothing: it is loaded once for all.
    """
    context = get_context("forkserver" if sys.platform == "linux" else "spawn")
    if sys.platform == "linux":
        context.set_forkserver_preload(LOADED)
        with environment.muted():
            forkserver.ensure_running()
    return ProcessPoolExecutor(jobs, context, initializer=_start, initargs=(dict(os.environ),))


def _start(variables: dict[str, str]) -> None:
    """In a worker: the environment of those who want it, who may be other than those that its model was loaded for."""
    _replace_environment(variables)
    tempfile.tempdir = None  # it is in the environment
    train_live.start_worker()


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


def task(members: list[Member], keys: list[str], xla: bool) -> list[tuple[dict, dict]]:
    """`train_member.trained` on one thread, in a worker that has the digits and the numerics version of the keys."""
    with train_member.alone(members, keys):
        return train_member.trained(members, xla)[2]


def draw_atlas(member: Member, key: str) -> tuple[atlas.Atlas, dict]:
    """The atlas of a member, which is trained again for it (weights are not kept), and how it was made."""
    started = time.perf_counter()
    with train_member.alone([member], [key]):
        weights, [(data, _)], _ = train_member.fitted([member])
        drawn = atlas.draw(weights, data)
    seconds = round(time.perf_counter() - started, 2)
    return drawn, {"seconds": seconds, **train_member.made_by(), **vars(member.specification)}


class Packing(NamedTuple):
    """Members trained together, whether XLA compiles their steps, and the device they are on."""

    members: int = 1
    xla: bool = False
    device: str = "CPU"

    def __str__(self) -> str:
        together = f"{self.members} members together" if self.members > 1 else "one member at a time"
        return f"{together} on {self.device}" + (", compiled by XLA" if self.xla else "")


def find_packing(specification, wanted: int) -> Packing:
    """The packing for this process's device: one member on a CPU, as many as fit and are wanted on a GPU."""
    import tensorflow as tf

    devices = tf.config.list_physical_devices("GPU")
    if not devices:
        return Packing()
    for xla in (True, False):
        members = largest(lambda count, xla=xla: fits(specification, count, xla), min(wanted, MOST))
        if members:
            return Packing(members, xla, devices[0].name.removeprefix("/physical_device:"))
    raise SweepError("not even one member fits on the GPU")


def largest(fitting: Callable[[int], bool], wanted: int) -> int:
    """`wanted`, or the first of its halves that fits; 0 if not even one member does."""
    while wanted and not fitting(wanted):
        wanted //= 2
    return wanted


def fits(specification, count: int, xla: bool) -> bool:
    """Whether a pack trains for two steps, as is asked; running out of memory, or XLA's refusal, counts as no."""
    import tensorflow as tf

    data, _ = specification.draw(0)
    refusals = (tf.errors.ResourceExhaustedError, *((tf.errors.OpError,) if xla else ()))
    with contextlib.suppress(*refusals):
        train_member.fit(replace(specification, epochs=2), [data] * count, [1.0] * count, range(count), xla)
        return True
    return False
