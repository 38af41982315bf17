"""The squared error from factors, and the compiled Adam loop that makes an `objective.Objective` large."""

import functools

import numpy as np
import tensorflow as tf

from betavae_core.images.factors import Images
from betavae_core.networks.architecture import DECAY_1, DECAY_2, EPSILON, LEARNING_RATE, NOISE, STEPS_PER_CALL
from betavae_core.networks.model import Ensemble, batch
from betavae_core.networks.objective import PLAIN, Objective
from betavae_core.networks.weights import Weights


def squared_error(features, kernel, bias, images: Images) -> tf.Tensor:
    """‖x − (h W + b)‖² per image from factors: no product of images × pixels, forward or backward.

    With H the features, W and b the output layer and X = U V:

    ‖x − (hW + b)‖² = h (WWᵀ) hᵀ + 2 h (Wbᵀ − W xᵀ) + bbᵀ − 2 x bᵀ + xxᵀ,  W Xᵀ = (W Vᵀ) Uᵀ

    The gradient is written out, because the general rule would form several of these products twice:
    dH = 2 g (H WWᵀ + bWᵀ − X Wᵀ),  dW = 2 {(Hᵀ gH) W + (Hᵀg) b − (Hᵀ gU) V},  db = 2 {(gᵀH) W + Σg b − (gᵀU) V}.

    Returns an (m, n) tensor.

    Parameters
    ----------
    features (m, n, d), kernel (m, d, p), bias (m, 1, p)
    images : stacked
    """

    @tf.custom_gradient
    def error(H, W, b):
        Wb = tf.matmul(b, W, transpose_b=True)  # (m, 1, d)
        XW = images.project(tf.transpose(W, (0, 2, 1)))  # (m, n, d)
        Xb = images.project(tf.transpose(b, (0, 2, 1)))[..., 0]  # (m, n)
        pull = H @ tf.matmul(W, W, transpose_b=True) + Wb - XW
        value = tf.reduce_sum((pull + Wb - XW) * H, -1) + tf.reduce_sum(b * b, -1) - 2 * Xb + images.energy

        def gradient(g):
            gH, gsum = g[..., None] * H, tf.reduce_sum(g, -1)[:, None, None]
            h = tf.reduce_sum(gH, 1, keepdims=True)  # (m, 1, d)
            gHU = tf.matmul(gH, images.scores, transpose_a=True)  # (m, d, r)
            gU = tf.matmul(g[:, None], images.scores)  # (m, 1, r)
            if images.components is not None:
                gHU, gU = gHU @ images.components, gU @ images.components
            dW = tf.matmul(gH, H, transpose_a=True) @ W + tf.transpose(h, (0, 2, 1)) * b - gHU
            return 2 * g[..., None] * pull, 2 * dW, 2 * (h @ W + gsum * b - gU)

        return value, gradient

    return error(features, kernel, bias)


def objective_terms(ensemble: Ensemble, images: Images, noise, aim: Objective = PLAIN):
    """R and C of each member in nats, q, and the draw z of each image (member, sample, k) from noise ε."""
    q = ensemble.encode(images)
    z = q.sample(noise)
    error = squared_error(ensemble.features(z), ensemble.kernels[-1], ensemble.biases[-1], images)
    reconstruction = aim.reconstruction(tf.reduce_mean(error, -1), ensemble.pixels)
    return reconstruction, tf.reduce_mean(q.kl_to_prior(), -1), q, z


class Adam:
    """Adam's steps for some variables; `decay_2` is that of second moments."""

    def __init__(self, variables, decay_2: float = DECAY_2):
        self.variables, self.decay_2 = variables, decay_2
        self.first, self.second = ([tf.Variable(tf.zeros_like(v)) for v in variables] for _ in range(2))

    def reset(self) -> None:
        """Forget all steps."""
        for slot in (*self.first, *self.second):
            slot.assign(tf.zeros_like(slot))

    def apply(self, gradients, count, rate) -> None:
        """One step; `count` is its number, from 1."""
        for variable, first, second, gradient in zip(self.variables, self.first, self.second, gradients, strict=True):
            tf.raw_ops.ResourceApplyAdam(
                var=variable.handle,
                m=first.handle,
                v=second.handle,
                beta1_power=DECAY_1**count,
                beta2_power=self.decay_2**count,
                lr=rate,
                beta1=DECAY_1,
                beta2=self.decay_2,
                epsilon=EPSILON,
                grad=gradient,
            )

    def calls(self, steps: int):
        """First step and number of steps of each call of the compiled loop; `refresh` follows it."""
        return [(start, min(STEPS_PER_CALL, steps - start)) for start in range(0, steps, STEPS_PER_CALL)]

    def refresh(self, start: int) -> None:
        """Nothing to do after the steps from `start` on."""


class Trainer:
    """An ensemble with its optimiser and one compiled loop, used again for any β, seed and data of its shape.

    With `xla` a call's steps are one program of XLA, which merges small products: of packs on a GPU, linear networks.
    `aim` is what it trains for; `optimiser` is a class such as `Adam`, which is the thesis's.
    """

    def __init__(self, ensemble: Ensemble, xla: bool = False, aim: Objective = PLAIN, optimiser=Adam):
        self.ensemble, self.members, self.xla, self.aim = ensemble, ensemble.members, xla, aim
        self.optimiser = optimiser(ensemble.variables)

    @property
    def weights(self) -> Weights:
        """What training has made of them, as arrays."""
        return self.ensemble.weights

    def fit(self, data, betas, seeds, epochs: int, schedule=None, progress=None) -> np.ndarray:
        """Train each member from its seed; the whole data set is one batch, so an epoch is one step.

        Returns the objective L_β at each step, (member, epochs), in nats; while β rises, with β as it is then.

        Parameters
        ----------
        data : one ImageData, or `images.factors.Images`, per member
        betas, seeds : one number each per member
        schedule : function of the epochs done, as `schedule` makes it; Adam's step is the thesis's if None
        progress : callable told the number of epochs just done, or None
        """
        self.ensemble.initialise(seeds)
        self.optimiser.reset()
        images = batch(data)
        betas, seeds = tf.constant(betas, tf.float32), tf.constant(seeds, tf.int32)
        curves = []
        for start, steps in self.optimiser.calls(epochs):
            rate, risen = schedule(start) if schedule else (LEARNING_RATE, 1.0)
            rate = tf.constant(rate, tf.float32)
            curves.append(self._steps(images, betas * risen, seeds, tf.constant(start), tf.constant(steps), rate))
            self.optimiser.refresh(start)
            if progress:
                progress(steps)
        return np.concatenate(curves).T

    @tf.function(reduce_retracing=True)
    def _steps(self, images: Images, betas, seeds, start, steps, learning_rate):
        shape = (tf.shape(images.scores)[1], self.ensemble.latents)
        noise = tf.TensorArray(tf.float32, size=steps)  # outside XLA, whose generator gives other numbers
        for step in tf.range(start, start + steps):
            draws = [
                tf.random.stateless_normal(shape, (seeds[i], NOISE + step), alg="philox") for i in range(self.members)
            ]
            noise = noise.write(step - start, tf.stack(draws))
        loop = tf.function(self._loop, jit_compile=True) if self.xla else self._loop
        return loop(images, betas, noise.stack(), start, learning_rate)

    def _loop(self, images: Images, betas, noise, start, learning_rate):
        """An Adam step for each draw of noise, (step, member, sample, k); the objective before each."""
        steps = tf.shape(noise)[0]
        curve = tf.TensorArray(tf.float32, size=steps)
        for step in tf.range(steps):
            curve = curve.write(step, self._step(images, betas, noise[step], start + step, learning_rate))
        return curve.stack()

    @tf.autograph.experimental.do_not_convert  # nothing here depends on a tensor's value: a second less to start
    def _step(self, images: Images, betas, noise, step, learning_rate):
        """One Adam step; the objective before it, (member,)."""
        with tf.GradientTape() as tape:
            reconstruction, kl_prior, q, z = objective_terms(self.ensemble, images, noise, self.aim)
            objective = self.aim.value(reconstruction, kl_prior, betas, q, z)
            loss = -tf.reduce_sum(objective)  # members share no weight: each gets its own gradient
        gradients = tape.gradient(loss, self.ensemble.variables)
        self.optimiser.apply(gradients, tf.cast(step + 1, tf.float32), learning_rate)
        return objective


@functools.lru_cache(maxsize=4)
def trainer(members: int = 1, xla: bool = False, aim: Objective = PLAIN, **architecture) -> Trainer:
    """The compiled trainer for an ensemble of this shape and this aim, made once per process."""
    return Trainer(Ensemble(members, **architecture), xla, aim=aim)
