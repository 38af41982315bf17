"""Execute the chapters whose content has changed, then render the book.

book/x.md → jupytext → papermill → _build/executed/book/x.ipynb → jupyter-book → _build/html

A chapter runs again when its hash changes: its text, the package, its parameters, the data, the lock and the
Python version. HTML is rendered anew each time and takes the place of the last pages only when it is whole.
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
import time
from pathlib import Path

from betavae_core import chapters
from betavae_core.chapters import ROOT
from betavae_core.errors import BuildError, UsageError

BUILD = ROOT / "_build"
LAST = ("claims", "reproduce")  # executed after the others, whose records they read


def digest(chapter: str, values: dict, records: list[Path]) -> str:
    """Content hash of everything that an execution of the chapter depends on."""
    from betavae_core import digits, store

    parts = [ROOT / "book" / f"{chapter}.md", ROOT / "requirements.lock", ROOT / "data" / "bench.json", digits.path()]
    parts += sorted((ROOT / "betavae_core").glob("*.py"))
    parts += sorted((ROOT / "data" / "results").glob("*.nc")) + records
    working = sorted(file.name for file in store.folder().glob("*/*.nc"))  # names that stand for contents
    state = hashlib.sha256(json.dumps([sys.version, values, working], sort_keys=True).encode())
    for part in parts:
        state.update(part.name.encode() + (part.read_bytes() if part.exists() else b"absent"))
    return state.hexdigest()


def execute(chapter: str, values: dict, stage: Path, report=print) -> None:
    """Bring one executed chapter in `stage` up to date; a failed run leaves the last good one in place."""
    target = stage / "book" / f"{chapter}.ipynb"
    record = target.with_suffix(".json")
    others = [stage / "book" / f"{c}{kind}.json" for c in chapters.names() if c not in LAST for kind in ("", ".claims")]
    key = digest(chapter, values, others if chapter in LAST else [])
    with contextlib.suppress(OSError, ValueError):
        if target.exists() and json.loads(record.read_text())["digest"] == key:
            report(f"{chapter}: up to date")
            return
    target.parent.mkdir(parents=True, exist_ok=True)
    source, seconds = chapters.notebook(chapter), 0.0
    if any(cell.cell_type == "code" for cell in source.cells):
        started = time.perf_counter()
        source = _run(chapter, source, values, stage)
        seconds = time.perf_counter() - started
        report(f"{chapter}: executed in {seconds:.1f} s")
    else:
        report(f"{chapter}: text only")
    _write(target, json.dumps(source, indent=1, ensure_ascii=False, sort_keys=True))
    _write(
        record,
        json.dumps({"chapter": chapter, "seconds": round(seconds, 1), "parameters": values, "digest": key}),
    )


def _run(chapter: str, source, values: dict, stage: Path):
    import papermill

    partial = BUILD / "failed" / f"{chapter}.ipynb"
    partial.parent.mkdir(parents=True, exist_ok=True)
    # NumPy's BLAS spins when cores are shared; TensorFlow keeps its own threads
    os.environ.update(BETAVAE_STAGE=str(stage), TF_CPP_MIN_LOG_LEVEL="3", OPENBLAS_NUM_THREADS="1")
    try:
        with _kernels_log_to(BUILD / "kernels.log"):
            done = papermill.execute_notebook(
                source,
                str(partial),
                values,
                kernel_name="python3",
                progress_bar={"desc": chapter} if sys.stderr.isatty() else False,
                cwd=str(ROOT),
            )
    except papermill.PapermillExecutionError as error:
        raise BuildError(
            f"chapter {chapter} failed in cell {error.exec_count}: {error.ename}: {error.evalue} "
            f"(partial notebook: {partial.relative_to(ROOT)})"
        ) from None
    partial.unlink()
    return _tidied(chapter, done)


@contextlib.contextmanager
def _kernels_log_to(file: Path):
    """Send what child processes write on standard error (TensorFlow's start-up lines) to a file; ours stays."""
    ours, terminal = sys.stderr, os.dup(2)
    with open(file, "a") as log, os.fdopen(terminal, "w", buffering=1) as sys.stderr:
        os.dup2(log.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(terminal, 2)
            sys.stderr = ours


def _tidied(chapter: str, done):
    """The executed notebook without what differs from run to run, and with the injected cell hidden like its model."""
    tags = next((c.metadata.tags for c in done.cells if "parameters" in c.metadata.get("tags", [])), [])
    done.metadata.pop("papermill", None)
    for i, cell in enumerate(done.cells):
        cell.id = f"{chapter}-{i}"
        cell.metadata.pop("papermill", None)
        cell.metadata.pop("execution", None)
        if "injected-parameters" in cell.metadata.get("tags", []):
            cell.metadata.tags += [tag for tag in tags if tag != "parameters"]
        if cell.cell_type == "code":
            cell.outputs = [o for o in cell.outputs if o.get("name") != "stderr"]
    return done


def records(stage: Path | None = None) -> list[dict]:
    """What is known of each executed chapter: name, seconds, parameters, digest; in reading order."""
    stage = stage or Path(os.environ.get("BETAVAE_STAGE", BUILD / "executed"))
    files = [stage / "book" / f"{chapter}.json" for chapter in chapters.names()]
    return [json.loads(file.read_text()) for file in files if file.exists()]


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
    stage = BUILD / "executed"
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
        execute(chapter, values, stage, report)
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
    stage, names = BUILD / "executed", chapters.names()
    _stage_assets(stage)
    for stale in (stage / "book").glob("*.ipynb"):
        if stale.stem not in names:
            stale.unlink()
            stale.with_suffix(".json").unlink(missing_ok=True)
            stale.with_suffix(".claims.json").unlink(missing_ok=True)
    for chapter in sorted(names, key=lambda name: name in LAST):
        asked = {"profile": profile} if profile != chapters.parameters(chapter).get("profile", profile) else {}
        execute(chapter, asked, stage, report)
    return stage


def _stage_assets(stage: Path) -> None:
    (stage / "book").mkdir(parents=True, exist_ok=True)
    shutil.rmtree(stage / "book" / "static", ignore_errors=True)
    shutil.copytree(ROOT / "book" / "static", stage / "book" / "static")
    shutil.copyfile(ROOT / "book" / "references.bib", stage / "book" / "references.bib")


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


def _write(file: Path, text: str) -> None:
    partial = file.with_name(f".{file.name}-{os.getpid()}")
    partial.write_text(text, encoding="utf-8")
    os.replace(partial, file)


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
