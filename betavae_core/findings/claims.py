"""The ledger: each claim of the thesis, the evidence in this book and the verdict of this build.

A chapter records its verdicts beside its executed notebook; the claims page and `betavae claims` read them all.
"""

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path

from betavae_core import files, paths

HELD, WITHIN, FAILED = "held", "held within error", "not reproduced"
HEADER = ["claim", "where it stands", "evidence", "estimate", "95 % interval", "verdict"]


@dataclass(frozen=True)
class Verdict:
    """One claim: what the thesis says and where, what this build measured and where, and whether that agrees."""

    claim: str
    source: str
    evidence: str
    estimate: str
    interval: str
    verdict: str


def file(chapter: str, stage) -> Path:
    return Path(stage) / "book" / f"{chapter}.claims.json"


def record(chapter: str, verdicts: list[Verdict]) -> None:
    """Write a chapter's verdicts into the build that executes it; a chapter run by hand records nothing."""
    stage = paths.stage()
    if stage:
        text = json.dumps([dataclasses.asdict(verdict) for verdict in verdicts], indent=1, ensure_ascii=False)
        files.write_text(file(chapter, stage), text + "\n")


def load(chapters: list[str], stage) -> list[Verdict]:
    """All recorded verdicts, in reading order."""
    recorded = [file(chapter, stage) for chapter in chapters]
    return [Verdict(**entry) for f in recorded if f.exists() for entry in json.loads(f.read_text(encoding="utf-8"))]


def rows(verdicts: list[Verdict]) -> list[list[str]]:
    """Rows under `HEADER`."""
    return [list(dataclasses.astuple(verdict)) for verdict in verdicts]
