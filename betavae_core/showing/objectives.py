"""Networks of tiles trained for another objective, a penalty or a learned variance, beside others and predictions."""

import json

import numpy as np
import xarray as xr

from betavae_core import paths
from betavae_core.findings import tiles
from betavae_core.images import experiments
from betavae_core.results import sweep
from betavae_core.showing import figures, tables
from betavae_core.showing.tiles import SHORTER, between

PENALISED = ["γ", *(f"{of} at β = {b}{told}" for b in "ν1" for of in ("TIE", "C") for told in ("", ", predicted"))]
TERMS = ("tie", "kl_prior")


def penalised() -> xr.Dataset:
    """TIE and C in nats over β/ν × γ: of networks, and as `*_predicted` of the linear model on the same images.

    Means over the realizations that were trained with a penalty, and the range of TIE as `scatter`; NaN where no
    network is stored.
    """
    gammas, rows = list(experiments.GAMMAS), _committed("tiles-gamma")["finite_sample"]
    loaded = [sweep.load("tiles", supplement=experiments.PENALISED.format(gamma))[[*TERMS]] for gamma in gammas]
    stored = xr.concat(loaded, xr.DataArray(gammas, dims="gamma", name="gamma"))
    found = stored.mean("realization").assign(scatter=stored.tie.max("realization") - stored.tie.min("realization"))
    table = xr.Dataset({name: ("row", [row[name] for row in rows]) for name in rows[0]})
    predicted = table.set_index(row=["gamma", "beta", "realization"]).unstack("row").mean("realization")
    found = found.assign({f"{name}_predicted": predicted[name] for name in TERMS})
    return found.assign_coords(ratio=(found.beta / tiles.code_noise("tiles")).round(3)).swap_dims(beta="ratio")


def penalised_rows(found: xr.Dataset) -> list[list[str]]:
    """Rows under `PENALISED` of what `penalised` found, one for each γ; β = ν comes first."""
    names = [name for term in TERMS for name in (term, f"{term}_predicted")]
    cells = []
    for gamma in found.gamma.values:
        at = [found.sel(gamma=gamma, ratio=ratio) for ratio in found.ratio.values[::-1]]
        cells.append([f"{gamma:g}", *(tables.number(float(each[name]), 3) for each in at for name in names)])
    return cells


def penalised_figure(found: xr.Dataset):
    """TIE over γ (A) beside TIE over β (B), networks and predictions, on one scale."""
    shown, (over_gamma, over_beta) = figures.panels(2, height=2.8)
    for ratio, name, colour in ((1.0, "β = ν", figures.BLUE), (found.ratio.values[0], "β = 1", figures.ORANGE)):
        at = found.sel(ratio=ratio)
        over_gamma.plot(found.gamma, at.tie, "o", color=colour, label=f"{name}: networks")
        over_gamma.plot(found.gamma, at.tie_predicted, "--", color=colour, label=f"{name}: predicted")
    plain, fine = tiles.in_units_of_noise(sweep.load("tiles")), np.geomspace(found.ratio.values[0], 2.5, 101)
    at_one, mean = found.sel(gamma=0).isel(ratio=0), plain.tie.mean("realization")
    over_beta.plot([at_one.ratio, *plain.beta], [at_one.tie, *mean], "o", color=figures.BLUE, label="networks")
    over_beta.plot(fine, tiles.theory("tiles", fine).tie, "--", color=figures.GREY, label="theory")
    over_gamma.set(title="A  over γ", xlabel="γ")
    over_beta.set(title="B  over β", xlabel="β/ν", xlim=(fine[0] / 1.2, 3), xscale="log")
    for axis in (over_gamma, over_beta):
        axis.set(ylabel="TIE, nats", ylim=(0, 9))
        axis.legend(fontsize=8, loc="upper right", ncols=2, handlelength=1.2, columnspacing=0.8, handletextpad=0.4)
    return shown


LEARNING = {  # the networks of a row: their experiment, the supplement that learns its variance, and that of partners
    "tiles": ("tiles", experiments.LEARNED, SHORTER),
    "tiles-diagonal": ("tiles-diagonal", experiments.LEARNED, SHORTER),
    "tiles-diagonal, 6,000 epochs": ("tiles-diagonal", experiments.LEARNED_LONGER, None),
}
LEARNED = ["experiment (n)", "best β, predicted", "best β, learned σₓ²", "best β/ν, σₓ² = 1"]
LEARNED += ["slope, learned σₓ²", "slope, σₓ² = 1"]


def networks(row: str) -> tuple[xr.Dataset, xr.Dataset]:
    """Networks of `LEARNING` and their partners: the same images, seeds and epochs, at β ν; β of both as for partners.

    A learned σ_x² is ν to a part in a thousand, so that β ν in the one stands for β in the other.
    """
    name, *supplements = LEARNING[row]
    learned, partners = (sweep.load(name, supplement=each) for each in supplements)
    partners = partners.sel(realization=learned.realization)
    noise = tiles.code_noise(name)
    partners = partners.sel(beta=learned.beta.values * noise, method="nearest", tolerance=1e-3 * noise)
    return learned.assign_coords(beta=partners.beta.values), partners


def variance(learned: xr.Dataset) -> xr.DataArray:
    """σ_x² from R = −N/2 (log 2π σ_x² + 1), which holds where σ_x² makes R largest."""
    pixels = experiments.experiment(learned.experiment).pixels
    return np.exp(-2 * learned.reconstruction / pixels - 1) / (2 * np.pi)


def predicted(name: str) -> float:
    """The best β that was committed."""
    return _committed("tiles-learned-variance")["best_beta"][LEARNING[name][0]]


def learned_rows(found: dict) -> list[list[str]]:
    """Rows under `LEARNED` of what `networks` found for each; no row where no realization is whole."""
    cells = []
    for name, pair in found.items():
        own, partner = map(tiles.optimum, pair)
        if own.count:
            best = [f"{predicted(name):.3f}", between(own.best), between(partner.best)]
            cells.append([f"{name} ({own.count})", *best, between(own.slope, 2), between(partner.slope, 2)])
    return cells


def apart(learned: xr.Dataset, partners: xr.Dataset) -> float:
    """The largest median over realizations, of any β, by which TIE differs from that of partners; nats."""
    return float(abs((learned.tie - partners.tie).median("realization")).max())


def off(found: dict) -> float:
    """The largest distance of a learned σ_x² from its prediction, as a share, in what `networks` found for each row."""
    expected = np.array([[row["decoder_variance"]] for row in _committed("tiles-learned-variance")["tie"]])
    values = [variance(learned).transpose("beta", ...).values for learned, _ in found.values()]
    return float(max(np.nanmax(abs(each / expected - 1)) for each in values))


def _committed(name: str) -> dict:
    return json.loads((paths.PREDICTIONS / f"{name}.json").read_text())
