"""Who executes chapters: a process of its own for each, and as many at a time as there are cores.

A worker's standard input stays open for as long as the build lives. At its end, whether the build was interrupted or
killed, the worker ends its kernel and goes. What workers and kernels write on standard output and error goes to a file.
"""

import contextlib
import json
import signal
import subprocess
import sys
import time
from multiprocessing.connection import wait
from pathlib import Path
from typing import NamedTuple, TextIO

from betavae_core import machine, paths
from betavae_core.errors import BuildError
from betavae_core.notes import Note
from betavae_core.paths import BUILD
from betavae_workshop import environment, pipes
from betavae_workshop.building.progress import Progress, Running

LOG = BUILD / "kernels.log"


class Job(NamedTuple):
    """A chapter to execute: with which parameters, and the hash of all that it depends on."""

    chapter: str
    values: dict
    digest: str


class Worker(NamedTuple):
    """The process that executes a chapter, when it started, and the file of the note that the chapter leaves."""

    chapter: str
    process: subprocess.Popen
    started: float
    note: Path


def execute(waiting: list[Job], stage: Path, progress: Progress, limit: int | None = None) -> dict[str, str]:
    """Execute chapters in this order, `limit` at a time; after a failure none is started, and those that run go on.

    Returns what is to be said of each chapter that failed.
    """
    waiting, running, failures, limit = list(waiting), {}, {}, limit or machine.cores()
    with environment.clean() as variables:
        try:
            while running or (waiting and not failures):
                while waiting and not failures and len(running) < limit:
                    answer, worker = _start(waiting.pop(0), stage, variables)
                    running[answer] = worker
                now = time.monotonic()
                progress.running({w.chapter: Running(now - w.started, Note.read(w.note)) for w in running.values()})
                for answer in wait(list(running), timeout=1):
                    chapter, process, *_ = running.pop(answer)
                    try:
                        progress.executed(chapter, _answer(chapter, process, answer))
                    except BuildError as error:
                        failures[chapter] = str(error)
                        progress.executed(chapter, "failed")
        finally:
            for worker in running.values():
                worker.process.stdin.close()
                worker.process.wait()
    return failures


def _start(job: Job, stage: Path, variables: dict[str, str]) -> tuple[TextIO, Worker]:
    """A process for a job, and the pipe through which it answers."""
    inline, note = "module://matplotlib_inline.backend_inline", Path(variables["HOME"]) / f"note-{job.chapter}"
    variables = {**variables, "BETAVAE_STAGE": str(stage), "BETAVAE_NOTE": str(note), "MPLBACKEND": inline}
    variables["TF_FORCE_GPU_ALLOW_GROWTH"] = "true"  # chapters share a GPU
    LOG.parent.mkdir(exist_ok=True)
    with open(LOG, "a") as log:
        process, answer = pipes.started(
            [sys.executable, "-m", "betavae_workshop.building.worker"],
            bufsize=0,
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            cwd=paths.ROOT,
            env=variables,
            start_new_session=True,  # Ctrl-C is the build's business
        )
    with contextlib.suppress(BrokenPipeError):  # it has ended; `_answer` says how
        process.stdin.write(json.dumps([*job, str(stage)]).encode() + b"\n")
    return answer, Worker(job.chapter, process, time.monotonic(), note)


def _answer(chapter: str, process: subprocess.Popen, answer: TextIO) -> str:
    """What a worker that has ended says of its chapter; BuildError if that failed, or if it says nothing."""
    with answer:
        told = answer.read()
    process.wait()  # before its standard input ends, which would tell it that the build has
    process.stdin.close()
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
