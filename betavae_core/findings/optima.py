"""Where a curve over β has its optimum, whether it rises, and how sure that is: bootstrap over realizations.

A realization is drawn with replacement as a whole, with its values at every β, since realizations share their digits,
sources and seeds across β. Realizations that lack a β are left out.
"""

from typing import NamedTuple

import numpy as np

DRAWS = 2000
LEVELS = (0.025, 0.975)  # a 95 % interval


class Estimate(NamedTuple):
    """A value with its 95 % bootstrap interval."""

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


def best(stored) -> dict[str, Estimate]:
    """β of the largest mean ELBO and of the least mean MIE and TIE, with intervals."""
    return {name: optimum(stored, name, largest=name == "elbo") for name in ("elbo", "mie", "tie")}


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
    """β of the least (or largest) mean over realizations, on the grid of β, with its interval."""
    values = complete(dataset, name)[0] * (-1 if largest else 1)  # (beta, realization)
    betas = dataset.beta.values
    drawn = betas[_resampled_means(values).argmin(0)]
    return Estimate(float(betas[values.mean(1).argmin()]), *_interval(drawn))


def largest_rise(dataset, name: str) -> Rise:
    """The largest mean rise between neighbouring β; negative for a curve that falls everywhere."""
    steps = np.diff(complete(dataset, name)[0], axis=0)  # (beta − 1, realization)
    worst = int(steps.mean(1).argmax())
    betas = dataset.beta.values
    interval = _interval(_resampled_means(steps[worst : worst + 1])[0])
    return Rise(float(steps[worst].mean()), *interval, float(betas[worst]), float(betas[worst + 1]))


def mean(values) -> Estimate:
    """Mean of paired differences (realization,) with its interval."""
    values = np.asarray(values, float)
    return Estimate(float(values.mean()), *_interval(_resampled_means(values[None])[0]))


def _resampled_means(values) -> np.ndarray:
    """(row, draw) means of (row, realization) values over realizations drawn with replacement."""
    count = values.shape[1]
    chosen = np.random.default_rng(0).integers(count, size=(DRAWS, count))
    return values[:, chosen].mean(-1)


def _interval(drawn) -> tuple[float, float]:
    low, high = np.quantile(drawn, LEVELS, method="nearest")
    return float(low), float(high)
