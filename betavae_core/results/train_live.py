"""Networks that a chapter trains while it runs: one in its own process, several on all cores."""

import multiprocessing
import os
import signal
import tempfile
import threading
from concurrent.futures import FIRST_EXCEPTION, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

from betavae_core import machine, notes
from betavae_core.errors import SweepError
from betavae_core.networks.atlas import Atlas
from betavae_core.results import cost, train_member
from betavae_core.results.members import Member

STARTING = 8  # seconds, about: TensorFlow loads and compiles, networks are evaluated


def train_live(members: list[Member]) -> list[tuple[dict, dict, Atlas | None]]:
    """Train members of one specification, none of which is stored: one in this process, several on all cores.

    It is announced, with about how long it takes, and each epoch is told; see `notes`. Returns, for each member, what
    `train_member.train_and_draw` does.
    """
    count, epochs = len(members), members[0].specification.epochs
    jobs = min(count, machine.cores())
    seconds = cost.training(count, epochs) + STARTING
    named = f"trains {count} network{'s' * (count > 1)} at β = {members[0].beta:.10g}, about {seconds:.0f} s"
    with notes.Work(named, count * epochs, "epoch") as shown, tempfile.TemporaryDirectory() as folder:
        counters = [notes.Counter(Path(folder) / str(i)) for i in range(count)]

        def tell() -> None:
            done = [counter.count for counter in counters]
            at = [f"network {i} of {count}, epoch {d:,} of {epochs:,}" for i, d in enumerate(done, 1) if 0 < d < epochs]
            shown.at(sum(done), "; ".join(at) or ("evaluates" if sum(done) else "starts"))

        if jobs == 1:
            return [_trained_here(*each, tell) for each in zip(members, counters, strict=True)]
        return _trained_side_by_side(members, counters, jobs, tell)


def _trained_side_by_side(members, counters, jobs: int, tell) -> list[tuple[dict, dict, Atlas | None]]:
    with ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn"), start_worker) as pool:
        futures = [
            pool.submit(train_member.train_and_draw, member, member.key, counter)
            for member, counter in zip(members, counters, strict=True)
        ]
        try:
            while (found := wait(futures, 1, FIRST_EXCEPTION)).not_done:
                tell()
                for future in found.done:
                    future.result()
            return [future.result() for future in futures]
        except BrokenProcessPool:
            raise SweepError("a training process was killed, perhaps for want of memory") from None
        finally:
            pool.shutdown(cancel_futures=True)  # of Ctrl-C, or of one that failed


def start_worker() -> None:
    """Ctrl-C is the parent's business, TensorFlow's start-up lines are nobody's, and no worker outlives its parent."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    threading.Thread(target=_end_with, args=(multiprocessing.parent_process(),), daemon=True).start()


def _end_with(parent) -> None:
    parent.join()
    os._exit(1)


def _trained_here(member: Member, counter: notes.Counter, tell) -> tuple[dict, dict, Atlas | None]:
    def progress(steps: int) -> None:
        counter(steps)
        tell()

    return train_member.train_and_draw(member, member.key, progress)
