"""What a GPU does with this project's training: whether it repeats itself, how many networks it holds, how fast it is.

With TensorFlow, or with JAX where a machine has that: the same checks on trainers of one kind.
"""

import json
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from betavae_core.errors import UsageError
from betavae_core.images import experiments
from betavae_core.images.factors import Images
from betavae_core.results import planning, record, train_member
from betavae_workshop.speed import RATE, STEPPED
from betavae_workshop.timing import contenders

LIBRARIES = {"tensorflow": "`make env EXTRAS=gpu`", "jax": "pip install jax, or jax[cuda13],"}  # what brings each
PACKS = (1, 16, 256)  # members trained together; XLA may compile each for a minute
STEPS, PEER_STEPS = 200, 100
HEADER = ["check", "experiment", "library", "members", "found", "unit"]


def device(library: str) -> str | None:
    """Name of the GPU that a library sees; None if there is none."""
    if library == "jax":
        from betavae_core.networks import jax_training

        found = jax_training.device()
        return found.device_kind if found.platform == "gpu" else None
    import tensorflow as tf

    devices = tf.config.list_physical_devices("GPU")
    return tf.config.experimental.get_device_details(devices[0]).get("device_name", "GPU") if devices else None


def read(file: Path) -> dict:
    """What a file of an earlier check has, none if it is not there; UsageError if it is no such file."""
    try:
        return {**json.loads(file.read_text())} if file.exists() else {}
    except (ValueError, TypeError):
        raise UsageError(f"{file} holds no checks of a GPU") from None


def trainers(library: str):
    """Function of a number of members and of an architecture to a trainer; UsageError if the library is not here."""
    if library not in LIBRARIES:
        raise UsageError(f"no library {library!r}; libraries: {', '.join(LIBRARIES)}")
    if not find_spec(library):
        raise UsageError(f"{library} is not installed; {LIBRARIES[library]} brings it")
    if library == "jax":
        from betavae_core.networks import jax_training

        return jax_training.Trainer
    from betavae_core.networks import training

    return lambda members, **architecture: training.trainer(members, True, **architecture)


def check(library: str, names=STEPPED, packs=PACKS, steps: int = STEPS, peers=contenders.ACCELERATED) -> Iterator[dict]:
    """Rows of `HEADER`, each as it is found: does it repeat itself, does a pack matter, how fast is it."""
    trainer_of = trainers(library)
    for name in names:
        training, _ = experiments.draw(name, 0)
        data = Images.of(training)
        few, alone = trainer_of(min(packs[-1], 16)), _curve(trainer_of(1), data, steps)[0]
        first, again = (_curve(few, data, steps) for _ in range(2))
        yield _row("same pack twice", name, library, few.members, np.abs(first - again).max(), "nats")
        apart = np.abs(alone - first[0]).max() / np.abs(alone).max()
        yield _row("alone or in a pack", name, library, few.members, apart, "of the objective")
        for members in packs:
            yield _row("training", name, library, members, _rate(trainer_of(members), data, steps), RATE)
        yield _row("smoke profile", name, library, *_smoke(trainer_of, name), "finite")
        for peer in peers:
            for members in packs if peer == "jax" else packs[:1]:
                advance = contenders.CONTENDERS[peer][0](training, 1, members=members).advance
                yield _row("peer", name, peer, members, members * _steps_per_second(advance), RATE)


def _smoke(trainer_of, name: str) -> tuple[int, int]:
    """How many members the `smoke` profile has, trained and evaluated, and how many of them have finite terms only."""
    members = planning.plan(name, "smoke")
    spec, seeds = members[0].specification, [member.realization for member in members]
    drawn = [spec.draw(seed) for seed in seeds]
    trainer = trainer_of(len(members), aim=spec.aim, **spec.architecture)
    curves = trainer.fit([data for data, _ in drawn], [m.beta for m in members], seeds, spec.epochs, spec.schedule)
    found = train_member.evaluated(trainer.weights, members, drawn, curves)
    return len(members), sum(not record.diverged(values) for values in found)


def _row(*values) -> dict:
    *names, found, unit = values
    return dict(zip(HEADER, [*names, float(f"{found:.4g}"), unit], strict=True))


def _curve(trainer, data, steps: int) -> np.ndarray:
    """The objective of a pack whose members differ by β and seed, (member, step)."""
    betas = np.geomspace(1, 100, trainer.members).tolist()
    return trainer.fit([data] * trainer.members, betas, list(range(trainer.members)), steps)


def _rate(trainer, data, steps: int) -> float:
    """Member-steps per second of a pack, compiled beforehand."""
    return trainer.members * steps * _steps_per_second(lambda _: _curve(trainer, data, steps), 1)


def _steps_per_second(advance, steps: int = PEER_STEPS) -> float:
    advance(steps)
    started = time.perf_counter()
    advance(steps)
    return steps / (time.perf_counter() - started)
