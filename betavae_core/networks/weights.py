"""The one form in which trained networks are handed on: their weights as NumPy arrays, whichever library trained them.

Evaluation, pictures and storage read these, in processes that need neither library. The forward pass, `encode` and
`features`, is that of both trainers as well: on JAX arrays, and on the variables of a `model.Ensemble`.
"""

from typing import NamedTuple

import numpy as np

from betavae_core.images.factors import Images
from betavae_core.networks import posterior
from betavae_core.networks.posterior import Posterior


class Weights(NamedTuple):
    """Weights of some members of one architecture.

    kernels, biases : a matrix (member, in, out) and a row (member, 1, out) for each layer, encoder first
    latents, family : k, and the family of q
    variances : σ_x² of each member's decoder, (member,); None where all are 1
    """

    kernels: list
    biases: list
    latents: int
    family: str = "diagonal"
    variances: np.ndarray | None = None

    @property
    def members(self) -> int:
        """How many there are."""
        return len(self.kernels[0])

    @property
    def depth(self) -> int:
        """Hidden layers of the encoder, as many as of the decoder."""
        return len(self.kernels) // 2 - 1

    def some(self, members: slice) -> "Weights":
        """Some members alone."""
        kernels, biases = ([part[members] for part in parts] for parts in (self.kernels, self.biases))
        variances = None if self.variances is None else self.variances[members]
        return self._replace(kernels=kernels, biases=biases, variances=variances)

    def variance(self, member: int) -> float:
        """σ_x² of a member's decoder."""
        return 1.0 if self.variances is None else float(self.variances[member])

    def finite(self, member: int) -> bool:
        """Whether all weights of a member are finite."""
        return all(np.isfinite(part[member]).all() for part in (*self.kernels, *self.biases))

    def posterior(self, data) -> Posterior:
        """q(z|x) of each member and image, in float64; data: one ImageData per member."""
        return encode(self, Images.stacked(data), np).to_numpy()

    def decode(self, z) -> np.ndarray:
        """Reconstructed standardised pixels for latents z (member, sample, k)."""
        return features(self, np.asarray(z, np.float32), np) @ self.kernels[-1] + self.biases[-1]


def encode(weights, images: Images, xp) -> Posterior:
    """q(z|x), its parts (member, sample, …), of stacked images; xp: numpy, jax.numpy or tensorflow."""
    kernels, biases = weights.kernels, weights.biases
    h = images.project(kernels[0]) + biases[0]
    for layer in range(1, len(kernels) // 2):
        h = xp.tanh(h) @ kernels[layer] + biases[layer]
    return posterior.family(weights.family).of_head(h, weights.latents)


def features(weights, z, xp):
    """Last hidden layer of the decoder for latents z (member, sample, k)."""
    for layer in range(len(weights.kernels) // 2, len(weights.kernels) - 1):
        z = xp.tanh(z @ weights.kernels[layer] + weights.biases[layer])
    return z
