"""The encoder's posterior q(z|x) = N(μ, L Lᵀ) as one object, diagonal or full, of NumPy arrays or TensorFlow tensors.

    L = diag(exp ½ log-variance) + N,   N strictly lower triangular, absent in the diagonal family
    KL(q ‖ N(0, I)) = ½ Σ_i (L_ii² + μ_i² − 1 − log L_ii²) + ½ Σ_{i>j} N_ij²

With N = 0 the full family is the diagonal one.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True, eq=False)
class Posterior:
    """q(z|x) of many images: mean (..., k), log_variance (..., k), and lower (..., k(k − 1)/2) in the full family.

    `log_variance` is that of L's diagonal, 2 log L_ii; `lower` holds N row by row: (1, 0), (2, 0), (2, 1), …
    """

    mean: Any
    log_variance: Any
    lower: Any = None

    @property
    def family(self) -> str:
        """ "diagonal" or "full"."""
        return "diagonal" if self.lower is None else "full"

    def sample(self, noise):
        """z = μ + L ε for standard normal noise ε (..., k)."""
        math = _library(self.mean)
        z = self.mean + noise * math.exp(0.5 * self.log_variance)
        return z if self.lower is None else z + (self._strictly_lower() @ noise[..., None])[..., 0]

    def kl_by_latent(self):
        """½ (L_ii² + μ_i² − 1 − log L_ii² + Σ_{j<i} N_ij²) of each latent (..., k), in nats; their sum is the KL."""
        math = _library(self.mean)
        terms = math.exp(self.log_variance) + self.mean**2 - 1 - self.log_variance
        if self.lower is not None:
            terms = terms + _sum(self._strictly_lower() ** 2)
        return 0.5 * terms

    def kl_to_prior(self):
        """KL(q ‖ N(0, I)) of each image (...), in nats."""
        return _sum(self.kl_by_latent())

    def log_density(self, z):
        """log q(z|x) for latents z (..., k), in nats; NumPy only."""
        k = self.mean.shape[-1]
        shift = z - self.mean
        whitened = (
            shift * np.exp(-0.5 * self.log_variance)
            if self.lower is None
            else np.linalg.solve(self.factor(), shift[..., None])[..., 0]
        )
        return -0.5 * (whitened**2 + self.log_variance).sum(-1) - 0.5 * k * np.log(2 * np.pi)

    def factor(self):
        """Cholesky factor L (..., k, k); NumPy only."""
        diagonal = np.exp(0.5 * self.log_variance)[..., None] * np.eye(self.mean.shape[-1])
        return diagonal if self.lower is None else diagonal + self._strictly_lower()

    def covariance(self):
        """L Lᵀ (..., k, k); NumPy only."""
        L = self.factor()
        return L @ np.swapaxes(L, -1, -2)

    def std(self):
        """Marginal standard deviations (..., k); NumPy only."""
        return np.sqrt(np.diagonal(self.covariance(), axis1=-2, axis2=-1))

    def of_draws(self) -> "Posterior":
        """The same with an axis for draws before the latents', (..., 1, k)."""
        return self._each(lambda part: part[..., None, :])

    def __getitem__(self, images) -> "Posterior":
        """q of some images, or of one member of a pack."""
        return self._each(lambda part: part[images])

    def to_numpy(self) -> "Posterior":
        """Tensors to float64 arrays."""
        return self._each(lambda part: np.asarray(part, float))

    def _each(self, change: Callable) -> "Posterior":
        parts = (self.mean, self.log_variance, self.lower)
        return Posterior(*(part if part is None else change(part) for part in parts))

    def _strictly_lower(self):
        """N (..., k, k) from its entries row by row."""
        k = self.mean.shape[-1]
        places = np.zeros((self.lower.shape[-1], k, k), np.float64 if _is_array(self.lower) else np.float32)
        for entry, (row, column) in enumerate(zip(*np.tril_indices(k, -1), strict=True)):
            places[entry, row, column] = 1
        return _library(self.lower).tensordot(self.lower, places, 1)


def _is_array(values) -> bool:
    return isinstance(values, np.ndarray)


def _library(values):
    """NumPy for arrays, TensorFlow for tensors."""
    if _is_array(values):
        return np
    import tensorflow as tf

    return tf


def _sum(values):
    """Sum over the last axis."""
    if _is_array(values):
        return values.sum(-1)
    import tensorflow as tf

    return tf.reduce_sum(values, -1)
