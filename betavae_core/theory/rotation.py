"""What the objective leaves open: the rotation of the latents, and what it does to the true inference error.

With A = Û S 𝓡ᵀ and λ_i = σ² + s_i², every decoder D = Û diag(d) Q, d_i² = (λ_i − b)₊, Q orthogonal, meets the
bound of the optimum if the encoder's covariance may be full. A diagonal encoder meets it at Q = I only, up to
signed permutations (and rotations within repeated eigenvalues): the principal axes. Q = 𝓡ᵀ is the sources' own.
σ_x = 1 throughout, so that the water level b is β.
"""

import numpy as np

from betavae_core.theory import identity, search
from betavae_core.theory.gaussian import checked_process

FAMILIES = ("diagonal", "full")
ORTHOGONAL = 1e-6  # largest entry of QᵀQ − I that a rotation given with few digits may have
GRID = 80  # β looked at before the least error is refined between two neighbours
BELOW = 0.99, 0.997, 1.0  # of a threshold, looked at too: where a latent collapses TIE rises steeply to a kink


def rotated_tie(process, beta: float, rotation, family: str = "diagonal") -> float:
    """True inference error with the decoder turned to a rotation Q and the best encoder of a family for it.

    D = Û diag √(λ − β)₊ Q,  mean W x with W = (DᵀD + β I)⁻¹ Dᵀ,
    cov q = β (DᵀD + β I)⁻¹ (full)  or  diag(β / (β + (DᵀD)_ii)) (diagonal)

    Full, and none collapsed, with P over signed permutations:
    TIE = tr AᵀA/σ² − ½ log det M − ½ Σ log(β/λ_i) − σ⁻² max_P Σ_i (QP𝓡)_ii √((λ_i − β)(λ_i − σ²)).

    >>> from betavae_core.theory.gaussian import LinearGaussian
    >>> process = LinearGaussian([[2.0, 1.0], [0.5, 1.5]])
    >>> round(rotated_tie(process, 1.0, np.eye(2)), 5)
    1.74186
    >>> round(rotated_tie(process, 1.0, right_rotation(process)), 5)
    0.20695

    Returns a float in nats, the least over signed permutations of the latents. Raises ValueError on a bad β, rotation
    or family, and above six latents with a diagonal q off the principal axes.

    Parameters
    ----------
    process : LinearGaussian
    beta : float > 0
    rotation : (k, k) orthogonal array Q, counted from the Û of `numpy.linalg.svd(A)`, where singular values repeat too
    family : "diagonal" or "full", the covariance of q

    Source: new here.
    """
    level = identity.single_beta(beta)
    left, singular, _ = np.linalg.svd(checked_process(process).mixing, full_matrices=False)
    Q = checked_rotation(rotation, len(singular))
    if family not in FAMILIES:
        raise ValueError(f"family must be one of: {', '.join(FAMILIES)}; got {family!r}")
    scale = np.sqrt(np.maximum(process.noise_std**2 + singular**2 - level, 0))
    D = left * scale @ Q
    _, W, variance = identity.optimum_given_decoder(D, level)
    root = identity.posterior_root(D, np.sqrt(level))[1] if family == "full" else np.diag(np.sqrt(variance))
    return float(identity.true_inference_error(process, W, root))


def right_rotation(process) -> np.ndarray:
    """The sources' own rotation Q = 𝓡ᵀ, (k, k): there DᵀD + β I = AᵀA + σ² I, and D = A at β = σ².

    The encoder's family then costs the same at every β below collapse:
    TIE(diagonal) − TIE(full) = ½ (Σ_i log M_ii − log det M).
    """
    return np.linalg.svd(checked_process(process).mixing, full_matrices=False)[2]


def least_rotated_tie(process, rotation, family: str = "diagonal") -> tuple[float, float]:
    """The β with the least error at a rotation, and that error in nats, as in `rotated_tie`; up to β = λ_1.

    >>> from betavae_core.theory.gaussian import LinearGaussian
    >>> beta, tie = least_rotated_tie(LinearGaussian([[2.0, 1.0], [0.5, 1.5]]), np.eye(2), "full")
    >>> round(beta, 4), round(tie, 5)
    (1.2116, 1.71812)
    """

    def error(log_beta):
        return rotated_tie(process, np.exp(log_beta), rotation, family)

    noise = process.noise_std**2
    thresholds = noise + np.linalg.svd(process.mixing, compute_uv=False) ** 2
    between = np.geomspace(noise / 10, thresholds[0], GRID)
    log_beta, tie = search.least(error, np.log(np.union1d(between, np.outer(BELOW, thresholds))), xatol=1e-9)
    return float(np.exp(log_beta)), tie


def checked_rotation(rotation, k: int) -> np.ndarray:
    """An orthogonal (k, k) array; ValueError if it is none."""
    try:
        Q = np.asarray(rotation, float)
    except (TypeError, ValueError):
        raise ValueError(f"rotation must be a {k} x {k} table of numbers; got {rotation!r}") from None
    if Q.shape != (k, k):
        raise ValueError(f"rotation must be {k} x {k}, one row a latent; got shape {Q.shape}")
    miss = np.abs(Q.T @ Q - np.eye(k)).max()
    if not miss <= ORTHOGONAL:  # NaN too
        raise ValueError(f"rotation must be orthogonal; largest entry of QᵀQ - I is {miss:.2g}")
    return Q
