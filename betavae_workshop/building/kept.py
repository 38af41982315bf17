"""Executions of chapters, kept by the hash of all that they depend on: what was executed once is not executed again.

Undoing a word, or going back to a branch, finds what was executed then; a page at another β finds what it was made of.
"""

import contextlib
import hashlib
import json
import os
import shutil
from pathlib import Path

from betavae_core import paths

LAST, MOST = 6, 200 * 2**20  # executions of a chapter, the last ones; bytes of all together


def _folder(chapter: str, digest: str) -> Path:
    return paths.BUILD / "kept" / chapter / digest[:32]


def keep(chapter: str, digest: str, files: list[Path]) -> None:
    """Keep the files of an execution; what is too much, the oldest first, goes. A full disk is no reason to fail."""
    target = _folder(chapter, digest)
    partial = target.with_name(f".{target.name}.{os.getpid()}")
    with contextlib.suppress(OSError):
        shutil.rmtree(target, ignore_errors=True)
        partial.mkdir(parents=True)
        for file in files:
            shutil.copyfile(file, partial / file.name)
        os.replace(partial, target)
        _prune()
    shutil.rmtree(partial, ignore_errors=True)


def restore(chapter: str, digest: str, folder: Path) -> list[Path]:
    """Put the files of an execution into a folder; returns them, none if it is not kept."""
    source, found = _folder(chapter, digest), []
    with contextlib.suppress(OSError):
        for file in sorted(source.iterdir()):
            found.append(Path(shutil.copyfile(file, folder / file.name)))
        os.utime(source)  # used last now
    return found


def _prune() -> None:
    """Remove what is beyond the last few of each chapter, then the oldest while all take too much."""
    kept = [_newest_first(chapter) for chapter in (paths.BUILD / "kept").iterdir()]
    for each in kept:
        for old in each[LAST:]:
            shutil.rmtree(old, ignore_errors=True)
    left = sorted((e for each in kept for e in each[:LAST]), key=lambda e: e.stat().st_mtime_ns)
    sizes = [sum(file.stat().st_size for file in execution.iterdir()) for execution in left]
    while sum(sizes) > MOST and len(left) > 1:
        shutil.rmtree(left.pop(0), ignore_errors=True)
        sizes.pop(0)


def _newest_first(chapter: Path) -> list[Path]:
    whole = [execution for execution in chapter.iterdir() if not execution.name.startswith(".")]
    return sorted(whole, key=lambda execution: execution.stat().st_mtime_ns, reverse=True)


def digest(settings: list, parts: list[Path]) -> str:
    """Content hash of settings and files; one counts with its path in the project, or its name if it was built."""
    state = hashlib.sha256(json.dumps(settings, sort_keys=True).encode())
    for part in parts:
        ours = part.is_relative_to(paths.ROOT) and not part.is_relative_to(paths.BUILD)
        name = part.relative_to(paths.ROOT) if ours else part.name
        state.update(str(name).encode() + (part.read_bytes() if part.exists() else b"absent"))
    return state.hexdigest()
