"""How many members a GPU trains at once: found by training one step, not by guessing at memory.

On a GPU one member leaves most of the device idle, so members are packed along the leading axis of every weight.
"""

from collections.abc import Callable
from typing import NamedTuple

from betavae_core.errors import SweepError

MOST = 512  # members; beyond this the host's copies of the images outgrow the gain


class Packing(NamedTuple):
    """Members trained together, whether XLA compiles their step, and the device they are on."""

    members: int = 1
    xla: bool = False
    device: str = "CPU"

    def __str__(self) -> str:
        together = f"{self.members} members together" if self.members > 1 else "one member at a time"
        return f"{together} on {self.device}" + (", compiled by XLA" if self.xla else "")


def find(specification, wanted: int) -> Packing:
    """The packing for this process's device: one member on a CPU, as many as fit and are wanted on a GPU."""
    import tensorflow as tf

    devices = tf.config.list_physical_devices("GPU")
    if not devices:
        return Packing()
    for xla in (True, False):
        members = largest(lambda count, xla=xla: fits(specification, count, xla), min(wanted, MOST))
        if members:
            return Packing(members, xla, devices[0].name.removeprefix("/physical_device:"))
    raise SweepError("not even one member fits on the GPU")


def largest(fitting: Callable[[int], bool], wanted: int) -> int:
    """`wanted`, or the first of its halves that fits; 0 if not even one member does."""
    while wanted and not fitting(wanted):
        wanted //= 2
    return wanted


def fits(specification, count: int, xla: bool) -> bool:
    """Whether a pack trains for two steps; running out of memory, or XLA's refusal, counts as no."""
    import tensorflow as tf

    from betavae_core.networks import training
    from betavae_core.networks.model import Ensemble

    data, _ = specification.draw(0)
    refusals = (tf.errors.ResourceExhaustedError, *((tf.errors.OpError,) if xla else ()))
    try:
        training.Trainer(Ensemble(count, **specification.architecture), xla).fit(
            [data] * count, [1.0] * count, range(count), 2
        )
    except refusals:
        return False
    return True
