"""Networks of tiles that learn their decoder's variance, beside partners whose variance is 1 and beside predictions."""

import json

import numpy as np
import xarray as xr

from betavae_core import paths
from betavae_core.findings import tiles
from betavae_core.images import experiments
from betavae_core.results import sweep
from betavae_core.showing.tiles import SHORTER, between

NAMES = ("tiles", "tiles-diagonal")
HEADER = [
    "experiment (n)",
    "best β: predicted",
    "learned σₓ²",
    "σₓ² = 1, in ν",
    "slope: theory",
    "learned σₓ²",
    "σₓ² = 1",
]


def networks(name: str) -> tuple[xr.Dataset, xr.Dataset]:
    """Networks that learn σ_x², and their partners: the same images and seeds at β ν; β of both as it is for partners.

    A learned σ_x² is ν to a part in a thousand, so that β ν in the one stands for β in the other.
    """
    partners = sweep.load(name, supplement=SHORTER)
    learned = sweep.load(name, supplement=experiments.LEARNED).assign_coords(beta=partners.beta.values)
    return learned, partners


def variance(learned: xr.Dataset) -> xr.DataArray:
    """σ_x² from R = −N/2 (log 2π σ_x² + 1), which holds where σ_x² makes R largest."""
    pixels = experiments.experiment(learned.experiment).pixels
    return np.exp(-2 * learned.reconstruction / pixels - 1) / (2 * np.pi)


def predicted(name: str) -> float:
    """The best β that was committed."""
    return _predictions()["best_beta"][name]


def rows() -> list[list[str]]:
    """Rows under `HEADER`; no row where no realization is whole."""
    cells = []
    for name in NAMES:
        own, partner = (tiles.optimum(each) for each in networks(name))
        if own.count:
            best = [f"{predicted(name):.3f}", between(own.best), between(partner.best)]
            slopes = [f"{own.theory.slope:z.3f}".replace("-", "−"), between(own.slope, 2), between(partner.slope, 2)]
            cells.append([f"{name} ({own.count})", *best, *slopes])
    return cells


def apart(name: str) -> float:
    """The largest median over realizations, of any β, by which TIE differs from that of partners; nats."""
    learned, partners = networks(name)
    return float(abs((learned.tie - partners.tie).median("realization")).max())


def off() -> float:
    """The largest distance of a learned σ_x² from its prediction, as a share."""
    expected = np.array([[row["decoder_variance"]] for row in _predictions()["tie"]])
    found = [variance(networks(name)[0]).transpose("beta", ...).values for name in NAMES]
    return float(max(np.nanmax(abs(each / expected - 1)) for each in found))


def _predictions() -> dict:
    return json.loads((paths.PREDICTIONS / "tiles-learned-variance.json").read_text())
