"""What the deep chapters show: networks trained in this build beside stored ones, their pictures, tables and words."""

import numpy as np
import xarray as xr
from IPython.display import Markdown

from betavae_core.findings import latents, optima
from betavae_core.findings.verdicts import written
from betavae_core.images import experiments
from betavae_core.images.digits import CANVAS
from betavae_core.results import planning, store, sweep
from betavae_core.showing import tables
from betavae_core.showing.curves import SETTLED, Curve, Panel, mean, over
from betavae_core.showing.figures import GREY, ORANGE, PINK
from betavae_core.showing.live import elsewhere, reproduced, shift
from betavae_core.theory.terms import HELDOUT

CHANGED = ["objective", "elbo", "kl_prior", "tie"]  # terms that longer training is held against


def source(stored: xr.Dataset) -> str:
    """How many members stand behind a figure, from which store, and what made them; for the line below it."""
    filled = (stored.key != "").sum("realization")
    least, most = int(filled.min()), int(filled.max())
    each = f"{least}" if least == most else f"{least} to {most}"
    origins = [f"{stored.attrs[name]:,} {name}" for name in ("published", "working") if stored.attrs[name]]
    makers, counts = np.unique(stored.made_by.values[stored.made_by.values != ""], return_counts=True)
    told = [f"{maker} ({n:,})" if len(makers) > 1 else maker for maker, n in zip(makers, counts, strict=True)]
    lost = int(stored.diverged.sum())
    return (
        f"{each} realizations of each of {stored.sizes['beta']} β ({', '.join(origins)}; {lost} diverged), "
        f"made by {' and by '.join(told)}"
    )


def pictures(stored: xr.Dataset, name: str, beta: float, realization: int = 0) -> np.ndarray:
    """Grey levels of a member's `reconstructions` (picture, side, side) or `traversals` (latent, value, side, side)."""
    cell = stored[[name, "grey_scale"]].sel(beta=beta).isel(detailed=realization)
    return (cell[name].values.astype(float) - 128) / 127 * float(cell.grey_scale)


def reconstruction_rows(stored: xr.Dataset, betas, realizations) -> tuple[np.ndarray, list[str]]:
    """Rows of pictures: two images of each of several realizations, then what each β makes of them."""
    originals = [latents.images_of(stored, r).images()[:2] for r in realizations]
    rows = [np.concatenate(originals)]
    for beta in betas:
        rows.append(np.concatenate([pictures(stored, "reconstructions", beta, r)[:2] for r in realizations]))
    return np.stack(rows), ["images", *(f"β = {beta:g}" for beta in betas)]


def traversal_rows(stored: xr.Dataset, betas, realization: int = 0) -> tuple[np.ndarray, list[str]]:
    """Rows of pictures: for each β one row a latent, moved from −3 to 3 with the other held at 0; says which idle."""
    rows = np.concatenate([pictures(stored, "traversals", beta, realization) for beta in betas])
    named = [(beta, *latent) for beta in betas for latent in _in_use(stored, beta, realization)]
    return rows, [f"β = {beta:g}, {z}{'' if use else ' (not in use)'}" for beta, z, use in named]


def _in_use(stored: xr.Dataset, beta: float, realization: int) -> list[tuple[str, bool]]:
    """Each latent of a network by name, and whether it is in use."""
    q = latents.stored_posterior(stored, stored.beta.values.tolist().index(beta), realization)
    return list(zip(("z₁", "z₂"), latents.in_use_by(q) if q else (True, True), strict=True))


def live_rows(live: xr.Dataset) -> tuple[np.ndarray, list[str]]:
    """`traversal_rows` of the first live member that has them; blank pictures that say so if all diverged."""
    kept = np.flatnonzero(live.grey_scale.isel(beta=0).notnull()) if "grey_scale" in live else []
    nothing = np.zeros((1, 7, CANVAS, CANVAS)), ["training diverged: there is nothing to show"]
    return traversal_rows(live, live.beta.values, int(kept[0])) if len(kept) else nothing


def sheets(stored: xr.Dataset) -> dict[float, tuple[np.ndarray, list[str]]]:
    """For each β rows of seven pictures of realization 0, (4, 7, side, side), and what each row is."""
    images = latents.images_of(stored, 0).images()[None, :7]
    found = {}
    for beta in stored.beta.values:  # of a network that diverged there is nothing
        shown = images, pictures(stored, "reconstructions", beta)[None, :7], pictures(stored, "traversals", beta)
        names = [f"{z} {'from −3 to 3' if use else '(not in use)'}" for z, use in _in_use(stored, beta, 0)]
        found[float(beta)] = np.nan_to_num(np.concatenate(shown)), ["images", "decoded", *names]
    return found


def discrepancy_rows(stored: xr.Dataset, predicted: xr.Dataset) -> list[list[str]]:
    """Rows of a table: network minus linear model, means over the realizations and β that both cover."""
    same = stored.sel(realization=predicted.realization)
    terms = [(same[name] - predicted[name]).mean("realization") for name in ("elbo", "kl_prior", "tie")]
    return [[f"{beta:g}", *(written(float(t.sel(beta=beta)), "+.2f") for t in terms)] for beta in terms[0].beta.values]


OPTIMA = ["experiment", "n", "optimum", "training images", "fresh images", "single networks", "linear model"]


def optimum_rows(stores: dict[str, xr.Dataset], predicted: dict[str, xr.Dataset]) -> list[list[str]]:
    """Rows under `OPTIMA`: β of each optimum of the mean curves, the scatter of single networks', the linear model's.

    All columns stand on the same realizations, those of the networks that have every β.
    """
    rows = []
    for name, stored in stores.items():
        count = optima.complete(stored, "tie").shape[-1]
        found, fresh = optima.best(stored), optima.best(stored, HELDOUT)
        for term in found:
            own = optima.single(stored, term, largest=term == "elbo")
            linear = "1" if term in ("elbo", "mie") else "–"  # proved: nothing to search for
            if term == "tie" and name in predicted:
                linear = _with_interval(optima.optimum(predicted[name], "tie"))
            what = f"largest {term.upper()}" if term == "elbo" else f"least {term.upper()}"
            cells = [_with_interval(found[term]), _with_interval(fresh[term]), f"{own.low:g} to {own.high:g}"]
            rows.append([name, str(count), what, *cells, linear])
    return rows


def _with_interval(found: optima.Optimum) -> str:
    """β on the grid and the interval of the line's, as in a cell."""
    return f"{found.value:g} ({between(found)})"


def between(found: optima.Optimum) -> str:
    """An interval of β in words.

    >>> between(optima.Optimum(1000.0, 870.0, 502.31, float("inf")))
    '502 to ∞'
    """
    low, high = (tables.significant(end) for end in (found.low, found.high))
    return f"{low} to {high}"


def texts(stored: xr.Dataset, live: xr.Dataset, predicted: xr.Dataset) -> dict[str, str]:
    """What the prose of a deep chapter quotes, by name."""
    predicted = predicted.sel(beta=np.isin(predicted.beta, stored.beta))
    found, fresh = optima.best(stored), optima.optimum(stored, f"tie{HELDOUT}").value
    median = stored.elbo.median("realization")  # which one network does not move
    quoted = {name: f"{e.value:g}" for name, e in found.items()}
    return quoted | {
        "tie_range": between(found["tie"]),
        "tie_single": "{1:g} to {2:g}".format(*optima.single(stored, "tie")),
        "tie_fresh": f"{fresh:g}",
        "least_tie_fresh": f"{float(stored.tie_heldout.sel(beta=fresh).mean()):.2f}",
        "elbo_gap": f"{float((stored.elbo - stored.elbo_heldout).mean('realization').max()):.1f}",
        "tie_linear_range": between(optima.optimum(predicted, "tie")),
        "source": source(stored),
        "median_elbo": f"{float(stored.beta[int(median.argmax('beta'))]):g}",
        "least_tie": f"{float(stored.tie.sel(beta=found['tie'].value).mean()):.2f}",
        "tie_one": f"{float(stored.tie.sel(beta=1.0).mean()):.2f}",
        "tie_linear": f"{optima.least_mean(predicted, 'tie'):g}",
        "beta": f"{float(live.beta[0]):.10g}",
        "live": str(live.sizes["realization"]),
        "reproduced": reproduced(stored, live),
        "elsewhere": elsewhere(stored, float(live.beta[0])),
    }


def scaling_rows() -> list[list[str]]:
    """Rows of a table: terms of members with either scaling of the pixels, where both are stored."""
    rows = []
    for name, extra in _supplements(experiments.PER_PIXEL):
        same = planning.plan(name, betas=experiments.PER_PIXEL.betas, realizations=experiments.PER_PIXEL.realizations)
        for scaling, found in (("global", store.collect(same)), ("pixel", extra)):
            for b in found.beta.values[_complete(extra)]:
                cell, away = found.sel(beta=b).mean("realization"), shift(name)
                terms = [float(cell[n]) - away.get(n, 0) for n in ("elbo", "kl_prior", "tie")]
                rows.append([name, scaling, f"{b:g}", *(tables.number(t, 2) for t in terms)])
    return rows


def convergence(stores: dict[str, xr.Dataset]) -> dict[str, xr.Dataset]:
    """What 4000 more epochs change in realization 0 of each experiment, over those beta of which both are stored."""
    found = {}
    for name, longer in _supplements(experiments.LONGER):
        change = longer[CHANGED] - stores[name][CHANGED].sel(beta=longer.beta)
        found[name] = change.isel(realization=0, drop=True).dropna("beta")
    return found


def convergence_rows(changes: dict[str, xr.Dataset]) -> list[list[str]]:
    """Rows of a table of `convergence`."""
    return [
        [name, f"{b:g}", *(written(float(change[term].sel(beta=b)), "+.2f") for term in CHANGED)]
        for name, change in changes.items()
        for b in change.beta.values
    ]


def gained(changes: dict[str, xr.Dataset]) -> str:
    """A sentence on what 4000 more epochs gain in objective for β up to 20, and for any β."""
    most = {name: [c.objective.sel(beta=slice(None, end)) for end in (20, None)] for name, c in changes.items()}
    parts = [
        f"{float(low.max()):.1f} nats in {name} ({float(whole.max()):.1f} at any β)"
        for name, (low, whole) in most.items()
        if low.size
    ]
    if not parts:
        return "How much four thousand more epochs gain is not known without them."
    return f"Up to β = 20, four thousand more epochs raise the objective by at most {' and '.join(parts)}."


def missing(supplement: experiments.Supplement):
    """A sentence naming the experiments of which a supplement is not stored in full; None if none is missing."""
    stored = {name for name, found in _supplements(supplement) if _complete(found).all()}
    lacking = [r.name for r in experiments.RECORDS if supplement in r.supplements and r.name not in stored]
    told = f"Networks with {supplement.name} are not all stored ({', '.join(lacking)}); what is there is shown, and "
    return Markdown(f"{told}`betavae sweep {' '.join(lacking)}` trains the rest.") if lacking else None


def _supplements(supplement: experiments.Supplement):
    """(experiment, Dataset) of each experiment that has a supplement of which something is stored."""
    for record_ in experiments.RECORDS:
        if supplement in record_.supplements:
            found = sweep.load(record_.name, supplement=supplement.name)
            if (found.key != "").any():
                yield record_.name, found


def _complete(stored: xr.Dataset) -> np.ndarray:
    """At which β every realization is stored and sound."""
    return np.isfinite(stored.elbo).all("realization").values


def score_panels(scored, used, live, settled) -> list[Panel]:
    """Correlation of the latents, MIG and SAP over β, of means and of draws; shaded where both latents are in use.

    live, settled : the same scores of networks of this build, for points, and of those with training that settles
    """
    panels, shade = [], (used[0], used[-1]) if len(used) else None
    for title, name in {"A  correlation": "correlation", "B  MIG": "mig", "C  SAP": "sap"}.items():
        curves = [
            mean(scored, f"{name}_drawn", "z drawn from q", colour=ORANGE, line=":"),
            over(scored, name, "means of q"),
            mean(settled, name, f"means of q, {SETTLED}", colour=GREY, line="-."),
        ]
        if live.realization.size:
            curves.append(over(live, name, "trained in this build", colour=PINK, line="o"))
        panels.append(Panel(title=title, unit="", curves=curves, shade=shade))
    return panels


def angle_panel(angles: dict, settled: dict) -> Panel:
    """Mean and band of angles by β, degrees, over the middle 95 % of means of as many random angles; mean of others."""
    rng, betas = np.random.default_rng(0), np.array(list(angles))
    drawn = [rng.uniform(0, 90, (20_000, len(a))).mean(1) for a in angles.values()]
    low, high = np.transpose([np.quantile(means, (0.025, 0.975)) for means in drawn])
    of_all = {"low": [min(a) for a in angles.values()], "high": [max(a) for a in angles.values()]}
    means = np.array([np.mean(a) for a in angles.values()])
    chance = Curve(name="random angles", beta=betas, value=np.full(len(betas), 45.0), low=low, high=high, colour=GREY)
    measured = Curve(name="networks", beta=betas, value=means, **of_all, line="o-")
    others = {"beta": np.array(list(settled)), "value": np.array([np.mean(a) for a in settled.values()])}
    rested = Curve(name=f"networks, {SETTLED}", **others, line="-.", colour=ORANGE)
    return Panel(title="angle between axes of motion", unit="degrees", curves=[chance, measured, rested], floor=0)
