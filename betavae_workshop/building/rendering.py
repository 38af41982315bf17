"""Executed chapters to pages: jupyter-book in a process of its own, and its pages in place only when they are whole."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from betavae_core import files
from betavae_core.errors import BuildError
from betavae_core.paths import BUILD, CHAPTERS, PACKAGE, ROOT
from betavae_workshop import environment
from betavae_workshop.building import kept

CONFIG, CONTENTS = ROOT / "_config.yml", ROOT / "_toc.yml"
MADE_FROM = ".made-from"  # beside the pages: the hash of what they were rendered from


def is_current(stage: Path, target: Path, chapter: str | None = None) -> bool:
    """Whether the pages in `target`, all of them or that of a chapter, were rendered from what is in `stage` now."""
    record = target / MADE_FROM
    return record.exists() and record.read_text() == _digest(stage, chapter)


def render(stage: Path, target: Path, builder: str = "html") -> Path:
    """Render the whole book, with warnings as errors; returns its first page."""
    restore(target)  # a build was killed between two moves
    command = [Path(sys.executable).with_name("jupyter-book"), "build", stage, "--path-output", _scratch()]
    command += ["--config", CONFIG, "--toc", CONTENTS, "--builder", builder, "--all", "-W", "-n", "--keep-going"]
    try:
        _run(command)
        pages = _scratch() / "_build" / builder
        files.write_text(pages / MADE_FROM, _digest(stage))
        _put_in_place(pages, target)
    finally:
        restore(target)
        shutil.rmtree(_scratch(), ignore_errors=True)
    return target / "index.html"


def render_page(stage: Path, target: Path, chapter: str) -> Path:
    """Render one chapter's page, with the others in `stage` read for its references only; returns the page.

    Warnings are let pass: the numbers of a chapter that has not been executed are missing.
    """
    pages = _scratch() / "html"
    try:
        _run([sys.executable, "-m", __name__, stage, pages, stage / "book" / f"{chapter}.ipynb"])
        files.write_text(pages / MADE_FROM, _digest(stage, chapter))
        _put_in_place(pages, target)
    finally:
        restore(target)
        shutil.rmtree(_scratch(), ignore_errors=True)
    return target / "book" / f"{chapter}.html"


def restore(target: Path) -> None:
    """Put the last good pages back if nothing has taken their place, else drop them."""
    if _last(target).exists() and not target.exists():
        os.replace(_last(target), target)
    shutil.rmtree(_last(target), ignore_errors=True)


def _put_in_place(pages: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.exists():
        os.replace(target, _last(target))
    os.replace(pages, target)


def _last(target: Path) -> Path:
    """Where the last good pages lie for the moment in which new ones take their place."""
    return target.with_name(f".{target.name}-last")


def _scratch() -> Path:
    return BUILD / f"render-{os.getpid()}"


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
        warnings = [s for s in (done.stderr + done.stdout).splitlines() if re.search("WARNING|ERROR|rror:", s)]
        raise BuildError("rendering failed:\n" + "\n".join(dict.fromkeys(warnings or [done.stderr])))


def _build_page(stage: Path, pages: Path, source: Path) -> int:
    """What `jupyter-book build` does, for one source of the book; its command line takes all or none."""
    from jupyter_book.sphinx import build_sphinx

    settings = {"external_toc_path": str(CONTENTS), "latex_individualpages": False}
    options = {"noconfig": True, "path_config": CONFIG, "confoverrides": settings, "filenames": [str(source)]}
    return build_sphinx(stage, pages, **options)  # an exception where it could not


if __name__ == "__main__":
    code = _build_page(*map(Path, sys.argv[1:]))
    sys.exit(code if isinstance(code, int) else 1)
