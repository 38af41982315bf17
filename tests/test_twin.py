"""Training once more in JAX: TensorFlow's random numbers, its steps, and the pipeline that keeps a device busy."""

import collections
import sys
import threading
from concurrent.futures.process import BrokenProcessPool

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import tensorflow as tf
from click.testing import CliRunner

from betavae_core.errors import SweepError, UsageError
from betavae_core.images import experiments
from betavae_core.networks import jax_training, model, philox, posterior, training
from betavae_core.networks.architecture import NOISE
from betavae_core.networks.objective import PLAIN, Objective
from betavae_core.results import planning, sweep, train_member
from betavae_core.theory.terms import SCALARS
from betavae_workshop.cli import main
from betavae_workshop.sweeping import crews, pipeline, running
from betavae_workshop.timing import gpu

BETAS, SEEDS, EPOCHS = [1.0, 20.0, 500.0], [0, 4, 4], 10
FLOAT32 = 2e-5  # relative, of an objective: XLA sums in another order, and early steps amplify that


@pytest.mark.parametrize("seed, stream", [(0, 0), (7, NOISE + 999), (2**31 - 1, 2**31 - 1)])
@pytest.mark.parametrize("shape", [(5,), (7, 3), (50, 2)])
def test_random_numbers_are_those_of_tensorflow(seed, stream, shape):
    kinds = (tf.float32, tf.float64)
    single, double = (tf.random.stateless_normal(shape, (seed, stream), dtype=kind, alg="philox") for kind in kinds)
    np.testing.assert_allclose(philox.normal(seed, stream, shape), single, atol=3e-6)
    np.testing.assert_allclose(philox.normal(seed, stream, shape, double=True), double, atol=1e-14)
    uniform = tf.random.stateless_uniform(shape, (seed, stream), -0.3, 0.3, alg="philox")
    np.testing.assert_array_equal(philox.uniform(seed, stream, shape, 0.3), uniform)


@pytest.mark.parametrize("backend", ["cpu", "gpu"])
def test_random_numbers_are_those_of_numpy_looped_as_on_a_cpu_or_unrolled_as_on_a_gpu(backend, monkeypatch):
    monkeypatch.setattr(jax, "default_backend", lambda: backend)
    found = jax.jit(lambda seeds: philox.uniform(seeds, 5, (4, 3), 0.3, jnp))(jnp.array([3, 8]))
    np.testing.assert_allclose(found, philox.uniform([3, 8], 5, (4, 3), 0.3), atol=6e-8)  # half of the last bit


def test_seeds_of_many_members_give_each_its_own_numbers():
    together = philox.normal([3, 8], 5, (4, 2))
    np.testing.assert_array_equal(together, [philox.normal(seed, 5, (4, 2)) for seed in (3, 8)])


@pytest.mark.parametrize(
    "name, family, aim",
    [
        ("mixing", "diagonal", PLAIN),
        ("pixel-mixing", "diagonal", PLAIN),
        ("tiles-4", "full", PLAIN),
        ("tiles", "diagonal", Objective(3.0)),
        ("tiles-4", "full", Objective(3.0, "learned")),
    ],
)
def test_steps_are_those_of_tensorflow(name, family, aim):
    latents = experiments.experiment(name).latents
    data = [experiments.draw(name, seed, samples=60)[0] for seed in SEEDS]
    first, second = (
        training.Trainer(model.Ensemble(3, latents, family=family), aim=aim),
        jax_training.Trainer(3, latents, family=family, aim=aim),
    )
    schedule = lambda done: (2e-3, 0.5)  # noqa: E731
    expected, found = (each.fit(data, BETAS, SEEDS, EPOCHS, schedule) for each in (first, second))
    np.testing.assert_allclose(found, expected, rtol=FLOAT32)
    q, other = first.weights.posterior(data), second.weights.posterior(data)
    np.testing.assert_allclose(other.mean, q.mean, atol=0.02)  # Adam's first steps are the sign of a gradient
    np.testing.assert_allclose(other.covariance(), q.covariance(), rtol=0.05, atol=1e-3)


@pytest.mark.parametrize("family", posterior.FAMILIES)
def test_weights_as_arrays_encode_as_the_ensemble_that_was_trained(family):
    data = [experiments.draw("mixing", seed, samples=30)[0] for seed in (0, 1)]
    ensemble = model.Ensemble(2, family=family)
    ensemble.initialise([0, 1])
    same, images = ensemble.weights, model.batch(data)
    expected, found = ensemble.encode(images).to_numpy(), same.posterior(data)
    np.testing.assert_allclose(found.mean, expected.mean, atol=1e-5)
    np.testing.assert_allclose(found.covariance(), expected.covariance(), atol=1e-5)
    z = np.random.default_rng(0).standard_normal((2, 5, 2))
    decoded = ensemble.features(z.astype(np.float32)) @ ensemble.kernels[-1] + ensemble.biases[-1]
    np.testing.assert_allclose(same.decode(z), decoded, atol=1e-5)
    np.testing.assert_array_equal(same.some(slice(1, 2)).decode(z[1:])[0], same.decode(z)[1])


def test_a_pipeline_gives_the_numbers_of_a_sweep_and_says_where_time_goes():
    members = planning.plan("mixing", "smoke", samples=20, epochs=2, realizations=3, start=1)
    expected = {member: values for member, (values, _) in zip(members, train_member.trained(members)[2], strict=True)}
    busy = collections.defaultdict(float)
    with crews.single_threaded(), crews.pool(2) as pool:
        found = {
            member: (values, how) for member, values, how in pipeline.run(members, jax_training.Trainer, 4, pool, busy)
        }
    assert set(found) == set(members)
    for member, (values, how) in found.items():
        assert how["library"].startswith("JAX ") and how["pack"] == 4 and how["epochs"] == 2
        assert set(values) == set(expected[member])
        for name in SCALARS:
            assert values[name] == pytest.approx(expected[member][name], rel=1e-3, abs=1e-3), name
    assert {"train", "evaluation, all processes", "drawing, all processes"} <= set(busy)


def test_a_pipeline_solves_output_layers_where_that_is_wanted(crew):
    """Of a pack that is not full, too: R is larger, C the same."""
    found = []
    for output in ("trained", "solved"):
        members = planning.plan("mixing", "smoke", samples=20, epochs=2, realizations=1, output=output)
        with crew as [pool]:
            found.append([values for _, values, _ in pipeline.run(members, jax_training.Trainer, 4, pool)])
    for trained, solved in zip(*found, strict=True):
        assert solved["reconstruction"] > trained["reconstruction"] + 1
        assert solved["kl_prior"] == pytest.approx(trained["kl_prior"])


def test_ctrl_c_ends_training_and_keeps_what_is_trained(crew):
    class Interrupted(jax_training.Trainer):
        def fit(self, *arguments):
            if len(fitted) == 2:
                raise KeyboardInterrupt
            fitted.append(super().fit(*arguments))
            return fitted[-1]

    fitted, kept = [], []
    members = planning.plan("mixing", "smoke", samples=20, epochs=1, realizations=6)
    with crew as [pool], pytest.raises(KeyboardInterrupt):
        for member, _, _ in pipeline.run(members, Interrupted, 4, pool):
            kept.append(member)
    assert set(kept) == set(members[:8])


def test_a_sweep_with_jax_stores_members_that_say_so(results):
    words = ["sweep", "mixing", "--profile", "smoke", "--epochs", "2", "--jax", "--pack", "4", "--jobs", "1"]
    done = CliRunner().invoke(main, words)
    assert done.exit_code == 0, done.output
    stored = sweep.load("mixing", "smoke", epochs=2)
    assert np.isfinite(stored.tie).all() and all(", JAX " in made for made in stored.made_by.values.ravel())
    assert "0 members to train, 4 there already" in CliRunner().invoke(main, words).output


def test_an_evaluating_process_that_is_killed_is_told_in_one_line(results, monkeypatch):
    def broken(*_):
        raise BrokenProcessPool
        yield

    monkeypatch.setattr(pipeline, "run", broken)
    with pytest.raises(SweepError, match=r"a training process was killed, .* the same command goes on from there"):
        list(pipeline.sweep_packs(planning.plan("mixing", "smoke"), 2, 1))


def test_storing_does_not_hold_up_training(results, monkeypatch):
    class Counted(jax_training.Trainer):
        def fit(self, *arguments):
            fits.append(super().fit(*arguments))
            if len(fits) == 4:
                trained.set()
            return fits[-1]

    def slow(*arguments):
        waited.append(trained.wait(20))
        return keep(*arguments)

    keep, fits, waited, trained = running.keep, [], [], threading.Event()
    monkeypatch.setattr(jax_training, "Trainer", Counted)
    monkeypatch.setattr(running, "keep", slow)
    members = planning.plan("mixing", "smoke", samples=20, epochs=1, realizations=4)
    assert {member for member, _ in pipeline.sweep_packs(members, 2, 1)} == set(members)  # two packs may wait, of four
    assert all(waited) and all(sweep.store.read(member) is not None for member in members)


@pytest.mark.parametrize("library", gpu.LIBRARIES)
def test_the_checks_of_a_gpu_run_on_a_cpu(library):
    rows = list(gpu.check(library, ("mixing",), (1, 2), 2, peers=()))
    twice, apart, *rates, smoke = (row["found"] for row in rows)
    assert twice == 0 and apart < FLOAT32 and all(rate > 0 for rate in rates) and len(rates) == 2
    assert rows[-1]["check"] == "smoke profile" and smoke == rows[-1]["members"] == 4
    done = CliRunner().invoke(main, ["gpu-check", "--library", library])
    assert done.exit_code == 2 and f"{library} sees no GPU here" in done.output


def test_a_library_that_is_not_installed_is_told_with_what_brings_it(monkeypatch):
    monkeypatch.setattr(gpu, "find_spec", lambda _: None)
    monkeypatch.setitem(sys.modules, "betavae_core.networks.jax_training", None)  # its import fails
    monkeypatch.delattr("betavae_core.networks.jax_training")
    done = CliRunner().invoke(main, ["gpu-check", "--library", "jax"])
    assert done.exit_code == 2
    assert done.output == "betavae: jax is not installed; pip install jax, or jax[cuda13], brings it\n"


def test_another_library_is_refused():
    with pytest.raises(UsageError, match="no library 'mxnet'; libraries: tensorflow, jax"):
        gpu.trainers("mxnet")
