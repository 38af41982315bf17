"""One netCDF file for each trained member, and published Datasets laid under them.

The working store (results/, or BETAVAE_RESULTS) holds <experiment>/<key>.nc; `publish` merges it into
data/results/<experiment>.nc over dims beta × realization, which git tracks. A file is checked each time it is read, and
moved aside if it is not what it should be; `sweeping.writing` of the workshop writes them.
"""

import functools
import os
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from betavae_core import files, paths
from betavae_core.errors import UsageError, first_line
from betavae_core.results import netcdf, record
from betavae_core.results.members import Member, Specification


def path(member: Member) -> Path:
    """Where a member is stored."""
    return paths.working_store() / member.specification.experiment / f"{member.key}.nc"


def published(specification: Specification) -> Path:
    """The tracked Dataset of an experiment; settings other than the defaults are part of the name."""
    return paths.published_store() / f"{specification.label}.nc"


def read(member: Member) -> xr.Dataset | None:
    """A stored member, checked; None if it is absent. A bad file counts as absent; it is moved aside with a warning.

    Raises UsageError if a later version of this package wrote it, or what reads it is not installed; the file is left
    alone; OSError if it cannot be read.
    """
    file = path(member)
    try:
        dataset = opened(file)
        if dataset.attrs.get("key") != member.key:
            raise files.Damaged("its key is another's")
    except (FileNotFoundError, NotADirectoryError):
        return None
    except files.Damaged as error:
        aside = file.with_suffix(".bad")
        told = f"moved to {aside.name}"
        try:
            os.replace(file, aside)
        except OSError as refused:
            told = f"it cannot be moved to {aside.name}: {refused.strerror}"
        warnings.warn(f"{file.name} is not a stored member ({first_line(error)}); {told}", stacklevel=2)
        return None
    return dataset


def collect(members: list[Member], source: Callable[[Member], xr.Dataset | None] | None = None) -> xr.Dataset:
    """Members as one labelled Dataset over beta × realization; NaN where a member is missing or diverged.

    `source` gives a member's cell or None; by default the published file, then the working store (a key stands for
    the same numbers in both). `key` tells which member fills a cell ("" for none), `diverged` which diverged, `made_by`
    which versions made it; curves, latents and pictures have a realization axis `detailed` of their own.
    Attributes count the members from each store, and say what their images are (`images.experiments.training`).
    """
    specification = members[0].specification
    betas = sorted({member.beta for member in members})
    count = max(member.realization for member in members) + 1
    base = None if source else load_published(specification)
    if base is None:
        dataset = record.empty(betas, count)
    else:
        dataset = record.widened(base, betas, count)
        dataset = record.keep(dataset, np.isin(dataset.key.values.astype(str), [member.key for member in members]))
    published = set(dataset.key.values.ravel()) - {""}
    for member in members:
        if member.key not in published and (stored := (source or read)(member)) is not None:
            dataset = record.place(dataset, member, stored)
    working = int((dataset.key != "").sum()) - len(published)
    drawn = {name: getattr(specification, name) for name in ("experiment", "samples", "scaling")}
    dataset.attrs = {**drawn, "published": len(published), "working": working}
    return dataset


def load_published(specification: Specification) -> xr.Dataset | None:
    """What is published of a specification, to be changed as one likes; None if nothing is."""

    def loaded(file: Path) -> xr.Dataset:
        stamp = file.stat()
        return _remembered(file, stamp.st_mtime_ns, stamp.st_size, stamp.st_ino).copy(deep=True)

    return read_published(specification, loaded)


@functools.lru_cache(maxsize=64)
def _remembered(file: Path, *_stamp) -> xr.Dataset:
    """What is in a file as it is now, which the stamp stands for: chapters ask for the same ones again and again."""
    return opened(file)


def read_published(specification: Specification, read: Callable[[Path], Any]) -> Any:
    """What is read of the published file of a specification; None if there is none."""
    file = published(specification)
    try:
        return read(file)
    except FileNotFoundError:
        return None
    except files.Damaged as error:
        raise UsageError(f"{file} is damaged ({first_line(error)}); git checkout brings it back") from None


def opened(file: Path) -> xr.Dataset:
    """A stored file as a Dataset of today's format."""
    return record.understood(netcdf.loaded(file), file.name)
