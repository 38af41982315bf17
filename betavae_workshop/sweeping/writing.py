"""Write what was trained: a member into the working store, a Dataset as it is published, an atlas.

A file is written beside its place and moved there whole, sealed with its SHA-256.
"""

import contextlib
import io
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from xarray.backends import H5NetCDFStore

from betavae_core import files, paths
from betavae_core.errors import UsageError
from betavae_core.networks.atlas import Atlas
from betavae_core.results import atlases, record, store
from betavae_core.results.members import Member
from betavae_workshop import pipes

COMPRESSED = {"zlib": True, "complevel": 9, "shuffle": True}
WHOLE = 4  # dims of a variable, at most, that is compressed in one piece; pictures compress better in several
HDF5 = {"libver": ("v110", "v110")}  # the form of 2016, which needs 100 kB less for its own ends than that of 1998


def check_writable() -> None:
    """Make the working store's folder, before any work is done for it.

    Raises OSError if it cannot be written, and UsageError if what writes files is not installed.
    """
    try:
        import h5netcdf  # noqa: F401 xarray loads it when the first network is trained
    except ImportError as error:
        raise UsageError(f"networks cannot be stored: {error}; `make env` installs what is missing") from None
    pipes.writable(paths.working_store)


def write(member: Member, values: dict, provenance: dict) -> Path:
    """Store a member's numbers; the file appears whole or not at all, and OSError if the store cannot be written.

    `values` are its scalars, and its details if it keeps them (`results.record`); `provenance`, attributes that say how
    it was made, is no part of its identity.
    """
    target = store.path(member)
    target.parent.mkdir(parents=True, exist_ok=True)
    save(record.cell(member, values, provenance), target)
    return target


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


def refuse_others(target: Path, members: Iterable[Member], known: dict[tuple[float, int], str]) -> None:
    """UsageError if a place that is asked for is another's, by the keys `known` of (β, realization)."""
    for member in members:
        if known.get((member.beta, member.realization), member.key) != member.key:
            told = f"holds other networks at beta {member.beta:.10g}, realization {member.realization}"
            raise UsageError(f"{target} {told}: other digits or settings; set BETAVAE_PUBLISHED")


def write_atlas(member: Member, atlas: Atlas, provenance: dict) -> Path:
    """Publish a member's atlas: the picture, then its record, which says how far its q is from the stored member's."""
    target, whole = atlases.path(member), {"key": member.key, "beta": member.beta, **_beside(member, atlas)}
    target.parent.mkdir(parents=True, exist_ok=True)
    files.write(target.with_suffix(".webp"), atlas.image)
    files.write_text(target, json.dumps({**whole, "made": provenance, **atlas.record}) + "\n")
    return target


def _beside(member: Member, atlas: Atlas) -> dict:
    """Whether an atlas's means are the stored member's, bit for bit, and how far they are from them at most."""
    stored = store.collect([member])
    if "latent_mean" not in stored:
        return {"same_as_stored": None}
    means = stored.latent_mean.values[0, member.realization][: len(atlas.mean)]
    gap = float(np.abs(atlas.mean[: len(means)].astype(means.dtype).astype(float) - means).max())  # at their precision
    return {"same_as_stored": gap == 0, "largest_difference": round(gap, 4)}
