"""Verdicts at the borders of their rules, and the ledger's way through files and the terminal."""

import json
import math
import re

import numpy as np
import pytest
from click.testing import CliRunner

from betavae_core import paths
from betavae_core.findings import claims, verdicts
from betavae_core.findings.optima import Estimate, Rise
from betavae_core.showing import tables
from betavae_workshop import cli

PLACE = ("a claim", "Results", "mixing")


@pytest.mark.parametrize(
    ("found", "verdict"),
    [
        ((1, 0.5, 2), "held"),
        ((2, 1, 2), "held"),
        ((1, 0.2, 2), "held within error"),  # the interval decides, though the estimate is 1
        ((5, 2, 10), "held within error"),
        ((10, 5, 20), "not reproduced"),
        ((0.1, 0, 0.2), "not reproduced"),
    ],
)
def test_whether_an_optimum_is_near_a_beta(found, verdict):
    assert verdicts.near(*PLACE, Estimate(*found), 1.0).verdict == verdict


INSIDE = [
    ((5, 2, 10), "held"),
    ((5, 0.1, 50), "held"),
    ((5, 0, 10), "held within error"),
    ((0.1, 0, 10), "held within error"),  # most resamples have it at the end, some have not
    ((0.1, 0, 1), "not reproduced"),
    ((100, 50, math.inf), "not reproduced"),
]


@pytest.mark.parametrize(("found", "verdict"), INSIDE)
def test_whether_an_optimum_is_inside(found, verdict):
    assert verdicts.interior(*PLACE, Estimate(*found), [0.1, 1, 10, 50, 100]).verdict == verdict


@pytest.mark.parametrize(("found", "verdict"), INSIDE)
def test_whether_no_optimum_is_inside(found, verdict):
    opposite = {"held": "not reproduced", "not reproduced": "held"}.get(verdict, verdict)
    judged = verdicts.interior(*PLACE, Estimate(*found), [0.1, 1, 10, 50, 100], exists=False)
    assert judged.verdict == opposite
    assert "inf" not in judged.interval


@pytest.mark.parametrize(
    ("rise", "verdict"),
    [((-1, -2, -0.5), "held"), ((-1, -2, 0.1), "held within error"), ((0.2, 0.1, 0.3), "not reproduced")],
)
def test_whether_a_curve_falls(rise, verdict):
    found = verdicts.falls(*PLACE, Rise(*rise, 1.0, 2.0))
    assert found.verdict == verdict
    assert "(β 1 to 2)" in found.estimate


@pytest.mark.parametrize(
    ("gains", "verdict"),
    [
        ([(1, 0.1, 2)], "held"),
        ([(1, -0.1, 2)], "held within error"),
        ([(-0.1, -2, 0.5)], "held within error"),  # part of the interval agrees, the estimate does not
        ([(-1, -2, -0.5)], "not reproduced"),
        ([(1, 0.1, 2), (1, -0.1, 2)], "held within error"),
        ([(1, 0.1, 2), (-1, -2, -0.5)], "not reproduced"),
    ],
)
def test_whether_differences_are_positive(gains, verdict):
    named = {f"gain {i}": Estimate(*gain) for i, gain in enumerate(gains)}
    assert verdicts.positive(*PLACE, "of", named).verdict == verdict


@pytest.mark.parametrize(
    ("angles", "verdict"),
    [
        ({1.0: [88, 85, 89, 87, 90], 2.0: [86, 85, 89, 80, 90]}, "held"),
        ({1.0: [88, 85, 89, 87, 90], 2.0: [46, 20, 60, 45, 50]}, "held within error"),
        ({1.0: [60, 55, 59, 57, 64], 2.0: [46, 20, 60, 45, 50]}, "not reproduced"),
        ({1.0: [75.0]}, "not reproduced"),  # one angle of 75° is no news
        ({}, "not reproduced"),
    ],
)
def test_whether_axes_are_orthogonal_beyond_chance(angles, verdict):
    assert verdicts.beyond_chance(*PLACE, angles).verdict == verdict


def test_chance_is_that_of_random_directions_in_a_plane(rng):
    """Angles of Gaussian vectors, and the exact distribution of one and of two uniform angles."""
    vectors = rng.standard_normal((2, 20_000, 2))
    cosines = np.abs((vectors[0] * vectors[1]).sum(1)) / np.linalg.norm(vectors, axis=2).prod(0)
    angles = np.degrees(np.arccos(cosines))
    found = verdicts.chances({1.0: [60.0], 2.0: [60.0, 60.0]})
    assert found[1.0] == pytest.approx((angles >= 60).mean(), abs=0.02) == pytest.approx(1 / 3, abs=0.02)
    assert found[2.0] == pytest.approx(0.5 * (2 * 30 / 90) ** 2, abs=0.02)  # the corner of a square


def test_a_true_chance_passes_in_one_of_twenty():
    """Angles that are chance, at ten β: Holm keeps false alarms at the level over all of them."""
    rng, alarms = np.random.default_rng(1), 0
    for _ in range(200):
        angles = {float(b): rng.uniform(0, 90, 5) for b in range(1, 4)}
        alarms += verdicts.beyond_chance(*PLACE, angles).verdict != "not reproduced"
    assert alarms / 200 == pytest.approx(verdicts.CHANCE, abs=0.035)


@pytest.mark.parametrize(
    ("correlations", "control", "verdict"),
    [
        ([0.5, 0.001], [1e-16, 0.0], "held"),
        ([0.5, 1e-9], [1e-16, 0.0], "not reproduced"),
        ([0.5, 0.5], [1e-16, 0.01], "not reproduced"),  # a control that is dependent shows nothing
    ],
)
def test_whether_sources_are_dependent(correlations, control, verdict):
    assert verdicts.dependent(*PLACE, correlations, control).verdict == verdict


def test_multiplicity_counts_what_is_random():
    exact = verdicts.exact(*PLACE, "1", True)
    random = verdicts.near(*PLACE, Estimate(1, 0.5, 2), 1.0)
    count, expected, most = verdicts.multiplicity([exact, *[random] * 40])
    assert (count, expected, most) == (40, 1.0, 3.0)


def test_verdicts_travel_through_the_build(tmp_path, monkeypatch):
    found = [verdicts.exact(*PLACE, "−1", True).at("fig-mixing"), verdicts.exact(*PLACE, "+1", False)]
    claims.record("mixing", found)  # outside a build: nothing
    (tmp_path / "executed" / "book").mkdir(parents=True)
    monkeypatch.setenv("BETAVAE_STAGE", str(tmp_path / "executed"))
    claims.record("mixing", found)
    assert json.loads((tmp_path / "executed/book/mixing.claims.json").read_text())[0]["verdict"] == "held"
    assert claims.load(["theory", "mixing"], tmp_path / "executed") == found
    monkeypatch.setattr(paths, "EXECUTED", tmp_path / "executed")
    result = CliRunner().invoke(cli.main, ["claims"])
    assert result.exit_code == 0
    assert "not reproduced" in result.stdout


@pytest.mark.parametrize(
    ("verdicts_behind", "decides"),
    [
        ((True, True, True), "held"),
        ((True, None, True), "held within error"),
        ((True, None, False), "not reproduced"),
    ],
)
def test_the_weakest_verdict_behind_a_headline_decides(verdicts_behind, decides):
    headline = "The error of inference is least at a finite β"
    behind = []
    for start, holds in zip(claims.HEADLINES[headline], verdicts_behind, strict=True):
        interval = {True: (1, 0.1, 2), None: (1, -0.1, 2), False: (-1, -2, -0.1)}[holds]
        behind.append(verdicts.positive(f"{start} and more", "Results", "mixing", "", {"": Estimate(*interval)}))
    found = claims.headlines([*behind, verdicts.exact(*PLACE, "1", False)])
    assert {text: v.verdict for text, v in found.items()} == {headline: decides}


def test_a_ledger_has_symbols_words_and_links():
    found = [
        verdicts.exact(*PLACE, "0", True).at("fig-mixing"),
        verdicts.near(*PLACE, Estimate(1, 0.2, 2), 1.0).at("p1"),
        verdicts.exact("The data likelihood falls", "Abstract", "theory", "1", False),
    ]
    text = tables.ledger(found, caption="The ledger.", name="tab-claims").data
    rows = [line.split(" | ") for line in text.splitlines() if line.startswith("| [")]
    assert [row[0] for row in rows] == [
        "| [✓ held]{.verdict .held}",
        "| [≈ held within error]{.verdict .within}",
        "| [✗ not reproduced]{.verdict .failed}",
    ]
    links = [
        "{doc}`mixing <mixing>` {numref}`fig-mixing`",
        "{doc}`mixing <mixing>` {prf:ref}`p1`",
        "{doc}`theory <theory>`",
    ]
    assert [row[-1].rstrip(" |") for row in rows] == links
    assert [re.findall(r"\[([^]]*)\]\{.place", row[2]) for row in rows] == [["exact"], ["95 %: 0.2 to 2"], ["exact"]]
    answered = tables.answers(found).data
    assert [f"{symbol} 1 " in answered for symbol in "✓≈✗"] == [True] * 3
    assert "- {doc}`The likelihood of the data falls as β grows <theory>`" in answered


def test_without_a_build_there_are_no_verdicts(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "EXECUTED", tmp_path / "executed")
    result = CliRunner().invoke(cli.main, ["claims"])
    assert result.exit_code == 2
    assert result.stderr == "betavae: no verdicts yet; `make book` computes them\n"
