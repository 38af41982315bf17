"""The commands of the README with real training, real papermill and real jupyter-book.

What builds books is tested on a book of four chapters (tests/minibook), what is in the book on the book itself.
"""

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time

import pytest

from betavae_core.paths import ROOT
from betavae_core.theory import linear
from betavae_core.theory.gaussian import LinearGaussian
from betavae_workshop.building import chapters, pdf

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def pages(minibook):
    return {file: file.read_bytes() for file in sorted((minibook.folder / "_build/html").rglob("*")) if file.is_file()}


def test_make_book_prints_every_page_and_last_where_to_begin(book):
    told = book.make("book").stdout.splitlines()
    assert {f"{name}: up to date" for name in chapters.names()} == set(told[: len(chapters.names())])
    pages = [f"page: {book.folder}/_build/html/book/{name}.html" for name in chapters.names()]
    assert told[-len(pages) - 1 :] == [*pages, f"book: {book.folder}/_build/html/index.html"]


def test_pages_hold_live_numbers_and_nothing_unresolved(book):
    text = book.page("_build/html/book/analytical.html")
    process = LinearGaussian([[2.0, 1.0], [0.5, 1.5]], 1.0)
    assert f"TIE is least at β* = {linear.optimal_beta(process):.6g}" in text
    for file in (book.folder / "_build/html/book").glob("*.html"):
        html = file.read_text()
        unresolved = re.search(r"Traceback|\{(glue|math|table|eq|ref)\b|&lt;Figure|```|:::|(−|>-)0\.0+(?!\d)", html)
        assert not unresolved, (file.name, unresolved)


def test_the_raw_way_of_the_readme(minibook):
    folder = os.path.dirname(sys.executable)
    line = "jupytext --to ipynb --output - book/analytical.md | papermill -p beta 4 > analytical.ipynb"
    assert line in (ROOT / "README.md").read_text()
    path = {**os.environ, "PATH": f"{folder}:{os.environ['PATH']}"}
    done = subprocess.run(["sh", "-c", line], capture_output=True, text=True, cwd=minibook.folder, env=path)
    assert done.returncode == 0, done.stderr
    assert "2.7735" in (minibook.folder / "analytical.ipynb").read_text()


def test_the_book_is_printed_with_every_chapter_and_its_pages_stay(minibook, pages, chromium):
    """It ended in one line, "no profile 'singlehtml'", for a day; the browser's part alone was tested."""
    done = minibook.make("pdf")
    assert done.returncode == 0, done.stderr
    named = pdf.pages((minibook.folder / "_build/betavae-companion.pdf").read_bytes())
    names = re.findall(r"book/([\w-]+)$", (ROOT / "tests/minibook/_toc.yml").read_text(), re.MULTILINE)
    assert {f"document-book/{name}" for name in names[1:]} <= set(named)
    assert not same(pages)


@contextlib.contextmanager
def with_cells(minibook, **cells):
    """Chapters with one more cell each, for as long as this lasts."""
    files = {minibook.folder / f"book/{name}.md": code for name, code in cells.items()}
    good = {file: file.read_text() for file in files}
    try:
        for file, code in files.items():
            file.write_text(good[file] + f"\n```{{code-cell}} ipython3\n{code}\n```\n")
        yield
    finally:
        for file, text in good.items():
            file.write_text(text)


def rendered_again(minibook):
    """Have the next build render all pages, with nothing changed on them."""
    with open(minibook.folder / "_config.yml", "a") as config:
        config.write("# a comment\n")


def same(pages):
    """Names of the files that differ from what they were."""
    return [file.name for file, content in pages.items() if not file.exists() or file.read_bytes() != content]


def test_nothing_changed_nothing_executed_same_pages_even_from_two_builds_at_once(minibook, pages):
    assert "pages: up to date" in minibook.make("book").stdout
    rendered_again(minibook)
    first, second = minibook.start("book"), minibook.start("book")
    for build in (first, second):
        told, errors = build.communicate()
        assert build.returncode == 0, errors
        assert "executed" not in told
    assert same(pages) == [".made-from"]


def test_a_killed_build_leaves_the_last_good_pages_and_the_next_one_goes_on(minibook, pages):
    rendered_again(minibook)
    built, build = minibook.folder / "_build", minibook.start("book")
    while not list(built.glob("render-*")):
        assert build.poll() is None
        time.sleep(0.05)
    time.sleep(1)  # some way into the rendering
    os.killpg(build.pid, signal.SIGKILL)
    build.communicate()
    assert list(built.glob("render-*"))
    assert same(pages) in ([], [".made-from"])
    os.replace(built / "html", built / ".html-last")  # as if it had been killed between its two moves
    assert minibook.make("book").returncode == 0
    assert same(pages) in ([], [".made-from"])
    assert list(built.glob("render-*")) == list(built.glob(".html-*")) == []


def test_a_variant_gets_its_own_book_and_leaves_the_book_proper_alone(minibook, pages):
    done = minibook.make("chapter", "CHAPTER=analytical", "BETA=4", "PARAMS=mixing_matrix='[[1, 0.5], [0, 1]]'")
    assert done.returncode == 0, done.stderr
    page = done.stdout.splitlines()[-1].removeprefix("page: ")
    assert page.startswith(f"{minibook.folder}/_build/variants/analytical-")
    tie = float(linear.sweep(LinearGaussian([[1, 0.5], [0, 1]], 1.0), 4.0).tie[0])
    assert f"true inference error is {tie:.4f} nats" in minibook.page(page)
    assert same(pages) in ([], [".made-from"])
    assert re.findall(r"^(\w+): executed", done.stdout, re.MULTILINE) == ["analytical"]  # with the same verdicts
    folder = minibook.folder / page.removeprefix(f"{minibook.folder}/").split("/html/")[0]
    notebook = json.loads((folder / "executed/book/analytical.ipynb").read_text())
    (injected,) = [c for c in notebook["cells"] if "injected-parameters" in c["metadata"].get("tags", [])]
    assert "hide-input" in injected["metadata"]["tags"]


def test_a_page_rendered_alone_is_the_one_of_a_whole_rendering(minibook, pages):
    """What Sphinx read of the book is kept; without it all pages of the variant are rendered."""

    def variant():
        done = minibook.make("chapter", "CHAPTER=analytical", "BETA=3")
        assert done.returncode == 0, done.stderr
        return done.stdout, {file.name: file.read_bytes() for file in (html / "book").glob("*.html")}

    html = minibook.folder / "_build/variants/analytical-beta=3/html"
    told, alone = variant()
    assert "rendering the pages of analytical\n" in told
    shutil.rmtree(html)
    shutil.rmtree(minibook.folder / "_build/read")
    told, whole = variant()
    assert "rendering the pages\n" in told
    assert alone == whole
    assert same(pages) in ([], [".made-from"])


@pytest.mark.parametrize(
    "words",
    [
        ["CHAPTER=analytical", "BETA=-1"],
        ["CHAPTER=analytical", "PARAMS=mixing_matrix=[[1,2],[3]]"],
        ["CHAPTER=analytical'; touch injected; '", "BETA=4"],
        ["CHAPTER=analytical", 'BETA=4"; touch injected; "'],
        ["CHAPTER=analytical", "PARAMS=beta=$$(touch injected)"],
    ],
)
def test_make_chapter_refuses_bad_input_in_one_line(minibook, words):
    """What make hands on; what may stand in a value is in test_bad_input.py."""
    before = sorted(minibook.folder.rglob("*"))
    done = minibook.make("chapter", *words)
    assert done.returncode == 2
    ours = [line for line in done.stderr.splitlines() if not line.startswith("make: ***")]
    assert len(ours) == 1, done.stderr
    assert ours[0].startswith("betavae: ")
    assert [f for f in sorted(minibook.folder.rglob("*")) if "__pycache__" not in f.parts] == [
        f for f in before if "__pycache__" not in f.parts
    ]


def test_make_sweep_takes_a_profile(minibook):
    refused = minibook.make("sweep", "EXPERIMENT=mixing", "PROFILE=nope").stderr.splitlines()[0]
    assert refused == "betavae: no profile 'nope'; profiles: smoke, published, thesis"


def test_a_changed_chapter_executes_again_and_the_last_one_after_it(minibook):
    """Those that quote the others come last; that a line of the package executes all again: test_book.py."""
    told = re.findall(r"^(\w+): (?:executed|text)", minibook.first, re.MULTILINE)
    assert (set(told[:2]), told[2:]) == ({"theory", "analytical"}, ["claims", "intro"])
    with with_cells(minibook, theory="import time; time.sleep(3)"):
        done = minibook.make("book", "JOBS=2")
    assert done.returncode == 0, done.stderr
    assert re.findall(r"^(\w+): executed", done.stdout, re.MULTILINE) == ["theory", "claims"]
    known = json.loads((minibook.folder / "_build/executed/book/claims.ipynb").read_text())["cells"][-1]["outputs"]
    assert "theory" in "".join(known[0]["text"])


def test_a_failing_chapter_keeps_the_last_good_pages_and_names_the_cell(minibook):
    chapter = minibook.folder / "book/theory.md"
    good, page = chapter.read_text(), (minibook.folder / "_build/html/book/theory.html").read_bytes()
    try:
        chapter.write_text(good + "\n```{code-cell} ipython3\nraise RuntimeError('on purpose')\n```\n")
        done = minibook.make("book")
    finally:
        chapter.write_text(good)
    assert done.returncode == 2
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("betavae: ")]
    assert re.search(r"chapter theory failed in cell \d+: RuntimeError: on purpose .*_build/failed/theory\.ipynb", line)
    assert (minibook.folder / "_build/failed/theory.ipynb").exists()
    assert (minibook.folder / "_build/html/book/theory.html").read_bytes() == page


def test_a_repository_brings_launch_links_and_notebooks_to_the_chapters_with_code(minibook):
    config = minibook.folder / "_config.yml"
    plain = config.read_text()
    refused = minibook.make("notebooks")
    assert refused.returncode == 2
    assert refused.stderr.startswith("betavae: repository_url in _config.yml is empty")
    try:
        config.write_text(plain.replace('repository_url: ""', "repository_url: https://github.com/some/where"))
        assert minibook.make("book").returncode == 0
        html = (minibook.folder / "_build/html/book/analytical.html").read_text()
        assert "https://mybinder.org/v2/gh/some/where/HEAD?urlpath=notebooks%2Fbook%2Fanalytical.md" in html
        assert "https://colab.research.google.com/github/some/where/blob/notebooks/analytical.ipynb" in html
        assert "mybinder" not in (minibook.folder / "_build/html/book/intro.html").read_text()
        done = minibook.make("notebooks")
    finally:
        config.write_text(plain)
    written = [os.path.basename(line) for line in done.stdout.splitlines()]
    assert written == ["theory.ipynb", "analytical.ipynb", "claims.ipynb"]
    first = json.loads((minibook.folder / "_build/notebooks/analytical.ipynb").read_text())["cells"][0]["source"]
    assert "git clone --quiet --depth 1 https://github.com/some/where" in "".join(first)


def test_plain_jupyter_book_build_works_too(minibook):
    tool = os.path.join(os.path.dirname(sys.executable), "jupyter-book")
    done = subprocess.run([tool, "build", "."], capture_output=True, text=True, cwd=minibook.folder)
    assert done.returncode == 0, done.stderr
    assert "The analytically tractable" in minibook.page("_build/html/book/analytical.html")
