"""Penalties on the aggregate posterior, in the linear model: trained by direct optimisation, no equation solved.

    J = R − β C − γ P[q(z)],   q(z) = E_x q(z|x) = N(0, S),   S = W Σ Wᵀ + diag v

With β = 1 and P the total correlation this is FactorVAE, and β-TCVAE at its own β of 1 + γ. At the optimum of
R − β C, S = I for every β, so that a penalty that vanishes at the prior changes no optimum. The encoder's
variances are the same for all x here, as at the optimum; otherwise q(z) would be no Gaussian.

The penalties are zero at S = I and positive elsewhere, but that the first is zero for every diagonal S:

    "tc"            ½ (Σ log S_ii − log det S), total correlation
    "kl"            ½ (tr S − k − log det S), divergence from the prior
    "mmd"           maximum mean discrepancy from the prior, squared, kernel exp(−|z − z'|²/2)
    "wasserstein"   ‖S^½ − I‖², squared 2-Wasserstein distance from the prior
    "dip-ii"        ‖S − I‖²
    "dip-i"         the same, of the covariance of the means in the place of S

Source: new here. The penalties are those of Kim and Mnih (2018), Chen et al. (2018), Kumar et al. (2018) and
Zhao et al. (2019).
"""

import numpy as np
from scipy import optimize

from betavae_core.theory.identity import Parameters, optimum_given_decoder, single_beta
from betavae_core.theory.stationarity import Layers, gradient, objective

OF_MEANS = "dip-i"  # the one that is a function of the means alone, S = W Σ Wᵀ, and does not vanish at the prior
STARTS = 4  # runs of BFGS
TOLERANCE = 1e-9  # largest derivative at which BFGS stops; where rounding stops it sooner it is taken as found


def trained(
    process, gamma: float, name: str = "tc", beta: float = 1.0, decoder_variance: float = 1.0, decoder=None, rng=None
) -> Parameters:
    """The best of `STARTS` runs of BFGS on R − β C − γ P, γ ≥ 0, from random weights, with exact derivatives.

    A `decoder` (N, k) that is given is held fixed, and only the encoder is trained. Raises ValueError on a bad γ, name
    of P, or β.
    """
    if not (np.isfinite(gamma) and gamma >= 0):
        raise ValueError(f"gamma must be finite and >= 0; got {gamma}")
    if name not in PENALTIES:
        raise ValueError(f"penalty must be one of: {', '.join(PENALTIES)}; got {name!r}")
    beta, P, rng = single_beta(beta), PENALTIES[name], rng or np.random.default_rng(0)
    (N, k), Sigma, moves = process.mixing.shape, process.covariance, decoder is None

    def parts(flat) -> Parameters:
        W, log_v, D = np.split(flat, [k * N, k * N + k])
        return Parameters(D.reshape(N, k), W.reshape(k, N), np.exp(log_v))

    def loss(flat):
        D, W, v = parts(flat)
        layers = Layers(D, W, np.zeros_like(W), np.log(v))
        noise = np.zeros(k) if name == OF_MEANS else v
        value, slope = P(W @ Sigma @ W.T + np.diag(noise))
        up = gradient(process, layers, beta, decoder_variance)
        total = gamma * value - objective(process, layers, beta, decoder_variance)
        down = 2 * gamma * slope @ W @ Sigma - up.encoder, gamma * np.diag(slope) * noise - up.bias
        return total, np.concatenate([down[0].ravel(), down[1], -up.decoder.ravel() * moves])

    def run():
        scale = np.sqrt(np.trace(Sigma) / N)
        D = scale * rng.standard_normal((N, k)) if moves else np.asarray(decoder, float)
        _, W, v = optimum_given_decoder(D, beta, decoder_variance)  # random weights of ordinary size
        start = np.concatenate([W.ravel(), np.log(v), D.ravel()])
        return optimize.minimize(loss, start, jac=True, method="BFGS", options={"gtol": TOLERANCE})

    return parts(min((run() for _ in range(STARTS)), key=lambda found: found.fun).x)


def _total_correlation(S):
    value = 0.5 * (np.log(np.diag(S)).sum() - np.linalg.slogdet(S)[1])
    return value, 0.5 * (np.diag(1 / np.diag(S)) - np.linalg.inv(S))


def _divergence(S):
    k = len(S)
    return 0.5 * (np.trace(S) - k - np.linalg.slogdet(S)[1]), 0.5 * (np.eye(k) - np.linalg.inv(S))


def _discrepancy(S):
    """E k(z, z') = det(I + S + S')^−½ for independent Gaussians of covariances S and S'."""
    one = np.eye(len(S))
    both, cross = one + 2 * S, 2 * one + S
    same, across = np.linalg.det(both) ** -0.5, np.linalg.det(cross) ** -0.5
    value = same - 2 * across + 3.0 ** (-0.5 * len(S))
    return value, across * np.linalg.inv(cross) - same * np.linalg.inv(both)


def _wasserstein(S):
    values, vectors = np.linalg.eigh(S)
    root = np.sqrt(values)
    return ((root - 1) ** 2).sum(), vectors * (1 - 1 / root) @ vectors.T


def _moments(S):
    miss = S - np.eye(len(S))
    return (miss**2).sum(), 2 * miss


PENALTIES = {
    "tc": _total_correlation,
    "kl": _divergence,
    "mmd": _discrepancy,
    "wasserstein": _wasserstein,
    "dip-ii": _moments,
    OF_MEANS: _moments,
}  # value and derivative in S
