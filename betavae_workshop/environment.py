"""The environment of this project's other processes: nothing of the reader's own gets into a number or a figure.

Kernels, training processes and the rendering get the variables named here and no other, and a home of their own: so no
settings of matplotlib, IPython, Jupyter, Keras or Python reach them. What is passed on and could change a number is
part of each chapter's hash (`decisive`).
"""

import contextlib
import os
import shutil
import socket
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from betavae_core import files, paths
from betavae_core.machine import SINGLE_THREAD, installed

PASSED = ("PATH", "USER", "LOGNAME", "PYTHONUNBUFFERED", "PYTHONDONTWRITEBYTECODE")
DECISIVE = ("LD_LIBRARY_PATH", "LD_PRELOAD", "DYLD_LIBRARY_PATH", "CUDA_VISIBLE_DEVICES", "CUDA_DEVICE_ORDER")
STORES = ("BETAVAE_DIGITS", "BETAVAE_RESULTS", "BETAVAE_PUBLISHED")  # paths, whose contents count
PACKAGES = ("numpy", "scipy", "tensorflow", "tensorflow-probability", "xarray", "matplotlib", "opencv-python-headless")

PYTHON = {"PYTHONPATH": str(paths.ROOT), "PYTHONNOUSERSITE": "1", "PYTHONUTF8": "1", "PYTHONHASHSEED": "0"}
FIXED = {
    **PYTHON,
    **dict.fromkeys(SINGLE_THREAD, "1"),
    "LC_ALL": "C.UTF-8",
    "MPLBACKEND": "agg",  # kernels have their own
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "TF_USE_LEGACY_KERAS": "1",  # TensorFlow loads one Keras when it starts; TensorFlow Probability needs the older
}
# For `gc.set_threshold`: looking for garbage in circles takes a fifth of Sphinx's time and saves a tenth of its memory.
SELDOM = 100_000, 50, 100


@contextlib.contextmanager
def clean() -> Iterator[dict[str, str]]:
    """The environment, with a home that is empty at first and gone at the end, and holds what is temporary, too."""
    home = _folder()
    try:
        given = {name: os.environ[name] for name in PASSED + DECISIVE if name in os.environ}
        given |= {name: os.path.abspath(os.environ[name]) for name in STORES if os.environ.get(name)}
        cache = paths.BUILD / "cache"  # of what is slow to find out, and the same for all: fonts, kernels of a GPU
        caches = {"MPLCONFIGDIR": str(cache / "matplotlib"), "CUDA_CACHE_PATH": str(cache / "cuda")}
        yield given | FIXED | dict.fromkeys(("HOME", "TMPDIR"), str(home)) | caches
    finally:
        shutil.rmtree(home, ignore_errors=True)


@contextlib.contextmanager
def muted() -> Iterator[None]:
    """Standard error leads nowhere: TensorFlow writes lines there as it loads that no variable turns off.

    A process that is started meanwhile has none for as long as it lives.
    """
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def _folder() -> Path:
    """A new folder for this process under _build, or where that cannot be written the system's place for such."""
    place = paths.BUILD / "tmp"
    try:
        place.mkdir(parents=True, exist_ok=True)
        files.remove_stale(place, "{host}.*")
        return Path(tempfile.mkdtemp(prefix=f"{socket.gethostname()}.{os.getpid()}.", dir=place))
    except OSError:
        return Path(tempfile.mkdtemp(prefix="betavae-"))


def decisive() -> dict[str, str | None]:
    """What could change a number: variables passed on, those that are fixed, and versions of packages."""
    fixed = {name: value for name, value in FIXED.items() if name not in PYTHON}
    return fixed | {name: _given(name) for name in DECISIVE} | {name: installed(name) for name in PACKAGES}


def _given(name: str) -> str | None:
    """A variable as it was before OpenCV loaded, here or in a parent: that puts a folder of its own in front."""
    parts = os.environ.get(name, "").split(os.pathsep)
    return os.pathsep.join(part for part in parts if f"{os.sep}cv2{os.sep}" not in part) or None


def start_anew() -> None:
    """Run this command line again in its stead if Python's own variables, or its encoding, are others than here."""
    given = {name: value for name, value in os.environ.items() if name.startswith("PYTHON") and name not in PASSED}
    if (given and given != PYTHON) or sys.getfilesystemencoding() != "utf-8":
        kept = {name: value for name, value in os.environ.items() if name not in given}
        os.execve(sys.executable, [sys.executable, "-m", "betavae_workshop", *sys.argv[1:]], kept | PYTHON)
