"""The optimality conditions: the gradient, the system that it gives, and every solution of that."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import stats

from betavae_core.theory import identity, linear, propositions, stationarity
from betavae_core.theory.gaussian import LinearGaussian
from betavae_core.theory.stationarity import Layers

ROUNDING = 1e-8  # float64 through a few products, relative
DIFFERENCES = 1e-6  # central differences, steps of 1e-5 or 1e-6, relative to the largest derivative

seeds = st.integers(0, 2**32 - 1)
betas = st.floats(-1, 1).map(lambda exponent: 10.0**exponent)
variances = st.floats(0.3, 3)


def drawn(seed, least=1, most=3):
    """A random model and random layers, far from any optimum."""
    rng = np.random.default_rng(seed)
    k = int(rng.integers(least, most + 1))
    N = k + int(rng.integers(0, 3))
    mixing = rng.standard_normal((N, k)) * rng.uniform(0.5, 3)
    process = LinearGaussian(mixing, float(rng.uniform(0.4, 2)))
    shapes = (N, k), (k, N), (k, N), (k,)
    return process, Layers(*(0.3 * rng.standard_normal(shape) for shape in shapes)), rng


def flat(layers):
    return np.concatenate([part.ravel() for part in layers])


def like(layers, vector):
    parts = np.split(vector, np.cumsum([part.size for part in layers])[:-1])
    return Layers(*(part.reshape(old.shape) for part, old in zip(parts, layers, strict=True)))


def at(D, beta):
    """A decoder with the best encoder for it."""
    D, W, v = identity.optimum_given_decoder(D, beta)
    return Layers(D, W, np.zeros_like(W), np.log(v))


def leading(process, k):
    values, vectors = np.linalg.eigh(process.covariance)
    return values[::-1][:k], vectors[:, ::-1][:, :k]


@settings(deadline=None, max_examples=30)
@given(seeds, betas, variances)
def test_the_objective_is_the_mean_over_data_by_quadrature(seed, beta, decoder_variance):
    """Gauss-Hermite over x; given x, R and C are sums over latents: no trick for the exponential."""
    process, layers, _ = drawn(seed, most=2)
    assume(len(process.mixing) < 4)  # 30 nodes a dimension
    D, W, V, gamma = layers
    N = len(D)
    nodes, weights = np.polynomial.hermite_e.hermegauss(30)
    grid = np.stack(np.meshgrid(*[nodes] * N, indexing="ij"), -1).reshape(-1, N)
    mass = np.prod(np.meshgrid(*[weights / weights.sum()] * N, indexing="ij"), axis=0).ravel()
    x = grid @ np.linalg.cholesky(process.covariance).T
    mean, log_variance = x @ W.T, x @ V.T + gamma
    error = ((x - mean @ D.T) ** 2).sum(1) + np.exp(log_variance) @ (D**2).sum(0)
    R = stats.norm.logpdf(0, scale=np.sqrt(decoder_variance)) * N - 0.5 * error / decoder_variance
    C = 0.5 * (np.exp(log_variance) + mean**2 - 1 - log_variance).sum(1)
    expected = mass @ (R - beta * C)
    found = stationarity.objective(process, layers, beta, decoder_variance)
    assert found == pytest.approx(expected, rel=1e-6, abs=1e-6)


@settings(deadline=None, max_examples=30)
@given(seeds, betas, variances)
def test_without_a_slope_of_the_variance_it_is_the_objective_of_the_other_modules(seed, beta, decoder_variance):
    process, layers, _ = drawn(seed)
    layers = layers._replace(log_variance=np.zeros_like(layers.log_variance))
    parameters = identity.Parameters(layers.decoder, layers.encoder, np.exp(layers.bias))
    expected = float(identity.terms(process, parameters, beta, decoder_variance)["objective"])
    found = stationarity.objective(process, layers, beta, decoder_variance)
    assert found == pytest.approx(expected, rel=ROUNDING, abs=ROUNDING)


@settings(deadline=None, max_examples=40)
@given(seeds, betas, variances)
def test_the_gradient_by_central_differences(seed, beta, decoder_variance):
    process, layers, _ = drawn(seed)
    start, step = flat(layers), 1e-6

    def value(vector):
        return stationarity.objective(process, like(layers, vector), beta, decoder_variance)

    steps = step * np.eye(len(start))
    expected = [(value(start + s) - value(start - s)) / (2 * step) for s in steps]
    found = flat(stationarity.gradient(process, layers, beta, decoder_variance))
    assert found == pytest.approx(expected, abs=DIFFERENCES * max(1, np.abs(found).max()))


@settings(deadline=None, max_examples=30)
@given(seeds, betas, variances)
def test_it_vanishes_at_the_closed_form(seed, beta, decoder_variance):
    process, _, _ = drawn(seed)
    D, W, v = linear.optimum(process, beta, decoder_variance=decoder_variance)
    layers = Layers(D, W, np.zeros_like(W), np.log(v))
    found = stationarity.gradient(process, layers, beta, decoder_variance)
    scale = max(1, np.abs(process.covariance).max() / decoder_variance)
    assert flat(found) == pytest.approx(0, abs=ROUNDING * scale)


@settings(deadline=None, max_examples=8)
@given(seeds, betas)
def test_it_vanishes_at_every_solution_of_the_system_and_only_the_optimum_has_no_way_up(seed, beta):
    process, _, rng = drawn(seed, least=2)
    found = propositions.solutions(process, beta, 8, rng)
    assume(sum(found[kind] for kind in propositions.KINDS))  # not every plain start converges
    assert found["gradient"] < DIFFERENCES * max(1, np.abs(process.covariance).max())
    assert found["commute"] < 1e-6
    assert found["eigen"] < 1e-6
    assert not found["ascent"] <= 1e-5  # NaN: no other solution was found
    assert not found["top"] > 1e-5


def test_all_three_kinds_of_solutions_occur(process, rng):
    found = propositions.solutions(process, 1.0, 40, rng)
    assert all(found[kind] for kind in propositions.KINDS), found


@settings(deadline=None, max_examples=40)
@given(seeds, st.floats(0.05, 0.95), st.integers(2, 4))
def test_latents_that_share_one_direction_are_a_solution_and_a_saddle_point(seed, fraction, n):
    """D = u (a, …, a): √κ solves n κ = √(κλ) + (n − 1) b, a quadratic."""
    process, _, _ = drawn(seed, least=n, most=n)
    (largest, *_), u = leading(process, 1)
    b = fraction * largest
    root = (np.sqrt(largest) + np.sqrt(largest + 4 * n * (n - 1) * b)) / (2 * n)
    D = u * np.full(n, np.sqrt(root**2 - b))
    layers = at(D, b)
    scale = max(1, largest)
    assert flat(stationarity.gradient(process, layers, b)) == pytest.approx(0, abs=ROUNDING * scale)
    turn = np.eye(n)
    turn[:2, :2] = np.array([[np.cos(0.1), -np.sin(0.1)], [np.sin(0.1), np.cos(0.1)]])
    here, turned = (stationarity.objective(process, at(decoder, b), b) for decoder in (D, D @ turn))
    assert turned > here


@settings(deadline=None, max_examples=40)
@given(seeds)
def test_two_latents_that_share_two_directions_are_one_too(seed):
    """√κ = (√λ₁ + √λ₂)/2 and an eighth of a turn."""
    process, _, _ = drawn(seed, least=2, most=2)
    values, U = leading(process, 2)
    mean = np.sqrt(values).mean()
    theta = mean * np.sqrt(values)
    b = 0.5 * theta.min()
    D = U * np.sqrt(theta - b) @ np.array([[1, -1], [1, 1]]) / np.sqrt(2)
    slope = flat(stationarity.gradient(process, at(D, b), b))
    assert slope == pytest.approx(0, abs=ROUNDING * max(1, values[0]))
    best = float(linear.sweep(process, b).objective[0])
    assert stationarity.objective(process, at(D, b), b) < best


@settings(deadline=None, max_examples=40)
@given(seeds, betas, variances)
def test_the_value_at_the_best_encoder(seed, beta, decoder_variance):
    """−(β/2) {tr T⁻¹Σ + Σ log K_ii/b} − (N/2) log 2πσ_x², whose first term no turn of D changes."""
    process, layers, _ = drawn(seed)
    D, b = layers.decoder, beta * decoder_variance
    _, W, v = identity.optimum_given_decoder(D, beta, decoder_variance)
    N, k = D.shape
    T, K = D @ D.T + b * np.eye(N), D.T @ D + b * np.eye(k)
    inside = np.trace(np.linalg.solve(T, process.covariance)) + np.log(np.diag(K) / b).sum()
    expected = -0.5 * (beta * inside + N * np.log(2 * np.pi * decoder_variance))
    layers = Layers(D, W, np.zeros_like(W), np.log(v))
    found = stationarity.objective(process, layers, beta, decoder_variance)
    assert found == pytest.approx(expected, rel=ROUNDING, abs=ROUNDING)
