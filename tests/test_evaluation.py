import numpy as np
import pytest

from betavae_core.images import experiments
from betavae_core.networks import evaluation, likelihood, training
from betavae_core.theory import gaussian
from betavae_core.theory.alignment import signed_permutations, true_inference_error


@pytest.fixture(scope="module", params=["diagonal", "full"])
def trained(request):
    data, heldout = experiments.draw("mixing", 0, samples=150)
    trainer = training.trainer(family=request.param)
    trainer.fit([data], [5.0], [0], 150)
    return trainer.weights, data, heldout


def test_terms_are_consistent(trained):
    weights, data, _ = trained
    found = evaluation.evaluate(weights, [data], [5.0], [0])
    assert found["elbo"] == pytest.approx(found["reconstruction"] - found["kl_prior"])
    assert found["objective"] == pytest.approx(found["reconstruction"] - 5 * found["kl_prior"])
    assert found["tie"] <= found["tie_raw"]
    assert all(part.shape == (1,) for part in found.values())


def test_reconstruction_equals_plain_pixels(trained):
    """R again by decoding to pixels in float64, with other draws: equal within both standard errors."""
    weights, data, _ = trained
    found = evaluation.evaluate(weights, [data], [5.0], [0])
    q = weights.posterior([data])[0]
    rng = np.random.default_rng(1)
    values = []
    for _ in range(16):
        z = q.mean + np.exp(0.5 * q.log_variance) * rng.standard_normal(q.mean.shape)
        pixels = weights.decode(z[None])[0]
        values.append(-0.5 * ((data.standardised - pixels) ** 2).sum(-1) - 800 * np.log(2 * np.pi))
    values = np.array(values)
    error = values.std(0).mean() / np.sqrt(values.size)
    assert found["reconstruction"][0] == pytest.approx(values.mean(), abs=6 * error)
    assert 0.3 * error < found["reconstruction_se"][0] < 3 * error


def test_the_error_of_mie_and_the_weight_that_draws_keep_are_those_of_its_images(trained):
    """MIE of each image again, its ELBO from other draws; the weights' effective number from its definition."""
    weights, data, _ = trained
    found = evaluation.evaluate(weights, [data], [5.0], [0])
    first = slice(evaluation.IMPORTANCE_IMAGES)
    x, q, decoder = data.standardised[first], weights.posterior([data])[0][first], likelihood.Decoder.of(weights, 0)
    rng = np.random.default_rng(3)
    log_p, ess = likelihood.log_likelihood(decoder, x, q, rng, evaluation.IMPORTANCE_DRAWS)
    z = q.of_draws().sample(rng.standard_normal((len(x), 64, 2)))
    mie = log_p - decoder.log_density(x, z).mean(1) + q.kl_by_latent().sum(-1)
    assert found["mie"][0] == pytest.approx(mie.mean(), abs=4 * found["mie_se"][0])
    assert found["mie_se"][0] == pytest.approx(mie.std() / len(mie) ** 0.5, rel=0.35)
    assert found["mie_ess"][0] == pytest.approx(np.median(ess), rel=0.1)


def test_true_inference_error_is_the_least_direct_divergence(trained):
    weights, data, _ = trained
    q = weights.posterior([data])[0]
    covariance = np.linalg.inv(data.process.posterior_precision)

    def divergence(P):
        rows = zip(q.mean, q.covariance(), data.posterior_mean, strict=True)
        return np.mean([gaussian.kl_divergence(P @ m, P @ S @ P.T, target, covariance) for m, S, target in rows])

    errors = [divergence(P) for P in signed_permutations(2)]
    found = true_inference_error(q.mean, q.covariance(), data.posterior_mean, data.process.posterior_precision)
    assert found == pytest.approx((min(errors), errors[0]), rel=1e-9)


def test_heldout_images_are_scored_like_the_training_images(trained):
    weights, data, heldout = trained
    a, b = (evaluation.evaluate(weights, [d], [5.0], [0]) for d in (data, heldout))
    assert b["kl_prior"] == pytest.approx(a["kl_prior"], rel=0.2)
    assert b["tie"] != pytest.approx(a["tie"], rel=1e-6)


def test_traversals_move_one_latent_and_hold_the_other(trained):
    weights, data, _ = trained
    pictures = evaluation.traversals(weights, [data], values=(-2, 0, 2))
    assert pictures.shape == (1, 2, 3, 40, 40)
    np.testing.assert_allclose(pictures[0, 0, 1], pictures[0, 1, 1], atol=1e-6)  # both at z = 0, as two rows
    expected = weights.decode(np.array([[[0, 2]]]))[0, 0]
    np.testing.assert_allclose(pictures[0, 1, 2], data.unstandardise(expected), rtol=1e-4, atol=1e-2)
