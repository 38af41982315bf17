"""Networks of tiles trained with a penalty on total correlation, beside those without one and beside predictions."""

import json

import numpy as np
import xarray as xr

from betavae_core import paths
from betavae_core.findings import tiles
from betavae_core.images import experiments
from betavae_core.results import sweep
from betavae_core.showing import tables

HEADER = ["β/ν", "γ", "TIE", "TIE, predicted", "C", "C, predicted"]
TERMS = ("tie", "kl_prior")


def compared() -> xr.Dataset:
    """TIE and C in nats over β/ν × γ: of networks, and as `*_predicted` of the linear model on the same images.

    Means over the realizations that were trained with a penalty; NaN where no network is stored.
    """
    weights = {gamma: experiments.PENALISED.format(gamma) for gamma in experiments.GAMMAS}
    found = {gamma: sweep.load("tiles", supplement=name) for gamma, name in weights.items()}
    shared = found[experiments.GAMMAS[0]]
    found[0.0] = sweep.load("tiles").reindex(beta=shared.beta, realization=shared.realization)
    gammas = sorted(found)
    rows = json.loads((paths.PREDICTIONS / "tiles-gamma.json").read_text())["finite_sample"]
    values = {name: [found[gamma][name].mean("realization").values for gamma in gammas] for name in TERMS}
    for name in TERMS:
        values[f"{name}_predicted"] = [[_mean(rows, name, beta, g) for beta in shared.beta.values] for g in gammas]
    ratios = (shared.beta.values / tiles.code_noise("tiles")).round(3)
    shaped = {name: (("gamma", "ratio"), np.array(each)) for name, each in values.items()}
    return xr.Dataset(shaped, coords={"gamma": gammas, "ratio": ratios})


def _mean(rows: list[dict], name: str, beta: float, gamma: float) -> float:
    return float(np.mean([row[name] for row in rows if (row["beta"], row["gamma"]) == (beta, gamma)]))


def rows(found: xr.Dataset) -> list[list[str]]:
    """Rows under `HEADER` of what `compared` found."""
    cells = []
    for ratio in found.ratio.values[::-1]:
        for gamma in found.gamma.values:
            at = found.sel(ratio=ratio, gamma=gamma)
            said = [tables.number(float(at[name]), 3) for term in TERMS for name in (term, f"{term}_predicted")]
            cells.append([f"{ratio:.3g}", f"{gamma:g}", *said])
    return cells
