"""What the deep chapters show: live members, the linear model's prediction for the same images, scores, verdicts."""

import math

import numpy as np
import xarray as xr

from betavae_core import claims, datasets, figures, linear, optima, scores, store, sweep
from betavae_core.experiments import DETAILED, Member, Specification

CONSTANT = -0.5 * datasets.PIXELS * math.log(2 * math.pi)  # what unit-variance pixels add to R, nats
SHIFT = {"elbo": CONSTANT, "reconstruction": CONSTANT, "objective": CONSTANT}  # subtracted wherever shown
LOW, HIGH = 0.1, 100.0  # "lower" and "higher" β of the claim on segregation, chosen before any score was computed
ACTIVE = 0.01  # nats of KL to the prior, above which a latent counts as used


def live(experiment: str, beta: float, realizations: int, epochs: int) -> xr.Dataset:
    """Train members at one β in this process; labelled like what `sweep.load` returns."""
    members = [Member(Specification(experiment, epochs=epochs), beta, r) for r in range(realizations)]
    cells = {}
    for member in members:
        [(values, provenance)] = sweep.train([member])
        cells[member.key] = store.cell(member, values, provenance)
    return store.collect(members, source=lambda member: cells[member.key])


def source(stored: xr.Dataset) -> str:
    """How many members stand behind a figure, from which store, and what made them; for the line below it."""
    filled = (stored.key != "").sum("realization")
    least, most = int(filled.min()), int(filled.max())
    each = f"{least}" if least == most else f"{least} to {most}"
    origins = [f"{stored.attrs[name]} {name}" for name in ("published", "working") if stored.attrs[name]]
    makers = sorted(set(stored.made_by.values.ravel()) - {""})
    lost = int(stored.diverged.sum())
    return (
        f"{each} realizations of each of {stored.sizes['beta']} β ({', '.join(origins)}; {lost} diverged), "
        f"made by {' and by '.join(makers)}"
    )


def pictures(stored: xr.Dataset, name: str, beta: float, realization: int = 0) -> np.ndarray:
    """Grey levels of a member's `reconstructions` (picture, 40, 40) or `traversals` (latent, value, 40, 40)."""
    cell = stored[[name, "grey_scale"]].sel(beta=beta).isel(detailed=realization)
    return (cell[name].values.astype(float) - 128) / 127 * float(cell.grey_scale)


def reconstruction_rows(stored: xr.Dataset, betas, realizations, columns: int = 2) -> tuple[np.ndarray, list[str]]:
    """Rows of pictures: the images of several realizations, then what each β makes of them."""
    originals = [datasets.draw(stored.experiment, r)[0].images()[:columns] for r in realizations]
    rows = [np.concatenate(originals)]
    for beta in betas:
        rows.append(np.concatenate([pictures(stored, "reconstructions", beta, r)[:columns] for r in realizations]))
    return np.stack(rows), ["images", *(f"β = {beta:g}" for beta in betas)]


def traversal_rows(stored: xr.Dataset, betas, realization: int = 0) -> tuple[np.ndarray, list[str]]:
    """Rows of pictures: for each β one row a latent, moved from −3 to 3 with the other held at 0."""
    rows = np.concatenate([pictures(stored, "traversals", beta, realization) for beta in betas])
    return rows, [f"β = {beta:g}, $z_{latent}$" for beta in betas for latent in (1, 2)]


def sheets(stored: xr.Dataset, realization: int = 0) -> dict[str, np.ndarray]:
    """For each β seven images, what the network makes of them, and its two traversals: (4, 7, 40, 40) grey levels."""
    images = datasets.draw(stored.experiment, realization)[0].images()[None, :7]
    found = {}
    for beta in stored.beta.values:
        decoded = pictures(stored, "reconstructions", beta, realization)[None, :7]
        traversed = pictures(stored, "traversals", beta, realization)
        found[f"{beta:g}"] = np.concatenate([images, decoded, traversed])
    return found


def discrepancy_rows(stored: xr.Dataset, predicted: xr.Dataset) -> list[list[str]]:
    """Rows of a table: network minus linear model, means over the realizations that the prediction covers."""
    same = stored.sel(realization=predicted.realization)
    terms = [(same[name] - predicted[name]).mean("realization") for name in ("elbo", "kl_prior", "tie")]
    signed = "{:+.2f}".format
    return [
        [f"{beta:g}", *(signed(float(t.sel(beta=beta))).replace("-", "−") for t in terms)]
        for beta in predicted.beta.values
    ]


def optimum_rows(stores: dict[str, xr.Dataset], predicted: dict[str, xr.Dataset]) -> list[list[str]]:
    """Rows of a table: experiment, realizations, β of largest ELBO (mean, median), of least MIE and TIE, linear β*."""
    rows = []
    for name, stored in stores.items():
        count = optima.complete(stored, "tie").shape[-1]
        cells = [f"{e.value:g}" + (f" ({e.low:g} to {e.high:g})" if count > 1 else "") for e in best(stored).values()]
        linear_best = f"{least_mean(predicted[name], 'tie'):g}" if name in predicted else "–"
        rows.append([name, str(count), cells[0], f"{largest_median(stored):g}", *cells[1:], linear_best])
    return rows


def best(stored: xr.Dataset) -> dict[str, optima.Estimate]:
    """β of the largest mean ELBO and of the least mean MIE and TIE, with intervals."""
    return {name: optima.optimum(stored, name, largest=name == "elbo") for name in ("elbo", "mie", "tie")}


def least_mean(dataset: xr.Dataset, name: str) -> float:
    """β of the least mean over realizations."""
    return float(dataset.beta[int(dataset[name].mean("realization").argmin("beta"))])


def largest_median(stored: xr.Dataset) -> float:
    """β of the largest median ELBO over realizations, which one network does not move."""
    return float(stored.beta[int(stored.elbo.median("realization").argmax("beta"))])


def texts(stored: xr.Dataset, live: xr.Dataset, predicted: xr.Dataset) -> dict[str, str]:
    """What the prose of a deep chapter quotes, by name."""
    found = best(stored)
    quoted = {name: f"{e.value:g}" for name, e in found.items()}
    quoted |= {f"{name}_range": f"{e.low:g} to {e.high:g}" for name, e in found.items()}
    return quoted | {
        "source": source(stored),
        "median_elbo": f"{largest_median(stored):g}",
        "least_tie": f"{float(stored.tie.sel(beta=found['tie'].value).mean()):.2f}",
        "tie_one": f"{float(stored.tie.sel(beta=1.0).mean()):.2f}",
        "tie_linear": f"{least_mean(predicted, 'tie'):g}",
        "beta": f"{float(live.beta[0]):g}",
        "live": str(live.sizes["realization"]),
        "reproduced": _reproduced(stored, live),
    }


def _reproduced(stored: xr.Dataset, live: xr.Dataset) -> str:
    """A sentence on how live members compare with the stored ones of the same key."""
    known = dict(zip(stored.key.values.ravel(), stored.objective.values.ravel(), strict=True))
    pairs = zip(live.key.values.ravel(), live.objective.values.ravel(), strict=True)
    gaps = [abs(objective - known[key]) for key, objective in pairs if key in known]
    if not gaps:
        return "The store holds no member of these settings to compare with."
    return (
        f"The stored members of the same seeds differ from them by {max(gaps):.3f} nats of objective at most: "
        "they were trained one to a core, these with all cores, which adds in another order, "
        "and a thousand steps amplify that."
    )


def live_table(live: xr.Dataset) -> tuple[list[str], list[list[str]]]:
    """Header and rows of a table of live members: each term on training and on fresh images, by realization."""
    terms = {"reconstruction": "R − c", "kl_prior": "C", "elbo": "ELBO − c", "tie": "TIE"}
    terms |= {"tie_raw": "TIE, latents as they come", "mie": "MIE"}
    cells = live.isel(beta=0)
    header = ["term", *(f"{r}, {images}" for r in live.realization.values for images in ("training", "fresh"))]
    rows = []
    for name, text in terms.items():
        values = [cells[name + suffix].sel(realization=r) for r in live.realization for suffix in ("", "_heldout")]
        rows.append([text, *(figures.number(float(value) - SHIFT.get(name, 0), 2) for value in values)])
    return header, rows


def prediction(experiment: str, betas, realizations=range(DETAILED)) -> xr.Dataset:
    """Terms of the optimal linear β-VAE on the images of each realization; nothing is fitted to a network.

    The optimum follows from the covariance of the images alone (`linear.optimum`); each term is then the mean over the
    same images. Factors of the images stand for them: coordinates in an orthonormal basis of their span.

    Returns
    -------
    Dataset over beta × realization: reconstruction, kl_prior, elbo, tie, in nats; eigenvalue over realization × latent
    """
    names, data = ("reconstruction", "kl_prior", "elbo", "tie"), [datasets.draw(experiment, r)[0] for r in realizations]
    found = [_linear_terms(d, betas) for d in data]
    terms = {name: (("beta", "realization"), np.stack([t[i] for t, _ in found], 1)) for i, name in enumerate(names)}
    terms["eigenvalue"] = (("realization", "latent"), np.stack([values for _, values in found]))
    return xr.Dataset(terms, coords={"beta": np.asarray(betas, float), "realization": list(realizations)})


def _linear_terms(data, betas):
    """R, C, ELBO and TIE at each β, (4, beta), and the leading eigenvalues of the images."""
    from betavae_core.evaluation import true_inference_error

    Y = data.scores if data.components is None else data.scores @ np.linalg.qr(data.components.T)[1].T
    Y = Y - Y.mean(0)
    covariance = Y.T @ Y / len(Y)
    values = np.linalg.eigvalsh(covariance)[::-1][:2]
    rows = []
    for beta in betas:
        D, W, variance = linear.optimum(covariance, beta, latents=2)
        z, spread = Y @ W.T, np.tile(variance, (len(Y), 1))
        R = -0.5 * (((Y - z @ D.T) ** 2).sum(1).mean() + ((D**2).sum(0) * variance).sum()) + CONSTANT
        C = 0.5 * (variance.sum() + (z**2).sum(1).mean() - 2 - np.log(variance).sum())
        rows.append((R, C, R - C, true_inference_error(z, spread, data)[0]))
    return np.array(rows).T, values


def latent_scores(stored: xr.Dataset) -> xr.Dataset:
    """Scores of the detailed realizations over β: mig, sap, axes (degrees between axes of motion), active latents."""
    names = ("mig", "sap", "axes", "active")
    shape = (len(names), stored.sizes["beta"], stored.sizes["detailed"])
    found = np.full(shape, np.nan)
    for r in range(shape[2]):
        data, _ = datasets.draw(stored.experiment, r)
        for b in range(shape[1]):
            mean, std = (stored[n].values[b, r].astype(float) for n in ("latent_mean", "latent_std"))
            if np.isfinite(mean).all() and std.any():
                sources = data.sources[: len(mean)]
                used = 0.5 * (std**2 + mean**2 - 1 - 2 * np.log(np.maximum(std, 1e-8))).mean(0) > ACTIVE
                found[:, b, r] = scores.mig(sources, mean), scores.sap(sources, mean), _axes(data, mean), used.sum()
    variables = {name: (("beta", "realization"), found[i]) for i, name in enumerate(names)}
    return xr.Dataset(variables, coords={"beta": stored.beta, "realization": np.arange(shape[2])})


def _axes(data, mean) -> float:
    """Degrees, 0 to 90, between the directions in which the two latents move the code r of an image.

    The exact posterior's mean is M⁻¹ Aᵀ r/σ², so r is A⁻ᵀ M times it, up to a factor; it is regressed on the latents.
    """
    code = data.posterior_mean[: len(mean)] @ data.posterior_precision @ np.linalg.inv(datasets.MIXING)
    moved = np.linalg.lstsq(np.column_stack([mean, np.ones(len(mean))]), code, rcond=None)[0][:2]  # (latent, 2)
    lengths = np.linalg.norm(moved, axis=1)
    return float(np.degrees(np.arccos(min(1.0, abs(moved[0] @ moved[1]) / lengths.prod()))))


def verdicts(stored: xr.Dataset, scored: xr.Dataset, where: str, page: str) -> list[claims.Verdict]:
    """The claims that both deep experiments share, on the training images, as the thesis evaluated them."""
    name, betas = f"Deep {stored.experiment}", stored.beta.values
    peak, least = (best(stored)[term] for term in ("elbo", "tie"))
    rises = [optima.largest_rise(stored, term) for term in ("reconstruction", "kl_prior")]
    found = [
        claims.peak_at(f"{name}: ELBO is largest near β = 1", where, page, peak, 1.0),
        claims.falls(f"{name}: R decreases with β, reconstruction worsens", where, page, rises[0]),
        claims.falls(f"{name}: C decreases with β", where, page, rises[1]),
        claims.interior(f"{name}: TIE is non-monotonic, with a finite optimal β", where, page, least, betas),
    ]
    for score in ("mig", "sap"):
        claim = f"{name}: higher β segregates the representation, lower β does not, by {score.upper()}"
        low, high = optima.complete(scored.sel(beta=[LOW, HIGH]), score)[0]
        what = f"{score.upper()} at β = {HIGH:g} minus at β = {LOW:g}"
        found.append(claims.positive(claim, "Results, Fig. 5 and text", page, what, optima.mean(high - low)))
    return found
