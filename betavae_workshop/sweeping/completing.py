"""Terms that were defined after networks had been stored: these are trained again, and what they lack is filled in."""

from collections.abc import Iterator

from betavae_core.results import record, store
from betavae_core.results.members import Member
from betavae_core.theory.terms import SCALARS
from betavae_workshop.sweeping import crews, publishing

BATCH = 20  # networks filled in at a time: a published file is written whole


def lacking(members: list[Member]) -> list[Member]:
    """Stored members that did not diverge and have no value of some term of today, or no latents but should."""
    found = store.collect(members)
    absent = found[list(SCALARS)].to_array().isnull().any("variable") | publishing.without_latents(found)
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
                gaps += publishing.complete(waiting)
                waiting.clear()
            yield member, {"diverged": lost}
    finally:
        gaps += publishing.complete(waiting) if waiting else []
