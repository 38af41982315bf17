"""The deep test of the theorem on the best β: where trained networks have their least TIE, between points of the grid.

In experiments of tiles the pixels follow the analytical model with noise ν in all directions, so theory gives the best
β as a multiple of ν before any network is trained: 1 if AᵀA is diagonal, more if not. The optimum of a network is the
lowest point of a cubic in log(β/ν), fitted by least squares to its TIE on the part of the grid near the prediction,
where it has settled: it uses the latents that the theory uses, which C tells without a look at TIE.
The same is done to the theory's own curve, which shows what the fit is off by.
"""

from typing import NamedTuple

import numpy as np
import scipy.stats
import xarray as xr

from betavae_core.findings.optima import LEVELS, Estimate
from betavae_core.images import experiments
from betavae_core.theory import linear
from betavae_core.theory.gaussian import LinearGaussian

NAMES = ("tiles", "tiles-diagonal", "tiles-4")
NEAR = (0.6, 2.0)  # multiples of ν to which the cubic is fitted
DEGREE = 3
POWER = 0.9  # with which the realizations of `needed` tell an optimum from 1


class Optimum(NamedTuple):
    """The best β of an experiment's networks, in units of ν.

    count : of realizations with an optimum
    theory, fitted : the best β of the theory, exact and by the fit to its curve
    measured : geometric mean of the networks' own optima, with Student's 95 % interval
    scatter : standard deviation of the logarithm of single networks' optima
    needed : realizations that tell `theory` from 1 with probability `POWER`, at this scatter; NaN where theory says 1
    """

    count: int
    theory: float
    fitted: float
    measured: Estimate
    scatter: float
    needed: float


def theory(experiment: str, ratios) -> xr.Dataset:
    """Terms of the analytical model of an experiment at multiples of ν; see `linear.sweep`."""
    record = experiments.experiment(experiment)
    return linear.sweep(LinearGaussian(record.mixing, record.noise_std), ratios)


def best(experiment: str) -> float:
    """The best β of the theory, in units of ν."""
    record = experiments.experiment(experiment)
    return linear.optimal_beta(LinearGaussian(record.mixing, record.noise_std))


def in_units_of_noise(stored: xr.Dataset) -> xr.Dataset:
    """Stored members with β as a multiple of ν."""
    record = experiments.experiment(stored.experiment)
    return stored.assign_coords(beta=stored.beta / experiments.code_noise(record.mixing, record.noise_std))


def settled(stored: xr.Dataset) -> xr.DataArray:
    """Which networks use the latents that the theory uses: β × realization.

    A latent that is not switched on yet leaves C short of the theory's by that latent's share, ½ log(λ_m/β), of which
    a network may miss half. TIE decides nothing here.
    """
    found = in_units_of_noise(stored)
    record = experiments.experiment(stored.experiment)
    values = np.linalg.eigvalsh(LinearGaussian(record.mixing, record.noise_std).covariance)
    shares = np.maximum(0.5 * np.log(values / found.beta.values[:, None]), 0)
    weakest = np.where(shares > 0, shares, np.inf).min(1, keepdims=True)
    close = np.abs(found.kl_prior.transpose("beta", ...).values - shares.sum(1, keepdims=True)) < 0.5 * weakest
    return xr.DataArray(close & np.isfinite(found.tie.transpose("beta", ...).values), found.tie.coords, found.tie.dims)


def lowest(ratios, values, use=None) -> float:
    """Where the cubic in log ratio through a curve near its optimum is least; NaN where it has no minimum there.

    `use` tells which points count; at least twice as many as the cubic has coefficients, else NaN.
    """
    near = (ratios >= NEAR[0]) & (ratios <= NEAR[1]) & (True if use is None else use)
    if near.sum() < 2 * (DEGREE + 1):
        return np.nan
    curve = np.polynomial.Polynomial.fit(np.log(ratios[near]), values[near], DEGREE)
    fine = np.log(np.linspace(ratios[near].min(), ratios[near].max(), 2001))
    at = int(curve(fine).argmin())
    return float(np.exp(fine[at])) if 0 < at < len(fine) - 1 else np.nan


def own_optima(stored: xr.Dataset) -> xr.DataArray:
    """The best β of each realization in units of ν, from its networks that have settled."""
    found, use = in_units_of_noise(stored), settled(stored)
    values = [
        lowest(found.beta.values, found.tie.sel(realization=r).values, use.sel(realization=r).values)
        for r in found.realization.values
    ]
    return xr.DataArray(values, {"realization": found.realization.values}, ("realization",)).dropna("realization")


def optimum(stored: xr.Dataset) -> Optimum:
    """The best β of an experiment's networks beside that of the theory."""
    exact, ratios = best(stored.experiment), in_units_of_noise(stored).beta.values
    fitted = lowest(ratios, theory(stored.experiment, ratios).tie.values)
    logs = np.log(own_optima(stored).values)
    measured = Estimate(*np.exp(student(logs))) if len(logs) else Estimate(np.nan, 0.0, np.inf)
    scatter = float(logs.std(ddof=1)) if len(logs) > 1 else np.nan
    return Optimum(len(logs), exact, fitted, measured, scatter, needed(scatter, np.log(exact)))


def difference(stored: xr.Dataset, control: xr.Dataset) -> Estimate:
    """Ratio of the best β of two experiments, realization by realization (same digits, same seeds)."""
    pair = np.log(own_optima(stored)) - np.log(own_optima(control))
    return Estimate(*np.exp(student(pair.dropna("realization").values)))


def student(values) -> tuple[float, float, float]:
    """Mean and Student's 95 % interval; all numbers for fewer than two."""
    values = np.asarray(values, float)
    if len(values) < 2:
        return (float(values.mean()) if len(values) else np.nan), -np.inf, np.inf
    reach = scipy.stats.t.ppf(LEVELS[1], len(values) - 1) * values.std(ddof=1) / len(values) ** 0.5
    return float(values.mean()), float(values.mean() - reach), float(values.mean() + reach)


def needed(scatter: float, effect: float) -> float:
    """n = ((z₀.₉₇₅ + z_power) scatter/effect)², at least 2: realizations for a two-sided 5 % test, NaN if no effect."""
    if not (np.isfinite(scatter) and abs(effect) > 1e-6):
        return np.nan
    return max(2.0, np.ceil(((scipy.stats.norm.ppf(LEVELS[1]) + scipy.stats.norm.ppf(POWER)) * scatter / effect) ** 2))
