"""Execute the chapters whose content has changed, then render the book.

book/x.md → jupytext → papermill → _build/executed/book/x.ipynb → jupyter-book → _build/html

HTML is rendered anew each time and takes the place of the last pages only when it is whole.
"""

import contextlib
import fcntl
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from betavae_core.building import chapters, execution, parameters
from betavae_core.errors import BuildError, UsageError
from betavae_core.paths import BUILD, CHAPTERS, EXECUTED, ROOT


def build(report=print, builder: str = "html", profile: str = "published") -> Path:
    """Execute what has changed, in reading order, and render the book into _build/<builder>; returns its first page."""
    with _only_build():
        stage = _executed(report, profile)
        return _render(stage, BUILD / builder, builder)


def render() -> Path:
    """Render the chapters as they were executed last into _build/html; returns its first page.

    Raises
    ------
    UsageError
        if a chapter has not been executed.
    """
    stage = EXECUTED
    missing = [name for name in chapters.names() if not (stage / "book" / f"{name}.ipynb").exists()]
    if missing:
        raise UsageError(f"not executed yet: {', '.join(missing)}; `make book` does both")
    with _only_build():
        _stage_assets(stage)
        return _render(stage, BUILD / "html")


def build_variant(chapter: str, values: dict, report=print) -> Path:
    """Execute one chapter with other parameters and render the book with it into a folder of its own.

    The other chapters are brought up to date as for `build`; `_build/html` is not touched. Returns the page.
    """
    folder = BUILD / "variants" / variant_name(chapter, values)
    with _only_build():
        base, stage = _executed(report), folder / "executed"
        for file in (base / "book").glob("*.*"):
            if file.is_file() and file.stem != chapter:
                (stage / "book").mkdir(parents=True, exist_ok=True)
                shutil.copyfile(file, stage / "book" / file.name)
        _stage_assets(stage)
        execution.execute(chapter, values, stage, report)
        return _render(stage, folder / "html").parent / "book" / f"{chapter}.html"


def variant_name(chapter: str, values: dict) -> str:
    """Short folder name for a chapter's parameters, such as analytical-beta=4; a hash where they are long."""
    settings = ",".join(f"{k}={str(v).removesuffix('.0')}" for k, v in values.items())
    if not values:
        return chapter
    if len(settings) > 48 or not re.fullmatch(r"[\w.,=+-]+", settings, re.ASCII):
        settings = hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:12]
    return f"{chapter}-{settings}"


def _executed(report, profile: str = "published") -> Path:
    stage, names = EXECUTED, chapters.names()
    _stage_assets(stage)
    for stale in (stage / "book").glob("*.ipynb"):
        if stale.stem not in names:
            stale.unlink()
            stale.with_suffix(".json").unlink(missing_ok=True)
            stale.with_suffix(".claims.json").unlink(missing_ok=True)
    for chapter in sorted(names, key=lambda name: name in execution.LAST):
        asked = {"profile": profile} if profile != parameters.defaults(chapter).get("profile", profile) else {}
        execution.execute(chapter, asked, stage, report)
    return stage


def _stage_assets(stage: Path) -> None:
    (stage / "book").mkdir(parents=True, exist_ok=True)
    shutil.rmtree(stage / "book" / "static", ignore_errors=True)
    shutil.copytree(CHAPTERS / "static", stage / "book" / "static")
    shutil.copyfile(CHAPTERS / "references.bib", stage / "book" / "references.bib")


def _render(stage: Path, target: Path, builder: str = "html") -> Path:
    """Run jupyter-book with warnings as errors; put the pages in place only when they are whole."""
    scratch = BUILD / f"render-{os.getpid()}"
    _restore(target)  # a build was killed between two moves
    command = [Path(sys.executable).with_name("jupyter-book"), "build", stage, "--path-output", scratch]
    command += [
        "--config",
        ROOT / "_config.yml",
        "--toc",
        ROOT / "_toc.yml",
        "--all",
        "-W",
        "-n",
        "--keep-going",
        "--builder",
        builder,
    ]
    try:
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            warnings = [s for s in (done.stderr + done.stdout).splitlines() if re.search("WARNING|ERROR|rror:", s)]
            raise BuildError("rendering failed:\n" + "\n".join(dict.fromkeys(warnings or [done.stderr])))
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.exists():
            os.replace(target, _last(target))
        os.replace(scratch / "_build" / builder, target)
    finally:
        _restore(target)
        shutil.rmtree(scratch, ignore_errors=True)
    return target / "index.html"


def _last(target: Path) -> Path:
    """Where the last good pages lie for the moment in which new ones take their place."""
    return target.with_name(f".{target.name}-last")


def _restore(target: Path) -> None:
    """Put the last good pages back if nothing has taken their place, else drop them."""
    if _last(target).exists() and not target.exists():
        os.replace(_last(target), target)
    shutil.rmtree(_last(target), ignore_errors=True)


@contextlib.contextmanager
def _only_build():
    """One build at a time in this folder; a second one waits. What a killed one left behind is swept away."""
    BUILD.mkdir(exist_ok=True)
    with open(BUILD / ".lock", "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("another build is running here; waiting for it", file=sys.stderr)
            fcntl.flock(lock, fcntl.LOCK_EX)
        for stale in BUILD.glob("render-*"):
            shutil.rmtree(stale, ignore_errors=True)
        yield
