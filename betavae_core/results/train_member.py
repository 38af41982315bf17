"""The work on members: train and evaluate some of one specification together, in this process."""

import contextlib
import os
import platform
import threading
import time
from importlib.metadata import version

import numpy as np

from betavae_core import machine
from betavae_core.errors import SweepError
from betavae_core.images.factors import Images
from betavae_core.machine import SINGLE_THREAD
from betavae_core.networks import atlas, output_layer
from betavae_core.networks.atlas import Atlas
from betavae_core.results.members import DETAILED, WITH_LATENTS, Member, Specification
from betavae_core.theory.terms import HELDOUT, SCALARS

ONE_AT_A_TIME = threading.Lock()  # a process keeps one compiled trainer, whatever the number of its worker's threads
PICTURES = 8  # reconstructions kept with a detailed member
LATENTS = 500  # images whose latents are kept


@contextlib.contextmanager
def alone(members: list[Member], keys: list[str]):
    """One thread, one task at a time; SweepError in a worker that stands elsewhere than where the keys come from."""
    os.environ.update(dict.fromkeys(SINGLE_THREAD, "1"))  # TensorFlow reads them when it starts
    if [member.key for member in members] != keys:
        raise SweepError("a worker has other digits, or another numerics version, than this machine")
    with ONE_AT_A_TIME:
        yield


def train_and_draw(member: Member, key: str, progress=None) -> tuple[dict, dict, Atlas | None]:
    """A member as of `trained`, and its atlas if it has a plane and did not diverge: what a page shows of its own.

    `progress` is told how many epochs were just done.
    """
    with alone([member], [key]):
        weights, data, [(values, provenance)] = trained([member], progress=progress)
        plane = weights.latents == 2 and np.isfinite(values["tie"])
        return values, provenance, atlas.draw(weights, data) if plane else None


def trained(members: list[Member], xla: bool = False, progress=None):
    """Train and evaluate members of one specification together in this process; each as if it were alone.

    Returns weights; the first member's training images; what is stored of each, NaN if it diverged, how it was made.
    """
    started = time.perf_counter()
    weights, drawn, curves = fitted(members, xla, progress)
    values = evaluated(weights, members, drawn, curves)
    provenance = {
        "seconds": round((time.perf_counter() - started) / len(members), 2),
        "pack": len(members),
        "xla": int(xla),
        **made_by(),
        **vars(members[0].specification),
    }
    return weights, drawn[0][0], [(found, provenance) for found in values]


def fitted(members: list[Member], xla: bool = False, progress=None):
    """Members of one specification, trained together: their weights, training and held-out images, and curves."""
    import tensorflow as tf

    tf.config.experimental.enable_op_determinism()
    spec, betas, seeds = members[0].specification, [m.beta for m in members], [m.seed for m in members]
    drawn = {r: spec.draw(r) for r in {m.realization for m in members}}  # β share images
    data = [drawn[m.realization][0] for m in members]
    weights, curves = fit(spec, data, betas, seeds, xla, progress)
    return weights, [drawn[m.realization] for m in members], curves


def fit(spec: Specification, data, betas, seeds, xla: bool = False, progress=None):
    """Networks trained as a specification says, on given images: their weights, and curves."""
    from betavae_core.networks import soap, training

    asked = data, betas, seeds, spec.epochs, spec.schedule, progress
    if spec.optimiser == "soap":
        return soap.fit(*asked, xla, spec.aim, **spec.architecture)  # which solves output layers itself
    trainer = training.trainer(len(betas), xla, spec.aim, **spec.architecture)
    curves = trainer.fit(*asked)
    return finished(spec, trainer.weights, data, seeds), curves


def finished(spec: Specification, weights, data, seeds):
    """Networks once training has ended: with their output layers solved, if that is wanted."""
    if spec.output == "trained":
        return weights
    weights = weights.some(slice(len(seeds)))  # a pack may be filled up with copies
    return output_layer.solved(weights, [Images.of(each) for each in data], seeds)


def made_by() -> dict:
    """Versions and device, for a record."""
    import tensorflow as tf

    device = tf.config.list_physical_devices("GPU")[:1]
    return {
        "package": version("betavae-core"),
        "python": platform.python_version(),
        "tensorflow": tf.__version__,
        "device": device[0].name if device else machine.processor(),
    }


def evaluated(weights, members, drawn, curves) -> list[dict]:
    """What is stored of them, for each member; NaN for a member that diverged."""
    from betavae_core.networks import evaluation

    betas, seeds = [member.beta for member in members], [member.seed for member in members]
    values: list[dict] = [dict.fromkeys(SCALARS, np.nan) for _ in members]
    sound = [i for i, curve in enumerate(curves) if np.isfinite(curve).all() and weights.finite(i)]
    if members[0].specification.aim.learned:
        weights = evaluation.with_learned_variance(weights, [d for d, _ in drawn], seeds)
    for suffix, images in (("", [d for d, _ in drawn]), (HELDOUT, [h for _, h in drawn])):
        found = evaluation.evaluate(weights, images, betas, seeds, only=sound)
        for name, column in found.items():
            for i, value in zip(sound, column, strict=True):
                values[i][name + suffix] = float(value)
    if kept := [i for i in sound if members[i].realization < WITH_LATENTS or members[i].specification.start]:
        q = weights.posterior([d for d, _ in drawn])
        for i in kept:
            values[i] |= {name: part.astype(np.float16) for name, part in q[i][:LATENTS].stored().items()}
    if detailed := [i for i in sound if members[i].realization < DETAILED]:
        for i, details in _pictures(weights, [d for d, _ in drawn], detailed).items():
            values[i] |= details | {"curve": curves[i, :: max(1, curves.shape[1] // 100)].astype(np.float32)}
    return values


def _pictures(weights, data, which: list[int]) -> dict[int, dict]:
    """Pictures of some members; grey levels in bytes, 128 is 0, `grey_scale` 127 steps away."""
    from betavae_core.networks import evaluation

    pictures, moved = evaluation.reconstructions(weights, data, PICTURES), evaluation.traversals(weights, data)
    found = {}
    for i in which:
        scale = max(np.abs(pictures[i]).max(), np.abs(moved[i]).max(), 1e-9)
        in_bytes = [np.uint8(np.clip(np.round(128 + 127 * p[i] / scale), 0, 255)) for p in (pictures, moved)]
        found[i] = {"reconstructions": in_bytes[0], "traversals": in_bytes[1], "grey_scale": np.float32(scale)}
    return found
