"""Networks of tiles trained with a penalty on total correlation, beside those without one and beside predictions."""

import json

import numpy as np

from betavae_core import paths
from betavae_core.findings import prediction, tiles
from betavae_core.images import experiments
from betavae_core.results import sweep
from betavae_core.showing import tables

GAMMA = 20.0
HEADER = ["β/ν", "term", "γ = 0", f"γ = {GAMMA:g}", f"predicted, γ = {GAMMA:g}", "linear optimum, γ = 0"]


def compared() -> dict[float, dict[str, list[float]]]:
    """TIE and C by β/ν, in nats: of networks without and with the penalty, as predicted with it, and of the optimum.

    Means over the realizations that were trained with the penalty; NaN where no network is stored.
    """
    penalised = sweep.load("tiles", supplement=experiments.PENALISED.format(GAMMA))
    plain = sweep.load("tiles").reindex(beta=penalised.beta, realization=penalised.realization)
    optimum = prediction.prediction("tiles", penalised.beta.values, penalised.realization.values)
    predicted = json.loads((paths.PREDICTIONS / "tiles-gamma.json").read_text())["finite_sample"]
    found = {}
    for beta in penalised.beta.values:
        wanted = [row for row in predicted if (row["beta"], row["gamma"]) == (beta, GAMMA)]
        found[float(beta / tiles.code_noise("tiles"))] = {
            term: [
                *(float(each[term].sel(beta=beta).mean()) for each in (plain, penalised)),
                float(np.mean([row[term] for row in wanted])) if wanted else np.nan,
                float(optimum[term].sel(beta=beta).mean()),
            ]
            for term in ("tie", "kl_prior")
        }
    return {round(ratio, 3): terms for ratio, terms in found.items()}


def rows(found: dict[float, dict[str, list[float]]]) -> list[list[str]]:
    """Rows under `HEADER` of what `compared` found."""
    names = {"tie": "TIE", "kl_prior": "C"}
    return [
        [f"{ratio:.3g}", names[term], *(tables.number(value, 3) for value in values)]
        for ratio, terms in found.items()
        for term, values in terms.items()
    ]
