"""The β-VAE's encoder and decoder, for many independent members at once: the member axis leads every weight."""

import itertools
import math

import tensorflow as tf

from betavae_core.digits import CANVAS

HIDDEN = (256, 200, 200)  # thesis, Methods, "Model Architecture"; the decoder mirrors it
WEIGHTS, NOISE, EVALUATION = (i << 24 for i in range(3))  # random streams of one seed: stream + index


class Ensemble:
    """Fully connected encoder and decoder with tanh activations, and linear heads and output.

    encoder: pixels → hidden → (mean, log-variance) of q(z|x) = N(μ, diag exp(log-variance))
    decoder: z → reversed hidden → pixels, the mean of p(x|z) = N(·, I)

    Parameters
    ----------
    members : int
    latents : int k
    hidden : widths of the encoder's hidden layers; () makes both networks linear
    pixels : int
    """

    def __init__(self, members: int = 1, latents: int = 2, hidden=HIDDEN, pixels: int = CANVAS**2):
        self.members, self.latents, self.hidden, self.pixels = members, latents, tuple(hidden), pixels
        encoder = (pixels, *self.hidden)
        decoder = (latents, *reversed(self.hidden))
        self.shapes = [
            *itertools.pairwise(encoder),
            (encoder[-1], 2 * latents),
            *itertools.pairwise(decoder),
            (decoder[-1], pixels),
        ]
        self.kernels = [tf.Variable(tf.zeros((members, *shape))) for shape in self.shapes]
        self.biases = [tf.Variable(tf.zeros((members, 1, shape[1]))) for shape in self.shapes]

    @property
    def variables(self) -> list[tf.Variable]:
        return [*self.kernels, *self.biases]

    def finite(self, member: int) -> bool:
        """Whether all weights of a member are finite."""
        return all(bool(tf.reduce_all(tf.math.is_finite(variable[member]))) for variable in self.variables)

    def initialise(self, seeds) -> None:
        """Glorot-uniform kernels and zero biases; member i draws from seeds[i] alone.

        The mean head and the log-variance head are one kernel, each with its own Glorot limit.
        """
        depth = len(self.hidden)
        for layer, (kernel, (fan_in, fan_out)) in enumerate(zip(self.kernels, self.shapes, strict=True)):
            width = self.latents if layer == depth else fan_out
            limit = math.sqrt(6 / (fan_in + width))
            kernel.assign(
                [
                    tf.random.stateless_uniform((fan_in, fan_out), (seed, WEIGHTS + layer), -limit, limit, alg="philox")
                    for seed in seeds
                ]
            )
        for bias in self.biases:
            bias.assign(tf.zeros_like(bias))

    def encode(self, images):
        """Mean and log-variance of q(z|x), each (member, sample, k); images as in `training.Batch`."""
        depth = len(self.hidden)
        h = images.project(self.kernels[0]) + self.biases[0]  # (member, sample, hidden)
        for layer in range(1, depth + 1):
            h = tf.tanh(h) @ self.kernels[layer] + self.biases[layer]
        return h[..., : self.latents], h[..., self.latents :]

    def features(self, z):
        """Last hidden layer of the decoder, (member, sample, hidden), for latents z (member, sample, k)."""
        for layer in range(len(self.hidden) + 1, len(self.shapes) - 1):
            z = tf.tanh(z @ self.kernels[layer] + self.biases[layer])
        return z

    def decode(self, z):
        """Reconstructed standardised pixels for latents z (member, sample, k): (member, sample, pixel)."""
        return self.features(z) @ self.kernels[-1] + self.biases[-1]
