"""What a build says while chapters run side by side: what will run, a line as each ends, and what runs meanwhile."""

import contextlib
import shutil
import sys
import time
from collections.abc import Callable
from typing import NamedTuple

from betavae_core.notes import Note

QUIET = 30.0  # seconds without a line, after which what runs is told where there is no terminal
BAR = 12  # letters


class Running(NamedTuple):
    """A chapter that runs: for how many seconds, and the note that it has left, if it has."""

    seconds: float
    note: Note | None = None


class Progress(contextlib.AbstractContextManager):
    """Says a chapter's line as it ends; on a terminal what runs stands in a line that goes again, else in lines."""

    def __init__(self, chapters: list[str], report: Callable[[str], None]):
        self._total, self._ended, self._report = len(chapters), 0, report
        self._announced: set[str] = set()
        self._said = time.monotonic()

    def __exit__(self, *_):
        self._clear()

    def planned(self, work: list[str], later: list[str]) -> None:
        """These chapters are to run, and those perhaps, once they have."""
        if work:
            then = f"; then, if they quote what has changed, {', '.join(later)}" if later else ""
            self._say(f"to execute: {', '.join(work)} ({len(work)} of {self._total} chapters){then}")

    def ended(self, chapter: str, line: str) -> None:
        """A chapter has ended; `line` is what to say of it."""
        self._ended += 1
        self._say(f"{chapter}: {line}")

    def executed(self, chapter: str, line: str) -> None:
        """A chapter that has run has ended, as the so-and-so-many-th of all."""
        self.ended(chapter, f"{line}, {self._ended + 1} of {self._total}")

    def running(self, chapters: dict[str, Running]) -> None:
        """These chapters run now."""
        for chapter, (_, note) in chapters.items():
            if note and chapter not in self._announced:
                self._announced.add(chapter)
                self._say(f"{chapter}: {note.announced}")
        done, terminal = f"{self._ended} of {self._total} chapters done", sys.stderr.isatty()
        now = ", ".join(f"{chapter} {_told(found, bar=terminal)}" for chapter, found in chapters.items())
        if terminal:
            self._write("\r\033[K" + f"{done}; running: {now}"[: shutil.get_terminal_size().columns - 1])
        elif time.monotonic() - self._said > QUIET:
            self._say(f"running: {now} ({done})")

    def _say(self, line: str) -> None:
        self._clear()
        self._report(line)
        self._said = time.monotonic()

    def _clear(self) -> None:
        if sys.stderr.isatty():
            self._write("\r\033[K")

    @staticmethod
    def _write(text: str) -> None:
        sys.stderr.write(text)
        sys.stderr.flush()


def _told(found: Running, bar: bool = False) -> str:
    """How long a chapter has run, and where its work stands, with a bar if so asked."""
    seconds, note = f"{found.seconds:.0f} s", found.note
    if not note:
        return seconds
    full = int(BAR * note.done / max(note.total, 1))
    return f"{seconds} [{'#' * full}{'-' * (BAR - full)}] {note.now}" if bar else f"{seconds} ({note.now})"
