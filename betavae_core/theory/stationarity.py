"""The thesis's route to the optimum: objective, gradient, and the stationarity equations, solved numerically.

The book's Appendix 7 derives the equations from the gradient, and from them every solution.
"""

from typing import NamedTuple

import numpy as np
from scipy import optimize

from betavae_core.theory.identity import Parameters, optimum_given_decoder, single_beta, terms

STARTS, ASCENT = 8, 3_000  # steps that lead away from saddle points; after 50 some of six latents are still at one


class Layers(NamedTuple):
    """All that training moves in a linear β-VAE.

    q(z|x) = N(W x, diag exp(V x + γ)),  p(x|z) = N(D z, σ_x² I)
    decoder D (N, k), encoder W (k, N), log_variance V (k, N), bias γ (k,)
    """

    decoder: np.ndarray
    encoder: np.ndarray
    log_variance: np.ndarray
    bias: np.ndarray


def objective(process, layers: Layers, beta: float, decoder_variance: float = 1.0) -> float:
    """L_β = R − β C of any linear β-VAE, in nats, with the data integrated out.

    R = −½ {tr[(I − DW) Σ (I − DW)ᵀ] + Σ_i (DᵀD)_ii w_i} / σ_x² − (N/2) log 2πσ_x²
    C = ½ {Σ_i w_i + tr(WΣWᵀ) − k − Σ_i γ_i},  w_i = E exp(V x + γ)_i = exp(γ_i + ½ (VΣVᵀ)_ii)

    Source: thesis, Appendix 1.
    """
    (D, W, _, gamma), w, Sigma = layers, _mean_variance(process, layers), process.covariance
    N, k = D.shape
    miss = np.eye(N) - D @ W
    error = np.trace(miss @ Sigma @ miss.T) + (D**2).sum(0) @ w
    R = -0.5 * (error / decoder_variance + N * np.log(2 * np.pi * decoder_variance))
    C = 0.5 * (w.sum() + np.trace(W @ Sigma @ W.T) - k - gamma.sum())
    return float(R - single_beta(beta) * C)


def gradient(process, layers: Layers, beta: float, decoder_variance: float = 1.0) -> Layers:
    """Derivatives of `objective` in each of the layers, shaped as they are.

    ∂L/∂D = [(I − DW) Σ Wᵀ − D diag w] / σ_x²        ∂L/∂W = [Dᵀ − (DᵀD + b I) W] Σ / σ_x²
    ∂L/∂V_i = −½ ((DᵀD)_ii + b) w_i V_i Σ / σ_x²      ∂L/∂γ_i = −½ [((DᵀD)_ii + b) w_i − b] / σ_x²

    with b = β σ_x². All vanish where V = 0, W and w are those of `optimum_given_decoder`, and D is a
    solution of `stationary_points`.

    Source: thesis, Results, "Analytically Tractable β-VAE".
    """
    (D, W, V, _), w, Sigma = layers, _mean_variance(process, layers), process.covariance
    b = single_beta(beta) * decoder_variance
    weight = (D**2).sum(0) + b
    return Layers(
        ((np.eye(len(D)) - D @ W) @ Sigma @ W.T - D * w) / decoder_variance,
        (D.T - (D.T @ D + b * np.eye(len(W))) @ W) @ Sigma / decoder_variance,
        -0.5 * (weight * w)[:, None] * (V @ Sigma) / decoder_variance,
        -0.5 * (weight * w - b) / decoder_variance,
    )


def _mean_variance(process, layers: Layers) -> np.ndarray:
    V = layers.log_variance
    return np.exp(layers.bias + 0.5 * (V @ process.covariance * V).sum(1))


def stationary_points(process, beta: float, starts: int, rng, ascent: int = 0) -> list[Parameters]:
    """Solutions of the stationarity equations from random starts, the route of the thesis (σ_x = 1).

    (I − D W) Σ Wᵀ = D diag(v), with W and v as in `optimum_given_decoder`, solved for D by scipy's
    hybrid Powell method. Saddle points solve it too and attract many plain starts: latents that encode
    nothing, a direction that is not among the leading ones, or several latents that share their
    directions. `ascent` steps of `_ascended` lead away from them.

    Returns a list of Parameters, one for each start that converged, in order of falling objective.
    """
    Sigma, (N, k) = process.covariance, process.mixing.shape

    def residual(flat):
        D = flat.reshape(N, k)
        _, W, v = optimum_given_decoder(D, beta)
        length = np.sqrt(1 + (D**2).sum() / np.trace(Sigma))  # without it D → ∞ passes for a solution
        return length * ((Sigma - D @ W @ Sigma) @ W.T - D * v).ravel()

    width, points = np.sqrt(np.trace(Sigma) / N), []
    for D in _ascended(width * rng.standard_normal((starts, N, k)), Sigma, beta, ascent):
        solution = optimize.root(residual, D.ravel())
        if np.abs(solution.fun).max() < 1e-8 * width:
            points.append(optimum_given_decoder(solution.x.reshape(N, k), beta))
    return sorted(points, key=lambda point: -terms(process, point, beta)["objective"])


def _ascended(D, Sigma, beta: float, steps: int) -> np.ndarray:
    """Decoders D (start, N, k) after D ← Σ Wᵀ (W Σ Wᵀ + diag v)⁻¹, none of which lowers the objective."""
    for _ in range(steps):
        gram = np.swapaxes(D, -1, -2) @ D
        power = np.diagonal(gram, axis1=-2, axis2=-1)
        W = np.linalg.solve(gram + beta * np.eye(D.shape[-1]), np.swapaxes(D, -1, -2))
        v = (beta / (beta + power))[..., None] * np.eye(D.shape[-1])
        D = np.swapaxes(np.linalg.solve(W @ Sigma @ np.swapaxes(W, -1, -2) + v, W @ Sigma), -1, -2)
    return D


def solve_stationarity(process, beta: float) -> Parameters:
    """Best solution of the stationarity equations among led random starts; see `stationary_points`.

    Raises ValueError if no start converged.
    """
    points = stationary_points(process, beta, STARTS, np.random.default_rng(0), ASCENT)
    if not points:
        raise ValueError(f"none of {STARTS} starts solved the stationarity equations at beta = {beta}")
    return points[0]
