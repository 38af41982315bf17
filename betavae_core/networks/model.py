"""The β-VAE's encoder and decoder, for many independent members at once: the member axis leads every weight."""

from typing import NamedTuple

import tensorflow as tf

from betavae_core.images.factors import Images
from betavae_core.networks import architecture
from betavae_core.networks.architecture import EVALUATION, HIDDEN, LATENTS, PIXELS, WEIGHTS
from betavae_core.networks.posterior import Posterior


class Batch(NamedTuple):
    """Images of each member as factors: scores (m, n, r), components (m, r, p) or None, energy ‖x‖² (m, n)."""

    scores: tf.Tensor
    components: "tf.Tensor | None"
    energy: tf.Tensor

    def project(self, kernel) -> tf.Tensor:
        """X · kernel for a kernel (m, p, d), without forming X: (m, n, d)."""
        return self.scores @ (kernel if self.components is None else self.components @ kernel)


def batch(data, dtype=tf.float32) -> Batch:
    """Stack one ImageData per member, ranks padded with zeros."""
    stacked = Images.stacked([Images.of(each) for each in data])
    return Batch(*(part if part is None else tf.constant(part, dtype) for part in stacked))


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
        self.shapes = architecture.shapes(latents, self.hidden, pixels, family)
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
        """Glorot-uniform kernels and zero biases; member i draws from seeds[i] alone. See `architecture.glorot`."""
        for layer, (kernel, (fan_in, fan_out)) in enumerate(zip(self.variables, self.shapes, strict=False)):
            drawn, limit = architecture.glorot(layer, fan_in, fan_out, self.latents, len(self.hidden))
            values = [
                tf.random.stateless_uniform((fan_in, drawn), (seed, WEIGHTS + layer), -limit, limit, alg="philox")
                for seed in seeds
            ]
            kernel.assign(tf.pad(values, ((0, 0), (0, 0), (0, fan_out - drawn))))
        for bias in self.variables[len(self.shapes) :]:
            bias.assign(tf.zeros_like(bias))

    def posterior(self, data) -> Posterior:
        """q(z|x) of each member and image, in float64; data: one ImageData per member."""
        return self.encode(batch(data)).to_numpy()

    def encode(self, images: Batch) -> Posterior:
        """q(z|x), its parts (member, sample, …)."""
        depth, k = len(self.hidden), self.latents
        h = images.project(self.kernels[0]) + self.biases[0]  # (member, sample, hidden)
        for layer in range(1, depth + 1):
            h = tf.tanh(h) @ self.kernels[layer] + self.biases[layer]
        lower = h[..., 2 * k :] if architecture.pairs(k, self.family) else None
        return Posterior(h[..., :k], h[..., k : 2 * k], lower)

    def features(self, z):
        """Last hidden layer of the decoder, (member, sample, hidden), for latents z (member, sample, k)."""
        for layer in range(len(self.hidden) + 1, len(self.shapes) - 1):
            z = tf.tanh(z @ self.kernels[layer] + self.biases[layer])
        return z

    def decode(self, z):
        """Reconstructed standardised pixels for latents z (member, sample, k): (member, sample, pixel)."""
        return self.features(tf.convert_to_tensor(z, tf.float32)) @ self.kernels[-1] + self.biases[-1]

    def draws(self, seed: int, shape):
        """Standard normal numbers for the evaluation of a member of that seed, in float64."""
        return tf.random.stateless_normal(shape, (seed, EVALUATION), dtype=tf.float64, alg="philox").numpy()
