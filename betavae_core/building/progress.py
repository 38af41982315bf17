"""What a build says while chapters run side by side: a line for each in reading order, and what runs at the moment."""

import shutil
import sys
from collections.abc import Callable


class Progress:
    """Says a chapter's line once all before it have theirs; on a terminal also what runs, in a line that goes again."""

    def __init__(self, chapters: list[str], report: Callable[[str], None]):
        self._waiting, self._total = list(chapters), len(chapters)
        self._lines: dict[str, str] = {}
        self._report = report
        self._ended = 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        """Say what is left to say: after a failure, of chapters behind it."""
        self._clear()
        for chapter in self._waiting:
            if chapter in self._lines:
                self._report(self._lines[chapter])

    def ended(self, chapter: str, line: str) -> None:
        """A chapter has ended; `line` is what to say of it."""
        self._lines[chapter] = f"{chapter}: {line}"
        self._ended += 1
        self._clear()
        while self._waiting and self._waiting[0] in self._lines:
            self._report(self._lines.pop(self._waiting.pop(0)))

    def running(self, seconds: dict[str, float]) -> None:
        """These chapters run now, each for so long."""
        if sys.stderr.isatty():
            now = ", ".join(f"{chapter} {passed:.0f} s" for chapter, passed in seconds.items())
            line = f"{self._ended} of {self._total} chapters done; running: {now}"
            self._write("\r\033[K" + line[: shutil.get_terminal_size().columns - 1])

    def _clear(self) -> None:
        if sys.stderr.isatty():
            self._write("\r\033[K")

    @staticmethod
    def _write(text: str) -> None:
        sys.stderr.write(text)
        sys.stderr.flush()
