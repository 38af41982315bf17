"""One netCDF file for each trained member, and published Datasets laid under them.

The working store (results/, or BETAVAE_RESULTS) holds <experiment>/<key>.nc; `publish` merges it into
data/results/<experiment>.nc over dims beta × realization, which git tracks. A file is written beside its place and
moved there whole; it is checked each time it is read, and moved aside if it is not what it should be.
"""

import contextlib
import functools
import io
import os
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from xarray.backends import H5NetCDFStore

from betavae_core import files, paths
from betavae_core.errors import UsageError, first_line
from betavae_core.results import record
from betavae_core.results.members import Member, Specification

COMPRESSED = {"zlib": True, "complevel": 9, "shuffle": True}
WHOLE = 4  # dims of a variable, at most, that is compressed in one piece; pictures compress better in several
HDF5 = {"libver": ("v110", "v110")}  # the form of 2016, which needs 100 kB less for its own ends than that of 1998


def path(member: Member) -> Path:
    """Where a member is stored."""
    return paths.working_store() / member.specification.experiment / f"{member.key}.nc"


def published(specification: Specification) -> Path:
    """The tracked Dataset of an experiment; settings other than the defaults are part of the name."""
    return paths.published_store() / f"{specification.label}.nc"


def check_writable() -> None:
    """Make the working store's folder; OSError if it cannot be written, before any work is done for it."""
    folder = paths.working_store()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):  # only trying tells, and why not
            pass
    except OSError as error:
        reason = f"the working store {folder} cannot be written ({error.strerror}); BETAVAE_RESULTS moves it"
        raise OSError(reason) from None


def write(member: Member, values: dict, provenance: dict) -> Path:
    """Store a member's numbers; the file appears whole or not at all.

    Parameters
    ----------
    values : the scalars of a member, and its details if it keeps them; see `results.record`
    provenance : attributes that say how it was made; no part of its identity

    Raises
    ------
    OSError
        if the store cannot be written.
    """
    target = path(member)
    target.parent.mkdir(parents=True, exist_ok=True)
    save(record.cell(member, values, provenance), target)
    return target


def read(member: Member) -> xr.Dataset | None:
    """A stored member, checked; None if it is absent. A bad file is moved aside with a warning and counts as absent.

    Raises
    ------
    UsageError
        if a later version of this package wrote it, or what reads it is not installed; the file is left alone.
    OSError
        if it cannot be read.
    """
    file = path(member)
    try:
        dataset = _opened(file)
        if dataset.attrs.get("key") != member.key:
            raise files.Damaged("its key is another's")
    except (FileNotFoundError, NotADirectoryError):
        return None
    except files.Damaged as error:
        aside = file.with_suffix(".bad")
        with contextlib.suppress(OSError):
            os.replace(file, aside)
        reason = first_line(error)
        warnings.warn(f"{file.name} is not a stored member ({reason}); moved to {aside.name}", stacklevel=2)
        return None
    return dataset


def collect(members: list[Member], source: Callable[[Member], xr.Dataset | None] | None = None) -> xr.Dataset:
    """Members as one labelled Dataset over beta × realization; NaN where a member is missing or diverged.

    `source` gives a member's cell or None; by default the published file, then the working store (a key stands for
    the same numbers in both). `key` tells which member fills a cell ("" for none), `diverged` which diverged, `made_by`
    which versions made it; curves, latents and pictures have a realization axis `detailed` of their own.
    Attributes count the members from each store.
    """
    specification = members[0].specification
    betas = sorted({member.beta for member in members})
    count = max(member.realization for member in members) + 1
    base = None if source else load_published(specification)
    if base is None:
        dataset = record.empty(betas, count)
    else:
        dataset = record.widened(base, betas, count)
        dataset = record.keep(dataset, dataset.key.values == _keys(members, betas, count))
    published = int((dataset.key != "").sum())
    for member in _absent(members, dataset):
        stored = (source or read)(member)
        if stored is not None:
            record.place(dataset, member, stored)
    working = int((dataset.key != "").sum()) - published
    dataset.attrs = {"experiment": specification.experiment, "published": published, "working": working}
    return dataset


def published_keys(specification: Specification) -> dict[str, bool]:
    """Keys of the published members, and whether each diverged.

    Raises
    ------
    UsageError
        if the file is not what was published.
    """
    return {key: diverged for key, (_, diverged) in _published_index(specification).items()}


def others(members: list[Member]) -> list[Member]:
    """Stored and published members of the same specification that are not among these; damaged files count as none."""
    specification, known = members[0].specification, {member.key for member in members}
    index = _published_index(specification)
    cells, there = [cell for cell, _ in index.values()], set(index)
    for file in (paths.working_store() / specification.experiment).glob("*.nc"):
        if file.stem not in known | there:
            with contextlib.suppress(OSError, ValueError, KeyError):
                cells.append(tuple(_opened(file).attrs[name] for name in ("beta", "realization")))
                there.add(file.stem)
    found = (Member(specification, float(beta), int(realization)) for beta, realization in set(cells))
    return [member for member in found if member.key in there - known]


def _keys(members, betas, count: int) -> np.ndarray:
    """The key of each wanted member in its place, (β, realization)."""
    keys = np.full((len(betas), count), None, dtype=object)
    for member in members:
        keys[betas.index(member.beta), member.realization] = member.key
    return keys


def _absent(members, dataset: xr.Dataset) -> list[Member]:
    """Members whose cell is empty."""
    filled = set(dataset.key.values.ravel())
    return [member for member in members if member.key not in filled]


def load_published(specification: Specification) -> xr.Dataset | None:
    """What is published of a specification, to be changed as one likes; None if nothing is."""

    def loaded(file: Path) -> xr.Dataset:
        stamp = file.stat()
        return _remembered(file, stamp.st_mtime_ns, stamp.st_size, stamp.st_ino).copy(deep=True)

    return _published(specification, loaded)


@functools.lru_cache(maxsize=64)
def _remembered(file: Path, *_stamp) -> xr.Dataset:
    """What is in a file as it is now, which the stamp stands for: chapters ask for the same ones again and again."""
    return _opened(file)


def _published_index(specification: Specification) -> dict[str, tuple[tuple[float, int], bool]]:
    """(β, realization) of each published member by its key, and whether it diverged; nothing else is read."""
    return _published(specification, lambda file: record.index(files.read_sealed(file), file.name)) or {}


def _published(specification: Specification, read: Callable[[Path], Any]) -> Any:
    """What is read of the published file of a specification; None if there is none."""
    file = published(specification)
    try:
        return read(file)
    except FileNotFoundError:
        return None
    except files.Damaged as error:
        raise UsageError(f"{file} is damaged ({first_line(error)}); git checkout brings it back") from None


def save(dataset: xr.Dataset, target: Path) -> None:
    """Write a Dataset, sealed and whole."""
    content = io.BytesIO()  # in memory first: HDF5 itself crashes on a full disk
    with contextlib.closing(H5NetCDFStore.open(content, mode="w", driver_kwds=HDF5)) as opened:
        dataset.dump_to_store(opened, encoding={name: _encoding(v) for name, v in dataset.data_vars.items() if v.ndim})
    files.write_sealed(target, content.getvalue())


def _encoding(variable: xr.DataArray) -> dict[str, Any]:
    """How a variable is written: compressed, and text as letters, since HDF5 compresses no strings."""
    if variable.dtype.kind == "U":
        return COMPRESSED | {"dtype": "S1"}
    return COMPRESSED | ({"chunksizes": variable.shape} if variable.ndim <= WHOLE else {})


def _opened(file: Path) -> xr.Dataset:
    """What `save` wrote. The seal comes first: HDF5 aborts the whole process on some flipped bits."""
    content = io.BytesIO(files.read_sealed(file))
    with record.parsing():
        dataset = xr.load_dataset(content, engine="h5netcdf")
    return record.understood(dataset, file.name)
