"""The stored error rates of verdicts: what was simulated, the file that `calibration` writes, and its tables.

A build hands them to the page of claims (`betavae_core.built`).
"""

import json
from collections.abc import Iterator

from betavae_core import paths

RULES = ("falls", "near", "interior", "positive")
COUNTS = (3, 5, 20, 60, 300)  # realizations
EFFECTS = (0.5, 1.0, 2.0, 4.0)  # standard errors of the mean of a step
NOISES, REALIZATIONS = (0.01, 0.03, 0.1), (4, 6, 12)  # of tiles: nats of a network's TIE; realizations
KINDS = {"normal": "normal", "sign at random": "stored, signs at random", "as it lies": "stored, unchanged"}


def load() -> dict:
    """The stored rates: `seed`, `trials`, and the rows of `rules`, `intervals` and `tiles`."""
    return json.loads(paths.CALIBRATION.read_text(encoding="utf-8"))


def told() -> dict:
    """The tables by name, each its header and rows."""
    table, counts = load(), [f"n = {n}" for n in COUNTS]
    return {
        "errors": (["rule, noise", *counts], error_rows(table)),
        "power": (["rule, noise", *counts], power_rows(table)),
        "intervals": (["curve, noise", *counts], interval_rows(table)),
        "tiles": (["experiment, noise", "theory", *(f"n = {n}" for n in REALIZATIONS)], tile_rows(table)),
    }


def _cells(table: dict) -> Iterator[tuple[str, str, list[list[dict]]]]:
    """For each rule and kind of noise, what is stored for each n: one entry a curve whose noise was taken."""
    for rule in RULES:
        for end, words in KINDS.items():
            rows = [row for row in table["rules"] if row["rule"] == rule and row["noise"].endswith(end)]
            yield rule, words, [[row for row in rows if row["n"] == count] for count in COUNTS]


def error_rows(table: dict) -> list[list[str]]:
    """Rows of a table: false "held" and false "refuted", the worst over truths and curves, per cent, for each n."""
    rows = []
    for rule, words, cells in _cells(table):
        worst = [[100 * max(row[name] for row in cell) for name in ("false_held", "false_refuted")] for cell in cells]
        rows.append([f"{rule}, {words}", *(f"{held:.1f} / {refuted:.1f}" for held, refuted in worst)])
    return rows


def power_rows(table: dict) -> list[list[str]]:
    """Rows of a table: how often true claims are held at effects of 1, 2 and 4 standard errors, the middle curve."""
    rows = []
    for rule, words, cells in _cells(table):
        middle = [[sorted(row["held"][i] for row in cell)[len(cell) // 2] for i in (1, 2, 3)] for cell in cells]
        rows.append([f"{rule}, {words}", *(" / ".join(f"{100 * part:.0f}" for part in cell) for cell in middle)])
    return rows


def interval_rows(table: dict) -> list[list[str]]:
    """Rows of a table: coverage of intervals of optima, per cent, and their width as a factor of β, for each n."""
    rows = []
    for curve in dict.fromkeys(row["curve"] for row in table["intervals"]):
        for normal in (True, False):
            these = [row for row in table["intervals"] if (row["curve"], row["normal"]) == (curve, normal)]
            cells = [f"{100 * row['coverage']:.1f} (× {row['width']:.3g})" for row in these]
            name, term = curve.rsplit(", ", 1)
            rows.append([f"{name}, {term.upper()}, {'normal' if normal else 'stored'}", *cells])
    return rows


def tile_rows(table: dict) -> list[list[str]]:
    """Rows of a table: coverage and width of intervals of the best β/ν of tiles, and the mean best beside theory's."""
    rows = []
    for experiment in dict.fromkeys(row["experiment"] for row in table["tiles"]):
        for noise in NOISES:
            these = [row for row in table["tiles"] if (row["experiment"], row["noise"]) == (experiment, noise)]
            cells = [f"{100 * row['coverage']:.1f} ({row['width']:.2f}; {row['best']:.3f})" for row in these]
            name = experiment.replace("-4", "\N{NON-BREAKING HYPHEN}4")
            rows.append([f"{name}, {noise:g} nats", f"{these[0]['theory']:.3f}", *cells])
    return rows
