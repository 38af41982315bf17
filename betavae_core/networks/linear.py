"""The analytical β-VAE as a network without hidden layers, trained in units in which its data are white.

With Σ = T Tᵀ the weights that Adam moves are those for x' = T⁻¹x, all of order one whatever the units and the spread
of the data. In data divided by c, β/c² gives the same optimum: the largest variance is one and no gradient is lost.
"""

import functools

import numpy as np
import tensorflow as tf

from betavae_core.images import datasets
from betavae_core.networks import training
from betavae_core.networks.model import Ensemble

SAMPLES = 2_000
FIRST_RATE, LAST_RATE = 3e-2, 1e-5  # Adam's step, falling geometrically
DECAY_2 = 0.99  # of Adam's second moments: gradients fall by orders of magnitude, and 0.999 remembers the first ones


class Whitened(Ensemble):
    """Linear encoder and decoder of x = T x' whose weights are kept as those of x'; T (member, N, N) is `root`."""

    def __init__(self, members: int, latents: int, pixels: int):
        super().__init__(members, latents, hidden=(), pixels=pixels)
        self.root, self.inverse = (tf.Variable(tf.eye(pixels, batch_shape=[members])) for _ in range(2))

    @property
    def kernels(self) -> list:
        encoder, decoder = super().kernels
        return [tf.matmul(self.inverse, encoder, transpose_a=True), tf.matmul(decoder, self.root, transpose_b=True)]

    @property
    def biases(self) -> list:
        heads, output = super().biases
        return [heads, tf.matmul(output, self.root, transpose_b=True)]

    def whiten(self, roots) -> None:
        """Set T of each member."""
        self.root.assign(roots)
        self.inverse.assign(np.linalg.inv(roots))


def train(processes, betas, steps: int, planned: int):
    """Train one network for each process and β, for `steps` of those planned; the processes share N and k.

    Returns
    -------
    ensemble : `Whitened`, networks of x itself
    data : one ImageData per network
    curves : (network, step) objective in nats, up to a constant
    """
    N, k = processes[0].mixing.shape
    data = [datasets.linear_sample(process, SAMPLES, np.random.default_rng(0)) for process in processes]
    roots = np.stack([_root(process) for process in processes])
    unit = np.linalg.norm(roots, axis=1).max(1)  # largest standard deviation of each
    trainer = _trainer(len(processes), k, N)
    trainer.ensemble.whiten(roots / unit[:, None, None])
    scaled = [d.divided_by(c) for d, c in zip(data, unit, strict=True)]
    seeds = range(len(processes))
    curves = trainer.fit(scaled, np.asarray(betas) / unit**2, seeds, steps, lambda step: (rate(step / planned), 1.0))
    trainer.ensemble.whiten(roots)
    return trainer.ensemble, data, curves * unit[:, None] ** 2


def rate(part: float) -> float:
    """Adam's step when this part of the steps is done."""
    return FIRST_RATE * (LAST_RATE / FIRST_RATE) ** part


def _root(process) -> np.ndarray:
    """T = U diag(√λ), with T Tᵀ = Σ."""
    vectors, singular, _ = np.linalg.svd(process.mixing)
    signal = np.pad(singular, (0, len(vectors) - len(singular)))
    return vectors * np.sqrt(process.noise_std**2 + signal**2)


@functools.lru_cache(maxsize=4)
def _trainer(members: int, latents: int, pixels: int) -> training.Trainer:
    """The compiled trainer for networks of this shape, made once per process."""
    return training.Trainer(Whitened(members, latents, pixels), decay_2=DECAY_2)
