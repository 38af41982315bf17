"""Rows, ratios and the count of products; one real, short timing. How fast it is stands in no test."""

import json

import numpy as np
import pytest
import tensorflow as tf

from betavae_core import paths
from betavae_core.errors import SweepError
from betavae_core.images import experiments
from betavae_core.networks import evaluation, model, training
from betavae_core.results import cost
from betavae_workshop import speed
from betavae_workshop.timing import bench, contenders, scripts


def test_products_are_those_of_the_factored_step():
    """Counted by hand for n = 1000 and rank 3: layer products, twice WWᵀ-sized ones, three of n × 256²."""
    total = sum(m * k * n for m, k, n in cost.products(1000, 3))
    hidden = 3 * 1000 * (256 * 200 + 200 * 200 + 200 * 4 + 2 * 200 + 200 * 200 + 200 * 256)
    output = 2 * 256 * 256 * 1600 + 2 * 1000 * 256 * 256
    factors = 4 * 3 * 256 * (1600 + 1000)
    assert total == hidden + output + factors


def test_the_table_takes_each_contender_at_its_better_layout():
    rows = [
        {"experiment": "mixing", "contender": c, "processes": p, "threads": t, "member_steps_per_s": r}
        for c, p, t, r in [
            ("betavae", 1, 2, 50.0),
            ("betavae", 2, 1, 60.0),
            ("keras-fit", 1, 2, 15.0),
            ("limit", 2, 1, 80.0),
        ]
    ]
    assert speed.table(rows) == [
        ["mixing", "this project", "2 × 1", "60.0", "16.7", "1.00 ×"],
        ["mixing", "Keras, fit", "1 × 2", "15.0", "66.7", "4.00 ×"],
        ["mixing", "limit", "2 × 1", "80.0", "12.5", "0.75 ×"],
    ]


def test_the_cost_of_the_thesis_is_arithmetic():
    """13 β × 300 members: 50 steps/s on a laptop make 20 s, and half an evaluation; a core's 25 make 40 s, and one."""
    rows = [
        {"experiment": e, "contender": "betavae", "processes": p, "threads": t, "member_steps_per_s": r}
        for e in ("mixing", "localisation")
        for p, t, r in [(1, 2, 40.0), (2, 1, 50.0)]
    ]
    sweeps = [("mixing", 10, 90.0), ("mixing", 1000, 200.0), ("localisation", 10, 4.0)]
    swept = [dict(zip(("experiment", "networks", "seconds"), values, strict=True)) for values in sweeps]
    laptop, gpu, workers = speed.thesis_cost(rows, {"device": "X", "sweeps": swept})
    alone = 20 + speed.EVALUATION / 2
    assert laptop[1:] == [f"{3900 * alone / 3600:.2f}"] * 2 + [f"{2 * 3900 * alone / 3600:.2f}"]
    assert workers[1] == f"{3900 * (40 + speed.EVALUATION) / 100 / 3600:.2f}"
    assert gpu == ["one X, 16 host cores", "0.22", "0.43", "0.65"]  # of the longest sweep, 0.2 and 0.4 s each


def test_what_was_measured_on_a_gpu_is_on_the_page_as_it_was_stored():
    measured = json.loads(paths.GPU.read_text())
    weights = 1600 * 256 + 256 * 200 + 200 * 200 + 200 * 4 + 2 * 200 + 200 * 200 + 200 * 256 + 256 * 1600
    units = 256 + 200 + 200 + 4 + 200 + 200 + 256 + 1600  # each has a bias
    gigabytes = 16 * 4 * (4 * (weights + units) + 2 * 1000 * units) / 1e9
    assert speed.held(16) == pytest.approx(gigabytes)
    speeds = speed.speed_rows(measured)
    assert [(row[1], row[4]) for row in speeds][:3] == [("1", "0.04"), ("64", "2.52"), ("256", "10.09")]
    assert [row[0] for row in speeds] == ["mixing"] * 3 + ["localisation"] * 2 and speeds[-1][2:4] == ["10,450", "–"]
    for row, stored in zip(speed.sweep_rows(measured), measured["sweeps"], strict=True):
        assert row[1] == f"{stored['networks']:,}" and float(row[-1]) == pytest.approx(
            stored["seconds"] / stored["networks"], abs=0.006
        )
    assert len(speed.beside_rows(measured)) == 13
    far = {
        "realizations": 4,
        "beside_cpu": [{name: [mean, 1.0, 2.0] for name in speed.TERMS} for mean in (3.1, 3.3)],
    }
    assert speed.beyond(far) == (3, 6)  # Student's interval of four reaches 3.18 standard errors


def test_whole_networks_are_told_in_seconds_and_by_the_hour():
    whole = {"experiment": "mixing", "processes": 2, "threads": 1}
    rates = {"member": 100.0, "keras-script": 25.0, "betavae": 120.0}
    rows = [whole | {"contender": name, "member_steps_per_s": rate} for name, rate in rates.items()]
    assert speed.whole_table(rows) == [
        ["mixing", "this project", "2 × 1", "10.0", "360", "1.00 ×"],
        ["mixing", "a script with Keras", "2 × 1", "40.0", "90", "4.00 ×"],
    ]
    assert [row[1] for row in speed.table(rows)] == ["this project"]


@pytest.fixture
def seeded():
    """Draws without a seed fail in a process that has trained a member, whose operations are to be deterministic."""
    tf.random.set_seed(5)


def test_a_script_with_keras_computes_the_same_terms_of_the_same_network(seeded):
    data, _ = experiments.draw("mixing", 5, samples=120)
    ensemble = model.Ensemble()
    training.Trainer(ensemble).fit([data], [1.0], [0], 400)
    network = contenders.keras_network()
    network(data.standardised)
    for kernel, bias, own, its in zip(
        network.weights[::2], network.weights[1::2], ensemble.kernels, ensemble.biases, strict=True
    ):
        kernel.assign(own[0])
        bias.assign(its[0, 0])
    found, expected = scripts.terms(network, data), evaluation.evaluate(ensemble.weights, [data], [1.0], [0])
    for name in ("kl_prior", "tie"):
        assert found[name] == pytest.approx(expected[name][0], rel=1e-4), name
    for name, error in (("reconstruction", "reconstruction_se"), ("elbo", "reconstruction_se"), ("mie", "mie_se")):
        assert found[name] == pytest.approx(expected[name][0], abs=6 * expected[error][0]), name


def test_the_script_stores_terms_of_training_and_of_fresh_images(seeded, tmp_path, monkeypatch):
    monkeypatch.setattr(scripts, "terms", lambda network, data: {"tie": float(data.standardised.mean())})
    with np.load(scripts.keras_script("mixing", 1, tmp_path)) as found:
        assert set(found) == {"tie", "tie_heldout"} and found["tie"] != found["tie_heldout"]


@pytest.mark.slow
@pytest.mark.parametrize(("contender", "processes"), [("betavae", 1), ("limit", 2), ("member", 1)])
def test_contenders_run(contender, processes):
    assert bench._timed(contender, "mixing", processes, 1, steps=3) > 0


@pytest.mark.parametrize("contender", ["plain", "keras-fit"])
def test_steps_of_contenders_run(contender, seeded):
    """In this process, which has loaded TensorFlow; the one that times them is the same for all, see above."""
    done = contenders.CONTENDERS[contender][0](experiments.draw("mixing", 0, samples=100)[0], 1)(3)
    curve = done.history["loss"] if contender == "keras-fit" else done
    assert np.size(curve) == 3 and np.isfinite(curve).all()


def test_a_contender_that_fails_is_named():
    with pytest.raises(SweepError, match=r"^mxnet on mixing cannot be timed: its process ended with code 1$"):
        bench._timed("mxnet", "mixing", 2, 1)


def test_rows_are_written_one_a_line(tmp_path):
    rows = [{"experiment": "mixing", "member_steps_per_s": 1.5}, {"experiment": "localisation"}]
    bench.write(rows, tmp_path / "b.json")
    assert json.loads((tmp_path / "b.json").read_text()) == rows
    assert len((tmp_path / "b.json").read_text().splitlines()) == 4


def test_the_stored_bench_has_contenders_in_both_layouts():
    rows = json.loads((paths.BENCH).read_text())
    found = {(r["experiment"], r["contender"], r["processes"], r["threads"]) for r in rows}
    ways = [*contenders.CONTENDERS, *scripts.WHOLE]
    every = ((e, c, *layout) for e in ("mixing", "localisation") for c in ways for layout in bench.LAYOUTS)
    assert set(every) == found
