"""The verb `doctor`: what a report of a fault needs to say, in one screen, and what is wrong here."""

import collections
import os
import platform
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import click

from betavae_core import __version__, files, machine, paths
from betavae_core.errors import first_line
from betavae_workshop import environment

GIB = 2**30
LEAST_MEMORY, LEAST_DISK = 2, 1  # GiB: two chapters side by side; a book and its variants
KEPT_OUT = r"(PYTHON|PIP_|MPL|MATPLOTLIB|IPYTHON|JUPYTER|KERAS|TF_|XLA_|OMP_|MKL_|OPENBLAS|NPY_)"
START = """import tensorflow as tf
names = [tf.config.experimental.get_device_details(d)["device_name"] for d in tf.config.list_physical_devices("GPU")]
print(", ".join(names) or "no GPU")"""
UNIT = "from betavae_core.results import cost; print(round(cost.unit()))"


class Finding(NamedTuple):
    """What is there, and what is wrong with it, if anything."""

    told: str
    wrong: Sequence[str] = ()


@click.command()
def doctor():
    """Say what is here, for a report of a fault, and what is wrong with it: exit code 1 if anything is.

    \b
    betavae doctor

    Nothing is changed. Versions, the lock, cores and their speed, memory, GPU, kernel, digits, networks, free disk.
    """
    wrong = []
    for subject, finding in findings():
        click.echo(f"{subject:<11}{finding.told}")
        wrong += finding.wrong
    for line in wrong or ["nothing found"]:
        click.echo(f"{'wrong':<11}{line}")
    sys.exit(1 if wrong else 0)


def findings() -> Iterator[tuple[str, Finding]]:
    """All that is looked at, in the order of the screen; a look that fails is what is wrong."""
    looks: dict[str, Callable[[], Finding]] = {
        "betavae": _project,
        "python": lambda: Finding(f"{platform.python_version()}, {sys.executable}; {platform.platform()}"),
        "lock": _lock,
        "cores": lambda: Finding(f"{machine.cores()} allowed, of {os.cpu_count()}"),
        "speed": lambda: _started(["-c", UNIT], "U = {} s, a network of mixing (1,000 epochs) on one core"),
        "memory": _memory,
        "disk": _disk,
        "tensorflow": lambda: _started(["-c", START]),
        "kernel": lambda: _started(["-m", "ipykernel_launcher", "--version"]),
        "digits": _digits,
        "working": lambda: _store(paths.working_store(), "*/*.nc", "betavae sweep trains it again"),
        "published": lambda: _store(paths.published_store(), "*.nc", "git checkout brings it back", needed=True),
        "variables": _variables,
    }
    for subject, look in looks.items():
        try:
            told, wrong = look()
        except Exception as error:
            told, wrong = "cannot be told", [f"{type(error).__name__}: {first_line(error)}"]
        yield subject, Finding(told, [f"{subject}: {line}" for line in wrong])


def _project() -> Finding:
    """Which version of the project this is."""
    from betavae_workshop.sweeping import running

    return Finding(f"{__version__}, revision {running.revision()}, in {paths.ROOT}")


def _variables() -> Finding:
    """Names of the reader's variables that chapters and training do not get."""
    named = [name for name in sorted(os.environ) if re.match(KEPT_OUT, name) and name not in environment.PASSED]
    named = [name for name in named if os.environ[name] != environment.FIXED.get(name)]
    return Finding(f"kept from chapters and training: {', '.join(named) or 'none that would matter'}")


def _lock() -> Finding:
    """Whether what is installed is what the lock pins."""
    from packaging.requirements import Requirement

    lines = re.findall(r"^([\w.-]+==[^\\]+?) *\\?$", (paths.ROOT / "requirements.lock").read_text(), re.MULTILINE)
    pins = [pin for line in lines if not (pin := Requirement(line)).marker or pin.marker.evaluate()]
    found = {pin.name: environment.installed(pin.name) for pin in pins}
    others = [name for name, pin in zip(found, pins, strict=True) if str(pin.specifier) != f"=={found[name]}"]
    main = ", ".join(f"{name} {environment.installed(name)}" for name in environment.PACKAGES[:4])
    told = f"{len(pins) - len(others)} of {len(pins)} packages as pinned; {main}"
    some = ", ".join(f"{name} {found[name] or 'absent'}" for name in others[:4]) + (" …" if len(others) > 4 else "")
    return Finding(told, [f"not as requirements.lock pins them: {some} (make env)"] if others else [])


def _memory() -> Finding:
    """What this process may use of it."""
    allowed = machine.memory() / GIB
    small = f"{allowed:.1f} GiB; two chapters at once take {LEAST_MEMORY} (make book JOBS=1)"
    return Finding(f"{allowed:.1f} GiB allowed", [small] if allowed < LEAST_MEMORY else [])


def _disk() -> Finding:
    """What is free where books are built and networks stored."""
    wrong, told = [], []
    for name, folder in (("_build", paths.BUILD), ("networks", paths.working_store())):
        there = next(place for place in (folder, *folder.resolve().parents) if place.exists())
        free = shutil.disk_usage(there).free / GIB
        told.append(f"{free:.1f} GiB free for {name}")
        wrong += [f"{free:.2f} GiB free for {name} in {there}; a book takes {LEAST_DISK}"] if free < LEAST_DISK else []
        wrong += [f"{there} cannot be written"] if not (there.is_dir() and os.access(there, os.W_OK)) else []
    return Finding(", ".join(told), wrong)


def _started(words: list[str], told: str = "starts; {}") -> Finding:
    """Whether Python starts with these words, in a process of its own, and the last line that it says."""
    with environment.clean() as variables:
        command = [sys.executable, *words]
        done = subprocess.run(command, capture_output=True, text=True, env=variables, timeout=120)
    if done.returncode == 0:
        return Finding(told.format((done.stdout.splitlines() or [""])[-1]))
    how = signal.Signals(-done.returncode).name if done.returncode < 0 else (done.stderr.splitlines() or ["?"])[-1]
    return Finding("does not start", [f"does not start: {how}"])


def _digits() -> Finding:
    """The images that networks see."""
    from betavae_core.images import digits

    images, _ = digits.load()
    return Finding(f"{len(images):,} in {paths.digits()}")


def _store(folder: Path, pattern: str, mended: str, needed: bool = False) -> Finding:
    """How many networks a store holds of each experiment, its damaged files, and whether it is needed but empty."""
    from betavae_workshop.sweeping import survey

    counts: collections.Counter[str] = collections.Counter()
    damaged = []
    for file in sorted(folder.glob(pattern)):
        try:
            experiment = file.stem.split(",")[0] if file.parent == folder else file.parent.name
            counts[experiment] += survey.held(files.read_sealed(file))
        except files.Damaged:
            damaged.append(file.name)
    aside = len([*folder.glob("*/*.bad")])
    told = ", ".join(f"{experiment} {count}" for experiment, count in counts.items()) or "none"
    told += f"; damaged and set aside: {aside}" if aside else ""
    wrong = [f"{len(damaged)} damaged, such as {damaged[0]} ({mended})"] if damaged else []
    if (folder.exists() or folder.is_symlink()) and not folder.is_dir():
        wrong.append(f"{folder} is no folder")
    elif needed and not counts:
        wrong.append(f"no networks in {folder}; unset BETAVAE_PUBLISHED, or git checkout brings back data/results")
    return Finding(f"{told}; in {folder}", wrong)


VERBS = (doctor,)
