"""Log-likelihood of a trained decoder by importance sampling, for the model inference error of a deep network.

    log p(x) = log E_{z ~ r} [ p(x|z) p(z) / r(z) ]

Draws from the encoder alone are biased at both ends of the β grid, where q is far narrower or far wider than the
model's posterior. The proposal here is a defensive mixture, r = ½ Laplace + ¼ q + ¼ prior: a Gaussian at the mode of
p(z|x) with an inflated covariance does the work, q and the prior guard against what it misses.
"""

from typing import NamedTuple

import numpy as np
from scipy.special import logsumexp

from betavae_core.networks.posterior import Posterior
from betavae_core.networks.weights import Weights
from betavae_core.theory.gaussian import log_density_constant

NEWTON_STEPS = 12
INFLATION = 1.5  # of the Laplace approximation's standard deviation: tails heavier than the target's
SHARES = (0.5, 0.25, 0.25)  # Laplace, q, prior
ROWS = 512  # latents decoded at once


class Decoder(NamedTuple):
    """A decoder as arrays: hidden layers (kernel, bias) in float32 like the network, the output layer in float64.

    Its noise has variance 1: one of variance σ_x² on images x is this one on x/σ_x, with its output over σ_x.
    gram = W Wᵀ, shift = W bᵀ, norm = bbᵀ for output kernel W (d, p) and bias b (1, p).
    """

    hidden: list
    kernel: np.ndarray
    bias: np.ndarray
    gram: np.ndarray
    shift: np.ndarray
    norm: float

    @classmethod
    def of(cls, weights: Weights, member: int) -> "Decoder":
        """The decoder of one member, in units of its noise σ_x."""
        parts = zip(weights.kernels[weights.depth + 1 :], weights.biases[weights.depth + 1 :], strict=True)
        *hidden, output = [(kernel[member], bias[member]) for kernel, bias in parts]
        kernel, bias = (part.astype(float) / np.sqrt(weights.variance(member)) for part in output)
        return cls(hidden, kernel, bias, kernel @ kernel.T, kernel @ bias[0], float(bias[0] @ bias[0]))

    def features(self, z, tangent: bool = False):
        """Last hidden layer (..., d) at z (..., k), and its derivative (..., k, d) if asked for; float32."""
        z = z.astype(np.float32)
        slope = np.broadcast_to(np.eye(z.shape[-1], dtype=np.float32), (*z.shape, z.shape[-1])) if tangent else None
        for kernel, bias in self.hidden:
            z = z @ kernel
            z += bias[0]
            np.tanh(z, out=z)
            slope = (slope @ kernel) * (1 - z**2)[..., None, :] if tangent else None
        return (z, slope) if tangent else z

    def metric(self, z) -> np.ndarray:
        """JᵀJ of the decoder at z (..., k), with J = ∂ decode/∂z: (..., k, k)."""
        _, slope = self.features(z, tangent=True)
        return slope @ self.gram @ np.swapaxes(slope, -1, -2)

    def log_density(self, x, z) -> np.ndarray:
        """log p(x|z) = −½ ‖x − decode(z)‖² − (p/2) log 2π for images x (n, p), latents z (n, draw, k): (n, draw).

        With h the features of an image's mean latent, decoded to x − r, and h + δ those of a draw:

            ‖r − δW‖² = ‖r‖² + δ {WWᵀ δᵀ − 2 W rᵀ}

        Only ‖r‖² and W rᵀ are differences of large numbers. They are float64, once per image; the rest is float32.
        A few images at a time, so that what lies between stays in the processor's cache.
        """
        h = self.features(z.mean(1)).astype(float)  # (n, d)
        hG, Wx = h @ self.gram, x @ self.kernel.T - self.shift  # (n, d)
        error = np.einsum("nd,nd->n", hG - 2 * Wx, h) + self.norm - 2 * x @ self.bias[0] + np.einsum("np,np->n", x, x)
        gram, pull = self.gram.astype(np.float32), 2 * (hG - Wx).astype(np.float32)
        found = np.empty(z.shape[:2])
        images = max(1, ROWS // z.shape[1])
        for some in (slice(start, start + images) for start in range(0, len(z), images)):
            n, draws, k = z[some].shape
            delta = self.features(z[some].reshape(-1, k)).reshape(n, draws, -1)
            delta -= h[some, None].astype(np.float32)
            pulled = delta @ gram + pull[some, None]
            found[some] = error[some, None] + np.einsum("nsd,nsd->ns", pulled, delta)
        return -0.5 * found + log_density_constant(x.shape[1])


def log_joint(decoder: Decoder, x, z) -> np.ndarray:
    """log p(x|z) + log p(z), shapes as in `Decoder.log_density`."""
    return decoder.log_density(x, z) - 0.5 * (z**2).sum(-1) + log_density_constant(z.shape[-1])


def modes(decoder: Decoder, x, start) -> tuple[np.ndarray, np.ndarray]:
    """Modes of p(z|x) near `start` by damped Gauss–Newton, and the precision I + JᵀJ there, J = ∂ decode/∂z."""
    z, damping = start.copy(), np.ones(len(start))
    eye, Wx = np.eye(z.shape[1]), x @ decoder.kernel.T - decoder.shift
    best = log_joint(decoder, x, z[:, None])[:, 0]
    for _ in range(NEWTON_STEPS):
        h, slope = decoder.features(z, tangent=True)
        residual = Wx - h @ decoder.gram  # W (x − decode)ᵀ
        gradient = (slope @ residual[..., None])[..., 0] - z
        precision = eye + slope @ decoder.gram @ np.swapaxes(slope, -1, -2)
        step = np.linalg.solve(precision * (1 + (damping - 1)[:, None, None] * eye), gradient[..., None])[..., 0]
        value = log_joint(decoder, x, (z + step)[:, None])[:, 0]
        better = value > best
        z, best = np.where(better[:, None], z + step, z), np.where(better, value, best)
        damping = np.where(better, np.maximum(damping / 4, 1), damping * 8)
    return z, eye + decoder.metric(z)


def obliqueness(decoder: Decoder, z) -> float:
    """Mean over latents z (n, k) of the largest |cos| between two columns of the decoder's Jacobian there.

    0 where the columns are orthogonal, which is how training leaves them once it has chosen the axes of the latents;
    they are found from the decoder alone, and no source is asked. A latent that moves the image by less than the
    decoder's noise, ‖column‖² < 1, is not in use and counts as orthogonal to all.
    """
    metric = decoder.metric(z)
    norms = np.sqrt(np.diagonal(metric, axis1=-2, axis2=-1))
    unit = np.divide(1, norms, out=np.zeros_like(norms), where=norms >= 1)
    cosines = np.abs(metric * unit[..., None] * unit[..., None, :]) * (1 - np.eye(z.shape[-1]))
    return float(cosines.max((-2, -1)).mean())


def log_likelihood(decoder: Decoder, x, q: Posterior, rng, draws: int) -> tuple[np.ndarray, np.ndarray]:
    """Importance-sampled log p(x) of each image, and the effective sample size of its draws.

    Returns log_p: (n,) in nats; ess: (n,), (Σw)²/Σw², at most `draws`.

    Parameters
    ----------
    x : (n, p) standardised images
    q : the encoder's posterior of each image
    draws : int ≥ 1, latents for each image
    """
    n, k = q.mean.shape
    centre, precision = modes(decoder, x, q.mean)
    root = np.linalg.cholesky(np.linalg.inv(precision)) * INFLATION
    from_q, from_prior = (round(share * draws) for share in SHARES[1:])
    counts = [draws - from_q - from_prior, from_q, from_prior]
    noise = rng.standard_normal((n, draws, k))
    laplace, encoder, prior = np.split(noise, np.cumsum(counts)[:-1], axis=1)
    q = q.of_draws()
    z = np.concatenate([centre[:, None] + laplace @ np.swapaxes(root, -1, -2), q.sample(encoder), prior], axis=1)
    whitened = (z - centre[:, None]) @ np.swapaxes(np.linalg.inv(root), -1, -2)
    log_det = np.log(np.diagonal(root, axis1=-2, axis2=-1)).sum(-1)
    constant = log_density_constant(k)
    components = [
        -0.5 * (whitened**2).sum(-1) - log_det[:, None] + constant,
        q.log_density(z),
        -0.5 * (z**2).sum(-1) + constant,
    ]
    log_r = logsumexp(components, axis=0, b=np.reshape(counts, (3, 1, 1)) / draws)
    log_w = log_joint(decoder, x, z) - log_r
    log_sum = logsumexp(log_w, axis=1)
    return log_sum - np.log(draws), np.exp(2 * log_sum - logsumexp(2 * log_w, axis=1))
