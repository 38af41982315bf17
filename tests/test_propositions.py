import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from betavae_core.theory import linear, propositions

ROUNDING = 1e-8  # nats, on values up to some thousands


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 2**32 - 1))
def test_every_statement_holds_on_random_models(seed):
    rng = np.random.default_rng(seed)
    betas = np.sort(np.append(10 ** rng.uniform(-2, 2, 30), 1.0))
    found = propositions.violations(propositions.random_process(rng), betas, rng)
    assert set(found) == set(propositions.STATEMENTS)
    assert max(found.values()) < ROUNDING, found


def test_a_false_statement_is_found(process, monkeypatch):
    """The checks are able to fail: give them a model whose loss C grows with β."""
    sweep = linear.sweep

    def wrong(*args, **options):
        dataset = sweep(*args, **options)
        dataset["kl_prior"] = dataset.kl_prior.copy(data=dataset.kl_prior.values[::-1])
        return dataset

    monkeypatch.setattr(linear, "sweep", wrong)
    found = propositions.violations(process, np.array([0.5, 1.0, 2.0]), np.random.default_rng(0))
    assert found["kl_prior"] > 0.1
    assert found["exchange"] > 0.1


@pytest.mark.parametrize("wrong", [-0.1, 0.1])
def test_a_solution_better_than_what_is_called_the_optimum_is_not_counted_as_it(process, monkeypatch, wrong):
    sweep = linear.sweep
    monkeypatch.setattr(linear, "sweep", lambda *args: sweep(*args).assign(objective=sweep(*args).objective + wrong))
    found = propositions.solutions(process, 1.0, 3, np.random.default_rng(0))
    assert found["optimum"] == 0 < found["orthogonal"] + found["shared"]


@pytest.mark.parametrize("slope", [5.0, -5.0])
def test_a_loss_that_stays_and_an_error_that_runs_off_are_found(process, monkeypatch, slope):
    """C that does not go to zero as β grows, and an MIE beyond either of its two bounds."""
    sweep = linear.sweep

    def wrong(*args, **options):
        dataset = sweep(*args, **options)
        dataset["mie"] = dataset.mie + slope * dataset.beta
        dataset["kl_prior"] = dataset.kl_prior + 1.0
        return dataset

    monkeypatch.setattr(linear, "sweep", wrong)
    found = propositions.violations(process, np.array([0.5, 1.0, 2.0, 100.0]), np.random.default_rng(0))
    assert found["limit"] > 0.5
    assert found["mie_slope"] > 1


@pytest.mark.parametrize(
    ("term", "beta", "names"),
    [
        ("elbo", 0.7, {"elbo"}),  # it dips on the way up to 1
        ("elbo", 1.5, {"elbo"}),
        ("log_likelihood", 0.7, {"likelihood"}),
        ("log_likelihood", 1.5, {"likelihood"}),
        ("mie", 1.0, {"likelihood", "fixed_decoder"}),  # more there than beside it, and not zero
    ],
)
def test_a_term_that_is_off_at_one_beta_is_found_on_either_side_of_one(process, monkeypatch, term, beta, names):
    sweep = linear.sweep

    def wrong(*args, **options):
        dataset = sweep(*args, **options)
        dataset[term].loc[beta] += 0.5 if term == "mie" else -0.5
        return dataset

    monkeypatch.setattr(linear, "sweep", wrong)
    betas = np.array([0.5, 0.7, 1.0, 1.5, 1.8])
    found = propositions.violations(process, betas, np.random.default_rng(0))
    assert names <= {name for name, violation in found.items() if violation > 0.1}


def test_the_correlation_of_sources_is_that_of_their_covariance(rng):
    process = linear.LinearGaussian(rng.standard_normal((4, 3)))
    expected = np.linalg.inv(np.eye(3) + process.mixing.T @ process.mixing)
    scale = np.sqrt(np.diag(expected))
    largest = np.abs(np.triu(expected / np.outer(scale, scale), 1)).max()
    assert propositions.posterior_correlation(process) == pytest.approx(largest)
