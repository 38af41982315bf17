"""Networks that a chapter trains in its own build, and how a page speaks of them beside those stored."""

import numpy as np
import xarray as xr

from betavae_core.images import experiments
from betavae_core.networks.atlas import Atlas
from betavae_core.results import planning, record, store, train_live
from betavae_core.showing import tables
from betavae_core.showing.curves import mean
from betavae_core.theory.gaussian import log_density_constant
from betavae_core.theory.terms import HELDOUT, TERMS

EQUAL = 1e-4  # nats; evaluation on another processor adds in another order
FEW = 2  # live networks that a table shows one by one; of more it shows
SPREAD = ["mean", "median", "least to largest", "fresh images: mean", "median"]


def train(experiment: str, beta: float, realizations: int, epochs: int) -> tuple[xr.Dataset, Atlas | None]:
    """Train members at one β; labelled like what `sweep.load` returns, and the atlas of the first if it has one."""
    members = planning.plan(experiment, betas=[beta], realizations=realizations, epochs=epochs)
    trained = train_live.train_live(members)
    cells = {m.key: record.cell(m, *found[:2]) for m, found in zip(members, trained, strict=True)}
    return store.collect(members, source=lambda member: cells[member.key]), trained[0][2]


def shift(experiment: str) -> dict[str, float]:
    """What unit-variance pixels add to each term, in nats: it is subtracted wherever a term is shown."""
    constant = log_density_constant(experiments.experiment(experiment).pixels)
    return {name: constant for name, term in TERMS.items() if term.constant}


def of_page(stored: xr.Dataset, shown: xr.Dataset) -> dict[str, dict[float, str]]:
    """Whose numbers a page quotes at each β, in words: `shown` has the page's own β beside those stored."""
    found: dict[str, dict[float, str]] = {"beta": {}, "who": {}, "network": {}}
    for beta in map(float, shown.beta.values):
        own = beta not in stored.beta.values
        found["beta"][beta] = f"{beta:.10g}"
        found["who"][beta] = _who(shown.tie.sel(beta=beta).values, own)
        found["network"][beta] = "network of realization 0 of this build" if own else "stored network of realization 0"
    return found


def over_beta(shown: xr.Dataset, predicted: xr.Dataset, settled: xr.Dataset) -> dict[str, dict[float, str]]:
    """Means that prose quotes at each β, by symbol and whose they are."""
    away = shift(shown.experiment)
    quoted = {"elbo": (shown, "elbo"), "c": (shown, "kl_prior"), "mie": (shown, "mie"), "tie": (shown, "tie")}
    quoted |= {"tie_fresh": (shown, f"tie{HELDOUT}"), "tie_settled": (settled, "tie")}
    quoted |= {"tie_linear": (predicted, "tie"), "c_linear": (predicted, "kl_prior")}
    return {name: mean(dataset, term, "", away.get(term, 0.0)).said() for name, (dataset, term) in quoted.items()}


def _who(values: np.ndarray, own: bool) -> str:
    """In how many networks, and behind a mean how far apart they are."""
    there = values[np.isfinite(values)]
    if len(there) < 2:
        one = "the network trained in this build" if own else "the one network stored"
        apart = ", whose images may be easier or harder than those of other realizations" if own else ""
        return f"in {one}{apart}" if len(there) else f"in {one}, which diverged"
    _, median, spread = _spread(there)
    named = f"{len(there)} {'networks trained in this build' if own else 'stored networks'}"
    return f"on average over {named} (median {median}, range {spread})"


def table(live: xr.Dataset) -> tuple[list[str], list[list[str]]]:
    """Header and rows of a table of live members: each term on training and on fresh images.

    Few have a column each; of more the mean, the median, the least and the largest are shown.
    """
    terms = {name: term.heading for name, term in TERMS.items() if term.heading}
    away = shift(live.experiment)
    cells, few = live.isel(beta=0), live.sizes["realization"] <= FEW
    pairs = [f"{r}, {images}" for r in live.realization.values for images in ("training", "fresh")]
    rows = []
    for name, text in terms.items():
        training, fresh = (cells[name + suffix].values - away.get(name, 0) for suffix in ("", HELDOUT))
        each = [tables.number(float(value), 2) for pair in zip(training, fresh, strict=True) for value in pair]
        rows.append([text, *(each if few else [*_spread(training), *_spread(fresh)[:2]])])
    return ["term", *(pairs if few else SPREAD)], rows


def _spread(values: np.ndarray) -> list[str]:
    """Mean, median and range of those that are finite, as in cells."""
    found = values[np.isfinite(values)]
    if not len(found):
        return ["–"] * 3
    mean, median, least, most = (tables.number(float(f(found)), 2) for f in (np.mean, np.median, np.min, np.max))
    return [mean, median, f"{least} to {most}"]


def elsewhere(stored: xr.Dataset, beta: float) -> str:
    """A sentence on what else a page shows of live networks."""
    if beta in stored.beta.values:
        return "Everything else on this page is stored."
    below, above = stored.beta.values[stored.beta.values < beta], stored.beta.values[stored.beta.values > beta]
    near = " and ".join(f"{b:g}" for b in (*below[-1:], *above[:1]))
    return (
        f"Nothing is stored at β = {beta:.10g}; nearest to it, networks are stored at β = {near}. So wherever this "
        "page speaks of its own β it shows what was trained in this build. Curves and tables over β are stored."
    )


def reproduced(stored: xr.Dataset, live: xr.Dataset) -> str:
    """A sentence on how live members compare with the stored ones of the same key."""
    known = dict(zip(stored.key.values.ravel(), stored.objective.values.ravel(), strict=True))
    pairs = zip(live.key.values.ravel(), live.objective.values.ravel(), strict=True)
    gaps = [abs(objective - known[key]) for key, objective in pairs if np.isfinite(objective - known.get(key, np.nan))]
    lost = int(live.diverged.sum())
    told = f"Training diverged in {lost} of them, of which nothing can be said. " if lost else ""
    if not gaps:
        return f"{told}The store holds no network with these settings to compare with."
    if max(gaps) < EQUAL:
        one = "It equals the stored network of the same seed."
        return told + (one if live.key.size == 1 else "They equal the stored networks of the same seeds.")
    there, here = (" and by ".join(sorted(set(d.made_by.values[np.isin(d.key, live.key)]))) for d in (stored, live))
    return (
        f"{told}Networks with the same seeds are stored, made by {there}. Those of this build, made by {here}, differ "
        f"from them by at most {max(gaps):.3f} nats of objective. The same kind of processor repeats every bit; "
        "another kind adds numbers in another order."
    )
