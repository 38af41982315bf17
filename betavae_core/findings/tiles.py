"""The deep test of the theorem on the best β: where trained networks have their least TIE, between points of the grid.

In experiments of tiles the pixels follow the analytical model with noise ν in all directions, so theory gives the best
β as a multiple of ν before any network is trained: 1 if AᵀA is diagonal, more if not. With b = β/ν its TIE is

    TIE(b) = const − (k/2) log b − Σ_i ρ_i √((λ_i − b)(λ_i − 1)),   b < λ_k,

a logarithm and smooth functions of b. So {1, log b, b, b²} is fitted by least squares to a network's TIE over `NEAR`,
where theory has every latent in use. Verdicts rest on its slope at b = 1, which by the theorem is 0 if and only if AᵀA
is diagonal, else below 0, and is linear in TIE, so that its mean over realizations has no bias. The best b is where
the mean of these slopes is zero. Four functions do not follow the theory's curve exactly: the same fit to that curve
says by what factor its best b is off, and the networks' is corrected by it.
"""

from typing import NamedTuple

import numpy as np
import xarray as xr

from betavae_core.findings import optima, verdicts
from betavae_core.findings.claims import Verdict
from betavae_core.findings.judging import rules
from betavae_core.findings.optima import Estimate
from betavae_core.images import experiments
from betavae_core.theory import linear

NAMES = ("tiles", "tiles-diagonal", "tiles-4")
NEAR = (0.55, 1.7)  # multiples of ν to which curves are fitted; λ_k/σ² is 1.95 or more in each experiment
COEFFICIENTS = 4


class Reading(NamedTuple):
    """What a fitted curve says.

    best : b = β/ν of its lowest point; NaN if that is an end of the range
    slope : dTIE/d log b at b = 1, nats
    """

    best: float
    slope: float


class Optimum(NamedTuple):
    """The best β of an experiment's networks in units of ν, and the slope of TIE at β = ν, beside the theory's.

    count : realizations with enough settled networks; theory : exact
    best : where the mean slope is zero, corrected; slope : mean slope at ν; both with a 95 % interval
    """

    count: int
    theory: Reading
    best: Estimate
    slope: Estimate


def theory(experiment: str, ratios) -> xr.Dataset:
    """Terms of the analytical model of an experiment at multiples of ν: σ_x = σ. See `linear.sweep`."""
    process = experiments.experiment(experiment).process
    return linear.sweep(process, ratios, decoder_variance=process.noise_std**2)


def best(experiment: str) -> float:
    """The best β of the theory, in units of ν."""
    process = experiments.experiment(experiment).process
    return linear.optimal_beta(process, process.noise_std**2)


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
    """Which networks, β in units of ν, use the latents that the theory uses, and so count: β × realization.

    A latent that is not switched on yet leaves C short of the theory's by that latent's share, ½ log(λ_m/β), of which
    a network may miss half. TIE decides nothing here.
    """
    process = experiments.experiment(found.experiment).process
    values = np.linalg.eigvalsh(process.covariance) / process.noise_std**2
    shares = np.maximum(0.5 * np.log(values / found.beta.values[:, None]), 0)
    weakest = np.where(shares > 0, shares, np.inf).min(1, keepdims=True)
    close = np.abs(found.kl_prior.transpose("beta", ...).values - shares.sum(1, keepdims=True)) < 0.5 * weakest
    return xr.DataArray(close & np.isfinite(found.tie.transpose("beta", ...).values), found.tie.coords, found.tie.dims)


def fit(ratios, values, use=None) -> np.ndarray:
    """Coefficients of a curve near its optimum; NaN where fewer than twice as many points count as are fitted."""
    near = (ratios >= NEAR[0]) & (ratios <= NEAR[1]) & (True if use is None else use)
    if near.sum() < 2 * COEFFICIENTS:
        return np.full(COEFFICIENTS, np.nan)
    return np.linalg.lstsq(_basis(ratios[near]), values[near], rcond=None)[0]


def _basis(b) -> np.ndarray:
    return np.stack([np.ones_like(b), np.log(b), b, b**2], 1)


def _slopes(b) -> np.ndarray:
    """What coefficients are multiplied with for dTIE/d log b: (..., coefficient)."""
    return np.stack([np.zeros_like(b), np.ones_like(b), b, 2 * b**2], -1)


FINE = np.geomspace(*NEAR, 1001)


def reading(fitted) -> Reading:
    """What the coefficients of a curve say, as `fit` gives them."""
    slopes = _slopes(FINE) @ fitted
    rising = np.flatnonzero((slopes[:-1] < 0) & (slopes[1:] >= 0))
    best = FINE[rising[0] + 1] if len(rising) == 1 else np.nan
    return Reading(float(best), float(_slopes(1.0) @ fitted))


def best_of_mean(fits) -> Estimate:
    """b at which the mean slope of fits (realization, coefficient) is zero.

    The interval holds each b at which Student's test lets that mean be zero, as Fieller's does for a ratio; 0 and ∞
    where the interval leaves `NEAR`; NaN if the mean slope is nowhere zero while it rises.
    """
    slopes = fits @ _slopes(FINE).T  # (realization, b)
    middle = slopes.mean(0)
    reach = np.inf
    if len(fits) > 1:
        reach = optima.student(len(fits)) * slopes.std(0, ddof=1) / len(fits) ** 0.5
    crossing = np.flatnonzero((middle[:-1] < 0) & (middle[1:] >= 0))
    best = FINE[crossing[0] + 1] if len(crossing) else np.nan
    low = FINE[(middle + reach < 0) & ~(FINE >= best)].max(initial=0.0)  # all of them if there is no best
    high = FINE[(middle - reach > 0) & ~(FINE <= best)].min(initial=np.inf)
    return Estimate(float(best), float(low), float(high))


def fits(stored: xr.Dataset) -> xr.DataArray:
    """Coefficients of each realization's settled networks, realization × number."""
    found = in_units_of_noise(stored)
    networks = (each.transpose("realization", "beta").values for each in (found.tie, settled(found)))
    rows = [fit(found.beta.values, tie, use) for tie, use in zip(*networks, strict=True)]
    return xr.DataArray(rows, {"realization": found.realization.values}, ("realization", "number"))


def slopes(stored: xr.Dataset) -> xr.DataArray:
    """dTIE/d log β at β = ν of each realization, nats."""
    return fits(stored) @ xr.DataArray(_slopes(1.0), dims="number")


def correction(experiment: str, ratios) -> float:
    """The theory's best b over what the fit reads off the theory's curve at these b."""
    return best(experiment) / reading(fit(ratios, theory(experiment, ratios).tie.values)).best


def optimum(stored: xr.Dataset) -> Optimum:
    """The best β of an experiment's networks beside that of the theory."""
    name, found = stored.experiment, fits(stored).dropna("realization").values
    at_noise = optima.mean(found @ _slopes(1.0))
    factor = correction(name, in_units_of_noise(stored).beta.values)
    where = best_of_mean(found) if len(found) else Estimate(np.nan, 0.0, np.inf)
    return Optimum(len(found), Reading(best(name), slope(name)), Estimate(*(factor * n for n in where)), at_noise)


def difference(stored: xr.Dataset, control: xr.Dataset) -> np.ndarray:
    """Slope at β = ν minus the control's, realization by realization (same digits, same seeds), nats."""
    return (slopes(stored) - slopes(control)).dropna("realization").values


def power(experiment: str, noise: float, count: int, trials: int = 400) -> float:
    """How often the curves of `count` realizations would show a slope below zero at β = ν, by simulation.

    Each trial adds normal noise to the theory's TIE at the grid's β in `NEAR`, independently for each network; the part
    of the trials is returned in which `rules.chance` of the slopes is at most `rules.LEVEL`.

    `noise` : standard deviation of a network's TIE, nats
    """
    ratios = np.array([b for b in experiments.RATIOS if NEAR[0] <= b <= NEAR[1]])
    curve, rng = theory(experiment, ratios).tie.values, np.random.default_rng(0)
    drawn = curve + noise * rng.standard_normal((trials, count, len(ratios)))
    read_off = drawn @ np.linalg.pinv(_basis(ratios)).T @ _slopes(1.0)
    return float((rules.chance(-read_off) <= rules.LEVEL).mean())


def judged(stored: xr.Dataset, controls: dict[str, xr.Dataset]) -> list[Verdict]:
    """On the theorem in networks: slopes of TIE at β = ν, of dependent sources and against each control."""
    what = "−dTIE/d log β"
    asked = {"tiles-slope": (what, slopes(stored).dropna("realization").values)}
    for name, control in controls.items():
        asked[f"tiles-against-{name}"] = f"paired difference of {what}", difference(stored, control)
    return [verdicts.positive(id, what, {"": -values}) for id, (what, values) in asked.items() if len(values)]
