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
    if not (np.isfinite(array) & (array > 0)).all():
        wrong = array[~(np.isfinite(array) & (array > 0))].ravel()[0]
        reason = " (the KL terms diverge at beta = 0)" if wrong == 0 else ""
        raise ValueError(f"beta must be finite and > 0; got {wrong}{reason}")
    return array.astype(float)


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
    level = (checked_beta(beta) * decoder_variance)[..., None]
    gram = decoder.T @ decoder
    encoder = np.linalg.solve(gram + level[..., None] * np.eye(len(gram)), decoder.T)
    return Parameters(
        np.broadcast_to(decoder, (*level.shape[:-1], *decoder.shape)),
        encoder,
        level / (level + np.diag(gram)),
    )


def terms(process, parameters: Parameters, beta, decoder_variance: float = 1.0) -> dict[str, np.ndarray]:
    """Every term of the β-VAE identity for any linear model, with the data integrated out.

    R = −½ {tr[(I − DW) Σ (I − DW)ᵀ] + Σ_i (DᵀD)_ii v_i} / σ_x² − (N/2) log 2πσ_x²
    C = ½ {Σ_i v_i + tr(WΣWᵀ) − k − Σ_i log v_i}
    MIE, TIE = ½ {tr(M diag v) + tr[M (W − G) Σ (W − G)ᵀ] − k − log det M − Σ_i log v_i}

    with M = I + BᵀB/s² and G = M⁻¹Bᵀ/s², (B, s²) = (D, σ_x²) for MIE and (A, σ²) for TIE.
    TIE is the least over signed permutations of the latents.

    Returns
    -------
    dict of arrays shaped like β, in nats, named as in `theory.terms.LINEAR`.

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
    return {
        "reconstruction": reconstruction,
        "kl_prior": kl_prior,
        "objective": reconstruction - checked_beta(beta) * kl_prior,
        "elbo": reconstruction - kl_prior,
        "log_likelihood": log_likelihood,
        "mie": mie,
        "tie": tie,
    }


def _trace(matrices) -> np.ndarray:
    return np.trace(matrices, axis1=-2, axis2=-1)


def _diagonal(matrices) -> np.ndarray:
    return np.diagonal(matrices, axis1=-2, axis2=-1)
