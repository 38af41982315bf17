"""Predictions against the analytical model, angles against known turns, and a live network's labels and pictures."""

import subprocess
import sys

import numpy as np
import pytest

from betavae_core import environment
from betavae_core.findings import latents, prediction
from betavae_core.images import datasets, experiments
from betavae_core.showing import deep, figures
from betavae_core.sweeps import planning, record, store, sweep
from betavae_core.theory import linear, terms
from betavae_core.theory.gaussian import LinearGaussian


def test_the_prediction_is_the_analytical_model_on_data_of_its_covariance(process):
    sample = datasets.linear_sample(process, 300, np.random.default_rng(1))
    betas = [0.5, 1.0, 3.0, 6.0]
    (R, C, elbo, tie), values = prediction.linear_terms(prediction.coordinates(sample), betas)
    expected = linear.sweep(process, betas)
    constant = deep.CONSTANT + np.log(2 * np.pi)  # the prediction counts 1600 pixels, the process two
    assert values == pytest.approx(np.linalg.eigvalsh(process.covariance)[::-1])
    assert R - constant == pytest.approx(expected.reconstruction.values)
    assert C == pytest.approx(expected.kl_prior.values)
    assert elbo - constant == pytest.approx(expected.elbo.values)
    assert tie == pytest.approx(expected.tie.values)


@pytest.mark.parametrize("name", ["mixing", "localisation", "pixel-mixing"])
def test_the_prediction_from_a_few_axes_is_that_of_the_whole_covariance(name):
    """All eigenpairs of the covariance of the pixels, and R pixel by pixel."""
    data, _ = experiments.draw(name, 0, samples=200)
    X, beta = data.pixels - data.pixels.mean(0), 20.0
    D, W, variance = linear.optimum(X.T @ X / len(X), beta, latents=2)
    mean = X @ W.T
    R = -0.5 * (((X - mean @ D.T) ** 2).sum() / len(X) + ((D**2).sum(0) * variance).sum())
    C = 0.5 * (variance - 1 - np.log(variance)).sum() + 0.5 * (mean**2).sum() / len(X)
    found, _ = prediction.linear_terms(prediction.coordinates(data), [beta])
    assert found[:2, 0] == pytest.approx([R + deep.CONSTANT, C], rel=1e-9)


def test_the_prediction_beside_networks_stands_on_their_realizations():
    stored = sweep.load("mixing").sel(realization=slice(0, 4))
    stored["tie"] = stored.tie.where(stored.realization != 1)  # one without a β
    beside = prediction.beside(stored, 2)
    assert beside.realization.values.tolist() == [0, 2]
    assert beside.beta.equals(stored.beta)
    rows = deep.discrepancy_rows(stored, beside)
    expected = (stored.tie.sel(realization=[0, 2]) - beside.tie).mean("realization").values
    assert [float(row[3].replace("−", "-")) for row in rows] == pytest.approx(expected, abs=0.006)


def test_the_table_of_optima_has_training_and_fresh_images():
    """Pixel mixing memorises: the two columns part there."""
    stores = {name: sweep.load(name) for name in ("pixel-mixing", "mixing-one-pair")}
    rows = deep.optimum_rows(stores, {})
    assert len(rows) == 6
    assert {len(row) for row in rows} == {len(deep.OPTIMA)}
    elbo = rows[0]
    assert elbo[2] == "largest ELBO"
    assert elbo[3].startswith("1 (")
    assert elbo[4].startswith("20 (")
    pair = stores["mixing-one-pair"]
    texts = deep.texts(pair, pair, prediction.prediction("mixing", [1.0], [0]))
    assert rows[5][3] == f"{texts['tie']} ({texts['tie_range']})"


def test_what_the_code_adds_to_pixels():
    """The images of a code are its map times it, and the digits overlap."""
    data, _ = experiments.draw("mixing-diagonal", 0, samples=200)
    code, F = latents.code(data), prediction.code_in_pixels(prediction.coordinates(data))
    pixels, code = (values - values.mean(0) for values in (data.standardised, code))
    images = np.linalg.pinv(code) @ pixels  # (code, 1600)
    assert code @ images == pytest.approx(pixels, abs=1e-6)
    assert F @ F.T == pytest.approx(images @ images.T, rel=1e-6)


@pytest.mark.parametrize("angle", [20.0, 60.0, 90.0])
def test_the_angle_between_axes_of_motion(angle):
    """Latents that are coordinates of the position along two known directions."""
    data, _ = experiments.draw("localisation", 0, samples=300)
    process = LinearGaussian(experiments.MIXING, 0.5)
    code = data.posterior_mean @ data.posterior_precision @ np.linalg.inv(process.mixing) * 0.25
    assert process.posterior_mean(code) == pytest.approx(data.posterior_mean)
    axes = np.array([[1.0, 0.0], [np.cos(np.radians(angle)), np.sin(np.radians(angle))]])
    assert latents.motion_angle(data, code @ np.linalg.inv(axes)) == pytest.approx(angle)


def test_the_angle_is_measured_with_the_matrix_of_the_experiment():
    """The exact posterior's means are coordinates in which orthogonal columns move the code at right angles."""
    data, _ = experiments.draw("mixing-diagonal", 0, samples=300)
    assert latents.motion_angle(data, data.posterior_mean) == pytest.approx(90.0)
    skew, _ = experiments.draw("mixing", 0, samples=300)
    assert latents.motion_angle(skew, skew.posterior_mean) < 80


def test_what_is_not_stored_is_told_in_a_sentence_and_never_as_nan(results):
    """An empty store: no rows, and the command that trains what is missing."""
    for supplement in (experiments.PER_PIXEL, experiments.LONGER):
        told = deep.missing(supplement).data
        assert f"{supplement.name} are not all stored (mixing, localisation)" in told
        assert "`betavae sweep mixing localisation` trains the rest" in told
    assert deep.scaling_rows() == []
    assert deep.convergence({}) is None
    assert deep.convergence_rows(None) == []
    assert deep.gained(None) == "How much four thousand more steps gain is not known without them."


def test_all_supplements_are_published():
    assert deep.missing(experiments.PER_PIXEL) is deep.missing(experiments.LONGER) is None
    assert "nan" not in str(deep.scaling_rows())


@pytest.fixture(scope="module")
def live():
    return deep.live("mixing", 3.0, realizations=2, epochs=60)


def test_live_members_are_labelled_like_stored_ones(live):
    assert live.tie.dims == ("beta", "realization")
    assert live.tie.shape == (1, 2)
    assert np.isfinite(live.tie).all()
    assert deep.source(live).startswith("2 realizations of each of 1 β (2 working; 0 diverged), made by betavae-core")


@pytest.mark.slow
def test_a_chapter_trains_as_a_sweep_does(results, crew):
    """To the last bit: in the environment of a chapter, and in a process that trains for a sweep."""
    program = "from betavae_core.showing import deep; print(deep.live('mixing', 3.0, 1, 20).objective.item().hex())"
    with environment.clean() as variables:
        done = subprocess.run([sys.executable, "-c", program], env=variables, capture_output=True, text=True)
    [member] = planning.plan("mixing", betas=[3.0], realizations=1, epochs=20)
    list(sweep.run([member], crew))
    assert done.stdout.split() == [float(store.read(member).objective).hex()], done.stderr


def test_pictures_come_back_in_grey_levels(live):
    rows, labels = deep.reconstruction_rows(live, [3.0], [0, 1])
    assert rows.shape == (2, 4, 40, 40)
    assert labels == ["images", "β = 3"]
    original = experiments.draw("mixing", 1)[0].images()[:2]
    np.testing.assert_array_equal(rows[0, 2:], original)
    assert np.corrcoef(rows[1, 2:].ravel(), original.ravel())[0, 1] > 0.5  # some of it has been learnt
    moved, labels = deep.traversal_rows(live, [3.0])
    assert moved.shape == (2, 7, 40, 40)


def test_prose_and_table_of_a_live_chapter(live):
    betas = live.beta.values
    predicted = prediction.prediction("mixing", [*betas, 1.0], range(2))
    stored = live.assign_coords(beta=[1.0])
    texts = deep.texts(stored, live, predicted)
    assert texts["tie_one"] == f"{float(live.tie.mean()):.2f}"
    assert texts["beta"] == "3"
    assert texts["reproduced"] == "They equal the stored members of the same seeds."
    moved = deep.texts(stored.assign(objective=stored.objective + 0.25), live, predicted)["reproduced"]
    assert moved.count("made by betavae-core") == 2
    assert "differ by 0.250 nats of objective at most" in moved
    other = stored.assign(key=stored.key.copy(data=[["a", "b"]]))
    assert deep.texts(other, live, predicted)["reproduced"].startswith("The store holds no member")
    header, rows = deep.live_table(live)
    assert header == ["term", "0, training", "0, fresh", "1, training", "1, fresh"]
    assert rows[3][0] == "TIE"
    assert float(rows[3][1]) == pytest.approx(float(live.tie[0, 0]), abs=0.006)


def test_scores_of_live_members(live):
    found = latents.latent_scores(live.isel(detailed=slice(2)))
    assert found.mig.shape == (1, 2)
    assert (found.active <= 2).all()
    assert ((found.axes >= 0) & (found.axes <= 90)).all()


def live_of(beta, *sound):
    """Live members as `deep.live` makes them, sound or diverged; of the sound ones the numbers are published."""
    members = planning.plan("mixing", betas=[beta], realizations=len(sound))
    published = sweep.load("mixing", betas=[beta], realizations=len(sound)).isel(beta=0)
    cells = {}
    for member, good in zip(members, sound, strict=True):
        values = dict.fromkeys(terms.SCALARS, np.nan)
        if good:
            values = {name: float(published[name][member.realization]) for name in terms.SCALARS}
            values |= {name: published[name].values[member.realization] for name in ("traversals", "grey_scale")}
        cells[member.key] = record.cell(member, values, {})
    return store.collect(members, source=lambda member: cells[member.key])


@pytest.mark.parametrize("sound", [(False, False), (False, True)])
def test_live_networks_that_diverged_are_told_and_not_shown(sound):
    live, stored = live_of(1.0, *sound), sweep.load("mixing", betas=[1.0])
    told = deep._reproduced(stored, live)
    assert told.startswith(f"Training diverged in {sound.count(False)} of them, of which nothing can be said. The")
    assert ("They equal the stored members" in told) == any(sound)
    _, rows = deep.live_table(live)
    assert all(row[1:3] == ["–", "–"] and ("–" in row[3:]) != any(sound) for row in rows)
    pictures, labels = deep.live_rows(live)
    assert labels == (["β = 1, z₁", "β = 1, z₂"] if any(sound) else ["training diverged: there is nothing to show"])
    assert (np.abs(pictures).max() > 0) == any(sound)
    figures.picture_rows(pictures, labels).canvas.draw()
