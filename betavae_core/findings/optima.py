"""Where a curve over β has its optimum, whether it rises, and how sure that is: bootstrap over realizations.

A realization is drawn with replacement as a whole, with its values at every β, since realizations share their digits,
sources and seeds across β. Realizations that lack a β are left out. Means of few realizations scatter less in the
bootstrap than in truth; their deviations are stretched by what a normal sample of the same size would need.
"""

import functools
from typing import NamedTuple

import numpy as np
import scipy.stats

DRAWS = 2000
LEVELS = (0.025, 0.975)  # a 95 % interval
MIDDLE = (0.1, 0.9)  # quantiles between which the optima of single networks are shown


class Estimate(NamedTuple):
    """A value with its 95 % interval."""

    value: float
    low: float
    high: float


class Rise(NamedTuple):
    """The largest mean rise from one β to the next, in the curve's unit, and the two β."""

    value: float
    low: float
    high: float
    before: float
    after: float


def complete(dataset, *names) -> np.ndarray:
    """Values of the realizations that have every β, (name, beta, realization)."""
    values = np.stack([dataset[name].transpose("beta", ...).values for name in names])
    whole = np.isfinite(values).all((0, 1))
    if not whole.any():
        raise ValueError(f"no realization of {', '.join(names)} has every beta")
    return values[..., whole]


def best(stored, suffix: str = "") -> dict[str, Estimate]:
    """β of the largest mean ELBO and of the least mean MIE and TIE, with intervals; `suffix` for fresh images."""
    return {name: optimum(stored, name + suffix, largest=name == "elbo") for name in ("elbo", "mie", "tie")}


def least_mean(dataset, name: str) -> float:
    """β of the least mean over realizations."""
    return float(dataset.beta[int(dataset[name].mean("realization").argmin("beta"))])


def largest_median(stored) -> float:
    """β of the largest median ELBO over realizations, which one network does not move."""
    return float(stored.beta[int(stored.elbo.median("realization").argmax("beta"))])


def exact_peak(dataset) -> float:
    """β of the analytical model's largest ELBO: 1 if that is within rounding of it (beyond collapse ELBO is flat)."""
    largest, at_one = float(dataset.elbo.max()), float(dataset.elbo.sel(beta=1.0))
    return 1.0 if largest - at_one <= 1e-12 * max(1, abs(largest)) else float(dataset.beta[dataset.elbo.argmax("beta")])


def optimum(dataset, name: str, largest: bool = False) -> Estimate:
    """β of the least (or largest) mean over realizations, and an interval for where a finer grid would have it.

    A curve that is known at grid points may be least anywhere between the two neighbours of its least point. So the
    interval runs from one point below the 2.5 % quantile of the resampled optima to one above the 97.5 %; 0 and ∞
    stand for what lies beyond the grid. `coverage` counts how often such intervals hold the truth.
    """
    values = complete(dataset, name)[0] * (-1 if largest else 1)  # (beta, realization)
    betas = dataset.beta.values
    return Estimate(float(betas[values.mean(1).argmin()]), *reach(values, betas))


def reach(values, betas, draws: int = DRAWS, seed: int = 0) -> tuple[float, float]:
    """The interval of `optimum` from a curve for each realization, (beta, realization)."""
    if values.shape[1] < 2:
        return 0.0, float("inf")
    low, high = _interval(_resampled_means(values, draws, seed).argmin(0))
    edges = np.concatenate([[0.0], betas, [np.inf]])
    return float(edges[int(low)]), float(edges[int(high) + 2])


def single(dataset, name: str, largest: bool = False) -> Estimate:
    """β of the optimum of single networks: their median, and the middle four fifths."""
    values = complete(dataset, name)[0] * (-1 if largest else 1)
    own = dataset.beta.values[values.argmin(0)]
    return Estimate(*(float(np.quantile(own, level, method="nearest")) for level in (0.5, *MIDDLE)))


def largest_rise(dataset, name: str) -> Rise:
    """The largest mean rise between neighbouring β; negative for a curve that falls everywhere.

    Its interval looks for the largest step anew in each resample, since that it is the largest is chance as well.
    """
    steps = np.diff(complete(dataset, name)[0], axis=0)  # (beta − 1, realization)
    worst = int(steps.mean(1).argmax())
    betas = dataset.beta.values
    interval = _interval(_resampled_means(steps).max(0)) if steps.shape[1] > 1 else (-np.inf, np.inf)
    return Rise(float(steps[worst].mean()), *interval, float(betas[worst]), float(betas[worst + 1]))


def mean(values) -> Estimate:
    """Mean of paired differences (realization,) with its interval."""
    values = np.asarray(values, float)
    if len(values) < 2:
        return Estimate(float(values.mean()), -np.inf, np.inf)
    return Estimate(float(values.mean()), *_interval(_resampled_means(values[None])[0]))


def _resampled_means(values, draws: int = DRAWS, seed: int = 0) -> np.ndarray:
    """(row, draw) means of (row, realization) values over realizations drawn with replacement, stretched."""
    count = values.shape[1]
    chosen = np.random.default_rng(seed).integers(count, size=(draws, count))
    cells = chosen + count * np.arange(draws)[:, None]  # of a table (draw, realization): how often each is drawn
    weights = np.bincount(cells.ravel(), minlength=draws * count).reshape(draws, count).T / count
    centre = values.mean(1, keepdims=True)
    return centre + stretch(count) * ((values - centre) @ weights)


@functools.cache
def stretch(count: int) -> float:
    """√(n/(n − 1)) t/z: how far a bootstrap of n values has to be stretched for its 95 % interval to be Student's.

    >>> [round(stretch(n), 2) for n in (5, 10, 30, 100)]
    [1.58, 1.22, 1.06, 1.02]
    """
    t, z = scipy.stats.t.ppf(LEVELS[1], count - 1), scipy.stats.norm.ppf(LEVELS[1])
    return float((count / (count - 1)) ** 0.5 * t / z)


def _interval(drawn) -> tuple[float, float]:
    low, high = np.quantile(drawn, LEVELS, method="nearest")
    return float(low), float(high)
