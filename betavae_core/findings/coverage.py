"""How often the interval of an optimum holds the truth, by simulation from the scatter of stored networks."""

import numpy as np
from scipy.interpolate import PchipInterpolator

from betavae_core.findings import optima

TRIALS, DRAWS = 400, 400
TERMS = ("elbo", "mie", "tie")
FINE = 4001  # points on which the truth is known


def coverage(dataset, name: str, count: int, largest: bool = False, trials: int | None = None, seed: int = 0) -> float:
    """Share of intervals of `optima.optimum` from `count` realizations that hold the optimum of the true curve.

    The true curve is the stored mean, interpolated over log β and shifted by up to half a grid cell either way, so
    that its optimum is at no grid point in general; a realization is that curve plus the deviation of a stored one.
    """
    rng = np.random.default_rng(seed)
    values = optima.complete(dataset, name)[0] * (-1 if largest else 1)  # (beta, realization)
    mean, betas = values.mean(1), dataset.beta.values
    x, deviations = np.log(betas), values - mean[:, None]
    curve, fine = PchipInterpolator(x, mean), np.linspace(x[0], x[-1], FINE)
    cell, hits = (x[-1] - x[0]) / (len(x) - 1), 0
    trials = trials or TRIALS
    for trial in range(trials):
        shift = cell * rng.uniform(-0.5, 0.5)
        true, at_grid = (curve(np.clip(points - shift, x[0], x[-1])) for points in (fine, x))
        drawn = deviations[:, rng.integers(deviations.shape[1], size=count)]
        low, high = optima.reach(at_grid[:, None] + drawn, betas, DRAWS, trial)
        hits += low <= np.exp(fine[true.argmin()]) <= high
    return hits / trials


def rows(stores: dict, counts) -> list[list[str]]:
    """Rows of a table: for each experiment and term the coverage at each number of realizations, per cent."""
    return [
        [name, term.upper(), *(f"{100 * coverage(stored, term, n, term == 'elbo'):.0f}" for n in counts)]
        for name, stored in stores.items()
        for term in TERMS
    ]
