"""The β-VAE's encoder and decoder, for many independent members at once: the member axis leads every weight."""

import numpy as np
import tensorflow as tf

from betavae_core.images.factors import Images
from betavae_core.networks import architecture
from betavae_core.networks.architecture import HIDDEN, LATENTS, PIXELS, WEIGHTS
from betavae_core.networks.posterior import Posterior
from betavae_core.networks.weights import Weights, encode, features


def batch(data) -> Images:
    """`Images.stacked`, as tensors."""
    return Images(*(part if part is None else tf.constant(part) for part in Images.stacked(data)))


class Ensemble:
    """Fully connected encoder and decoder with tanh activations, and linear heads and output.

    encoder: pixels → hidden → the head, which is what the family of q(z|x) makes of it
    decoder: z → reversed hidden → pixels, the mean of p(x|z) = N(·, I)

    Parameters
    ----------
    latents : int k
    hidden : widths of the encoder's hidden layers; () makes both networks linear
    family : of q, one of `posterior.FAMILIES`
    coordinates : in which images are given, where these are not their pixels; see `soap.InOwnBasis`
    """

    def __init__(
        self,
        members: int = 1,
        latents: int = LATENTS,
        hidden=HIDDEN,
        pixels: int = PIXELS,
        family: str = "diagonal",
        coordinates: int | None = None,
    ):
        self.members, self.latents, self.hidden, self.pixels = members, latents, tuple(hidden), pixels
        self.family = family
        self.shapes = architecture.shapes(latents, self.hidden, coordinates or pixels, family)
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

    def encode(self, images: Images) -> Posterior:
        """q(z|x), its parts (member, sample, …)."""
        return encode(self, images, tf)

    def features(self, z) -> tf.Tensor:
        """Last hidden layer of the decoder, (member, sample, hidden), for latents z (member, sample, k)."""
        return features(self, z, tf)

    @property
    def weights(self) -> Weights:
        """What training has made of them, as arrays."""
        kernels, biases = ([np.asarray(part) for part in parts] for parts in (self.kernels, self.biases))
        return Weights(kernels, biases, self.latents, self.family)
