"""The ledger: each claim of the thesis, the evidence in this book and the verdict of this build.

A chapter records its verdicts beside its executed notebook; the claims page and `betavae claims` read them all.
"""

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from betavae_core import files, paths

HELD, WITHIN, FAILED = "held", "held within error", "not reproduced"
VERDICTS = (HELD, WITHIN, FAILED)  # best first
HEADER = ["claim", "where it stands", "evidence", "estimate", "95 % interval", "verdict"]

# What the thesis says in short, each with the starts of the claims behind it.
HEADLINES = {
    "As β grows, reconstruction and C fall; ELBO is largest at β = 1": ("R at the", "C at the", "ELBO at the"),
    "Independent sources are dependent given the data": ("Independent sources",),
    "The error of inference is least at a finite β": ("TIE is", "Deep mixing: TIE", "Deep localisation: TIE"),
    "Higher β makes latents factorise": (
        "Deep mixing: higher β segregates the latents: factorised",
        "Deep localisation: higher β segregates the latents: factorised",
    ),
    "A trained network’s ELBO is largest near β = 1": ("Deep mixing: ELBO is", "Deep localisation: ELBO is"),
    "A trained network reconstructs worse as β grows": ("Deep mixing: R", "Deep localisation: R"),
    "More dependence given the data, larger best β, in networks": ("Deep tiles",),
    "Latents move a digit along orthogonal axes": ("Deep localisation: latents encode",),
    "Higher β aligns latents with sources": (
        "Deep mixing: higher β segregates the latents: aligned",
        "Deep localisation: higher β segregates the latents: aligned",
    ),
    "A conflict of two kinds of independence makes the optimum": ("The conflict", "Deep mixing: without conditional"),
    "A diagonal encoder by itself moves the best β": ("A diagonal q",),
    "The likelihood of the data falls as β grows": ("The data likelihood",),
}


@dataclass(frozen=True)
class Verdict:
    """One claim: what the thesis says and where, what this build measured and where, and whether that agrees.

    evidence : the chapter; target : the label there of the figure, table or proposition that shows it, if there is one
    """

    claim: str
    source: str
    evidence: str
    estimate: str
    interval: str
    verdict: str
    target: str = ""

    def at(self, target: str) -> Self:
        """The same with its target."""
        return dataclasses.replace(self, target=target)


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
    return [list(dataclasses.astuple(verdict)[: len(HEADER)]) for verdict in verdicts]


def headlines(verdicts: list[Verdict]) -> dict[str, Verdict]:
    """For each headline the weakest of the verdicts behind it, which decides; none that no chapter has judged."""
    found = {}
    for headline, starts in HEADLINES.items():
        behind = [verdict for verdict in verdicts if verdict.claim.startswith(starts)]
        if behind:
            found[headline] = max(behind, key=lambda verdict: VERDICTS.index(verdict.verdict))
    return found
