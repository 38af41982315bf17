"""Numbers in prose, and numbered tables, as Markdown."""

import math
import re

INTERVAL = re.compile(r"[−+\d∞][\d.,−+ ()to∞%×⁰¹²³⁴⁵⁶⁷⁸⁹⁻]{0,32}")  # numbers, alone or with their interval
SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


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
        mantissa, exponent = f"{value:.1e}".split("e")
        return f"{mantissa} × 10{str(int(exponent)).translate(SUPERSCRIPTS)}".replace("-", "−")
    return f"{value:,.{digits}f}".replace("-", "−")


def table(header: list[str], rows: list[list[str]], caption: str, name: str, kind: str = "betavae-numbers"):
    """A numbered, captioned table as Markdown output: the first column is text, the others numbers; or all prose.

    Without rows, it says that nothing is stored.
    """
    from IPython.display import Markdown

    rows = rows or [["none stored", *["–"] * (len(header) - 1)]]
    align = [":--"] + ["--:" if kind == "betavae-numbers" else ":--"] * (len(header) - 1)
    shown = [[_as_text(cell) for cell in cells] for cells in (header, *rows)]
    lines = ["| " + " | ".join(cells) + " |" for cells in [shown[0], align, *shown[1:]]]
    directive = [f":::{{table}} {caption}", f":name: {name}", f":class: {kind}", "", *lines, ":::"]
    return Markdown("\n".join(directive))


def _as_text(cell: str) -> str:
    """A cell in which Markdown and roles work, HTML does not, a bar is a bar, and an interval stays on its line."""
    without_tags = re.sub(r"(`[^`]*`)|<", lambda found: found[1] or "&lt;", cell)
    if INTERVAL.fullmatch(cell):
        return cell.replace(" ", "\N{NO-BREAK SPACE}")
    return re.sub(r"(?<!\\)\|", r"\|", without_tags)
