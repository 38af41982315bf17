"""The analytically tractable β-VAE: linear encoder and decoder, Gaussian data, everything exact.

    q(z|x) = N(W x, diag v)      encoder; v does not depend on x at the optimum
    p(x|z) = N(D z, σ_x² I_N)    decoder, σ_x² = 1 in the thesis
    L_β = R − β C                objective, averaged over data with covariance Σ

Water level: b = β σ_x². With eigenpairs λ_1 ≥ λ_2 ≥ … and u_i of Σ, the global optimum is
D = U diag(d), d_i² = (λ_i − b)₊, W = diag(d_i / (d_i² + b)) Uᵀ, v_i = min(1, b/λ_i).
β may be an array in `optimum`, `optimum_given_decoder` and `terms`: its axes come first in each result.

Source: thesis, Results, "Analytically Tractable β-VAE", and Appendices 1, 4 and 5, where the optimum is a numerical
solution; its closed form is also that of Wang and Ziyin (2022). TIE at the optimum and the best β are new here.
"""

import itertools

import numpy as np
import xarray as xr
from scipy import optimize

from betavae_core.theory import alignment, identity
from betavae_core.theory.gaussian import LinearGaussian, checked_process, spectrum
from betavae_core.theory.identity import Parameters, checked_beta, optimum_given_decoder, single_beta, terms
from betavae_core.theory.rotation import checked_rotation, rotated_tie  # noqa: F401 what a rotation does is looked for here
from betavae_core.theory.stationarity import solve_stationarity  # noqa: F401 the thesis's route is looked for here
from betavae_core.theory.terms import attributes

LEFT_OVER = 1e-13  # of the largest eigenvalue: a sum of others that is no more is rounding


def optimum(source, beta, latents: int | None = None, decoder_variance: float = 1.0) -> Parameters:
    """Global optimum of the linear β-VAE, in closed form.

    Returns `Parameters`. Signs and order of the latents are free. Where an eigenvalue repeats, any rotation within its
    eigenspace is optimal too: for a process the one with the least true inference error is returned. (A signal-free
    direction is interchangeable with the noise; TIE does not depend on which is taken.) Raises ValueError on a bad β,
    σ_x², covariance or number of latents, and for repeated eigenvalues above six latents.

    Parameters
    ----------
    source : LinearGaussian, or a bare (N, N) data covariance Σ
    beta : float or (...) array, > 0
    latents : int k, with a bare covariance only (a process has its own k)
    decoder_variance : float σ_x²
    """
    level = identity.water_level(beta, decoder_variance)[..., None]
    values, vectors = spectrum(source, latents)
    scale = np.sqrt(np.maximum(values - level, 0))  # d, (..., k)
    if isinstance(source, LinearGaussian):
        groups = alignment.eigenspaces(values, source.noise_std**2)
        vectors = alignment.rotate_repeated(vectors, source.mixing, groups, scale)  # (..., N, k)
    encoder = (scale / (scale**2 + level))[..., None] * np.swapaxes(vectors, -1, -2)
    return Parameters(vectors * scale[..., None, :], encoder, level / np.maximum(values, level))


def sweep(process, betas, decoder=None, decoder_variance: float = 1.0) -> xr.Dataset:
    """Every term at the optimum for each β, with the decoder trained or held fixed.

    >>> sweep(LinearGaussian([[2.0, 1.0], [0.5, 1.5]]), [1.0, 2.0]).tie.values.round(4).tolist()
    [1.7419, 2.193]

    Returns a Dataset of the terms over `beta`, named as in `theory.terms.LINEAR`, in nats, with a coordinate
    `identified`: False where the optimum may rotate within an eigenspace and TIE is the least over those rotations.

    Parameters
    ----------
    process : LinearGaussian
    betas : (β,) array-like, > 0
    decoder : (N, k) array or None; given, it is held fixed and only the encoder is optimal
    decoder_variance : float σ_x²
    """
    process, betas = checked_process(process), np.atleast_1d(checked_beta(betas))
    if decoder is None:
        parameters = optimum(process, betas, decoder_variance=decoder_variance)
        values, _ = spectrum(process)
        active = values > betas[:, None] * decoder_variance
        groups = alignment.eigenspaces(values, process.noise_std**2)
        identified = ~active[:, [group[0] for group in groups if len(group) > 1]].any(-1)
    else:
        if np.shape(decoder) != process.mixing.shape or not np.isfinite(decoder).all():
            raise ValueError(f"decoder must be finite and N x k, as the mixing matrix; got shape {np.shape(decoder)}")
        parameters = optimum_given_decoder(decoder, betas, decoder_variance)
        identified = np.ones(len(betas), bool)
    values = terms(process, parameters, betas, decoder_variance).items()
    over_beta = {name: ("beta", value, attributes(name)) for name, value in values}
    dataset = xr.Dataset(over_beta, coords={"beta": betas, "identified": ("beta", identified)})
    dataset.beta.attrs["long_name"] = "weight β of the conditional independence loss"
    return dataset


def optimal_beta(process, decoder_variance: float = 1.0) -> float:
    """The β with the least true inference error, searched over every interval between collapse thresholds.

    On each interval and for each alignment of latents with sources TIE is strictly convex in b = β σ_x²:

    dTIE/db = −m/(2b) + ½ σ⁻² Σ_{i ≤ m} c_i (λ_i − b)^−½,  m active latents, c_i = |u_iᵀ a_π(i)|

    so each minimum is a bracketed root or an end of the interval. At least σ²/σ_x², with equality
    exactly when AᵀA is diagonal: the search begins at half of it.

    >>> round(optimal_beta(LinearGaussian([[2.0, 1.0], [0.5, 1.5]])), 4)
    1.2116
    """
    values, _ = spectrum(checked_process(process))
    identity.water_level(1.0, decoder_variance)  # checked before it divides
    edges = np.unique([process.noise_std**2 / 2, *values])
    candidates = list(edges[1:])
    for low, high in itertools.pairwise(edges):
        grid = low + (high - low) * np.linspace(0.002, 0.998, 250)
        for gain in np.unique(_gains(process, grid), axis=0):
            candidates.append(_convex_minimum(values, gain / process.noise_std, low, high))
    betas = np.array(candidates) / decoder_variance
    return float(betas[sweep(process, betas, decoder_variance=decoder_variance).tie.values.argmin()])


def many_source_law(process) -> tuple[float, float]:
    """Where the least true inference error lies at high signal-to-noise ratio, and what it gains over the noise ratio.

    β* σ_x²/σ² → 1/ρ̄,  TIE(σ²/σ_x²) − TIE(β*) → (k/2)(ρ̄ − 1 − log ρ̄),  ρ̄ = k⁻¹ Σ_i |𝓡_{π(i) i}|

    from √((λ − b)(λ − σ²)) ≈ λ − (b + σ²)/2 in the closed form of TIE, with the alignment π that is best at b = σ².

    >>> ratio, gain = many_source_law(LinearGaussian([[20.0, -20.0], [10.0, 10.0]]))  # turned by 45 degrees
    >>> round(ratio, 4), round(gain, 4)
    (1.4142, 0.0537)

    Returns ratio: float ≥ 1; gain: float ≥ 0, in nats. Raises ValueError if the mixing matrix has not full rank: a
    direction without signal has no high signal-to-noise ratio.
    """
    values, _ = spectrum(checked_process(process))
    noise = process.noise_std**2
    if values[-1] - noise <= alignment.REPEATED * values[-1]:
        raise ValueError("the law for many sources needs a mixing matrix of full rank")
    rho = _gains(process, np.array([noise]))[0] / np.sqrt(values / noise - 1)
    mean = min(float(rho.mean()), 1.0)
    return 1 / mean, float(0.5 * len(rho) * (mean - 1 - np.log(mean)))


def turned_tie(process, rotation) -> float:
    """True inference error of the linear optimum at the noise ratio, its latents turned to all but a rotation U.

    TIE = tr((I − U) AᵀA)/σ²,  b = β σ_x² = σ²,  U = T T₀⁻¹ for latents turned by T where T₀ is right

    For two sources and a turn by θ: (1 − cos θ) tr AᵀA/σ². No signed permutation is taken: labels give latents names.

    >>> process = LinearGaussian([[2.0, 1.0], [0.5, 1.5]])
    >>> turned_tie(process, np.eye(2)), turned_tie(process, [[0, -1], [1, 0]])  # tr AᵀA = 7.5
    (0.0, 7.5)

    Returns nats, ≥ 0, for a (k, k) orthogonal array U, a reflection too; ValueError if it is not orthogonal.

    Source: new here, proved in the book's `turning` chapter.
    """
    U = checked_rotation(rotation, checked_process(process).mixing.shape[1])
    return float(((process.mixing - process.mixing @ U.T) * process.mixing).sum()) / process.noise_std**2


def label_law(sources: int, labels: int) -> float:
    """Mean true inference error when the rotation is learned from labelled data: k(k − 1)/(4m) nats as m grows.

    The k sources of m data points are told, T is the most likely rotation of the latents at the noise ratio, and TIE is
    that of other data. Neither A nor σ matters, as long as A has rank k − 1 or more.

    >>> label_law(2, 10)
    0.05

    Below about m = 5k the mean lies above it: a wrong reflection or order of the sources makes the tail heavy.
    Returns nats. Raises ValueError unless k and m are whole numbers from 1.

    Source: new here, proved in the book's `turning` chapter; the argument is Akaike's.
    """
    for name, count in {"sources": sources, "labels": labels}.items():
        if isinstance(count, bool) or not isinstance(count, int | np.integer) or count < 1:
            raise ValueError(f"{name} must be a whole number >= 1; got {count!r}")
    return int(sources) * (int(sources) - 1) / (4 * int(labels))


def learned_decoder_variance(covariance, beta: float, latents: int) -> float:
    """The decoder variance σ_x² that maximises L_β together with everything else (σ-VAE), in closed form.

    σ_x² = S_m / (N − β m),  b = β σ_x²,  S_m the sum of all eigenvalues but the m ≤ k leading ones, those above b

    With none collapsed and a well-specified model: b = β σ² (N − k)/(N − β k). m is found from reverse water-filling:
    Σ_{i ≤ k} min(1, λ_i/b) + b⁻¹ Σ_{i > k} λ_i falls in b and equals N/β at the maximum, the only stationary point.

    >>> round(learned_decoder_variance(np.diag([9.0, 4.0, 1.0, 1.0]), 1.0, 2), 6)
    1.0

    Raises ValueError on a bad β, covariance or number of latents; where k latents leave no variance over, as k = N
    does: with r ≤ k positive eigenvalues the objective then has no maximum for β < N/r, and is flat for β = N/r.

    Parameters
    ----------
    covariance : (N, N) array Σ
    beta : float > 0
    latents : int k < N

    Source: new here; learning σ_x² is Rybkin et al., 2021.
    """
    beta = single_beta(beta)
    values, _ = spectrum(covariance, latents)
    N, rest = len(covariance), float(np.trace(covariance) - values.sum())
    if latents == N or rest <= LEFT_OVER * values[0]:
        raise ValueError(f"the decoder variance is degenerate: {latents} latents leave no variance of {N} dimensions")
    filled = np.minimum(1, values / values[:, None]).sum(1) + rest / values  # at each water level λ_i
    m = int((filled < N / beta).sum())
    return (rest + float(values[m:].sum())) / (N - beta * m)


def _convex_minimum(values, gain, low, high) -> float:
    """The b of least TIE between two collapse thresholds, for one alignment: `optimal_beta`.

    A bracketed root of the slope, which may diverge at the upper one and is not evaluated there; or an end.
    """
    active = values >= high

    def slope(b):
        return (gain[active] / np.sqrt(values[active] - b)).sum() - active.sum() / b

    right = high - 1e-12 * high
    if right <= low or slope(low) >= 0:
        return low
    if slope(right) <= 0:
        return high
    return float(optimize.brentq(slope, low, right, xtol=1e-15 * low, rtol=np.float64(1e-14)))  # pyright: ignore


def _gains(process, levels) -> np.ndarray:
    """c_i/σ, c_i = |u_iᵀ a_π(i)| under the best alignment at each water level, (level, k); 0 for collapsed latents."""
    D = optimum(process, levels).decoder  # with σ_x = 1, β is the water level
    norm = np.linalg.norm(D, axis=1)
    gain = np.abs(np.swapaxes(D, -1, -2) @ process.mixing) / process.noise_std
    chosen = np.take_along_axis(gain, alignment.assign(gain)[..., None], -1)[..., 0]
    return np.round(np.divide(chosen, norm, out=np.zeros_like(norm), where=norm > 0), 12)
