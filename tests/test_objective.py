"""The penalty on total correlation and the learned decoder variance, against SciPy, quadrature and the closed form."""

import dataclasses
import functools

import numpy as np
import pytest
import scipy.integrate
import scipy.optimize
import scipy.stats
import tensorflow as tf
from scipy.special import logsumexp

from betavae_core.errors import UsageError
from betavae_core.images import datasets, experiments
from betavae_core.images.factors import Images
from betavae_core.networks import evaluation, objective, posterior, training
from betavae_core.networks.model import Ensemble
from betavae_core.networks.objective import PLAIN, Objective
from betavae_core.results import train_member
from betavae_core.results.members import Member, Specification
from betavae_core.theory import linear
from betavae_core.theory.gaussian import LinearGaussian

LEARNED = Objective(decoder_variance="learned")
CASES = [(1, "diagonal"), (2, "diagonal"), (2, "full"), (4, "diagonal"), (4, "full")]


def drawn(rng, k, family, n=7, members=()):
    """q of n images with arbitrary parts, and a draw of each."""
    lower = [0.7 * rng.standard_normal((*members, n, k * (k - 1) // 2))] if family == "full" else []
    q = posterior.family(family)(*rng.standard_normal((2, *members, n, k)), *lower)
    return q, q.sample(rng.standard_normal(q.mean.shape))


def direct(q, z) -> float:
    """Total correlation written out, one density at a time."""
    normal, covariances = scipy.stats.multivariate_normal, q.covariance()
    found = 0.0
    for point in z:
        joint = [normal(m, S).logpdf(point) for m, S in zip(q.mean, covariances, strict=True)]
        found += logsumexp(joint) - np.log(len(z))
        for j, value in enumerate(point):
            alone = [normal(m[j], S[j, j]).logpdf(value) for m, S in zip(q.mean, covariances, strict=True)]
            found -= logsumexp(alone) - np.log(len(z))
    return found / len(z)


@pytest.mark.parametrize("k, family", CASES)
def test_total_correlation_is_the_one_written_out(k, family, rng):
    for _ in range(3):
        q, z = drawn(rng, k, family)
        assert q.total_correlation(z) == pytest.approx(direct(q, z), rel=1e-10, abs=1e-12)


@pytest.mark.parametrize("k, family", CASES[1:3])
def test_total_correlation_has_no_bias(k, family, rng):
    """Its mean over draws is the integral of q log(q / Π q_j), on a grid."""
    q, _ = drawn(rng, k, family, n=4)
    many = q._each(lambda part: np.broadcast_to(part, (4000, *part.shape)))
    found = many.total_correlation(many.sample(rng.standard_normal(many.mean.shape)))
    axis = np.linspace(-14, 14, 561)
    grid = np.stack(np.meshgrid(axis, axis, indexing="ij"), -1)
    density = np.mean(
        [scipy.stats.multivariate_normal(m, S).pdf(grid) for m, S in zip(q.mean, q.covariance(), strict=True)], 0
    )
    rows, columns = (scipy.integrate.trapezoid(density, axis, axis=other) for other in (1, 0))
    ratio = np.log(np.maximum(density, 1e-300) / np.maximum(rows[:, None] * columns, 1e-300))
    exact = scipy.integrate.trapezoid(scipy.integrate.trapezoid(density * ratio, axis), axis)
    assert exact > 0.02
    assert found.mean() == pytest.approx(exact, abs=5 * found.std() / np.sqrt(len(found)))


@pytest.mark.parametrize("k, family", CASES)
def test_gradient_of_total_correlation_is_that_of_finite_differences(k, family, rng):
    """In float64, of every part of q, with the draws moving along: z = μ + L ε."""
    q, _ = drawn(rng, k, family, members=(2,))
    noise = rng.standard_normal(q.mean.shape)
    kind, names = type(q), [part.name for part in dataclasses.fields(q)]
    tensors = [tf.Variable(getattr(q, name)) for name in names]

    def moved(parts, library):
        mean, log_variance, *lower = parts
        z = mean + library.exp(0.5 * log_variance) * noise
        if lower and k > 1:
            rows, columns = np.tril_indices(k, -1)
            places = np.zeros((k * (k - 1) // 2, k, k))
            places[range(len(rows)), rows, columns] = 1
            z = z + (library.tensordot(lower[0], places, 1) @ noise[..., None])[..., 0]
        return kind(*parts).total_correlation(z)

    with tf.GradientTape() as tape:
        value = tf.reduce_sum(moved([tf.convert_to_tensor(t) for t in tensors], tf))
    slopes = tape.gradient(value, tensors)
    parts = [getattr(q, name).copy() for name in names]
    assert value.numpy() == pytest.approx(moved(parts, np).sum(), rel=1e-10, abs=1e-12)
    step = 1e-6
    for part, slope in zip(parts, slopes, strict=True):
        for place in np.ndindex(part.shape):
            at = part[place]
            part[place] = at + step
            above = moved(parts, np).sum()
            part[place] = at - step
            below = moved(parts, np).sum()
            part[place] = at
            assert slope.numpy()[place] == pytest.approx((above - below) / (2 * step), rel=1e-5, abs=1e-8)


def test_without_a_penalty_the_objective_and_training_are_the_same_to_the_bit():
    error, kl_prior, betas = (tf.constant([value]) for value in (1234.5, 6.25, 0.3))
    R = PLAIN.reconstruction(error, 1600)
    assert R.numpy() == (-0.5 * error + objective.log_density_constant(1600)).numpy()
    assert PLAIN.value(R, kl_prior, betas, None, None).numpy() == (R - betas * kl_prior).numpy()  # no q, no TC
    data, _ = experiments.draw("tiles", 0, samples=50)
    curves = [
        t.fit([data], [2.0], [0], 60) for t in (training.Trainer(Ensemble()), training.trainer(aim=Objective(0.0)))
    ]
    np.testing.assert_array_equal(*curves)


def test_the_penalty_lowers_total_correlation_in_training():
    data, _ = experiments.draw("tiles", 0, samples=200)
    found = []
    for gamma in (0.0, 50.0):
        trainer = training.Trainer(Ensemble(), aim=Objective(gamma))
        trainer.fit([data], [1.0], [0], 300)
        q = trainer.weights.posterior([data])[0]
        found.append(q.total_correlation(q.sample(np.random.default_rng(0).standard_normal(q.mean.shape))))
    assert found[1] < 0.5 * found[0]


@pytest.mark.parametrize("error, pixels", [(3.0, 2), (1234.5, 1600), (268_000.0, 1600), (1e-3, 5)])
def test_the_learned_variance_is_the_best_and_its_gradient_that_at_it(error, pixels):
    def at(log_variance):
        return -0.5 * pixels * (np.log(2 * np.pi) + log_variance) - 0.5 * error / np.exp(log_variance)

    best = scipy.optimize.minimize_scalar(lambda v: -at(v), bounds=(-20, 20), method="bounded", options={"xatol": 1e-9})
    with tf.GradientTape() as tape:
        tensor = tf.Variable([error], dtype=tf.float64)
        R = LEARNED.reconstruction(tensor, pixels)
    assert R.numpy() == pytest.approx(-best.fun, rel=1e-9)
    assert tape.gradient(R, tensor).numpy() == pytest.approx(-0.5 / np.exp(best.x), rel=1e-5)


@pytest.mark.slow
def test_a_linear_network_reaches_the_closed_form_of_a_learned_variance():
    """Two latents in six pixels, turned so that each shows them: variance and every term, at β on both sides of 1."""
    turn = np.linalg.qr(np.random.default_rng(4).standard_normal((6, 6)))[0]
    process = LinearGaussian(turn[:, :2] @ [[2.0, 1.0], [0.5, 1.5]], 0.7)
    sample = datasets.linear_sample(process, 500, np.random.default_rng(5))
    steps, falling, betas = 5_000, (1e-5 / 3e-2) ** (1 / 5_000), [0.5, 1.0, 1.5]
    trainer = training.Trainer(
        Ensemble(3, hidden=(), pixels=6), optimiser=functools.partial(training.Adam, decay_2=0.99), aim=LEARNED
    )
    trainer.fit([sample] * 3, betas, [1] * 3, steps, lambda step: (3e-2 * falling**step, 1.0))
    weights = evaluation.with_learned_variance(trainer.weights, [sample] * 3, [1] * 3, draws=64)
    found = evaluation.evaluate(weights, [sample] * 3, betas, [1] * 3, draws=64)
    for m, beta in enumerate(betas):
        variance = linear.learned_decoder_variance(process.covariance, beta, 2)
        expected = linear.sweep(process, [beta], decoder_variance=variance)
        assert weights.variance(m) == pytest.approx(variance, rel=0.01)
        for name in ("reconstruction", "kl_prior", "elbo", "objective", "tie"):
            assert found[name][m] == pytest.approx(expected[name].item(), abs=0.02), (beta, name)
        assert abs(found["mie"][m] - expected.mie.item()) < 0.02 + 4 * found["mie_se"][m]


@pytest.fixture(scope="module")
def trained():
    data, _ = experiments.draw("mixing", 0, samples=30)
    trainer = training.Trainer(Ensemble())
    trainer.fit([data], [20.0], [0], 150)
    return trainer.weights, data


def test_terms_are_those_of_a_decoder_with_that_variance(trained):
    """R from pixels and densities of SciPy; MIE by quadrature over the plane of the latents."""
    weights, data = trained
    variance, white = 60.0, 5_000.0
    weights, data = weights._replace(variances=np.array([variance])), dataclasses.replace(data, white=white)
    found = evaluation.evaluate(weights, [data], [2.0], [0])
    q, x = weights.posterior([data])[0], data.standardised
    rng = np.random.default_rng(1)
    R = []
    for _ in range(32):
        pixels = weights.decode(q.sample(rng.standard_normal(q.mean.shape))[None])[0]
        plain = scipy.stats.norm(pixels, variance**0.5).logpdf(x).sum(-1)
        R.append(plain - 0.5 * white / variance)
    assert found["reconstruction"][0] == pytest.approx(np.mean(R), abs=6 * found["reconstruction_se"][0])
    axis = np.linspace(-6, 6, 121)
    z = np.stack(np.meshgrid(axis, axis), -1).reshape(-1, 2)
    decoded = weights.decode(z[None])[0].astype(float)
    prior = scipy.stats.multivariate_normal(np.zeros(2)).logpdf(z) + 2 * np.log(axis[1] - axis[0])
    error = (decoded**2).sum(1) - 2 * x @ decoded.T + (x**2).sum(1)[:, None]
    constant = -0.5 * x.shape[1] * np.log(2 * np.pi * variance) - 0.5 * white / variance
    log_p = logsumexp(-0.5 * error / variance + prior, axis=1) + constant
    assert found["mie"][0] == pytest.approx(
        log_p.mean() - found["elbo"][0], abs=0.05 + 6 * found["reconstruction_se"][0]
    )


def test_the_variance_found_makes_r_largest_and_goes_with_its_network(trained):
    weights, data = trained
    data = dataclasses.replace(data, white=700.0)
    two = weights._replace(**{n: [np.concatenate([p, p]) for p in getattr(weights, n)] for n in ("kernels", "biases")})
    learned = evaluation.with_learned_variance(two, [data, dataclasses.replace(data, white=0.0)], [0, 0])
    assert learned.some(slice(1, 2)).variance(0) == learned.variance(1) < learned.variance(0)
    best = learned.variance(0)

    def reconstruction(variance):
        return evaluation.evaluate(weights._replace(variances=[variance]), [data], [1.0], [0])["reconstruction"][0]

    assert reconstruction(best) == pytest.approx(-800 * (np.log(2 * np.pi * best) + 1), rel=1e-9)
    assert reconstruction(best) > max(reconstruction(1.02 * best), reconstruction(0.98 * best))


@pytest.mark.parametrize("name", ["tiles", "tiles-4"])
def test_white_noise_makes_pixels_those_of_the_analytical_model(name):
    """All eigenvalues off the digits' span are ν, and so is what noise, really drawn, adds to the error."""
    specification = Specification(name, samples=60, decoder_variance="learned")
    data, heldout = specification.draw(0)
    record = experiments.experiment(name)
    noise, k = experiments.code_noise(record.mixing), record.latents
    values = np.linalg.eigvalsh(data.standardised.T @ data.standardised / 60)[::-1]
    expected = noise * np.linalg.eigvalsh(LinearGaussian(record.mixing).covariance)[::-1]
    assert values[:k] == pytest.approx(expected, rel=1e-5)
    assert data.white == heldout.white == pytest.approx((1600 - k) * noise)
    basis = np.linalg.svd(data.standardised, full_matrices=False)[2][:k]
    eps = np.random.default_rng(0).standard_normal((60, 1600)) * noise**0.5
    eps -= eps @ basis.T @ basis
    x_hat = 0.7 * data.standardised
    drawn_error = ((data.standardised + eps - x_hat) ** 2).sum(1).mean()
    averaged = ((data.standardised - x_hat) ** 2).sum(1).mean() + data.white
    assert drawn_error == pytest.approx(averaged, rel=5 * (2 / 1600 / 60) ** 0.5)
    np.testing.assert_allclose(Images.of(data).energy, (data.standardised**2).sum(1) + data.white, rtol=1e-6)
    assert data.divided_by(3.0).white == pytest.approx(data.white / 9)


def test_a_member_with_a_learned_variance_is_trained_and_evaluated_with_it():
    member = Member(Specification("tiles", samples=60, epochs=60, decoder_variance="learned", gamma=1.0), 1.0, 0)
    [(values, provenance)] = train_member.trained([member])[2]
    variance = np.exp(-values["reconstruction"] / 800 - 1) / (2 * np.pi)
    assert 167 < variance < 172  # ν = 168.4, and what the network has not learned yet
    assert (provenance["decoder_variance"], provenance["gamma"]) == ("learned", 1.0)
    assert values["elbo"] == pytest.approx(values["reconstruction"] - values["kl_prior"])
    assert np.isfinite([values["mie"], values["tie"], values["elbo_heldout"]]).all()


def test_without_noise_off_the_span_a_learned_variance_has_no_optimum():
    data, _ = experiments.draw("tiles", 0, samples=60)
    covariance = data.standardised.T @ data.standardised / 60
    with pytest.raises(ValueError, match="degenerate: 2 latents leave no variance of 1600"):
        linear.learned_decoder_variance(covariance, 1.0, 2)
    with pytest.raises(UsageError, match="decoder_variance must be fixed or learned; got own"):
        _ = Objective(decoder_variance="own").learned
