"""Penalties on the aggregate posterior, in the linear model: trained by direct optimisation, no equation solved.

    J = R − β C − γ P[q(z)],   q(z) = E_x q(z|x) = N(0, S),   S = W Σ Wᵀ + diag v

With β = 1 and P the total correlation this is FactorVAE, and β-TCVAE at its own β of 1 + γ. At the optimum of
R − β C, S = I for every β, so that a penalty that vanishes at the prior changes no optimum. The encoder's
variances are the same for all x here, as at the optimum; otherwise q(z) would be no Gaussian.

Source: new here. The penalties are those of Kim and Mnih (2018), Chen et al. (2018), Kumar et al. (2018) and
Zhao et al. (2019).
"""

import numpy as np
from scipy import optimize

from betavae_core.theory.identity import Parameters, optimum_given_decoder, single_beta
from betavae_core.theory.stationarity import Layers, gradient, objective

OF_MEANS = "dip-i"  # the one that is a function of the means alone, S = W Σ Wᵀ, and does not vanish at the prior
TOLERANCE = 1e-9  # largest derivative at which BFGS stops; where rounding stops it sooner it is taken as found


def total_correlation(covariance) -> float:
    """KL divergence of a Gaussian N(0, S) from the product of its marginals, in nats.

    TC = ½ (Σ_i log S_ii − log det S)

    >>> round(total_correlation([[1.0, 0.6], [0.6, 1.0]]), 4)  # −½ log(1 − 0.36)
    0.2231

    Parameters
    ----------
    covariance : (k, k) array S, symmetric and positive definite

    Raises
    ------
    ValueError
        if S is not square, symmetric and positive definite.
    """
    return float(_total_correlation(_checked_covariance(covariance))[0])


def aggregate_covariance(process, parameters: Parameters) -> np.ndarray:
    """Covariance of the latents over all data, S = W Σ Wᵀ + diag v, (k, k).

    >>> from betavae_core.theory import linear
    >>> process = linear.LinearGaussian([[2.0, 1.0], [0.5, 1.5]])
    >>> S = aggregate_covariance(process, linear.optimum(process, 3.0))
    >>> bool(abs(S - np.eye(2)).max() < 1e-12)
    True
    """
    _, W, v = parameters
    return W @ process.covariance @ W.T + np.diag(v)


def penalty(name: str, covariance) -> float:
    """Value of a penalty at q(z) = N(0, S): zero at S = I, positive elsewhere but for the first.

    "tc"            ½ (Σ log S_ii − log det S), total correlation, zero for every diagonal S
    "kl"            ½ (tr S − k − log det S), divergence from the prior
    "mmd"           maximum mean discrepancy from the prior, squared, kernel exp(−|z − z'|²/2)
    "wasserstein"   ‖S^½ − I‖², squared 2-Wasserstein distance from the prior
    "dip-ii"        ‖S − I‖²
    "dip-i"         the same, of the covariance of the means in the place of S

    Raises
    ------
    ValueError
        on an unknown name, or if S is not square, symmetric and positive definite.
    """
    return float(_known(name)(_checked_covariance(covariance))[0])


def trained(
    process,
    gamma: float,
    name: str = "tc",
    beta: float = 1.0,
    decoder_variance: float = 1.0,
    decoder=None,
    starts: int = 4,
    rng=None,
) -> Parameters:
    """The best of several runs of BFGS on R − β C − γ P, from random weights, with exact derivatives.

    Parameters
    ----------
    process : LinearGaussian
    gamma : float ≥ 0, weight of the penalty
    name : which, as in `penalty`
    beta, decoder_variance : floats > 0
    decoder : (N, k) array or None; given, it is held fixed and only the encoder is trained
    starts : int ≥ 1
    rng : numpy Generator

    Raises
    ------
    ValueError
        on a bad weight, name or number of starts.
    """
    if not (np.isfinite(gamma) and gamma >= 0):
        raise ValueError(f"gamma must be finite and >= 0; got {gamma}")
    if starts < 1:
        raise ValueError(f"starts must be at least 1; got {starts}")
    beta, P, rng = single_beta(beta), _known(name), rng or np.random.default_rng(0)
    (N, k), Sigma = process.mixing.shape, process.covariance
    held = None if decoder is None else np.asarray(decoder, float)

    def parts(flat) -> Parameters:
        W, log_v = flat[: k * N].reshape(k, N), flat[k * N : k * N + k]
        return Parameters(flat[k * N + k :].reshape(N, k) if held is None else held, W, np.exp(log_v))

    def loss(flat):
        D, W, v = parts(flat)
        layers = Layers(D, W, np.zeros_like(W), np.log(v))
        noise = np.zeros(k) if name == OF_MEANS else v
        value, slope = P(W @ Sigma @ W.T + np.diag(noise))
        up = gradient(process, layers, beta, decoder_variance)
        down = [
            2 * gamma * slope @ W @ Sigma - up.encoder,
            gamma * np.diag(slope) * noise - up.bias,
            *([] if held is not None else [-up.decoder]),
        ]
        total = gamma * value - objective(process, layers, beta, decoder_variance)
        return total, np.concatenate([part.ravel() for part in down])

    def run():
        scale = np.sqrt(np.trace(Sigma) / N)
        D = scale * rng.standard_normal((N, k)) if held is None else held
        _, W, v = optimum_given_decoder(D, beta, decoder_variance)  # random weights of ordinary size
        parameters = [W, np.log(v), *([] if held is not None else [D])]
        start = np.concatenate([part.ravel() for part in parameters])
        return optimize.minimize(loss, start, jac=True, method="BFGS", options={"gtol": TOLERANCE})

    return parts(min((run() for _ in range(starts)), key=lambda found: found.fun).x)


def _total_correlation(S):
    return (
        0.5 * (np.log(np.diag(S)).sum() - np.linalg.slogdet(S)[1]),
        0.5 * (np.diag(1 / np.diag(S)) - np.linalg.inv(S)),
    )


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


def _known(name):
    if name not in PENALTIES:
        raise ValueError(f"penalty must be one of: {', '.join(PENALTIES)}; got {name!r}")
    return PENALTIES[name]


def _checked_covariance(covariance) -> np.ndarray:
    S = np.asarray(covariance, float)
    if S.ndim != 2 or S.shape[0] != S.shape[1] or not np.allclose(S, S.T):
        raise ValueError(f"a covariance must be square and symmetric; got shape {S.shape}")
    if not (np.isfinite(S).all() and np.linalg.eigvalsh(S)[0] > 0):
        raise ValueError("a covariance must be positive definite")
    return S
