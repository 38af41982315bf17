"""One netCDF file for each trained member, and published Datasets laid under them.

The working store (`results/`, or BETAVAE_RESULTS) holds <experiment>/<key>.nc; `publish` merges it into
data/results/<experiment>.nc over dims beta × realization, which git tracks. A file is written beside its place and
moved there whole; it is checked each time it is read, and moved aside if it is not what it should be.
"""

import contextlib
import dataclasses
import hashlib
import io
import os
import socket
import warnings
from pathlib import Path

import numpy as np
import xarray as xr

from betavae_core import digits
from betavae_core.errors import UsageError, first_line
from betavae_core.experiments import DETAILED, Member, Specification

TERMS = {  # name: long name; each has a *_heldout twin
    "reconstruction": "reconstruction objective R",
    "reconstruction_se": "standard error of R",
    "kl_prior": "conditional independence loss C",
    "objective": "β-VAE objective R − βC",
    "elbo": "evidence lower bound R − C",
    "tie": "true inference error under the best signed permutation",
    "tie_raw": "true inference error with the latents as they come",
    "mie": "model inference error",
    "mie_se": "standard error of MIE",
    "mie_ess": "median effective sample size behind MIE",
}
SCALARS = [name + suffix for name in TERMS for suffix in ("", "_heldout")]
DETAILS = {  # of realizations 0-4
    "curve": ("step",),
    "latent_mean": ("sample", "latent"),
    "latent_std": ("sample", "latent"),
    "reconstructions": ("picture", "row", "column"),
    "traversals": ("latent", "value", "row", "column"),
    "grey_scale": (),
}
SEAL = 32  # bytes of SHA-256 behind the end of each file
COMPRESSED = {"zlib": True, "complevel": 9, "shuffle": True}


def folder() -> Path:
    """The working store."""
    return Path(os.environ.get("BETAVAE_RESULTS") or digits.DATA.parent / "results")


def published(specification: Specification) -> Path:
    """The tracked Dataset of an experiment; settings other than the defaults are part of the name."""
    names = (field.name for field in dataclasses.fields(specification) if field.name != "experiment")
    default = Specification(specification.experiment)
    other = [f",{n}={getattr(specification, n)}" for n in names if getattr(specification, n) != getattr(default, n)]
    return digits.DATA / "results" / f"{specification.experiment}{''.join(other)}.nc"


def check_writable() -> None:
    """Make the working store's folder; OSError if it cannot be written, before any work is done for it."""
    folder().mkdir(parents=True, exist_ok=True)
    if not os.access(folder(), os.W_OK):
        raise OSError(f"the working store {folder()} cannot be written; BETAVAE_RESULTS moves it")


def path(member: Member) -> Path:
    return folder() / member.specification.experiment / f"{member.key}.nc"


def write(member: Member, values: dict, provenance: dict) -> Path:
    """Store a member's numbers; the file appears whole or not at all.

    Parameters
    ----------
    values : the `SCALARS` of a member, and its `DETAILS` if it keeps them
    provenance : attributes that say how it was made; no part of its identity

    Raises
    ------
    OSError
        if the store cannot be written.
    """
    target = path(member)
    target.parent.mkdir(parents=True, exist_ok=True)
    _save(cell(member, values, provenance), target)
    return target


def cell(member: Member, values: dict, provenance: dict) -> xr.Dataset:
    """A member's numbers as they are stored."""
    dataset = xr.Dataset({name: (DETAILS.get(name, ()), np.asarray(value)) for name, value in values.items()})
    dataset.attrs = {
        **provenance,
        "key": member.key,
        "beta": float(member.beta),
        "realization": member.realization,
        "diverged": int(not all(np.isfinite(dataset[name]).all() for name in SCALARS)),
        "checksum": checksum(dataset),
    }
    return dataset


def read(member: Member) -> xr.Dataset | None:
    """A stored member, checked; None if it is absent. A bad file is moved aside with a warning and counts as absent."""
    file = path(member)
    try:
        whole = file.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None
    try:
        dataset = _opened(whole)
        if dataset.attrs["key"] != member.key:
            raise ValueError("its key is another's")
    except Exception as error:
        aside = file.with_suffix(".bad")
        with contextlib.suppress(OSError):
            os.replace(file, aside)
        reason = first_line(error)
        warnings.warn(f"{file.name} is not a stored member ({reason}); moved to {aside.name}", stacklevel=2)
        return None
    return dataset


def checksum(dataset: xr.Dataset) -> str:
    """SHA-256 over the names and bytes of all variables: equal for equal numbers, wherever they were made."""
    state = hashlib.sha256()
    for name in sorted(map(str, dataset.data_vars)):
        state.update(name.encode() + np.ascontiguousarray(dataset[name].values).tobytes())
    return state.hexdigest()


def collect(members: list[Member], source=None) -> xr.Dataset:
    """Members as one labelled Dataset over beta × realization; NaN where a member is missing or diverged.

    `source` gives a member's cell or None; by default the published file, then the working store (a key stands for
    the same numbers in both). `key` tells which member fills a cell ("" for none), `diverged` which diverged, `made_by`
    which versions made it; curves, latents and pictures have the dims of `DETAILS` and a realization axis of their own.
    Attributes count the members from each store.
    """
    betas = sorted({member.beta for member in members})
    base = {} if source else published_cells(members[0].specification)
    dataset, counts = _empty(betas, max(member.realization for member in members) + 1), {"published": 0, "working": 0}
    for member in members:
        cell = base[member.key] if member.key in base else (source or read)(member)
        if cell is None:
            continue
        counts["published" if member.key in base else "working"] += 1
        place = {"beta": betas.index(member.beta), "realization": member.realization}
        dataset["key"][place] = member.key
        dataset["made_by"][place] = _made_by(cell)
        dataset["diverged"][place] = bool(cell.attrs["diverged"])
        if not cell.attrs["diverged"]:
            for name in SCALARS:
                dataset[name][place] = float(cell[name])
        _place_details(dataset, cell, betas.index(member.beta), member.realization)
    dataset.attrs = {"experiment": members[0].specification.experiment, **counts}
    return dataset


def _made_by(cell: xr.Dataset) -> str:
    """Versions behind a stored member, or what its published cell says of them."""
    if "made_by" in cell.attrs:
        return cell.attrs["made_by"]
    return f"betavae-core {cell.attrs.get('package', '?')}, TensorFlow {cell.attrs.get('tensorflow', '?')}"


def _empty(betas, count: int) -> xr.Dataset:
    shape = (len(betas), count)
    data = {
        name: (("beta", "realization"), np.full(shape, np.nan), {"units": "nats", "long_name": _long_name(name)})
        for name in SCALARS
    }
    for name in ("key", "made_by"):
        data[name] = (("beta", "realization"), np.full(shape, "", dtype=object))
    data["diverged"] = (("beta", "realization"), np.zeros(shape, bool))
    return xr.Dataset(data, coords={"beta": np.array(betas, float), "realization": np.arange(count)})


def _long_name(name: str) -> str:
    return TERMS[name.removesuffix("_heldout")] + (", held-out images" if name.endswith("_heldout") else "")


def _place_details(dataset: xr.Dataset, cell: xr.Dataset, beta: int, realization: int) -> None:
    for name, dims in DETAILS.items():
        if name not in cell or realization >= DETAILED:
            continue
        value = cell[name].values
        if name not in dataset:
            shape = (dataset.sizes["beta"], DETAILED, *value.shape)
            fill = np.zeros(shape, value.dtype) if value.dtype.kind == "u" else np.full(shape, np.nan, value.dtype)
            dataset[name] = (("beta", "detailed", *dims), fill)
        dataset[name].values[beta, realization] = value


def published_cells(specification: Specification) -> dict[str, xr.Dataset]:
    """The published members of a specification by key, each with its β and realization as attributes.

    Raises
    ------
    UsageError
        if the file is not what was published.
    """
    file = published(specification)
    if not file.exists():
        return {}
    whole, cells = _load_published(file), {}
    for b, r in zip(*np.nonzero(whole.key.values != ""), strict=True):
        cell = whole[[*SCALARS, "diverged"]].isel(beta=b, realization=r)
        details = [name for name in DETAILS if name in whole and r < DETAILED]
        cell = cell.assign({name: whole[name].isel(beta=b, detailed=r) for name in details})
        cells[str(whole.key.values[b, r])] = cell.assign_attrs(
            beta=float(whole.beta[b]),
            realization=int(r),
            diverged=int(whole.diverged.values[b, r]),
            made_by=str(whole.made_by.values[b, r]),
        )
    return cells


def _load_published(file: Path) -> xr.Dataset:
    whole = file.read_bytes()
    try:
        return _opened(whole)
    except Exception as error:
        raise UsageError(f"{file} is damaged ({first_line(error)}); git checkout brings it back") from None


def publish(members: list[Member]) -> Path | None:
    """Merge what is stored of these members into the tracked file, which keeps what it has; None if there is nothing.

    Without anything new the file keeps its bytes.
    """
    specification = members[0].specification
    target, cells = published(specification), published_cells(specification)
    new = {member: cell for member in members if member.key not in cells and (cell := read(member)) is not None}
    if not new:
        return target if cells else None
    there = [Member(specification, cell.attrs["beta"], cell.attrs["realization"]) for cell in cells.values()]
    cells |= {member.key: cell for member, cell in new.items()}
    dataset = collect([*there, *new], source=lambda member: cells.get(member.key))
    target.parent.mkdir(parents=True, exist_ok=True)
    dataset.attrs = {"experiment": dataset.experiment}
    for name in ("key", "made_by"):
        dataset[name] = dataset[name].astype(str)
    _save(dataset, target)
    return target


def _save(dataset: xr.Dataset, target: Path) -> None:
    """Write beside the target, flush to disk, move into place; sweep away what dead processes left behind."""
    _sweep_away(target.parent)
    partial = target.with_name(f".{target.name}.{socket.gethostname()}.{os.getpid()}.partial")
    packed = [name for name, value in dataset.data_vars.items() if value.ndim and value.dtype.kind != "U"]
    # in memory first: HDF5 itself crashes on a full disk
    whole = bytes(dataset.to_netcdf(engine="h5netcdf", encoding=dict.fromkeys(packed, COMPRESSED)))
    try:
        with open(partial, "wb") as handle:
            handle.write(whole + hashlib.sha256(whole).digest())  # netCDF readers do not look behind the end
            os.fsync(handle.fileno())
        os.replace(partial, target)
    finally:
        partial.unlink(missing_ok=True)


def _opened(whole: bytes) -> xr.Dataset:
    """What `_save` wrote. The seal comes first: HDF5 aborts the whole process on some flipped bits."""
    if hashlib.sha256(whole[:-SEAL]).digest() != whole[-SEAL:]:
        raise ValueError("it is not whole: its SHA-256 differs")
    return xr.load_dataset(io.BytesIO(whole[:-SEAL]), engine="h5netcdf")


def _sweep_away(directory: Path) -> None:
    for file in directory.glob(f".*.{socket.gethostname()}.*.partial"):
        try:
            os.kill(int(file.name.split(".")[-2]), 0)
        except (ProcessLookupError, ValueError):
            file.unlink(missing_ok=True)
        except PermissionError:
            pass  # the process lives, under another user
