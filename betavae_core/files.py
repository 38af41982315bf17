"""Files that appear whole or not at all, and sealed ones whose bytes are checked before anything parses them."""

import hashlib
import os
import shutil
import socket
from pathlib import Path


class Damaged(ValueError):
    """A file that was read is not what was written; nothing else may be taken for damage."""


SEAL = 32  # bytes of SHA-256 behind the end of each sealed file; netCDF readers do not look there


def write(target: Path, content: bytes) -> None:
    """Write beside the target, flush to disk, move into place; sweep away what dead processes left behind."""
    remove_stale(target.parent)
    partial = target.with_name(f".{target.name}.{socket.gethostname()}.{os.getpid()}.partial")
    try:
        with open(partial, "wb") as handle:
            handle.write(content)
            os.fsync(handle.fileno())
        os.replace(partial, target)
    finally:
        partial.unlink(missing_ok=True)


def write_text(target: Path, text: str) -> None:
    """`write` for text, in UTF-8."""
    write(target, text.encode())


def write_sealed(target: Path, content: bytes) -> None:
    """`write` with the SHA-256 of the content behind it."""
    write(target, content + hashlib.sha256(content).digest())


def read_sealed(source: Path) -> bytes:
    """The content of a sealed file.

    Raises OSError if it cannot be read, which says nothing of its content; Damaged if it is not what was written.
    """
    whole = source.read_bytes()
    if hashlib.sha256(whole[:-SEAL]).digest() != whole[-SEAL:]:
        raise Damaged("it is not whole: its SHA-256 differs")
    return whole[:-SEAL]


def remove_stale(folder: Path, pattern: str = ".*.{host}.*.partial") -> None:
    """Remove what processes of this machine that are gone left behind; the last part but one of a name is a process."""
    for left in folder.glob(pattern.format(host=socket.gethostname())):
        try:
            os.kill(int(left.name.split(".")[-2]), 0)
        except (ProcessLookupError, ValueError):
            shutil.rmtree(left, ignore_errors=True) if left.is_dir() else left.unlink(missing_ok=True)
        except PermissionError:
            pass  # the process lives, under another user
