"""Which members are wanted: profiles over experiments, and the supplements that the book shows beside them."""

import itertools
from dataclasses import dataclass, field
from typing import Any

from betavae_core.errors import UsageError
from betavae_core.images import experiments
from betavae_core.images.experiments import Supplement
from betavae_core.results.members import LARGEST_BETA, MOST_MEMBERS, Member, Specification


@dataclass(frozen=True)
class Profile:
    """How much of each experiment is wanted; None leaves it to the experiment's own record, as do no settings."""

    betas: tuple[float, ...] | None = None
    realizations: int | None = None
    settings: dict[str, Any] = field(default_factory=dict)
    supplements: bool = True


PROFILES = {
    "smoke": Profile((1.0, 100.0), 2, {"samples": 100, "epochs": 20}, supplements=False),
    "published": Profile(),
    "thesis": Profile(realizations=300),
}


def profile(name: str) -> Profile:
    """The profile of that name; UsageError if there is none."""
    if name not in PROFILES:
        raise UsageError(f"no profile {name!r}; profiles: {', '.join(PROFILES)}")
    return PROFILES[name]


def plan(
    experiment: str, profile_name: str = "published", betas=None, realizations=None, supplement=None, **settings
) -> list[Member]:
    """Members of a profile, realization by realization, so that an interrupted sweep leaves whole curves.

    >>> [(member.beta, member.realization) for member in plan("mixing", betas=[1, 2], realizations=2)]
    [(1.0, 0), (2.0, 0), (1.0, 1), (2.0, 1)]

    Raises UsageError on an unknown name or a value that cannot be, in one line.

    Parameters
    ----------
    experiment, profile_name : names
    betas, realizations : replace the profile's
    supplement : name of one of the experiment's supplements, in place of what the profile wants
    settings : fields of `Specification`, in place of the profile's
    """
    record, chosen = experiments.experiment(experiment), profile(profile_name)
    wanted = record.settings | chosen.settings
    default_betas, default_count = chosen.betas or record.betas, chosen.realizations or record.realizations
    first = 0
    if supplement is not None:
        extra = _supplement(experiment, supplement)
        default_betas, default_count, wanted = extra.betas, extra.realizations, wanted | extra.settings
        first = extra.first if realizations is None else 0
    specification = Specification(experiment, **(wanted | settings))
    count = default_count if realizations is None else realizations
    if count < 1:
        raise UsageError(f"realizations must be >= 1; got {count}")
    betas = sorted({float(beta) + 0.0 for beta in (default_betas if betas is None else betas)})  # −0 is 0
    if not betas:
        raise UsageError(f"a plan needs one β or more; got none for {experiment}")
    for beta in betas:
        if not 0 <= beta <= LARGEST_BETA:
            raise UsageError(f"beta must be from 0 to 1e9; got {beta}")
    if count * len(betas) > MOST_MEMBERS:
        asked = f"{len(betas)} β × {count:,} realizations"
        raise UsageError(f"a plan has at most {MOST_MEMBERS:,} members; got {asked} of {experiment}")
    return [Member(specification, beta, r) for r, beta in itertools.product(range(first, count), betas)]


def plans(names=(), profile_name: str = "published", **options) -> list[list[Member]]:
    """A plan for each experiment named, or for all, and for each supplement that the profile wants of them.

    With `options` (β, realizations or settings in place of the profile's) supplements are left out.
    """
    found = []
    for name in names or experiments.NAMES:
        found.append(plan(name, profile_name, **options))
        if profile(profile_name).supplements and not options:
            extras = experiments.experiment(name).supplements
            found += [plan(name, profile_name, supplement=extra.name) for extra in extras]
    return found


def _supplement(experiment: str, name: str) -> Supplement:
    known = {extra.name: extra for extra in experiments.experiment(experiment).supplements}
    if name not in known:
        raise UsageError(f"{experiment} has no supplement {name!r}; it has: {', '.join(known) or 'none'}")
    return known[name]
