"""Into what git tracks: merge the working store's members, and fill in what was defined after networks were stored."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from betavae_core import paths
from betavae_core.errors import UsageError
from betavae_core.results import record, store
from betavae_core.results.members import WITH_LATENTS, Member
from betavae_core.theory.terms import SCALARS, attributes
from betavae_workshop import pipes
from betavae_workshop.sweeping import crews, survey, writing

BATCH = 20  # networks filled in at a time: a published file is written whole
WAITS = "another process is publishing; waiting for it"


@pipes.alone(paths.published_store, WAITS)
def publish(members: list[Member]) -> Path | None:
    """Merge what is stored of these members into the tracked file, which keeps what it has; None if none is there.

    Without anything new the file keeps its bytes. UsageError, and nothing written, where other networks have a place.
    """
    specification = members[0].specification
    target, known = store.published(specification), survey.published_index(specification)
    base = store.load_published(specification)
    new = {member: found for member in members if member.key not in known and (found := store.read(member)) is not None}
    if not new:
        return target if any(member.key in known for member in members) else None
    writing.refuse_others(target, new, {cell: key for key, (cell, _) in known.items()})
    betas = sorted({member.beta for member in new} | set([] if base is None else base.beta.values.tolist()))
    count = max([member.realization + 1 for member in new] + ([] if base is None else [base.sizes["realization"]]))
    dataset = record.empty(betas, count) if base is None else record.widened(base, betas, count)
    for member, found in new.items():
        dataset = record.place(dataset, member, found)
    dataset.attrs = {"experiment": specification.experiment, "format": record.FORMAT}
    _save(dataset, target)
    return target


def _save(dataset, target: Path) -> None:
    """Write a Dataset as it is published: its labels as text of one length."""
    for name in record.LABELS:
        dataset[name] = dataset[name].astype(str)
    writing.save(dataset, target)


def lacking(members: list[Member]) -> list[Member]:
    """Stored members that did not diverge and have no value of some term of today, or no latents but should."""
    found = store.collect(members)
    absent = found[list(SCALARS)].to_array().isnull().any("variable") | without_latents(found)
    absent &= (found.key != "") & ~found.diverged
    return [member for member in members if bool(absent.sel(beta=member.beta, realization=member.realization))]


def fill_in(members: list[Member], gaps: list[float], crew=None) -> Iterator[tuple[Member, dict]]:
    """Train members again and add what is stored of them lacks; yields each as it is done, and whether it diverged.

    `gaps` gets, for each, the largest difference of a term that it had already, in nats: 0 on the processor that
    trained it. Crew and errors are as for `running.run`.
    """
    asked = {member: ([member], [member.key], False) for member in members}
    waiting: dict[Member, dict] = {}
    try:
        for member, [(values, _)] in crews.each_done(crew, crews.task, asked):
            lost = record.diverged(values)  # then it fills nothing in
            waiting |= {} if lost else {member: values}
            if len(waiting) == BATCH:
                full, waiting = waiting, {}  # a batch that fails is not tried again below
                gaps += complete(full)
            yield member, {"diverged": lost}
    finally:
        gaps += complete(waiting) if waiting else []


@pipes.alone(paths.published_store, WAITS)
def complete(found: dict[Member, dict]) -> list[float]:
    """Add what is stored of members of one specification lacks of these values; the published file is written once.

    Returns the largest difference of those that each had, in nats. Raises UsageError for one that is not stored.
    """
    specification = next(iter(found)).specification
    base, gaps = store.load_published(specification), []
    whole = None if base is None else record.widened(base, base.beta.values, base.sizes["realization"])
    places = {} if whole is None else {key: index for index, key in np.ndenumerate(whole.key.values)}
    for member, values in found.items():
        if whole is not None and member.key in places:
            b, r = places[member.key]
            gaps.append(_filled_in(whole, (b, r), values))
            whole = record.with_details(whole, b, r, values) if without_latents(whole)[b, r] else whole
        elif (own := store.read(member)) is None:
            raise UsageError(f"{member.key} is not stored")
        else:
            gaps.append(_filled_in(own, (), values))
            details = {name: (dims, values[name]) for name, dims in record.DETAILS.items() if name in values}
            own = own.assign({name: value for name, value in details.items() if name not in own})
            own.attrs["checksum"] = record.checksum(own)
            writing.save(own, store.path(member))
    if base is not None and whole is not None and any(member.key in places for member in found):
        whole.attrs = base.attrs
        _save(whole, store.published(specification))
    return gaps


def without_latents(dataset) -> np.ndarray:
    """Which networks (beta, realization) ought to be stored with latents and have none there."""
    betas, realizations = dataset.key.shape
    there = record.latents_of(dataset)[:, :realizations]
    lacking = np.tile(np.arange(realizations) < WITH_LATENTS, (betas, 1))
    lacking[:, : there.shape[-1]] &= ~there
    return lacking


def _filled_in(cells, index: tuple, values: dict) -> float:
    """Put values where none are; the largest difference of those that are there."""
    gap = 0.0
    for name in SCALARS:
        known = float(cells[name].values[index]) if name in cells else np.nan
        if np.isfinite(known):
            gap = max(gap, abs(known - values[name]))
        elif index:
            cells[name].values[index] = values[name]
        else:
            cells[name] = ((), values[name], attributes(name))
    return gap
