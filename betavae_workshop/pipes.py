"""What processes of this project answer to those that started them, and how they keep out of each other's way.

An answer comes through a pipe of its own, since anything may write on standard output, a `sitecustomize.py` for one.
"""

import contextlib
import fcntl
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TextIO

from betavae_core import paths

MOVED_BY = {paths.working_store: "; BETAVAE_RESULTS moves it", paths.published_store: "; BETAVAE_PUBLISHED moves it"}


def started(command: list, **settings) -> tuple[subprocess.Popen, TextIO]:
    """A process, and the pipe through which it answers; the number of the pipe's other end is its last argument."""
    reading, writing = os.pipe()
    try:
        process = subprocess.Popen([*command, str(writing)], pass_fds=[writing], **settings)
    finally:
        os.close(writing)
    return process, os.fdopen(reading)


def answer() -> TextIO:
    """In such a process: the pipe, which its own children do not get."""
    end = int(sys.argv[-1])
    os.set_inheritable(end, False)
    return os.fdopen(end, "w", buffering=1)


def writable(of: Callable[[], Path]) -> Path:
    """The folder that a function returns, which is made; OSError that says what moves it, if it cannot be written."""
    folder = of()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):  # only trying tells, and why not
            return folder
    except OSError as error:
        raise OSError(f"the folder {folder} cannot be written ({error.strerror}){MOVED_BY.get(of, '')}") from None


@contextlib.contextmanager
def alone(of: Callable[[], Path], told: str) -> Iterator[None]:
    """One process at a time for the folder that a function returns, which is made; who has to wait is told so."""
    with open(writable(of) / ".lock", "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print(told, file=sys.stderr)
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield
