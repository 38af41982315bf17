"""The analytically tractable β-VAE: linear encoder and decoder, Gaussian data, everything exact.

    q(z|x) = N(W x, diag v)      encoder; v does not depend on x at the optimum
    p(x|z) = N(D z, σ_x² I_N)    decoder, σ_x² = 1 in the thesis
    L_β = R − β C                objective, averaged over data with covariance Σ

Water level: b = β σ_x². With eigenpairs λ_1 ≥ λ_2 ≥ … and u_i of Σ, the global optimum is
D = U diag(d), d_i² = (λ_i − b)₊, W = diag(d_i / (d_i² + b)) Uᵀ, v_i = min(1, b/λ_i).
β may be an array in `optimum`, `optimum_given_decoder` and `terms`: its axes come first in each result.

Source: thesis, Results, "Analytically Tractable β-VAE", and Appendices 1, 4 and 5; the closed form is new here.
"""

import itertools
from typing import NamedTuple

import numpy as np
import xarray as xr
from scipy import optimize

from betavae_core import alignment
from betavae_core.gaussian import LinearGaussian

TERMS = {
    "reconstruction": "reconstruction objective R",
    "kl_prior": "conditional independence loss C",
    "objective": "β-VAE objective R − βC",
    "elbo": "evidence lower bound R − C",
    "log_likelihood": "log-likelihood of the data",
    "mie": "model inference error",
    "tie": "true inference error",
}


class Parameters(NamedTuple):
    """A linear β-VAE: decoder D (..., N, k), encoder W (..., k, N), variance v (..., k)."""

    decoder: np.ndarray
    encoder: np.ndarray
    variance: np.ndarray


def checked_beta(beta) -> np.ndarray:
    """β as a float array; ValueError unless every entry is finite and > 0 (at β = 0, C and TIE diverge)."""
    array = np.asarray(beta)
    if array.dtype.kind not in "iuf":
        raise ValueError(f"beta must be a number; got {beta!r}")
    if not (np.isfinite(array) & (array > 0)).all():
        wrong = array[~(np.isfinite(array) & (array > 0))].ravel()[0]
        reason = " (the KL terms diverge at beta = 0)" if wrong == 0 else ""
        raise ValueError(f"beta must be finite and > 0; got {wrong}{reason}")
    return array.astype(float)


def optimum(source, beta, latents: int | None = None, decoder_variance: float = 1.0) -> Parameters:
    """Global optimum of the linear β-VAE, in closed form.

    Parameters
    ----------
    source : LinearGaussian, or a bare (N, N) data covariance Σ
    beta : float or (...) array, > 0
    latents : int k, with a bare covariance only (a process has its own k)
    decoder_variance : float σ_x²

    Returns
    -------
    Parameters. Signs and order of the latents are free. Where an eigenvalue repeats, any rotation within
    its eigenspace is optimal too: for a process the one with the least true inference error is returned.
    (A signal-free direction is interchangeable with the noise; TIE does not depend on which is taken.)

    Raises
    ------
    ValueError
        on a bad β, covariance or number of latents, and for repeated eigenvalues above six latents.
    """
    level = (checked_beta(beta) * decoder_variance)[..., None]
    values, vectors = _spectrum(source, latents)
    scale = np.sqrt(np.maximum(values - level, 0))  # d, (..., k)
    if isinstance(source, LinearGaussian):
        groups = alignment.eigenspaces(values, source.noise_std**2)
        vectors = alignment.rotate_repeated(vectors, source.mixing, groups, scale)  # (..., N, k)
    encoder = (scale / (scale**2 + level))[..., None] * np.swapaxes(vectors, -1, -2)
    return Parameters(vectors * scale[..., None, :], encoder, level / np.maximum(values, level))


def optimum_given_decoder(decoder, beta, decoder_variance: float = 1.0) -> Parameters:
    """Best encoder for a decoder that is not trained.

    W = (DᵀD + b I)⁻¹ Dᵀ,  v_i = b / (b + (DᵀD)_ii)

    Parameters as in `optimum`, with decoder D (N, k). The encoder does not depend on the data.
    """
    decoder = np.asarray(decoder, float)
    level = (checked_beta(beta) * decoder_variance)[..., None]
    gram = decoder.T @ decoder
    encoder = np.linalg.solve(gram + level[..., None] * np.eye(len(gram)), decoder.T)
    return Parameters(
        np.broadcast_to(decoder, (*level.shape[:-1], *decoder.shape)),
        encoder,
        level / (level + np.diag(gram)),
    )


def stationary_points(process, beta: float, starts: int, rng, ascent: int = 0) -> list[Parameters]:
    """Solutions of the stationarity equations from random starts, the route of the thesis (σ_x = 1).

    (I − D W) Σ Wᵀ = D diag(v), with W and v as in `optimum_given_decoder`, solved for D by scipy's
    hybrid Powell method. Saddle points solve it too (latents that encode nothing, or a direction that is
    not among the leading ones) and attract many plain starts; `ascent` steps of D ← Σ Wᵀ (W Σ Wᵀ + diag v)⁻¹
    beforehand, none of which lowers the objective, lead away from them.

    Returns
    -------
    list of Parameters, one for each start that converged, in order of falling objective
    """
    Sigma, (N, k) = process.covariance, process.mixing.shape

    def residual(flat):
        D = flat.reshape(N, k)
        _, W, v = optimum_given_decoder(D, beta)
        length = np.sqrt(1 + (D**2).sum() / np.trace(Sigma))  # without it D → ∞ passes for a solution
        return length * ((Sigma - D @ W @ Sigma) @ W.T - D * v).ravel()

    width, points = np.sqrt(np.trace(Sigma) / N), []
    for _ in range(starts):
        D = width * rng.standard_normal((N, k))
        for _ in range(ascent):
            _, W, v = optimum_given_decoder(D, beta)
            D = np.linalg.solve(W @ Sigma @ W.T + np.diag(v), W @ Sigma).T
        solution = optimize.root(residual, D.ravel())
        if np.abs(solution.fun).max() < 1e-8 * width:
            points.append(optimum_given_decoder(solution.x.reshape(N, k), beta))
    return sorted(points, key=lambda point: -terms(process, point, beta)["objective"])


def solve_stationarity(process, beta: float, starts: int = 8, rng=None) -> Parameters:
    """Best solution of the stationarity equations among led random starts; see `stationary_points`.

    Raises
    ------
    ValueError
        if no start converged.
    """
    points = stationary_points(process, beta, starts, rng or np.random.default_rng(0), ascent=50)
    if not points:
        raise ValueError(f"none of {starts} starts solved the stationarity equations at beta = {beta}")
    return points[0]


def terms(process, parameters: Parameters, beta, decoder_variance: float = 1.0) -> dict[str, np.ndarray]:
    """Every term of the β-VAE identity for any linear model, with the data integrated out.

    R = −½ {tr[(I − DW) Σ (I − DW)ᵀ] + Σ_i (DᵀD)_ii v_i} / σ_x² − (N/2) log 2πσ_x²
    C = ½ {Σ_i v_i + tr(WΣWᵀ) − k − Σ_i log v_i}
    MIE, TIE = ½ {tr(M diag v) + tr[M (W − G) Σ (W − G)ᵀ] − k − log det M − Σ_i log v_i}

    with M = I + BᵀB/s² and G = M⁻¹Bᵀ/s², (B, s²) = (D, σ_x²) for MIE and (A, σ²) for TIE.
    TIE is the least over signed permutations of the latents.

    Returns
    -------
    dict of arrays shaped like β, in nats, with the names of `TERMS`.

    Source: thesis, Appendices 1 and 4.
    """
    D, W, v = parameters
    Sigma, (N, k) = process.covariance, process.mixing.shape
    WS = W @ Sigma  # (..., k, N)
    gram, moment = np.swapaxes(D, -1, -2) @ D, WS @ np.swapaxes(W, -1, -2)  # DᵀD, WΣWᵀ
    explained = _trace(WS @ D)
    squared_error = np.trace(Sigma) - 2 * explained + _trace(gram @ moment) + (_diagonal(gram) * v).sum(-1)
    reconstruction = -0.5 * (squared_error / decoder_variance + N * np.log(2 * np.pi * decoder_variance))
    log_v = np.log(v).sum(-1)
    kl_prior = 0.5 * (v.sum(-1) + _trace(moment) - k - log_v)

    M = np.eye(k) + gram / decoder_variance
    G = np.linalg.solve(M, np.swapaxes(D, -1, -2) / decoder_variance)
    log_det_M = np.linalg.slogdet(M)[1]
    miss = W - G
    mie = 0.5 * ((_diagonal(M) * v).sum(-1) + _trace(M @ miss @ Sigma @ np.swapaxes(miss, -1, -2)))
    mie -= 0.5 * (k + log_det_M + log_v)
    whitened = (np.trace(Sigma) - _trace(np.swapaxes(D, -1, -2) @ Sigma @ np.swapaxes(G, -1, -2))) / decoder_variance
    log_likelihood = -0.5 * (N * np.log(2 * np.pi * decoder_variance) + log_det_M + whitened)

    second_moment = moment + v[..., None] * np.eye(k)
    cross = WS @ process.mixing / process.noise_std**2  # E[z μᵀ M], with μ = Gx
    aligned, _ = alignment.align(second_moment, cross, process.posterior_precision)
    signal = (process.mixing**2).sum() / process.noise_std**2  # E[μᵀ M μ]
    tie = aligned + 0.5 * (signal - k - np.linalg.slogdet(process.posterior_precision)[1] - log_v)
    objective = reconstruction - checked_beta(beta) * kl_prior
    values = (reconstruction, kl_prior, objective, reconstruction - kl_prior, log_likelihood, mie, tie)
    return dict(zip(TERMS, values, strict=True))


def sweep(process, betas, decoder=None, decoder_variance: float = 1.0) -> xr.Dataset:
    """Every term at the optimum for each β, with the decoder trained or held fixed.

    Parameters
    ----------
    process : LinearGaussian
    betas : (β,) array-like, > 0
    decoder : (N, k) array or None; given, it is held fixed and only the encoder is optimal
    decoder_variance : float σ_x²

    Returns
    -------
    Dataset over `beta` with the variables of `TERMS` in nats, and a coordinate `identified`: False where
    the optimum is free to rotate within an eigenspace and TIE is the least over those rotations.
    """
    betas = np.atleast_1d(checked_beta(betas))
    if decoder is None:
        parameters = optimum(process, betas, decoder_variance=decoder_variance)
        values, _ = _spectrum(process, None)
        active = values > betas[:, None] * decoder_variance
        groups = alignment.eigenspaces(values, process.noise_std**2)
        identified = ~active[:, [group[0] for group in groups if len(group) > 1]].any(-1)
    else:
        parameters = optimum_given_decoder(decoder, betas, decoder_variance)
        identified = np.ones(len(betas), bool)
    dataset = xr.Dataset(
        {
            name: ("beta", value, {"units": "nats", "long_name": TERMS[name]})
            for name, value in terms(process, parameters, betas, decoder_variance).items()
        },
        coords={"beta": betas, "identified": ("beta", identified)},
    )
    dataset.beta.attrs["long_name"] = "weight β of the conditional independence loss"
    return dataset


def optimal_beta(process, decoder_variance: float = 1.0) -> float:
    """The β with the least true inference error, searched over every interval between collapse thresholds.

    On each interval and for each alignment of latents with sources TIE is strictly convex in b = β σ_x²:

    dTIE/db = −m/(2b) + ½ σ⁻² Σ_{i ≤ m} c_i (λ_i − b)^−½,  m active latents, c_i = |u_iᵀ a_π(i)|

    so each minimum is a bracketed root or an end of the interval. At least σ²/σ_x², with equality
    exactly when AᵀA is diagonal.
    """
    values, _ = _spectrum(process, None)
    edges = np.unique(np.concatenate([[0.0], values]))
    candidates = list(edges[1:])
    for low, high in itertools.pairwise(edges):
        grid = low + (high - low) * np.linspace(0.002, 0.998, 250)
        for gain in np.unique(_gains(process, grid), axis=0):
            candidates.append(_convex_minimum(values, gain, process.noise_std, low, high))
    betas = np.array(candidates) / decoder_variance
    return float(betas[sweep(process, betas, decoder_variance=decoder_variance).tie.values.argmin()])


def _convex_minimum(values, gain, noise_std, low, high) -> float:
    active = values >= high

    def slope(b):
        return (gain[active] / np.sqrt(values[active] - b)).sum() / noise_std**2 - active.sum() / b

    left, right = low + 1e-9 * (high - low), high - 1e-12 * high
    if right <= left or slope(left) >= 0:
        return left
    return optimize.brentq(slope, left, right, xtol=1e-15, rtol=1e-14) if slope(right) > 0 else high


def _gains(process, levels) -> np.ndarray:
    """c_i = |u_iᵀ a_π(i)| under the best alignment at each water level, (level, k); 0 for collapsed latents."""
    D = optimum(process, levels).decoder  # with σ_x = 1, β is the water level
    norm = np.linalg.norm(D, axis=1)
    gain = np.abs(np.swapaxes(D, -1, -2) @ process.mixing)
    chosen = np.take_along_axis(gain, alignment.assign(gain)[..., None], -1)[..., 0]
    return np.round(np.divide(chosen, norm, out=np.zeros_like(norm), where=norm > 0), 12)


def _spectrum(source, latents) -> tuple[np.ndarray, np.ndarray]:
    """The k leading eigenvalues (k,) and eigenvectors (N, k) of the data covariance, largest first."""
    if isinstance(source, LinearGaussian):
        if latents is not None:
            raise ValueError(f"a process has its own number of latents; got latents={latents} as well")
        vectors, singular, _ = np.linalg.svd(source.mixing, full_matrices=False)
        return source.noise_std**2 + singular**2, vectors
    covariance = np.asarray(source, float)
    N = len(covariance)
    if covariance.shape != (N, N) or not np.allclose(covariance, covariance.T, atol=1e-9 * np.abs(covariance).max()):
        raise ValueError(f"a data covariance must be square and symmetric; got shape {covariance.shape}")
    if latents is None or not 1 <= latents <= N:
        raise ValueError(f"latents must be between 1 and {N} for this covariance; got {latents}")
    values, vectors = np.linalg.eigh(covariance)
    return np.maximum(values[::-1][:latents], 0), vectors[:, ::-1][:, :latents]


def _trace(matrices) -> np.ndarray:
    return np.trace(matrices, axis1=-2, axis2=-1)


def _diagonal(matrices) -> np.ndarray:
    return np.diagonal(matrices, axis1=-2, axis2=-1)
