"""A deep network of *mixing* at the linear optimum without a step of training: its linear layers are solved.

Images of *mixing* are linear in their code, so the optimal linear β-VAE says what is best. A deep network can be that
model. Its hidden layers stay as they were drawn: they give random features of the image, and of z, whose linear
combinations come close to any linear function. The encoder's head is the least-squares fit to the encoder of
`theory.linear.optimum`, and its log-variances are biases, since v does not depend on x there. The decoder's output
layer is then solved as at the end of training (`networks.output_layer`).

Such a network knows no more than a linear model does. Where images are not linear in their code it is no optimum.
"""

import numpy as np

from betavae_core.findings import prediction
from betavae_core.images.datasets import ImageData
from betavae_core.images.factors import Images
from betavae_core.networks import architecture
from betavae_core.networks.architecture import HIDDEN, LATENTS, PIXELS, WEIGHTS
from betavae_core.networks.output_layer import solved
from betavae_core.networks.weights import Weights
from betavae_core.theory import linear

RIDGE = 1e-6  # of the mean square of a feature: keeps the head's weights finite where features repeat each other


def network(data: ImageData, beta: float, seed: int) -> Weights:
    """The optimal linear β-VAE of some images as a deep network of the thesis's shape, with diagonal covariance."""
    images, weights = Images.of(data), drawn(seed)
    scores = images.scores.astype(float)
    pixels = scores if images.components is None else scores @ images.components
    along = prediction.coordinates(data).along
    best = linear.optimum(np.diag((along**2).mean(0)), beta, latents=LATENTS)
    hidden, depth = pixels, weights.depth
    for kernel, bias in zip(weights.kernels[:depth], weights.biases[:depth], strict=True):
        hidden = np.tanh(hidden @ kernel[0] + bias[0])
    hidden = np.pad(hidden, ((0, 0), (0, 1)), constant_values=1)
    squares = hidden.T @ hidden
    squares[np.diag_indices_from(squares)] += RIDGE * squares.trace() / len(squares)
    head = np.linalg.solve(squares, hidden.T @ along @ best.encoder.T)
    weights.kernels[depth][0, :, :LATENTS], weights.biases[depth][0, 0, :LATENTS] = head[:-1], head[-1]
    weights.biases[depth][0, 0, LATENTS:] = np.log(best.variance)
    return solved(weights, [images], [seed])


def drawn(seed: int) -> Weights:
    """Glorot-uniform kernels of the hidden layers, zeros elsewhere; one member."""
    shapes, rng = architecture.shapes(LATENTS, HIDDEN, PIXELS, "diagonal"), np.random.default_rng([WEIGHTS, seed])
    kernels = [np.zeros((1, *shape), np.float32) for shape in shapes]
    for layer, kernel in enumerate(kernels[:-1]):
        if layer != len(HIDDEN):
            limit = architecture.glorot(layer, *shapes[layer], LATENTS, len(HIDDEN))[1]
            kernel[0] = rng.uniform(-limit, limit, kernel.shape[1:])
    return Weights(kernels, [np.zeros((1, 1, fan_out), np.float32) for _, fan_out in shapes], LATENTS)
