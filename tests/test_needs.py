"""What a chapter needs stored, told before anything runs; what it shows of its own parameters."""

import subprocess
import sys
from pathlib import Path

import jupytext
import pytest

from betavae_core import paths
from betavae_core.errors import UsageError
from betavae_core.images import digits, experiments
from betavae_core.paths import BUILD
from betavae_core.results import planning, store
from betavae_core.showing import interactive
from betavae_core.showing import parameters as rules
from betavae_core.theory.gaussian import LinearGaussian
from betavae_workshop import digit_forms
from betavae_workshop.building import chapters, execution, parameters
from betavae_workshop.sweeping import survey
from tests.conftest import betavae


def test_what_is_published_is_enough_for_every_chapter():
    for chapter in chapters.names():
        execution.require_networks(chapter, {})


def test_chapters_that_load_networks_at_every_beta_say_so():
    for chapter in ("mixing", "localisation"):
        assert [name for name, beside in parameters.needs(chapter) if not beside] == [chapter]
    grid = [record.name for record in experiments.RECORDS if set(record.betas) >= set(experiments.BETAS)]
    assert [name for name, beside in parameters.needs("beyond") if not beside] == grid


def test_chapters_name_supplements_that_there_are():
    gammas = map(experiments.PENALISED.format, experiments.GAMMAS)
    named = {chapter: [beside for _, beside in parameters.needs(chapter) if beside] for chapter in chapters.names()}
    more = experiments.ENDS, experiments.SETTLING_ENDS, experiments.AT_BEST, experiments.AT_BEST_SETTLING
    assert named["mixing"] == [each.name for each in (experiments.SETTLING, experiments.AGAIN, *more)]
    assert named["beyond"] == [experiments.LONGER.name, experiments.SETTLING.name, *gammas]
    for chapter, found in named.items():
        lines = [line for line in (paths.CHAPTERS / f"{chapter}.md").read_text().splitlines() if "# and of " in line]
        assert all(any(beside.startswith(line.split(": ")[1]) for beside in found) for line in lines), chapter


@pytest.mark.parametrize("chapter", ["mixing", "localisation", "beyond", "turning", "tiles"])
def test_a_store_without_supplements_is_told_with_the_command_that_fills_it(chapter, monkeypatch, tmp_path):
    """All experiments were stored; then cells ended in tracebacks on what they load beside them."""
    for name in experiments.NAMES:
        file = store.published(planning.plan(name)[0].specification)
        (tmp_path / file.name).symlink_to(file)
    monkeypatch.setenv("BETAVAE_PUBLISHED", str(tmp_path))
    told = (
        rf"chapter {chapter} shows .* \(.*\), and no realization is stored .*`betavae sweep [\w-]+ --profile published`"
    )
    with pytest.raises(UsageError, match=told):
        execution.require_networks(chapter, {"profile": "published"})


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
    monkeypatch.setenv("BETAVAE_DIGITS", str(digit_forms.write(tmp_path / "other.npz", images[::-1], labels[::-1])))
    with pytest.raises(UsageError, match=r"no realization of the digits in .*other\.npz is stored"):
        execution.require_networks("mixing", {})


def test_a_realization_is_whole_with_every_beta_of_its_plan(results):
    assert survey.whole(planning.plan("mixing", "smoke")) == set()


def test_a_realization_with_a_network_that_diverged_is_not_whole(monkeypatch):
    members = planning.plan("mixing", betas=[1.0, 2.0], realizations=2)
    monkeypatch.setattr(survey, "survey", lambda _: survey.Plan([], members, [], members[:1]))
    assert survey.whole(members) == {1}


def test_the_explorer_starts_where_the_page_does():
    shown = interactive.explorer(LinearGaussian([[1.0, 0.25], [0.0, 3.0]], 2.0), 0.1).data
    for part in ('data-beta="0.1"', 'data-mixing="1,0.25,0,3"', 'data-noise="2"'):
        assert part in shown
    other = interactive.explorer(LinearGaussian([[1.0], [2.0], [3.0]], 0.5), 4.0).data
    assert "shows the thesis’s example" in other
    assert 'data-mixing="2,1,0.5,1.5"' in other


def test_what_a_chapter_needs_survives_a_trip_through_jupyter(tmp_path, monkeypatch):
    """It stood in the front matter, which JupyterLab drops as it saves; then `make page` failed in a raw error."""
    for name in chapters.names():
        notebook = jupytext.writes(jupytext.read(paths.CHAPTERS / f"{name}.md"), fmt="ipynb")
        saved = jupytext.writes(jupytext.reads(notebook, fmt="ipynb"), fmt="md:myst")
        (tmp_path / f"{name}.md").write_text(saved, encoding="utf-8")
    before = {name: (parameters.needs(name), parameters.declarations(name)) for name in chapters.names()}
    monkeypatch.setattr(chapters, "CHAPTERS", tmp_path)
    assert {name: (parameters.needs(name), parameters.declarations(name)) for name in before} == before
    assert before["mixing"][0][0] == ("mixing", None) and len(before["mixing"][0]) == 7


DECLARED = "beta = 1.0  # 0 to 1e9\nmodels = 3  # 1 to 9\nprofile = 'published'  # a profile of mixing"
HANDED = [  # what papermill injects, what is said
    ("bta = 4", r"this chapter has no parameter 'bta'; it has: beta, models, profile"),
    ("beta = -1", r"beta must be from 0 to 1e9; got -1\.0"),
    ("beta = 'abc'", "beta must be a number; got abc"),
    ("beta = float('nan')", "beta must be from 0 to 1e9; got nan"),
    ("models = 2.5", "models must be a whole number; got 2.5"),
    ("models = None", "models must be a whole number; got None"),
    ("beta = 2\\nmodels = 10", "models must be from 1 to 9; got 10"),
    ("profile = 'huge'", "no profile 'huge'"),
]


@pytest.mark.parametrize(("injected", "message"), HANDED)
def test_a_chapter_checks_what_it_is_handed(injected, message):
    with pytest.raises(UsageError, match=message):
        rules.check_handed(["", DECLARED, f"# Parameters\n{injected.encode().decode('unicode_escape')}\n", "…"])


def test_a_chapter_takes_what_it_has_and_a_session_by_hand_is_not_looked_at():
    rules.check_handed(["", DECLARED, "# Parameters\nbeta = 4\nmodels = 2\n", "…"])
    rules.check_handed(["", DECLARED, "bta = 4", "…"])
    with pytest.raises(UsageError, match="this chapter has no parameter 'beta'; it has none"):
        rules.check_handed(["", "# Parameters\nbeta = 4\n", "…"])


def test_every_chapter_with_code_checks_what_it_is_handed_before_anything_else():
    for name in chapters.names():
        code = [cell for cell in chapters.notebook(name).cells if cell.cell_type == "code"]
        own = [cell.source for cell in code if "parameters" not in cell.metadata.get("tags", [])]
        assert not own or own[0].endswith("parameters.check_handed(In)"), name


@pytest.mark.slow
def test_papermill_by_hand_is_told_of_a_parameter_that_a_chapter_does_not_have(tmp_path):
    """The README's own line ran the default and said nothing."""
    scripts = Path(sys.executable).parent
    written = f"'{scripts}/jupytext' --to ipynb --output - book/mixing.md"
    line = f"{written} | '{scripts}/papermill' -p bta 4 > '{tmp_path}/made'"
    done = subprocess.run(["bash", "-o", "pipefail", "-c", line], capture_output=True, text=True, cwd=paths.ROOT)
    assert done.returncode == 1
    told = "UsageError: this chapter has no parameter 'bta'; it has: beta, realizations, epochs, profile"
    assert done.stderr.strip().splitlines()[-1] == told


def test_profiles_that_chapters_know_are_those_of_the_sweeps():
    assert rules.PROFILES == tuple(planning.PROFILES)
