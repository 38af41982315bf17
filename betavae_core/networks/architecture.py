"""Shape, start and steps of the deep networks, for everything that must know them without loading TensorFlow."""

import itertools
import math

from betavae_core.images.digits import PIXELS  # noqa: F401 part of the shape, and looked for here
from betavae_core.networks import posterior

HIDDEN = (256, 200, 200)  # thesis, Methods, "Model Architecture"; the decoder mirrors it
LATENTS = 2
LEARNING_RATE = 1e-3  # thesis, Methods, "Training Details"
DECAY_1, DECAY_2, EPSILON = 0.9, 0.999, 1e-7  # Adam
OPTIMISERS = ("adam", "soap")  # the thesis's, and the one of `networks.soap`
OUTPUTS = ("trained", "solved")  # of the decoder's last layer; see `networks.output_layer`
STEPS_PER_CALL = 50  # of a compiled loop; Adam's step and β are the same over so many
WEIGHTS, NOISE, EVALUATION = (i << 24 for i in range(3))  # random streams of one seed: stream + index


def shapes(latents: int, hidden, pixels: int, family: str) -> list[tuple[int, int]]:
    """In and out of every layer: the encoder's, its head's, as the family of q has it, and the decoder's."""
    encoder, decoder = (pixels, *hidden), (latents, *reversed(hidden))
    head = encoder[-1], posterior.family(family).outputs(latents)
    return [*itertools.pairwise(encoder), head, *itertools.pairwise(decoder), (decoder[-1], pixels)]


def glorot(layer: int, fan_in: int, fan_out: int, latents: int, depth: int) -> tuple[int, float]:
    """How many columns of a layer's kernel are drawn, and Glorot's limit, √(6/(in + out)).

    The head of means and that of log-variances are one kernel, each with its own limit. What the head has beyond these
    starts at zero, so that all families start from the same network.
    """
    drawn, width = (min(2 * latents, fan_out), latents) if layer == depth else (fan_out, fan_out)
    return drawn, math.sqrt(6 / (fan_in + width))


def schedule(epochs: int, learning_rate: float = LEARNING_RATE, settling: float = 0.0, warmup: float = 0.0):
    """A function of the epochs done: Adam's step, and what β is multiplied by.

    The step falls linearly to 0 over the last part of the epochs, `settling`; β rises linearly from 0 over the first,
    `warmup`. Neither is in the thesis. A β that rises lets every latent be found before the pull to the prior may hide
    it: a latent that starts collapsed leaves that state slowly where β is close to its eigenvalue (KL warm-up:
    Sønderby et al. 2016).

    >>> at = schedule(1000, settling=0.5, warmup=0.4)
    >>> at(100), at(750)
    ((0.001, 0.25), (0.0005, 1.0))
    """

    def at(done: int) -> tuple[float, float]:
        falling = min(1.0, (epochs - done) / (settling * epochs)) if settling else 1.0
        return learning_rate * falling, min(1.0, done / (warmup * epochs)) if warmup else 1.0

    return at
