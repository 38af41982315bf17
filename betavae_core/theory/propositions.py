"""The thesis's general statements, checked on any analytical model: each check is a largest violation.

A violation is in nats and is what the statement forbids; at most rounding where it holds. The proofs are in
the book's `theory` chapter.
"""

import numpy as np

from betavae_core.theory import linear, stationarity
from betavae_core.theory.gaussian import LinearGaussian
from betavae_core.theory.stationarity import Layers

STATEMENTS = {
    "exchange": "at its own β, an optimum is at least as good as that of another β",
    "objective": "L* does not increase",
    "kl_prior": "C* does not increase",
    "reconstruction": "R* does not increase",
    "elbo": "ELBO* does not fall up to β = 1, or rise after it",
    "slope": "ΔELBO* lies between (β₂ − 1) ΔC* and (β₁ − 1) ΔC*",
    "limit": "C* ≤ (R* − R₀)/β, so C* → 0 as β → ∞",
    "mie_slope": "ΔMIE* lies between Δlog p − (β₁ − 1) ΔC* and Δlog p − (β₂ − 1) ΔC*",
    "mie": "MIE* = log-likelihood − ELBO*, and is not negative",
    "likelihood": "linear model: likelihood does not fall up to β = 1, where MIE* is zero, and does not rise after it",
    "fixed_decoder": "fixed decoder: MIE* is least at β = 1",
}

KINDS = ("optimum", "orthogonal", "shared")  # of stationary points; the last two are saddle points
AT_OPTIMUM = 1e-7  # relative gap of the objective below which a solution is the global optimum
STEP = 1e-5  # of differences
SHARED = 1e-4  # of the largest entry of DᵀD + bI: off-diagonal from which latents share directions


def random_process(rng: np.random.Generator) -> LinearGaussian:
    """A random analytical model: 1 to 3 sources, up to 6 dimensions, signal and noise each over one decade."""
    k = int(rng.integers(1, 4))
    mixing = rng.standard_normal((int(rng.integers(k, 7)), k)) * 10 ** rng.uniform(-0.5, 0.5)
    return LinearGaussian(mixing, noise_std=10 ** rng.uniform(-0.5, 0.5))


def violations(process: LinearGaussian, betas, rng: np.random.Generator) -> dict[str, float]:
    """Largest violation of each of `STATEMENTS`, in nats: over all pairs of the given β, or each β where it names one.

    Parameters
    ----------
    process : LinearGaussian
    betas : (β,) increasing, with 1 among them
    rng : draws the decoder that is held fixed for the last statement
    """
    betas = np.asarray(betas, float)
    optimum = {name: value.values for name, value in linear.sweep(process, betas).items()}
    decoder = rng.standard_normal(process.mixing.shape)
    fixed = linear.sweep(process, betas, decoder=decoder).mie.values
    names = "reconstruction", "kl_prior", "elbo", "mie", "log_likelihood"
    R, C, elbo, mie, likelihood = (optimum[name] for name in names)
    value = R - betas[:, None] * C  # [β, model]: model j's objective at β_i
    one = int(np.flatnonzero(betas == 1)[0])
    first, second = np.triu_indices(len(betas), 1)  # all pairs β₁ < β₂
    low, high = betas[first] - 1, betas[second] - 1
    rise, fall = elbo[second] - elbo[first], C[second] - C[first]
    of_error = mie[second] - mie[first] - (likelihood[second] - likelihood[first])
    R_prior = -0.5 * (np.trace(process.covariance) + len(process.mixing) * np.log(2 * np.pi))  # D = 0, q = prior
    return {
        "exchange": float((value - np.diag(value)[:, None]).max()),
        "objective": _largest_rise(optimum["objective"]),
        "kl_prior": _largest_rise(C),
        "reconstruction": _largest_rise(R),
        "elbo": max(_largest_rise(-elbo[: one + 1]), _largest_rise(elbo[one:])),
        "slope": float(max((high * fall - rise).max(), (rise - low * fall).max())),
        "limit": float((C - (R - R_prior) / betas).max()),
        "mie_slope": float(max((-low * fall - of_error).max(), (of_error + high * fall).max())),
        "mie": float(max(np.abs(mie - (likelihood - elbo)).max(), -mie.min())),
        "likelihood": max(_largest_rise(-likelihood[: one + 1]), _largest_rise(likelihood[one:]), float(mie[one])),
        "fixed_decoder": float((fixed[one] - fixed).max()),
    }


def solutions(process: LinearGaussian, beta: float, starts: int, rng: np.random.Generator) -> dict:
    """What the solutions of the stationarity equations are, from plain random starts (σ_x = 1).

    K = DᵀD + β I commutes with its diagonal Δ, Σ D = D K Δ⁻¹ K, and only at the optimum is no way up:
    Appendix 7 of the book.

    Returns a dict of

    - `KINDS`: how many of each were found
    - "gradient": largest derivative of L_β in any weight, by differences of the objective
    - "commute", "eigen": largest violation of the two equations, relative to K and to Σ
    - "ascent": of the largest eigenvalues of the Hessian of L_β where it is not the optimum, the least
    - "top": of those at the optimum, the largest; both are NaN where there is none
    """
    best = float(linear.sweep(process, beta).objective[0])
    found: dict = dict.fromkeys(KINDS, 0) | {"gradient": 0.0, "commute": 0.0, "eigen": 0.0}
    ascent, top = [], []
    for D, W, v in stationarity.stationary_points(process, beta, starts, rng):
        layers = Layers(D, W, np.zeros_like(W), np.log(v))
        K = D.T @ D + beta * np.eye(len(v))
        kappa = np.diag(K)
        shared = np.abs(K - np.diag(kappa)).max() > SHARED * K.max()
        gap = best - stationarity.objective(process, layers, beta)
        at_optimum = abs(gap) < AT_OPTIMUM * max(1, abs(best))
        found["optimum" if at_optimum else "shared" if shared else "orthogonal"] += 1
        (top if at_optimum else ascent).append(_steepest(process, layers, beta))
        miss = process.covariance @ D - D @ K @ (K / kappa[:, None])
        for name, wrong in (
            ("gradient", _differences(lambda moved: stationarity.objective(process, moved, beta), layers)),
            ("commute", K * (kappa - kappa[:, None]) / K.max() ** 2),
            ("eigen", miss / np.linalg.norm(process.covariance)),
        ):
            found[name] = max(found[name], float(np.abs(wrong).max()))
    return found | {"ascent": min(ascent, default=np.nan), "top": max(top, default=np.nan)}


def _moved(layers: Layers, index: int, step: float) -> Layers:
    flat = np.concatenate([part.ravel() for part in layers])
    flat[index] += step
    ends = np.cumsum([part.size for part in layers])[:-1]
    parts = zip(np.split(flat, ends), layers, strict=True)
    return Layers(*(part.reshape(old.shape) for part, old in parts))


def _differences(value, layers: Layers) -> np.ndarray:
    """Derivatives of a function of the layers in every weight, by central differences."""
    places = range(sum(part.size for part in layers))
    return np.array([value(_moved(layers, i, STEP)) - value(_moved(layers, i, -STEP)) for i in places]) / (2 * STEP)


def _steepest(process, layers: Layers, beta: float) -> float:
    """Largest eigenvalue of the Hessian of the objective in all weights, by differences of its gradient."""

    def slope(moved):
        return np.concatenate([part.ravel() for part in stationarity.gradient(process, moved, beta)])

    hessian = _differences(slope, layers)
    return float(np.linalg.eigvalsh((hessian + hessian.T) / 2)[-1])


def posterior_correlation(process: LinearGaussian) -> float:
    """Largest absolute correlation between two sources given the data; 0 for a single source."""
    covariance = process.posterior_covariance
    scale = np.sqrt(np.diag(covariance))
    return float(np.abs(covariance / np.outer(scale, scale) - np.eye(len(scale))).max())


def _largest_rise(values) -> float:
    """Largest of values[j] − values[i] over all i < j, or 0 where none is positive."""
    return float((values - np.minimum.accumulate(values)).max())
