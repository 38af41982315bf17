"""What the optimal linear β-VAE would score on an experiment's images; nothing is fitted to a network."""

import numpy as np
import xarray as xr

from betavae_core.findings import latents
from betavae_core.images import experiments
from betavae_core.networks.architecture import PIXELS
from betavae_core.networks.posterior import Posterior
from betavae_core.theory import linear
from betavae_core.theory.alignment import true_inference_error
from betavae_core.theory.gaussian import log_density_constant
from betavae_core.theory.terms import attributes

PREDICTED = ("reconstruction", "kl_prior", "elbo", "tie")
ENOUGH = 30  # realizations that a chapter predicts where it says so; a prediction takes a fifth of a second


def prediction(experiment: str, betas, realizations) -> xr.Dataset:
    """Terms of the optimal linear β-VAE on the images of each realization.

    The optimum follows from the covariance of the images alone (`linear.optimum`); each term is then the mean over the
    same images. Factors of the images stand for them: coordinates in an orthonormal basis of their span.

    Returns
    -------
    Dataset over beta × realization: reconstruction, kl_prior, elbo, tie, in nats; eigenvalue over realization × latent
    """
    found = [linear_terms(experiments.draw(experiment, r)[0], betas) for r in realizations]
    terms: dict = {
        name: (("beta", "realization"), np.stack([values[i] for values, _ in found], 1), attributes(name))
        for i, name in enumerate(PREDICTED)
    }
    terms["eigenvalue"] = (("realization", "latent"), np.stack([eigenvalues for _, eigenvalues in found]))
    return xr.Dataset(terms, coords={"beta": np.asarray(betas, float), "realization": list(realizations)})


def beside(stored: xr.Dataset, most: int | None = None) -> xr.Dataset:
    """The prediction for the realizations of stored networks that have every β, or the first few of them."""
    whole = np.isfinite(stored.tie).all("beta").values
    return prediction(stored.experiment, stored.beta.values, stored.realization.values[whole][:most])


def code_in_pixels(data) -> np.ndarray:
    """What a unit of each code r_j adds to the standardised pixels, (N, rank), in an orthonormal basis of their span.

    Only for images that are linear in the code. The code's noise has covariance σ² FᵀF there.
    """
    Y, code = _coordinates(data), latents.code(data)
    return np.linalg.lstsq(code - code.mean(0), Y - Y.mean(0), rcond=None)[0]


def _coordinates(data) -> np.ndarray:
    """The images (n, rank) in an orthonormal basis of their span."""
    return data.scores if data.components is None else data.scores @ np.linalg.qr(data.components.T)[1].T


def linear_terms(data, betas) -> tuple[np.ndarray, np.ndarray]:
    """`PREDICTED` terms at each β, (term, beta), and the k leading eigenvalues of the images."""
    Y = _coordinates(data)
    Y = Y - Y.mean(0)
    covariance, k = Y.T @ Y / len(Y), data.sources.shape[1]
    constant, rows = log_density_constant(PIXELS), []
    for D, W, variance in zip(*linear.optimum(covariance, np.asarray(betas, float), latents=k), strict=True):
        q = Posterior(Y @ W.T, np.log(variance))  # the variance is the same for every image
        R = constant - 0.5 * (((Y - q.mean @ D.T) ** 2).sum(1).mean() + ((D**2).sum(0) * variance).sum())
        C = q.kl_to_prior().mean()
        tie, _ = true_inference_error(q.mean, q.covariance(), data.posterior_mean, data.posterior_precision)
        rows.append((R, C, R - C, tie))
    return np.array(rows).T, np.linalg.eigvalsh(covariance)[::-1][:k]
