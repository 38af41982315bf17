"""q(z|x) as one object: against SciPy and the general Gaussian KL, in both families, in NumPy and in TensorFlow."""

import numpy as np
import pytest
import scipy.stats
import tensorflow as tf

from betavae_core.images import experiments
from betavae_core.networks import posterior, training
from betavae_core.networks.model import Ensemble
from betavae_core.results import store, sweep
from betavae_core.results.members import Member, Specification
from betavae_core.theory import gaussian
from betavae_workshop.sweeping import publishing, running

FLOAT32 = 1e-5  # relative: single precision through a few sums


def drawn(rng, k, family):
    lower = [0.7 * rng.standard_normal((6, k * (k - 1) // 2))] if family == "full" else []
    return posterior.family(family)(*rng.standard_normal((2, 6, k)), *lower)


@pytest.fixture(params=[(2, "diagonal"), (2, "full"), (4, "full"), (1, "diagonal")], ids=lambda p: f"{p[0]} {p[1]}")
def q(request, rng):
    return drawn(rng, *request.param)


def test_the_divergence_is_that_of_two_gaussians(q):
    k = q.mean.shape[1]
    expected = [
        gaussian.kl_divergence(m, S, np.zeros(k), np.eye(k)) for m, S in zip(q.mean, q.covariance(), strict=True)
    ]
    assert q.kl_to_prior() == pytest.approx(np.array(expected))
    assert q.kl_by_latent().sum(-1) == pytest.approx(np.array(expected))


def test_the_density_is_scipy_s(q, rng):
    z = rng.standard_normal(q.mean.shape)
    rows = zip(z, q.mean, q.covariance(), strict=True)
    expected = [scipy.stats.multivariate_normal(m, S).logpdf(point) for point, m, S in rows]
    assert q.log_density(z) == pytest.approx(np.array(expected))


def test_samples_have_its_moments(q, rng):
    draws = 200_000
    z = q[0].of_draws().sample(rng.standard_normal((draws, q.mean.shape[1])))
    spread = np.sqrt(np.diag(q[0].covariance()))
    assert np.abs(z.mean(0) - q.mean[0]).max() < 5 * spread.max() / np.sqrt(draws)
    assert np.cov(z, rowvar=False).reshape(q[0].covariance().shape) == pytest.approx(
        q[0].covariance(), abs=10 * spread.max() ** 2 / np.sqrt(draws)
    )


def test_the_factor_is_lower_triangular_with_the_entries_row_by_row():
    q = posterior.Full(np.zeros((1, 3)), np.log([[1.0, 4.0, 9.0]]), np.array([[10.0, 20.0, 21.0]]))
    np.testing.assert_allclose(q.factor()[0], [[1, 0, 0], [10, 2, 0], [20, 21, 3]])


def test_what_is_stored_of_q_gives_it_back(q):
    mean, std, *lower = q.stored().values()
    again = posterior.stored_as(mean, std, *lower)
    assert type(again) is type(q)
    assert again.covariance() == pytest.approx(q.covariance())


def test_tensors_give_what_arrays_give(q, rng):
    noise = rng.standard_normal(q.mean.shape)
    tensors = q._each(lambda part: tf.constant(part, tf.float32))
    assert tensors.sample(tf.constant(noise, tf.float32)).numpy() == pytest.approx(q.sample(noise), rel=FLOAT32)
    assert tensors.kl_to_prior().numpy() == pytest.approx(q.kl_to_prior(), rel=FLOAT32)


class Held(Ensemble):
    """A full-covariance network whose off-diagonal entries are held at zero."""

    def encode(self, images):
        q = super().encode(images)
        return posterior.Full(q.mean, q.log_variance, 0 * q.lower)


@pytest.mark.parametrize("experiment", ["mixing", "localisation"])
def test_full_with_its_off_diagonals_held_at_zero_is_diagonal(experiment):
    data, _ = experiments.draw(experiment, 0, samples=100)
    diagonal, full = training.Trainer(Ensemble()), training.Trainer(Held(family="full"))
    curves = [trainer.fit([data], [2.0], [3], 60) for trainer in (diagonal, full)]
    assert curves[1] == pytest.approx(curves[0], rel=FLOAT32)


def test_both_families_start_from_the_same_network():
    diagonal, full = Ensemble(1), Ensemble(1, family="full")
    for ensemble in (diagonal, full):
        ensemble.initialise([5])
    for ours, theirs in zip(diagonal.kernels, full.kernels, strict=True):
        np.testing.assert_array_equal(theirs.numpy()[..., : ours.shape[-1]], ours.numpy())
    assert (full.kernels[3].numpy()[..., 4:] == 0).all()


def test_a_full_member_is_trained_stored_and_loaded_under_its_own_name(results, crew):
    specification = Specification("mixing", samples=100, epochs=60, family="full")
    member = Member(specification, 5.0, 0)
    assert member.key != Member(Specification("mixing", samples=100, epochs=60), 5.0, 0).key
    [(done, provenance)] = list(running.run([member], crew))
    assert (done, provenance["family"]) == (member, "full")
    assert np.abs(store.read(member).latent_lower).max() > 0.01  # it has learnt some
    assert publishing.publish([member]).name == "mixing,samples=100,epochs=60,family=full.nc"
    found = sweep.load("mixing", betas=[5.0], realizations=1, samples=100, epochs=60, family="full")
    assert found.attrs["published"] == 1
    assert np.isfinite(found.tie).all()
