"""The families of the encoder's posterior q(z|x), a class each, on NumPy arrays, TensorFlow tensors or JAX arrays.

A family says how many outputs the encoder's head has, what they mean, and how q is sampled and measured; trainers,
evaluation and storage ask nothing else. `FAMILIES` names them.
"""

import math
import sys
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any, Self

import numpy as np
from scipy import special

from betavae_core.errors import UsageError


@dataclass(frozen=True, eq=False)
class Posterior:
    """The diagonal family, the thesis's: q(z|x) = N(μ, diag exp(log-variance)), both (..., k), of many images."""

    mean: Any
    log_variance: Any

    @staticmethod
    def outputs(latents: int) -> int:
        """How many outputs the encoder's head has."""
        return 2 * latents

    @classmethod
    def of_head(cls, head, latents: int) -> Self:
        """q from the outputs of the encoder's head (..., outputs)."""
        parts = head[..., :latents], head[..., latents : 2 * latents], head[..., 2 * latents :]
        return cls(*parts[: len(fields(cls))])

    def sample(self, noise):
        """z = μ + L ε for standard normal noise ε (..., k), with L Lᵀ the covariance."""
        return self.mean + noise * _library(self.mean).exp(0.5 * self.log_variance)

    def kl_by_latent(self):
        """½ (v_i + μ_i² − 1 − log v_i) of each latent (..., k), in nats; their sum is the KL."""
        return 0.5 * (_library(self.mean).exp(self.log_variance) + self.mean**2 - 1 - self.log_variance)

    def kl_to_prior(self):
        """KL(q ‖ N(0, I)) of each image (...), in nats."""
        return _over_last("sum", self.kl_by_latent())

    def total_correlation(self, z):
        """KL(q(z) ‖ Π_j q(z_j)) in nats of the mean q(z) = n⁻¹ Σ_i q(z|x_i), over the n images (..., n, k).

        TC ≈ n⁻¹ Σ_i {log q(z_i) − Σ_j log q(z_ij)},   z_i ~ q(z|x_i), given in z (..., n, k)

        Both densities are means over all n images, so that the estimate has no bias; it may fall below 0.

        Source: the penalty is that of Chen et al. (2018), who estimate q(z) from a part of the images.
        """
        k = self.mean.shape[-1]
        shifts = [z[..., :, None, j] - self.mean[..., None, :, j] for j in range(k)]  # draw i, image i'
        apart, joint = self._pair_log_densities(shifts)
        return _over_last("mean", _log_mean_exp(joint) - sum(_log_mean_exp(one) for one in apart))

    def _pair_log_densities(self, shifts):
        """log q(z_ij|x_i') of each latent j, a list, and log q(z_i|x_i'), for z_i − μ_i', but for ½ log 2π a latent."""
        scales = [self.log_variance[..., None, :, j] for j in range(len(shifts))]
        apart = [_log_normal(shift, scale) for shift, scale in zip(shifts, scales, strict=True)]
        return apart, sum(apart)

    def log_density(self, z):
        """log q(z|x) for latents z (..., k), in nats; NumPy only."""
        whitened, k = self._whitened(z - self.mean), self.mean.shape[-1]
        return -0.5 * (whitened**2 + self.log_variance).sum(-1) - 0.5 * k * np.log(2 * np.pi)

    def _whitened(self, shift):
        return shift * np.exp(-0.5 * self.log_variance)

    def factor(self):
        """Lower triangular L (..., k, k) with L Lᵀ the covariance; NumPy only."""
        return np.exp(0.5 * self.log_variance)[..., None] * np.eye(self.mean.shape[-1])

    def covariance(self):
        """L Lᵀ (..., k, k); NumPy only."""
        L = self.factor()
        return L @ np.swapaxes(L, -1, -2)

    def std(self):
        """Marginal standard deviations (..., k); NumPy only."""
        return np.sqrt(np.diagonal(self.covariance(), axis1=-2, axis2=-1))

    def stored(self) -> dict[str, np.ndarray]:
        """What is kept of it with a member, by name: means and marginal standard deviations; `stored_as` reads it."""
        return {"latent_mean": self.mean, "latent_std": self.std()}

    def of_draws(self) -> Self:
        """The same with an axis for draws before the latents', (..., 1, k)."""
        return self._each(lambda part: part[..., None, :])

    def __getitem__(self, images) -> Self:
        """q of some images, or of one member of a pack."""
        return self._each(lambda part: part[images])

    def to_numpy(self) -> Self:
        """Tensors to float64 arrays."""
        return self._each(lambda part: np.asarray(part, float))

    def _each(self, change: Callable) -> Self:
        return type(self)(*(change(getattr(self, part.name)) for part in fields(self)))


@dataclass(frozen=True, eq=False)
class Full(Posterior):
    """The full family: q(z|x) = N(μ, L Lᵀ), L = diag exp(½ log-variance) + N with N strictly lower triangular.

    `log_variance` is that of L's diagonal, 2 log L_ii; `lower` (..., k(k − 1)/2) holds N row by row: (1, 0), (2, 0),
    (2, 1), … With N = 0 it is the diagonal family, as which it starts.
    """

    lower: Any

    @staticmethod
    def outputs(latents: int) -> int:
        """Means, log-variances, and the entries of N."""
        return 2 * latents + latents * (latents - 1) // 2

    def sample(self, noise):
        return super().sample(noise) + (self._strictly_lower() @ noise[..., None])[..., 0]

    def kl_by_latent(self):
        """½ (L_ii² + μ_i² − 1 − log L_ii² + Σ_{j<i} N_ij²) of each latent (..., k), in nats; their sum is the KL."""
        return super().kl_by_latent() + 0.5 * _over_last("sum", self._strictly_lower() ** 2)

    def _pair_log_densities(self, shifts):
        apart, whitened, joint = [], [], 0
        for j, shift in enumerate(shifts):
            row = [self.lower[..., None, :, j * (j - 1) // 2 + i] for i in range(j)]
            scale, exp = self.log_variance[..., None, :, j], _library(self.mean).exp
            marginal = log(exp(scale) + sum(entry**2 for entry in row))
            apart.append(_log_normal(shift, marginal))
            rest = shift - sum(entry * before for entry, before in zip(row, whitened, strict=True))
            whitened.append(rest * exp(-0.5 * scale))  # row by row, L⁻¹ (z_i − μ_i')
            joint = joint + _log_normal(rest, scale)
        return apart, joint

    def stored(self) -> dict[str, np.ndarray]:
        """Means, marginal standard deviations, and N."""
        return super().stored() | {"latent_lower": self.lower}

    def _whitened(self, shift):
        return np.linalg.solve(self.factor(), shift[..., None])[..., 0]

    def factor(self):
        return super().factor() + self._strictly_lower()

    def _strictly_lower(self):
        """N (..., k, k) from its entries row by row."""
        k = self.mean.shape[-1]
        precision = np.float64 if isinstance(self.lower, np.ndarray) else np.float32
        places = np.zeros((k * (k - 1) // 2, k, k), precision)
        for entry, (row, column) in enumerate(zip(*np.tril_indices(k, -1), strict=True)):
            places[entry, row, column] = 1
        return _library(self.lower).tensordot(self.lower, places, 1)


def stored_as(mean, std, lower=None, least: float = 0.0) -> Posterior:
    """q of what `Posterior.stored` kept: means (..., k), standard deviations, at least `least`, N if any."""
    mean, variance = np.asarray(mean, float), np.maximum(np.asarray(std, float), least) ** 2
    if lower is None:
        return Posterior(mean, np.log(variance))
    q = Full(mean, np.zeros_like(variance), np.asarray(lower, float))
    rest = variance - (q._strictly_lower() ** 2).sum(-1)
    return Full(mean, np.log(np.maximum(rest, least**2)), q.lower)


FAMILIES: dict[str, type[Posterior]] = {"diagonal": Posterior, "full": Full}


def family(name: str) -> type[Posterior]:
    """The family of that name; UsageError if there is none: no network trains under a name that says nothing."""
    if name not in FAMILIES:
        raise UsageError(f"family must be {' or '.join(FAMILIES)}; got {name}")
    return FAMILIES[name]


def _library(values):
    """The library of an array: NumPy, TensorFlow or jax.numpy, whose functions of these names agree."""
    if isinstance(values, np.ndarray):
        return np
    name = type(values).__module__.partition(".")[0]
    return sys.modules["tensorflow" if name == "tensorflow" else "jax.numpy"]


def _over_last(reduction: str, values):
    """The sum or the mean over the last axis."""
    library = _library(values)
    return getattr(library, f"reduce_{reduction}" if hasattr(library, "reduce_sum") else reduction)(values, -1)


def log(values):
    """Natural logarithm, in the library of the array."""
    library = _library(values)
    return (library.math.log if hasattr(library, "math") else library.log)(values)


def _log_normal(shift, log_variance):
    """log N(shift; 0, exp log-variance) + ½ log 2π."""
    return -0.5 * (shift**2 * _library(shift).exp(-log_variance) + log_variance)


def _log_mean_exp(values):
    """log of the mean of exp(values) over the last axis."""
    library = _library(values)
    if hasattr(library, "reduce_logsumexp"):
        return library.reduce_logsumexp(values, -1) - log(library.cast(library.shape(values)[-1], values.dtype))
    logsumexp = special.logsumexp if library is np else sys.modules["jax"].nn.logsumexp
    return logsumexp(values, -1) - math.log(values.shape[-1])
