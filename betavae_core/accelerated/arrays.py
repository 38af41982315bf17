"""A trained ensemble as NumPy arrays: what `evaluation` needs of one, in a process without TensorFlow.

`encode` and `features` are those of `networks.model`, on NumPy or JAX arrays.
"""

import numpy as np

from betavae_core.accelerated import philox
from betavae_core.images.factors import Images
from betavae_core.networks.architecture import EVALUATION
from betavae_core.networks.posterior import Posterior


def encode(kernels, biases, images, depth: int, latents: int, xp) -> tuple:
    """Parts of q(z|x), (member, sample, …): mean, log-variance, entries below the diagonal or None.

    kernels, biases : as of `networks.model.Ensemble`; images : stacked `Images`
    depth : hidden layers of the encoder; xp : numpy or jax.numpy
    """
    scores, components, _ = images
    h = scores @ (kernels[0] if components is None else components @ kernels[0]) + biases[0]
    for layer in range(1, depth + 1):
        h = xp.tanh(h) @ kernels[layer] + biases[layer]
    lower = h[..., 2 * latents :] if h.shape[-1] > 2 * latents else None
    return h[..., :latents], h[..., latents : 2 * latents], lower


def features(kernels, biases, z, depth: int, xp):
    """Last hidden layer of the decoder for latents z (member, sample, k)."""
    for layer in range(depth + 1, len(kernels) - 1):
        z = xp.tanh(z @ kernels[layer] + biases[layer])
    return z


class Trained:
    """Weights of some members; where evaluation is concerned a `networks.model.Ensemble`."""

    def __init__(self, kernels, biases, latents: int, hidden):
        self.kernels, self.biases, self.latents, self.hidden = kernels, biases, latents, tuple(hidden)
        self.members = len(kernels[0])

    def some(self, members: slice) -> "Trained":
        """Some of them alone."""
        kernels, biases = ([part[members] for part in parts] for parts in (self.kernels, self.biases))
        return Trained(kernels, biases, self.latents, self.hidden)

    def finite(self, member: int) -> bool:
        """Whether all weights of a member are finite."""
        return all(np.isfinite(part[member]).all() for part in (*self.kernels, *self.biases))

    def posterior(self, data) -> Posterior:
        """q(z|x) of each member and image, in float64; data: one ImageData per member."""
        images = Images.stacked([Images.of(each) for each in data])
        parts = encode(self.kernels, self.biases, images, len(self.hidden), self.latents, np)
        return Posterior(*parts).to_numpy()

    def decode(self, z) -> np.ndarray:
        """Reconstructed standardised pixels for latents z (member, sample, k)."""
        hidden = features(self.kernels, self.biases, np.asarray(z, np.float32), len(self.hidden), np)
        return hidden @ self.kernels[-1] + self.biases[-1]

    def draws(self, seed: int, shape) -> np.ndarray:
        """Standard normal numbers for the evaluation of a member of that seed, in float64."""
        return philox.normal(seed, EVALUATION, shape, double=True)
