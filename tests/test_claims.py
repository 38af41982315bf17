"""Verdicts and what they tell, the ledger's entries, and its way through files and the terminal."""

import json
import re

import numpy as np
import pytest
import xarray as xr
from click.testing import CliRunner

from betavae_core import paths
from betavae_core.findings import claims, verdicts
from betavae_core.findings.judging import ledger
from betavae_core.showing import tables
from betavae_workshop import cli
from betavae_workshop.building import execution, processes

BETAS = [0.2, 0.5, 1.0, 2.0, 5.0]


def stored(curve, rng, count=20, far=0):
    """Networks about a curve of TIE over BETAS; `far` of them end far off, and with a TIE that decides otherwise."""
    ties = np.array(curve, float)[:, None] + 0.1 * rng.standard_normal((5, count))
    objective = rng.standard_normal((5, count))
    objective[2, :far], ties[2, :far] = -1000.0, 500.0
    dims = ("beta", "realization")
    return xr.Dataset({"tie": (dims, ties), "objective": (dims, objective)}, {"beta": BETAS})


@pytest.mark.parametrize(
    ("curve", "verdict", "interval"),
    [
        ([3, 1, 0, 1.2, 3], "held", "0.9"),
        ([3, 2, 1, 1, 1], "undecided", ""),
        ([4, 3, 2, 1, 0], "refuted", "∞"),
    ],
)
def test_an_optimum_near_a_beta(rng, curve, verdict, interval):
    found = verdicts.near("mixing-elbo-peak", stored(curve, rng), "tie", 1.0)
    assert found.verdict == verdict
    assert interval in found.interval
    assert found.estimate.endswith("n = 20")
    upside = verdicts.near("mixing-elbo-peak", stored(-np.array(curve), rng), "tie", 1.0, largest=True)
    assert upside.verdict == verdict
    if interval:
        assert f"median at β = {BETAS[int(np.argmin(curve))]:g};" in upside.estimate


@pytest.mark.parametrize("best", [0.5, 2.0])
def test_the_neighbours_on_the_grid_count_as_near(rng, best):
    curve = 3 * np.abs(np.log2(BETAS) - np.log2(best))
    assert verdicts.near("mixing-elbo-peak", stored(curve, rng), "tie", 1.0).verdict == "held"


def test_an_optimum_inside(rng):
    found = verdicts.interior("mixing-tie-optimum", stored([3, 1, 0, 1, 3], rng), "tie", " (as foreseen)")
    assert (found.verdict, found.word) == ("held", "held")
    assert found.estimate == "mean at β = 1, median at β = 1 (as foreseen); n = 20"
    assert verdicts.interior("mixing-tie-optimum", stored([4, 3, 2, 1, 0], rng), "tie").verdict == "refuted"


def test_a_curve_that_falls_tells_the_step_that_speaks_most_against_it(rng):
    found = verdicts.falls("mixing-r-falls", stored([9, 7, 6.5, 3, 0], rng), "tie")
    assert found.verdict == "held"
    assert "most doubtful step, β 0.5 to 1: mean −0.4" in found.estimate
    assert verdicts.falls("mixing-r-falls", stored([9, 7, 7.5, 3, 0], rng), "tie").verdict == "refuted"
    wide = stored([9, 8.9, 8, 7, 6], rng)
    wide["tie"] = 0 * wide.tie + xr.DataArray([9, 8.9, 8, 7, 6], {"beta": BETAS})
    wide.tie[:] += 0.001 * rng.standard_normal((5, 20))
    wide.tie[4] += np.resize([5, -5], 20)  # the steepest step of all in the mean, and not sure
    assert "step, β 2 to 5:" in verdicts.falls("mixing-r-falls", wide, "tie").estimate
    level = verdicts.falls("mixing-r-falls", stored([1, 1, 1, 1, 1], rng).map(lambda v: 0 * v), "tie")
    assert (level.verdict, level.interval) == ("undecided", "–")


def test_networks_far_off_are_left_out_and_told(rng):
    found = verdicts.falls("mixing-r-falls", stored([9, 7, 5, 3, 0], rng, far=2), "tie")
    assert found.verdict == "held"
    assert found.estimate.endswith(
        "n = 18, without the 2 networks that ended far off (with them the verdict is undecided)"
    )


@pytest.mark.parametrize(
    ("gains", "verdict"), [((1, 1), "held"), ((1, 0), "undecided"), ((1, -1), "undecided"), ((-1, -1), "refuted")]
)
def test_whether_differences_are_positive(rng, gains, verdict):
    named = {f"gain {i}": gain + 0.1 * rng.standard_normal(9) for i, gain in enumerate(gains)}
    found = verdicts.positive("mixing-factorised", "of", named)
    assert found.verdict == verdict
    assert found.estimate.endswith("n = 9")
    assert len(re.findall("median", found.estimate)) == 2
    few = {name: gain[:4] for name, gain in named.items()}
    assert verdicts.positive("mixing-factorised", "of", few).verdict == "undecided"


@pytest.mark.parametrize(
    ("angles", "verdict"),
    [
        ({1.0: [88, 85, 89, 87, 90], 2.0: [86, 85, 89, 80, 90]}, "held"),
        ({1.0: [88, 85, 89, 87, 90], 2.0: [46, 20, 60, 45, 50]}, "undecided"),
        ({1.0: [88, 85, 89, 87, 90], 2.0: [4, 2, 6, 4, 5]}, "refuted"),
        ({1.0: [75.0]}, "undecided"),  # one angle of 75° is no news
        ({1.0: [2.5], **{float(beta): [60.0] for beta in range(2, 7)}}, "undecided"),  # nor is 2.5° among six
        ({}, "undecided"),
    ],
)
def test_whether_axes_are_orthogonal_beyond_chance(angles, verdict):
    assert verdicts.beyond_chance("localisation-axes", angles).verdict == verdict


def test_chance_is_that_of_random_directions_in_a_plane(rng):
    """Angles of Gaussian vectors, and the exact distribution of one and of two uniform angles."""
    vectors = rng.standard_normal((2, 20_000, 2))
    cosines = np.abs((vectors[0] * vectors[1]).sum(1)) / np.linalg.norm(vectors, axis=2).prod(0)
    angles = np.degrees(np.arccos(cosines))
    found = verdicts.chances({1.0: [60.0], 2.0: [60.0, 60.0]})
    assert verdicts.chances({1.0: [90.0] * 9})[1.0] == 1 / 20_001  # as rare as draws can tell, and not 0
    assert found[1.0] == pytest.approx((angles >= 60).mean(), abs=0.02) == pytest.approx(1 / 3, abs=0.02)
    assert found[2.0] == pytest.approx(0.5 * (2 * 30 / 90) ** 2, abs=0.02)  # the corner of a square


def test_a_true_chance_passes_in_one_of_twenty():
    """Angles that are chance at one β, and surely orthogonal at another: the border of the claim."""
    rng, found = np.random.default_rng(1), []
    for _ in range(200):
        angles = {1.0: rng.uniform(0, 90, 5), 2.0: rng.uniform(85, 90, 5)}
        found.append(verdicts.beyond_chance("localisation-axes", angles).verdict)
    assert found.count("held") / 200 == pytest.approx(0.05, abs=0.035)
    assert found.count("refuted") / 200 < 0.06


@pytest.mark.parametrize(
    ("correlations", "control", "verdict"),
    [
        ([0.5, 0.001], [1e-16, 0.0], "held"),
        ([0.5, 1e-9], [1e-16, 0.0], "refuted"),
        ([0.5, 0.5], [1e-16, 0.01], "refuted"),  # a control that is dependent shows nothing
    ],
)
def test_whether_sources_are_dependent(correlations, control, verdict):
    found = verdicts.dependent("dependent", correlations, control)
    assert found.verdict == verdict
    assert f"above 0.05 in {50 * sum(np.greater(correlations, 0.05)):.0f} %" in found.estimate


def test_multiplicity_counts_what_is_random():
    exact = verdicts.exact("elbo-peak", "1", True)
    random = claims.Verdict("mixing-elbo-peak", "1", "0.5 to 2", "held")
    count, expected, most = verdicts.multiplicity([exact, *[random] * 40])
    assert (count, expected, most) == (40, 2.0, 4.0)
    assert verdicts.multiplicity([random] * 20)[1:] == (1.0, 3.0)  # 2 or fewer in 92 of a hundred books, 3 in 98


def test_what_rounds_to_zero_has_no_minus_and_what_rounds_up_no_digit_more():
    assert [verdicts.written(value, "+.3f") for value in (-0.0004, -0.0, -0.0006)] == ["+0.000", "+0.000", "−0.001"]
    values = {0.9996: "1.00", 9.996: "10.0", 99.96: "100", 999.6: "1000", 0.0009996: "0.00100", 0.9994: "0.999"}
    assert [tables.significant(value) for value in values] == [*values.values()]
    assert tables.significant(float("nan")) == "–"


def test_verdicts_travel_through_the_build(tmp_path, monkeypatch):
    found = [verdicts.exact("elbo-peak", "−1", True), verdicts.exact("likelihood-falls", "+1", False)]
    shown = {"elbo-peak": "p3", "likelihood-falls": "p-mie"}
    claims.record("mixing", found, shown)  # outside a build: nothing
    (tmp_path / "executed" / "book").mkdir(parents=True)
    monkeypatch.setenv("BETAVAE_STAGE", str(tmp_path / "executed"))
    claims.record("mixing", found, shown)
    assert claims.load(["mixing"], tmp_path / "executed") == []  # the chapter may still fail
    monkeypatch.setattr(paths, "BUILD", tmp_path)
    execution.keep(processes.Job("mixing", {}, "digest"), {}, 1.0, tmp_path / "executed")
    assert json.loads((tmp_path / "executed/book/mixing.claims.json").read_text())[0]["verdict"] == "held"
    loaded = claims.load(["theory", "mixing"], tmp_path / "executed")
    assert [(v.id, v.evidence, v.target, v.word) for v in loaded] == [
        ("elbo-peak", "mixing", "p3", "held"),
        ("likelihood-falls", "mixing", "p-mie", "no"),
    ]
    monkeypatch.setattr(paths, "EXECUTED", tmp_path / "executed")
    result = CliRunner().invoke(cli.main, ["claims"])
    assert result.exit_code == 0
    assert "question" in result.stdout


@pytest.mark.parametrize("now", ["elbo-peek", "estimates"])
def test_verdicts_of_another_version_of_the_ledger_get_one_line(now, tmp_path, monkeypatch):
    """An entry, or a field, has another name since."""
    monkeypatch.setenv("BETAVAE_STAGE", str(tmp_path))
    (tmp_path / "book").mkdir()
    claims.record("theory", [verdicts.exact("elbo-peak", "−1", True)], {"elbo-peak": "p3"})
    file = claims.pending("theory", tmp_path).rename(claims.file("theory", tmp_path))
    file.write_text(file.read_text().replace({"elbo-peek": "elbo-peak", "estimates": "estimate"}[now], now))
    monkeypatch.setattr(paths, "EXECUTED", tmp_path)
    result = CliRunner().invoke(cli.main, ["claims"])
    line = "betavae: the verdicts are of another version of the ledger; `make book` judges anew\n"
    assert (result.exit_code, result.stdout, result.stderr) == (2, "", line)


def test_an_entry_that_is_not_there_and_a_verdict_without_target_are_refused():
    with pytest.raises(ValueError, match="no entry 'elbo-peek' in the ledger"):
        claims.Verdict("elbo-peek", "1", "exact", "held")
    with pytest.raises(ValueError, match="each verdict needs a target, and each target a verdict: c-falls, r-falls"):
        claims.record("theory", [verdicts.exact("r-falls", "0", True)], {"c-falls": "p2"})


def test_entries_are_told_in_kebab_case_and_headlines_are_of_one_kind():
    assert all(re.fullmatch(r"[a-z]+(-[a-z]+)*", id) for id in ledger.ENTRIES)
    assert {entry.kind for entry in ledger.ENTRIES.values()} == set(ledger.KINDS)
    for ids in ledger.HEADLINES.values():
        assert len({ledger.ENTRIES[id].kind for id in ids}) == 1
    for entry in ledger.ENTRIES.values():
        assert entry.text.endswith("?") == (entry.kind == ledger.QUESTION)
        assert entry.place


@pytest.mark.parametrize(
    ("behind", "decides"),
    [
        (("held", "held", "held"), "held"),
        (("held", "undecided", "held"), "undecided"),
        (("held", "undecided", "refuted"), "refuted"),
    ],
)
def test_the_weakest_verdict_behind_a_headline_decides(behind, decides):
    headline = "The error of inference is least at a finite β"
    ids = ledger.HEADLINES[headline]
    found = [claims.Verdict(id, "1", "0 to 2", verdict) for id, verdict in zip(ids, behind, strict=True)]
    found.append(verdicts.exact("likelihood-falls", "1", False))
    told = claims.headlines(found, ledger.CLAIM)
    assert {text: v.verdict for text, v in told.items()} == {headline: decides}
    assert len(claims.headlines(found, ledger.QUESTION)) == 1


def test_answers_that_disagree_leave_a_question_undecided():
    answers = {"mixing-mig": "undecided", "localisation-mig": "refuted"}
    found = [claims.Verdict(id, "1", "0 to 2", verdict) for id, verdict in answers.items()]
    assert [v.word for v in claims.headlines(found, ledger.QUESTION).values()] == ["undecided"]
    assert [v.word for v in claims.headlines(found[1:], ledger.QUESTION).values()] == ["no"]


def test_answers_of_which_none_is_undecided_are_as_the_worst():
    both = [claims.Verdict(f"mixing-{score}", "", "", v) for score, v in (("mig", "held"), ("sap", "refuted"))]
    assert [v.word for v in claims.headlines(both, ledger.QUESTION).values()] == ["no"]


def test_the_ledger_has_symbols_words_and_links():
    found = [
        claims.Verdict("mixing-elbo-peak", "0", "0.9 to 1.1", "held", "mixing", "fig-mixing"),
        claims.Verdict("elbo-peak", "1", "exact", "undecided", "theory", "p3"),
        claims.Verdict("likelihood-falls", "1", "exact", "refuted", "analytical"),
    ]
    shown = {kind: tables.ledger(found, kind, "The ledger.", f"tab-{kind}").data for kind in ledger.KINDS}
    rows = [line.split(" | ") for text in shown.values() for line in text.splitlines() if line.startswith("| [")]
    assert [row[0] for row in rows] == [
        "| [✓ held]{.verdict .held}",
        "| [? undecided]{.verdict .undecided}",
        "| [✗ no]{.verdict .refuted}",
    ]
    links = [
        "{doc}`mixing <mixing>` {numref}`fig-mixing`",
        "{doc}`theory <theory>` {prf:ref}`p3`",
        "{doc}`analytical <analytical>`",
    ]
    assert [row[-1].rstrip(" |") for row in rows] == links
    places = [re.findall(r"\[([^]]*)\]\{.place", row[2]) for row in rows]
    assert places == [["95 %: 0.9 to 1.1"], ["exact"], ["exact"]]
    assert "none stored" in shown[ledger.RESULT]
    answered = tables.answers(found).data
    assert "**Claims of the thesis** [✓ 1 held]{.verdict .held} [? 1 undecided]{.verdict .undecided}" in answered
    assert "[✗ no]{.verdict .refuted} {doc}`Does the likelihood fall at each step of β? <analytical>`" in answered


def test_without_a_build_there_are_no_verdicts(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "EXECUTED", tmp_path / "executed")
    result = CliRunner().invoke(cli.main, ["claims"])
    assert result.exit_code == 2
    assert result.stderr == "betavae: no verdicts yet; `make book` computes them\n"
