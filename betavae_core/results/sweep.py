"""What of a sweep is stored: load it, and see what is missing."""

from typing import NamedTuple

import xarray as xr

from betavae_core.results import planning, store
from betavae_core.results.members import Member


class Plan(NamedTuple):
    """Members wanted, split by what is known of them."""

    missing: list[Member]
    working: list[Member]
    published: list[Member]
    diverged: list[Member]


def survey(members: list[Member]) -> Plan:
    """Which members are missing, stored, published, or stored as diverged (listed with their store as well)."""
    base = store.published_keys(members[0].specification)
    found = Plan([], [], [], [])
    for member in members:
        if member.key in base:
            found.published.append(member)
            diverged = base[member.key]
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


def load(experiment: str, profile: str = "published", **options) -> xr.Dataset:
    """Stored and published results over dims beta × realization; options as in `planning.plan`."""
    return store.collect(planning.plan(experiment, profile, **options))
