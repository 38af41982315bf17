"""The thesis's route to the optimum: the stationarity equations, solved numerically from many starts."""

import numpy as np
from scipy import optimize

from betavae_core.theory.identity import Parameters, optimum_given_decoder, terms

ASCENT = 3_000  # steps that lead away from saddle points; after 50 some of six latents are still at one


def stationary_points(process, beta: float, starts: int, rng, ascent: int = 0) -> list[Parameters]:
    """Solutions of the stationarity equations from random starts, the route of the thesis (σ_x = 1).

    (I − D W) Σ Wᵀ = D diag(v), with W and v as in `optimum_given_decoder`, solved for D by scipy's
    hybrid Powell method. Saddle points solve it too (latents that encode nothing, or a direction that is
    not among the leading ones) and attract many plain starts; `ascent` steps of `_ascended` lead away from them.

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


def solve_stationarity(process, beta: float, starts: int = 8, rng=None) -> Parameters:
    """Best solution of the stationarity equations among led random starts; see `stationary_points`.

    Raises
    ------
    ValueError
        if no start converged.
    """
    points = stationary_points(process, beta, starts, rng or np.random.default_rng(0), ASCENT)
    if not points:
        raise ValueError(f"none of {starts} starts solved the stationarity equations at beta = {beta}")
    return points[0]
