"""What workers do: train members, or draw the atlas of one."""

import time

from betavae_core.networks import atlas
from betavae_core.networks.atlas import Atlas
from betavae_core.results import train_member
from betavae_core.results.members import Member


def task(members: list[Member], keys: list[str], xla: bool) -> list[tuple[dict, dict]]:
    """`train_member.trained` on one thread, in a worker that has the digits and the numerics version of the keys."""
    with train_member.alone(members, keys):
        return train_member.trained(members, xla)[2]


def draw_atlas(member: Member, key: str) -> tuple[Atlas, dict]:
    """The atlas of a member, which is trained again for it (weights are not kept), and how it was made."""
    started = time.perf_counter()
    with train_member.alone([member], [key]):
        weights, [(data, _)], _ = train_member.fitted([member])
        drawn = atlas.draw(weights, data)
    seconds = round(time.perf_counter() - started, 2)
    return drawn, {"seconds": seconds, **train_member.made_by(), **vars(member.specification)}
