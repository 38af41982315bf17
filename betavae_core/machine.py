"""The machine: its processor, what is installed, and how many cores and how much memory a container's limits leave."""

import contextlib
import functools
import math
import os
import platform
import re
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

# Variables that keep numerical libraries to one thread
SINGLE_THREAD = ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")

GROUPS = Path("/sys/fs/cgroup")
MEMBERSHIP = Path("/proc/self/cgroup")


def cores() -> int:
    """How many cores this process may use: those it is bound to, or fewer where a container has a quota of time."""
    bound = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min([bound, *(math.ceil(quota) for quota in _quotas())]))


def memory() -> int:
    """How many bytes of memory this process may use."""
    whole = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    limits = [_read(group, name) for group in _groups("memory") for name in ("memory.max", "memory.limit_in_bytes")]
    return min([whole, *(int(limit) for limit in limits if limit.isdigit())])


def processor() -> str:
    """Its name, and on Linux its family and model: another kind may add in another order."""
    with contextlib.suppress(OSError):
        facts = dict(re.findall(r"^([\w ]+?)\s*: (.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE))
        if "model name" in facts:
            return f"{facts['model name']} (family {facts.get('cpu family', '?')}, model {facts.get('model', '?')})"
    return platform.processor() or platform.machine()


@functools.cache
def installed(package: str) -> str | None:
    """Version of a package that is installed, or None."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def described() -> str:
    """The machine in a few words: processor architecture, cores, memory, system."""
    return f"{platform.machine()}, {cores()} cores, {memory() / 2**30:.0f} GiB, {platform.system()}"


def _quotas() -> Iterator[float]:
    """Cores' worth of time that this process's control groups allow, in version 2 of them and in version 1."""
    for group in _groups("cpu"):
        first = f"{_read(group, 'cpu.cfs_quota_us')} {_read(group, 'cpu.cfs_period_us')}"
        for text in (_read(group, "cpu.max"), first):
            quota, _, period = text.partition(" ")
            if quota.isdigit() and period.isdigit():  # neither "max" nor -1
                yield int(quota) / int(period)


def _groups(controller: str) -> Iterator[Path]:
    """Folders of the control groups that this process is in, each with those above it; in a container not all exist."""
    try:
        lines = MEMBERSHIP.read_text().splitlines()
    except OSError:  # not Linux
        return
    for line in lines:
        _, controllers, place = line.split(":", 2)
        if not controllers or controller in controllers.split(","):
            for top in {GROUPS / controllers, GROUPS / (controller if controllers else "unified")}:
                folder = top / place.strip("/")
                upwards = (each for each in (folder, *folder.parents) if each.is_relative_to(top))
                yield from (each for each in upwards if each.is_dir())


def _read(group: Path, name: str) -> str:
    try:
        return (group / name).read_text().strip()
    except OSError:
        return ""
