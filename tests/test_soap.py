"""SOAP against its own arithmetic in NumPy, the images' own basis against pixels, and the solved output layer."""

import numpy as np
import pytest
import tensorflow as tf

from betavae_core.images import experiments
from betavae_core.images.factors import Images
from betavae_core.networks import architecture, evaluation, output_layer, soap, training
from betavae_core.networks.architecture import OUTPUTS
from betavae_core.networks.model import Ensemble
from betavae_core.networks.weights import features
from betavae_core.results import train_member
from betavae_core.results.members import Member, Specification


@pytest.fixture(scope="module", params=["mixing", "localisation"])
def data(request):
    return experiments.draw(request.param, 0, samples=200)[0]


def by_hand(weight, gradients, rates, every: int):
    """The weight after these gradients, in float64 and with one matrix at a time."""
    weight = weight.astype(float)
    m, v = np.zeros_like(weight), np.zeros_like(weight)
    L, R = (np.zeros((n, n)) for n in weight.shape)
    QL, QR = (np.eye(n) for n in weight.shape)
    for t, (gradient, rate) in enumerate(zip(gradients, rates, strict=True), 1):
        G = gradient.astype(float)
        L, R = 0.95 * L + 0.05 * G @ G.T, 0.95 * R + 0.05 * G.T @ G
        m = 0.9 * m + 0.1 * G
        v = 0.999 * v + 0.001 * (QL.T @ G @ QR) ** 2
        direction = (QL.T @ m @ QR / (1 - 0.9**t)) / (np.sqrt(v / (1 - 0.999**t)) + 1e-7)
        weight = weight - rate * QL @ direction @ QR.T
        if t == 1:
            QL, QR = (np.linalg.eigh(S)[1][:, ::-1] for S in (L, R))
        elif t % every == 1:
            QL, QR = np.linalg.qr(L @ QL)[0], np.linalg.qr(R @ QR)[0]
    return weight


def test_steps_are_those_of_the_arithmetic_in_numpy():
    """Two members of a 4 × 3 kernel over 40 steps, three looks at the eigenvectors, with gradients of any kind."""
    rng = np.random.default_rng(7)
    start = rng.standard_normal((2, 4, 3)).astype(np.float32)
    gradients = (rng.standard_normal((40, 2, 4, 3)) * rng.uniform(0.1, 3, (4, 3))).astype(np.float32)
    variable = tf.Variable(start)
    optimiser = soap.Soap([variable])
    for step, gradient in enumerate(gradients):
        optimiser.apply([tf.constant(gradient)], tf.constant(step + 1.0), tf.constant(0.03))
        if step % soap.EVERY == 0:
            optimiser.refresh(step)
    rates = [0.03 * min(1, t / soap.RISE) for t in range(40)]
    for member in range(2):
        expected = by_hand(start[member], gradients[:, member], rates, soap.EVERY)
        np.testing.assert_allclose(variable[member], expected, atol=2e-4)
        assert np.abs(expected - start[member]).max() > 0.05


def test_a_row_takes_adams_steps():
    rng = np.random.default_rng(3)
    start, gradients = rng.standard_normal((2, 1, 5)), rng.standard_normal((12, 2, 1, 5))
    ours, adams = (tf.Variable(start, dtype=tf.float32) for _ in range(2))
    here, there = soap.Soap([ours]), training.Adam([adams])
    for step, gradient in enumerate(tf.constant(gradients, tf.float32), 1):
        here.apply([gradient], tf.constant(float(step)), tf.constant(0.05))
        there.apply([gradient], tf.constant(float(step)), tf.constant(0.05 * (step - 1) / soap.RISE))
    np.testing.assert_allclose(ours, adams, atol=1e-5)


def test_images_in_their_own_basis_are_the_images(data):
    [seen], [axes] = soap.own_basis([Images.of(data)])
    coordinates = seen.scores
    rank = np.linalg.matrix_rank(data.standardised, tol=1e-4 * np.linalg.norm(data.standardised, 2))
    assert coordinates.shape[1] == axes.shape[0] == -(-rank // soap.PADDED) * soap.PADDED
    np.testing.assert_allclose(coordinates @ axes, data.standardised, atol=2e-3)
    real = axes[np.abs(axes).sum(1) > 0]
    np.testing.assert_allclose(real @ real.T, np.eye(len(real)), atol=1e-4)


def test_networks_start_as_those_on_pixels_do(data):
    """The same q of each image, and the same decoded image within the span of the images."""
    _, [axes] = soap.own_basis([Images.of(data)])
    inner = soap.trainer(1, len(axes), False, training.PLAIN).ensemble
    inner.axes = axes[None]
    whole = Ensemble()
    for each in (inner, whole):
        each.initialise([4])
    ours, theirs = (each.weights.posterior([data])[0] for each in (inner, whole))
    np.testing.assert_allclose(ours.mean, theirs.mean, atol=1e-4)
    np.testing.assert_allclose(ours.std(), theirs.std(), atol=1e-4)
    decoded = [each.weights.decode(theirs.mean[None])[0] for each in (inner, whole)]
    np.testing.assert_allclose(decoded[0], decoded[1] @ axes.T @ axes, atol=1e-4)


def test_no_other_output_layer_has_a_larger_reconstruction(data):
    """With the very draws that it was solved over, neither a step of the layer nor of its bias makes the error less."""
    weights, _ = soap.fit([data], [2.0], [1], 60)
    q, rng = weights.posterior([data])[0], np.random.default_rng([architecture.EVALUATION, 1])
    draws = [q.sample(rng.standard_normal(q.mean.shape)).astype(np.float32) for _ in range(output_layer.DRAWS)]
    hidden = [np.pad(features(weights, z[None], np)[0], ((0, 0), (0, 1)), constant_values=1) for z in draws]
    layer = np.concatenate([weights.kernels[-1][0], weights.biases[-1][0]])
    gradient = sum(h.T.astype(float) @ (h @ layer - data.standardised) for h in hidden) / output_layer.DRAWS
    scale = sum(np.abs(h).T.astype(float) @ np.abs(data.standardised) for h in hidden) / output_layer.DRAWS
    assert (np.abs(gradient) / scale.max()).max() < 1e-4


def test_a_member_that_adam_trains_may_have_its_output_layer_solved():
    """Only that layer differs, and the objective is larger."""
    members = [Member(Specification("mixing", samples=50, epochs=5, output=output), 20.0, 0) for output in OUTPUTS]
    (trained, drawn, curves), (solved, *_) = (train_member.fitted([member]) for member in members)
    expected = output_layer.solved(trained, [Images.of(drawn[0][0])], [0])
    for one, other in zip([*solved.kernels, *solved.biases], [*expected.kernels, *expected.biases], strict=True):
        np.testing.assert_array_equal(one, other)
    assert all((one == other).all() for one, other in zip(solved.kernels[:-1], trained.kernels, strict=False))
    first, second = (train_member.evaluated(each, members[:1], drawn, curves)[0] for each in (trained, solved))
    assert second["objective"] > first["objective"] + 1 and second["kl_prior"] == first["kl_prior"]


@pytest.mark.slow
def test_it_is_ahead_of_adam_after_as_many_steps():
    """Localisation at β = 20, 150 steps, each with a rate that suits it: the objective, by tens of nats."""
    data, _ = experiments.draw("localisation", 0, samples=500)
    found = []
    weights, curve = soap.fit([data], [20.0], [0], 150, architecture.schedule(150, 0.03, 0.8, 0.1))
    trainer = training.trainer()
    trainer.fit([data], [20.0], [0], 150, architecture.schedule(150, 3e-3, 0.8, 0.1))
    for each in (weights, trainer.weights):
        terms = evaluation.evaluate(each, [data], [20.0], [0])
        found.append(float(terms["reconstruction"][0] - 20 * terms["kl_prior"][0]))
    assert curve.shape == (1, 150) and found[0] > found[1] + 10


def test_members_of_one_pack_are_those_trained_alone():
    """Members whose images have different ranks, side by side."""
    images = [experiments.draw(name, 0, samples=100)[0] for name in ("mixing", "localisation")]
    together, _ = soap.fit(images, [5.0, 5.0], [0, 1], 30)
    for member, each in enumerate(images):
        alone, _ = soap.fit([each], [5.0], [member], 30)
        np.testing.assert_allclose(
            together.decode(np.ones((2, 1, 2)))[member], alone.decode(np.ones((1, 1, 2)))[0], atol=0.05
        )


def test_images_of_full_rank_train_too():
    """A side beyond `LARGEST` keeps its own axes."""
    data, _ = experiments.draw("pixel-mixing", 0, samples=600)
    weights, curve = soap.fit([data], [1.0], [0], 20)
    assert np.isfinite(curve).all() and weights.kernels[0].shape == (1, 1600, 256)
