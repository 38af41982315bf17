"""Atlases of real, tiny networks: their pictures are the decoder's, and what is missing of them is drawn."""

import json

import numpy as np
import pytest
from click.testing import CliRunner

from betavae_core import paths
from betavae_core.errors import UsageError
from betavae_core.images import experiments
from betavae_core.networks import atlas, training
from betavae_core.results import atlases, planning
from betavae_workshop import cli
from betavae_workshop.sweeping import running, writing
from tests.conftest import pictures

PLACES = [(0, 14, (3.5, 3.5)), (7, 7, (0, 0)), (14, 3, (-2, -3.5)), (2, 0, (-3.5, 2.5))]
STEPS = 3.0  # of 255: root mean square error of the pictures' compression, one to two for trained networks


@pytest.fixture(scope="module")
def drawn():
    """An weights, its images and its atlas."""
    data, _ = experiments.draw("mixing", 0, samples=150)
    trainer = training.trainer(family="diagonal")
    trainer.fit([data], [5.0], [0], 150)
    return trainer.weights, data, atlas.draw(trainer.weights, data)


@pytest.mark.parametrize(("row", "column", "z"), PLACES)
def test_each_picture_is_the_decoder_s_at_its_point(drawn, row, column, z):
    weights, data, found = drawn
    expected = data.unstandardise(weights.decode(np.array([[z]]))[0, 0])
    error = (pictures(found)[row, column] - expected) / found.scale * 127
    assert np.sqrt((error**2).mean()) < STEPS
    assert np.abs(expected).max() <= found.scale * (1 + 1e-6)


def test_q_is_the_encoder_s_and_a_record_brings_an_atlas_back(drawn):
    weights, data, found = drawn
    q = weights.posterior([data])[0]
    again = atlas.Atlas.of(json.loads(json.dumps(found.record)), found.image)
    np.testing.assert_allclose(again.mean, q.mean, atol=6e-4)
    np.testing.assert_allclose(again.std, np.exp(0.5 * q.log_variance), atol=6e-5)
    with pytest.raises(ValueError, match="another's"):
        atlas.Atlas.of(found.record, found.image + b"x")


def test_networks_without_a_plane_have_no_atlas():
    data, _ = experiments.draw("tiles-4", 0, samples=20)
    trainer = training.trainer(latents=4)
    trainer.fit([data], [1.0], [0], 1)
    with pytest.raises(UsageError, match="2 latents; got 4"):
        atlas.draw(trainer.weights, data)


@pytest.mark.slow
def test_what_is_missing_is_drawn_and_compared_with_the_stored_network(results, crew):
    members = planning.plan("mixing", "smoke", realizations=1)
    list(running.run(members[:1], crew))  # the other is not stored
    assert list(running.draw_atlases(members[:1], crew)) == members[:1]
    one = CliRunner().invoke(cli.main, ["atlas", "mixing", "--profile", "smoke", "--beta", "1"])
    assert one.output.startswith(f"{members[0].specification.label}: 1 atlas in ")
    assert list(running.draw_atlases(members, crew)) == members[1:]
    records = [json.loads(atlases.path(member).read_text()) for member in members]
    assert [found["same_as_stored"] for found in records] == [True, None]
    assert records[0]["largest_difference"] == 0
    done = CliRunner().invoke(cli.main, ["atlas", "mixing", "--profile", "smoke"])  # trains nothing
    label = members[0].specification.label
    assert done.output == f"{label}: 2 atlases in {paths.atlases() / label}\n"


def test_an_atlas_of_other_digits_never_takes_the_place_of_one(results, drawn, monkeypatch):
    one, _ = planning.plan("mixing", "smoke", realizations=1)
    file = writing.write_atlas(one, drawn[2], {})
    before = file.read_bytes()
    monkeypatch.setattr(type(one), "key", property(lambda self: "other"))
    monkeypatch.setattr(running.crews, "each_done", lambda *_: [(one, (drawn[2], {}))])
    with pytest.raises(UsageError, match=r"1\.json holds other networks at beta 1, realization 0: .*BETAVAE_PUBLISHED"):
        list(running.draw_atlases([one]))
    assert file.read_bytes() == before


def test_a_foreign_atlas_is_none_and_a_damaged_one_is_refused(results, drawn):
    one, other = planning.plan("mixing", "smoke", realizations=1)
    writing.write_atlas(one, drawn[2], {})
    assert np.array_equal(pictures(atlases.read(one)), pictures(drawn[2]))
    files = [atlases.path(one).with_suffix(kind) for kind in (".json", ".webp")]
    for file in files:
        file.with_stem(f"{other.beta:g}").write_bytes(file.read_bytes())
    assert atlases.read(other) is None
    files[1].write_bytes(files[1].read_bytes()[:-1])
    with pytest.raises(UsageError, match=r"1\.json is damaged \(the picture is another's.*\); git checkout"):
        atlases.read(one)


@pytest.mark.parametrize("record", ["[]", "3", "null"])
def test_a_record_of_an_atlas_that_is_none_is_refused(record, results):
    (one,) = planning.plan("mixing", "smoke", betas=[1], realizations=1)
    atlases.path(one).parent.mkdir(parents=True)
    atlases.path(one).write_text(record)
    with pytest.raises(UsageError, match=r"1\.json is damaged \(.*\); git checkout"):
        atlases.read(one)
