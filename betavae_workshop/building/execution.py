"""Bring executed chapters up to date: those whose content has changed run again, side by side.

A chapter's content is its text, what its code can reach of the package and of the data, its parameters, the lock, the
Python version and what else could change a number (`environment.decisive`).
"""

import contextlib
import hashlib
import json
import math
import os
import sys
from pathlib import Path

from betavae_core import built, files, paths
from betavae_core.errors import BuildError, UsageError
from betavae_core.findings import claims
from betavae_core.paths import CHAPTERS, EXECUTED
from betavae_workshop import environment
from betavae_workshop.building import chapters, kept, parameters, processes
from betavae_workshop.building.chapters import LAST, QUOTING
from betavae_workshop.building.processes import Job
from betavae_workshop.building.progress import Progress

KINDS = (".ipynb", ".claims.json", ".json")  # an execution leaves a notebook, verdicts if it has some, and its record
SECONDS = paths.DATA / "seconds.json"  # of each chapter; `python -m betavae_workshop.building.execution` writes it
HANDED = ("rates.py", "speed.py")  # of the workshop, whose tables the chapters that quote are handed


def digest(chapter: str, values: dict, records: list[Path]) -> str:
    """Content hash of everything that an execution of the chapter depends on: what its code can reach, and no more."""
    reached = chapters.reach(chapter)
    parts = [CHAPTERS / f"{chapter}.md", paths.ROOT / "requirements.lock", *records, *reached.modules]
    for name, found in DATA.items():
        parts += found() if name in reached.mentioned else []
    stored = paths.working_store().glob("*/*.nc") if "working_store" in reached.mentioned else ()
    working = sorted((file.name, _seal(file)) for file in stored)
    return kept.digest([sys.version, environment.decisive(), values, working], parts)


def _seal(file: Path) -> str:
    """The SHA-256 at the end of a stored network, which stands for its content; "" if it cannot be read."""
    with contextlib.suppress(OSError), open(file, "rb") as handle:
        handle.seek(max(handle.seek(0, os.SEEK_END) - files.SEAL, 0))
        return handle.read().hex()
    return ""


def _published(kinds: tuple[str, ...]) -> list[Path]:
    return sorted(file for file in paths.published_store().rglob("*") if file.suffix in kinds)


DATA = {  # files behind the names of `paths` that code may mention
    "DATA": lambda: sorted(file for file in paths.DATA.rglob("*") if file.is_file()),
    "BENCH": lambda: [paths.BENCH],
    "TRIALS": lambda: [paths.TRIALS],
    "CALIBRATION": lambda: [paths.CALIBRATION],
    "GPU": lambda: [paths.GPU],
    "PREDICTIONS": lambda: sorted(paths.PREDICTIONS.glob("*.json")),
    "digits": lambda: [paths.digits()],
    "published_store": lambda: _published((".nc",)),
    "atlases": lambda: _published((".json", ".webp")),
}


def bring_up_to_date(wanted: dict[str, dict], stage: Path, report=print, limit: int | None = None) -> None:
    """Execute those chapters in `stage` whose content has changed, each with its parameters, `limit` at a time.

    BuildError has a line for each chapter that failed; its last good execution stays in place. UsageError, before
    anything runs, if networks that a chapter shows are not stored.
    """
    (stage / "book").mkdir(parents=True, exist_ok=True)
    with Progress(list(wanted), report) as progress:
        for group in ([name for name in wanted if name not in QUOTING], *LAST):
            jobs = [Job(name, wanted[name], digest_of(name, wanted[name], stage)) for name in group if name in wanted]
            left = [job for job in jobs if not _is_told_done(job, stage, progress)]
            work = [job for job in left if chapters.has_code(job.chapter)]
            for job in work:
                require_networks(job.chapter, job.values)
            for job in left:
                claims.pending(job.chapter, stage).unlink(missing_ok=True)  # of an execution that failed
            if group not in LAST:
                progress.planned([job.chapter for job in work], [name for name in QUOTING if name in wanted])
            elif work:
                _tell_those_that_quote(stage)
            for job in left:
                if job not in work:
                    keep(job, chapters.notebook(job.chapter), 0.0, stage)
                    progress.ended(job.chapter, "text only")
            failures = processes.execute(_longest_first(work, stage), stage, progress, limit)
            if failures:
                raise BuildError("\n".join(failures[name] for name in wanted if name in failures))


def require_networks(chapter: str, values: dict) -> None:
    """Refuse a chapter, in one line, whose networks are not stored: it needs a whole realization of all that it names.

    UsageError names the command that trains them.
    """
    if not (needed := parameters.needs(chapter)):
        return
    from betavae_core.images import experiments  # they take as long to load as all else
    from betavae_core.results import planning
    from betavae_workshop.sweeping import survey

    for name, supplement in needed:
        profile = "published" if supplement else values.get("profile", "published")
        members = planning.plan(name, profile, supplement=supplement)
        if not supplement and not {*experiments.experiment(name).betas} <= {member.beta for member in members}:
            some = ", ".join(f"{beta:g}" for beta in sorted({member.beta for member in members}))
            raise UsageError(f"chapter {chapter} shows {name} at every β; profile {profile} has {some} alone")
        if not survey.whole(members):
            digits = f" of the digits in {paths.digits()}" if paths.digits() != paths.EMBEDDED_DIGITS else ""
            shown = f"{name} ({supplement})" if supplement else name
            raise UsageError(
                f"chapter {chapter} shows networks of {shown}, and no realization{digits} is stored with every β; "
                f"`betavae sweep {name} --profile {profile}` trains them"
            )


def _tell_those_that_quote(stage: Path) -> None:
    """Write what `betavae_core.built` reads: names, parameters and run times of the other chapters, tables of rates."""
    from betavae_workshop import rates, speed  # they take as long to load as all else

    told = []
    for name in chapters.names():
        known = {} if name in QUOTING else _record(name, stage)
        given = parameters.defaults(name) | known.get("parameters", {})
        told.append({"chapter": name, "quotes": name in QUOTING, "parameters": given, "seconds": known.get("seconds")})
    files.write_text(stage / built.FILE, json.dumps({"chapters": told, "speed": speed.told(), "rates": rates.told()}))


def digest_of(chapter: str, values: dict, stage: Path) -> str:
    """`digest` of a chapter of the book, which may depend on what others of a stage have recorded."""
    if chapter not in QUOTING:
        return digest(chapter, values, [])
    others = [name for name in chapters.names() if name not in QUOTING]
    kinds = (".json", ".claims.json") if chapters.quotes_runs(chapter) else (".claims.json",)
    records = [_file(stage, name, kind) for name in others for kind in kinds]
    return digest(chapter, values, [*records, *(paths.ROOT / "betavae_workshop" / name for name in HANDED)])


def _is_told_done(job: Job, stage: Path, progress: Progress) -> bool:
    """Whether a chapter is up to date, or was executed so before; then that is told."""
    if _is_current(job, stage):
        progress.ended(job.chapter, "up to date")
        return True
    if _restored(job, stage):
        progress.ended(job.chapter, "as executed before")
        return True
    return False


def _is_current(job: Job, stage: Path) -> bool:
    known = _record(job.chapter, stage)
    return known.get("digest") == job.digest and known.get("files") == _checksums(job.chapter, stage)


def _restored(job: Job, stage: Path) -> bool:
    """Whether a chapter was executed like this before and is whole, and now lies in the stage again."""
    found = kept.restore(job.chapter, job.digest, stage / "book")
    if not found:
        return False
    for kind in KINDS:
        if (file := _file(stage, job.chapter, kind)) not in found:
            file.unlink(missing_ok=True)
    return _is_current(job, stage)


def _longest_first(jobs: list[Job], stage: Path) -> list[Job]:
    """In the order of what chapters took last time, here or where `SECONDS` was published; those never timed first."""
    published = chapters.parsed(SECONDS) or {}

    def seconds(job: Job) -> float:
        return _record(job.chapter, stage).get("seconds") or published.get(job.chapter, math.inf)

    return sorted(jobs, key=seconds, reverse=True)


def _file(stage: Path, chapter: str, kind: str) -> Path:
    return stage / "book" / f"{chapter}{kind}"


def _record(chapter: str, stage: Path) -> dict:
    """What is known of a chapter's last execution; {} if there is none, or no whole one."""
    found = chapters.parsed(_file(stage, chapter, ".json"))
    return found if isinstance(found, dict) else {}


def keep(job: Job, notebook, seconds: float, stage: Path) -> None:
    """Write an executed chapter, with its verdicts if it recorded some, and then what is known of its execution.

    A job without a digest is of no content that could be told: the chapter runs again next time.
    """
    target = _file(stage, job.chapter, ".ipynb")
    files.write_text(target, json.dumps(notebook, indent=1, ensure_ascii=False, sort_keys=True))
    verdicts, recorded = claims.file(job.chapter, stage), claims.pending(job.chapter, stage)
    os.replace(recorded, verdicts) if recorded.exists() else verdicts.unlink(missing_ok=True)
    known = {"chapter": job.chapter, "seconds": round(seconds, 1), "parameters": job.values, "digest": job.digest}
    known["files"] = _checksums(job.chapter, stage)
    files.write_text(_file(stage, job.chapter, ".json"), json.dumps(known))
    left = (_file(stage, job.chapter, kind) for kind in KINDS)
    if job.digest:
        kept.keep(job.chapter, job.digest, [file for file in left if file.exists()])


def _checksums(chapter: str, stage: Path) -> dict[str, str]:
    """SHA-256 of what an execution leaves beside its record: the notebook, and verdicts if it has some."""
    left = [_file(stage, chapter, kind) for kind in (".ipynb", ".claims.json")]
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in left if file.exists()}


def require_whole(stage: Path) -> None:
    """UsageError naming the files of executed chapters that are gone, or no longer what their execution wrote."""
    damaged = []
    for chapter in chapters.names():
        there = _checksums(chapter, stage)
        recorded = _record(chapter, stage).get("files", there)
        damaged += [name for name in recorded if there.get(name) != recorded[name]]
        damaged += [name for name in set(there) - set(damaged) if chapters.parsed(stage / "book" / name) is None]
    if damaged:
        told = ", ".join(str(stage / "book" / name) for name in damaged)
        raise UsageError(f"damaged or gone: {told}; `make book` executes their chapters again")


def notebook(chapter: str) -> dict:
    """A chapter's notebook as it was executed last; its text alone if it never was, or if that is damaged."""
    return chapters.parsed(_file(EXECUTED, chapter, ".ipynb")) or chapters.notebook(chapter)


if __name__ == "__main__":
    took = {name: _record(name, EXECUTED).get("seconds") for name in chapters.names()}
    files.write_text(SECONDS, json.dumps({name: each for name, each in took.items() if each}, indent=1) + "\n")
