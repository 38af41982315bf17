"""What stored latents say: scores, latents in use, and the directions in which they move an image."""

import numpy as np
import xarray as xr
from numpy.polynomial import polynomial

from betavae_core.findings import scores
from betavae_core.images import experiments
from betavae_core.images.datasets import ImageData
from betavae_core.networks import posterior
from betavae_core.networks.posterior import Posterior
from betavae_core.results import record
from betavae_core.results.kept import kept
from betavae_core.theory.alignment import align

ACTIVE = 0.01  # nats of KL to the prior, above which a latent counts as used
LEAST_STD = 1e-8  # float16 rounds smaller standard deviations to 0
CURVED = 4  # with it polynomials leave 5 % of the means' variance or less, in the median over networks
DRAWN = "_drawn"  # suffix of a score of latents z ~ q; without it, of their means
SCORES = ("mig", "sap", "correlation")
NAMES = (*SCORES, *(name + DRAWN for name in SCORES), "axes", "active")


@kept
def latent_scores(stored: xr.Dataset) -> xr.Dataset:
    """Scores of the realizations whose latents are stored, over β.

    mig, sap, and correlation (the largest |ρ| between two latents), of means and of one draw z ~ q of each image
    (`*_drawn`); axes (`motion_angle`); active latents.
    """
    realizations = with_latents(stored)
    found = np.full((len(NAMES), stored.sizes["beta"], len(realizations)), np.nan)
    for i, r in enumerate(realizations):
        sources, code = (part[: stored.sizes["sample"]] for part in drawn(stored, r))
        noise = np.random.default_rng([r, 1]).standard_normal(stored.latent_mean.shape[2:])  # the same at every β
        for b in range(stored.sizes["beta"]):
            if (q := stored_posterior(stored, b, r)) is not None:
                judged = [*scored(sources, q.mean), *scored(sources, q.sample(noise))]
                found[:, b, i] = *judged, motion_angle(code, q.mean), in_use_by(q).sum()
    return over_realizations(NAMES, found, stored.beta.values, realizations)


def images_of(stored: xr.Dataset, r: int) -> ImageData:
    """The training images of a realization, as its networks had them."""
    return experiments.training(stored.experiment, r, *drawn_as(stored))


def drawn(stored: xr.Dataset, r: int) -> tuple[np.ndarray, np.ndarray]:
    """The sources (n, k) and codes (n, N) of these images, of which none is rendered."""
    return experiments.drawing(stored.experiment, r, drawn_as(stored)[0]).drawn[0]


def drawn_as(stored: xr.Dataset) -> tuple[int, str]:
    """How many images each realization has, and how they are scaled."""
    return stored.attrs.get("samples", 1000), stored.attrs.get("scaling", "global")


def with_latents(stored: xr.Dataset) -> list[int]:
    """The realizations whose latents are stored, at one β or more."""
    return np.flatnonzero(record.latents_of(stored).any(0)).tolist()


def stored_posterior(stored: xr.Dataset, b: int, r: int) -> Posterior | None:
    """q of the images of the network at the b-th β of a realization, as it is stored; None if it is missing."""
    mean, std = (stored[name].values[b, r].astype(float) for name in ("latent_mean", "latent_std"))
    if not np.isfinite(mean).all() or not std.any():
        return None
    lower = stored.latent_lower.values[b, r] if "latent_lower" in stored else None
    return posterior.stored_as(mean, std, lower, LEAST_STD)


def in_use_by(q: Posterior) -> np.ndarray:
    """Which latents (k,) of a network are in use, from q of its images."""
    return q.kl_by_latent().mean(0) > ACTIVE


def over_realizations(names, values, betas, realizations, attributes=lambda name: {}) -> xr.Dataset:
    """Values (name, beta, realization) as a Dataset."""
    variables = {name: (("beta", "realization"), values[i], attributes(name)) for i, name in enumerate(names)}
    return xr.Dataset(variables, coords={"beta": np.asarray(betas, float), "realization": list(realizations)})


def scored(sources, latents) -> tuple[float, float, float]:
    """`SCORES` of latents (n, k)."""
    return scores.mig(sources, latents), scores.sap(sources, latents), scores.correlation(latents)


def in_use(scored: xr.Dataset) -> np.ndarray:
    """The β at which two latents are in use in every scored realization."""
    return scored.beta.values[(scored.active >= 2).all("realization").values]


def exact_in_latents(mean, std, data) -> tuple[np.ndarray, np.ndarray]:
    """The exact posterior of each image in the plane of the latents: in the order and with the signs of the least TIE.

    N(Pᵀ μ, Pᵀ M⁻¹ P), with p_gt(s|x) = N(μ, M⁻¹) and the signed permutation P of `theory.alignment`, s ≈ P z.

    `mean`, `std` : (n, k) of q = N(mean, diag std²) of the first n images of ImageData `data`

    Returns mean: (n, k); covariance: (k, k), the same for every image.
    """
    M, exact = data.process.posterior_precision, data.posterior_mean[: len(mean)]
    second_moment = mean.T @ mean / len(mean) + np.diag((std**2).mean(0))
    _, P = align(second_moment, mean.T @ exact @ M / len(mean), M)
    return exact @ P, P.T @ np.linalg.inv(M) @ P


def motion_angle(code, mean) -> float:
    """Degrees, 0 to 90, between the directions in which two latents move the code r (n, 2), on average over images.

    Latents may be curved functions of r: their means (n, 2) are fitted by polynomials in r, of degree `CURVED` in each
    of its numbers. Where z₁ moves an image and z₂ stays, r moves at right angles to the gradient of z₂; so the angle at
    an image is that between the two gradients. NaN where a latent is the same for all, or r is not of two numbers.
    """
    if code.shape[1] != 2 or mean[:, :2].std(0).min() < LEAST_STD:
        return np.nan
    place = (code - code.mean(0)) / code.std()  # one scale for both, which leaves angles as they are
    design = polynomial.polyvander2d(*place.T, (CURVED, CURVED))
    fitted = np.linalg.lstsq(design, mean[:, :2], rcond=None)[0].reshape(CURVED + 1, CURVED + 1, 2)
    slopes = [polynomial.polyval2d(*place.T, polynomial.polyder(fitted, axis=axis)) for axis in (0, 1)]
    first, second = np.moveaxis(slopes, 1, 0)  # gradients, (2, n)
    cosines = abs((first * second).sum(0)) / (np.linalg.norm(first, axis=0) * np.linalg.norm(second, axis=0))
    return float(np.degrees(np.arccos(np.minimum(1.0, cosines))).mean())
