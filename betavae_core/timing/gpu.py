"""What a GPU does with this project's training: whether it repeats itself, how many networks it holds, how fast it is.

With TensorFlow, or with JAX where a machine has that (`accelerated.twin`): the same checks on trainers of one kind.
"""

import math
import time
from collections.abc import Iterator
from importlib.util import find_spec

import numpy as np
import scipy.stats

from betavae_core.errors import UsageError
from betavae_core.images import experiments
from betavae_core.images.factors import Images
from betavae_core.networks import architecture
from betavae_core.sweeps import planning, record, work
from betavae_core.timing import contenders

NAMES = ("mixing", "localisation")
LIBRARIES = ("tensorflow", "jax")
PACKS = (1, 16, 256)  # members trained together; XLA may compile each for a minute
STEPS, PEER_STEPS = 200, 100
RATE = "member-steps/s"
TERMS = ("reconstruction", "kl_prior", "tie")
HEADER = ["check", "experiment", "library", "members", "found", "unit"]


def device(library: str) -> str | None:
    """Name of the GPU that a library sees; None if there is none, or the library is not installed."""
    if not find_spec(library):
        return None
    if library == "jax":
        from betavae_core.accelerated import twin

        found = twin.device()
        return found.device_kind if found.platform == "gpu" else None
    import tensorflow as tf

    devices = tf.config.list_physical_devices("GPU")
    return tf.config.experimental.get_device_details(devices[0]).get("device_name", "GPU") if devices else None


def trainers(library: str):
    """Function of a number of members and of an architecture to a trainer of theirs.

    Raises
    ------
    UsageError
        if there is no such library.
    """
    if library not in LIBRARIES:
        raise UsageError(f"no library {library!r}; libraries: {', '.join(LIBRARIES)}")
    if library == "jax":
        from betavae_core.accelerated import twin

        return twin.Trainer
    from betavae_core.networks import training

    return lambda members, **architecture: training.trainer(members, True, **architecture)


def check(library: str, names=NAMES, packs=PACKS, steps: int = STEPS, peers=contenders.ACCELERATED) -> Iterator[dict]:
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
                advance = contenders.CONTENDERS[peer][0](training, 1, members=members)
                yield _row("peer", name, peer, members, members * _steps_per_second(advance), RATE)


def _smoke(trainer_of, name: str) -> tuple[int, int]:
    """How many members the `smoke` profile has, trained and evaluated, and how many of them have finite terms only."""
    members = planning.plan(name, "smoke")
    spec, seeds = members[0].specification, [member.realization for member in members]
    drawn = [spec.draw(seed) for seed in seeds]
    trainer = trainer_of(len(members), **spec.architecture)
    curves = trainer.fit([data for data, _ in drawn], [m.beta for m in members], seeds, spec.epochs, spec.schedule)
    found = work.evaluated(trainer.ensemble, members, drawn, curves)
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


def speed_rows(measured: dict) -> list[list[str]]:
    """Rows of a table of stored rates: experiment, members together, member-steps per second, the peer's, `held`."""
    rated = [row for row in measured["rows"] if row["unit"] == RATE]
    rates = {(row["experiment"], row["members"], row["check"]): row["found"] for row in rated}
    rows = []
    for name, members in dict.fromkeys(key[:2] for key in rates):
        pair = [rates.get((name, members, check)) for check in ("training", "peer")]
        rows.append([name, str(members), *(f"{rate:,.0f}" if rate else "–" for rate in pair), f"{held(members):.2f}"])
    return rows


def held(members: int, samples: int = 1000) -> float:
    """GB that a pack in training holds at least, by arithmetic.

    Four bytes for each weight, its gradient and Adam's two moments, and for each output of a layer and its gradient.
    """
    layers = architecture.shapes(architecture.LATENTS, architecture.HIDDEN, architecture.PIXELS, "diagonal")
    weights = sum((fan_in + 1) * fan_out for fan_in, fan_out in layers)
    outputs = samples * sum(fan_out for _, fan_out in layers)
    return members * 4 * (4 * weights + 2 * outputs) / 1e9


def sweep_rows(measured: dict) -> list[list[str]]:
    """Rows of a table of stored sweeps: networks, epochs, seconds, the device's part of them, seconds each."""
    rows = []
    for sweep in measured["sweeps"]:
        whole, networks = sweep["seconds"], sweep["networks"]
        cells = [f"{whole:.0f}", f"{100 * sweep['training_s'] / whole:.0f} %", f"{whole / networks:.2f}"]
        rows.append([sweep["experiment"], f"{networks:,}", f"{sweep['epochs']:,}", *cells])
    return rows


def beside_rows(measured: dict) -> list[list[str]]:
    """Rows of a table, GPU minus CPU of the same members: mean difference ± its standard error of R, C, TIE; nats."""
    return [[f"{row['beta']:g}", *(_with_error(*row[name]) for name in TERMS)] for row in measured["beside_cpu"]]


def _with_error(mean: float, error: float, spread: float) -> str:
    """Mean and error to the error's first digit, and the spread in brackets.

    >>> _with_error(-0.566, 0.298, 0.266), _with_error(0.00016, 0.00377, 1.3)
    ('−0.6 ± 0.3 (0.27)', '0.000 ± 0.004 (1.3)')
    """
    decimals = max(0, -math.floor(math.log10(error)))
    told = f"{mean:z.{decimals}f} ± {error:.{decimals}f} "
    return told.replace("-", "−") + f"({np.format_float_positional(spread, 2, fractional=False, trim='-')})"


def beyond(measured: dict) -> tuple[int, int]:
    """How many of those differences Student's 95 % interval tells from 0, and how many there are."""
    terms = [row[name] for row in measured["beside_cpu"] for name in TERMS]
    reach = scipy.stats.t.ppf(0.975, measured["realizations"] - 1)
    return int(sum(abs(mean) > reach * error for mean, error, _ in terms)), len(terms)
