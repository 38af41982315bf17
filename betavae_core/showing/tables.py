"""Numbers in prose, numbered tables, and verdicts on claims, as Markdown."""

import math
import re

from IPython.display import Markdown

from betavae_core.findings import verdicts
from betavae_core.findings.claims import HELD, REFUTED, UNDECIDED, WORDS, Verdict, counts, headlines, of_kind
from betavae_core.findings.judging.ledger import CLAIM, KINDS, QUESTION, RESULT

INTERVAL = re.compile(r"[−+\d∞][\d.,;/−+ ()tof∞%×±⁰¹²³⁴⁵⁶⁷⁸⁹⁻]{0,32}")  # numbers and intervals

MARKS = {HELD: "✓", UNDECIDED: "?", REFUTED: "✗"}
TITLES = {
    CLAIM: "Claims of the thesis",
    QUESTION: "Questions that the thesis raises",
    RESULT: "This companion’s results",
}


def number(value: float, digits: int = 4) -> str:
    """A number for prose and tables: fixed decimals, a true minus sign, powers of ten where tiny, a dash for none.

    >>> number(-1234.5, 1), number(0.0), number(1.2e-9), number(float("nan"))
    ('−1,234.5', '0', '1.2 × 10⁻⁹', '–')
    """
    if not math.isfinite(value):
        return "–"
    if value == 0:
        return "0"
    if abs(value) < 0.5 * 10**-digits:
        return verdicts.written(value)
    return fixed(value, digits)


def fixed(value: float, digits: int) -> str:
    """A number to so many decimals, however small it is; a dash where there is none.

    >>> fixed(-0.001, 2), fixed(-1234.5, 1), fixed(float("nan"), 1), fixed(float("inf"), 1)
    ('0.00', '−1,234.5', '–', '∞')
    """
    return "–" if math.isnan(value) else f"{value:z,.{digits}f}".replace("-", "−").replace("inf", "∞")


def significant(value: float) -> str:
    """A positive number to three digits, never in powers of ten.

    >>> significant(1234.0), significant(0.98765), significant(0.9996), significant(float("inf"))
    ('1230', '0.988', '1.00', '∞')
    """
    if not 0 < value < math.inf:
        return "–" if math.isnan(value) else "∞" if value > 0 else "0"
    rounded = f"{value:.2e}"
    return f"{float(rounded):.{max(0, 2 - int(rounded.partition('e')[2]))}f}"


def table(header: list[str], rows: list[list[str]], caption: str, name: str, kind: str = "betavae-numbers"):
    """A numbered, captioned table as Markdown output: the first column is text, the others numbers; or all prose.

    Without rows, it says that nothing is stored.
    """
    rows = rows or [["none stored", *["–"] * (len(header) - 1)]]
    align = [":--"] + ["--:" if kind == "betavae-numbers" else ":--"] * (len(header) - 1)
    shown = [[_as_text(cell) for cell in cells] for cells in (header, *rows)]
    lines = ["| " + " | ".join(cells) + " |" for cells in [shown[0], align, *shown[1:]]]
    directive = [f":::{{table}} {caption}", f":name: {name}", f":class: {kind}", "", *lines, ":::"]
    return Markdown("\n".join(directive))


def _as_text(cell: str) -> str:
    """A cell in which Markdown and roles work, HTML does not, a bar is a bar, and an interval in brackets is whole."""
    without_tags = re.sub(r"(`[^`]*`)|<", lambda found: found[1] or "&lt;", cell)
    if INTERVAL.fullmatch(cell):
        return cell.replace(" ", "\N{NO-BREAK SPACE}").replace("\N{NO-BREAK SPACE}(", " (")
    return re.sub(r"(?<!\\)\|", r"\|", without_tags)


def ledger(found: list[Verdict], kind: str, caption: str, name: str):
    """Entries of a kind as a numbered table: verdict, entry, what was measured, and a link to the evidence."""
    rows = [
        [
            badge(v.verdict, v.word),
            f"{v.entry.text} [{v.entry.place}]{{.place}}",
            f"{v.estimate} [{f'95 %: {v.interval}' if ' to ' in v.interval else v.interval}]{{.place}}",
            f"{{doc}}`{v.evidence} <{v.evidence}>` " + (reference(v) if v.target else ""),
        ]
        for v in of_kind(found, kind)
    ]
    return table(["verdict", kind, "measured here", "judged in, shown at"], rows, caption, name, "betavae-ledger")


def answers(found: list[Verdict]):
    """Each kind's entries by verdict, and `claims.headlines` among them with a link to the evidence, as Markdown."""
    parts = []
    for kind in KINDS:
        said = [badge(verdict, f"{n} {WORDS[kind][verdict]}") for verdict, n in counts(found, kind).items() if n]
        lines = [f"- {badge(v.verdict, v.word)} {reference(v, text)}" for text, v in headlines(found, kind).items()]
        more = ", among them:" if len(lines) < len(of_kind(found, kind)) else ""
        parts += [":::{container}", f"**{TITLES[kind]}** {' '.join(said)}{more}", "", *lines, ":::"]
    return Markdown("\n".join(["::::{container} answers", *parts, "::::"]))


def badge(verdict: str, text: str) -> str:
    """A verdict as symbol, words and colour."""
    return f"[{MARKS[verdict]} {text}]{{.verdict .{verdict}}}"


def reference(found: Verdict, text: str = "") -> str:
    """A link to the figure, table or proposition behind a verdict, by its number or in other words."""
    if not found.target:
        return f"{{doc}}`{text or found.evidence} <{found.evidence}>`"
    if not found.target.startswith(("fig-", "tab-")):
        return f"{{prf:ref}}`{text} <{found.target}>`" if text else f"{{prf:ref}}`{found.target}`"
    return f"{{ref}}`{text} <{found.target}>`" if text else f"{{numref}}`{found.target}`"
