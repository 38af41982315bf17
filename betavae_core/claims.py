"""The ledger: each claim of the thesis, the evidence in this book and the verdict of this build.

A chapter records its verdicts beside its executed notebook; the claims page and `betavae claims` read them all.
"""

import dataclasses
import json
import os
from dataclasses import dataclass
from pathlib import Path

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


def decide(holds: bool, possible: bool = False) -> str:
    """`holds`: the whole interval agrees with the claim; `possible`: part of it does."""
    return HELD if holds else WITHIN if possible else FAILED


def exact(claim: str, source: str, evidence: str, estimate: str, holds: bool) -> Verdict:
    """On something computed exactly."""
    return Verdict(claim, source, evidence, estimate, "exact", decide(holds))


def peak_at(claim: str, source: str, evidence: str, found, expected: float) -> Verdict:
    """On where an optimum lies: `found` is the `optima.Estimate` of its β, on the grid of β."""
    verdict = decide(found.value == expected, found.low <= expected <= found.high)
    return Verdict(claim, source, evidence, f"at β = {found.value:g}", _range(found, "g"), verdict)


def interior(claim: str, source: str, evidence: str, found, betas, exists: bool = True) -> Verdict:
    """On whether an optimum lies inside the range of β and not at an end of it; or, not `exists`, on its absence."""
    first, last = float(betas[0]), float(betas[-1])
    surely, maybe = first < found.low and found.high < last, first < found.value < last
    verdict = decide(surely, maybe) if exists else decide(not maybe, not surely)
    return Verdict(claim, source, evidence, f"at β = {found.value:g}", _range(found, "g"), verdict)


def falls(claim: str, source: str, evidence: str, rise) -> Verdict:
    """On whether a curve decreases: `rise` is its largest mean rise, in nats, an `optima.Rise`."""
    change = f"{_signed(rise.value, '+.3g')} nats (β {rise.before:g} to {rise.after:g})"
    estimate = f"largest change between neighbours {change}"
    return Verdict(claim, source, evidence, estimate, _range(rise, "+.3g"), decide(rise.high <= 0, rise.low <= 0))


def positive(claim: str, source: str, evidence: str, what: str, gain) -> Verdict:
    """On whether a difference is above zero."""
    verdict = decide(gain.low > 0, gain.value > 0)
    return Verdict(claim, source, evidence, f"{what}: {_signed(gain.value, '+.3f')}", _range(gain, "+.3f"), verdict)


def _range(found, form: str) -> str:
    return f"{_signed(found.low, form)} to {_signed(found.high, form)}"


def _signed(value: float, form: str) -> str:
    return f"{value:{form}}".replace("-", "−")


def file(chapter: str, stage) -> Path:
    return Path(stage) / "book" / f"{chapter}.claims.json"


def record(chapter: str, verdicts: list[Verdict]) -> None:
    """Write a chapter's verdicts into the build that executes it; a chapter run by hand records nothing."""
    stage = os.environ.get("BETAVAE_STAGE")
    if stage:
        text = json.dumps([dataclasses.asdict(verdict) for verdict in verdicts], indent=1, ensure_ascii=False)
        file(chapter, stage).write_text(text + "\n", encoding="utf-8")


def load(chapters: list[str], stage) -> list[Verdict]:
    """All recorded verdicts, in reading order."""
    files = [file(chapter, stage) for chapter in chapters]
    return [Verdict(**entry) for f in files if f.exists() for entry in json.loads(f.read_text(encoding="utf-8"))]


def rows(verdicts: list[Verdict]) -> list[list[str]]:
    """Rows under `HEADER`."""
    return [list(dataclasses.astuple(verdict)) for verdict in verdicts]
