"""What a build hands to the chapters that speak of the others: which there are, how fast and how sure things are."""

import json
from pathlib import Path

from betavae_core import paths

FILE = "built.json"


def stage() -> Path:
    """Where executed chapters lie: of the build that runs this chapter, or of the last one."""
    return paths.stage() or paths.EXECUTED


def chapters() -> list[dict]:
    """Each chapter in reading order: its name, its parameters, and the seconds that it took unless it `quotes` others.

    Raises OSError if nothing has been built yet.
    """
    return _told()["chapters"]


def names() -> list[str]:
    """Names of the chapters in reading order."""
    return [chapter["chapter"] for chapter in chapters()]


def speed() -> dict:
    """Tables of what was measured of this project's speed, by name, each its header and rows, and numbers beside."""
    return _told()["speed"]


def rates() -> dict:
    """Tables of how often rules and intervals err, by name, each its header and rows."""
    return _told()["rates"]


def _told() -> dict:
    file = stage() / FILE
    if not file.exists():
        raise FileNotFoundError(f"{file} is not there: `make book` makes it, with what this chapter quotes")
    return json.loads(file.read_text(encoding="utf-8"))
