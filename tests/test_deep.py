"""Predictions against the analytical model, angles against known turns, and a live network's labels and pictures."""

import json
import os
import re
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import xarray as xr

from betavae_core import machine, notes, paths
from betavae_core.findings import latents, prediction, scores
from betavae_core.images import datasets, experiments
from betavae_core.networks.posterior import Posterior
from betavae_core.results import planning, record, store, sweep, train_live
from betavae_core.showing import curves, deep, figures, interactive, live, tables
from betavae_core.theory import linear, terms
from betavae_core.theory.gaussian import log_density_constant
from betavae_workshop import environment
from betavae_workshop.building import processes
from betavae_workshop.building.progress import Progress
from betavae_workshop.sweeping import running

CONSTANT = log_density_constant(1600)


def test_the_prediction_is_the_analytical_model_on_data_of_its_covariance(process):
    sample = datasets.linear_sample(process, 300, np.random.default_rng(1))
    betas = [0.5, 1.0, 3.0, 6.0]
    (R, C, elbo, tie), values = prediction.linear_terms(prediction.coordinates(sample), betas)
    expected = linear.sweep(process, betas)
    constant = CONSTANT + np.log(2 * np.pi)  # the prediction counts 1600 pixels, the process two
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
    assert found[:2, 0] == pytest.approx([R + CONSTANT, C], rel=1e-9)


@pytest.mark.parametrize("name", ["mixing", "mixing-diagonal", "tiles-4"])
def test_coordinates_from_codes_are_those_of_the_images(name):
    """Of images that are linear in the code none needs to be rendered; axes have no sign."""
    drawing = experiments.drawing(name, 3, samples=150)
    data, found = experiments.training(name, 3, samples=150), prediction.from_codes(drawing)
    expected = prediction.coordinates(data)
    assert found.along @ found.along.T == pytest.approx(expected.along @ expected.along.T, rel=1e-9, abs=1e-9)
    assert np.abs(found.along) == pytest.approx(np.abs(expected.along), rel=1e-6, abs=1e-6)
    assert (found.left_out, expected.left_out) == (0.0, pytest.approx(0, abs=1e-9))
    assert (found.posterior_mean == data.posterior_mean).all()


def test_training_images_alone_are_those_of_the_pair():
    pair = experiments.draw("localisation", 2, samples=40)
    alone = experiments.training("localisation", 2, samples=40)
    assert (alone.pixels == pair[0].pixels).all()
    assert (alone.sources == pair[0].sources).all()
    assert not (pair[1].sources == pair[0].sources).any()


def test_the_prediction_beside_networks_stands_on_their_realizations():
    stored = sweep.load("mixing").sel(realization=slice(0, 4))
    stored["tie"] = stored.tie.where(stored.realization != 1)  # one without a β
    beside = prediction.beside(stored, 2)
    assert beside.realization.values.tolist() == [0, 2]
    assert beside.beta.equals(stored.beta)
    rows = deep.discrepancy_rows(stored, beside)
    expected = (stored.tie.sel(realization=[0, 2]) - beside.tie).mean("realization").values
    assert [float(row[3].replace("−", "-")) for row in rows] == pytest.approx(expected, abs=0.006)


@pytest.mark.parametrize(("samples", "scaling"), [(1000, "global"), (40, "global"), (30, "pixel")])
def test_images_are_drawn_anew_as_the_networks_had_them(samples, scaling, results):
    """What is stored says how many, and how they are scaled; the prediction beside it is of the same images."""
    stored = sweep.load("mixing-diagonal", betas=[2.0], realizations=1, samples=samples, scaling=scaling)
    data, _ = experiments.draw("mixing-diagonal", 0, samples, scaling)
    assert (latents.images_of(stored, 0).pixels == data.pixels).all()
    sources, code = latents.drawn(stored, 0)
    assert (sources == data.sources).all() and (data.process.posterior_mean(code) == data.posterior_mean).all()
    found = prediction.beside(stored.assign(tie=stored.tie.fillna(0)))
    expected = prediction.linear_terms(prediction.coordinates(data), [2.0])[0][:, 0]
    assert [float(found[name][0, 0]) for name in prediction.PREDICTED] == pytest.approx(expected)


@pytest.mark.parametrize("still", [0, 1])
@pytest.mark.parametrize("value", [0.0, 0.25, -3.1])
def test_a_latent_that_does_not_move_has_no_angle(still, value, rng):
    code, mean = rng.standard_normal((2, 20, 2))
    assert 0 <= latents.motion_angle(code, mean) <= 90
    mean[:, still] = value + 1e-12 * rng.standard_normal(20)
    assert np.isnan(latents.motion_angle(code, mean))


def test_scores_of_the_linear_model_are_those_of_principal_components_at_every_beta():
    """The components by an SVD of the pixels, never scaled; from the smaller eigenvalue on a latent has collapsed."""
    data, _ = experiments.draw("mixing", 3)
    X = data.pixels - data.pixels.mean(0)
    left, singular, _ = np.linalg.svd(X, full_matrices=False)
    components, sources = left[:400, :2], data.sources[:400]
    judged = scores.mig(sources, components), scores.sap(sources, components), scores.correlation(components)
    smaller = singular[1] ** 2 / len(X)
    found = prediction.latent_scores("mixing", [0.01, 1.0, 0.99 * smaller, 1.01 * smaller], [3], 400)
    for name, expected in zip(latents.SCORES, judged, strict=True):
        assert found[name].values[:3, 0] == pytest.approx([expected] * 3, abs=1e-6)
        assert np.isnan(found[name].values[3, 0])


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
    one = (pair.realization == 0) & (pair.beta == float(texts["elbo"]))
    without = deep.texts(
        pair.assign(elbo=pair.elbo.where(~one, -1e6)), pair, prediction.prediction("mixing", [1.0], [0])
    )
    assert without["elbo"] != texts["elbo"], "one network moves the mean"
    assert without["median_elbo"] == texts["median_elbo"], "and not the median"
    for found in stores.values():  # in pixel mixing fresh images have their least TIE elsewhere
        told = deep.texts(found, found, prediction.prediction("mixing", [1.0], [0]))
        gap = (found.elbo - found.elbo_heldout).mean("realization").values
        least = [found[name].mean("realization").min().item() for name in ("tie", "tie_heldout")]
        assert told["elbo_gap"] == f"{gap.max():.1f}"
        assert [told["least_tie"], told["least_tie_fresh"]] == [f"{value:.2f}" for value in least]


def test_what_the_code_adds_to_pixels():
    """The images of a code are its map times it, and the digits overlap."""
    data, _ = experiments.draw("mixing-diagonal", 0, samples=200)
    code = experiments.drawing("mixing-diagonal", 0, samples=200).drawn[0][1]
    F = prediction.code_in_pixels(prediction.coordinates(data))
    pixels, code = (values - values.mean(0) for values in (data.standardised, code))
    images = np.linalg.pinv(code) @ pixels  # (code, 1600)
    assert code @ images == pytest.approx(pixels, abs=1e-6)
    assert F @ F.T == pytest.approx(images @ images.T, rel=1e-6)


@pytest.mark.parametrize("angle", [20.0, 60.0, 90.0, 140.0])
def test_the_angle_between_axes_of_motion(angle):
    """Latents that are coordinates of the position along two known directions."""
    code = experiments.drawing("localisation", 0, samples=300).drawn[0][1]
    axes = np.array([[1.0, 0.0], [np.cos(np.radians(angle)), np.sin(np.radians(angle))]])
    assert latents.motion_angle(code, code @ np.linalg.inv(axes)) == pytest.approx(min(angle, 180 - angle))


def test_the_angle_between_axes_of_motion_of_curved_latents():
    """Places are moved until one latent has changed a little and the other not at all, by Newton's method."""
    place = experiments.drawing("localisation", 0, samples=300).drawn[0][1]
    bent = lambda r: np.stack([2 * r[0] + 0.1 * r[1] ** 2 + 0.2 * r[1], r[1] - 0.2 * r[0] + 0.02 * r[0] ** 2])  # noqa: E731
    step, angles = 1e-3, []
    for start in place:
        moved = []
        for i in range(2):
            r, wanted = start.copy(), bent(start) + step * np.eye(2)[i]
            for _ in range(20):
                slopes = np.stack([(bent(r + 1e-6 * e) - bent(r - 1e-6 * e)) / 2e-6 for e in np.eye(2)], 1)
                r = r + np.linalg.solve(slopes, wanted - bent(r))
            moved.append(r - start)
        angles.append(np.degrees(np.arccos(abs(moved[0] @ moved[1]) / np.prod(np.linalg.norm(moved, axis=1)))))
    assert np.ptp(angles) > 30
    assert latents.motion_angle(place, bent(place.T).T) == pytest.approx(np.mean(angles), abs=0.1)
    assert np.isnan(latents.motion_angle(np.eye(300)[:, :4], np.eye(300)[:, :2]))  # codes of four


def test_the_angle_is_measured_with_the_matrix_of_the_experiment():
    """The exact posterior's means are coordinates in which orthogonal columns move the code at right angles."""
    angles = []
    for name in ("mixing-diagonal", "mixing"):
        drawing = experiments.drawing(name, 0, samples=300)
        code = drawing.drawn[0][1]
        angles.append(latents.motion_angle(code, drawing.process.posterior_mean(code)))
    assert angles[0] == pytest.approx(90.0) and angles[1] < 80


def test_what_is_not_stored_is_told_in_a_sentence_and_never_as_nan(results):
    """An empty store: no rows, and the command that trains what is missing."""
    for supplement in (experiments.PER_PIXEL, experiments.LONGER):
        told = deep.missing(supplement).data
        assert f"{supplement.name} are not all stored (mixing, localisation)" in told
        assert "`betavae sweep mixing localisation` trains the rest" in told
    assert deep.scaling_rows() == []
    assert deep.convergence({}) == {}
    assert deep.convergence_rows({}) == []
    assert deep.gained({}) == "How much four thousand more epochs gain is not known without them."


def test_all_supplements_are_published():
    assert deep.missing(experiments.PER_PIXEL) is deep.missing(experiments.LONGER) is None
    rows = {tuple(row[:3]): row[3:] for row in deep.scaling_rows()}
    assert "nan" not in str(rows)
    for scaling, extra in (("global", None), ("pixel", experiments.PER_PIXEL.name)):
        found = sweep.load("mixing", supplement=extra).sel(realization=[0, 1, 2], beta=20.0)
        assert rows["mixing", scaling, "20"][1:] == [f"{float(found[n].mean()):.2f}" for n in ("kl_prior", "tie")]
    own, longer = (sweep.load("mixing", supplement=extra) for extra in (None, experiments.LONGER.name))
    change = deep.convergence({"mixing": own, "localisation": sweep.load("localisation")})["mixing"].tie
    assert float(change.sel(beta=1.0)) == float(longer.tie.sel(beta=1.0)[0] - own.tie.sel(beta=1.0, realization=0))


@pytest.fixture(scope="module")
def trained():
    """Two networks at a β of which nothing is stored, in this process: others would have to load TensorFlow."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(machine, "cores", lambda: 1)
        return live.train("mixing", 3.0, realizations=2, epochs=60)[0]


def test_live_members_are_labelled_like_stored_ones(trained):
    assert trained.tie.dims == ("beta", "realization")
    assert trained.tie.shape == (1, 2)
    assert np.isfinite(trained.tie).all()
    assert deep.source(trained).startswith(
        "2 realizations of each of 1 β (2 working; 0 diverged), made by betavae-core"
    )


@pytest.mark.slow
def test_a_chapter_trains_as_a_sweep_does(results, crew):
    """To the last bit: in the environment of a chapter, and in a process that trains for a sweep."""
    program = "from betavae_core.showing import live; print(live.train('mixing', 3.0, 1, 20)[0].objective.item().hex())"
    with environment.clean() as variables:
        done = subprocess.run([sys.executable, "-c", program], env=variables, capture_output=True, text=True)
    [member] = planning.plan("mixing", betas=[3.0], realizations=1, epochs=20)
    list(running.run([member], crew))
    assert done.stdout.split() == [float(store.read(member).objective).hex()], done.stderr


def test_pictures_come_back_in_grey_levels(trained):
    rows, labels = deep.reconstruction_rows(trained, [3.0], [0, 1])
    assert rows.shape == (2, 4, 40, 40)
    assert labels == ["images", "β = 3"]
    original = experiments.draw("mixing", 1)[0].images()[:2]
    np.testing.assert_array_equal(rows[0, 2:], original)
    assert np.corrcoef(rows[1, 2:].ravel(), original.ravel())[0, 1] > 0.5  # some of it has been learnt
    moved, labels = deep.traversal_rows(trained, [3.0])
    assert moved.shape == (2, 7, 40, 40)
    assert labels == ["β = 3, z₁", "β = 3, z₂"]


@pytest.mark.parametrize("experiment", ["mixing", "localisation"])
def test_traversals_say_which_latents_are_not_in_use(experiment):
    """C of each latent alone, worked out here, is near zero for them; of the images they change a tenth or less."""
    stored = sweep.load(experiment, betas=[0.5, 100.0, 500.0], realizations=1)
    moved, labels = deep.traversal_rows(stored, stored.beta.values)
    mean, std = (stored[name].isel(detailed=0).astype(float) for name in ("latent_mean", "latent_std"))
    divergence = ((mean**2 + std**2 - 1) / 2 - np.log(std)).mean("sample").values.ravel()
    idle = ["not in use" in label for label in labels]
    assert idle == (divergence < 0.01).tolist()
    assert idle[:4] == [False, False, True, False]
    of_sheets = [name for _, names in deep.sheets(stored).values() for name in names[2:]]
    named = zip(["z₁", "z₂"] * 3, idle, strict=True)
    assert of_sheets == [f"{z} {'(not in use)' if off else 'from −3 to 3'}" for z, off in named]
    change = np.abs(moved - moved[:, 3:4]).max((1, 2, 3))
    assert change[2] < 0.1 * change[3]


def test_prose_and_table_of_a_live_chapter(trained):
    betas = trained.beta.values
    predicted = prediction.prediction("mixing", [*betas, 1.0], range(2))
    stored = trained.assign_coords(beta=[1.0])
    texts = deep.texts(stored, trained, predicted)
    assert texts["tie_one"] == f"{float(trained.tie.mean()):.2f}"
    assert texts["beta"] == "3"
    assert texts["reproduced"] == "They equal the stored networks of the same seeds."
    moved = deep.texts(stored.assign(objective=stored.objective + 0.25), trained, predicted)["reproduced"]
    assert moved.count("made by betavae-core") == 2
    assert "differ from them by at most 0.250 nats of objective" in moved
    other = stored.assign(key=stored.key.copy(data=[["a", "b"]]))
    assert deep.texts(other, trained, predicted)["reproduced"].startswith("The store holds no network")
    header, rows = live.table(trained)
    assert header == ["term", "0, training", "0, fresh", "1, training", "1, fresh"]
    (tie,) = (row for row in rows if row[0] == "TIE")
    assert float(tie[1]) == pytest.approx(float(trained.tie[0, 0]), abs=0.006)


def test_scores_of_live_members(trained):
    found = latents.latent_scores(trained.isel(detailed=slice(2)))
    assert found.mig.shape == (1, 2)
    assert (found.active <= 2).all()
    assert ((found.axes >= 0) & (found.axes <= 90)).all()


def test_scores_of_stored_networks_are_of_means_and_of_one_draw_of_each():
    """By hand, from what is stored; each realization has draws of its own."""
    stored = sweep.load("mixing", betas=[500.0], realizations=2)
    found = latents.latent_scores(stored.isel(detailed=slice(2))).sel(beta=500.0)
    for r in (0, 1):
        mean, std = (stored[name].values[0, r].astype(float) for name in ("latent_mean", "latent_std"))
        drawn = mean + std * np.random.default_rng([r, 1]).standard_normal(mean.shape)
        sources = experiments.training("mixing", r).sources[: len(mean)]
        for suffix, z in (("", mean), ("_drawn", drawn)):
            assert found[f"mig{suffix}"][r] == pytest.approx(scores.mig(sources, z))
            assert found[f"sap{suffix}"][r] == pytest.approx(scores.sap(sources, z))
            assert found[f"correlation{suffix}"][r] == pytest.approx(scores.correlation(z))
    q = Posterior(np.zeros((1, 3)), np.log([[1.0, 1.2, 1.5]]))  # 0, 0.009 and 0.047 nats
    assert latents.in_use_by(q).tolist() == [False, False, True]


def live_of(beta, *sound):
    """Live members as `live.train` makes them, sound or diverged; of the sound ones the numbers are published."""
    members = planning.plan("mixing", betas=[beta], realizations=len(sound))
    published = sweep.load("mixing", betas=[beta], realizations=len(sound)).isel(beta=0)
    cells = {}
    for member, good in zip(members, sound, strict=True):
        values = dict.fromkeys(terms.SCALARS, np.nan)
        if good:
            known = {name: float(published[name][member.realization]) for name in terms.SCALARS}
            values = {name: 0.0 if np.isnan(value) else value for name, value in known.items()}  # terms of later
            pictures = ("traversals", "grey_scale", "latent_mean", "latent_std")
            values |= {name: published[name].values[member.realization] for name in pictures}
        cells[member.key] = record.cell(member, values, {})
    return store.collect(members, source=lambda member: cells[member.key])


@pytest.mark.parametrize("sound", [(False, False), (False, True)])
def test_live_networks_that_diverged_are_told_and_not_shown(sound):
    made, stored = live_of(1.0, *sound), sweep.load("mixing", betas=[1.0])
    told = live.reproduced(stored, made)
    assert told.startswith(f"Training diverged in {sound.count(False)} of them, of which nothing can be said. The")
    assert ("They equal the stored networks" in told) == any(sound)
    _, rows = live.table(made)
    assert all(row[1:3] == ["–", "–"] and ("–" in row[3:]) != any(sound) for row in rows)
    pictures, labels = deep.live_rows(made)
    assert labels == (["β = 1, z₁", "β = 1, z₂"] if any(sound) else ["training diverged: there is nothing to show"])
    assert (np.abs(pictures).max() > 0) == any(sound)
    figures.picture_rows(pictures, labels).canvas.draw()


def test_a_beta_that_is_not_stored_gets_a_place_of_its_own_beside_those_that_are(trained):
    stored = sweep.load("mixing", betas=[2.0, 5.0], realizations=3)
    shown = record.joined(stored, trained)
    assert shown.beta.values.tolist() == [2.0, 3.0, 5.0]
    np.testing.assert_array_equal(shown.tie.sel(beta=3.0, realization=[0, 1]), trained.tie[0])
    assert np.isnan(shown.tie.sel(beta=3.0, realization=2))
    for beta in (2.0, 5.0):
        np.testing.assert_array_equal(shown.tie.sel(beta=beta), stored.tie.sel(beta=beta))
        np.testing.assert_array_equal(shown.latent_mean.sel(beta=beta), stored.latent_mean.sel(beta=beta))
    np.testing.assert_array_equal(shown.latent_mean.sel(beta=3.0)[:2], trained.latent_mean[0][:2])
    assert "3.0" not in map(str, stored.beta.values)
    assert record.joined(stored, stored) is stored
    said = live.of_page(stored, shown)
    assert [told.split(" (")[0] for told in said["who"].values()] == [
        "on average over 3 stored networks",
        "on average over 2 networks trained in this build",
        "on average over 3 stored networks",
    ]
    assert said["network"][3.0] == "network of realization 0 of this build"
    values = trained.tie.values
    spread = f"(median {np.median(values):.2f}, range {values.min():.2f} to {values.max():.2f})"
    assert said["who"][3.0].endswith(spread)
    one = live.of_page(stored, record.joined(stored, trained.isel(realization=[0])))
    apart = "whose images may be easier or harder than those of other realizations"
    assert one["who"][3.0] == f"in the network trained in this build, {apart}"
    assert set(deep.sheets(shown)) == {2.0, 3.0, 5.0}
    assert "nearest to it, networks are stored at β = 2 and 5." in live.elsewhere(stored, 3.0)
    assert live.elsewhere(stored, 5e8).count("nearest to it, networks are stored at β = 5.") == 1
    assert live.elsewhere(stored, 2.0) == "Everything else on this page is stored."


@pytest.mark.parametrize("beta", [0.0, 0.01, 3.0, 123456.789, 5e8])
@pytest.mark.parametrize("sound", [True, False])
def test_everything_that_follows_the_page_s_beta_is_at_it_whatever_it_is(beta, sound):
    """Words, pictures, means and the control; a network that diverged is shown as nothing, not as its neighbour."""
    stored = sweep.load("mixing", realizations=2)
    made = live_of(1.0, sound, sound).assign_coords(beta=[beta])
    if sound:
        own = stored.sel(beta=[1.0]).isel(detailed=slice(5)).assign_coords(beta=[beta])
        made = made.assign(latent_mean=own.latent_mean, reconstructions=own.reconstructions)
    shown = record.joined(stored, made)
    predicted = prediction.beside(stored, 2, shown.beta.values)
    named = f"{beta:.10g}"
    tie = curves.deep_panels(shown, made, {}, live.shift("mixing"), predicted)[1].curves
    expected = tables.number(float(made.tie.mean()), 2) if sound else "–"
    assert [curve.said()[beta] for curve in tie[:1]] == [expected]
    assert (tie[2].said()[beta] == "–") == (beta == 0)  # of the linear model, where the terms diverge
    told = interactive.follows(live.of_page(stored, shown)["beta"], beta).data
    assert told.endswith(f">{named}</span>")
    control = interactive.page_beta("mixing", stored.beta.values, beta).data
    assert f'data-own="{named}"' in control and f'data-start="{named}"' in control
    assert set(re.search('data-betas="(.*?)"', control)[1].split()) == {named, *(f"{b:g}" for b in stored.beta.values)}
    pictures = interactive.pictures(deep.sheets(shown), beta).data
    assert re.findall(r'data-beta="([^"]+)">', pictures) == [named]  # the others are hidden
    assert len(live.table(made)[1]) == 6
    curves.draw(curves.deep_panels(stored, made, {}, live.shift("mixing"), predicted)).canvas.draw()
    if not sound:
        deep.score_panels(latents.latent_scores(stored), [], latents.latent_scores(made), latents.latent_scores(stored))


def test_live_networks_of_which_one_differs_are_told_by_the_largest_difference():
    made, stored = live_of(1.0, True, True), sweep.load("mixing", betas=[1.0])
    made.objective[0, 1] += 0.5
    assert "differ from them by at most 0.500 nats" in live.reproduced(stored, made)


def test_what_was_kept_in_bytes_comes_back_in_its_own_grey_scale():
    bytes_ = xr.DataArray(np.uint8([[[1, 128, 255]]]), dims=("beta", "detailed", "picture"))
    kept = xr.Dataset({"reconstructions": bytes_, "grey_scale": (("beta", "detailed"), [[2.5]])}, {"beta": [3.0]})
    assert deep.pictures(kept, "reconstructions", 3.0).tolist() == [-2.5, 0.0, 2.5]


def numbered(names, start, **attributes):
    """A Dataset of two β and two realizations in which every mean is another number."""
    shaped = {n: (("beta", "realization"), start + i + np.array([[0.0, 0.2], [0.5, 0.7]])) for i, n in enumerate(names)}
    return xr.Dataset(shaped, {"beta": [1.0, 2.0], "realization": [0, 1]}, attributes)


def test_each_curve_of_a_deep_figure_is_of_the_networks_and_images_that_it_names():
    every = [f"{name}{suffix}" for suffix in ("", terms.HELDOUT) for name in terms.PANELS]
    stored, live_, settling = (numbered(every, at) for at in (100, 200, 300))
    predicted, away = numbered(prediction.PREDICTED, 400), dict.fromkeys(("elbo", "reconstruction"), 1000.0)
    panels = curves.deep_panels(stored, live_, {"tie": 2.0}, away, predicted, settling)
    assert [panel.title[3:] for panel in panels] == [terms.TERMS[name].heading for name in terms.PANELS]
    for panel, name in zip(panels, terms.PANELS, strict=True):
        expected = [stored[name], stored[name + terms.HELDOUT], settling[name], live_[name]]
        expected[2:2] = [predicted[name]] if name in predicted else []
        for curve, values in zip(panel.curves, expected, strict=True):
            shown = values - away.get(name, 0.0)
            assert curve.value == pytest.approx(shown.mean("realization").values), (name, curve.name)
            assert curve.networks is None or curve.networks == pytest.approx(shown.values.T)
        assert [mark.beta for mark in panel.marks] == ([2.0] if name == "tie" else [])


def test_each_curve_of_scores_and_angles_is_what_it_says():
    scored, settling = numbered(latents.NAMES, 0), numbered(latents.NAMES, 50)
    nothing = scored.isel(realization=[])
    for panel, name in zip(
        deep.score_panels(scored, [1.0, 2.0], nothing, settling), ("correlation", "mig", "sap"), strict=True
    ):
        expected = scored[f"{name}_drawn"], scored[name], settling[name]
        for curve, values in zip(panel.curves, expected, strict=True):
            assert curve.value == pytest.approx(values.mean("realization").values)
    rested = {1.0: np.array([40.0, 60.0])}
    chance, measured, settled = deep.angle_panel({1.0: np.array([30.0]), 5.0: np.array([80.0, 90.0])}, rested).curves
    assert (settled.beta.tolist(), settled.value.tolist()) == ([1], [50])
    assert (chance.low[0], chance.high[0]) == pytest.approx((2.25, 87.75), abs=0.5)  # the middle 95 % of 0 to 90
    assert [*measured.value, *measured.low, *measured.high] == [30, 85, 30, 80, 30, 90]


def test_latents_are_coloured_by_the_source_that_stands_above_them(rng):
    mean, sources = rng.standard_normal((2, 1, 30, 2)), rng.standard_normal((30, 2))
    stored = xr.Dataset({"latent_mean": (("beta", "detailed", "sample", "latent"), mean)}, {"beta": [1.0, 20.0]})
    axes = figures.latent_space(stored, sources, [1.0, 20.0]).axes
    assert [axis.get_title() for axis in axes] == ["by s₁", "by s₂"] * 2
    for i, axis in enumerate(axes):
        points = axis.collections[0]
        np.testing.assert_array_equal(points.get_offsets(), mean[i // 2, 0])
        np.testing.assert_array_equal(points.get_array(), sources[:, i % 2])
        assert points.norm.vmin == -points.norm.vmax and points.get_cmap()(0.0)[2] > points.get_cmap()(1.0)[2]


def test_many_live_networks_are_told_by_mean_median_and_range():
    made = live_of(1.0, True, False, True, True)
    header, rows = live.table(made)
    assert header == ["term", "mean", "median", "least to largest", "fresh images: mean", "median"]
    (tie,) = (row for row in rows if row[0] == "TIE")
    values = [float(v) for v in made.tie[0] if np.isfinite(v)]
    assert len(values) == 3
    assert tie[1:4] == [f"{np.mean(values):.2f}", f"{np.median(values):.2f}", f"{min(values):.2f} to {max(values):.2f}"]


def test_what_prose_quotes_over_beta_goes_by_names():
    """By place, a term that the linear model lacks had another curve's value. No more is made than pages quote."""
    of = [f"{name}{suffix}" for suffix in ("", terms.HELDOUT) for name in terms.PANELS]
    shown, settling, predicted = (
        xr.Dataset(
            {name: (("beta", "realization"), [[at + i, at + i + 2]]) for i, name in enumerate(named)}, {"beta": [7]}
        )
        for at, named in ((0, of), (20, of), (40, ["kl_prior", "tie"]))
    )
    found = live.over_beta(shown.assign_attrs(experiment="localisation"), predicted, settling)
    pages = "".join((paths.CHAPTERS / f"{name}.md").read_text() for name in ("mixing", "localisation"))
    of_page = {"beta", "who", "network"}
    assert {*found, *of_page} == set(re.findall(r"\{glue:\}`at_(\w+)`", pages))
    tie = terms.PANELS.index("tie")
    expected = {"tie": 1 + tie, "tie_fresh": 6 + tie, "tie_settled": 21 + tie, "tie_linear": 42, "mie": 5}
    assert {name: float(found[name][7]) for name in expected} == expected


@pytest.mark.parametrize("end", [KeyboardInterrupt, ArithmeticError])
def test_what_is_queued_is_not_trained_once_training_ends(end, monkeypatch):
    """By Ctrl-C, or since one failed; it went on to the last of them."""
    begun, failing = [], end is ArithmeticError

    def train(member, key, counter):
        begun.append(member)
        time.sleep(0.4)
        if failing:
            raise end

    def tell():
        raise KeyboardInterrupt

    monkeypatch.setattr(train_live, "ProcessPoolExecutor", lambda jobs, *_: ThreadPoolExecutor(jobs))
    monkeypatch.setattr(train_live.train_member, "train_and_draw", train)
    members = planning.plan("mixing", "smoke", realizations=10)
    with pytest.raises(end):
        train_live._trained_side_by_side(members, members, 2, tell if not failing else lambda: None)
    assert len(begun) < 10 < len(members)


@pytest.mark.slow
def test_several_networks_train_on_all_cores_and_tell_what_they_do(tmp_path, monkeypatch):
    """The same numbers as one by one; announced before they start, and the epoch of each is told meanwhile."""
    note, seen = tmp_path / "note", []
    monkeypatch.setenv("BETAVAE_NOTE", str(note))
    monkeypatch.setattr(notes.Work, "at", lambda self, *at, told=notes.Work.at: (seen.append(at), told(self, *at)))
    monkeypatch.setattr(machine, "cores", lambda: 2)
    members = planning.plan("mixing", betas=[3.0], realizations=2, epochs=100, samples=200)
    together = train_live.train_live(members)
    last = notes.Note.read(note)
    assert re.fullmatch(r"trains 2 networks at β = 3, about \d+ s", last.announced)
    assert (last.total, seen[0]) == (200, (0, "begins"))
    seen.clear()
    monkeypatch.setattr(machine, "cores", lambda: 1)
    alone = train_live.train_live(members)
    for (values, _, atlas), (others, _, other) in zip(together, alone, strict=True):
        assert {name: values[name] for name in terms.SCALARS} == {name: others[name] for name in terms.SCALARS}
        assert atlas.image == other.image
    told = [(50, "network 1 of 2, epoch 50 of 100"), (100, "evaluates"), (150, "network 2 of 2, epoch 50 of 100")]
    assert seen == [(0, "begins"), *told, (200, "evaluates")]


GLUED = "application/papermill.record/"  # how glue marks what a sentence quotes


@pytest.mark.slow
@pytest.mark.parametrize(("chapter", "beta"), [("localisation", 3.0)])
def test_a_chapter_at_a_beta_of_which_nothing_is_stored_speaks_of_no_other(chapter, beta, tmp_path):
    """The chapter itself, executed as `make chapter` does, but for few epochs; the page of before said β = 2.

    Over 2 % of the suite: all that the chapter computes. On one core it trains in its kernel, so that TensorFlow is
    loaded once.
    """
    values, told = {"beta": beta, "epochs": 20, "realizations": 2}, []
    (tmp_path / "book").mkdir()
    cores = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {min(cores)})
        with Progress([chapter], told.append) as progress:
            failures = processes.execute([processes.Job(chapter, values, f"{chapter} of a test")], tmp_path, progress)
    finally:
        os.sched_setaffinity(0, cores)
    shutil.rmtree(paths.BUILD / "kept" / chapter / f"{chapter} of a test", ignore_errors=True)
    assert not failures
    assert re.fullmatch(rf"{chapter}: trains 2 networks at β = {beta:.10g}, about \d+ s", told[0])
    cells = json.loads((tmp_path / f"book/{chapter}.ipynb").read_text())["cells"]
    outputs = [output for cell in cells for output in cell.get("outputs", [])]
    named = f"{beta:.10g}"
    glued = {output["metadata"]["scrapbook"]["name"]: output for output in outputs if "scrapbook" in output["metadata"]}
    said = {
        name: re.search(r">([^<]*)</span>", "".join(output["data"][GLUED + "text/html"]))[1]
        for name, output in glued.items()
        if name.startswith("at_")
    }
    assert said["at_beta"] == named
    assert said["at_who"].startswith("on average over 2 networks trained in this build (median ")
    assert said["at_network"] == "network of realization 0 of this build"
    assert f"Nothing is stored at β = {named}" in "".join(glued["elsewhere"]["data"][GLUED + "text/plain"])
    html = "".join("".join(output.get("data", {}).get("text/html", [])) for output in outputs)
    assert f'data-start="{named}" data-own="{named}"' in html
    assert re.findall(r'data-beta="([^"]+)"><div', html) == [named]  # of the pictures one is not hidden
    (plane,) = re.findall(r'<div class="latent-plane">.*?<script type="application/json">(.*?)</script>', html)
    assert json.loads(plane)["start"] == beta
    markdown = "".join("".join(output.get("data", {}).get("text/markdown", [])) for output in outputs)
    assert f"trained in this build at β = {beta:g}" in markdown


def test_the_discussion_passes_over_experiments_of_which_nothing_is_stored(results):
    """As a new one is; the lines are the chapter's own."""
    lines = re.findall(r"^(?:found|stores) = .*$", (paths.CHAPTERS / "beyond.md").read_text(), re.MULTILINE)
    names = {"experiments": experiments, "sweep": sweep, "profile": "smoke"}
    exec("\n".join(lines), names)
    assert names["stores"] == {}


@pytest.mark.parametrize(("experiment", "realizations"), [("mixing", [0, 7, 31]), ("mixing-diagonal", [3])])
def test_the_noise_of_the_code_in_pixels_is_that_of_its_digits(experiment, realizations):
    """From the digits themselves, and from nothing that the images were reduced to."""
    found = prediction.noise_in_pixels(experiment, realizations)
    for r, variances in zip(realizations, found, strict=True):
        basis = experiments.drawing(experiment, r).render.basis.astype(float)
        std = experiments.training(experiment, r).std
        expected = experiments.experiment(experiment).noise_std ** 2 * np.linalg.eigvalsh(basis @ basis.T) / std**2
        assert variances == pytest.approx(expected, rel=1e-4)
