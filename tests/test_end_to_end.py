"""The commands of the README on a copy of the project, with real training, real papermill and real jupyter-book.

The copy trains its networks for a few steps only; everything else is as in the book.
"""

import json
import os
import re
import signal
import subprocess
import sys
import time

import pytest

from betavae_core.building import chapters, execution
from betavae_core.paths import ROOT
from betavae_core.theory import linear
from betavae_core.theory.gaussian import LinearGaussian

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("copy")]  # one process, so one copy


@pytest.fixture(scope="module")
def pages(copy):
    return {file: file.read_bytes() for file in sorted((copy.folder / "_build/html").rglob("*")) if file.is_file()}


def test_make_book_executes_every_chapter_with_code_and_prints_the_page(copy):
    last = [c for c in chapters.names() if c in execution.LAST]
    ordered = [c for c in chapters.names() if c not in last] + last
    with_code = [c for c in ordered if any(cell.cell_type == "code" for cell in chapters.notebook(c).cells)]
    assert re.findall(r"^(\w+): executed", copy.first, re.MULTILINE) == with_code
    assert copy.first.splitlines()[-1] == f"book: {copy.folder}/_build/html/index.html"


def test_pages_hold_live_numbers_and_nothing_unresolved(copy):
    text = copy.page("_build/html/book/analytical.html")
    process = LinearGaussian([[2.0, 1.0], [0.5, 1.5]], 1.0)
    assert f"TIE is least at β* = {linear.optimal_beta(process):.6g}" in text
    for file in (copy.folder / "_build/html/book").glob("*.html"):
        html = file.read_text()
        unresolved = re.search(r"Traceback|\{(glue|math|table|eq|ref)\b|&lt;Figure|```|:::", html)
        assert not unresolved, (file.name, unresolved)


def same(pages):
    """Names of the files that differ from what they were."""
    return [file.name for file, content in pages.items() if not file.exists() or file.read_bytes() != content]


def test_nothing_changed_nothing_executed_same_pages_even_from_two_builds_at_once(copy, pages):
    first, second = copy.start("book"), copy.start("book")
    for build in (first, second):
        told, errors = build.communicate(timeout=300)
        assert build.returncode == 0, errors
        assert "executed" not in told
    assert same(pages) == []


def test_a_killed_build_leaves_the_last_good_pages_and_the_next_one_goes_on(copy, pages):
    built, build = copy.folder / "_build", copy.start("book")
    while not list(built.glob("render-*")):
        assert build.poll() is None
        time.sleep(0.05)
    time.sleep(2)  # some way into the rendering
    os.killpg(build.pid, signal.SIGKILL)
    build.communicate()
    assert list(built.glob("render-*"))
    assert same(pages) == []
    os.replace(built / "html", built / ".html-last")  # as if it had been killed between its two moves
    assert copy.make("book").returncode == 0
    assert same(pages) == []
    assert list(built.glob("render-*")) == list(built.glob(".html-*")) == []


def test_a_variant_gets_its_own_book_and_leaves_the_book_proper_alone(copy, pages):
    done = copy.make("chapter", "CHAPTER=analytical", "BETA=4", "PARAMS=mixing_matrix='[[1, 0.5], [0, 1]]'")
    assert done.returncode == 0, done.stderr
    page = done.stdout.splitlines()[-1].removeprefix("page: ")
    assert page.startswith(f"{copy.folder}/_build/variants/analytical-")
    tie = float(linear.sweep(LinearGaussian([[1, 0.5], [0, 1]], 1.0), 4.0).tie[0])
    assert f"true inference error under the best signed permutation {tie:.4f}" in copy.page(page)
    assert {file: file.read_bytes() for file in pages} == pages
    assert re.findall(r"^(\w+): executed", done.stdout, re.MULTILINE) == ["analytical"]
    folder = copy.folder / page.removeprefix(f"{copy.folder}/").split("/html/")[0]
    notebook = json.loads((folder / "executed/book/analytical.ipynb").read_text())
    (injected,) = [c for c in notebook["cells"] if "injected-parameters" in c["metadata"].get("tags", [])]
    assert "hide-input" in injected["metadata"]["tags"]


@pytest.mark.parametrize(
    "words",
    [
        ["CHAPTER=analytical", "BETA=-1"],
        ["CHAPTER=analytical", "BETA=abc"],
        ["CHAPTER=analytical", "BETA=nan"],
        ["CHAPTER=analytical", "BETA=inf"],
        ["CHAPTER=nowhere", "BETA=4"],
        ["CHAPTER=analytical", "PARAMS=gamma=4"],
        ["CHAPTER=analytical", "PARAMS=mixing_matrix=[[1,2],[3]]"],
        ["CHAPTER=analytical'; touch injected; '", "BETA=4"],
        ["CHAPTER=analytical", 'BETA=4"; touch injected; "'],
        ["CHAPTER=analytical", "PARAMS=beta=$$(touch injected)"],
        ["BETA=4"],
    ],
)
def test_make_chapter_refuses_bad_input_in_one_line(copy, words):
    before = sorted(copy.folder.rglob("*"))
    done = copy.make("chapter", *words)
    assert done.returncode == 2
    ours = [line for line in done.stderr.splitlines() if not line.startswith("make: ***")]
    assert len(ours) == 1, done.stderr
    assert ours[0].startswith("betavae: ")
    assert [f for f in sorted(copy.folder.rglob("*")) if "__pycache__" not in f.parts] == [
        f for f in before if "__pycache__" not in f.parts
    ]


def test_a_changed_chapter_executes_again_and_the_others_do_not(copy):
    """That a line of the package executes all of them again is a matter of the hash: test_book.py."""
    chapter = copy.folder / "book/theory.md"
    chapter.write_text(chapter.read_text().replace("models = 200", "models = 20"))
    done = copy.make("book")
    assert done.returncode == 0, done.stderr
    executed = re.findall(r"^(\w+): executed", done.stdout, re.MULTILINE)
    assert executed == ["theory", "claims", "reproduce"]  # the last two read the others' records


def test_a_failing_chapter_keeps_the_last_good_pages_and_names_the_cell(copy):
    chapter = copy.folder / "book/theory.md"
    good, page = chapter.read_text(), (copy.folder / "_build/html/book/theory.html").read_bytes()
    try:
        chapter.write_text(good + "\n```{code-cell} ipython3\nraise RuntimeError('on purpose')\n```\n")
        done = copy.make("book")
    finally:
        chapter.write_text(good)
    assert done.returncode == 2
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("betavae: ")]
    assert re.search(r"chapter theory failed in cell \d+: RuntimeError: on purpose .*_build/failed/theory\.ipynb", line)
    assert (copy.folder / "_build/failed/theory.ipynb").exists()
    assert (copy.folder / "_build/html/book/theory.html").read_bytes() == page


def test_a_repository_brings_launch_links_and_notebooks_to_the_chapters_with_code(copy):
    config = copy.folder / "_config.yml"
    plain = config.read_text()
    refused = copy.make("notebooks")
    assert refused.returncode == 2
    assert refused.stderr.startswith("betavae: repository_url in _config.yml is empty")
    try:
        config.write_text(plain.replace('repository_url: ""', "repository_url: https://github.com/some/where"))
        assert copy.make("book").returncode == 0
        html = (copy.folder / "_build/html/book/mixing.html").read_text()
        assert "https://mybinder.org/v2/gh/some/where/HEAD?urlpath=notebooks%2Fbook%2Fmixing.md" in html
        assert "https://colab.research.google.com/github/some/where/blob/notebooks/mixing.ipynb" in html
        assert "mybinder" not in (copy.folder / "_build/html/book/discussion.html").read_text()
        done = copy.make("notebooks")
    finally:
        config.write_text(plain)
    written = [os.path.basename(line) for line in done.stdout.splitlines()]
    assert written == [f"{name}.ipynb" for name in chapters.names() if f"{name}: executed" in copy.first]
    first = json.loads((copy.folder / "_build/notebooks/mixing.ipynb").read_text())["cells"][0]["source"]
    assert "git clone --quiet --depth 1 https://github.com/some/where" in "".join(first)


def test_plain_jupyter_book_build_works_too(copy):
    tool = os.path.join(os.path.dirname(sys.executable), "jupyter-book")
    done = subprocess.run([tool, "build", "."], capture_output=True, text=True, cwd=copy.folder)
    assert done.returncode == 0, done.stderr
    assert "The analytically tractable" in copy.page("_build/html/book/analytical.html")


def test_the_raw_way_of_the_readme(copy):
    folder = os.path.dirname(sys.executable)
    line = "jupytext --to ipynb --output - book/analytical.md | papermill -p beta 4 > analytical.ipynb"
    assert line in (ROOT / "README.md").read_text()
    path = {**os.environ, "PATH": f"{folder}:{os.environ['PATH']}"}
    done = subprocess.run(["sh", "-c", line], capture_output=True, text=True, cwd=copy.folder, env=path)
    assert done.returncode == 0, done.stderr
    assert "2.7735" in (copy.folder / "analytical.ipynb").read_text()
