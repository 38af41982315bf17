"""What turning its latents does to the true inference error of a trained network, from stored latents alone.

TIE is ½ tr(M T Q Tᵀ) − tr(T K) + const in the turn T, with Q = E[μμᵀ + S] and K = E[μ tᵀM] for q(z|x) = N(μ, S) and the
exact posterior N(t, M⁻¹): quadratic in T, as the likelihood of labels is (`findings.turning`).
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import xarray as xr

from betavae_core.findings import latents, tiles, turning
from betavae_core.images import experiments
from betavae_core.images.datasets import ImageData
from betavae_core.results.kept import kept
from betavae_core.theory import alignment, orthogonal
from betavae_core.theory.orthogonal import Form

LABELS = (1, 2, 3, 5, 10, 30, 100)
STARTS = 2  # of each search
DRAWS = {2: 100, 4: 10}  # choices of labels, by the number of latents: four take longer to turn


class Images(NamedTuple):
    """What a network says of n images, and what is true of them.

    mean, covariance : (n, k) and (n, k, k); q(z|x) = N(mean, covariance)
    sources, target, precision : (n, k), (n, k) and (k, k); the exact posterior is N(target, precision⁻¹)
    """

    mean: np.ndarray
    covariance: np.ndarray
    sources: np.ndarray
    target: np.ndarray
    precision: np.ndarray


def error(images: Images) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """TIE as a function of T: what each image adds to Q (n, k, k), to Kᵀ (n, k, k) and to the rest (n,)."""
    mean, covariance, _, target, M = images
    signal = np.einsum("ni,ij,nj->n", target, M, target)
    log_dets = np.linalg.slogdet(M)[1] + np.linalg.slogdet(covariance)[1]
    moment = mean[:, :, None] * mean[:, None] + covariance
    return moment, (target @ M)[:, :, None] * mean[:, None], 0.5 * (signal - len(M) - log_dets)


def tie_of_turns(precision, moment, cross, rest) -> tuple[Form, np.ndarray]:
    """TIE as a form in T and a constant, from means over images of what `error` returns."""
    k = len(precision)
    bent = np.einsum("ij,...ab->...iajb", precision, moment)
    return Form(bent.reshape(*moment.shape[:-2], k * k, k * k), cross), rest


def choices(n: int, most: int, draws: int, rng) -> np.ndarray:
    """Random choices of images to label, (draw, most), of n; the first m of a row are the choice of m."""
    return np.array([rng.permutation(n)[:most] for _ in range(draws)])


def labelled(images: Images, chosen, labels=LABELS) -> dict[str, np.ndarray]:
    """Turn the latents by each choice of labelled images, and judge by all images that are not labelled.

    `chosen` : (draw, most) numbers of images, of which the first m of a row are labelled; `labels` : the m. Where none
    is left to judge by, TIE is NaN.

    Returns a dict of arrays (labels, draw): tie, after turning, and began, as trained, of the same images, nats;
    margin, as `turning.margin`; likelier and closer, whether the next images of a row, as many, confirm the turn beside
    the signed permutation that suits the labels best: their sources are likelier, or their means closer to them.
    """
    n, k, m = *images.mean.shape, np.array(labels)
    at, last = np.minimum(m, n) - 1, np.minimum(2 * m, chosen.shape[1]) - 1
    ways = {"likelier": images.covariance, "closer": np.broadcast_to(np.eye(k), (n, k, k))}
    each = {way: turning.each_likelihood(images.mean, S, images.sources) for way, S in ways.items()}
    sums = {way: [np.cumsum(part[chosen], 1) for part in parts] for way, parts in each.items()}
    told = Form(*(part[:, at] for part in sums["likelier"]))
    turns, values = orthogonal.least(told, STARTS)  # (draw, labels, 2, k, k)
    best, signed = orthogonal.better(turns, values), alignment.signed_permutations(k)
    plain = signed[told(signed[:, None, None]).argmin(0)]
    checks = {way: Form(*(part[:, last] - part[:, at] for part in found)) for way, found in sums.items()}
    left = np.where(m < n, n - m, np.nan)[:, None]
    parts = []
    for part in error(images):
        flat = part.reshape(n, -1)
        rest = (flat.sum(0) - np.cumsum(flat[chosen], 1)[:, at]) / left
        parts.append(rest.reshape(*rest.shape[:2], *part.shape[1:]))
    form, constant = tie_of_turns(images.precision, *parts)
    found = {
        "tie": form(best) + constant,
        "began": form(np.broadcast_to(as_trained(images), best.shape)) + constant,
        "margin": np.abs(values[..., 0] - values[..., 1]),
        **{way: 1.0 * (check(best) < check(plain)) for way, check in checks.items()},
    }
    return {name: value.T for name, value in found.items()}


def as_trained(images: Images) -> np.ndarray:
    """The signed permutation (k, k) with the least TIE of all images: `theory.alignment`."""
    moment, cross, _ = (part.mean(0) for part in error(images))
    return alignment.align(moment, cross.T, images.precision)[1]


def parts(images: Images) -> dict[str, float]:
    """TIE as trained and with the best rotation, of all images, and what the latter is made of, in nats.

    best = means + size + shape,  means = ½ E |M^½ (T μ − t)|²
    size = ½ (τ − k − k log(τ/k)),  τ = E tr(M T S Tᵀ): what one factor on all of q's covariances would take off
    shape = ½ (k log(τ/k) − log det M − E log det S): what is wrong with the covariances but for their size

    None is negative. `factor` is τ/k: in the linear model at the right rotation it is b/σ², for either family.
    """
    form, rest = tie_of_turns(images.precision, *(part.mean(0) for part in error(images)))
    turns, values = orthogonal.least(form)
    T, M, k = orthogonal.better(turns, values), images.precision, len(images.precision)
    spread = float(np.trace(M @ T @ images.covariance.mean(0) @ T.T))
    off = images.mean @ T.T - images.target
    size = 0.5 * (spread - k - k * np.log(spread / k))
    log_dets = np.linalg.slogdet(M)[1] + np.linalg.slogdet(images.covariance)[1].mean()
    return {
        "trained": float(form(as_trained(images)) + rest),
        "best": float(values.min() + rest),
        "means": 0.5 * float(np.einsum("ni,ij,nj->", off, M, off)) / len(off),
        "size": size,
        "shape": 0.5 * float(k * np.log(spread / k) - log_dets),
        "factor": spread / k,
    }


def read(stored: xr.Dataset, b: int, r: int, data) -> Images | None:
    """What is stored of the network at the b-th β of a realization, beside its images; None if it is missing."""
    if (q := latents.stored_posterior(stored, b, r)) is None:
        return None
    n = len(q.mean)
    return Images(q.mean, q.covariance(), data.sources[:n], data.posterior_mean[:n], data.process.posterior_precision)


def networks(stored: xr.Dataset, beta: float) -> Iterator[tuple[int, Images, ImageData]]:
    """Each realization whose latents at the nearest β are stored, with its images."""
    b = int(abs(stored.beta.values - beta).argmin())
    for r in latents.with_latents(stored):
        data = latents.images_of(stored, r)
        if (images := read(stored, b, r, data)) is not None:
            yield r, images, data


def free(images: Images, turns) -> dict[str, float]:
    """What turns T (turn, k, k) change: the most that C and the decoder's inputs move, and the range of TIE.

    C is computed anew from T μ and T S Tᵀ. A turned decoder reads Tᵀ z', so its inputs are those it had, to rounding.
    """
    turns, C = np.asarray(turns), _divergence(images.mean, images.covariance)
    turned = [_divergence(*turning.turned(images.mean, images.covariance, T)) for T in turns]
    form, rest = tie_of_turns(images.precision, *(part.mean(0) for part in error(images)))
    ties = form(turns) + rest
    back = np.einsum("tij,nj,til->tnl", turns, images.mean, turns) - images.mean
    ends = {"least": float(ties.min()), "most": float(ties.max())}
    return {"kl_prior": float(np.abs(np.array(turned) - C).max()), "inputs": float(np.abs(back).max()), **ends}


def _divergence(mean, covariance) -> np.ndarray:
    """KL(q(z|x) ‖ N(0, I)) of each image, nats."""
    trace = np.trace(covariance, axis1=1, axis2=2)
    return 0.5 * (trace + (mean**2).sum(1) - mean.shape[1] - np.linalg.slogdet(covariance)[1])


def best_betas(stored: xr.Dataset, studied: xr.Dataset, what) -> np.ndarray:
    """The best β/ν of each realization (`tiles.reading`): as "trained", with the "best" turn, or by so many labels.

    Of labels the median over draws is read. NaN where the fit has no lowest point in its range.

    `stored` : of an experiment of tiles; studied : its `study`
    """
    tie = studied.tie.sel(labels=what).median("draw") if isinstance(what, int) else studied[what]
    trained = stored.isel(realization=studied.realization.values)
    values = tie.transpose(*trained.tie.dims).values
    fits = tiles.fits(trained.assign(tie=(trained.tie.dims, values)))
    return np.array([tiles.reading(fit).best for fit in fits.values])


@kept
def study(stored: xr.Dataset, labels=LABELS) -> xr.Dataset:
    """`labelled` and `parts` of every network whose latents are stored, of one experiment.

    Choices of labelled images are random and the same at every β of a realization.

    Returns a Dataset over beta × realization: `parts`; and × labels × draw: tie, began, margin. NaN where nothing is
    stored.
    """
    realizations, k = latents.with_latents(stored), experiments.experiment(stored.experiment).latents
    draws, found = DRAWS.get(k, min(DRAWS.values())), {}
    for i, r in enumerate(realizations):
        data = latents.images_of(stored, r)
        rng = np.random.default_rng([r, 2])
        chosen = choices(stored.sizes["sample"], max(labels), draws, rng)
        for b in range(stored.sizes["beta"]):
            if (images := read(stored, b, r, data)) is not None:
                for name, value in (parts(images) | labelled(images, chosen, labels)).items():
                    whole = stored.sizes["beta"], len(realizations), *np.shape(value)
                    found.setdefault(name, np.full(whole, np.nan))[b, i] = value
    dims = ("beta", "realization", "labels", "draw")
    coords = {"beta": stored.beta.values, "realization": realizations, "labels": list(labels)}
    return xr.Dataset({n: (dims[: v.ndim], v) for n, v in found.items()}, coords, {"experiment": stored.experiment})
