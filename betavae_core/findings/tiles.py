"""The deep test of the theorem on the best β: where trained networks have their least TIE, between points of the grid.

In experiments of tiles the pixels follow the analytical model with noise ν in all directions, so theory gives the best
β as a multiple of ν before any network is trained: 1 if AᵀA is diagonal, more if not. With b = β/ν its TIE is

    TIE(b) = const − (k/2) log b − Σ_i ρ_i √((λ_i − b)(λ_i − 1)),   b < λ_k,

a logarithm and smooth functions of b. So {1, log b, b, b²} is fitted by least squares to a network's TIE over `NEAR`,
where theory has every latent in use. Two numbers are read off it: the best b, and the slope at b = 1, which by the
theorem is 0 if and only if AᵀA is diagonal, else below 0. The same fit to the theory's curve shows what it is off by.
A network that has not switched on the latents that theory uses, which C tells without a look at TIE, does not count.
"""

import functools
from typing import NamedTuple

import numpy as np
import scipy.stats
import xarray as xr

from betavae_core.findings import verdicts
from betavae_core.findings.claims import Verdict
from betavae_core.findings.optima import LEVELS, Estimate
from betavae_core.images import experiments
from betavae_core.theory import linear
from betavae_core.theory.gaussian import LinearGaussian

NAMES = ("tiles", "tiles-diagonal", "tiles-4")
NEAR = (0.55, 1.7)  # multiples of ν to which curves are fitted; λ_k/σ² is 1.95 or more in each experiment
COEFFICIENTS = 4


class Reading(NamedTuple):
    """What a fitted curve says.

    best : b = β/ν of its lowest point; NaN if that is an end of the range
    slope : dTIE/d log b at b = 1, nats
    residual : standard deviation of the points about the curve, nats
    """

    best: float
    slope: float
    residual: float


class Optimum(NamedTuple):
    """The best β of an experiment's networks in units of ν, and the slope of TIE at β = ν, beside the theory's.

    count : realizations with enough settled networks; found : those of them with a best β
    theory : exact; fitted : by the fit to the theory's curve
    best : geometric mean of realizations' own optima; slope : mean of their slopes; both with Student's 95 % interval
    noise : standard deviation of a network's TIE about its realization's curve, nats
    """

    count: int
    found: int
    theory: Reading
    fitted: Reading
    best: Estimate
    slope: Estimate
    noise: float


def theory(experiment: str, ratios) -> xr.Dataset:
    """Terms of the analytical model of an experiment at multiples of ν; see `linear.sweep`."""
    record = experiments.experiment(experiment)
    return linear.sweep(LinearGaussian(record.mixing, record.noise_std), ratios)


def best(experiment: str) -> float:
    """The best β of the theory, in units of ν."""
    record = experiments.experiment(experiment)
    return linear.optimal_beta(LinearGaussian(record.mixing, record.noise_std))


def slope(experiment: str) -> float:
    """dTIE/d log β of the theory at β = ν, nats: −½ Σ (1 − ρ_i), by central difference."""
    step = 1e-4
    below, above = theory(experiment, np.exp([-step, step])).tie.values
    return float(above - below) / (2 * step)


def code_noise(experiment: str) -> float:
    """ν of an experiment of tiles; see `experiments.code_noise`."""
    record = experiments.experiment(experiment)
    return experiments.code_noise(record.mixing, record.noise_std)


def in_units_of_noise(stored: xr.Dataset) -> xr.Dataset:
    """Stored members with β as a multiple of ν."""
    return stored.assign_coords(beta=stored.beta / code_noise(stored.experiment))


def settled(found: xr.Dataset) -> xr.DataArray:
    """Which networks, β in units of ν, use the latents that the theory uses: β × realization.

    A latent that is not switched on yet leaves C short of the theory's by that latent's share, ½ log(λ_m/β), of which
    a network may miss half. TIE decides nothing here.
    """
    record = experiments.experiment(found.experiment)
    values = np.linalg.eigvalsh(LinearGaussian(record.mixing, record.noise_std).covariance)
    shares = np.maximum(0.5 * np.log(values / found.beta.values[:, None]), 0)
    weakest = np.where(shares > 0, shares, np.inf).min(1, keepdims=True)
    close = np.abs(found.kl_prior.transpose("beta", ...).values - shares.sum(1, keepdims=True)) < 0.5 * weakest
    return xr.DataArray(close & np.isfinite(found.tie.transpose("beta", ...).values), found.tie.coords, found.tie.dims)


def read(ratios, values, use=None) -> Reading:
    """Fit a curve near its optimum and read it; NaN where fewer than twice as many points count as are fitted."""
    near = (ratios >= NEAR[0]) & (ratios <= NEAR[1]) & (True if use is None else use)
    if near.sum() < 2 * COEFFICIENTS:
        return Reading(np.nan, np.nan, np.nan)
    return Reading(*(float(number[0]) for number in _read(ratios[near], values[near][:, None])))


def _read(b, curves) -> Reading:
    """What fits to many curves over the same b say, (b, curve): each number of `Reading` is an array (curve,)."""
    fit, miss, *_ = np.linalg.lstsq(_basis(b), curves, rcond=None)
    fine = np.linspace(b.min(), b.max(), 2001)
    at = (_basis(fine) @ fit).argmin(0)
    best = np.where((at > 0) & (at < len(fine) - 1), fine[at], np.nan)
    return Reading(best, [0, 1, 1, 2] @ fit, (miss / (len(b) - COEFFICIENTS)) ** 0.5)


def _basis(b) -> np.ndarray:
    return np.stack([np.ones_like(b), np.log(b), b, b**2], 1)


def readings(stored: xr.Dataset) -> xr.Dataset:
    """What the curve of each realization says, of its networks that have settled: `Reading`'s numbers × realization."""
    found = in_units_of_noise(stored)
    use = settled(found)
    read_off = [
        read(found.beta.values, found.tie.sel(realization=r).values, use.sel(realization=r).values)
        for r in found.realization.values
    ]
    columns = {
        name: ("realization", np.array(values)) for name, *values in zip(Reading._fields, *read_off, strict=True)
    }
    return xr.Dataset(columns, {"realization": found.realization.values})


def fitted(stored: xr.Dataset) -> Reading:
    """What the same fit reads off the theory's curve at the stored β."""
    ratios = in_units_of_noise(stored).beta.values
    return read(ratios, theory(stored.experiment, ratios).tie.values)


def optimum(stored: xr.Dataset) -> Optimum:
    """The best β of an experiment's networks beside that of the theory."""
    name, found = stored.experiment, readings(stored)
    bests, slopes, residuals = (found[field].dropna("realization").values for field in Reading._fields)
    noise = float((residuals**2).mean() ** 0.5) if len(residuals) else np.nan
    return Optimum(
        len(slopes),
        len(bests),
        Reading(best(name), slope(name), 0.0),
        fitted(stored),
        Estimate(*np.exp(student(np.log(bests)))),
        Estimate(*student(slopes)),
        noise,
    )


def difference(stored: xr.Dataset, control: xr.Dataset) -> Estimate:
    """Ratio of the best β of two experiments, realization by realization (same digits, same seeds)."""
    pair = np.log(readings(stored).best) - np.log(readings(control).best)
    return Estimate(*np.exp(student(pair.dropna("realization").values)))


def student(values) -> tuple[float, float, float]:
    """Mean and Student's 95 % interval; all numbers for fewer than two."""
    values = np.asarray(values, float)
    if len(values) < 2:
        return (float(values.mean()) if len(values) else np.nan), -np.inf, np.inf
    reach = _quantile(len(values)) * values.std(ddof=1) / len(values) ** 0.5
    return float(values.mean()), float(values.mean() - reach), float(values.mean() + reach)


@functools.cache
def _quantile(count: int) -> float:
    """Student's 97.5 % quantile for a mean of so many."""
    return float(scipy.stats.t.ppf(LEVELS[1], count - 1))


def power(experiment: str, noise: float, count: int, trials: int = 400, seed: int = 0) -> tuple[float, float]:
    """How often the curves of `count` realizations would tell the theory's optimum from ν, by simulation.

    Each trial adds normal noise to the theory's TIE at the grid's β in `NEAR`, independently for each network.

    Parameters
    ----------
    noise : standard deviation of a network's TIE, nats

    Returns
    -------
    by_best, by_slope : parts of the trials in which Student's 95 % interval of the best β excludes ν, or that of the
    slope at ν excludes 0, on the side that the theorem says
    """
    ratios = np.array([b for b in experiments.RATIOS if NEAR[0] <= b <= NEAR[1]])
    curve, rng = theory(experiment, ratios).tie.values, np.random.default_rng(seed)
    drawn = curve + noise * rng.standard_normal((trials * count, len(ratios)))
    bests, slopes = (np.reshape(numbers, (trials, count)) for numbers in _read(ratios, drawn.T)[:2])
    by_best = np.mean([student(np.log(one[np.isfinite(one)]))[1] > 0 for one in bests])
    return float(by_best), float(np.mean([student(one)[2] < 0 for one in slopes]))


def dependence(stores: dict) -> list[Verdict]:
    """On the theorem in deep networks: how much larger the best β is with dependent sources; nothing if not known."""
    ratio = difference(stores["tiles"], stores["tiles-diagonal"])
    if not np.isfinite(ratio.high):
        return []
    gains = {"log β* above the control's": Estimate(*np.log(ratio))}
    claim = "Deep tiles: more conditional dependence, larger best β"
    where = "Abstract" + verdicts.READ
    return [verdicts.positive(claim, where, "tiles", "paired by realization", gains).at("tab-tiles")]
