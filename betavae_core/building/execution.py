"""Execute one chapter: text notebook → jupytext → papermill → executed notebook, where its content has changed.

A chapter runs again when its hash changes: its text, the package, its parameters, the data, the lock and the
Python version.
"""

import contextlib
import hashlib
import json
import os
import sys
import time
from pathlib import Path

from betavae_core import paths
from betavae_core.building import chapters
from betavae_core.errors import BuildError
from betavae_core.files import write_text
from betavae_core.paths import BUILD, CHAPTERS, EXECUTED, PACKAGE

LAST = ("claims", "reproduce")  # executed after the others, whose records they read


def digest(chapter: str, values: dict, records: list[Path]) -> str:
    """Content hash of everything that an execution of the chapter depends on."""
    parts = [CHAPTERS / f"{chapter}.md", paths.ROOT / "requirements.lock", paths.BENCH, paths.digits(), *records]
    parts += sorted(PACKAGE.rglob("*.py")) + sorted(paths.published_store().glob("*.nc"))
    working = sorted(file.name for file in paths.working_store().glob("*/*.nc"))  # names that stand for contents
    state = hashlib.sha256(json.dumps([sys.version, values, working], sort_keys=True).encode())
    for part in parts:
        name = part.relative_to(PACKAGE) if part.is_relative_to(PACKAGE) else part.name
        state.update(str(name).encode() + (part.read_bytes() if part.exists() else b"absent"))
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
    write_text(target, json.dumps(source, indent=1, ensure_ascii=False, sort_keys=True))
    known = {"chapter": chapter, "seconds": round(seconds, 1), "parameters": values, "digest": key}
    write_text(record, json.dumps(known))


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
                cwd=str(paths.ROOT),
            )
    except papermill.PapermillExecutionError as error:
        raise BuildError(
            f"chapter {chapter} failed in cell {error.exec_count}: {error.ename}: {error.evalue} "
            f"(partial notebook: {partial.relative_to(paths.ROOT)})"
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
    stage = stage or paths.stage() or EXECUTED
    files = [stage / "book" / f"{chapter}.json" for chapter in chapters.names()]
    return [json.loads(file.read_text()) for file in files if file.exists()]
