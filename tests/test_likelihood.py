"""Importance sampling against two oracles: the exact linear model, and two-dimensional quadrature of a deep decoder."""

import numpy as np
import pytest
from scipy.special import logsumexp

from betavae_core.images import datasets, experiments
from betavae_core.networks import evaluation, likelihood, training
from betavae_core.networks.posterior import Posterior
from betavae_core.theory import linear
from betavae_core.theory.gaussian import LinearGaussian

DRAWS = 400


def linear_decoder(D):
    """A decoder without hidden layers, D z, in the form the module takes."""
    kernel = D.T.copy()
    return likelihood.Decoder([], kernel, np.zeros((1, len(D))), kernel @ D, np.zeros(D.shape[1]), 0.0)


@pytest.mark.parametrize("beta", [0.02, 0.3, 1.0, 5.0])
def test_linear_model_at_both_ends_of_the_grid(process, beta, rng):
    """Exact log p(x) = log N(x; 0, DDᵀ + I). At small β the encoder is too narrow, at large β too wide."""
    D, W, v = linear.optimum(process, beta)
    _, x = process.sample(300, rng)
    q = Posterior(x @ W.T, np.broadcast_to(np.log(v), (300, 2)))
    log_p, ess = likelihood.log_likelihood(linear_decoder(D), x, q, rng, DRAWS)
    S = D @ D.T + np.eye(2)
    exact = -0.5 * (np.einsum("ni,ij,nj->n", x, np.linalg.inv(S), x) + np.linalg.slogdet(2 * np.pi * S)[1])
    assert log_p.mean() == pytest.approx(exact.mean(), abs=0.02)
    assert np.abs(log_p - exact).max() < 0.3
    assert ess.min() > 100


@pytest.mark.parametrize("draws", [1, 2, 10, 50])
def test_as_many_latents_are_drawn_as_are_asked_for(draws, process, rng, monkeypatch):
    D, W, v = linear.optimum(process, 1.0)
    _, x = process.sample(3, rng)
    q, seen = Posterior(x @ W.T, np.broadcast_to(np.log(v), (3, 2))), []
    joint = likelihood.log_joint
    monkeypatch.setattr(likelihood, "log_joint", lambda decoder, x, z: seen.append(z.shape) or joint(decoder, x, z))
    log_p, ess = likelihood.log_likelihood(linear_decoder(D), x, q, rng, draws)
    assert seen[-1] == (3, draws, 2)
    assert np.isfinite(log_p).all() and (ess <= draws * (1 + 1e-12)).all()


def test_defensive_draws_beat_the_encoder_alone(process, rng):
    """What the mixture is for: draws from q alone have an ESS of a few where q is far too wide."""
    D, W, v = linear.optimum(process, 0.02)
    _, x = process.sample(100, rng)
    z = (x @ W.T)[:, None] + np.sqrt(v) * rng.standard_normal((100, DRAWS, 2))
    log_q = -0.5 * ((z - (x @ W.T)[:, None]) ** 2 / v + np.log(2 * np.pi * v)).sum(-1)
    q = Posterior(x @ W.T, np.tile(np.log(v), (100, 1)))
    log_w = likelihood.log_joint(linear_decoder(D), x, z) - log_q
    alone = np.exp(2 * logsumexp(log_w, 1) - logsumexp(2 * log_w, 1))
    _, ess = likelihood.log_likelihood(linear_decoder(D), x, q, rng, DRAWS)
    assert np.median(alone) < 0.5 * np.median(ess)


@pytest.fixture(scope="module")
def deep():
    data, _ = experiments.draw("localisation", 1, samples=120)
    trainer = training.trainer()
    trainer.fit([data], [20.0], [0], 300)
    q = trainer.weights.posterior([data])[0]
    return likelihood.Decoder.of(trainer.weights, 0), data.standardised, q


def test_deep_decoder_equals_quadrature(deep, rng):
    """log ∫ p(x|z) p(z) dz by the rectangle rule on 301 × 301 points; 601 × 601 give the same to 1e-5."""
    decoder, x, q = deep
    log_p, ess = likelihood.log_likelihood(decoder, x[:4], q[:4], rng, 4000)
    axis = np.linspace(-6, 6, 301)
    grid = np.stack(np.meshgrid(axis, axis), -1).reshape(1, -1, 2)
    for i in range(4):
        exact = logsumexp(likelihood.log_joint(decoder, x[i : i + 1], grid)) + 2 * np.log(axis[1] - axis[0])
        assert log_p[i] == pytest.approx(exact, abs=0.05)
    assert ess.min() > 400


@pytest.mark.parametrize(("draws", "width"), [(1, 0.0), (3, 0.1), (3, 1.0), (700, 0.01), (300, 3.0)])
def test_density_equals_decoded_pixels(deep, rng, draws, width):
    """In float64 from the same features, from draws at one place to draws over all the plane, some blocks of them."""
    decoder, x, q = deep
    z = q.mean[:5, None] + width * rng.standard_normal((5, draws, 2))
    pixels = decoder.features(z).astype(float) @ decoder.kernel + decoder.bias[0]
    expected = -0.5 * ((x[:5, None] - pixels) ** 2).sum(-1) - 800 * np.log(2 * np.pi)
    assert decoder.log_density(x[:5], z) == pytest.approx(expected, abs=2e-3)
    assert decoder.log_density(x[:5], z).mean() == pytest.approx(expected.mean(), rel=1e-7)


def test_tangent_equals_finite_differences(deep):
    decoder, _, q = deep
    mean = q.mean
    _, slope = decoder.features(mean[:6], tangent=True)
    step = 1e-2
    for i in range(2):
        move = step * np.eye(2)[i]
        rise = (decoder.features(mean[:6] + move) - decoder.features(mean[:6] - move)) / (2 * step)
        assert np.abs(slope[:, i] - rise).max() < 2e-3  # float32 features


def test_modes_are_stationary_points(deep):
    decoder, x, q = deep
    mean = q.mean
    z, precision = likelihood.modes(decoder, x[:20], mean[:20])
    value = likelihood.log_joint(decoder, x[:20], z[:, None])[:, 0]
    assert (value >= likelihood.log_joint(decoder, x[:20], mean[:20, None])[:, 0]).all()
    width = 1 / np.sqrt(np.diagonal(precision, axis1=1, axis2=2))
    for i in range(2):
        for sign in (1, -1):
            moved = z + sign * 0.3 * width * np.eye(2)[i]
            lower = likelihood.log_joint(decoder, x[:20], moved[:, None])[:, 0] < value + 0.01
            assert lower.mean() >= 0.9  # twelve steps leave one in twenty a little short; the inflation covers it


def test_a_well_specified_linear_process_has_no_model_inference_error():
    """Through `evaluation`: a network set to the closed form at β = 1 has MIE = 0 (theory: exactly)."""
    process = LinearGaussian([[2.0, 1.0], [0.5, 1.5]], 1.0)
    sample = datasets.linear_sample(process, 400, np.random.default_rng(0))
    ensemble = training.Trainer(training.Ensemble(1, hidden=(), pixels=2)).ensemble
    D, W, v = linear.optimum(process, 1.0)
    ensemble.kernels[0].assign(np.concatenate([W.T, np.zeros((2, 2))], 1)[None])
    ensemble.biases[0].assign(np.concatenate([np.zeros(2), np.log(v)])[None, None])
    ensemble.kernels[1].assign(D.T[None])
    found = evaluation.evaluate(ensemble.weights, [sample], [1.0], [0], draws=256)
    assert abs(found["mie"][0]) < 4 * found["mie_se"][0] + 0.02
    expected = linear.sweep(process, 1.0)
    for name in ("reconstruction", "kl_prior", "elbo", "tie"):
        assert found[name][0] == pytest.approx(float(expected[name][0]), abs=0.02), name


@pytest.mark.parametrize("k", [2, 4])
def test_obliqueness_is_that_of_differences_of_decoded_images(k, rng):
    """Against central differences of the whole decoder; a latent that nothing is decoded from counts as orthogonal."""
    from betavae_core.networks.weights import Weights

    widths = [(30, 8), (8, 6), (6, 2 * k), (k, 6), (6, 8), (8, 30)]
    kernels = [0.6 * rng.standard_normal((1, *width)).astype(np.float32) for width in widths]
    biases = [0.1 * rng.standard_normal((1, 1, width)).astype(np.float32) for _, width in widths]
    kernels[-1] *= 20
    z = rng.standard_normal((7, k))
    for dead in (False, True):
        kernels[3][:, 0] *= 1 - 0.9999 * dead
        network = Weights(kernels, biases, k)
        steps = 1e-2 * np.eye(k)
        ends = [[network.decode((z + sign * step)[None])[0] for sign in (1, -1)] for step in steps]
        columns = np.stack([up - down for up, down in ends], -1)
        norms = np.linalg.norm(columns, axis=1) / (2 * 1e-2)
        assert (norms[:, 0] < 1).all() == dead and (norms[:, 1:] > 1).all()
        columns /= 2 * 1e-2
        products = np.abs(np.einsum("npi,npj->nij", columns, columns))
        cosines = products / (norms[:, :, None] * norms[:, None])
        if dead:
            cosines[:, 0] = cosines[:, :, 0] = 0
        expected = np.mean([(each - np.diag(np.diag(each))).max() for each in cosines])
        assert likelihood.obliqueness(likelihood.Decoder.of(network, 0), z) == pytest.approx(expected, abs=2e-3)
        assert expected > 0.05 or (dead and k == 2 and expected == 0)
