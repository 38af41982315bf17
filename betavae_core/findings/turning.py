"""Turning the latents back: the rotation that a few labelled images tell.

z' = T z with T orthogonal changes neither the objective nor a reconstruction; q(z|x) becomes N(T μ, T S Tᵀ), S = diag v
or full. The sources s_i of m labelled images have the likelihood

    −log Π q(s_i|x_i) = ½ Σ_i (Tᵀs_i − μ_i)ᵀ S_i⁻¹ (Tᵀs_i − μ_i) + const,

quadratic in T; `theory.orthogonal` finds the T that makes it least.
"""

import numpy as np
import scipy.special

from betavae_core.theory import orthogonal
from betavae_core.theory.orthogonal import Form

MOST = 8  # latents
STARTS = 6  # of each search
FLAT = 1e-6  # least singular value of the labelled sources, relative to the largest, that spans a direction
FAR, MISSED, LIKELY = 4.0, 6.0, 1e-9  # of sources said to be standardised: mean square root, mean, least probability


def rotation_from_labels(means, variances, sources) -> np.ndarray:
    """The rotation T of the latents that makes sources of labelled images most likely: s_i under N(T μ_i, T S_i Tᵀ).

    >>> latents = np.array([[1.0, 0.2], [-0.3, 1.5], [0.8, -1.1]])
    >>> turn = np.array([[0.6, -0.8], [0.8, 0.6]])
    >>> rotation_from_labels(latents, np.full((3, 2), 0.1), latents @ turn.T).round(6).tolist()
    [[0.6, -0.8], [0.8, 0.6]]

    Returns a (k, k) orthogonal array T: T μ is in the order and with the signs of the sources. Latents that have
    collapsed are turned among each other in some way that is as good as any other, since q does not see it. Raises
    ValueError for fewer than k labels or labels that do not span k directions, which leave a reflection open (labels
    that nearly fail to span leave it to chance, which `margin` tells beforehand); for variances that are not positive,
    sources that cannot be standardised, more than 8 latents, and shapes that do not fit.

    Parameters
    ----------
    means : (m, k) array μ of the m labelled images, k ≤ 8
    variances : (m, k) array v where q is diagonal, else (m, k, k) covariances S
    sources : (m, k) array s of the same images, standardised: of mean 0 and variance 1 over all images
    """
    turns, values = orthogonal.least(likelihood(*_checked(means, variances, sources)), STARTS)
    return orthogonal.better(turns, values)


def margin(means, variances, sources) -> float:
    """By how many nats the labels prefer the likelier of the best rotation and the best reflection.

    Parameters and errors as above. Below 2 or so the choice between the two is uncertain, and TIE may end up higher
    than it was: label more images then, or others. Where a latent has collapsed the margin is near 0 and says nothing,
    since reflecting that latent changes nothing.
    """
    _, values = orthogonal.least(likelihood(*_checked(means, variances, sources)), STARTS)
    return float(abs(values[0] - values[1]))


def turned(means, variances, rotation) -> tuple[np.ndarray, np.ndarray]:
    """q(z'|x) of images with their latents turned, z' = T z: means T μ (n, k) and covariances T S Tᵀ (n, k, k)."""
    return means @ rotation.T, rotation @ _covariance(np.asarray(variances, float)) @ rotation.T


def likelihood(means, covariances, sources) -> Form:
    """−log Π q(s_i|x_i) as a function of T, up to a constant: the sum over labelled images."""
    return Form(*(part.sum(0) for part in each_likelihood(means, covariances, sources)))


def each_likelihood(means, covariances, sources) -> Form:
    """What each labelled image adds to `likelihood`, (n, k², k²) and (n, k, k)."""
    n, k = means.shape
    precision = np.linalg.inv(covariances)
    bent = np.einsum("ni,nj,nab->niajb", sources, sources, precision).reshape(n, k * k, k * k)
    return Form(bent, sources[:, :, None] * (precision @ means[..., None])[:, None, :, 0])


def _checked(means, variances, sources) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Means, covariances and sources of labelled images as arrays; ValueError unless they tell a rotation."""
    try:
        mean, variance, s = (np.asarray(part, float) for part in (means, variances, sources))
    except (TypeError, ValueError):
        raise ValueError("means, variances and sources must be tables of numbers, one row a labelled image") from None
    if mean.ndim != 2 or s.shape != mean.shape or variance.shape not in (mean.shape, (*mean.shape, *mean.shape[1:])):
        shapes = f"{mean.shape}, {variance.shape} and {s.shape}"
        raise ValueError(f"means, variances and sources must have shapes (m, k), (m, k) and (m, k); got {shapes}")
    m, k = mean.shape
    if not 1 <= k <= MOST:
        raise ValueError(f"latents are turned for k <= {MOST}; got {k}")
    if not all(np.isfinite(part).all() for part in (mean, variance, s)):
        raise ValueError("means, variances and sources must be finite")
    covariance = _covariance(variance)
    if m and not np.allclose(covariance, covariance.swapaxes(1, 2), atol=1e-9 * np.abs(covariance).max()):
        raise ValueError("covariances of the latents must be symmetric")
    if m and np.linalg.eigvalsh(covariance).min() <= 0:
        raise ValueError("variances of the latents must be > 0; rounding may have made small ones 0")
    spans = int((np.linalg.svd(s, compute_uv=False) > FLAT * np.abs(s).max(initial=0)).sum()) if m else 0
    if spans < k:
        raise ValueError(f"{k} latents need labels that span {k} directions; these {m} span {spans}")
    _check_standardised(s)
    return mean, covariance, s


def _covariance(variance) -> np.ndarray:
    return variance[..., None] * np.eye(variance.shape[-1]) if variance.ndim == 2 else variance


def _check_standardised(sources) -> None:
    """ValueError if these cannot be draws of N(0, 1), as far as so many labels tell; chosen ones may lie far out."""
    m, size = len(sources), np.sqrt((sources**2).mean(0))
    off = np.abs(sources.mean(0)) * np.sqrt(m)
    small = scipy.special.chdtr(m, (sources**2).sum(0))
    if (size > FAR).any() or (off > MISSED).any() or (small < LIKELY).any():
        means, sizes = (", ".join(f"{v:.3g}" for v in part) for part in (sources.mean(0), size))
        raise ValueError(
            "sources must be standardised (mean 0, variance 1 over all images); "
            f"these have means {means} and root mean squares {sizes}"
        )
