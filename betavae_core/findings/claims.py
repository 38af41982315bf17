"""The ledger as it is built: the verdict on each entry of `ledger.ENTRIES`, and the evidence in this book.

A chapter records its verdicts beside its executed notebook; the claims page and `betavae claims` read them all.
"""

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path

from betavae_core import files, paths
from betavae_core.errors import UsageError
from betavae_core.findings.judging.ledger import CLAIM, ENTRIES, HEADLINES, QUESTION, RESULT, Entry

HELD, UNDECIDED, REFUTED = "held", "undecided", "refuted"
VERDICTS = (HELD, UNDECIDED, REFUTED)  # best first
WORDS = {  # how an entry of each kind says its verdict
    CLAIM: {HELD: "held", UNDECIDED: "undecided", REFUTED: "refuted"},
    QUESTION: {HELD: "yes", UNDECIDED: "undecided", REFUTED: "no"},
    RESULT: {HELD: "shown", UNDECIDED: "undecided", REFUTED: "refuted"},
}


@dataclass(frozen=True)
class Verdict:
    """On the entry `id` of the ledger: what this build measured, and whether that agrees.

    evidence : the chapter; target : the label there of the figure, table or proposition that shows it, if there is
    one; both are added by the chapter that records the verdict
    """

    id: str
    estimate: str
    interval: str
    verdict: str
    evidence: str = ""
    target: str = ""

    def __post_init__(self):
        if self.id not in ENTRIES:
            raise ValueError(f"no entry {self.id!r} in the ledger (findings/judging/ledger.py)")

    @property
    def entry(self) -> Entry:
        """What the ledger has under this id."""
        return ENTRIES[self.id]

    @property
    def word(self) -> str:
        """The verdict in the words of its kind, such as held, yes or shown."""
        return WORDS[self.entry.kind][self.verdict]


def file(chapter: str, stage) -> Path:
    """Where the verdicts of a chapter's last whole execution lie."""
    return Path(stage) / "book" / f"{chapter}.claims.json"


def pending(chapter: str, stage) -> Path:
    """Where the verdicts of a chapter that still runs lie, or of one that failed."""
    return file(f"{chapter}.pending", stage)


def record(chapter: str, verdicts: list[Verdict], targets: dict[str, str]) -> None:
    """Write a chapter's verdicts for the build that executes it, which takes them over if the chapter runs to its end.

    `targets` : for each id the label of what shows it. A chapter run by hand records nothing.
    """
    if unknown := {verdict.id for verdict in verdicts} ^ set(targets):
        raise ValueError(f"each verdict needs a target, and each target a verdict: {', '.join(sorted(unknown))}")
    if stage := paths.stage():
        placed = [dataclasses.replace(v, evidence=chapter, target=targets[v.id]) for v in verdicts]
        text = json.dumps([dataclasses.asdict(verdict) for verdict in placed], indent=1, ensure_ascii=False)
        files.write_text(pending(chapter, stage), text + "\n")


def load(chapters: list[str], stage) -> list[Verdict]:
    """All recorded verdicts, in reading order; UsageError if another version of the ledger recorded them."""
    recorded = [f.read_text(encoding="utf-8") for chapter in chapters if (f := file(chapter, stage)).exists()]
    try:
        return [Verdict(**entry) for text in recorded for entry in json.loads(text)]
    except (TypeError, ValueError):
        raise UsageError("the verdicts are of another version of the ledger; `make book` judges anew") from None


def of_kind(verdicts: list[Verdict], kind: str) -> list[Verdict]:
    """Those on entries of one kind."""
    return [verdict for verdict in verdicts if verdict.entry.kind == kind]


def counts(verdicts: list[Verdict], kind: str) -> dict[str, int]:
    """How many entries of a kind have each verdict."""
    return {verdict: sum(v.verdict == verdict for v in of_kind(verdicts, kind)) for verdict in VERDICTS}


def headlines(verdicts: list[Verdict], kind: str) -> dict[str, Verdict]:
    """For each headline of a kind the weakest of the verdicts behind it, which decides; none that no chapter judged.

    A question to which not all answers are the same is undecided, if one of them is.
    """
    found, weaker = {}, (HELD, REFUTED, UNDECIDED) if kind == QUESTION else VERDICTS
    for headline, ids in HEADLINES.items():
        behind = [verdict for verdict in of_kind(verdicts, kind) if verdict.id in ids]
        if behind:
            found[headline] = max(behind, key=lambda verdict: weaker.index(verdict.verdict))
    return found
