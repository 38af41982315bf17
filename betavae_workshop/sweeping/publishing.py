"""Into what git tracks: merge the working store's members, and fill in terms that published ones lack."""

from pathlib import Path

import numpy as np

from betavae_core.errors import UsageError
from betavae_core.results import record, store
from betavae_core.results.members import Member
from betavae_core.theory.terms import SCALARS, attributes


def publish(members: list[Member]) -> Path | None:
    """Merge what is stored of these members into the tracked file, which keeps what it has; None if there is nothing.

    Without anything new the file keeps its bytes.
    """
    specification = members[0].specification
    target, base, known = (
        store.published(specification),
        store.load_published(specification),
        store.published_keys(specification),
    )
    new = {member: found for member in members if member.key not in known and (found := store.read(member)) is not None}
    if not new:
        return target if known else None
    betas = sorted({member.beta for member in new} | set([] if base is None else base.beta.values.tolist()))
    count = max([member.realization + 1 for member in new] + ([] if base is None else [base.sizes["realization"]]))
    dataset = record.empty(betas, count) if base is None else record.widened(base, betas, count)
    for member, found in new.items():
        record.place(dataset, member, found)
    dataset.attrs = {"experiment": specification.experiment, "format": record.FORMAT}
    for name in record.LABELS:
        dataset[name] = dataset[name].astype(str)
    target.parent.mkdir(parents=True, exist_ok=True)
    store.save(dataset, target)
    return target


def complete(member: Member, values: dict) -> float:
    """Add what is stored of a member lacks of some values; the largest difference of those that it had, in nats.

    Raises
    ------
    UsageError
        if it is not stored.
    """
    base, file = store.load_published(member.specification), store.published(member.specification)
    if base is None or member.key not in base.key.values:
        base, file = store.read(member), store.path(member)
        if base is None:
            raise UsageError(f"{member.key} is not stored")
        cells, index = base, ()
    else:
        cells = record.widened(base, base.beta.values, base.sizes["realization"])
        index = tuple(int(place[0]) for place in np.nonzero(cells.key.values == member.key))
    gap = 0.0
    for name in SCALARS:
        known = float(cells[name].values[index]) if name in cells else np.nan
        if np.isfinite(known):
            gap = max(gap, abs(known - values[name]))
        elif index:
            cells[name].values[index] = values[name]
        else:
            cells[name] = ((), values[name], attributes(name))
    cells.attrs = base.attrs | ({} if index else {"checksum": record.checksum(cells)})
    for name in record.LABELS if index else ():
        cells[name] = cells[name].astype(str)
    store.save(cells, file)
    return gap
