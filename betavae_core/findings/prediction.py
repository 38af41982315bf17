"""What the optimal linear β-VAE would score on an experiment's images; nothing is fitted to a network."""

import functools
from typing import NamedTuple

import numpy as np
import scipy.sparse.linalg
import xarray as xr

from betavae_core import paths
from betavae_core.findings import latents
from betavae_core.images import experiments
from betavae_core.images.datasets import Drawing, ImageData, Weighted, standardised
from betavae_core.networks.architecture import PIXELS
from betavae_core.results.kept import kept
from betavae_core.theory import linear
from betavae_core.theory.alignment import align
from betavae_core.theory.gaussian import LinearGaussian, log_density_constant
from betavae_core.theory.terms import attributes

PREDICTED = ("reconstruction", "kl_prior", "elbo", "tie")
ENOUGH = 30  # realizations that a chapter predicts where it says so; a prediction takes a fifth of a second


class Coordinates(NamedTuple):
    """Centred images along their k principal axes, all that the optimal linear β-VAE uses of them.

    along (n, k); left_out: mean square per image off these axes; posterior_mean (n, k) and process as in `ImageData`
    """

    along: np.ndarray
    left_out: float
    posterior_mean: np.ndarray
    process: LinearGaussian


def coordinates(data: ImageData) -> Coordinates:
    """Coordinates of images from the k leading eigenpairs of the smaller of XXᵀ and XᵀX, by Lanczos if k is small."""
    X, k = data.pixels - data.pixels.mean(0), data.sources.shape[1]
    wide = len(X) < X.shape[1]
    gram = X @ X.T if wide else X.T @ X
    if k < len(gram) // 10:
        start = np.random.default_rng(0).standard_normal(len(gram))
        values, vectors = scipy.sparse.linalg.eigsh(gram, k, v0=start)
    else:
        values, vectors = (found[..., -k:] for found in np.linalg.eigh(gram))
    values = np.maximum(values, 0)
    along = vectors * values**0.5 if wide else X @ vectors
    left_out = float(np.trace(gram) - values.sum()) / len(X)
    return Coordinates(along[:, ::-1], left_out, data.posterior_mean, data.process)


def drawn(experiment: str, realization: int, samples: int = 1000, scaling: str = "global") -> Coordinates:
    """Coordinates of the training images of a realization."""
    return _drawn(experiment, realization, samples, scaling, paths.digits())


@functools.lru_cache(maxsize=512)
def _drawn(experiment: str, realization: int, samples: int, scaling: str, _digits) -> Coordinates:
    drawing = experiments.drawing(experiment, realization, samples)
    of_codes = isinstance(drawing.render, Weighted) and scaling == "global"
    return from_codes(drawing) if of_codes else coordinates(next(standardised(drawing, scaling)))


def from_codes(drawing: Drawing) -> Coordinates:
    """`coordinates` of the standardised training images of a drawing that is linear in the code; none is rendered.

    The basis is B = L Q with orthonormal rows in Q: the images r B are r L along these, (n, N).
    """
    (_, code), B = drawing.drawn[0], drawing.render.basis.astype(float)  # digits come in single precision
    L, k = np.linalg.qr(B.T, mode="r").T, drawing.process.mixing.shape[1]
    variance = ((code @ L) ** 2).sum() / len(code) / B.shape[1] - (code.mean(0) @ B.mean(1)) ** 2
    along = (code - code.mean(0)) @ L / variance**0.5
    values, vectors = np.linalg.eigh(along.T @ along)
    posterior_mean = drawing.process.posterior_mean(code)
    return Coordinates(along @ vectors[:, ::-1][:, :k], values[:-k].sum() / len(code), posterior_mean, drawing.process)


@kept
def prediction(experiment: str, betas, realizations, samples: int = 1000, scaling: str = "global") -> xr.Dataset:
    """Terms of the optimal linear β-VAE on the images of each realization.

    The optimum follows from the covariance of the images alone (`linear.optimum`); each term is then a mean over them.

    Returns a Dataset over beta × realization: reconstruction, kl_prior, elbo, tie, in nats; eigenvalue over realization
    × latent.
    """
    pixels = experiments.experiment(experiment).pixels
    found = [linear_terms(drawn(experiment, r, samples, scaling), betas, pixels) for r in realizations]
    terms = np.stack([values for values, _ in found], 2)
    eigenvalues = ("realization", "latent"), np.stack([values for _, values in found])
    return latents.over_realizations(PREDICTED, terms, betas, realizations, attributes).assign(eigenvalue=eigenvalues)


def latent_scores(experiment: str, betas, realizations, samples: int) -> xr.Dataset:
    """Scores of the posterior means of the optimal linear β-VAE on the first `samples` images of each realization.

    μ_i(x) = √(λ_i − β)/λ_i u_iᵀ(x − x̄) while λ_i > β: β changes nothing but the scale of a latent, which no score
    sees, so that each is the same at every such β.

    Returns a Dataset over beta × realization: mig, sap, correlation; NaN where a latent has collapsed.
    """
    found = np.full((len(latents.SCORES), len(betas), len(realizations)), np.nan)
    for r, realization in enumerate(realizations):
        Y = drawn(experiment, realization).along
        sources = experiments.drawing(experiment, realization).drawn[0][0][:samples]
        parameters = linear.optimum(Y.T @ Y / len(Y), np.asarray(betas, float), latents=Y.shape[1])
        for b, (W, variance) in enumerate(zip(parameters.encoder, parameters.variance, strict=True)):
            if (variance < 1).all():
                means = Y[:samples] @ W.T
                found[:, b, r] = latents.scored(sources, means)
    return latents.over_realizations(latents.SCORES, found, betas, realizations)


def beside(stored: xr.Dataset, most: int | None = None, betas=None) -> xr.Dataset:
    """The prediction for the realizations of stored networks that have every β, or the first few of them.

    `betas` in place of those stored; at β = 0, where the terms diverge, it is missing.
    """
    whole = np.isfinite(stored.tie).all("beta").values
    betas = stored.beta.values if betas is None else np.asarray(betas)
    realizations = stored.realization.values[whole][:most]
    found = prediction(stored.experiment, betas[betas > 0], realizations, *latents.drawn_as(stored))
    return found.reindex(beta=betas)


def code_in_pixels(images: Coordinates) -> np.ndarray:
    """What a unit of each code r_j adds to the standardised pixels, (N, N), along their principal axes.

    Only for images that are linear in the code, with as many codes as sources: the axes span them. The code's noise has
    covariance σ² FᵀF there.
    """
    process = images.process
    code = images.posterior_mean @ process.posterior_precision @ np.linalg.pinv(process.mixing) * process.noise_std**2
    return np.linalg.lstsq(code - code.mean(0), images.along, rcond=None)[0]


def noise_in_pixels(experiment: str, realizations) -> np.ndarray:
    """Variances of the code's noise along its axes in standardised pixels, ascending, (realization, N)."""
    images = [drawn(experiment, r) for r in realizations]
    maps = [image.process.noise_std * code_in_pixels(image) for image in images]
    return np.array([np.linalg.eigvalsh(F @ F.T) for F in maps])


def linear_terms(images: Coordinates, betas, pixels: int = PIXELS) -> tuple[np.ndarray, np.ndarray]:
    """`PREDICTED` terms at each β, (term, beta), and the k leading eigenvalues of the images.

    All are quadratic in the images, so that their second moments stand for them, as those of their exact posterior do.
    """
    Y, t, M = images.along, images.posterior_mean, images.process.posterior_precision
    (n, k), S = Y.shape, Y.T @ Y / len(Y)
    D, W, v = linear.optimum(S, np.asarray(betas, float), latents=k)  # (beta, k, k), (beta, k, k), (beta, k)
    missed, lengths = np.eye(k) - D @ W, (D**2).sum(1)
    off = np.einsum("bij,jl,bil->b", missed, S, missed)
    R = log_density_constant(pixels) - 0.5 * (images.left_out + off + (lengths * v).sum(1))
    second = W @ S @ np.swapaxes(W, 1, 2)  # E[m mᵀ]
    C = 0.5 * (np.einsum("bii->b", second) + (v - np.log(v)).sum(1) - k)
    aligned, _ = align(second + v[:, None] * np.eye(k), W @ (Y.T @ t / n) @ M, M)
    rest = np.einsum("ni,ij,nj->", t, M, t) / n - k - np.linalg.slogdet(M)[1] - np.log(v).sum(1)
    return np.stack([R, C, R - C, aligned + 0.5 * rest]), np.linalg.eigvalsh(S)[::-1]
