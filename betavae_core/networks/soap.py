"""Training that settles sooner: SOAP's steps, in the images' own basis, and an output layer that is solved at the end.

The whole data set is one batch, so gradients carry no noise but that of the draws z, and what limits Adam is curvature.
Three things that hold for such networks shorten training from thousands of steps to hundreds:

- *SOAP* (Vyas et al. 2025) takes Adam's step in the eigenbasis of each kernel's gradients: with G the gradient, and L
  and R the running means of GGᵀ and GᵀG, Adam acts on Q_Lᵀ G Q_R. Eigenvectors are followed by a step of orthogonal
  iteration every `EVERY` steps.
- The images of a member span r directions, 3 where two digits are mixed and about 110 where one moves. The first and
  the last layer are trained in that basis. What lies off the span has no effect on a training image, and ends at 0.
- The decoder's output layer is linear. Once training ends, it is set to the least-squares solution over fresh draws.
"""

import functools

import numpy as np
import tensorflow as tf

from betavae_core.images.factors import Images
from betavae_core.networks import training
from betavae_core.networks.architecture import DECAY_1, DECAY_2, EPSILON
from betavae_core.networks.model import Ensemble
from betavae_core.networks.objective import PLAIN, Objective
from betavae_core.networks.output_layer import solved
from betavae_core.networks.weights import Weights

EVERY = 10  # steps between two looks at the eigenvectors
DECAY = 0.95  # of the running means of GGᵀ and GᵀG
RISE = 50  # first steps, over which the rate rises from 0
LARGEST = 512  # a side of a kernel beyond this keeps its own axes, as in SOAP's paper
NEGLIGIBLE = 1e-5  # of the largest singular value: images have no such direction
PADDED = 16  # a rank is rounded up to a multiple, so that realizations share a compiled loop


class Soap(training.Adam):
    """SOAP's steps for variables (member, in, out); a row (member, 1, out) takes Adam's.

    The first step moves nothing: it finds the first eigenvectors.
    """

    def __init__(self, variables):
        super().__init__(variables)
        self.sides = [[self._side(v, axis) for axis in (1, 2)] for v in variables]

    @staticmethod
    def _side(variable, axis: int):
        """Running mean of GGᵀ or GᵀG and its eigenvectors; None where axes are kept."""
        size = variable.shape[axis]
        if not 1 < size <= LARGEST or variable.shape[1] == 1:
            return None
        eye = tf.eye(size, batch_shape=[variable.shape[0]])
        return tf.Variable(tf.zeros_like(eye)), tf.Variable(eye)

    def reset(self) -> None:
        """Forget all steps."""
        super().reset()
        for mean, axes in (side for pair in self.sides for side in pair if side):
            mean.assign(tf.zeros_like(mean))
            axes.assign(tf.eye(axes.shape[-1], batch_shape=[axes.shape[0]]))

    def apply(self, gradients, count, rate) -> None:
        """One step; `count` is its number, from 1."""
        rate = rate * tf.minimum(1.0, (count - 1) / RISE)
        parts = zip(self.variables, self.first, self.second, self.sides, gradients, strict=True)
        for variable, first, second, (left, right), gradient in parts:
            for side, turned in ((left, False), (right, True)):
                if side:
                    square = tf.matmul(gradient, gradient, transpose_a=turned, transpose_b=not turned)
                    side[0].assign_add((1 - DECAY) * (square - side[0]))
            first.assign_add((1 - DECAY_1) * (gradient - first))
            second.assign_add((1 - DECAY_2) * (self._into(gradient, left, right) ** 2 - second))
            mean = self._into(first, left, right) / (1 - DECAY_1**count)
            step = mean / (tf.sqrt(second / (1 - DECAY_2**count)) + EPSILON)
            variable.assign_sub(rate * self._back(step, left, right))

    @staticmethod
    def _into(values, left, right):
        values = tf.matmul(left[1], values, transpose_a=True) if left else values
        return values @ right[1] if right else values

    @staticmethod
    def _back(values, left, right):
        values = left[1] @ values if left else values
        return tf.matmul(values, right[1], transpose_b=True) if right else values

    def calls(self, steps: int):
        """First step and number of steps of each call of the compiled loop; `refresh` follows it."""
        return [(0, 1), *((start, min(EVERY, steps - start)) for start in range(1, steps, EVERY))]

    def refresh(self, start: int) -> None:
        """Eigenvectors anew after the steps from `start` on: exact ones at first, later one orthogonal iteration."""
        self._iterate() if start else self._decompose()

    @tf.function
    def _decompose(self) -> None:
        for mean, axes in (side for pair in self.sides for side in pair if side):
            axes.assign(tf.reverse(tf.linalg.eigh(mean)[1], [-1]))

    @tf.function
    def _iterate(self) -> None:
        for mean, axes in (side for pair in self.sides for side in pair if side):
            axes.assign(tf.linalg.qr(mean @ axes)[0])


class InOwnBasis(Ensemble):
    """An ensemble whose first and last layer act on coordinates in the images' own basis, axes (member, r, p)."""

    def __init__(self, members: int, coordinates: int, **architecture):
        super().__init__(members, **architecture, coordinates=coordinates)
        self.whole = Ensemble(members, **architecture)
        self.axes = np.zeros((members, coordinates, self.pixels), np.float32)

    def initialise(self, seeds) -> None:
        """The start of an ensemble on pixels, seen in the basis."""
        self.whole.initialise(seeds)
        kernels = self.whole.kernels
        seen = [self.axes @ kernels[0], *kernels[1:-1], tf.matmul(kernels[-1], self.axes, transpose_b=True)]
        for variable, value in zip(self.kernels, seen, strict=True):
            variable.assign(value)
        for bias in self.biases:
            bias.assign(tf.zeros_like(bias))

    @property
    def weights(self) -> Weights:
        """On pixels, as every other ensemble's."""
        inner = super().weights
        first, last = np.swapaxes(self.axes, 1, 2) @ inner.kernels[0], inner.kernels[-1] @ self.axes
        kernels, biases = [first, *inner.kernels[1:-1], last], [*inner.biases[:-1], inner.biases[-1] @ self.axes]
        return inner._replace(kernels=kernels, biases=biases)


@functools.lru_cache(maxsize=4)
def trainer(members: int, coordinates: int, xla: bool, aim: Objective, **architecture) -> training.Trainer:
    """The compiled trainer of this shape, made once per process."""
    return training.Trainer(InOwnBasis(members, coordinates, **architecture), xla, aim, Soap)


def fit(
    data, betas, seeds, epochs: int, schedule=None, progress=None, xla=False, aim: Objective = PLAIN, **architecture
):
    """Train each member from its seed, one step an epoch, as `training.Trainer.fit` does.

    Returns the networks on pixels, `Weights`, and the (member, epochs) objective at each step, in nats.
    """
    given = [Images.of(each) for each in data]
    seen, axes = own_basis(given)
    found = trainer(*axes.shape[:2], xla, aim, **architecture)
    found.ensemble.axes = axes
    curves = found.fit(seen, betas, seeds, epochs, schedule, progress)
    return solved(found.weights, given, seeds), curves


def own_basis(images: list[Images]) -> tuple[list[Images], np.ndarray]:
    """Coordinates U S of the images X = U S V of each member, and the axes V of all, (member, r, p).

    r is one for all, padded with zeros to a multiple of `PADDED`.
    """
    found = []
    for scores, components, _ in images:
        whole = scores if components is None else scores @ components
        left, sizes, axes = np.linalg.svd(whole.astype(float), full_matrices=False)
        rank = int((sizes > NEGLIGIBLE * sizes[0]).sum())
        found.append((((left * sizes)[:, :rank]).astype(np.float32), axes[:rank].astype(np.float32)))
    most = -(-max(len(axes) for _, axes in found) // PADDED) * PADDED
    fill = [(0, most - len(axes)) for _, axes in found]
    seen = [
        Images(np.pad(scores, ((0, 0), zeros)), None, each.energy)
        for (scores, _), zeros, each in zip(found, fill, images, strict=True)
    ]
    return seen, np.stack([np.pad(axes, (zeros, (0, 0))) for (_, axes), zeros in zip(found, fill, strict=True)])
