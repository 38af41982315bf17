"""Optima and rises of made-up curves whose answer is known; intervals against Student's and by simulation."""

import math

import numpy as np
import pytest
import scipy.stats
import xarray as xr

from betavae_core.findings import coverage, optima
from betavae_core.results import sweep

BETAS = [0.1, 1.0, 10.0, 100.0]


def curves(values, betas=BETAS):
    return xr.Dataset({"tie": (("beta", "realization"), np.array(values, float))}, coords={"beta": betas})


def test_an_optimum_that_all_realizations_share_is_known_to_its_neighbours():
    shared = curves(np.tile([[3, 4], [2, 3], [1, 2], [5, 5]], 4))
    assert optima.optimum(shared, "tie") == (10.0, 1.0, 100.0)
    assert optima.optimum(shared, "tie", largest=True) == (100.0, 10.0, math.inf)
    assert optima.single(shared, "tie") == (10.0, 10.0, 10.0)


def test_realizations_that_disagree_widen_the_interval():
    found = optima.optimum(curves([[-3, 3, 3, 3], [1, 1, 1, 1], [3, -3, 3, 3], [6, 6, 6, 6]]), "tie")
    assert found == (1.0, 0.0, 100.0)


def test_single_networks_scatter_more_than_their_mean(rng):
    found = curves((np.log10(BETAS)[:, None] - rng.normal(0.2, 2, 400)) ** 2)
    assert optima.optimum(found, "tie") == (1.0, 0.1, 10.0)
    assert optima.single(found, "tie") == (1.0, 0.1, 100.0)


def test_a_realization_that_lacks_a_beta_is_left_out():
    with_gap = curves([[3, 0], [1, np.nan], [2, 2], [4, 4]])
    assert optima.optimum(with_gap, "tie").value == 1.0
    with pytest.raises(ValueError, match="no realization of tie has every beta"):
        optima.optimum(curves([[np.nan]] * 4), "tie")


def test_the_largest_rise_is_found_between_its_neighbours():
    rise = optima.largest_rise(curves([[9, 9], [7, 7], [7.5, 7.5], [1, 1]]), "tie")
    assert rise == (0.5, 0.5, 0.5, 1.0, 10.0)
    assert optima.largest_rise(curves([[9, 9], [7, 7], [5, 5], [1, 1]]), "tie").value == -2.0


def test_the_largest_rise_is_looked_for_anew_in_each_resample(rng):
    """Twenty level steps: which is largest is chance, so the interval lies above that of a step named in advance."""
    steps = rng.standard_normal((20, 30))
    many = curves(np.concatenate([np.zeros((1, 30)), steps.cumsum(0)]), np.geomspace(0.1, 100, 21))
    rise = optima.largest_rise(many, "tie")
    named = optima.mean(steps[steps.mean(1).argmax()])
    assert rise.value == pytest.approx(named.value)
    assert rise.low > named.low + 0.1
    assert rise.high >= named.high


@pytest.mark.parametrize("count", [5, 30])
def test_intervals_of_a_mean_are_students(rng, count):
    values = rng.standard_normal(count)
    expected = scipy.stats.t.interval(0.95, count - 1, values.mean(), values.std(ddof=1) / count**0.5)
    assert optima.mean(values)[1:] == pytest.approx(expected, abs=0.15 * (expected[1] - expected[0]))


def test_intervals_of_five_hold_the_mean_as_often_as_they_say(rng):
    """Without the stretch it is five in six."""
    held = [found.low <= 0 <= found.high for found in (optima.mean(rng.standard_normal(5)) for _ in range(400))]
    assert np.mean(held) == pytest.approx(0.95, abs=0.03)


def test_one_realization_has_no_scatter_to_tell():
    assert optima.mean([3.0]) == (3.0, -math.inf, math.inf)
    assert optima.optimum(curves([[3], [1], [2], [4]]), "tie") == (1.0, 0.0, math.inf)


@pytest.mark.parametrize("count", [5, 30])
def test_intervals_of_optima_hold_the_truth(count):
    stored = sweep.load("localisation")
    assert coverage.coverage(stored, "tie", count, trials=150) >= 0.92


def test_a_resampled_grid_point_alone_does_not(monkeypatch):
    """Without the neighbours' width the interval misses what lies between grid points."""
    whole = optima.reach

    def narrow(values, betas, *rest):
        low, high = whole(values, betas, *rest)
        edges = [0.0, *betas, math.inf]
        return edges[edges.index(low) + 1], edges[edges.index(high) - 1]

    stored = sweep.load("localisation")
    monkeypatch.setattr(optima, "reach", narrow)
    assert coverage.coverage(stored, "tie", 30, trials=100) < 0.7


def test_rows_of_coverage_name_experiment_and_term(monkeypatch):
    monkeypatch.setattr(coverage, "TRIALS", 5)
    rows = coverage.rows({"localisation": sweep.load("localisation")}, [5, 30])
    assert [row[:2] for row in rows] == [["localisation", term] for term in ("ELBO", "MIE", "TIE")]
    assert all(len(row) == 4 for row in rows)
