"""Where a curve over β has its optimum, how far it steps, and how sure that is, from realizations.

Realizations share their digits, sources and seeds across β, so that all scatter is taken within them, at every β at
once. Those that lack a β are left out, and from verdicts those with a network that ended far off.
"""

import functools
from typing import NamedTuple

import numpy as np
import scipy.special

DRAWS = 2000
LEVELS = (0.025, 0.975)  # a 95 % interval
LEVEL = 1e-3  # nats; a step that is less than this in most realizations, as after collapse, neither rises nor falls
MIDDLE = (0.1, 0.9)  # quantiles between which the optima of single networks are shown
TRIM = 0.1  # share of the networks at either end that the interval of an optimum leaves out
FAR = 20.0  # a network ends far off if its objective is so many nats, and so many spreads, below the median at its β


class Estimate(NamedTuple):
    """A value with its 95 % interval."""

    value: float
    low: float
    high: float


class Optimum(NamedTuple):
    """Where a curve has its optimum.

    value : the β of the grid with the best mean; lowest : β where the line through trimmed means has it, with its 95 %
    interval low to high; 0 and ∞ if that may be an end of the grid
    """

    value: float
    lowest: float
    low: float
    high: float


def complete(dataset, *names) -> np.ndarray:
    """Values of the realizations that have every β, (name, beta, realization)."""
    values = np.stack([dataset[name].transpose("beta", ...).values for name in names])
    whole = np.isfinite(values).all((0, 1))
    if not whole.any():
        raise ValueError(f"no realization of {', '.join(names)} has every beta")
    return values[..., whole]


def sound(dataset) -> tuple[object, int]:
    """The realizations without a network that ended far off, and how many networks did.

    Far off is an objective more than `FAR` nats below the median at its β, and more than `FAR` times as far as the
    middle network (the median absolute deviation, times 1.4826). Neither sources nor TIE are looked at.
    """
    objective = dataset.objective.transpose("beta", ...)
    below = objective.median("realization") - objective
    off = (below > FAR) & (below > FAR * 1.4826 * abs(below).median("realization"))
    return dataset.isel(realization=np.flatnonzero(~off.any("beta").values)), int(off.sum())


def best(stored, suffix: str = "") -> dict[str, Optimum]:
    """β of the largest mean ELBO and of the least mean MIE and TIE, with intervals; `suffix` for fresh images."""
    return {name: optimum(stored, name + suffix, largest=name == "elbo") for name in ("elbo", "mie", "tie")}


def least_mean(dataset, name: str) -> float:
    """β of the least mean over realizations."""
    return float(dataset.beta[int(dataset[name].mean("realization").argmin("beta"))])


def exact_peak(dataset) -> float:
    """β of the analytical model's largest ELBO: 1 if that is within rounding of it (beyond collapse ELBO is flat)."""
    largest, at_one = float(dataset.elbo.max()), float(dataset.elbo.sel(beta=1.0))
    return 1.0 if largest - at_one <= 1e-12 * max(1, abs(largest)) else float(dataset.beta[dataset.elbo.argmax("beta")])


def optimum(dataset, name: str, largest: bool = False) -> Optimum:
    """Where the mean over realizations is least (or largest); see `interval` for how sure that is."""
    values = complete(dataset, name)[0] * (-1 if largest else 1)  # (beta, realization)
    betas = dataset.beta.values
    found = interval(values[None], np.log(betas))
    return Optimum(float(betas[values.mean(1).argmin()]), *(float(part[0]) for part in np.exp(found)))


def interval(curves, x, draws: int = DRAWS, seed: int = 0) -> np.ndarray:
    """Lowest points of curves (…, beta, realization) over `x` (beta,), with their 95 % intervals: (3, …).

    At each x the mean without the `TRIM` largest and least values, of deviations from each realization's own level,
    has the covariance of the winsorised values and Student's t for its distribution (Tukey and McLaughlin, 1963).
    Drawn from it, each line has the vertex of the parabola through its least point and that point's neighbours as its
    lowest point, ±∞ at an end. The interval is about this line, as drawn through the points; where between two points
    a finer grid would have its optimum, it cannot tell. `calibration` counts how often it holds the truth.
    """
    curves = np.asarray(curves, float)
    level = curves - np.median(curves, -2, keepdims=True)
    count = curves.shape[-1]
    cut = int(TRIM * count)
    kept, rng = count - 2 * cut, np.random.default_rng(seed)
    ordered = np.sort(level, -1)
    middle = ordered[..., cut : count - cut].mean(-1)[..., None]  # (…, beta, 1)
    lowest = _vertex(x, middle)[..., 0]
    if count < 2:
        return np.stack([lowest, np.full_like(lowest, -np.inf), np.full_like(lowest, np.inf)])
    winsorised = np.clip(level, ordered[..., [cut]], ordered[..., [count - 1 - cut]])
    winsorised = winsorised - winsorised.mean(-1, keepdims=True)
    scale = (count / (count - 1)) ** 0.5 / kept * ((kept - 1) / rng.chisquare(kept - 1, draws)) ** 0.5
    drawn = middle + winsorised @ rng.standard_normal((count, draws)) * scale
    low, high = np.quantile(_vertex(x, drawn), LEVELS, axis=-1, method="nearest")
    return np.stack([lowest, low, high])


def _vertex(x, lines) -> np.ndarray:
    """x of the parabola's vertex at the least of lines (…, beta, line), (…, line); ±∞ where that is an end."""
    least = lines.argmin(-2)[..., None, :]
    if len(x) < 3:  # nothing but ends
        return np.where(least[..., 0, :] == 0, -np.inf, np.inf)
    inner = np.clip(least, 1, len(x) - 2)
    before, there, after = (np.take_along_axis(lines, inner + step, -2) for step in (-1, 0, 1))
    a, b, c = (x[inner + step] for step in (-1, 0, 1))
    first, second = (there - before) / (b - a), (after - there) / (c - b)
    with np.errstate(divide="ignore", invalid="ignore"):
        vertex = (a + b) / 2 - first * (c - a) / (2 * (second - first))
    ends = np.where(least == 0, -np.inf, np.where(least == len(x) - 1, np.inf, vertex))
    return np.where(np.isnan(ends), b, ends)[..., 0, :]


def single(dataset, name: str, largest: bool = False) -> Estimate:
    """β of the optimum of single networks: their median, and the middle four fifths."""
    values = complete(dataset, name)[0] * (-1 if largest else 1)
    own = dataset.beta.values[values.argmin(0)]
    return Estimate(*(float(np.quantile(own, level, method="nearest")) for level in (0.5, *MIDDLE)))


def steps(dataset, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Differences between neighbouring β, (step, realization), and the two β of each, (step, 2).

    Steps that are level to `LEVEL` nats in most realizations are left out.
    """
    found, betas = np.diff(complete(dataset, name)[0], axis=0), dataset.beta.values
    kept = np.median(np.abs(found), 1) >= LEVEL
    return found[kept], np.stack([betas[:-1], betas[1:]], 1)[kept]


def mean(values) -> Estimate:
    """Mean of differences (realization,) with Student's 95 % interval; all numbers for fewer than two."""
    values = np.asarray(values, float)
    if len(values) < 2:
        return Estimate(float(values.mean()) if len(values) else np.nan, -np.inf, np.inf)
    reach = student(len(values)) * values.std(ddof=1) / len(values) ** 0.5
    return Estimate(float(values.mean()), float(values.mean() - reach), float(values.mean() + reach))


@functools.cache
def student(count: int) -> float:
    """Student's 97.5 % quantile for a mean of so many."""
    return float(scipy.special.stdtrit(count - 1, LEVELS[1]))
