"""Gaussian distributions: divergence, and the linear process whose posterior is known exactly."""

import math
from dataclasses import dataclass

import numpy as np
from scipy import linalg

INDEFINITE = 1e-6  # of the largest eigenvalue: a negative one that is no more is rounding, of float32 too


def kl_divergence(mean_q, covariance_q, mean_p, covariance_p) -> float:
    """KL divergence between two multivariate Gaussians of means (k,) and covariances (k, k), in nats.

    KL(q ‖ p) = ½ { tr(Σ_p⁻¹ Σ_q) + (μ_p − μ_q)ᵀ Σ_p⁻¹ (μ_p − μ_q) − k + log det Σ_p − log det Σ_q }

    >>> round(kl_divergence([1.0], [[1.0]], [0.0], [[1.0]]), 6)
    0.5

    Raises scipy.linalg.LinAlgError if a covariance is not positive definite.
    """
    factor_q = np.linalg.cholesky(np.asarray(covariance_q, float))
    factor_p = np.linalg.cholesky(np.asarray(covariance_p, float))
    scaled = linalg.solve_triangular(factor_p, factor_q, lower=True)  # Σ_p^-½ Σ_q^½
    shift = linalg.solve_triangular(factor_p, np.subtract(mean_p, mean_q), lower=True)
    log_det_ratio = 2 * (np.log(np.diag(factor_p)).sum() - np.log(np.diag(factor_q)).sum())
    return 0.5 * float((scaled**2).sum() + shift @ shift - len(shift) + log_det_ratio)


def log_density_constant(dimension: int) -> float:
    """−(N/2) log 2π, what N dimensions of unit variance add to −½‖x − x̂‖², in nats.

    >>> round(log_density_constant(1600), 2)
    -1470.3
    """
    return -0.5 * dimension * math.log(2 * math.pi)


def posterior(mixing, noise_variance) -> tuple[np.ndarray, np.ndarray]:
    """Exact posterior of z given x = B z + η, with z ~ N(0, I_k) and η ~ N(0, s² I_N).

    p(z|x) = N(G x, M⁻¹),  M = I_k + BᵀB/s²,  G = M⁻¹ Bᵀ/s²

    Returns gain: (k, N) array G; precision: (k, k) array M.

    Parameters
    ----------
    mixing : (N, k) array B
    noise_variance : float s²

    Source: thesis, Appendices 2 (B = A) and 5 (B = D).
    """
    mixing = np.asarray(mixing, float)
    precision = np.eye(mixing.shape[1]) + mixing.T @ mixing / noise_variance
    return np.linalg.solve(precision, mixing.T / noise_variance), precision


@dataclass(frozen=True, eq=False)
class LinearGaussian:
    """Independent sources, mixed linearly and observed in noise.

    s ~ N(0, I_k),  x = A s + η,  η ~ N(0, σ² I_N)

    The sources are statistically independent; given x they are not, unless AᵀA is diagonal.

    >>> LinearGaussian([[1.0, 0.0], [1.0, 1.0]]).posterior_precision.tolist()
    [[3.0, 1.0], [1.0, 2.0]]

    Raises ValueError if the mixing matrix is ragged, empty, wider than tall or not finite, or the noise is not finite
    and positive.

    Parameters
    ----------
    mixing : (N, k) nested list or array A, with N ≥ k ≥ 1
    noise_std : float σ > 0

    Source: thesis, Results, "Analytically Tractable β-VAE".
    """

    mixing: np.ndarray
    noise_std: float = 1.0

    def __post_init__(self):
        mixing = _checked_mixing(self.mixing)
        mixing.setflags(write=False)
        object.__setattr__(self, "mixing", mixing)
        object.__setattr__(self, "noise_std", _checked_noise(self.noise_std))

    @property
    def covariance(self) -> np.ndarray:
        """Covariance of the data, Σ = A Aᵀ + σ² I, shape (N, N)."""
        return self.mixing @ self.mixing.T + self.noise_std**2 * np.eye(len(self.mixing))

    @property
    def posterior_precision(self) -> np.ndarray:
        """Precision of the sources given x, M = I + AᵀA/σ², shape (k, k)."""
        return posterior(self.mixing, self.noise_std**2)[1]

    @property
    def posterior_covariance(self) -> np.ndarray:
        """Covariance of the sources given x, M⁻¹, shape (k, k); the same for every x."""
        return np.linalg.inv(self.posterior_precision)

    def posterior_mean(self, x) -> np.ndarray:
        """Mean of the sources given x, G x with G = M⁻¹Aᵀ/σ²; x (..., N) to (..., k)."""
        return np.asarray(x) @ posterior(self.mixing, self.noise_std**2)[0].T

    def sample(self, n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Draw n pairs: sources (n, k) and observations (n, N)."""
        sources = rng.standard_normal((n, self.mixing.shape[1]))
        noise = self.noise_std * rng.standard_normal((n, len(self.mixing)))
        return sources, sources @ self.mixing.T + noise


def checked_process(process) -> LinearGaussian:
    """It, if it is a process; ValueError if it is, say, its mixing matrix."""
    if not isinstance(process, LinearGaussian):
        raise ValueError(f"process must be a LinearGaussian; got {type(process).__name__}")
    return process


def spectrum(source, latents: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    """The k leading eigenvalues (k,) and eigenvectors (N, k) of the data covariance, largest first.

    `source` is a LinearGaussian, which has its own k, or a bare (N, N) covariance with `latents` = k; ValueError else.
    """
    if isinstance(source, LinearGaussian):
        if latents is not None:
            raise ValueError(f"a process has its own number of latents; got latents={latents} as well")
        vectors, singular, _ = np.linalg.svd(source.mixing, full_matrices=False)
        return source.noise_std**2 + singular**2, vectors
    covariance = np.asarray(source, float)
    N = len(covariance)
    if covariance.shape != (N, N) or not np.allclose(covariance, covariance.T, atol=1e-9 * np.abs(covariance).max()):
        raise ValueError(f"a data covariance must be square and symmetric; got shape {covariance.shape}")
    if isinstance(latents, bool) or not isinstance(latents, int | np.integer) or not 1 <= latents <= N:
        raise ValueError(f"latents must be a whole number between 1 and {N} for this covariance; got {latents}")
    values, vectors = np.linalg.eigh(covariance)
    if values[0] < -INDEFINITE * values[-1]:
        raise ValueError(f"a data covariance has no negative eigenvalue; got {values[0]:.4g}")
    return np.maximum(values[::-1][:latents], 0), vectors[:, ::-1][:, :latents]


def _checked_mixing(mixing) -> np.ndarray:
    try:
        array = np.array(mixing)
    except ValueError:  # NumPy's word for a ragged list
        array = np.array(None)
    if array.dtype.kind not in "iuf":
        raise ValueError(f"mixing_matrix must be a rectangular table of numbers; got {mixing!r}")
    if array.ndim != 2 or 0 in array.shape:
        raise ValueError(f"mixing_matrix must have rows and columns (N x k); got {mixing!r}")
    if array.shape[0] < array.shape[1]:
        raise ValueError(
            f"mixing_matrix must have at least as many rows (N) as columns (k); got {array.shape[0]} x {array.shape[1]}"
        )
    if not np.isfinite(array).all():
        raise ValueError(f"mixing_matrix must be finite; got {array.tolist()}")
    return array.astype(float)


def _checked_noise(noise_std) -> float:
    if isinstance(noise_std, bool) or not isinstance(noise_std, int | float | np.integer | np.floating):
        raise ValueError(f"noise_std must be a number; got {noise_std!r}")
    if not (np.isfinite(noise_std) and noise_std > 0):
        raise ValueError(f"noise_std must be finite and > 0; got {noise_std}")
    return float(noise_std)
