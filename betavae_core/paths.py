"""Where everything lies: the project's folders, and the environment variables that move some of them."""

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "betavae_core"
CHAPTERS = ROOT / "book"
DATA = ROOT / "data"
BUILD = ROOT / "_build"
EXECUTED = BUILD / "executed"
EMBEDDED_DIGITS = DATA / "mnist_digits.npz"
FULL_DIGITS = DATA / "mnist_full.npz"
IMPORTED_DIGITS = DATA / "imported.npz"
BENCH = DATA / "bench.json"


def digits() -> Path:
    """File of MNIST digits: the thousand embedded ones, or BETAVAE_DIGITS."""
    return Path(os.environ.get("BETAVAE_DIGITS") or EMBEDDED_DIGITS)


def working_store() -> Path:
    """Folder of one file for each trained member: results/, or BETAVAE_RESULTS."""
    return Path(os.environ.get("BETAVAE_RESULTS") or ROOT / "results")


def published_store() -> Path:
    """Folder of one Dataset for each experiment, which git tracks: data/results/, or BETAVAE_PUBLISHED."""
    return Path(os.environ.get("BETAVAE_PUBLISHED") or DATA / "results")


def atlases() -> Path:
    """Folder of published atlases, one folder for each experiment."""
    return published_store() / "atlas"


def stage() -> Path | None:
    """Where the build that runs this process's chapter keeps executed ones (BETAVAE_STAGE); None outside a build."""
    return Path(os.environ["BETAVAE_STAGE"]) if os.environ.get("BETAVAE_STAGE") else None
