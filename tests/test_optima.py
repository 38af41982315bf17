"""Optima and rises of made-up curves whose answer is known; intervals against SciPy's bootstrap."""

import numpy as np
import pytest
import scipy.stats
import xarray as xr

from betavae_core.findings import optima

BETAS = [0.1, 1.0, 10.0, 100.0]


def curves(values):
    return xr.Dataset({"tie": (("beta", "realization"), np.array(values, float))}, coords={"beta": BETAS})


def test_an_optimum_that_all_realizations_share_is_certain():
    found = optima.optimum(curves([[3, 4], [2, 3], [1, 2], [5, 5]]), "tie")
    assert found == (10.0, 10.0, 10.0)
    assert optima.optimum(curves([[3, 4], [2, 3], [1, 2], [5, 5]]), "tie", largest=True).value == 100.0


def test_realizations_that_disagree_widen_the_interval():
    found = optima.optimum(curves([[-3, 3, 3, 3], [1, 1, 1, 1], [3, -3, 3, 3], [6, 6, 6, 6]]), "tie")
    assert found.value == 1.0
    assert (found.low, found.high) == (0.1, 10.0)


def test_a_realization_that_lacks_a_beta_is_left_out():
    with_gap = curves([[3, 0], [1, np.nan], [2, 2], [4, 4]])
    assert optima.optimum(with_gap, "tie").value == 1.0
    with pytest.raises(ValueError, match="no realization of tie has every beta"):
        optima.optimum(curves([[np.nan]] * 4), "tie")


def test_the_largest_rise_is_found_between_its_neighbours():
    rise = optima.largest_rise(curves([[9, 9], [7, 7], [7.5, 7.5], [1, 1]]), "tie")
    assert rise == (0.5, 0.5, 0.5, 1.0, 10.0)
    assert optima.largest_rise(curves([[9, 9], [7, 7], [5, 5], [1, 1]]), "tie").value == -2.0


def test_intervals_agree_with_scipy(rng):
    values = rng.standard_normal(30)
    found = optima.mean(values)
    expected = scipy.stats.bootstrap((values,), np.mean, method="percentile", n_resamples=20_000, rng=rng)
    assert found.value == pytest.approx(values.mean())
    assert found[1:] == pytest.approx(expected.confidence_interval, abs=0.03)  # two thousand draws
