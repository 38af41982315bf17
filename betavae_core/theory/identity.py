"""Every term of the β-VAE identity for any linear encoder and decoder, with the data integrated out.

log p(x) − KL(q(z|x) ‖ p(z|x)) = R − C,   L_β = R − β C
"""

from typing import NamedTuple

import numpy as np

from betavae_core.theory import alignment


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
    if (bad := ~(np.isfinite(array) & (array > 0))).any():
        wrong = array[bad][0]
        reason = " (the KL terms diverge at beta = 0)" if wrong == 0 else ""
        raise ValueError(f"beta must be finite and > 0; got {wrong}{reason}")
    return array.astype(float)


def water_level(beta, decoder_variance: float) -> np.ndarray:
    """b = β σ_x², shaped like β; ValueError as in `checked_beta`, and unless the decoder variance is finite and > 0."""
    array = np.asarray(decoder_variance)
    if array.dtype.kind not in "iuf" or array.ndim or not (np.isfinite(array) and array > 0):
        raise ValueError(f"the decoder variance must be finite and > 0; got {decoder_variance}")
    return checked_beta(beta) * decoder_variance


def single_beta(beta) -> float:
    """One β as a float; ValueError as in `checked_beta`, and for more than one."""
    array = checked_beta(beta)
    if array.size != 1:
        raise ValueError(f"beta must be a single number here; got shape {array.shape}")
    return float(array.ravel()[0])


def optimum_given_decoder(decoder, beta, decoder_variance: float = 1.0) -> Parameters:
    """Best encoder for a decoder that is not trained.

    W = (DᵀD + b I)⁻¹ Dᵀ,  v_i = b / (b + (DᵀD)_ii)

    Parameters as in `optimum`, with decoder D (N, k). The encoder does not depend on the data.
    """
    decoder = np.asarray(decoder, float)
    level = water_level(beta, decoder_variance)[..., None]
    gram = decoder.T @ decoder
    encoder = np.linalg.solve(gram + level[..., None] * np.eye(len(gram)), decoder.T)
    repeated = np.broadcast_to(decoder, (*level.shape[:-1], *decoder.shape))
    return Parameters(repeated, encoder, level / (level + np.diag(gram)))


def terms(process, parameters: Parameters, beta, decoder_variance: float = 1.0) -> dict[str, np.ndarray]:
    """Every term of the β-VAE identity for any linear model, with the data integrated out.

    R = −½ {tr[(I − DW) Σ (I − DW)ᵀ] + Σ_i (DᵀD)_ii v_i} / σ_x² − (N/2) log 2πσ_x²
    C = ½ {Σ_i v_i + tr(WΣWᵀ) − k − Σ_i log v_i}
    MIE, TIE = ½ {tr(M diag v) + tr[M (W − G) Σ (W − G)ᵀ] − k − log det M − Σ_i log v_i}

    with M = I + BᵀB/s² and G = M⁻¹Bᵀ/s², (B, s²) = (D, σ_x²) for MIE and (A, σ²) for TIE.
    TIE is the least over signed permutations of the latents. All are computed as sums of squares, with
    Σ^½ = [A, σI] and M^½ from a QR factorisation, so that large terms never cancel and no divergence is negative.

    Returns a dict of arrays shaped like β, in nats, named as in `theory.terms.LINEAR`.

    Source: thesis, Appendices 1 and 4.
    """
    D, W, v = parameters
    N = W.shape[-1]
    A, noise_std, model_std = process.mixing, process.noise_std, np.sqrt(decoder_variance)
    F = np.hstack([A, noise_std * np.eye(N)])  # Σ = F Fᵀ
    WF, root_v = W @ F, np.sqrt(v)[..., None, :]
    log_normaliser, log_v = N * np.log(2 * np.pi * decoder_variance), np.log(v).sum(-1)
    reconstruction = -0.5 * ((_square(F - D @ WF) + _square(D * root_v)) / decoder_variance + log_normaliser)
    kl_prior = 0.5 * ((v - 1 - np.log(v)).sum(-1) + _square(WF))

    Q1, Q2, R, log_det = posterior_root(D, model_std)
    Q1F = np.swapaxes(Q1, -1, -2) @ F  # R G F σ_x
    mie = _divergence(R * root_v, R @ WF - Q1F / model_std, log_det + log_v)
    misfit = (_square(F - Q1 @ Q1F) + _square(Q2 @ Q1F)) / decoder_variance
    log_likelihood = -0.5 * (log_normaliser + log_det + misfit)

    tie = true_inference_error(process, W, root_v * np.eye(v.shape[-1]))
    return {
        "reconstruction": reconstruction,
        "kl_prior": kl_prior,
        "objective": reconstruction - checked_beta(beta) * kl_prior,
        "elbo": reconstruction - kl_prior,
        "log_likelihood": log_likelihood,
        "mie": mie,
        "tie": tie,
    }


def true_inference_error(process, W, L) -> np.ndarray:
    """TIE of `terms` for any linear encoder, the covariance of whose q(z|x) = N(W x, L Lᵀ) need not be diagonal.

    TIE = ½ {‖R P L‖² + ‖R (P W − G) Σ^½‖² − k − log det M − log det L Lᵀ},  M = RᵀR

    W (..., k, N), L (..., k, k); nats. Raises ValueError above six latents, unless E[z zᵀ] is diagonal.
    """
    A, noise_std = process.mixing, process.noise_std
    F = np.hstack([A, noise_std * np.eye(len(A))])  # Σ = F Fᵀ
    WF = W @ F
    second_moment = WF @ np.swapaxes(WF, -1, -2) + L @ np.swapaxes(L, -1, -2)
    cross = WF @ F.T @ A / noise_std**2  # E[z μᵀ M], with μ = Gx
    _, P = alignment.align(second_moment, cross, process.posterior_precision)
    Q1, _, R, log_det = posterior_root(A, noise_std)
    log_dets = log_det + 2 * np.linalg.slogdet(L)[1]
    return _divergence(R @ P @ L, R @ P @ WF - Q1.T @ F / noise_std, log_dets)


def posterior_root(B, s) -> tuple[np.ndarray, ...]:
    """Q₁ (..., N, k), Q₂ and R (..., k, k) of [B/s; I] = [Q₁; Q₂] R, and log det M.

    M = RᵀR, R G = Q₁ᵀ/s and Q₂ = R⁻¹, so that B G = Q₁Q₁ᵀ and G = Q₂Q₁ᵀ/s.
    """
    k = B.shape[-1]
    stacked = np.concatenate([B / s, np.broadcast_to(np.eye(k), (*B.shape[:-2], k, k))], -2)
    Q, R = np.linalg.qr(stacked)
    log_det = 2 * np.log(np.abs(np.diagonal(R, axis1=-2, axis2=-1))).sum(-1)
    return Q[..., :-k, :], Q[..., -k:, :], R, log_det


def _divergence(spread, miss, log_dets) -> np.ndarray:
    """E KL(N(W x, L Lᵀ) ‖ N(G x, M⁻¹)) with M = RᵀR, spread = R L, miss = R (W − G) Σ^½: as squares, never negative."""
    return 0.5 * (np.maximum(_square(spread) - spread.shape[-1] - log_dets, 0) + _square(miss))


def _square(matrices) -> np.ndarray:
    """Σ of squared entries, ‖·‖² of each matrix."""
    return (matrices**2).sum((-1, -2))
