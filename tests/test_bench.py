"""Rows, ratios and the count of products; one real, short timing. How fast it is stands in no test."""

import json

import numpy as np
import pytest
import tensorflow as tf
from click.testing import CliRunner

from betavae_core import machine, paths
from betavae_core.errors import SweepError, UsageError
from betavae_core.findings import prediction
from betavae_core.images import experiments
from betavae_core.networks import evaluation, model, training
from betavae_core.networks.weights import Weights
from betavae_core.results import cost
from betavae_core.theory import linear
from betavae_workshop import cli, speed
from betavae_workshop.timing import bench, contenders, gpu, optimum, scripts


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
    assert speed.table(rows)[1] == [
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
    assert speed.whole_table(rows)[1] == [
        ["mixing", "this project", "2 × 1", "10.0", "360", "1.00 ×"],
        ["mixing", "a script with Keras", "2 × 1", "40.0", "90", "4.00 ×"],
    ]
    assert [row[1] for row in speed.table(rows)[1]] == ["this project"]


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
    done = contenders.CONTENDERS[contender][0](experiments.draw("mixing", 0, samples=100)[0], 1).advance(3)
    curve = done.history["loss"] if contender == "keras-fit" else done
    assert np.size(curve) == 3 and np.isfinite(curve).all()


def test_a_contender_that_fails_is_named():
    with pytest.raises(SweepError, match=r"^mxnet on mixing cannot be timed: its process ended with code 1$"):
        bench._timed("mxnet", "mixing", 2, 1)


def test_rows_are_written_one_a_line(tmp_path):
    rows = [{"experiment": "mixing", "member_steps_per_s": 1.5, "machine": "m"}, {"machine": "n"}]
    bench.write(rows, tmp_path / "b.json")
    assert json.loads((tmp_path / "b.json").read_text()) == rows
    assert len((tmp_path / "b.json").read_text().splitlines()) == 4


def test_the_stored_bench_has_contenders_in_both_layouts():
    rows = [row for row in json.loads(paths.BENCH.read_text()) if "processes" in row]
    found = {(r["experiment"], r["contender"], r["processes"], r["threads"]) for r in rows}
    ways = [*contenders.CONTENDERS, *scripts.WHOLE]
    every = ((e, c, *layout) for e in ("mixing", "localisation") for c in ways for layout in bench.LAYOUTS)
    assert set(every) == found


@pytest.fixture
def trained(seeded):
    data, _ = experiments.draw("mixing", 5, samples=150)
    trainer = training.trainer()
    trainer.fit([data], [20.0], [0], 300)
    return trainer.weights, data


def test_the_objective_without_random_numbers_is_that_of_many_draws(trained):
    weights, data = trained
    found = evaluation.evaluate(weights, [data], [20.0], [0], draws=400)
    assert optimum.objective(weights, data, 20.0) == pytest.approx(found["objective"][0], abs=0.3)  # five errors
    assert optimum.objective(weights, data, 20.0) == pytest.approx(optimum.objective(weights, data, 20.0, 9), abs=0.02)


def test_the_objective_of_a_linear_network_is_that_of_the_linear_optimum():
    """Which the rule integrates exactly, and the clock takes for its goal."""
    data, _ = experiments.draw("mixing", 1, samples=200)
    X = data.standardised
    D, W, v = linear.optimum(np.cov(X.T, bias=True), 20.0, latents=2)
    head = np.hstack([W.T, np.zeros_like(W.T)])
    biases = [np.hstack([-X.mean(0) @ W.T, np.log(v)]), X.mean(0)]
    optimal = Weights([head[None], D.T[None]], [bias.reshape(1, 1, -1) for bias in biases], 2)
    [R], [C], *_ = prediction.linear_terms(prediction.coordinates(data), [20.0])[0]
    assert optimum.objective(optimal, data, 20.0) == pytest.approx(R - 20 * C, abs=1e-3)


@pytest.mark.filterwarnings("ignore:CUDA initialization")  # of PyTorch, where there is no GPU
@pytest.mark.parametrize("contender", [name for name in optimum.CONTENDERS[1:] if name in contenders.installed()])
def test_what_a_peer_has_trained_is_the_network_that_it_decodes_with(contender, seeded):
    """The objective grows, seen from its weights: layers in order, none transposed. Steps and β are heeded."""
    data, _ = experiments.draw("mixing", 0, samples=100)
    peer = contenders.CONTENDERS[contender][0](data, 1, seed=3)
    peer.advance(1, 0.0, 1.0)  # Keras has no weights before
    start = optimum.objective(optimum.trained(peer), data, 1.0)
    peer.advance(2, 0.0, 1.0)
    assert optimum.objective(optimum.trained(peer), data, 1.0) == pytest.approx(start, abs=1e-6)
    peer.advance(60, 3e-3, 1.0)
    assert optimum.objective(optimum.trained(peer), data, 1.0) > start + 100
    peer.advance(40, 3e-3, 1e4)
    assert optimum.trained(peer).posterior([data]).kl_to_prior().mean() < 0.5


def test_a_clock_stands_while_it_is_not_told_and_ends_a_run_at_the_goal_or_the_cap():
    short = iter([3.0, 0.4])
    clock = optimum.Clock(lambda: sum(range(5 * 10**6)) and next(short), most=1e9)
    clock(50)
    before = clock.spent
    with pytest.raises(optimum.Enough):
        clock(50)
    assert (clock.epochs, clock.below, clock.end) == (100, 0.4, "reached") and clock.spent - before < 0.01
    clock = optimum.Clock(lambda: np.nan, most=0.0)
    with pytest.raises(optimum.Enough):
        clock(50)
    assert clock.end == "stopped"


@pytest.mark.slow
def test_rows_of_several_beta_come_from_one_process():
    task = {"experiment": "mixing", "contender": "betavae", "recipe": "schedule", "realization": 0}
    rows = [*bench.measured([task | {"beta": beta} for beta in (20.0, 50.0)], cap=0.01)]
    assert [(row["beta"], row["epochs"], row["end"]) for row in rows] == [(20.0, 50, "stopped"), (50.0, 50, "stopped")]
    assert all(row["unit_s"] > row["processor_s"] > 0 and row["nats_below"] > 0.5 for row in rows)


LIMIT = {"experiment": "mixing", "contender": "limit", "processes": 1, "threads": 1}


def test_a_check_of_a_gpu_keeps_what_else_a_file_has_and_refuses_that_of_another(tmp_path, monkeypatch):
    file, rows = tmp_path / "gpu.json", [dict(zip(gpu.HEADER, "abcdef", strict=True))]
    file.write_text(json.dumps({"device": "X", "rows": [], "sweeps": [1], "realizations": 20}))
    monkeypatch.setattr(gpu, "check", lambda library: rows)
    for device, code, has in (("Y", 2, []), ("X", 0, rows)):
        monkeypatch.setattr(gpu, "device", lambda library, device=device: device)
        result = CliRunner().invoke(cli.main, ["gpu-check", "--json", str(file)])
        found = json.loads(file.read_text())
        assert (result.exit_code, found["rows"], found["sweeps"], found["realizations"]) == (code, has, [1], 20)


def test_an_interrupted_bench_goes_on_from_its_rows(tmp_path):
    """Really timed; a row of another machine counts for nothing, and rounds are one row in the end."""
    file, wanted = tmp_path / "new/rows.json", [LIMIT | {"round": turn} for turn in range(3)]

    def interrupt(_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        bench.run(wanted, file, interrupt)
    [first] = bench.read(file)
    assert first.items() >= wanted[0].items() and first["member_steps_per_s"] > 0
    here = {"machine": machine.described()}
    kept = [wanted[0] | here | {"member_steps_per_s": 1e9}, wanted[1] | {"member_steps_per_s": 2e9, "machine": "other"}]
    bench.write(kept, file)
    told = []
    [row] = bench.run(wanted[:2], file, told.append)
    second = bench.read(file)[-1]
    assert bench.read(file)[:2] == kept and second.items() >= wanted[1].items() and len(told) == 2
    assert row == LIMIT | here | {"member_steps_per_s": round((1e9 + second["member_steps_per_s"]) / 2, 2)}


def test_a_bench_that_is_whole_measures_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(bench, "_started", lambda *_: pytest.fail("a process that measures was started"))
    wanted = bench.tasks(["optimum"], ["betavae"])
    ends = {"processor_s": 1.0, "unit_s": 1.0, "nats_below": 0.4, "epochs": 50, "end": "reached"}
    rows = [task | ends | {"machine": machine.described()} for task in wanted]
    bench.write(rows, tmp_path / "rows.json")
    assert bench.run(wanted, tmp_path / "rows.json") == rows
    halves = [row | {"end": "over"} for row in rows if row["realization"] < 2]
    bench.write(halves, tmp_path / "rows.json")
    assert bench.run(wanted, tmp_path / "rows.json") == halves  # a median needs no more


def test_parts_and_contenders_of_the_bench_are_chosen(monkeypatch):
    everything, ours = bench.tasks(), bench.tasks(["optimum"], ["betavae"])
    assert {task["experiment"] for task in everything} == {"mixing", "localisation"}
    assert len({bench.key(task) for task in everything}) == len(everything)
    assert len(ours) == len(optimum.RECIPES) * len(optimum.BETAS) * optimum.REALIZATIONS
    assert {task["recipe"] for task in everything if task["contender"] == "keras-fit" and "recipe" in task} == {
        "thesis",
        "schedule",
    }
    mixing = bench.tasks(["mixing"], ["betavae"], 2)
    assert mixing[: len(ours)] == ours and [task["round"] for task in mixing[len(ours) :]] == [0, 0, 1, 1]
    assert all(task["contender"] == "limit" for task in bench.tasks(["localisation"], ["limit"]))
    with pytest.raises(UsageError, match=r"^nothing to measure: to the optimum only betavae, "):
        bench.tasks(["optimum"], ["limit"])
    monkeypatch.setattr(contenders, "CONTENDERS", contenders.CONTENDERS | {"jax": (None, "no_such_library")})
    with pytest.raises(UsageError, match=r"^jax cannot be timed: its library is not installed; `make env EXTRAS=bench"):
        bench.tasks(chosen=["jax"])


def test_rows_of_another_machine_are_refused_before_anything_is_timed(tmp_path, monkeypatch):
    monkeypatch.setattr(bench, "run", lambda *_, **__: pytest.fail("something was timed"))
    bench.write([LIMIT | {"machine": "other", "member_steps_per_s": 1.0}], tmp_path / "b.json")
    result = CliRunner().invoke(cli.main, ["bench", "--json", str(tmp_path / "b.json")])
    assert result.exit_code == 2
    assert "b.json has rows of another machine; remove it to start anew, or name another file" in result.output


def test_published_rows_give_way_to_the_same_ones_alone(tmp_path):
    file, row = tmp_path / "b.json", LIMIT | {"machine": "m", "member_steps_per_s": 1.0}
    bench.write([row, row | {"threads": 2}], file)
    bench.publish([row | {"machine": "n", "member_steps_per_s": 3.0}, row | {"contender": "jax"}], file)
    assert [(r["contender"], r["threads"], r["member_steps_per_s"]) for r in bench.read(file)] == [
        *(("limit", 1, 3.0), ("limit", 2, 1.0), ("jax", 1, 1.0))
    ]


def test_times_to_the_optimum_are_medians_with_bounds_where_there_is_none():
    def rows(contender, recipe, beta, *ends):
        return [
            {
                "contender": contender,
                "recipe": recipe,
                "beta": beta,
                "unit_s": 10.0,
                "nats_below": 0.3 if end > 0 else 0.8,
            }
            | {"processor_s": 10.0 * abs(end), "end": "reached" if end > 0 else "over" if end > -3 else "stopped"}
            for end in ends
        ]

    found = [
        *(*rows("betavae", "schedule", 20.0, 0.9, 0.7, 0.8, -1), *rows("betavae", "schedule", 50.0, 1, 1.1, 1, 1)),
        *(*rows("betavae", "thesis", 20.0, -3.1, -3), *rows("betavae", "thesis", 50.0, 1.5, -3, -3)),
        *(*rows("jax", "schedule", 20.0, 2.55), *rows("jax", "schedule", 50.0, 1.1, -1.1)),
    ]
    assert speed.optimum_table([*found, *rows("betavae", "solved", 20.0, 0.05)]) == (
        ["contender", "training", "networks", "β = 20, U", "β = 50, U", speed.LONGER],
        [
            ["this project", "schedule", "8", "0.85 (3 of 4)", "1.00", "1.00 ×"],
            ["this project", "thesis", "5", "> 3.0", "> 3.0 (1 of 3)", "> 3.00 ×"],
            ["JAX", "schedule", "3", "2.55", "0.80 nats below (1 of 2)", "3.00 ×"],
            ["this project", "solved", "1", "0.05", "–", "0.06 ×"],
        ],
    )
    assert [row[-1] for row in speed.optimum_table(found[8:])[1]] == ["–", "–"]  # nothing of ours got there
    over = rows("betavae", "schedule", 20.0, -1, -1)
    assert [row[-1] for row in speed.optimum_table([*over, *found[10:12]])[1]] == ["–", "–"]
    assert speed.optimum_table([])[1] == []
