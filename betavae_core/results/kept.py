"""What a build derives from stored networks, kept by content: it is not computed again from the same.

The key counts the function, all modules of the package that it can reach, what it is given, the digits, and the
versions of Python and of what computes. Outside a build, where modules may be changed while they run, nothing is kept.
"""

import contextlib
import functools
import hashlib
import inspect
import sys
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import xarray as xr

from betavae_core import files, imports, machine, paths
from betavae_core.results import netcdf

MOST = 60  # files, those used last
COUNTED = ("numpy", "scipy", "xarray", "opencv-python-headless")


def kept(function: Callable[..., xr.Dataset]) -> Callable[..., xr.Dataset]:
    """The same function, which in a build reads what it returned to the same arguments before.

    Its arguments are Datasets, numbers, texts, or sequences of these. A damaged file is told of and computed again; a
    full disk is no reason to fail.
    """
    signature = inspect.signature(function)

    @functools.wraps(function)
    def found(*args, **given) -> xr.Dataset:
        if paths.stage() is None:
            return function(*args, **given)
        bound = signature.bind(*args, **given)
        bound.apply_defaults()
        file = paths.BUILD / "cache/derived" / f"{function.__name__}-{_key(function, bound.arguments)}.nc"
        try:
            dataset = netcdf.loaded(file)
            with contextlib.suppress(OSError):
                file.touch()  # used last now
            return dataset
        except files.Damaged as error:
            warnings.warn(f"{file.name} is damaged ({error}); it is computed again", stacklevel=2)
        except OSError:
            pass  # nothing is kept yet, or none of it can be read
        dataset = function(*args, **given)
        with contextlib.suppress(OSError):
            _write(file, dataset)
        return dataset

    return found


def _key(function: Callable, arguments: dict) -> str:
    state = hashlib.sha256(f"{function.__module__}.{function.__qualname__} {sys.version}".encode())
    state.update(str([machine.installed(name) for name in COUNTED]).encode())
    for file in (*imports.reach(f"import {function.__module__}").modules, paths.digits()):
        state.update(f"{file.name} {hashlib.sha256(file.read_bytes()).hexdigest()}".encode())
    for name, value in arguments.items():
        state.update(f"{name}={_told(value)};".encode())
    return state.hexdigest()[:32]


def _told(value) -> str:
    """A value in letters: equal for equal values alone; of a Dataset, coordinates and attributes included."""
    if isinstance(value, xr.Dataset):
        each = {name: (v.dims, v.dtype.str, _told(v.values)) for name, v in sorted(value.variables.items())}
        return repr((each, sorted(value.attrs.items())))
    array = np.asarray(value)
    if array.dtype.kind in "biuf":
        return f"{array.dtype.str}{array.shape}{hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()}"
    return repr(array.tolist())


def _write(file: Path, dataset: xr.Dataset) -> None:
    """Write a Dataset, sealed and whole; what was used longest ago goes."""
    file.parent.mkdir(parents=True, exist_ok=True)
    files.write_sealed(file, bytes(dataset.to_netcdf(engine="h5netcdf")))
    for old in sorted(file.parent.glob("*.nc"), key=lambda each: each.stat().st_mtime_ns)[:-MOST]:
        old.unlink(missing_ok=True)
