"""What is stored of a trained member, and the labelled Dataset over β × realization that many make."""

import hashlib

import numpy as np
import xarray as xr

from betavae_core.errors import UsageError
from betavae_core.results.members import DETAILED, Member
from betavae_core.theory.terms import HELDOUT, SCALARS, TERMS, attributes

FORMAT = 1  # of stored files; one that does not say has format 1
READERS = {}  # format: function from a Dataset of that format to one of today's; one for each older format
DETAILS = {  # of realizations 0-4, latents of 0-19 and of all that start anew
    "curve": ("step",),
    "latent_mean": ("sample", "latent"),
    "latent_std": ("sample", "latent"),
    "latent_lower": ("sample", "pair"),  # of the full family: entries of L below its diagonal
    "reconstructions": ("picture", "row", "column"),
    "traversals": ("latent", "value", "row", "column"),
    "grey_scale": (),
}
LABELS = ("key", "made_by")
GRID = ("beta", "realization")


class FormatError(UsageError):
    """A file was written by a later version of this package; it is sound, and left alone."""


def cell(member: Member, values: dict, provenance: dict) -> xr.Dataset:
    """A member's numbers as they are stored: `SCALARS`, `DETAILS` if it keeps them, how it was made."""
    dataset = xr.Dataset({name: (DETAILS.get(name, ()), np.asarray(value)) for name, value in values.items()})
    dataset.attrs = {
        **provenance,
        "format": FORMAT,
        "key": member.key,
        "beta": float(member.beta),
        "realization": member.realization,
        "diverged": int(diverged(values)),
        "checksum": checksum(dataset),
    }
    return dataset


def diverged(values: dict) -> bool:
    """Whether training diverged: then a term of the identity is not finite; a metric may be undefined for a network."""
    terms = (name for name in SCALARS if TERMS[name.removesuffix(HELDOUT)].linear)
    return not all(np.isfinite(values[name]) for name in terms)


def understood(dataset: xr.Dataset, name: str) -> xr.Dataset:
    """A Dataset of any known format as one of today's; FormatError if its format is not known here."""
    found = require_known(dataset.attrs.get("format", 1), name)
    return dataset if found == FORMAT else READERS[found](dataset)


def require_known(number, name: str) -> int:
    """The number of a format, if it is known here; else FormatError."""
    if int(number) != FORMAT and int(number) not in READERS:
        raise FormatError(f"{name} has format {number}, and this version reads up to {FORMAT}; it is left as it is")
    return int(number)


def checksum(dataset: xr.Dataset) -> str:
    """SHA-256 over the names and bytes of all variables: equal for equal numbers, wherever they were made."""
    state = hashlib.sha256()
    for name in sorted(map(str, dataset.data_vars)):
        state.update(name.encode() + np.ascontiguousarray(dataset[name].values).tobytes())
    return state.hexdigest()


def empty(betas, realizations: int) -> xr.Dataset:
    """A Dataset over β × realization in which every cell is missing."""
    shape = (len(betas), realizations)
    data: dict = {name: (GRID, np.full(shape, np.nan), attributes(name)) for name in SCALARS}
    data |= {name: (GRID, np.full(shape, "", dtype=object)) for name in LABELS}
    data["diverged"] = (GRID, np.zeros(shape, bool))
    return xr.Dataset(data, coords={"beta": np.array(betas, float), "realization": np.arange(realizations)})


def widened(dataset: xr.Dataset, betas, realizations: int) -> xr.Dataset:
    """A Dataset over β × realization at these β and realizations; cells that it lacks, and terms, are missing."""
    found = _reindexed(dataset, beta=np.array(betas, float), realization=np.arange(realizations))
    for name in LABELS:
        found[name] = found[name].astype(object)
    return found.assign({name: value for name, value in empty(betas, realizations).items() if name not in found})


def joined(dataset: xr.Dataset, other: xr.Dataset) -> xr.Dataset:
    """A Dataset with the β of another beside its own, for every realization that either has; its own cells stay."""
    new = sorted(set(other.beta.values) - set(dataset.beta.values))
    if not new:
        return dataset
    count = max(found.sizes["realization"] for found in (dataset, other))
    found = widened(dataset, sorted([*dataset.beta.values, *new]), count).copy(deep=True)
    found = with_room(found, other.sizes.get("detailed", 0))
    same = (name for name in found.data_vars if name in other and found[name].shape[2:] == other[name].shape[2:])
    for name in same:  # a training curve of other epochs has another length
        second = other[name].dims[1]
        axes = {"beta": new, second: other[second] if second in GRID else slice(other.sizes[second])}
        found[name].loc[axes] = other[name].sel(beta=new).transpose(*found[name].dims).values
    return found


def keep(dataset: xr.Dataset, wanted: np.ndarray) -> xr.Dataset:
    """The Dataset with the cells that are not `wanted` (β, realization) made missing, details included."""
    count = dataset.sizes.get("detailed", 0)
    if wanted.all() and count <= wanted.shape[1]:
        return dataset
    found = dataset.copy(deep=True)
    detailed = np.pad(wanted[:, :count], ((0, 0), (0, max(0, count - wanted.shape[1]))))
    for variable in found.data_vars.values():
        mask = wanted if "realization" in variable.dims else detailed
        variable.values[~mask] = _fill(variable.dtype)
    return found


def with_room(dataset: xr.Dataset, realizations: int) -> xr.Dataset:
    """The Dataset with an axis `detailed` of so many realizations, or more; what it has of none of them is missing."""
    if (known := dataset.sizes.get("detailed", realizations)) >= realizations:
        return dataset
    numbered = dataset.assign_coords(detailed=np.arange(known))
    return _reindexed(numbered, detailed=np.arange(realizations)).drop_vars("detailed")


def _reindexed(dataset, **grid):
    return dataset.reindex(grid, fill_value={str(name): _fill(each.dtype) for name, each in dataset.data_vars.items()})


def place(dataset: xr.Dataset, member: Member, stored: xr.Dataset) -> xr.Dataset:
    """The Dataset with a member's cell in its place; a diverged one says so and leaves its numbers missing."""
    b, r = int(np.flatnonzero(dataset.beta.values == member.beta)[0]), member.realization
    package, tensorflow, device = (stored.attrs.get(name, "?") for name in ("package", "tensorflow", "device"))
    library = stored.attrs.get("library", f"TensorFlow {tensorflow}")
    made_by = f"betavae-core {package}, {library}, {device}"
    lost = bool(stored.attrs["diverged"])
    for name, value in (("key", member.key), ("made_by", made_by), ("diverged", lost)):
        dataset[name].values[b, r] = value
    for name in SCALARS:
        if name in stored and not lost:
            dataset[name].values[b, r] = float(stored[name])
    return with_details(dataset, b, r, stored)


def with_details(dataset: xr.Dataset, b: int, r: int, found) -> xr.Dataset:
    """The Dataset with the details that are `found` of a network at the b-th β of a realization."""
    given = {name: np.asarray(found[name]) for name in DETAILS if name in found}
    dataset = with_room(dataset, r + 1) if given else dataset
    for name, value in given.items():
        if name not in dataset:
            shape = (dataset.sizes["beta"], dataset.sizes.get("detailed", max(DETAILED, r + 1)), *value.shape)
            axes = ("beta", "detailed", *DETAILS[name])
            dataset[name] = (axes, np.full(shape, _fill(value.dtype), value.dtype))
        dataset[name].values[b, r] = value
    return dataset


def latents_of(dataset: xr.Dataset) -> np.ndarray:
    """Of which networks latents are stored, (beta, detailed)."""
    if "latent_mean" not in dataset:
        return np.zeros((dataset.sizes["beta"], 0), bool)
    return np.isfinite(dataset.latent_mean).all(("sample", "latent")).values


def _fill(dtype):
    """What stands for a missing value."""
    return {"f": np.nan, "u": 0, "b": False}.get(np.dtype(dtype).kind, "")
