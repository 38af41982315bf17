"""What a trained ensemble is worth: every term of the β-VAE identity, and pictures of its latents.

Terms are averaged over the images and computed in float64 from the float32 network.
"""

from typing import NamedTuple

import numpy as np
import tensorflow as tf

from betavae_core import alignment, training
from betavae_core.model import EVALUATION, Ensemble

DRAWS = 16  # per image, for R: 16 times the thesis's 1000 samples
TRAVERSAL = np.linspace(-3, 3, 7)


class Evaluation(NamedTuple):
    """Terms of each member, (member,) arrays in nats, with the standard error of the Monte Carlo mean R."""

    reconstruction: np.ndarray
    reconstruction_se: np.ndarray
    kl_prior: np.ndarray
    objective: np.ndarray
    elbo: np.ndarray
    tie: np.ndarray
    tie_raw: np.ndarray


def evaluate(ensemble: Ensemble, data, betas, seeds, draws: int = DRAWS) -> Evaluation:
    """R by Monte Carlo over z ~ q, C by TensorFlow Probability, and both true inference errors.

    Parameters
    ----------
    data : one ImageData per member
    betas, seeds : one number each per member; the seeds key the Monte Carlo draws
    draws : int, latents drawn for each image

    Source: thesis, Methods, "Calculation of Objective Terms".
    """
    import tensorflow_probability as tfp

    images = training.batch(data)
    mean, log_variance = ensemble.encode(images.scores, images.components)
    precise = training.batch(data, tf.float64)
    output = tf.cast(ensemble.output, tf.float64)
    log_density = []
    for draw in range(draws):
        noise = tf.stack(
            [tf.random.stateless_normal(mean.shape[1:], (seed, EVALUATION + draw), alg="philox") for seed in seeds]
        )
        features = tf.cast(ensemble.features(mean + noise * tf.exp(0.5 * log_variance)), tf.float64)
        log_density.append(-0.5 * training.squared_error(features, output, precise))
    log_density = np.stack(log_density) + training.log_density_constant(ensemble.pixels)  # (draw, member, image)

    mean, log_variance = (tf.cast(part, tf.float64) for part in (mean, log_variance))
    posterior = tfp.distributions.MultivariateNormalDiag(mean, tf.exp(0.5 * log_variance))
    prior = tfp.distributions.MultivariateNormalDiag(tf.zeros(ensemble.latents, tf.float64))
    kl_prior = tfp.distributions.kl_divergence(posterior, prior).numpy().mean(-1)
    reconstruction = log_density.mean((0, 2))
    tie = [
        true_inference_error(m, v, d) for m, v, d in zip(mean.numpy(), np.exp(log_variance.numpy()), data, strict=True)
    ]
    return Evaluation(
        reconstruction=reconstruction,
        reconstruction_se=np.sqrt(log_density.var(0, ddof=1).mean(-1) / log_density[:, 0].size),
        kl_prior=kl_prior,
        objective=reconstruction - np.asarray(betas) * kl_prior,
        elbo=reconstruction - kl_prior,
        tie=np.array([least for least, _ in tie]),
        tie_raw=np.array([raw for _, raw in tie]),
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
    images = training.batch(data)
    mean, log_variance = ensemble.encode(images.scores, images.components)
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
