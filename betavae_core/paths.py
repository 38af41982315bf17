"""Where everything lies: the project's folders, and the environment variables that move some of them."""

import os
from pathlib import Path

from betavae_core.errors import UsageError

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "betavae_core"
CHAPTERS = ROOT / "book"
DATA = ROOT / "data"
BUILD = ROOT / "_build"
EXECUTED = BUILD / "executed"
EMBEDDED_DIGITS = DATA / "mnist_digits.npz"
BENCH = DATA / "bench.json"
TRIALS = DATA / "trials.json"
CALIBRATION = DATA / "calibration.json"
PREDICTIONS = DATA / "predictions"  # committed before the networks that test them
GPU = DATA / "gpu.json"  # what was measured on one, in `gpu.check` and in sweeps


def digits() -> Path:
    """File of MNIST digits: the thousand embedded ones, or BETAVAE_DIGITS."""
    return Path(os.environ.get("BETAVAE_DIGITS") or EMBEDDED_DIGITS).expanduser()


def _folder(variable: str, usual: Path) -> Path:
    """The folder that a variable names, or the usual one; it may be absent, and UsageError if it cannot be made."""
    folder = Path(os.environ.get(variable) or usual).expanduser()
    if not folder.is_dir() and os.path.lexists(folder):
        what = "is a link to nothing" if folder.is_symlink() else "is a file"
        raise UsageError(f"{variable} must be a folder, or absent; {folder} {what}")
    return folder


def working_store() -> Path:
    """Folder of one file for each trained member: results/, or BETAVAE_RESULTS."""
    return _folder("BETAVAE_RESULTS", ROOT / "results")


def published_store() -> Path:
    """Folder of one Dataset for each experiment, which git tracks: data/results/, or BETAVAE_PUBLISHED."""
    return _folder("BETAVAE_PUBLISHED", DATA / "results")


def atlases() -> Path:
    """Folder of published atlases, one folder for each experiment."""
    return published_store() / "atlas"


def stage() -> Path | None:
    """Where the build that runs this process's chapter keeps executed ones (BETAVAE_STAGE); None outside a build."""
    return Path(os.environ["BETAVAE_STAGE"]) if os.environ.get("BETAVAE_STAGE") else None


def note() -> Path | None:
    """File of the note that this process's chapter leaves for its build (BETAVAE_NOTE); None outside a build."""
    return Path(os.environ["BETAVAE_NOTE"]) if os.environ.get("BETAVAE_NOTE") else None
