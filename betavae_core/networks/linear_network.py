"""The analytical β-VAE as a network without hidden layers, trained in units in which its data are white.

With Σ = T Tᵀ the weights that Adam moves are those for x' = T⁻¹x, all of order one whatever the units and the spread
of the data. In data divided by c, β/c² gives the same optimum: the largest variance is one and no gradient is lost.
"""

import functools
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from betavae_core.images import datasets
from betavae_core.networks import training
from betavae_core.networks.model import Ensemble
from betavae_core.networks.posterior import Posterior
from betavae_core.theory.alignment import true_inference_error
from betavae_core.theory.gaussian import log_density_constant

SAMPLES = 2_000
FIRST_RATE, LAST_RATE = 3e-2, 1e-5  # Adam's step, falling geometrically
DECAY_2 = 0.9  # of Adam's second moments: log v falls by 20 or more, its gradient with v; 0.999 remembers for too long


class Network(NamedTuple):
    """A trained network in float64: q(z|x) = N(W x + m, diag e^{V x + γ}), p(x|z) = N(D z + c, I)."""

    decoder: np.ndarray  # D (N, k)
    offset: np.ndarray  # c (N,)
    encoder: np.ndarray  # W (k, N)
    shift: np.ndarray  # m (k,)
    slope: np.ndarray  # V (k, N)
    log_variance: np.ndarray  # γ (k,)


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

    def networks(self, roots) -> list[Network]:
        """The members as networks of x itself, for T of each member; in float64, which the products of T need."""
        found, k = [], self.latents
        weights = zip(*(variable.numpy().astype(float) for variable in self.variables), strict=True)
        for T, (heads, decoder, bias, offset) in zip(roots, weights, strict=True):
            rows = np.linalg.solve(T.T, heads).T  # of W, then of V
            found.append(Network(T @ decoder.T, T @ offset[0], rows[:k], bias[0, :k], rows[k:], bias[0, k:]))
        return found


def train(processes, betas, stops: tuple[int, ...]) -> tuple[list[list[Network]], list]:
    """Train one network for each process and β; the processes share N and k.

    `stops` : steps after which the networks are wanted, the last of them all; multiples of `training.STEPS_PER_CALL`

    Returns networks: for each stop, a `Network` of x for each process; samples: an `ImageData` for each, with the
    covariance of the process exactly.
    """
    N, k = processes[0].mixing.shape
    data = [datasets.linear_sample(process, SAMPLES, np.random.default_rng(0)) for process in processes]
    roots = np.stack([_root(process) for process in processes])
    unit = np.linalg.norm(roots, axis=1).max(1)  # largest standard deviation of each
    trainer = _trainer(len(processes), k, N)
    trainer.ensemble.whiten(roots / unit[:, None, None])
    scaled = [d.divided_by(c) for d, c in zip(data, unit, strict=True)]
    found, done = [], 0

    def progress(steps: int) -> None:
        nonlocal done
        done += steps
        if done in stops:
            found.append(trainer.ensemble.networks(roots))

    betas, seeds = np.asarray(betas) / unit**2, range(len(processes))
    trainer.fit(scaled, betas, seeds, stops[-1], lambda step: (rate(step / stops[-1]), 1.0), progress)
    return found, data


def measured(network: Network, data, beta: float) -> dict[str, float]:
    """Terms of a network, in nats, averaged over a sample; R needs no draws, since the decoder is linear.

    R = −½ {E‖x − D μ(x) − c‖² + Σ_i (DᵀD)_ii E v_i(x)} − (N/2) log 2π

    MIE is E KL(q(z|x) ‖ N(G (x − c), M⁻¹)) with M = I + DᵀD = RᵀR and R G = Qᵀ, [D; I] = [Q; R⁻¹] R, as squares that
    never cancel; the log-likelihood is ELBO + MIE.
    """
    D, c, W, m, V, gamma = network
    k = D.shape[1]
    x = data.pixels
    q = Posterior(x @ W.T + m, x @ V.T + gamma)
    misses = ((x - q.mean @ D.T - c) ** 2).sum(1).mean(), ((D**2).sum(0) * np.exp(q.log_variance)).sum(1).mean()
    R, C = log_density_constant(len(D)) - 0.5 * sum(misses), q.kl_to_prior().mean()
    tie, _ = true_inference_error(q.mean, q.covariance(), data.posterior_mean, data.process.posterior_precision)
    Q, root = np.linalg.qr(np.vstack([D, np.eye(k)]))
    miss = q.mean @ root.T - (x - c) @ Q[: len(D)]
    spread = (np.exp(q.log_variance) @ (root**2).sum(0) - q.log_variance.sum(1)).mean()
    mie = 0.5 * (spread + (miss**2).sum(1).mean() - k) - np.log(np.abs(np.diag(root))).sum()
    found = {"reconstruction": R, "kl_prior": C, "objective": R - beta * C, "elbo": R - C, "tie": tie}
    found |= {"mie": mie, "log_likelihood": R - C + mie}
    return {name: float(value) for name, value in found.items()}


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
    """The trainer for networks of this shape, made once per process.

    XLA merges products this small: it saved a quarter to two thirds of the processor time in the three cases timed.
    """
    return training.Trainer(
        Whitened(members, latents, pixels), xla=True, optimiser=functools.partial(training.Adam, decay_2=DECAY_2)
    )
