"""Execute the chapters whose content has changed, then render the book.

book/x.md → jupytext → papermill → _build/executed/book/x.ipynb → jupyter-book → _build/html

Pages are rendered anew, all together, where anything that they are made of has changed.
"""

import contextlib
import filecmp
import hashlib
import json
import re
import shutil
import signal
from pathlib import Path

from betavae_core import paths
from betavae_core.errors import UsageError
from betavae_core.findings import claims
from betavae_core.images import digits
from betavae_core.paths import BUILD, CHAPTERS, EXECUTED
from betavae_workshop import pipes
from betavae_workshop.building import chapters, execution, parameters, rendering


def build(report=print, profile: str = "published", jobs: int | None = None, builder: str = "html") -> Path:
    """Execute what has changed, `jobs` chapters at a time, and render the book into _build/<builder>, one of Sphinx's.

    Returns its first page. Without `jobs`, as many chapters run at a time as there are cores.
    """
    digits.load()  # a file that is none is told now, not by the first chapter that draws, nor after another build
    with _only_build():
        return _rendered(_executed(report, profile, jobs), BUILD / builder, report, builder=builder)


def _rendered(stage: Path, target: Path, report, base: Path | None = None, builder: str = "html") -> Path:
    """Render a stage into `target` unless its pages are up to date; returns the first page.

    base : stage of the book proper; where its pages are up to date, only those that differ from them are rendered
    """
    rendering.restore(target)  # a build was killed between two moves
    if rendering.is_current(stage, target):
        report("pages: up to date")
        return target / "index.html"
    if base and all(rendering.is_current(base, kept) for kept in (BUILD / "html", rendering.READ)):
        files = {name: f"book/{name}.ipynb" for name in chapters.names()}
        changed = [name for name, file in files.items() if not filecmp.cmp(stage / file, base / file, shallow=False)]
        report(f"rendering the pages of {', '.join(changed) or 'no chapter'}")
        return rendering.render_changes(stage, changed, BUILD / "html", target)
    report("rendering the pages")
    return rendering.render(stage, target, builder)


def render() -> Path:
    """Render the chapters as they were executed last into _build/html; returns its first page.

    UsageError if a chapter has not been executed.
    """
    missing = [name for name in chapters.names() if not (EXECUTED / "book" / f"{name}.ipynb").exists()]
    if missing:
        raise UsageError(f"not executed yet: {', '.join(missing)}; `make book` does both")
    execution.require_whole(EXECUTED)
    with _only_build():
        _stage_assets(EXECUTED)
        return rendering.render(EXECUTED, BUILD / "html")


def build_variant(chapter: str, values: dict, report=print) -> Path:
    """Execute one chapter with other parameters and render the book with it into a folder of its own.

    The other chapters are brought up to date as for `build`; `_build/html` is not touched. Those that quote all
    verdicts are executed again if this one's are others. Run times are those of the book proper. Returns the page.
    """
    folder = BUILD / "variants" / variant_name(chapter, values)
    digits.load()
    execution.require_networks(chapter, values)
    with _only_build():
        base, stage = _executed(report), folder / "executed"
        _stage_assets(stage)
        quoting = [name for name in chapters.QUOTING if name in chapters.names() and not chapters.quotes_runs(name)]
        again = {name: {} for name in quoting} | {chapter: values}  # others stay as old as they are: see `rendering`
        for name in {*chapters.names()} - {*again}:
            claims.file(name, stage).unlink(missing_ok=True)  # the book proper may have none any more
        for file in (base / "book").glob("*.*"):
            if file.is_file() and file.name.split(".")[0] not in again:
                shutil.copy2(file, stage / "book" / file.name)
        execution.bring_up_to_date(again, stage, report)
        return _rendered(stage, folder / "html", report, base=base).parent / "book" / f"{chapter}.html"


def build_page(chapter: str, report=print) -> Path:
    """Execute one chapter, if it has changed, and render its page alone into _build/page/html; returns the page.

    The other chapters, as they were executed last or as text, are read for what this one refers to.
    """
    folder = BUILD / "page"
    stage = folder / "executed"
    digits.load()
    with _only_build():
        _stage_assets(EXECUTED)
        execution.bring_up_to_date({chapter: {}}, EXECUTED, report)
        _stage_assets(stage)
        for name in chapters.names():
            found = execution.notebook(name)
            text = json.dumps(found if name == chapter else _without_modules(found))
            (stage / "book" / f"{name}.ipynb").write_text(text)
        if rendering.is_current(stage, folder / "html", chapter):
            report("pages: up to date")
            return folder / "html" / "book" / f"{chapter}.html"
        report("rendering the page")
        return rendering.render_page(stage, folder / "html", chapter)


def _without_modules(notebook: dict) -> dict:
    """Without descriptions of the package's modules, which take a third of the time and which no chapter refers to."""
    described, named = re.compile(r"```\{eval-rst\}.*?```", re.DOTALL), re.compile(r"\{py:func\}(?=`)")
    for cell in notebook["cells"]:
        cell["source"] = described.sub("*Described in the book itself.*", named.sub("", cell["source"]))
    return notebook


def variant_name(chapter: str, values: dict) -> str:
    """Short folder name for a chapter's parameters, such as analytical-beta=4; a hash where they are long."""
    settings = ",".join(f"{k}={str(v).removesuffix('.0')}" for k, v in values.items())
    if not values:
        return chapter
    if len(settings) > 48 or not re.fullmatch(r"[\w.,=+-]+", settings, re.ASCII):
        settings = hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:12]
    return f"{chapter}-{settings}"


def _executed(report, profile: str = "published", jobs: int | None = None) -> Path:
    stage, names = EXECUTED, chapters.names()
    _stage_assets(stage)
    for stale in (stage / "book").glob("*.ipynb"):
        if stale.stem not in names:
            for kind in execution.KINDS:
                stale.with_suffix(kind).unlink(missing_ok=True)
    usual = {name: parameters.defaults(name).get("profile", profile) for name in names}
    wanted = {name: {} if usual[name] == profile else {"profile": profile} for name in names}
    execution.bring_up_to_date(wanted, stage, report, jobs)
    return stage


def _stage_assets(stage: Path) -> None:
    (stage / "book").mkdir(parents=True, exist_ok=True)
    shutil.rmtree(stage / "book" / "static", ignore_errors=True)
    _copy(CHAPTERS / "static", stage / "book" / "static")
    if paths.atlases().exists():  # pages load a sheet when it comes into view
        pictures = shutil.ignore_patterns("*.json", ".*")
        _copy(paths.atlases(), stage / "book" / "static" / "atlas", pictures)
    shutil.copy2(CHAPTERS / "references.bib", stage / "book" / "references.bib")


def _copy(source: Path, target: Path, ignore=None) -> None:
    try:
        shutil.copytree(source, target, ignore=ignore)
    except shutil.Error as error:  # a list of all that could not be copied, and why
        raise OSError(error.args[0][0][2]) from None


@contextlib.contextmanager
def _only_build():
    """One build at a time in this folder; a second one waits. What a killed one left behind is swept away."""
    rendering.require_readable()  # a fault is told before another build is waited for
    with pipes.alone(lambda: BUILD, "another build is running here; waiting for it"):
        for stale in BUILD.glob("render-*"):
            shutil.rmtree(stale, ignore_errors=True)
        before = signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends like Ctrl-C, in order
        try:
            yield
        finally:
            signal.signal(signal.SIGTERM, before)
