"""What of the members wanted is stored, and what is stored beside them; of published files only their keys are read."""

import contextlib
import itertools
from typing import NamedTuple

import numpy as np

from betavae_core import files, paths
from betavae_core.results import netcdf, record, store
from betavae_core.results.members import Member, Specification


class Plan(NamedTuple):
    """Members wanted, split by what is known of them."""

    missing: list[Member]
    working: list[Member]
    published: list[Member]
    diverged: list[Member]


def survey(members: list[Member]) -> Plan:
    """Which members are missing, stored, published, or stored as diverged (listed with their store as well)."""
    base = published_index(members[0].specification)
    found = Plan([], [], [], [])
    for member in members:
        if member.key in base:
            found.published.append(member)
            _, diverged = base[member.key]
        else:
            stored = store.read(member)
            (found.missing if stored is None else found.working).append(member)
            diverged = stored is not None and bool(stored.attrs["diverged"])
        if diverged:
            found.diverged.append(member)
    return found


def whole(members: list[Member]) -> set[int]:
    """Realizations of which every member of a plan is stored and did not diverge."""
    plan = survey(members)
    lacking = {member.realization for member in (*plan.missing, *plan.diverged)}
    return {member.realization for member in members} - lacking


def others(members: list[Member]) -> list[Member]:
    """Stored and published members of the same specification that are not among these; damaged files count as none."""
    specification, known = members[0].specification, {member.key for member in members}
    known_cells = published_index(specification)
    cells, there = [cell for cell, _ in known_cells.values()], set(known_cells)
    for file in (paths.working_store() / specification.experiment).glob("*.nc"):
        if file.stem not in known | there:
            with contextlib.suppress(OSError, ValueError, KeyError):
                cells.append(tuple(store.opened(file).attrs[name] for name in ("beta", "realization")))
                there.add(file.stem)
    found = (Member(specification, float(beta), int(realization)) for beta, realization in set(cells))
    return [member for member in found if member.key in there - known]


def published_index(specification: Specification) -> dict[str, tuple[tuple[float, int], bool]]:
    """`index` of what is published of a specification; UsageError if the file is not what was published."""
    return store.read_published(specification, lambda file: index(files.read_sealed(file), file.name)) or {}


def index(content: bytes, name: str) -> dict[str, tuple[tuple[float, int], bool]]:
    """(β, realization) of each member of a published file by its key, and whether it diverged; nothing else is read."""
    with netcdf.opened(content) as found:
        record.require_known(netcdf.attributes(found).get("format", 1), name)
        betas, realizations, diverged = (found[n][...].tolist() for n in ("beta", "realization", "diverged"))
        keys = _texts(found["key"])
    flat = zip(itertools.product(betas, realizations), keys, itertools.chain(*diverged), strict=True)
    return {key.decode(): (cell, bool(lost)) for cell, key, lost in flat if key}


def held(content: bytes) -> int:
    """How many networks a file holds, a published one or that of one member."""
    with netcdf.opened(content) as found:
        return sum(map(bool, _texts(found["key"]))) if "key" in found else 1


def _texts(variable) -> np.ndarray:
    """Texts as HDF5 has them, strings or letters, in one row."""
    values = variable[...]
    return values.ravel() if values.dtype == object else values.view(f"S{values.shape[-1]}").ravel()
