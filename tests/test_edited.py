"""The project in the hands of somebody who edits it: each fault is one line, which names the place where it is."""

import re
import subprocess
import sys

import click
import pytest

from betavae_core import paths
from betavae_core.errors import UsageError
from betavae_core.images import digits
from betavae_core.results import record
from betavae_core.showing.parameters import declared_in
from betavae_core.theory.terms import SCALARS
from betavae_workshop.building import chapters, execution, parameters, rendering, worker
from betavae_workshop.building.processes import Job
from betavae_workshop.commands import values
from betavae_workshop.sweeping import crews, publishing, running

CELL = "```{{code-cell}} ipython3\n{}\n```\n"


@pytest.fixture
def theory(tmp_path, monkeypatch):
    """A copy of a chapter, in a book of which it is all."""
    file = tmp_path / "theory.md"
    file.write_bytes((chapters.CHAPTERS / "theory.md").read_bytes())
    for module in (chapters, execution, rendering):
        monkeypatch.setattr(module, "CHAPTERS", tmp_path)
    return file


@pytest.mark.parametrize("broken", ["a chapter", "a module that it reaches"])
def test_code_that_is_no_python_is_told_in_one_line(broken, theory, tmp_path, monkeypatch):
    """It ended a build in a traceback; the line that is named is the one in the file."""
    text = theory.read_text(encoding="utf-8")
    module = tmp_path / "betavae_core" / "broken.py"
    module.parent.mkdir()
    module.write_text("1 +\n" if broken != "a chapter" else "")
    added = "if:\n" if broken == "a chapter" else "import betavae_core.broken\n"
    theory.write_text(text + f"```{{code-cell}} ipython3\n%time\n{added}```\n", encoding="utf-8")
    monkeypatch.setattr(paths, "ROOT", tmp_path)
    where = rf"theory\.md, line {text.count(chr(10)) + 3}" if broken == "a chapter" else r"broken\.py, line 1"
    with pytest.raises(UsageError, match=rf"^\S+{where}: invalid syntax$"):
        chapters.reach("theory")


@pytest.mark.parametrize("code", ["x = !ls", "import numpy as np\nnp.sort?", "%%bash\nls | head", "y = (17\n  % 5)"])
def test_what_ipython_understands_is_no_fault(theory, code):
    before = chapters.reach("theory")
    theory.write_text(theory.read_text() + CELL.format(code))
    assert chapters.reach("theory") == before


def test_a_chapter_that_is_no_utf8_is_named(theory):
    theory.write_bytes(theory.read_bytes() + b"Stra\xdfe\n")
    with pytest.raises(UsageError, match=r"theory\.md is not UTF-8: invalid continuation byte in byte \d+$"):
        parameters.declarations("theory")


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("n = 100 * 2", "the default of n must be a number, text, True, False or a list; it is 100 * 2"),
        ("n = (200,)", "the default of n must be a number, text, True, False or a list; it is (200,)"),
        ("n = None", "the default of n must be a number, text, True, False or a list; it is None"),
        ("n, w = 200, 3", "a parameter is declared as NAME = DEFAULT; got n, w = (200, 3)"),
        ("n = w = 200", "a parameter is declared as NAME = DEFAULT; got n = w = 200"),
    ],
)
def test_a_default_that_is_no_plain_value_is_told(source, told):
    with pytest.raises(UsageError, match=f"^{re.escape(told)}$"):
        declared_in(source)


def test_a_default_may_have_a_type():
    assert declared_in("n: int = 200  # 1 to 300")["n"] == (200, "1 to 300")


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ('models = "200"  # 1 to 10', "models = '20' cannot be compared with its range, 1 to 10"),
        ("models = 200  # ten to 100", "models = 20 cannot be compared with its range, ten to 100"),
        ("models = (200)))", r"theory.md, line \d+: unmatched '\)'"),
        ("models = None", "chapter theory: the default of models must be .*; it is None"),
        (
            "models = 9  # 1 to 99\n# and of mixing: 7 epochs",
            "no supplement of mixing begins with '7 epochs'; it has: per-pixel",
        ),
    ],
)
def test_a_parameter_cell_that_cannot_be_used_names_its_chapter_or_parameter(theory, line, told, monkeypatch):
    monkeypatch.setattr(chapters, "names", lambda: ["theory"])
    theory.write_text(re.sub(r"^models = .*$", line.replace("\\", ""), theory.read_text(), flags=re.MULTILINE))
    with pytest.raises(UsageError, match=told):
        parameters.checked("theory", {"models": "20"})
        parameters.needs("theory")


ENDS = "format: jb-book\nroot: book/theory\nchapters:\n"


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("  - file: book/theory", "lists book/theory twice"),
        ("  - file: book/ghost", "lists book/ghost, and there is no ghost.md"),
        (
            "  - file: book/my chapter",
            "lists book/my chapter; a chapter is book/NAME, in letters, digits, _ and - alone",
        ),
        ("  - file: book/theory.md", "lists book/theory.md; a chapter is book/NAME, in letters, digits, _ and - alone"),
        ("  - file: [", r", line 5: expected the node content, but found '<stream end>'"),
        ("\t- file: book/x", r", line 4: found character '\\t' that cannot start any token"),
    ],
)
def test_a_table_of_contents_that_cannot_be_used_is_told_before_anything_runs(theory, line, told, monkeypatch):
    monkeypatch.setattr(chapters, "ROOT", theory.parent)
    (theory.parent / "_toc.yml").write_text(ENDS + line + "\n")
    with pytest.raises(UsageError, match=f"{theory.parent}/_toc.yml {told}$".replace(" ,", ",")):
        chapters.names()


def test_a_table_of_contents_is_read_as_yaml(theory, monkeypatch):
    monkeypatch.setattr(chapters, "ROOT", theory.parent)
    (theory.parent / "other.md").touch()
    for line, names in (
        ('  - file: "book/other"  # a note', ["theory", "other"]),
        ("# - file: book/other", ["theory"]),
    ):
        (theory.parent / "_toc.yml").write_text(ENDS + line + "\n")
        assert chapters.names() == names


@pytest.mark.parametrize(
    ("file", "text", "told"),
    [
        ("_config.yml", "sphinx: [\n", "_config.yml, line 2: expected the node content, but found '<stream end>'"),
        ("references.bib", "@book{x,\n title = {y}\n", "references.bib cannot be read: .* line 3"),
        ("references.bib", None, "references.bib cannot be read: unable to open"),
    ],
)
def test_what_all_pages_share_is_looked_at_before_anything_runs(theory, file, text, told, monkeypatch):
    monkeypatch.setattr(chapters, "names", lambda: [])
    monkeypatch.setattr(rendering, "CONFIG", theory.parent / "_config.yml")
    (theory.parent / "_config.yml").write_text("title: x\n")
    if text:
        (theory.parent / file).write_text(text)
    with pytest.raises(UsageError, match=told):
        rendering.require_readable()


def test_what_sphinx_finds_wrong_is_told_with_the_line_of_the_text(theory):
    """It named a file that was gone by then, and a line such as 60002."""
    text = theory.read_text()
    theory.write_text(f"{text}\nSee {{ref}}`nowhere`.\n" + CELL.format("x = 1\ny = 2"))
    cells, lines = chapters.notebook("theory").cells, theory.read_text().splitlines()
    for number, cell in enumerate(cells, start=1):
        for at, line in enumerate(cell.source.splitlines(), start=2):
            assert lines[chapters.line_of("theory", 10_000 * number + at) - 1] == line
    undefined = "WARNING: undefined label: 'nowhere'"
    output = f"reading\n/x/source/book/theory.ipynb:10002: {undefined}\nExtension error:\n  it is off\n"
    first = lines.index(cells[0].source.splitlines()[0]) + 1
    found = [f"{theory}:{first}: {undefined}", "Extension error: it is off"]
    assert rendering._wrong(f"{output}RuntimeError: ======\n") == found


def test_a_chapter_that_was_edited_while_it_ran_runs_again(theory, tmp_path, monkeypatch):
    """What it had been was recorded, and kept, as what it is."""
    monkeypatch.setattr(execution.paths, "BUILD", tmp_path / "_build")
    kept = tmp_path / "_build/kept/theory"
    for edited in (True, False):

        def run(chapter, notebook, values, edited=edited):
            theory.write_text(theory.read_text() + "\nMore.\n" * edited)
            return notebook

        monkeypatch.setattr(worker, "_run", run)
        job = Job("theory", {}, execution.digest_of("theory", {}, tmp_path))
        (tmp_path / "book").mkdir(exist_ok=True)
        assert worker.execute(job, tmp_path).endswith("changed meanwhile") == edited
        current = Job("theory", {}, execution.digest_of("theory", {}, tmp_path))
        assert execution._is_current(current, tmp_path) != edited
        assert kept.exists() != edited


def test_work_goes_on_where_nobody_reads_any_more(tmp_path):
    """`make chapter … | head` ended in order with no page made."""
    ends = tmp_path / "ends"
    told = "from betavae_workshop.commands.values import tell\nfor _ in range(9): tell('x' * 99_999)\n"
    program = f"{told}open({str(ends)!r}, 'w').close()"
    pipe = f"set -o pipefail; '{sys.executable}' -c \"{program}\" | head -c 1"
    done = subprocess.run(["bash", "-c", pipe], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr, ends.exists()) == (0, "x", "", True)


def test_the_revision_is_this_project_s_or_unknown(monkeypatch):
    """An unpacked release inside another repository told of that one's."""
    monkeypatch.setattr(paths, "ROOT", paths.ROOT / "book")
    assert running.revision.__wrapped__() == "unknown"  # as in a new process


def test_a_batch_that_cannot_be_written_is_not_written_again(monkeypatch):
    tries = []

    def complete(found):
        tries.append(found)
        raise OSError("disk full")

    monkeypatch.setattr(publishing, "BATCH", 1)
    monkeypatch.setattr(publishing, "complete", complete)
    member = type("Member", (), {"key": "k"})()
    monkeypatch.setattr(crews, "each_done", lambda *_: iter([(member, [(dict.fromkeys(SCALARS, 1.0), {})])]))
    with pytest.raises(OSError, match="disk full"):
        list(publishing.fill_in([member], []))
    assert len(tries) == 1


def test_a_metric_that_is_undefined_for_a_network_is_no_divergence():
    """It discarded all that was known of the network."""
    found = dict.fromkeys(SCALARS, 1.0)
    assert not record.diverged(found | {"obliqueness": float("nan")})
    assert record.diverged(found | {"tie_heldout": float("nan")})


def test_a_home_that_is_not_spelt_out_is_found(tmp_path, monkeypatch):
    """`~` became a folder of that name."""
    monkeypatch.setenv("HOME", str(tmp_path))
    for variable in ("BETAVAE_RESULTS", "BETAVAE_DIGITS"):
        monkeypatch.setenv(variable, "~/own")
    assert paths.working_store() == paths.digits() == tmp_path / "own"


def test_digits_that_are_not_there_are_told_with_the_variable_that_names_them(tmp_path, monkeypatch):
    monkeypatch.setenv("BETAVAE_DIGITS", str(tmp_path / "none"))
    with pytest.raises(UsageError, match=r"^no MNIST digits at .*none; BETAVAE_DIGITS names it$"):
        digits.load()


def test_a_device_is_no_new_file():
    """`--json /dev/full` was read without end."""
    with pytest.raises(click.BadParameter):
        values.new_file(None, None, "/dev/full")
