"""Executed chapters to pages: jupyter-book in a process of its own, and its pages in place only when they are whole.

Sphinx can go on from what it read last if sources and output lie where they lay then. So all pages are made in one
place, and what it read of the book is kept. Pages that differ by a chapter cost a fifth of a whole rendering.
"""

import contextlib
import gc
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from betavae_core import files
from betavae_core.errors import BuildError, UsageError, first_line
from betavae_core.paths import BUILD, CHAPTERS, PACKAGE, ROOT
from betavae_workshop import environment
from betavae_workshop.building import chapters, kept

CONFIG, CONTENTS = ROOT / "_config.yml", ROOT / "_toc.yml"
SCRATCH = BUILD / "render-here"  # where pages are made
READ = BUILD / "read"  # what Sphinx read of the book: documents, and pictures that stand in notebooks
MADE_FROM = ".made-from"  # beside the pages, and in `READ`: the hash of what they were rendered from, and their sizes


def is_current(stage: Path, target: Path, chapter: str | None = None) -> bool:
    """Whether the pages in `target`, all or a chapter's, are whole, and were rendered from what is in `stage` now."""
    record = target / MADE_FROM
    return record.exists() and {*record.read_text(encoding="utf-8").split("\n")} <= {*_lines(target, stage, chapter)}


def require_readable() -> None:
    """UsageError, before a chapter runs in vain, where what all pages share cannot be read."""
    from pybtex.database import parse_file
    from pybtex.exceptions import PybtexError

    chapters.names()
    chapters.settings(CONFIG)
    try:
        parse_file(CHAPTERS / "references.bib")
    except (PybtexError, OSError, UnicodeError) as error:
        raise UsageError(f"{CHAPTERS / 'references.bib'} cannot be read: {first_line(error)}") from None


def render(stage: Path, target: Path, builder: str = "html") -> Path:
    """Render the whole book, with warnings as errors; returns its first page."""
    with _into(target):
        program = f"import gc; gc.set_threshold{environment.SELDOM}; from jupyter_book.cli.main import main; main()"
        command = [sys.executable, "-c", program, "build", _source(stage), "--path-output", SCRATCH]
        command += ["--builder", builder, "--config", CONFIG, "--toc", CONTENTS]
        _run([*command, "--all", "-W", "-n", "--keep-going"])
        _put_in_place(SCRATCH / "_build" / builder, target, stage)
        if builder == "html":
            _mark(SCRATCH / "_build", stage)
            shutil.rmtree(READ, ignore_errors=True)
            os.replace(SCRATCH / "_build", READ)
    return target / "index.html"


def render_changes(stage: Path, names: list[str], pages: Path, target: Path) -> Path:
    """Render the pages of some chapters of a stage, by which it differs from that of `pages`; take over the others.

    Warnings are errors. Returns the first page. The same bytes as `render`, for a fifth of its time.

    `pages` : of a stage of which `READ` is, too
    """
    made, whole = SCRATCH / "_build/html", SCRATCH / "whole"
    with _into(target):
        source = _source(stage, names)
        shutil.copytree(READ, SCRATCH / "_build")
        made.mkdir()
        shutil.copyfile(pages / "searchindex.js", made / "searchindex.js")  # Sphinx adds to it
        if names:  # Sphinx would take none for all
            changed = [source / "book" / f"{name}.ipynb" for name in names]
            _run([sys.executable, "-m", __name__, source, made, *changed])
        shutil.rmtree(made / "_static", ignore_errors=True)  # the same
        for folder in (pages, made):
            shutil.copytree(folder, whole, dirs_exist_ok=True)
        _put_in_place(whole, target, stage)
    return target / "index.html"


def _source(stage: Path, changed=()) -> Path:
    """A copy of what is rendered, as old as it is; chapters that have changed are as new as Sphinx expects."""
    source = SCRATCH / "source"
    shutil.copytree(stage / "book", source / "book", ignore=shutil.ignore_patterns("*.json"))
    for name in changed:
        (source / "book" / f"{name}.ipynb").touch()
    return source


def render_page(stage: Path, target: Path, chapter: str) -> Path:
    """Render one chapter's page, with the others in `stage` read for its references only; returns the page.

    Warnings are let pass: the numbers of a chapter that has not been executed are missing.
    """
    pages, source = SCRATCH / "html", stage / "book" / f"{chapter}.ipynb"
    with _into(target):
        _run([sys.executable, "-m", __name__, "--lenient", stage, pages, source])
        _put_in_place(pages, target, stage, chapter)
    return target / "book" / f"{chapter}.html"


@contextlib.contextmanager
def _into(target: Path):
    """While pages are made: whatever is killed or fails before they are whole, the last good ones stay."""
    restore(target)
    try:
        yield
    finally:
        restore(target)
        shutil.rmtree(SCRATCH, ignore_errors=True)


def restore(target: Path) -> None:
    """Put the last good pages back if nothing has taken their place, else drop them."""
    if _last(target).exists() and not target.exists():
        os.replace(_last(target), target)
    shutil.rmtree(_last(target), ignore_errors=True)


def _put_in_place(pages: Path, target: Path, stage: Path, chapter: str | None = None) -> None:
    _mark(pages, stage, chapter)
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.exists():
        os.replace(target, _last(target))
    os.replace(pages, target)


def _mark(pages: Path, stage: Path, chapter: str | None = None) -> None:
    files.write_text(pages / MADE_FROM, "\n".join(_lines(pages, stage, chapter)))


def _lines(pages: Path, stage: Path, chapter: str | None) -> list[str]:
    """The hash of what pages are rendered from, then the size and name of each of their files."""
    there = sorted(file for file in pages.rglob("*") if file.is_file() and file.name != MADE_FROM)
    return [_digest(stage, chapter), *(f"{file.stat().st_size} {file.relative_to(pages)}" for file in there)]


def _last(target: Path) -> Path:
    """Where the last good pages lie for the moment in which new ones take their place."""
    return target.with_name(f".{target.name}-last")


def _digest(stage: Path, chapter: str | None = None) -> str:
    """Content hash of all that pages are rendered from; the package is on the page of the API."""
    parts = [CONFIG, CONTENTS, ROOT / "requirements.lock", *(CHAPTERS / "_ext").glob("*.py")]
    parts += [*PACKAGE.rglob("*.py"), *(ROOT / "betavae_workshop").rglob("*.py")]
    parts += [file for file in (stage / "book").rglob("*") if file.is_file() and not file.match("book/*.json")]
    return kept.digest([sys.version, chapter], sorted(parts))


def _run(command: list) -> None:
    with environment.clean() as variables:
        done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=variables)
    if done.returncode:
        if "No space left on device" in done.stderr + done.stdout:
            raise BuildError(f"rendering failed: no space is left for {BUILD}")
        raise BuildError("rendering failed:\n" + "\n".join(_wrong(done.stderr + done.stdout) or [done.stderr]))


def _wrong(output: str) -> list[str]:
    """The lines of Sphinx's that say what is wrong, each with the place in the chapter's text."""
    whole = re.sub(r"rror: *\n\s*", "rror: ", output)  # what is wrong, on a line of its own
    lines = dict.fromkeys(line for line in whole.splitlines() if re.search("WARNING|ERROR|rror: (?!===)", line))
    return [re.sub(r"\S*/book/([\w-]+)\.ipynb:(\d*)", _place, line) for line in lines]


def _place(named: re.Match) -> str:
    chapter, number = named.groups()
    return f"{CHAPTERS / chapter}.md:{chapters.line_of(chapter, int(number)) if number else ''}"


def _build_pages(stage: Path, pages: Path, *sources: Path, lenient: bool = False) -> int:
    """What `jupyter-book build` does, for some sources of the book; its command line takes all or none."""
    from jupyter_book.sphinx import build_sphinx

    settings = {"external_toc_path": str(CONTENTS), "latex_individualpages": False}
    options = {"noconfig": True, "path_config": CONFIG, "filenames": list(map(str, sources))}
    if not lenient:
        settings["nitpicky"] = True
        options |= {"warningiserror": True, "keep_going": True}
    return build_sphinx(stage, pages, confoverrides=settings, **options)  # an exception where it could not


if __name__ == "__main__":
    gc.set_threshold(*environment.SELDOM)
    lenient = "--lenient" in sys.argv
    code = _build_pages(*(Path(word) for word in sys.argv[1:] if word != "--lenient"), lenient=lenient)
    sys.exit(code if isinstance(code, int) else 1)
