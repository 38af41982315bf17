"""The β-VAE's encoder and decoder, for many independent members at once: the member axis leads every weight."""

import itertools
import math

import tensorflow as tf

from betavae_core.networks.architecture import HIDDEN, LATENTS, PIXELS, pairs
from betavae_core.networks.posterior import Posterior

WEIGHTS, NOISE, EVALUATION = (i << 24 for i in range(3))  # random streams of one seed: stream + index


class Ensemble:
    """Fully connected encoder and decoder with tanh activations, and linear heads and output.

    encoder: pixels → hidden → (mean, log-variance, and in the full family off-diagonal entries of L) of q(z|x)
    decoder: z → reversed hidden → pixels, the mean of p(x|z) = N(·, I)

    Parameters
    ----------
    members : int
    latents : int k
    hidden : widths of the encoder's hidden layers; () makes both networks linear
    pixels : int
    family : "diagonal" or "full" covariance of q; see `networks.posterior`
    """

    def __init__(
        self, members: int = 1, latents: int = LATENTS, hidden=HIDDEN, pixels: int = PIXELS, family: str = "diagonal"
    ):
        self.members, self.latents, self.hidden, self.pixels = members, latents, tuple(hidden), pixels
        self.family = family
        encoder = (pixels, *self.hidden)
        decoder = (latents, *reversed(self.hidden))
        self.shapes = [
            *itertools.pairwise(encoder),
            (encoder[-1], 2 * latents + pairs(latents, family)),
            *itertools.pairwise(decoder),
            (decoder[-1], pixels),
        ]
        self.variables = [
            *(tf.Variable(tf.zeros((members, *shape))) for shape in self.shapes),
            *(tf.Variable(tf.zeros((members, 1, shape[1]))) for shape in self.shapes),
        ]

    @property
    def kernels(self) -> list:
        """A matrix for each layer, (member, in, out); what is trained, unless a subclass makes them of it."""
        return self.variables[: len(self.shapes)]

    @property
    def biases(self) -> list:
        """A row for each layer, (member, 1, out)."""
        return self.variables[len(self.shapes) :]

    def finite(self, member: int) -> bool:
        """Whether all weights of a member are finite."""
        return all(bool(tf.reduce_all(tf.math.is_finite(variable[member]))) for variable in self.variables)

    def initialise(self, seeds) -> None:
        """Glorot-uniform kernels and zero biases; member i draws from seeds[i] alone.

        The mean head and the log-variance head are one kernel, each with its own Glorot limit. The head of the full
        family's off-diagonal entries starts at zero, so that both families start from the same network.
        """
        for layer, (kernel, (fan_in, fan_out)) in enumerate(zip(self.variables, self.shapes, strict=False)):
            heads = layer == len(self.hidden)
            drawn, width = (2 * self.latents, self.latents) if heads else (fan_out, fan_out)
            limit = math.sqrt(6 / (fan_in + width))
            values = [
                tf.random.stateless_uniform((fan_in, drawn), (seed, WEIGHTS + layer), -limit, limit, alg="philox")
                for seed in seeds
            ]
            kernel.assign(tf.pad(values, ((0, 0), (0, 0), (0, fan_out - drawn))))
        for bias in self.variables[len(self.shapes) :]:
            bias.assign(tf.zeros_like(bias))

    def encode(self, images) -> Posterior:
        """q(z|x), its parts (member, sample, …); images as in `training.Batch`."""
        depth, k = len(self.hidden), self.latents
        h = images.project(self.kernels[0]) + self.biases[0]  # (member, sample, hidden)
        for layer in range(1, depth + 1):
            h = tf.tanh(h) @ self.kernels[layer] + self.biases[layer]
        lower = h[..., 2 * k :] if self.family == "full" and k > 1 else None
        return Posterior(h[..., :k], h[..., k : 2 * k], lower)

    def features(self, z):
        """Last hidden layer of the decoder, (member, sample, hidden), for latents z (member, sample, k)."""
        for layer in range(len(self.hidden) + 1, len(self.shapes) - 1):
            z = tf.tanh(z @ self.kernels[layer] + self.biases[layer])
        return z

    def decode(self, z):
        """Reconstructed standardised pixels for latents z (member, sample, k): (member, sample, pixel)."""
        return self.features(z) @ self.kernels[-1] + self.biases[-1]
