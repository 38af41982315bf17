"""Optima and steps of made-up curves whose answer is known; intervals against Student's and the delta method."""

import math

import numpy as np
import pytest
import scipy.stats
import xarray as xr

from betavae_core.findings import optima

BETAS = [0.1, 1.0, 10.0, 100.0]


def curves(values, betas=BETAS):
    return xr.Dataset({"tie": (("beta", "realization"), np.array(values, float))}, coords={"beta": betas})


def test_an_optimum_that_all_realizations_share_is_that_of_the_parabola():
    """Vertex through (0, 2), (1, 1), (2, 5) in decades: 1 − ½ (5 − 2)/(2 − 2 + 5) … by numpy's own fit."""
    shared = curves(np.tile([[3.0], [2.0], [1.0], [5.0]], 8))
    a, b, _ = np.polyfit(np.log([1.0, 10.0, 100.0]), [2.0, 1.0, 5.0], 2)
    found = optima.optimum(shared, "tie")
    assert found == pytest.approx((10.0, *[np.exp(-b / (2 * a))] * 3))
    assert optima.optimum(shared, "tie", largest=True) == (100.0, math.inf, math.inf, math.inf)


def test_realizations_that_disagree_widen_the_interval():
    found = optima.optimum(curves([[-3, 3, 3, 3], [1, 1, 1, 1], [3, -3, 3, 3], [6, 6, 6, 6]]), "tie")
    assert (found.value, found.low) == (1.0, 0.0)


def test_single_networks_scatter_more_than_their_mean(rng):
    found = curves((np.log10(BETAS)[:, None] - rng.normal(0.2, 2, 400)) ** 2)
    together = optima.optimum(found, "tie")
    assert together.low < 10**0.2 < together.high < 4
    assert optima.single(found, "tie") == (1.0, 0.1, 100.0)
    own = [0.1] + [1.0] * 9 + [10.0] * 9 + [100.0]  # one in twenty at either end is no part of four fifths
    twenty = curves(np.abs(np.log(BETAS)[:, None] - np.log(own)))
    assert optima.single(twenty, "tie")[1:] == (1.0, 10.0)


def test_one_network_moves_the_mean_and_not_the_interval(rng):
    values = (np.log10(BETAS)[:, None] - 0.2) ** 2 + 0.05 * rng.standard_normal((4, 30))
    values[1, 0] += 100.0
    found = optima.optimum(curves(values), "tie")
    assert found.value == 10.0
    assert 1 < found.low < 10**0.2 < found.high < 2


@pytest.mark.parametrize("count", [4, 9])
def test_the_interval_has_the_covariance_of_the_winsorised_values(rng, count):
    """Three points and a parabola: the delta method on ordinary means, of so few that none is cut."""
    x, slope = np.array([-1.0, 0.0, 1.0]), np.array([0.3, 0.0, 0.3])
    values = slope[:, None] + 0.01 * rng.standard_normal((3, count))
    values = values - np.median(values, 0)
    lowest, low, high = optima.interval(values, x, draws=20_000)
    a, b, c = values.mean(1)
    gradient = np.array([-(b - c), a - c, b - a]) / (a - 2 * b + c) ** 2  # of (a − c)/(2 (a − 2b + c))
    error = (gradient @ np.cov(values) @ gradient / count) ** 0.5
    assert lowest == pytest.approx((a - c) / (2 * (a - 2 * b + c)))
    assert (high - low) / 2 == pytest.approx(scipy.stats.t.ppf(0.975, count - 1) * error, rel=0.06)


def test_a_realization_that_lacks_a_beta_is_left_out():
    with_gap = curves([[3, 0], [1, np.nan], [2, 2], [4, 4]])
    assert optima.optimum(with_gap, "tie").value == 1.0
    with pytest.raises(ValueError, match="no realization of tie has every beta"):
        optima.optimum(curves([[np.nan]] * 4), "tie")


def test_steps_have_their_two_beta_and_level_ones_are_left_out():
    steps, edges = optima.steps(curves([[9, 9, 9], [7, 7.5, 7], [7, 7.5005, 9], [1, 1, 1]]), "tie")
    assert steps.tolist() == [[-2, -1.5, -2], [-6, pytest.approx(-6.5005), -8]]
    assert edges.tolist() == [[0.1, 1], [10, 100]]
    either_way = optima.steps(curves([[1, 1, 1, 1], [2, 0, 2, 0]], [1.0, 2.0]), "tie")[0]
    assert either_way.tolist() == [[1, -1, 1, -1]]  # not level: each network steps by a nat


@pytest.mark.parametrize("count", [5, 30])
def test_intervals_of_a_mean_are_students(rng, count):
    values = rng.standard_normal(count)
    expected = scipy.stats.t.interval(0.95, count - 1, values.mean(), values.std(ddof=1) / count**0.5)
    assert optima.mean(values)[1:] == pytest.approx(expected)


def test_a_network_that_ended_far_off_is_found_by_its_objective_alone(rng):
    found = curves(rng.standard_normal((4, 30)))
    found["objective"] = found.tie * 0 + rng.standard_normal((4, 30))
    kept, off = optima.sound(found)
    assert (off, kept.sizes["realization"]) == (0, 30)
    found.objective[2, 7] = -100.0
    found.tie[1, 3] = 1e6
    kept, off = optima.sound(found)
    assert (off, kept.sizes["realization"], float(kept.tie.max())) == (1, 29, 1e6)
    few = found.isel(beta=[0], realization=slice(6)).copy(deep=True)
    few.objective[0] = [0.0, 1.0, -1.0, 1.1, -1.1, -25.0]
    assert optima.sound(few)[1] == 0  # 24.5 nats below the median, where 20 spreads are 31
    found["objective"] = 100 * found.objective  # all scatter as widely
    assert optima.sound(found.isel(realization=slice(8, None)))[1] == 0


def test_one_realization_has_no_scatter_to_tell():
    assert optima.mean([3.0]) == (3.0, -math.inf, math.inf)
    found = optima.optimum(curves([[3], [1], [2], [4]]), "tie")
    assert (found.value, found.low, found.high) == (1.0, 0.0, math.inf)


def test_two_beta_have_ends_alone():
    assert optima.optimum(curves([[1, 1], [2, 2]], [0.1, 1.0]), "tie") == (0.1, 0.0, 0.0, 0.0)
    assert optima.optimum(curves([[1, 1]], [1.0]), "tie").value == 1.0
