"""Read netCDF files from memory: HDF5 by h5py, what netCDF makes of it here, values decoded by xarray.

h5netcdf, which writes them, looks each dimension up some sixty times for each variable: it takes five times as long.
"""

import contextlib
import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import xarray as xr

from betavae_core import files
from betavae_core.errors import UsageError, first_line

ONLY_A_DIMENSION = b"This is a netCDF dimension but not a netCDF variable"  # so begins its NAME
BOOKKEEPING = {  # attributes in which HDF5 and netCDF keep what belongs together
    "CLASS",
    "DIMENSION_LIST",
    "NAME",
    "REFERENCE_LIST",
    "_NCProperties",
    "_Netcdf4Coordinates",
    "_Netcdf4Dimid",
    "_nc3_strict",
}


def loaded(file: Path) -> xr.Dataset:
    """The Dataset in a sealed netCDF-4 file without groups; errors as for `files.read_sealed` and `opened`.

    The seal comes first: HDF5 aborts the whole process on some flipped bits.
    """
    with opened(files.read_sealed(file)) as root:
        scales = {name: stored.attrs["NAME"] for name, stored in root.items() if stored.is_scale}
        empty = {name for name, told in scales.items() if told.startswith(ONLY_A_DIMENSION)}
        found = {name: _variable(root, stored) for name, stored in root.items() if name not in empty}
        return xr.decode_cf(xr.Dataset(found, attrs=attributes(root))).load()  # it decodes when asked for values


@contextlib.contextmanager
def opened(content: bytes) -> Iterator:
    """The file as h5py has it, none of its variables read yet.

    Raises `files.Damaged` if the content is none, and UsageError if h5py is not installed.
    """
    try:
        import h5py

        with h5py.File(io.BytesIO(content)) as file:
            yield file
    except ImportError as error:
        raise UsageError(f"stored networks cannot be read: {error}; `make env` installs what is missing") from None
    except UsageError:
        raise
    except (OSError, KeyError, ValueError, RuntimeError) as error:
        raise files.Damaged(first_line(error)) from None


def _variable(file, stored) -> xr.Variable:
    axes = stored.attrs.get("DIMENSION_LIST", ())
    dims = (stored.name[1:],) if stored.is_scale else tuple(file[axis].name[1:] for (axis,) in axes)
    values = np.asarray(stored.asstr()[()], str) if stored.dtype.kind == "O" else stored[()]
    return xr.Variable(dims, values, attributes(stored))


def attributes(stored) -> dict:
    """The attributes of a file or of a variable as xarray has them: one number is no array."""
    given = {name: stored.attrs[name] for name in stored.attrs if name not in BOOKKEEPING}
    return {name: value[0] if np.shape(value) == (1,) else value for name, value in given.items()}
