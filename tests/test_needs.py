"""What a chapter needs stored, told before anything runs; what it shows of its own parameters."""

import pytest

from betavae_core.building import chapters, execution
from betavae_core.errors import UsageError
from betavae_core.images import digits, experiments
from betavae_core.paths import BUILD
from betavae_core.showing import interactive
from betavae_core.sweeps import members, planning, sweep
from betavae_core.theory.gaussian import LinearGaussian
from tests.conftest import betavae


def test_what_is_published_is_enough_for_every_chapter():
    for chapter in chapters.names():
        execution.require_networks(chapter, {})


def test_chapters_that_load_networks_at_every_beta_say_so():
    for chapter in ("mixing", "localisation"):
        assert chapters.needs(chapter) == [chapter]
    assert chapters.needs("beyond") == [record.name for record in experiments.RECORDS if record.on_the_grid]


def test_an_empty_store_is_told_with_the_command_that_fills_it(results):
    with pytest.raises(UsageError, match=r"no realization is stored .*`betavae sweep mixing --profile thesis`"):
        execution.require_networks("mixing", {"profile": "thesis"})


def test_a_profile_of_two_betas_is_refused_before_anything_runs(results):
    before = sorted(BUILD.glob("variants/*"))
    done = betavae("chapter", "mixing", "-p", "profile", "smoke", "-p", "epochs", "1", "-p", "realizations", "1")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "betavae: chapter mixing shows mixing at every β; profile smoke has 1, 100 alone\n"
    assert sorted(BUILD.glob("variants/*")) == before


def test_other_digits_are_told_that_nothing_is_stored_of_them(tmp_path, monkeypatch):
    images, labels = digits.load()
    monkeypatch.setenv("BETAVAE_DIGITS", str(digits.write(tmp_path / "other.npz", images[::-1], labels[::-1])))
    members._digits_hash.cache_clear()
    try:
        with pytest.raises(UsageError, match=r"no realization of the digits in .*other\.npz is stored"):
            execution.require_networks("mixing", {})
    finally:
        members._digits_hash.cache_clear()


def test_a_realization_is_whole_with_every_beta_of_its_plan(results):
    assert sweep.whole(planning.plan("mixing", "smoke")) == set()


def test_the_explorer_starts_where_the_page_does():
    shown = interactive.explorer(LinearGaussian([[1.0, 0.25], [0.0, 3.0]], 2.0), 0.1).data
    for part in ('data-beta="0.1"', 'data-mixing="1,0.25,0,3"', 'data-noise="2"'):
        assert part in shown
    other = interactive.explorer(LinearGaussian([[1.0], [2.0], [3.0]], 0.5), 4.0).data
    assert "shows the thesis’s example" in other
    assert 'data-mixing="2,1,0.5,1.5"' in other
