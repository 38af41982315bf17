"""Who executes chapters: a process of its own for each, and as many at a time as there are cores.

A worker's standard input stays open for as long as the build lives. At its end, whether the build was interrupted or
killed, the worker ends its kernel and goes. What workers and kernels write on standard error goes to a file.
"""

import contextlib
import json
import signal
import subprocess
import sys
import time
from multiprocessing.connection import wait
from pathlib import Path
from typing import NamedTuple

from betavae_core import environment, machine, paths
from betavae_core.building.progress import Progress
from betavae_core.errors import BuildError
from betavae_core.paths import BUILD

LOG = BUILD / "kernels.log"


class Job(NamedTuple):
    """A chapter to execute: with which parameters, and the hash of all that it depends on."""

    chapter: str
    values: dict
    digest: str


class Worker(NamedTuple):
    """The process that executes a chapter, and when it started."""

    chapter: str
    process: subprocess.Popen
    started: float


def execute(waiting: list[Job], stage: Path, progress: Progress, limit: int | None = None) -> dict[str, str]:
    """Execute chapters in this order, `limit` at a time; after a failure none is started, and those that run go on.

    Returns
    -------
    what is to be said of each chapter that failed
    """
    if not waiting:
        return {}
    with environment.clean() as variables:
        return _all_executed(list(waiting), stage, progress, limit or machine.cores(), variables)


def _all_executed(waiting, stage, progress, limit, variables) -> dict[str, str]:
    running, failures = {}, {}
    try:
        while True:
            while waiting and not failures and len(running) < limit:
                worker = _start(waiting.pop(0), stage, variables)
                running[worker.process.stdout] = worker
            if not running:
                return failures
            progress.running({worker.chapter: time.monotonic() - worker.started for worker in running.values()})
            for pipe in wait(list(running), timeout=1):
                chapter, process, _ = running.pop(pipe)
                try:
                    progress.ended(chapter, _answer(chapter, process))
                except BuildError as error:
                    failures[chapter] = str(error)
                    progress.ended(chapter, "failed")
    finally:
        for worker in running.values():
            worker.process.stdin.close()
        for worker in running.values():
            worker.process.wait()


def _start(job: Job, stage: Path, variables: dict[str, str]) -> Worker:
    inline = "module://matplotlib_inline.backend_inline"
    variables = {**variables, "BETAVAE_STAGE": str(stage), "MPLBACKEND": inline}
    variables["TF_FORCE_GPU_ALLOW_GROWTH"] = "true"  # chapters share a GPU
    LOG.parent.mkdir(exist_ok=True)
    with open(LOG, "a") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "betavae_core.building.worker"],
            bufsize=0,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            cwd=paths.ROOT,
            env=variables,
            start_new_session=True,  # Ctrl-C is the build's business
        )
    with contextlib.suppress(BrokenPipeError):  # it has ended; `_answer` says how
        process.stdin.write(json.dumps([*job, str(stage)]).encode() + b"\n")
    return Worker(job.chapter, process, time.monotonic())


def _answer(chapter: str, process: subprocess.Popen) -> str:
    """What a worker that has ended says of its chapter; BuildError if that failed, or if it says nothing."""
    told = process.stdout.read()
    process.wait()  # before its standard input ends, which would tell it that the build has
    process.stdin.close()
    process.stdout.close()
    if told:
        succeeded, text = json.loads(told)
        if succeeded:
            return text
        raise BuildError(text)
    if process.returncode < 0:
        name = signal.Signals(-process.returncode).name
        raise BuildError(f"chapter {chapter} failed: its process was killed ({name}), perhaps for want of memory")
    log = LOG.relative_to(paths.ROOT)
    raise BuildError(f"chapter {chapter} failed: its process ended with code {process.returncode}; see {log}")
