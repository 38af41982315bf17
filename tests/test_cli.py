import re
import runpy
import shlex
import subprocess
import sys
import types

import click
import pytest
from click.testing import CliRunner

from betavae_core import paths
from betavae_core.results import planning
from betavae_workshop import cli, environment
from tests.conftest import betavae, lines, without


@pytest.mark.parametrize("words", [["--help"], ["book", "--help"], ["chapter", "-h"], ["data", "fetch", "--help"]])
def test_help_helps(words):
    result = CliRunner().invoke(cli.main, words)
    assert result.exit_code == 0
    assert "Usage: " in result.output


class Interrupted(types.ModuleType):
    """A module whose import Ctrl-C ends."""

    def __getattr__(self, name):
        raise KeyboardInterrupt


def test_an_interruption_before_the_command_line_is_there_is_one_line(monkeypatch, capsys):
    """In the first third of a second, while libraries are imported, it was a traceback."""
    monkeypatch.setattr(environment, "start_anew", lambda: None)
    monkeypatch.setitem(sys.modules, "betavae_workshop.cli", Interrupted("cli"))
    with pytest.raises(SystemExit) as ended:
        runpy.run_module("betavae_workshop", run_name="__main__")
    assert (ended.value.code, *capsys.readouterr()) == (130, "", "betavae: interrupted\n")


def commands(command=cli.main, words=("betavae",)):
    """Each command and group, with the words that name it."""
    yield command, words
    for name, below in getattr(command, "commands", {}).items():
        yield from commands(below, (*words, name))


@pytest.mark.parametrize(("command", "words"), [*commands()])
def test_every_help_shows_real_bounds_and_examples_that_can_be_typed(command, words):
    shown = CliRunner().invoke(cli.main, [*words[1:], "--help"]).output
    examples = re.findall(rf"^ +({' '.join(words)}\b.*)", shown.split("\n", 1)[1], re.MULTILINE)
    assert examples
    assert "None" not in shown
    *_, last = re.findall(r"^  (?:-\w, )?--[\w-]+", shown, re.MULTILINE)
    assert last.endswith("--help")
    for example in examples:
        context, rest = None, shlex.split(example)[1:]
        while isinstance(within := context.command if context else cli.main, click.Group):
            name, within, rest = within.resolve_command(click.Context(within), rest)
            context = within.make_context(name, list(rest))  # UsageError if its words are none of its own


@pytest.mark.parametrize("width", [80, 100])
def test_no_summary_is_cut_on_a_narrow_terminal(width):
    for words in ([], ["data"]):
        shown = CliRunner().invoke(cli.main, [*words, "--help"], terminal_width=width).output
        assert "..." not in shown.split("\n", 1)[1]  # the first line has [ARGS]...
        assert max(map(len, shown.splitlines())) <= width
        told = " ".join(shown.split())
        group = cli.main.commands["data"] if words else cli.main
        for command in group.commands.values():
            assert " ".join(command.help.split("\n\n")[0].split()).rstrip(".") in told


@pytest.mark.parametrize("verb", ["sweep", "publish", "status", "atlas"])
def test_help_of_verbs_that_take_experiments_lists_them_and_the_profiles(verb):
    from betavae_core.images import experiments

    shown = CliRunner().invoke(cli.main, [verb, "--help"]).output
    taken = {record.name for record in experiments.RECORDS if verb != "atlas" or record.latents == 2}
    assert {name for name in experiments.NAMES if f"  {name} " in shown} == taken
    assert f"Profiles: {', '.join(planning.PROFILES)}." in shown


def test_importing_the_package_and_asking_for_help_loads_nothing_heavy():
    done = without("tensorflow xarray scipy matplotlib papermill distributed", "--help")
    assert done.returncode == 0, done.stderr


def test_bad_chapter_input_answers_without_tensorflow():
    done = without("tensorflow", "chapter", "analytical", "-p", "beta", "-1")
    assert (done.returncode, done.stderr) == (
        2,
        "betavae: beta must be from 1e-9 to 1e9 (C and TIE diverge at 0); got -1.0\n",
    )


def test_a_reader_that_stops_reading_is_no_error():
    pipe = f"set -o pipefail; {sys.executable} -m betavae_workshop status | head -1"
    done = subprocess.run(["bash", "-c", pipe], capture_output=True, text=True)
    assert done.stdout.startswith("mixing: ")
    assert (done.returncode, done.stderr) == (0, "")


def test_a_warning_is_one_line(results):
    (results / "mixing").mkdir(parents=True)
    [member] = planning.plan("mixing", "smoke", betas=[1.0], realizations=1)
    (results / f"mixing/{member.key}.nc").write_text("damaged")
    (told,) = betavae("status", "mixing", "--profile", "smoke").stderr.splitlines()
    assert re.fullmatch(rf"betavae: {member.key}\.nc is not a stored member .*; moved to {member.key}\.bad", told)


def test_what_status_says_of_a_beta_can_be_typed():
    told = CliRunner().invoke(cli.main, ["status", "tiles"]).stdout
    betas = {member.beta for member in planning.plan("tiles")}
    assert {float(beta) for beta in re.findall(r"^  beta (\S+) ", told, re.MULTILINE)} >= betas


def test_fetch_without_internet_says_so_and_leaves_nothing(tmp_path, monkeypatch):
    """A dead proxy stands for a machine without internet, so that the test is the same on one that has it."""
    done = betavae(
        "data", "fetch", HTTPS_PROXY="http://127.0.0.1:9", https_proxy="http://127.0.0.1:9", KERAS_HOME=str(tmp_path)
    )
    assert done.returncode == 2
    (told,) = lines(done.stderr)
    assert told.startswith("betavae: full MNIST could not be downloaded")
    assert told.endswith("the embedded digits need no internet")
    assert not (paths.DATA / "mnist_full.npz").exists()
