"""What a trained ensemble is worth: every term of the β-VAE identity, and pictures of its latents.

Terms are averaged over the images and computed in float64 from the float32 network.
"""

from typing import NamedTuple

import numpy as np
import tensorflow as tf

from betavae_core import alignment, likelihood, training
from betavae_core.model import EVALUATION, Ensemble

DRAWS = 16  # per image, for R: 16 times the thesis's 1000 samples
IMPORTANCE_IMAGES, IMPORTANCE_DRAWS = 100, 400  # for MIE
TRAVERSAL = np.linspace(-3, 3, 7)


class Evaluation(NamedTuple):
    """Terms of each member, (member,) arrays in nats. R and MIE are Monte Carlo means, with their standard errors.

    mie_ess is the median effective sample size of the importance sampling behind MIE, of `IMPORTANCE_DRAWS`.
    """

    reconstruction: np.ndarray
    reconstruction_se: np.ndarray
    kl_prior: np.ndarray
    objective: np.ndarray
    elbo: np.ndarray
    tie: np.ndarray
    tie_raw: np.ndarray
    mie: np.ndarray
    mie_se: np.ndarray
    mie_ess: np.ndarray


def evaluate(ensemble: Ensemble, data, betas, seeds, draws: int = DRAWS, only=None) -> Evaluation:
    """R by Monte Carlo over z ~ q, C by TensorFlow Probability, MIE by importance sampling, both forms of TIE.

    Parameters
    ----------
    data : one ImageData per member
    betas, seeds : one number each per member; the seeds key the Monte Carlo draws
    draws : int, latents drawn for each image
    only : numbers of the members to evaluate, all by default

    Source: thesis, Methods, "Calculation of Objective Terms".
    """
    mean, log_variance = (part.numpy().astype(float) for part in ensemble.encode(training.batch(data)))
    members = [
        _evaluate(likelihood.Decoder.of(ensemble, m), data[m], betas[m], seeds[m], mean[m], log_variance[m], draws)
        for m in (range(ensemble.members) if only is None else only)
    ]
    return Evaluation(*np.array(members).reshape(-1, len(Evaluation._fields)).T)


def _evaluate(decoder, data, beta, seed, mean, log_variance, draws) -> Evaluation:
    """The terms of one member, as numbers."""
    import tensorflow_probability as tfp

    variance, x = np.exp(log_variance), data.standardised
    posterior = tfp.distributions.MultivariateNormalDiag(mean, np.sqrt(variance))
    prior = tfp.distributions.MultivariateNormalDiag(np.zeros(mean.shape[1]))
    divergence = tfp.distributions.kl_divergence(posterior, prior).numpy()  # (image,)

    shape = (len(mean), draws, mean.shape[1])
    noise = tf.random.stateless_normal(shape, (seed, EVALUATION), dtype=tf.float64, alg="philox").numpy()
    log_density = decoder.log_density(x, mean[:, None] + noise * np.sqrt(variance)[:, None])  # (image, draw)
    elbo = log_density.mean(1) - divergence

    first = slice(IMPORTANCE_IMAGES)
    rng = np.random.default_rng([seed, EVALUATION])
    log_p, ess = likelihood.log_likelihood(decoder, x[first], mean[first], variance[first], rng, IMPORTANCE_DRAWS)
    mie = log_p - elbo[first]  # the same images on both sides, so that what they share cancels

    tie, tie_raw = true_inference_error(mean, variance, data)
    reconstruction, kl_prior = log_density.mean(), divergence.mean()
    return Evaluation(
        reconstruction=reconstruction,
        reconstruction_se=np.sqrt(log_density.var(1, ddof=1).mean() / log_density.size),
        kl_prior=kl_prior,
        objective=reconstruction - beta * kl_prior,
        elbo=reconstruction - kl_prior,
        tie=tie,
        tie_raw=tie_raw,
        mie=mie.mean(),
        mie_se=mie.std(ddof=1) / np.sqrt(len(mie)),
        mie_ess=np.median(ess),
    )


def true_inference_error(mean, variance, data) -> tuple[float, float]:
    """KL(q(z|x) ‖ p_gt(s|x)), averaged over images, in nats: under the best signed permutation, and without one.

    Parameters
    ----------
    mean, variance : (n, k) arrays of q(z|x)
    data : ImageData with the exact posterior of the same images
    """
    M, target = data.posterior_precision, data.posterior_mean
    n, k = mean.shape
    second_moment = mean.T @ mean / n + np.diag(variance.mean(0))
    cross = mean.T @ target @ M / n
    signal = np.einsum("ni,ij,nj->", target, M, target) / n
    rest = 0.5 * (signal - k - np.linalg.slogdet(M)[1] - np.log(variance).sum(-1).mean())
    aligned, _ = alignment.align(second_moment, cross, M)
    return float(aligned + rest), float(0.5 * np.trace(M @ second_moment) - np.trace(cross) + rest)


def encode(ensemble: Ensemble, data) -> tuple[np.ndarray, np.ndarray]:
    """Mean and variance of q(z|x), each (member, image, k)."""
    mean, log_variance = ensemble.encode(training.batch(data))
    return mean.numpy(), np.exp(log_variance.numpy())


def reconstructions(ensemble: Ensemble, data, count: int) -> np.ndarray:
    """Decoded posterior means of the first images in grey levels, (member, count, 40, 40)."""
    mean, _ = encode(ensemble, data)
    return _pictures(ensemble, data, mean[:, :count])


def traversals(ensemble: Ensemble, data, values=TRAVERSAL) -> np.ndarray:
    """Decoded latents, one moved through `values` and the others held at 0, (member, k, value, 40, 40)."""
    k, values = ensemble.latents, np.asarray(values)
    z = np.zeros((ensemble.members, k, len(values), k), np.float32)
    for latent in range(k):
        z[:, latent, :, latent] = values
    flat = _pictures(ensemble, data, z.reshape(ensemble.members, -1, k))
    return flat.reshape(ensemble.members, k, len(values), *flat.shape[-2:])


def _pictures(ensemble, data, z) -> np.ndarray:
    pixels = ensemble.decode(tf.constant(z, tf.float32)).numpy()
    return np.stack([d.unstandardise(member) for d, member in zip(data, pixels, strict=True)])
