"""What processes of this project answer to those that started them.

An answer comes through a pipe of its own, since anything may write on standard output, a `sitecustomize.py` for one.
"""

import os
import subprocess
import sys
from typing import TextIO


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
