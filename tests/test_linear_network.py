"""The linear network trained in whitened units: it reaches the closed form whatever the units, or says it did not."""

import numpy as np
import pytest
from scipy.stats import multivariate_normal

from betavae_core.networks import linear_network as networks
from betavae_core.showing import analytical
from betavae_core.theory import linear
from betavae_core.theory.gaussian import LinearGaussian, kl_divergence, posterior
from betavae_core.theory.terms import LINEAR

COUNT, STEPS, SAMPLES = 24, 6_000, 200  # the chapter has 1, 10,000 and 2,000; this is cheap


def random_case(rng, N, k):
    """A process with singular values and noise from 0.01 to 100, and β at 2, as in the chapter, or from 0.5 to 10."""
    left, right = (np.linalg.qr(rng.standard_normal((n, n)))[0] for n in (N, k))
    singular, noise_std = 10 ** rng.uniform(-2, 2, k), 10 ** rng.uniform(-2, 2)
    beta = 2.0 if rng.random() < 0.5 else 0.5 * 20 ** rng.random()
    return LinearGaussian(left[:, :k] * singular @ right, noise_std), beta


def test_training_reaches_the_optimum_of_random_processes(rng, monkeypatch):
    monkeypatch.setattr(networks, "SAMPLES", SAMPLES)
    processes, betas = zip(*(random_case(rng, 3, 2) for _ in range(COUNT)), strict=True)
    [found], data = networks.train(processes, betas, (STEPS,))
    for process, beta, network, sample in zip(processes, betas, found, data, strict=True):
        closed = linear.terms(process, linear.optimum(process, beta), beta)
        reached = networks.measured(network, sample, beta)
        assert reached["objective"] <= closed["objective"] + 1e-9 * max(1, abs(closed["objective"]))
        told = analytical.training_sentence(STEPS, closed, reached)
        assert "objective has converged" in told or "both have converged" in told, (process, beta)


def test_a_stop_gives_the_network_after_so_many_steps(process, monkeypatch):
    """To the bit that of a training which ends there, if the steps do not depend on how many there are."""
    monkeypatch.setattr(networks, "rate", lambda part: 0.01)
    (early, late), _ = networks.train([process], [2.0], (50, 100))
    for stop, [stopped] in ((50, early), (100, late)):
        [[ended]], _ = networks.train([process], [2.0], (stop,))
        for one, other in zip(stopped, ended, strict=True):
            np.testing.assert_array_equal(one, other)
    assert not np.array_equal(early[0].decoder, late[0].decoder)


@pytest.mark.parametrize(
    ("mixing", "noise_std"),
    [
        ([[2.0, 1.0], [0.5, 1.5]], 10.0),
        ([[10, 5], [2.5, 7.5]], 1.0),
        ([[4, 2], [1, 3]], 1.0),
        ([[3, 1, 2], [0, 5, 1], [7, 2, 6], [4, 1, 3]], 1.0),
    ],
)
def test_cases_in_which_plain_weights_diverged(mixing, noise_std, monkeypatch):
    """The chapter's sentence and its table at its own number of steps."""
    monkeypatch.setattr(networks, "SAMPLES", SAMPLES)
    process = LinearGaussian(mixing, noise_std)
    closed = linear.terms(process, linear.optimum(process, 2.0), 2.0)
    _, network = analytical.trained_linear_network(process, 2.0)
    assert network["objective"] == pytest.approx(closed["objective"], abs=0.01)
    assert network["tie"] == pytest.approx(closed["tie"], rel=0.05)
    told = analytical.training_sentence(analytical.STEPS, closed, network)
    assert told.endswith(("both have converged.", "the objective has converged but TIE has not."))


def test_measured_terms_are_those_of_the_optimum_at_the_optimum(process):
    """The formula over a sample against the closed form, with the data integrated out."""
    D, W, v = linear.optimum(process, 1.5)
    zero = np.zeros(2)
    network = networks.Network(D, zero, W, zero, np.zeros((2, 2)), np.log(v))
    sample = networks.datasets.linear_sample(process, 300, np.random.default_rng(0))
    expected = linear.terms(process, linear.Parameters(D, W, v), 1.5)
    found = networks.measured(network, sample, 1.5)
    assert found == pytest.approx({name: float(value) for name, value in expected.items()})
    other = network._replace(slope=0.1 * np.ones((2, 2)), offset=zero + 0.1)
    worse = networks.measured(other, sample, 1.5)
    assert worse["objective"] < found["objective"] - 0.01
    assert worse["mie"] > found["mie"] + 0.01


@pytest.mark.parametrize("seed", range(4))
def test_measured_terms_of_any_linear_network_are_those_of_dense_algebra(seed):
    """With slopes and biases, oblique columns and no optimum near: each image by itself, averaged."""
    rng = np.random.default_rng(seed)
    process = LinearGaussian(rng.standard_normal((3, 2)), 0.7)
    network = networks.Network(
        rng.standard_normal((3, 2)), *(rng.standard_normal(shape) for shape in (3, (2, 3), 2, (2, 3), 2))
    )
    sample = networks.datasets.linear_sample(process, 60, rng)
    D, c, W, m, V, gamma = network
    gain, precision = posterior(D, 1.0)
    likelihood = multivariate_normal(c, D @ D.T + np.eye(3)).logpdf(sample.pixels).mean()
    errors, reached = [], []
    for x in sample.pixels:
        mean, variance = W @ x + m, np.exp(V @ x + gamma)
        errors.append(kl_divergence(mean, np.diag(variance), gain @ (x - c), np.linalg.inv(precision)))
        noise = (np.diag(D.T @ D) * variance).sum()
        reached.append(-0.5 * (((x - D @ mean - c) ** 2).sum() + noise + 3 * np.log(2 * np.pi)))
    prior = [kl_divergence(W @ x + m, np.diag(np.exp(V @ x + gamma)), [0, 0], np.eye(2)) for x in sample.pixels]
    R, C, mie = np.mean(reached), np.mean(prior), np.mean(errors)
    found = networks.measured(network, sample, 1.5)
    expected = {"reconstruction": R, "kl_prior": C, "elbo": R - C, "objective": R - 1.5 * C, "mie": mie}
    assert {name: found[name] for name in expected} == pytest.approx(expected)
    assert found["log_likelihood"] == pytest.approx(likelihood)
    assert set(found) == set(LINEAR)


def test_what_has_not_settled_is_said_and_never_as_nan():
    closed = dict.fromkeys(LINEAR, 2.0)
    for changed, told in (
        ({}, "both have converged"),
        ({"tie": 2.1}, "the objective has converged but TIE has not"),
        (
            {"objective": 1.9},
            "The objective has not converged: at this point the network says nothing about the optimum",
        ),
        ({"tie": np.nan}, "training has diverged"),
        ({"objective": -np.inf, "tie": np.nan}, "training has diverged"),
    ):
        network = closed | changed
        sentence = analytical.training_sentence(10, closed, network)
        rows = analytical.route_rows({"closed": closed, "solver": closed, "network": network})
        assert told in sentence
        assert "nan" not in sentence + str(rows)
        assert "inf" not in sentence + str(rows).replace("inference", "")
