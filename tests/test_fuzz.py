"""Fuzzing: whatever is typed, exit code 0, 1 or 2, one line, never a traceback or nan, and no file where none belongs.

Command lines are drawn from the command tree itself; what they would start (books, sweeps, downloads) is cut off at its
door. Texts of parameters go through the real check, and accepted ones through the analytical chapter's own cells.
"""

import http.server
import math
import re
import sys

import click
import matplotlib.pyplot as plt
import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, Phase, assume, example, given, settings
from hypothesis import strategies as st
from IPython.utils.capture import capture_output
from traitlets.config import Config

from betavae_core.errors import UsageError
from betavae_workshop import cli, digit_forms
from betavae_workshop.building import book, chapters, parameters, pdf
from betavae_workshop.sweeping import pipeline, running
from betavae_workshop.timing import bench
from tests.test_bad_input import files

HOSTILE = [
    *("", " ", "\n", "0", "-1", "1", "2", "3.5", "1e-160", "1e300", "nan", "-inf", "1e999", "1_0", "٣"),
    *("1,2", "1,,2", "[[1,2],[3,4]]", "[[1e8,0],[0,1e-8]]", "[]", "[[]]", "[[[1]]]", "[[1,2],[3]]", "[" * 300),
    *(
        "{4}",
        "None",
        "True",
        "()",
        "__import__('os').getcwd()",
        "4\nimport os",
        "$(touch injected)",
        "`touch injected`",
    ),
    *("a=b", "=", "'", '"', "\\", "../..", "/", "-", "--", "-h", "--x", "\udcff", "mixing", "tiles", "analytical"),
    *("9" * 400, "1000000000", "β", "theory", "claims", "smoke", "thesis", "global", "full", "beta=4", "beta=4 beta=5"),
]
typed = st.one_of(
    st.sampled_from(HOSTILE),
    st.integers(-3, 40).map(str),
    st.floats().map(str),
    st.text(st.characters(exclude_characters="\0"), max_size=6),  # no command line has a zero in it
)
FUZZ = {"deadline": None, "suppress_health_check": [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]}


def leaves(command=cli.main, words=()):
    """Each command that does something, with the words that name it; `doctor` starts processes whatever is typed."""
    if not isinstance(command, click.Group):
        yield command, words
    for name, below in getattr(command, "commands", {}).items():
        if name != "doctor":
            yield from leaves(below, (*words, name))


@st.composite
def command_lines(draw):
    """Words for one of the commands: some of its options, with hostile values, and some arguments."""
    command, words = draw(st.sampled_from([*leaves()]))
    words = list(words)
    options = [p for p in command.get_params(click.Context(command)) if isinstance(p, click.Option)]
    for option in draw(st.lists(st.sampled_from(options), max_size=3)):
        count = 0 if option.is_flag or option.count else option.nargs
        words += [option.opts[0], *(draw(typed) for _ in range(count))]
    return words + draw(st.lists(typed, max_size=2))


@pytest.fixture
def cut_off(results, tmp_path, monkeypatch):
    """Nothing is built, trained, timed or fetched; relative names lie in a folder for this test."""
    page = tmp_path / "page.html"
    for module, name, instead in (
        (book, "build", page),
        (book, "render", page),
        (book, "build_page", page),
        (book, "build_variant", page),
        (pdf, "print_book", page),
        (digit_forms, "fetch", page),
        (bench, "run", []),
        (running, "run", (member for member in ())),
        (running, "draw_atlases", ()),
        (pipeline, "sweep_packs", (member for member in ())),
        (http.server.ThreadingHTTPServer, "serve_forever", None),
    ):
        monkeypatch.setattr(module, name, lambda *_, instead=instead, **__: instead)
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")


@settings(max_examples=250, **FUZZ)
@given(words=command_lines())
@example(words=["chapter", "analytical", "-p", "beta", "\udcff"])
@example(words=["chapter", "analytical", "--params", "\n"])
def test_any_command_line_ends_in_one_line_or_well(cut_off, words):
    before = files()
    done = CliRunner().invoke(cli.main, words)
    assert done.exit_code in (0, 1, 2), done.output
    assert isinstance(done.exception, SystemExit | None), done.exception
    assert "Traceback" not in done.output
    assert not re.search(r"\bnan\b", done.stdout)
    told = [line for line in done.stderr.splitlines() if not re.match(r".*: \d+ members to train", line)]
    assert done.exit_code != 2 or len(told) == 1 or told[0].startswith("Usage"), done.stderr
    assert files() == before


def known():
    """Every parameter of every chapter."""
    return [(chapter, name) for chapter in chapters.names() for name in parameters.defaults(chapter)]


def sound(value) -> bool:
    """Whether a value is text, or a finite number, or a list of such."""
    if isinstance(value, list):
        return all(map(sound, value))
    return isinstance(value, str) or math.isfinite(value)


@settings(max_examples=100, **FUZZ)
@given(parameter=st.sampled_from(known()), text=typed)
def test_any_text_for_a_parameter_is_a_sound_value_or_refused(parameter, text):
    chapter, name = parameter
    try:
        values = parameters.checked(chapter, {name: text})
    except UsageError:
        return
    assert list(values) == [name]
    assert type(values[name]) is type(parameters.defaults(chapter)[name])
    assert sound(values[name])


@pytest.fixture
def shell(tmp_path):
    """An IPython in this process, without a history, which leaves things as they were."""
    from IPython.core.interactiveshell import InteractiveShell

    main = sys.modules["__main__"]
    quiet = Config({"HistoryManager": {"enabled": False}})
    yield InteractiveShell.instance(config=quiet, ipython_dir=str(tmp_path))
    InteractiveShell.clear_instance()
    sys.modules["__main__"] = main


def shown(shell, chapter, values) -> str:
    """What a chapter's cells quote and tabulate at these values, but for those that train, or need what these found."""
    told = []
    for cell in chapters.notebook(chapter).cells:
        draws = "figure" in cell.metadata.get("mystnb", {}) and "\n" not in cell.source
        if cell.cell_type == "code" and not draws and "routes" not in cell.source:
            with capture_output() as captured:
                done = shell.run_cell(cell.source)
            done.raise_error()
            if "parameters" in cell.metadata.get("tags", []):
                shell.push(values)
            told += [captured.stdout, *(str(output.data) for output in captured.outputs)]
    plt.close("all")
    return "\n".join(told)


def powers(low, high):
    """Numbers of any size between two powers of ten."""
    return st.floats(low, high).map(lambda power: float(f"{10**power:.3g}"))


entries = st.one_of(st.just(0.0), st.integers(-3, 3).map(float), powers(-8, 8), powers(-3, 3).map(lambda a: -a))
shapes = st.tuples(st.integers(1, 4), st.integers(1, 3))
matrices = shapes.flatmap(lambda s: st.tuples(*[st.tuples(*[entries] * s[1])] * s[0])).map(lambda m: [*map(list, m)])


@settings(max_examples=3, phases=[Phase.explicit, Phase.reuse, Phase.generate], **FUZZ)  # shrinking takes minutes
@given(beta=powers(-6, 9), matrix=matrices, noise=powers(-6, 6))
def test_whatever_parameters_are_accepted_no_nan_is_on_the_page(shell, beta, matrix, noise):
    given = {"beta": beta, "mixing_matrix": matrix, "noise_std": noise}
    try:
        values = parameters.checked("analytical", {name: str(value) for name, value in given.items()})
    except UsageError:
        assume(False)
    page = shown(shell, "analytical", values)
    assert not re.search(r"\b(nan|NaN|inf|None)\b", page)
