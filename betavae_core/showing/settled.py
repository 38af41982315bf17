"""Networks as the thesis trained them beside networks whose training settles: how far from rest, and what of TIE."""

import numpy as np
import xarray as xr

from betavae_core.findings import prediction, settled
from betavae_core.images import experiments
from betavae_core.results import sweep
from betavae_core.showing import tables

HEADER = ["β", *(f"{what}, {training}" for what in ("nats below", "TIE") for training in ("thesis", "settling"))]
HEADER += ["TIE, reference", "|cos|", "at rest"]


def rows(thesis: xr.Dataset, settling: xr.Dataset, reference: xr.Dataset) -> list[list[str]]:
    """Rows under `HEADER`, on the realizations that both trainings have.

    Medians of how far the objective is below the reference's, means of TIE, and of the networks that settle the mean
    obliqueness of the decoder's axes and how many are at rest (`findings.settled`).
    """
    thesis, settling = xr.align(thesis, settling, join="inner", exclude=["detailed"])
    found = [settled.judged(each, reference) for each in (thesis, settling)]
    cells = []
    for beta in found[1].beta.values:
        old, new = (each.sel(beta=beta) for each in found)
        tie = [float(each.tie.sel(beta=beta, realization=new.realization).mean()) for each in (thesis, settling)]
        tie.append(float(reference.tie.sel(beta=beta).mean()) if "tie" in reference else np.nan)
        below, judged = [float(each.below.median()) for each in (old, new)], new.settled.notnull()
        row = [f"{beta:g}", *(tables.number(value, 1) for value in below), *(tables.number(value, 3) for value in tie)]
        rest = f"{int(new.settled.sum())} of {int(judged.sum())}" if judged.any() else "–"
        cells.append([*row, tables.fixed(float(new.obliqueness.mean()), 3), rest])
    return cells


BESIDE = ["β", "objective, thesis", "objective, settling", "TIE, thesis", "TIE, settling", "TIE, largest", "|cos|"]


def beside(thesis: xr.Dataset, settling: xr.Dataset, linear: xr.Dataset) -> list[list[str]]:
    """Rows under `BESIDE` where no optimum is known, on the realizations that both trainings have.

    Medians of the objective above that of the linear optimum, and of TIE; the largest TIE of a network that settles,
    and the mean obliqueness of its decoder's axes where it was measured.
    """
    thesis, settling, linear = xr.align(thesis, settling, linear, join="inner", exclude=["detailed"])
    cells = []
    for beta in settling.beta.values:
        old, new, reference = (each.sel(beta=beta) for each in (thesis, settling, linear))
        above = [settled.objective(each) - settled.objective(reference) for each in (old, new)]
        values = [*(each.median() for each in (*above, old.tie, new.tie)), new.tie.max()]
        cells.append([f"{beta:g}", *(tables.fixed(float(value), 1) for value in values)])
        cells[-1].append(tables.fixed(float(new.obliqueness.mean()), 3))
    return cells


def trained_again(stored: xr.Dataset) -> list[tuple[float, float]]:
    """Nats below the linear optimum, and TIE, of the network that ended far off and of it trained again."""
    realization, beta = experiments.FAR_OFF
    best = prediction.prediction("mixing", [beta], [realization])
    again = sweep.load("mixing", supplement=experiments.AGAIN.name)
    both = [each.sel(realization=[realization], beta=[beta]) for each in (stored, again)]
    return [(settled.judged(each, best).below.item(), each.tie.item()) for each in both]


BOTH = ["β", "thesis’s training", "training that settles", "linear model"]


def both_rows(used: xr.Dataset) -> list[list[str]]:
    """Rows under `BOTH`: at each β how many use both latents, from `findings.settled.using_both`."""
    counts = used.sum("realization")
    return [[f"{beta:g}", *(f"{int(counts[by].sel(beta=beta))}" for by in used)] for beta in used.beta.values]
