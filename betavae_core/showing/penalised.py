"""Networks of tiles trained with a penalty on total correlation, beside those without one and beside predictions."""

import json

import numpy as np
import xarray as xr

from betavae_core import paths
from betavae_core.findings import tiles
from betavae_core.images import experiments
from betavae_core.results import sweep
from betavae_core.showing import figures, tables

HEADER = ["β/ν", "γ", "TIE", "TIE, predicted", "C", "C, predicted"]
TERMS = ("tie", "kl_prior")


def compared() -> xr.Dataset:
    """TIE and C in nats over β/ν × γ: of networks, and as `*_predicted` of the linear model on the same images.

    Means over the realizations that were trained with a penalty; NaN where no network is stored.
    """
    gammas = experiments.GAMMAS
    found = {gamma: sweep.load("tiles", supplement=experiments.PENALISED.format(gamma)) for gamma in gammas}
    betas = found[0.0].beta.values
    rows = json.loads((paths.PREDICTIONS / "tiles-gamma.json").read_text())["finite_sample"]
    values = {name: [found[gamma][name].mean("realization").values for gamma in gammas] for name in TERMS}
    for name in TERMS:
        values[f"{name}_predicted"] = [[_mean(rows, name, beta, g) for beta in betas] for g in gammas]
    ratios = (betas / tiles.code_noise("tiles")).round(3)
    shaped = {name: (("gamma", "ratio"), np.array(each)) for name, each in values.items()}
    return xr.Dataset(shaped, coords={"gamma": list(gammas), "ratio": ratios})


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


def figure(found: xr.Dataset):
    """TIE over γ (A) beside TIE over β (B), networks and predictions, on one scale."""
    shown, (over_gamma, over_beta) = figures.panels(2, height=2.8)
    for ratio, name, colour in ((1.0, "β = ν", figures.BLUE), (found.ratio.values[0], "β = 1", figures.ORANGE)):
        at = found.sel(ratio=ratio)
        over_gamma.plot(found.gamma, at.tie, "o", color=colour, label=f"{name}: networks")
        over_gamma.plot(found.gamma, at.tie_predicted, "--", color=colour, label=f"{name}: predicted")
    plain, fine = tiles.in_units_of_noise(sweep.load("tiles")), np.geomspace(found.ratio.values[0], 2.5, 101)
    over_beta.plot(plain.beta, plain.tie.mean("realization"), "o", color=figures.BLUE, label="networks")
    over_beta.plot(fine, tiles.theory("tiles", fine).tie, "--", color=figures.GREY, label="theory")
    over_gamma.set(title="A  over γ", xlabel="γ", ylabel="TIE, nats", ylim=(0, 7))
    over_beta.set(title="B  over β", xlabel="β/ν", ylim=(0, 7), xlim=(fine[0] / 1.2, 3), xscale="log")
    for axis in (over_gamma, over_beta):
        axis.legend(fontsize=8)
    return shown
