"""Terms of the identity in float64 against the same formulas in exact rationals, at any ratio of signal to noise."""

import itertools
from decimal import Decimal, localcontext
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from betavae_core.theory import linear
from betavae_core.theory.gaussian import LinearGaussian

DIGITS = 60  # of logarithms; everything else is exact
EXACT = 1e-9  # of a term's size, or nats: float64 through sums of squares of numbers up to 1e8


def exact(array):
    return np.vectorize(Fraction, otypes=[object])(np.asarray(array, float))


def inverse(M):
    """Gauss-Jordan in rationals; pivots of a positive definite matrix are never zero."""
    k = len(M)
    rows = np.hstack([M, exact(np.eye(k))])
    for i in range(k):
        rows[i] = rows[i] / rows[i, i]
        for j in range(k):
            if j != i:
                rows[j] = rows[j] - rows[j, i] * rows[i]
    return rows[:, k:]


def determinant(M):
    return M[0, 0] if len(M) == 1 else M[0, 0] * determinant(M[1:, 1:] - np.outer(M[1:, 0], M[0, 1:]) / M[0, 0])


def log(value):
    return Fraction((Decimal(value.numerator) / Decimal(value.denominator)).ln())


def divergence(B, variance, Sigma, W, v):
    """½ {tr(M diag v) + tr[M (W − G) Σ (W − G)ᵀ] − k − log det M − Σ log v}, as it stands in the docstring."""
    k = len(v)
    M = exact(np.eye(k)) + B.T.dot(B) / variance
    miss = W - inverse(M).dot(B.T) / variance
    spread = np.trace(M.dot(miss).dot(Sigma).dot(miss.T))
    return (np.diag(M).dot(v) + spread - k - log(determinant(M)) - sum(map(log, v))) / 2


def oracle(process, parameters, beta):
    """MIE and TIE, the latter the least over signed permutations."""
    A, D, W, v = (exact(part) for part in (process.mixing, *parameters))
    variance = Fraction(process.noise_std) ** 2
    Sigma = A.dot(A.T) + variance * exact(np.eye(len(A)))
    k = len(v)
    turned = []
    for order in itertools.permutations(range(k)):
        for signs in itertools.product((1, -1), repeat=k):
            P = exact(np.diag(signs))[:, list(order)]
            turned.append(divergence(A, variance, Sigma, P.dot(W), abs(P).dot(v)))
    return float(divergence(D, Fraction(1), Sigma, W, v)), float(min(turned))


def assert_exact(process, beta):
    parameters = linear.optimum(process, beta)
    found = linear.terms(process, parameters, beta)
    with localcontext() as context:
        context.prec = DIGITS
        expected = oracle(process, parameters, beta)
    for name, value in zip(("mie", "tie"), expected, strict=True):
        assert float(found[name]) >= 0, name
        assert float(found[name]) == pytest.approx(value, rel=EXACT, abs=EXACT), name


@pytest.mark.parametrize("beta", [0.5, 1.0, 3.0])
@pytest.mark.parametrize(
    "mixing", [[[1e8, 0], [0, 1e-8]], np.diag([3037000500] * 2), [[10, 5], [2.5, 7.5]], [[1e8], [1]]]
)
def test_terms_at_large_ratios_of_signal_to_noise(mixing, beta):
    assert_exact(LinearGaussian(mixing), beta)


@pytest.mark.parametrize("beta", [0.25, 1.0, 2.0])
def test_the_error_of_orthogonal_sources_follows_from_the_closed_form(beta):
    """For A = diag(a), σ = 1 and latents in use TIE = ½ Σ {b + (d − a)² − 1 − log b} with d² = a² + 1 − b."""
    scales = [3037000500, 100, 2]
    with localcontext() as context:
        context.prec = DIGITS
        b = Decimal(beta)
        miss = sum(((Decimal(a) ** 2 + 1 - b).sqrt() - a) ** 2 for a in scales)
        expected = float((miss + 3 * (b - 1 - b.ln())) / 2)
    assert float(linear.sweep(LinearGaussian(np.diag(scales)), beta).tie[0]) == pytest.approx(expected, rel=1e-8)


decades = st.floats(-2, 2).map(lambda exponent: 10.0**exponent)


@settings(deadline=None, max_examples=40)
@given(st.lists(decades, min_size=1, max_size=2), decades, decades, st.integers(0, 2**32 - 1))
def test_errors_are_exact_and_never_negative(singular, noise_std, beta, seed):
    rng, k = np.random.default_rng(seed), len(singular)
    left, right = (np.linalg.qr(rng.standard_normal((n, n)))[0] for n in (3, k))
    assert_exact(LinearGaussian(left[:, :k] * singular @ right, noise_std), beta)


def dense(process, parameters, decoder_variance):
    """R, C and log p in rationals, from covariances of pixels: no factor, no root, no optimum is made use of."""
    A, D, W, v = (exact(part) for part in (process.mixing, *parameters))
    N, k = D.shape
    Sigma = A.dot(A.T) + Fraction(process.noise_std) ** 2 * exact(np.eye(N))
    variance = Fraction(decoder_variance)
    log_2pi = Fraction(2 * np.pi).limit_denominator(10**20)
    model, left = D.dot(D.T) + variance * exact(np.eye(N)), exact(np.eye(N)) - D.dot(W)
    error = np.trace(left.dot(Sigma).dot(left.T)) + np.trace(D.T.dot(D) * v)
    normaliser = N * (log(log_2pi) + log(variance))
    return {
        "reconstruction": -(error / variance + normaliser) / 2,
        "kl_prior": (sum(v) + np.trace(W.dot(Sigma).dot(W.T)) - k - sum(map(log, v))) / 2,
        "log_likelihood": -(N * log(log_2pi) + log(determinant(model)) + np.trace(inverse(model).dot(Sigma))) / 2,
    }


@settings(deadline=None, max_examples=60)
@given(st.integers(1, 3), st.integers(0, 2**32 - 1), st.sampled_from([0.25, 1.0, 3.0]), st.sampled_from([0.3, 1, 2.5]))
def test_every_term_holds_for_any_linear_model_not_at_optima_alone(k, seed, decoder_variance, noise_std):
    """Columns of D are oblique, W and v are nobody's optimum: here a transposed factor once went unseen."""
    rng = np.random.default_rng(seed)
    process = LinearGaussian(2 * rng.standard_normal((3, k)), noise_std)
    parameters = linear.Parameters(
        2 * rng.standard_normal((3, k)), rng.standard_normal((k, 3)), np.exp(rng.standard_normal(k))
    )
    found = linear.terms(process, parameters, 1.7, decoder_variance)
    A, D, W, v = (exact(part) for part in (process.mixing, *parameters))
    Sigma = A.dot(A.T) + Fraction(process.noise_std) ** 2 * exact(np.eye(3))
    with localcontext() as context:
        context.prec = DIGITS
        expected = dense(process, parameters, decoder_variance)
        expected["mie"] = divergence(D, Fraction(decoder_variance), Sigma, W, v)
        expected["tie"] = oracle(process, parameters, None)[1]
        expected["elbo"] = expected["reconstruction"] - expected["kl_prior"]
        expected["objective"] = expected["reconstruction"] - Fraction(1.7) * expected["kl_prior"]
        for name, value in expected.items():
            assert float(found[name]) == pytest.approx(float(value), rel=EXACT, abs=EXACT), name
    assert set(expected) == set(found)
    assert float(found["elbo"] + found["mie"]) == pytest.approx(float(found["log_likelihood"]), rel=EXACT, abs=EXACT)


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 2**32 - 1))
def test_a_sweep_with_a_decoder_that_is_held_fixed_keeps_the_identity(seed):
    rng = np.random.default_rng(seed)
    process = LinearGaussian(rng.standard_normal((3, 2)), 1.3)
    found = linear.sweep(process, [0.3, 1.0, 4.0], decoder=2 * rng.standard_normal((3, 2)), decoder_variance=0.7)
    np.testing.assert_allclose(found.log_likelihood, found.elbo + found.mie, rtol=1e-9)
    assert float(np.ptp(found.log_likelihood.values)) < 1e-9  # the decoder is the same at every β


def test_the_likelihood_of_the_book_s_mixing_matrix_as_decoder():
    process = LinearGaussian([[2.0, 1.0], [0.5, 1.5]])
    found = linear.sweep(process, [1.0], decoder=process.mixing).log_likelihood
    Sigma = process.covariance
    assert float(found[0]) == pytest.approx(-np.log(2 * np.pi) - 0.5 * np.linalg.slogdet(Sigma)[1] - 1)
