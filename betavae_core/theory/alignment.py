"""Which latent is which source: the true inference error does not depend on the latents' names.

A β-VAE is unchanged when its latents are permuted or their signs are flipped, so the true inference
error (TIE) is taken under the signed permutation P that makes it least. With q(z|x) = N(m, diag v)
and the exact posterior N(μ, M⁻¹), averaged over the data,

    TIE(P) = ½ { tr(M P Q Pᵀ) − 2 tr(P K) + E[μᵀMμ] − k − log det M − E Σ_i log v_i },
    Q = E[m mᵀ + diag v]  and  K = E[m μᵀ M],  both (k, k).

Only the first two terms depend on P.
"""

import itertools

import numpy as np

MAX_ENUMERATED_LATENTS = 6  # 2⁶ 6! = 46,080 signed permutations
DIAGONAL = 1e-9  # largest off-diagonal of E[m mᵀ], relative to its diagonal, that rounding explains
REPEATED = 1e-9  # eigenvalues closer than this, relative to themselves, span one eigenspace


def signed_permutations(k: int) -> np.ndarray:
    """All signed permutation matrices of size k, shape (2^k k!, k, k); the identity comes first."""
    if k > MAX_ENUMERATED_LATENTS:
        raise ValueError(f"signed permutations are enumerated for k <= {MAX_ENUMERATED_LATENTS} latents; got {k}")
    eye = np.eye(k)
    permutations = np.array([eye[list(order)] for order in itertools.permutations(range(k))])
    signs = np.array(list(itertools.product([1.0, -1.0], repeat=k)))
    return (signs[None, :, :, None] * permutations[:, None]).reshape(-1, k, k)


def true_inference_error(mean, covariance, target, precision) -> tuple[float, float]:
    """KL(q(z|x) ‖ p_gt(s|x)), averaged over images, in nats: under the best signed permutation, and without one.

    Parameters
    ----------
    mean, covariance : (n, k), and (n, k, k) or (k, k); q(z|x) = N(mean, covariance) of each image
    target, precision : (n, k) and (k, k); the exact posterior N(target, precision⁻¹) of the same images
    """
    n, k = mean.shape
    second_moment = mean.T @ mean / n + np.reshape(covariance, (-1, k, k)).mean(0)
    cross = mean.T @ target @ precision / n
    signal = np.einsum("ni,ij,nj->", target, precision, target) / n
    log_det = np.linalg.slogdet(precision)[1] + np.linalg.slogdet(covariance)[1].mean()
    rest = 0.5 * (signal - k - log_det)
    aligned, _ = align(second_moment, cross, precision)
    return float(aligned + rest), float(0.5 * np.trace(precision @ second_moment) - np.trace(cross) + rest)


def align(second_moment, cross, precision) -> tuple[np.ndarray, np.ndarray]:
    """Signed permutation P that makes ½ tr(M P Q Pᵀ) − tr(P K) least.

    Where Q is diagonal, as for the linear model's optimum, the latents separate and P is a linear
    assignment, for any k; otherwise all signed permutations are tried.

    Returns value: (...) array, the least value in nats; permutation: (..., k, k) array P, so that s ≈ P z. Raises
    ValueError above six latents, unless Q is diagonal.

    Parameters
    ----------
    second_moment, cross : (..., k, k) arrays Q = E[m mᵀ + diag v] and K = E[m μᵀ M]
    precision : (k, k) array M
    """
    diagonal = np.diagonal(second_moment, axis1=-2, axis2=-1)
    off_diagonal = second_moment - diagonal[..., None] * np.eye(len(precision))
    if np.abs(off_diagonal).max(initial=0) <= DIAGONAL * np.abs(diagonal).max(initial=0):
        gain = np.abs(cross) - 0.5 * diagonal[..., None] * np.diag(precision)
        columns = assign(gain)
        sign = np.where(np.take_along_axis(cross, columns[..., None], -1) < 0, -1.0, 1.0)
        permutation = sign * (columns[..., None] == np.arange(len(precision)))  # Pᵀ
        value = -np.take_along_axis(gain, columns[..., None], -1).sum((-1, -2))
        return value, np.swapaxes(permutation, -1, -2)
    candidates = signed_permutations(precision.shape[0])
    quadratic = np.einsum("pji,pjl->pil", candidates, precision @ candidates)  # PᵀMP
    values = 0.5 * np.einsum("pil,...li->...p", quadratic, second_moment)
    values -= np.einsum("pji,...ij->...p", candidates, cross)
    best = values.argmin(-1)
    return np.take_along_axis(values, best[..., None], -1)[..., 0], candidates[best]


def assign(gain) -> np.ndarray:
    """Permutation π (..., k) that makes Σ_i gain[i, π(i)] largest, by linear assignment; gain (..., k, k).

    >>> assign(np.array([[1.0, 5.0], [2.0, 3.0]])).tolist()
    [1, 0]
    """
    from scipy.optimize import linear_sum_assignment  # it takes half a second to load

    flat = gain.reshape(-1, *gain.shape[-2:])
    columns = [linear_sum_assignment(matrix, maximize=True)[1] for matrix in flat]
    return np.array(columns, int).reshape(gain.shape[:-1])


def eigenspaces(values, noise_variance: float) -> list[list[int]]:
    """Indices of the eigenvalues λ (falling), grouped where equal.

    Directions without signal (λ = σ²) stay alone: they reach no source, so their rotation is immaterial.
    """
    groups: list[list[int]] = []
    for i, value in enumerate(values):
        silent = value - noise_variance <= REPEATED * value
        if groups and not silent and values[groups[-1][-1]] - value <= REPEATED * value:
            groups[-1].append(i)
        else:
            groups.append([i])
    return groups


def rotate_repeated(vectors, mixing, groups, scale) -> np.ndarray:
    """Rotate eigenvectors within each repeated eigenspace to the least true inference error.

    For a permutation π the best rotation Q of a group solves the orthogonal Procrustes problem
    max_Q Σ_i q_iᵀ Uᵀ a_π(i); the permutation with the largest Σ_i d_i q_iᵀ Uᵀ a_π(i) is taken.

    Returns a (N, k) array, or (..., N, k) where eigenvalues repeat (the best permutation may change with d).

    Parameters
    ----------
    vectors, mixing : (N, k) arrays U and A
    groups : from `eigenspaces`
    scale : (..., k) array of decoder lengths d
    """
    k = vectors.shape[1]
    if len(groups) == k:
        return vectors
    if k > MAX_ENUMERATED_LATENTS:
        raise ValueError(f"repeated eigenvalues are resolved for k <= {MAX_ENUMERATED_LATENTS} latents; got {k}")
    overlap = vectors.T @ mixing  # (k, k)
    rotations, gains = [], []
    for order in itertools.permutations(range(k)):
        rotation = np.zeros((k, k))
        for group in groups:
            left, _, right = np.linalg.svd(overlap[np.ix_(group, [order[i] for i in group])])
            rotation[np.ix_(group, group)] = left @ right
        rotations.append(rotation)
        gains.append(np.diag(rotation.T @ overlap[:, order]))
    best = (scale @ np.array(gains).T).argmax(-1)
    return vectors @ np.array(rotations)[best]
