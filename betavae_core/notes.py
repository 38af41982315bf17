"""What a chapter says of long work while it runs: how much of it is done, and where it stands.

A build names a file in BETAVAE_NOTE, in which the chapter keeps its latest note, and looks. Without a build, a person
who runs the chapter by hand gets a bar.
"""

import contextlib
import json
import os
import sys
from pathlib import Path
from typing import NamedTuple

from betavae_core import paths


class Note(NamedTuple):
    """What was announced, how much of it is done, of how much, and where it stands, in words."""

    announced: str
    done: int
    total: int
    now: str

    @classmethod
    def read(cls, file: Path) -> "Note | None":
        """The latest note, if there is one."""
        with contextlib.suppress(OSError, ValueError, TypeError):
            return cls(*json.loads(file.read_text(encoding="utf-8")))
        return None


class Work:
    """Work that takes long: announced when it begins, then told how far it has come."""

    def __init__(self, announced: str, total: int, unit: str):
        self.announced, self.total, self.file, self.bar = announced, total, paths.note(), None
        if self.file is None:
            from tqdm import tqdm

            self.bar = tqdm(total=total, desc=announced, unit=unit, disable=None)

    def __enter__(self):
        if self.bar is not None and self.bar.disable:  # no terminal: a notebook, for one
            print(self.announced, file=sys.stderr)
        self.at(0, "begins")
        return self

    def __exit__(self, *_):
        if self.bar is not None:
            self.bar.close()

    def at(self, done: int, now: str) -> None:
        """It has come so far."""
        if self.bar is not None:
            self.bar.update(done - self.bar.n)
        elif self.file is not None:
            beside = self.file.with_suffix(f".{os.getpid()}")
            with contextlib.suppress(OSError):  # a full disk ends no training for want of a note
                beside.write_text(json.dumps(Note(self.announced, done, self.total, now)), encoding="utf-8")
                os.replace(beside, self.file)


class Counter(NamedTuple):
    """Counts in a file, which another process may look at: its size is the count."""

    file: Path

    def __call__(self, more: int) -> None:
        with open(self.file, "ab") as handle:
            handle.write(bytes(more))

    @property
    def count(self) -> int:
        """So far."""
        return self.file.stat().st_size if self.file.exists() else 0
