"""The β-VAE objective and its compiled Adam loop.

The loss convention lives here and nowhere else: sum over pixels, mean over images, β on C.

    R = E_q log p(x|z) = −½ E‖x − decode(z)‖² − (p/2) log 2π,   C = KL(q(z|x) ‖ N(0, I)),   L_β = R − β C
"""

import functools
import math
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from betavae_core.model import NOISE, Ensemble

LEARNING_RATE, DECAY_1, DECAY_2, EPSILON = 1e-3, 0.9, 0.999, 1e-7  # Adam; thesis, Methods, "Training Details"
STEPS_PER_CALL = 50


class Batch(NamedTuple):
    """Factored images of each member: scores (m, n, r), components (m, r, p), energy Σ‖x‖² per image (m, n)."""

    scores: tf.Tensor
    components: tf.Tensor
    energy: tf.Tensor


def batch(data, dtype=tf.float32) -> Batch:
    """Stack one ImageData per member; float64 there, `dtype` here."""
    scores = np.stack([d.scores for d in data])
    components = np.stack([d.components for d in data])
    gram = components @ np.swapaxes(components, -1, -2)
    energy = ((scores @ gram) * scores).sum(-1)
    return Batch(*(tf.constant(part, dtype) for part in (scores, components, energy)))


def squared_error(features, output, images: Batch) -> tf.Tensor:
    """‖x − features · output‖² per image, (member, sample), from factors only.

    With H the features, W the output layer and X = U V:
    ‖H W − U V‖² = ⟨H WWᵀ, H⟩ − 2 ⟨U V Wᵀ, H⟩ + ‖X‖², row by row.
    """
    quadratic = features @ tf.matmul(output, output, transpose_b=True)
    cross = images.scores @ tf.matmul(images.components, output, transpose_b=True)
    return tf.reduce_sum((quadratic - 2 * cross) * features, -1) + images.energy


def kl_to_prior(mean, log_variance) -> tf.Tensor:
    """KL(N(mean, diag exp(log_variance)) ‖ N(0, I)) per image, in nats."""
    return 0.5 * tf.reduce_sum(tf.exp(log_variance) + mean**2 - 1 - log_variance, -1)


def log_density_constant(pixels: int) -> float:
    """−(p/2) log 2π, what the unit-variance Gaussian adds to −½‖x − x̂‖²."""
    return -0.5 * pixels * math.log(2 * math.pi)


def objective_terms(ensemble: Ensemble, images: Batch, noise) -> tuple[tf.Tensor, tf.Tensor]:
    """R and C of each member in nats, with one draw z = μ + ε exp(½ log-variance) per image."""
    mean, log_variance = ensemble.encode(images.scores, images.components)
    z = mean + noise * tf.exp(0.5 * log_variance)
    error = squared_error(ensemble.features(z), ensemble.output, images)
    reconstruction = -0.5 * tf.reduce_mean(error, -1) + log_density_constant(ensemble.pixels)
    return reconstruction, tf.reduce_mean(kl_to_prior(mean, log_variance), -1)


class Trainer:
    """An ensemble with its Adam state and one compiled loop, used again for any β, seed and data of its shape."""

    def __init__(self, ensemble: Ensemble):
        self.ensemble = ensemble
        self.first = [tf.Variable(tf.zeros_like(v)) for v in ensemble.variables]
        self.second = [tf.Variable(tf.zeros_like(v)) for v in ensemble.variables]

    def fit(self, data, betas, seeds, epochs: int, progress=None) -> np.ndarray:
        """Train each member from its seed; the whole data set is one batch, so an epoch is one step.

        Parameters
        ----------
        data : one ImageData per member
        betas, seeds : one number each per member
        epochs : int
        progress : callable told the number of epochs just done, or None

        Returns
        -------
        (member, epochs) array, the objective L_β at each step, in nats
        """
        self.ensemble.initialise(seeds)
        for slot in (*self.first, *self.second):
            slot.assign(tf.zeros_like(slot))
        images = batch(data)
        betas, seeds = tf.constant(betas, tf.float32), tf.constant(seeds, tf.int32)
        curves = []
        for start in range(0, epochs, STEPS_PER_CALL):
            steps = min(STEPS_PER_CALL, epochs - start)
            curves.append(self._steps(images, betas, seeds, tf.constant(start), tf.constant(steps)))
            if progress:
                progress(steps)
        return np.concatenate(curves).T

    @tf.function(reduce_retracing=True)
    def _steps(self, images: Batch, betas, seeds, start, steps):
        curve = tf.TensorArray(tf.float32, size=steps)
        shape = (tf.shape(images.scores)[1], self.ensemble.latents)
        for step in tf.range(start, start + steps):
            noise = tf.stack(
                [
                    tf.random.stateless_normal(shape, (seeds[i], NOISE + step), alg="philox")
                    for i in range(self.ensemble.members)
                ]
            )
            with tf.GradientTape() as tape:
                reconstruction, kl_prior = objective_terms(self.ensemble, images, noise)
                objective = reconstruction - betas * kl_prior
                loss = -tf.reduce_sum(objective)  # members share no weight: each gets its own gradient
            self._adam(tape.gradient(loss, self.ensemble.variables), tf.cast(step + 1, tf.float32))
            curve = curve.write(step - start, objective)
        return curve.stack()

    def _adam(self, gradients, count) -> None:
        for variable, first, second, gradient in zip(
            self.ensemble.variables, self.first, self.second, gradients, strict=True
        ):
            tf.raw_ops.ResourceApplyAdam(
                var=variable.handle,
                m=first.handle,
                v=second.handle,
                beta1_power=DECAY_1**count,
                beta2_power=DECAY_2**count,
                lr=LEARNING_RATE,
                beta1=DECAY_1,
                beta2=DECAY_2,
                epsilon=EPSILON,
                grad=gradient,
            )


@functools.lru_cache(maxsize=4)
def trainer(members: int = 1, **architecture) -> Trainer:
    """The compiled trainer for an ensemble of this shape, made once per process."""
    return Trainer(Ensemble(members, **architecture))
