"""Run the members that are wanted and missing, here or on a cluster.

Workers return numbers; this process alone writes files. A member's numbers depend on its own seed and on nothing
that runs beside it, so the order and number of workers decide nothing.
"""

import contextlib
import functools
import json
import subprocess
from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, CancelledError, wait

from betavae_core import paths
from betavae_core.results import atlases, record, store
from betavae_core.results.members import Member
from betavae_workshop import pipes
from betavae_workshop.sweeping import crews, writing


def run(members: Iterable[Member], crew=None, pack: int | None = None, report=None) -> Iterator[tuple[Member, dict]]:
    """Have members of one specification trained, storing each as it ends; yields (member, provenance).

    On a CPU each of the crew trains one member at a time; on a GPU as many together as its memory holds
    (`crews.find_packing`), or `pack`. A member that another sweep has stored meanwhile is not trained again. `report`
    is told the packing. Closing the iterator, as Ctrl-C does, cancels what has not started, waits for the members in
    hand and stores them. SweepError if those who train are gone; what they finished is stored.

    `crew` is a context of a list of `crews.Crew`, such as `crews.here(jobs)` (the default) or `cluster.crew(address)`;
    each kind of workers has a packing of its own, and all take from one queue.
    """
    queue, running = list(members)[::-1], {}
    if not queue:
        return
    revision()  # now: git's settings are at home, and the crew has another
    with crew or crews.here() as kinds:
        packings = _packings(kinds, queue, pack, report)
        try:
            while queue or running:
                for (submit, size, _), found in zip(kinds, packings, strict=True):
                    while queue and sum(by is submit for _, by in running.values()) < size(found.device):
                        together = [queue.pop() for _ in range(min(found.members, len(queue)))]
                        there = [member for member in together if store.read(member) is not None]
                        yield from ((member, {}) for member in there)
                        if wanted := [member for member in together if member not in there]:
                            future = submit(crews.task, wanted, [member.key for member in wanted], found.xla)
                            running[future] = wanted, submit
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    kept = keep(future.result(), running[future][0])
                    del running[future]  # only now: what is trained but not stored yet is stored below
                    yield from kept
        finally:
            for future, (wanted, _) in running.items():
                with contextlib.suppress(CancelledError):  # the crew's own end is told by the error that led here
                    if not future.exception():
                        keep(future.result(), wanted)


def _packings(kinds, queue: list[Member], pack: int | None, report) -> list[crews.Packing]:
    """How many members each kind of workers trains together: `pack`, if that is for them, else what one finds."""
    asked = [crew.submit(crews.find_packing, queue[0].specification, pack or len(queue)) for crew in kinds]
    found = []
    for crew, future in zip(kinds, asked, strict=True):
        own = future.result()
        found.append(own._replace(members=pack) if pack and crew.packs else own)
        count = crew.size(own.device)
        if report:
            report(f"{found[-1]}, {count} worker{'s' * (count > 1)}")
    return found


def draw_atlases(members: Iterable[Member], crew=None, report=None) -> Iterator[Member]:
    """Have the atlas of each member drawn and publish it as it comes; yields the member.

    Members that have one are passed over; `report` is told how many have none. Interrupted, it goes on from there; crew
    and errors as for `run`.
    """
    missing = [member for member in members if atlases.read(member) is None]
    for member, file in ((member, file) for member in missing if (file := atlases.path(member)).exists()):
        writing.refuse_others(file, [member], {(member.beta, member.realization): json.loads(file.read_text())["key"]})
    if not missing:
        return
    pipes.writable(paths.published_store)
    if report:
        report(f"{len(missing)} to draw; each network is trained again for it")
    for member, drawn in crews.each_done(crew, crews.draw_atlas, {m: (m, m.key) for m in missing}):
        writing.write_atlas(member, *drawn)
        yield member


def keep(results, members: list[Member]) -> list[tuple[Member, dict]]:
    """Store trained members; (member, provenance) of each, which says too whether training diverged."""
    kept = []
    for member, (values, provenance) in zip(members, results, strict=True):
        writing.write(member, values, {**provenance, "revision": revision()})
        kept.append((member, provenance | {"diverged": record.diverged(values)}))
    return kept


@functools.cache
def revision() -> str:
    """The commit of this project that is checked out, with -dirty where files differ from it; or unknown."""
    command = ["git", "-C", str(paths.ROOT), "describe", "--always", "--dirty"]
    with contextlib.suppress(OSError):
        (paths.ROOT / ".git").stat()  # else it would be that of a repository around this project
        return subprocess.run(command, capture_output=True, text=True).stdout.strip() or "unknown"
    return "unknown"
