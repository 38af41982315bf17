"""The factored loss against the plain one, a linear network against the closed form, and reproducibility."""

import functools

import numpy as np
import pytest
import tensorflow as tf

from betavae_core.errors import UsageError
from betavae_core.images import datasets, experiments
from betavae_core.networks import evaluation, model, training
from betavae_core.networks.model import Ensemble
from betavae_core.theory import linear
from betavae_core.theory.gaussian import LinearGaussian

FLOAT32_LOSS = 2e-6  # relative: a thousand-term float32 sum in another order
FLOAT32_GRADIENT = 2e-4  # relative to the largest gradient of its variable


@pytest.fixture(scope="module")
def data():
    return experiments.draw("mixing", 0, samples=200)[0]


def plain_terms(ensemble, data, noise):
    """R and C from whole images, written out: X − decode(z), TensorFlow Probability for both densities."""
    import tensorflow_probability as tfp

    X = tf.constant(data.standardised, tf.float32)[None]
    h = X
    depth = len(ensemble.hidden)
    for layer in range(depth):
        h = tf.tanh(h @ ensemble.kernels[layer] + ensemble.biases[layer])
    heads = h @ ensemble.kernels[depth] + ensemble.biases[depth]
    mean, log_variance = heads[..., :2], heads[..., 2:]
    z = mean + tf.exp(0.5 * log_variance) * noise
    h = z
    for layer in range(depth + 1, 2 * depth + 1):
        h = tf.tanh(h @ ensemble.kernels[layer] + ensemble.biases[layer])
    pixels = h @ ensemble.kernels[-1] + ensemble.biases[-1]
    R = tfp.distributions.MultivariateNormalDiag(pixels).log_prob(X)
    posterior = tfp.distributions.MultivariateNormalDiag(mean, tf.exp(0.5 * log_variance))
    C = tfp.distributions.kl_divergence(posterior, tfp.distributions.MultivariateNormalDiag(tf.zeros(2)))
    return tf.reduce_mean(R, -1), tf.reduce_mean(C, -1)


@pytest.mark.parametrize("epochs", [0, 60])
def test_factored_objective_and_gradients_equal_the_plain_ones(data, epochs):
    trainer = training.Trainer(Ensemble())
    trainer.fit([data], [2.0], [0], epochs) if epochs else trainer.ensemble.initialise([0])
    ensemble, noise = trainer.ensemble, tf.random.stateless_normal((1, len(data.sources), 2), (1, 2))
    results = []
    for terms in (
        lambda: training.objective_terms(ensemble, model.batch([data]), noise),
        lambda: plain_terms(ensemble, data, noise),
    ):
        with tf.GradientTape() as tape:
            R, C = terms()[:2]
            value = R - 2.0 * C
        results.append((R.numpy(), C.numpy(), [g.numpy() for g in tape.gradient(value, ensemble.variables)]))
    (R, C, gradients), (plain_R, plain_C, plain_gradients) = results
    assert R == pytest.approx(plain_R, rel=FLOAT32_LOSS)
    assert C == pytest.approx(plain_C, rel=FLOAT32_LOSS)
    for ours, plain in zip(gradients, plain_gradients, strict=True):
        assert np.abs(ours - plain).max() <= FLOAT32_GRADIENT * np.abs(plain).max()


LINEAR_BETAS = [0.25, 0.5, 1.0, 1.5, 4.0]
STEPS, FIRST_RATE, LAST_RATE = 5_000, 3e-2, 1e-5  # of Adam, falling geometrically
CONVERGED = 0.02  # nats. TIE is the last to settle, since turning the decoder changes the objective least


@pytest.mark.slow
def test_a_linear_network_reaches_the_closed_form():
    """Same code without hidden layers, five β as five members, on data that have the model's covariance exactly."""
    process = LinearGaussian([[2.0, 1.0], [0.5, 1.5]], 1.0)
    sample = datasets.linear_sample(process, 500, np.random.default_rng(5))
    members, betas = [sample] * 5, LINEAR_BETAS
    trainer = training.Trainer(
        Ensemble(5, hidden=(), pixels=2), optimiser=functools.partial(training.Adam, decay_2=0.99)
    )
    falling = (LAST_RATE / FIRST_RATE) ** (1 / STEPS)
    trainer.fit(members, betas, [1] * 5, STEPS, lambda step: (FIRST_RATE * falling**step, 1.0))
    found = evaluation.evaluate(trainer.weights, members, betas, [1] * 5, draws=64)
    expected = linear.sweep(process, betas)
    for name in ("reconstruction", "kl_prior", "elbo", "objective", "tie"):
        assert found[name] == pytest.approx(expected[name].values, abs=CONVERGED), name
    # MIE is measured on a hundred of the images: its standard error over images comes on top
    assert (np.abs(found["mie"] - expected.mie.values) < CONVERGED + 4 * found["mie_se"]).all()


def test_the_same_seed_repeats_bit_for_bit_and_leaves_no_trace(data):
    trainer = training.Trainer(Ensemble())
    first = trainer.fit([data], [1.0], [7], 30)
    weights = [v.numpy() for v in trainer.ensemble.variables]
    trainer.fit([data], [50.0], [8], 30)
    np.testing.assert_array_equal(trainer.fit([data], [1.0], [7], 30), first)
    for before, after in zip(weights, trainer.ensemble.variables, strict=True):
        np.testing.assert_array_equal(before, after.numpy())


def test_one_graph_serves_every_beta_and_seed(data):
    trainer = training.Trainer(Ensemble())
    for beta, seed in [(1.0, 0), (0.1, 1), (1000, 2)]:
        trainer.fit([data], [beta], [seed], 60)
    assert trainer._steps.experimental_get_tracing_count() == 1


PACKED = 1e-4  # relative: the same sums in another order, forty steps on


@pytest.mark.parametrize("pack", [2, 8])
def test_members_of_a_pack_do_not_feel_each_other(data, pack):
    """Each with its own data, rank, β and seed, packed as on a GPU, against the same member alone."""
    others = [experiments.draw("localisation", r, samples=200)[0] for r in range(pack - 1)]
    alone = training.Trainer(Ensemble(1)).fit([data], [2.0], [3], 40)[0]
    trainer = training.Trainer(Ensemble(pack))
    together = trainer.fit([*others, data], [9.0] * (pack - 1) + [2.0], [*range(10, 9 + pack), 3], 40)
    assert together[-1] == pytest.approx(alone, rel=PACKED)


def test_images_of_full_rank_go_through_the_same_code():
    whole, _ = experiments.draw("pixel-mixing", 0, samples=100)
    assert whole.factors[1] is None
    test_factored_objective_and_gradients_equal_the_plain_ones(whole, 20)


def test_training_raises_the_objective_and_tells_progress(data):
    told = []
    curve = training.trainer().fit([data], [1.0], [0], 120, progress=told.append)
    assert curve.shape == (1, 120)
    assert told == [50, 50, 20]
    assert curve[0, -10:].mean() > curve[0, :10].mean() + 100


def test_an_unknown_family_is_refused_wherever_a_network_is_made_of_it():
    """A name added to the list alone trained the diagonal head, under a key of its own."""
    from betavae_core.networks import architecture
    from betavae_core.networks.model import Ensemble

    for make in (lambda: Ensemble(family="circular"), lambda: architecture.shapes(2, (3,), 4, "circular")):
        with pytest.raises(UsageError, match="family must be diagonal or full; got circular"):
            make()
