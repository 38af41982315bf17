"""Numbers in `data/predictions` of networks of tiles that are trained for something else than R − β C.

No command writes its files, which were committed before the networks were trained; chapters read them.

- A penalty on total correlation, `penalised`. By the theorem of `theory.penalties` it changes no optimum, as q(z) is
  the prior there. That is so for infinitely many images. Of n images q(z) is a mixture of n posteriors, which is close
  to the prior only while they are wide enough to overlap; where β is small they are not, TC > 0, and the penalty widens
  them.
- A decoder that learns its variance, `with_learned_variance`.
"""

import numpy as np
import scipy.optimize
import xarray as xr

from betavae_core.findings import latents, prediction
from betavae_core.findings.prediction import Coordinates
from betavae_core.images import experiments
from betavae_core.networks.posterior import Posterior
from betavae_core.theory import linear
from betavae_core.theory.alignment import true_inference_error

DRAWS, SEED = 2, 1  # of each image, held while weights move; a draw and its mirror image


def penalised(images: Coordinates, beta: float, gamma: float, start=None) -> tuple[dict[str, float], np.ndarray]:
    """The linear encoder and decoder with the largest R − β C − γ TC, TC of the mixture of their own posteriors.

    R and C are exact, TC is estimated at draws that stay the same; L-BFGS in float64, from `start` or from the optimum
    without a penalty. A local optimum: along a path of γ, start from that of the γ before.

    Returns reconstruction without constant, kl_prior, tc and tie in nats; and weights (k(2k + 1),), a `start`.
    """
    import tensorflow as tf

    Y = images.along
    (n, k), S = Y.shape, Y.T @ Y / len(Y)
    noise = np.random.default_rng(SEED).standard_normal((DRAWS // 2, n, k))
    noise = np.concatenate([noise, -noise])
    units = np.concatenate([np.full(k * k, 10.0), np.full(k * k, 0.01), np.ones(k)])  # each weight's, about

    def parts(flat):
        D, W = (tf.reshape(part, (k, k)) for part in (flat[: k * k], flat[k * k : 2 * k * k]))
        return D, W, flat[2 * k * k :]

    @tf.function
    def loss(scaled):
        with tf.GradientTape() as tape:
            tape.watch(scaled)
            D, W, log_variance = parts(scaled * units)
            miss, v = tf.eye(k, dtype=D.dtype) - D @ W, tf.exp(log_variance)
            R = -0.5 * (tf.linalg.trace(miss @ S @ tf.transpose(miss)) + tf.reduce_sum(D**2 * v))
            C = 0.5 * (tf.reduce_sum(v - log_variance - 1) + tf.linalg.trace(W @ S @ tf.transpose(W)))
            mean = Y @ tf.transpose(W) + tf.zeros((DRAWS, 1, 1), D.dtype)
            q = Posterior(mean, log_variance + tf.zeros_like(mean))
            TC = tf.reduce_mean(q.total_correlation(q.sample(noise)))
            value = -(R - beta * C - gamma * TC)
        return value, tape.gradient(value, scaled), (R, C, TC)

    def derivatives(scaled):
        value, slope, _ = loss(tf.constant(scaled))
        return float(value), slope.numpy()

    if start is None:
        D, W, v = linear.optimum(S, beta, latents=k)
        start = np.concatenate([D.ravel(), W.ravel(), np.log(v)])
    options = {"maxiter": 500, "ftol": 1e-13, "gtol": 1e-6}
    found = scipy.optimize.minimize(derivatives, start / units, jac=True, method="L-BFGS-B", options=options).x
    R, C, TC = (float(term) for term in loss(tf.constant(found))[2])
    _, W, log_variance = (part.numpy() for part in parts(tf.constant(found * units)))
    q = Posterior(Y @ W.T, np.broadcast_to(log_variance, Y.shape))
    tie, _ = true_inference_error(q.mean, q.covariance(), images.posterior_mean, images.process.posterior_precision)
    return {"reconstruction": R, "kl_prior": C, "tc": TC, "tie": float(tie)}, found * units


def with_learned_variance(experiment: str, betas, realizations) -> xr.Dataset:
    """TIE of the optimal linear β-VAE that learns its decoder's variance as well, on tiles in white noise.

    The images' own covariance has the noise of `experiments.white_noise` added off its k principal axes;
    σ_x² of it is `linear.learned_decoder_variance`, and TIE that of the optimum at water level β σ_x².
    Returns tie in nats and decoder_variance over beta × realization.
    """
    pixels, white = experiments.experiment(experiment).pixels, experiments.white_noise(experiment)
    found = np.empty((2, len(betas), len(realizations)))
    for r, realization in enumerate(realizations):
        images = prediction.drawn(experiment, realization)
        Y, k = images.along, images.along.shape[1]
        values = np.full(pixels, (images.left_out + white) / (pixels - k))
        values[:k] = np.linalg.eigvalsh(Y.T @ Y / len(Y))
        variances = [linear.learned_decoder_variance(np.diag(values), beta, k) for beta in betas]
        found[:, :, r] = prediction.linear_terms(images, np.array(variances) * betas, pixels)[0][-1], variances
    names = "tie", "decoder_variance"
    return latents.over_realizations(names, found, betas, realizations)
