"""Verdicts at the borders of their rules, and the ledger's way through files and the terminal."""

import json

import pytest
from click.testing import CliRunner

from betavae_core import cli, paths
from betavae_core.findings import claims, verdicts
from betavae_core.findings.optima import Estimate, Rise

PLACE = ("a claim", "Results", "mixing")


@pytest.mark.parametrize(
    ("found", "verdict"),
    [((1, 1, 1), "held"), ((1, 0.5, 2), "held"), ((2, 1, 2), "held within error"), ((5, 2, 10), "not reproduced")],
)
def test_where_a_peak_lies(found, verdict):
    assert verdicts.peak_at(*PLACE, Estimate(*found), 1.0).verdict == verdict


@pytest.mark.parametrize(
    ("found", "verdict"),
    [
        ((5, 2, 10), "held"),
        ((5, 0.1, 10), "held within error"),
        ((0.1, 0.1, 2), "not reproduced"),
        ((100, 5, 100), "not reproduced"),
    ],
)
def test_whether_an_optimum_is_inside(found, verdict):
    assert verdicts.interior(*PLACE, Estimate(*found), [0.1, 1, 100]).verdict == verdict


@pytest.mark.parametrize(
    ("found", "verdict"),
    [((5, 2, 10), "not reproduced"), ((5, 0.1, 10), "held within error"), ((100, 5, 100), "held")],
)
def test_whether_no_optimum_is_inside(found, verdict):
    assert verdicts.interior(*PLACE, Estimate(*found), [0.1, 1, 100], exists=False).verdict == verdict


@pytest.mark.parametrize(
    ("rise", "verdict"),
    [((-1, -2, -0.5), "held"), ((-1, -2, 0.1), "held within error"), ((0.2, 0.1, 0.3), "not reproduced")],
)
def test_whether_a_curve_falls(rise, verdict):
    found = verdicts.falls(*PLACE, Rise(*rise, 1.0, 2.0))
    assert found.verdict == verdict
    assert "(β 1 to 2)" in found.estimate


@pytest.mark.parametrize(
    ("gain", "verdict"),
    [((1, 0.1, 2), "held"), ((1, -0.1, 2), "held within error"), ((-1, -2, 0.5), "not reproduced")],
)
def test_whether_a_difference_is_positive(gain, verdict):
    assert verdicts.positive(*PLACE, "gain", Estimate(*gain)).verdict == verdict


def test_verdicts_travel_through_the_build(tmp_path, monkeypatch):
    found = [verdicts.exact(*PLACE, "−1", True), verdicts.exact(*PLACE, "+1", False)]
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


def test_without_a_build_there_are_no_verdicts(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "EXECUTED", tmp_path / "executed")
    result = CliRunner().invoke(cli.main, ["claims"])
    assert result.exit_code == 2
    assert result.stderr == "betavae: no verdicts yet; `make book` computes them\n"
