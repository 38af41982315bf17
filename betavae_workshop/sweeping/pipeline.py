"""Train packs of members so that the device never waits for the host: all else runs beside.

Four stages: processes draw the images of each realization; this one trains pack after pack; the processes evaluate
what was trained, from its weights, while the next pack trains; a thread stores it. The numbers are those of
`results.train_member`, to rounding.
"""

import contextlib
import functools
import platform
import threading
import time
from collections import defaultdict, deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

from betavae_core import machine
from betavae_core.images.factors import Images
from betavae_core.networks.weights import Weights
from betavae_core.results import train_member
from betavae_core.results.members import Member, Specification
from betavae_workshop import environment
from betavae_workshop.sweeping import crews, running

AHEAD = 2  # packs whose images are drawn, and as many that may wait to be evaluated
PACK = 256  # members that train together on a GPU; more gain little there (`gpu.check`)
TOGETHER = 4  # members evaluated by one process, one after another


def sweep_packs(members: list[Member], pack: int | None = None, jobs: int | None = None, report=None):
    """As `sweeping.running.run`, for members of one specification, with JAX on its device.

    While a pack trains, `jobs` processes evaluate those before. Interrupted, it keeps what has been trained.
    """
    from betavae_core.networks import jax_training

    device = jax_training.device()  # now: the crew's environment is another
    pack, jobs = pack or (PACK if device.platform == "gpu" else 1), jobs or machine.cores()
    made_by = {"package": environment.installed("betavae-core") or "?", "python": platform.python_version()}
    running.revision()
    if report:
        report(f"{crews.Packing(pack, True, device.device_kind)}, {jobs} worker{'s' * (jobs > 1)} to evaluate")
    storing: deque[Future] = deque()
    with crews.here(jobs) as [pool], ThreadPoolExecutor(1) as writer:
        for member, values, provenance in run(members, jax_training.Trainer, pack, pool):
            storing.append(writer.submit(running.keep, [(values, made_by | provenance)], [member]))
            while storing and storing[0].done():
                yield from storing.popleft().result()
        for future in storing:
            yield from future.result()


def run(members: list[Member], trainer_of, pack: int, pool, busy=None) -> Iterator[tuple[Member, dict, dict]]:
    """Train and evaluate members of one specification; yields each as `train_member.trained` gives it, and the member.

    Parameters
    ----------
    trainer_of : function of a number of members and of an architecture, to a `jax_training.Trainer` or one like it
    pack : how many train together; the last are filled up with copies, so that one compiled loop serves all
    pool : executor for drawing and evaluation, as `crews.pool`
    busy : a defaultdict(float) that counts the seconds of each stage; so the sweeps of `paths.GPU` were timed
    """
    busy, specification = defaultdict(float) if busy is None else busy, members[0].specification
    images, evaluations = _Images(specification, pool), _Evaluations(pool, AHEAD * pack)
    trainer = trainer_of(pack, aim=specification.aim, **specification.architecture)
    packs = [members[start : start + pack] for start in range(0, len(members), pack)]
    try:
        for number, together in enumerate(packs):
            images.ask(packs[number : number + AHEAD])
            with _timed(busy, "wait for images"):
                data = [images.get(each.realization, busy) for each in together]
            curves, provenance = _trained(trainer, together, data, pack, busy)
            with _timed(busy, "fetch weights"):
                weights = trainer.weights
            weights = train_member.finished(specification, weights, data, [each.seed for each in together])
            evaluations.add(together, weights, curves, provenance, busy)
            images.forget(packs[number + 1 :])
            yield from _results(evaluations.ended(), busy)
    except KeyboardInterrupt:
        yield from _results(evaluations.futures, busy)
        raise
    with _timed(busy, "evaluate the last"):
        last = list(_results(evaluations.futures, busy))
    yield from last


@contextlib.contextmanager
def _timed(busy: dict, stage: str) -> Iterator[None]:
    """Count the time of what is done within."""
    started = time.perf_counter()
    yield
    busy[stage] += time.perf_counter() - started


def _trained(trainer, members: list[Member], data, pack: int, busy: dict):
    """Curves of a pack that has been trained, and how."""
    full, spec = [*range(len(members)), *[0] * (pack - len(members))], members[0].specification
    betas, seeds = [members[i].beta for i in full], [members[i].seed for i in full]
    started = time.perf_counter()
    curves = trainer.fit([data[i] for i in full], betas, seeds, spec.epochs, spec.schedule)
    seconds = time.perf_counter() - started
    busy["train"] += seconds
    return curves, {"train_seconds": round(seconds / len(members), 3), "pack": pack, **trainer.made_by, **vars(spec)}


class _Evaluations:
    """What the pool evaluates, so many members at most, by the future of each slice: how it was trained."""

    def __init__(self, pool, most: int):
        self.pool, self.room, self.futures = pool, threading.Semaphore(most), {}

    def add(self, members: list[Member], weights: Weights, curves, provenance: dict, busy: dict) -> None:
        for some in _slices(members):
            count = len(members[some])
            with _timed(busy, "wait for evaluation"):
                for _ in range(count):
                    self.room.acquire()
            future = self.pool.submit(evaluated, members[some], weights.some(some), curves[some])
            future.add_done_callback(lambda _, count=count: self.room.release(count))
            self.futures[future] = provenance

    def ended(self) -> dict[Future, dict]:
        """Those that have been evaluated; no longer here then."""
        return {each: self.futures.pop(each) for each in list(self.futures) if each.done()}


def _slices(members: list[Member]) -> Iterator[slice]:
    """Neighbours of one realization, `TOGETHER` at most: who evaluates them draws its images once."""
    start = 0
    for end in range(1, len(members) + 1):
        whole = end == len(members) or members[end].realization != members[start].realization
        if whole or end - start == TOGETHER:
            yield slice(start, end)
            start = end


def _results(evaluations, busy: dict) -> Iterator[tuple[Member, dict, dict]]:
    for future, provenance in evaluations.items():
        members, found, seconds = future.result()
        busy["evaluation, all processes"] += seconds
        each = round(provenance["train_seconds"] + seconds / len(members), 3)
        for member, values in zip(members, found, strict=True):
            yield member, values, provenance | {"seconds": each}


class _Images:
    """Factors of each realization's training images, drawn by the pool when asked for, kept until forgotten."""

    def __init__(self, spec: Specification, pool):
        self.spec, self.pool, self.found = spec, pool, {}

    def ask(self, packs) -> None:
        for realization in sorted({member.realization for pack in packs for member in pack}):
            if realization not in self.found:
                self.found[realization] = self.pool.submit(drawn, self.spec, realization)

    def get(self, realization: int, busy: dict) -> Images:
        if isinstance(asked := self.found[realization], Future):
            self.found[realization], seconds = asked.result()
            busy["drawing, all processes"] += seconds
        return self.found[realization]

    def forget(self, packs) -> None:
        """All but those that these packs need."""
        needed = {member.realization for pack in packs for member in pack}
        self.found = {realization: found for realization, found in self.found.items() if realization in needed}


def drawn(spec: Specification, realization: int) -> tuple[Images, float]:
    """In a process: the factors of a realization's training images, and the seconds that drawing took."""
    started = time.perf_counter()
    training, _ = _draw(spec, realization)
    return Images.of(training), time.perf_counter() - started


@functools.lru_cache(maxsize=4)  # the members of a pack come realization by realization
def _draw(spec: Specification, realization: int):
    return spec.draw(realization)


def evaluated(members: list[Member], trained: Weights, curves) -> tuple[list[Member], list[dict], float]:
    """In a process: the values of members of one realization, and the seconds that it took."""
    started = time.perf_counter()
    images = _draw(members[0].specification, members[0].realization)
    values = train_member.evaluated(trained, members, [images] * len(members), curves)
    return members, values, time.perf_counter() - started
