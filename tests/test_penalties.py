"""Penalties on the aggregate posterior: each against an oracle of its own, then that they change no optimum."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import linalg, optimize, stats

from betavae_core.theory import gaussian, identity, linear, penalties
from betavae_core.theory.gaussian import LinearGaussian

ROUNDING = 1e-9  # float64 through a few products and logarithms, on values of order one
TRAINED = 1e-5  # nats of TIE, first order in what BFGS leaves of the weights
VANISHING = [name for name in penalties.PENALTIES if name != penalties.OF_MEANS]

seeds = st.integers(0, 2**32 - 1)


def covariance(seed, k=None):
    rng = np.random.default_rng(seed)
    k = k or int(rng.integers(1, 5))
    root = rng.standard_normal((k, k + 2))
    return root @ root.T / k * rng.uniform(0.3, 2)


def drawn(seed):
    rng = np.random.default_rng(seed)
    k = int(rng.integers(1, 4))
    mixing = rng.standard_normal((k + int(rng.integers(0, 3)), k)) * rng.uniform(0.5, 3)
    return LinearGaussian(mixing, float(rng.uniform(0.4, 2))), rng


def tie(process, parameters, beta=1.0, decoder_variance=1.0):
    return float(identity.terms(process, parameters, beta, decoder_variance)["tie"])


def penalty(name, S):
    return float(penalties.PENALTIES[name](S)[0])


def aggregate_covariance(process, parameters):
    _, W, v = parameters
    return W @ process.covariance @ W.T + np.diag(v)


# --- the penalties ---------------------------------------------------------------------------------------


@settings(deadline=None)
@given(seeds)
def test_total_correlation_is_a_sum_of_entropies_less_the_joint_one(seed):
    S = covariance(seed)
    marginals = sum(stats.norm.entropy(scale=np.sqrt(variance)) for variance in np.diag(S))
    expected = marginals - stats.multivariate_normal(cov=S).entropy()
    assert penalty("tc", S) == pytest.approx(expected, abs=ROUNDING)
    scales = np.linspace(0.1, 3, len(S))
    scaled = penalty("tc", S * np.outer(scales, scales))
    assert scaled == pytest.approx(expected, abs=ROUNDING)  # units of the latents do not count


def test_total_correlation_by_monte_carlo(rng):
    S = covariance(4, k=3)
    z = rng.multivariate_normal(np.zeros(3), S, 200_000)
    joint = stats.multivariate_normal(cov=S).logpdf(z)
    ratio = joint - stats.norm.logpdf(z, scale=np.sqrt(np.diag(S))).sum(1)
    assert penalty("tc", S) == pytest.approx(ratio.mean(), abs=5 * ratio.std() / 447)


@settings(deadline=None)
@given(seeds)
def test_divergence_and_moments_and_wasserstein(seed):
    S = covariance(seed)
    zero, one = np.zeros(len(S)), np.eye(len(S))
    divergence = gaussian.kl_divergence(zero, S, zero, one)
    assert penalty("kl", S) == pytest.approx(divergence, abs=ROUNDING)
    distance = np.trace(S + one - 2 * linalg.sqrtm(S).real)  # Bures
    assert penalty("wasserstein", S) == pytest.approx(distance, abs=1e-7)
    off = sum(S[i, j] ** 2 for i in range(len(S)) for j in range(len(S)) if i != j)
    moments = off + sum((S[i, i] - 1) ** 2 for i in range(len(S)))
    assert penalty("dip-ii", S) == pytest.approx(moments)


@settings(deadline=None, max_examples=20)
@given(seeds)
def test_discrepancy_by_a_sum_over_the_difference_of_two_draws(seed):
    S, one = covariance(seed, k=2) + 0.1 * np.eye(2), np.eye(2)
    axis = np.linspace(-8, 8, 321)
    apart = np.stack(np.meshgrid(axis, axis), -1)

    def kernel(spread):
        density = stats.multivariate_normal(cov=spread).pdf(apart)
        return (density * np.exp(-0.5 * (apart**2).sum(-1))).sum() * (axis[1] - axis[0]) ** 2

    expected = kernel(2 * S) - 2 * kernel(S + one) + kernel(2 * one)
    assert penalty("mmd", S) == pytest.approx(expected, abs=1e-8)


@pytest.mark.parametrize("name", penalties.PENALTIES)
@settings(deadline=None, max_examples=20)
@given(seeds)
def test_derivatives_by_central_differences(name, seed):
    S = covariance(seed)
    P, step = penalties.PENALTIES[name], 1e-6
    rng = np.random.default_rng(seed)
    along = rng.standard_normal(S.shape)
    along = along + along.T
    expected = (P(S + step * along)[0] - P(S - step * along)[0]) / (2 * step)
    slope = P(S)[1]
    tolerance = 1e-6 * max(1, np.abs(slope).max())
    assert (slope * along).sum() == pytest.approx(expected, abs=tolerance, rel=1e-5)


@pytest.mark.parametrize("name", penalties.PENALTIES)
@settings(deadline=None, max_examples=20)
@given(seeds)
def test_all_are_positive_and_zero_at_the_prior(name, seed):
    S = covariance(seed)
    assert penalty(name, np.eye(len(S))) == pytest.approx(0, abs=1e-12)
    assert penalty(name, S) >= (0 if len(S) > 1 or name != "tc" else -1e-12)


# --- the theorem -----------------------------------------------------------------------------------------


@settings(deadline=None)
@given(seeds, st.floats(-1.5, 2), st.floats(0.3, 3))
def test_at_the_optimum_the_aggregate_posterior_is_the_prior_at_every_beta(seed, exponent, variance):
    process, _ = drawn(seed)
    parameters = linear.optimum(process, 10**exponent, decoder_variance=variance)
    S = aggregate_covariance(process, parameters)
    assert pytest.approx(np.eye(len(S)), abs=1e-9) == S


def test_the_aggregate_covariance_by_monte_carlo(process, rng):
    W, v = rng.standard_normal((2, 2)), np.array([0.3, 0.8])
    _, x = process.sample(200_000, rng)
    z = x @ W.T + np.sqrt(v) * rng.standard_normal(x.shape)
    S = aggregate_covariance(process, identity.Parameters(process.mixing, W, v))
    assert pytest.approx(np.cov(z.T), rel=0.02) == S


@pytest.mark.parametrize("name", VANISHING)
@pytest.mark.parametrize(("noise", "error"), [(1.0, 1.74186), (2.0, 1.37121)])
def test_no_weight_moves_the_error(process, name, noise, error):
    """The numbers of the theory: a larger weight repairs neither the rotation nor the noise ratio, as β does."""
    process = LinearGaussian(process.mixing, noise)
    found = [tie(process, penalties.trained(process, gamma, name)) for gamma in (0.0, 1.0, 9.0)]
    assert found == pytest.approx([error] * 3, abs=TRAINED)


def test_where_the_noise_is_wrong_beta_repairs_what_no_penalty_does(process):
    process = LinearGaussian(process.mixing, 2.0)
    assert float(linear.sweep(process, 4.0).tie[0]) == pytest.approx(0.43547, abs=TRAINED)


@settings(deadline=None, max_examples=10)
@given(seeds, st.sampled_from(VANISHING), st.floats(0, 10), st.floats(0.3, 3), st.floats(0.5, 2))
def test_random_models_weights_betas_and_decoders(seed, name, gamma, beta, variance):
    """The penalised objective is never above the optimum without the penalty, and reaches it there."""
    process, rng = drawn(seed)
    found = penalties.trained(process, gamma, name, beta, variance, rng=rng)
    objective = float(identity.terms(process, found, beta, variance)["objective"])
    S = aggregate_covariance(process, found)
    best = float(linear.sweep(process, beta, decoder_variance=variance).objective[0])
    reached = objective - gamma * penalty(name, S)
    assert reached <= best + 1e-9 * max(1, abs(best))
    assert reached == pytest.approx(best, abs=1e-6)


@settings(deadline=None, max_examples=8)
@given(seeds, st.floats(0.5, 5))
def test_an_optimiser_without_any_derivative_finds_nothing_better(seed, gamma):
    """Total correlation as entropies, differences instead of derivatives, and nothing of the module."""
    process, rng = drawn(seed)
    N, k = process.mixing.shape
    Sigma = process.covariance

    def loss(flat):
        D, W, log_v = np.split(flat, [N * k, 2 * N * k])
        D, W = D.reshape(N, k), W.reshape(k, N)
        parameters = identity.Parameters(D, W, np.exp(log_v))
        S = W @ Sigma @ W.T + np.diag(np.exp(log_v))
        joint = k / 2 * np.log(2 * np.pi * np.e) + 0.5 * np.linalg.slogdet(S)[1]
        dependence = stats.norm.entropy(scale=np.sqrt(np.diag(S))).sum() - joint
        return gamma * dependence - float(identity.terms(process, parameters, 1.0)["elbo"])

    start = 0.5 * rng.standard_normal(2 * N * k + k)
    best = -optimize.minimize(loss, start).fun
    expected = float(linear.sweep(process, 1.0).elbo[0])
    assert best <= expected + 1e-8 * max(1, abs(expected))


@pytest.mark.parametrize("name", penalties.PENALTIES)
def test_with_the_decoder_held_at_the_truth_a_penalty_does_harm(process, name):
    """There ELBO is least far from the likelihood, and TIE least, at weight 0; q(z) is not the prior."""
    errors = []
    for gamma in (0.0, 0.5, 5.0):
        found = penalties.trained(process, gamma, name, decoder=process.mixing)
        assert (found.decoder == process.mixing).all()
        errors.append(tie(process, found))
    assert errors[0] == pytest.approx(0.20695, abs=TRAINED)
    assert errors == sorted(errors)
    assert errors[2] > errors[0] + 1e-3


def test_the_covariance_of_the_means_is_another_matter(process):
    """DIP-VAE-I asks the means alone to have variance 1, which they have at no optimum: its weight moves TIE."""
    errors = [tie(process, penalties.trained(process, gamma, "dip-i")) for gamma in (0.0, 1.0, 10.0)]
    assert errors == pytest.approx([1.74186, 2.32488, 2.50047], abs=TRAINED)


def test_what_is_wrong_is_said(process):
    with pytest.raises(ValueError, match="gamma must be finite and >= 0; got -1"):
        penalties.trained(process, -1)
    with pytest.raises(ValueError, match="gamma must be finite and >= 0; got nan"):
        penalties.trained(process, float("nan"))
    with pytest.raises(ValueError, match="penalty must be one of: tc, kl, mmd"):
        penalties.trained(process, 1, "hsic")
    with pytest.raises(ValueError, match="beta must be finite and > 0"):
        penalties.trained(process, 1, beta=0)
