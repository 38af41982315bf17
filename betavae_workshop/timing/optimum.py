"""Processor time until a network of *mixing* is as good as the linear optimum, to half a nat: how long training takes.

It counts what a step costs and how many are needed. Images of *mixing* are linear in the code, so the best objective is
that of the optimal linear β-VAE on the same images. The clock counts the training alone, on one core: libraries are
loaded and steps compiled before it starts, and it stands while the objective is evaluated, without random numbers.
"""

import contextlib
import functools
import json
import sys
import time
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from betavae_core.findings import prediction
from betavae_core.images import experiments
from betavae_core.networks import likelihood
from betavae_core.networks.architecture import LATENTS, STEPS_PER_CALL
from betavae_core.networks.weights import Weights
from betavae_core.results import cost, train_member
from betavae_core.results.members import Specification
from betavae_workshop import pipes
from betavae_workshop.timing import contenders, solved


class Recipe(NamedTuple):
    """A way to train.

    settings : fields of `members.Specification`; None for a network that takes no step (`timing.solved`)
    whole : whether it is this project's alone and is looked at where it ends; others are Adam's steps, which every
    contender takes, and which are looked at after each `STEPS_PER_CALL`
    """

    settings: dict | None
    whole: bool = False


RECIPES = {
    "thesis": Recipe({"epochs": 100_000}),  # no step of it depends on how many there are; the cap ends it
    "schedule": Recipe(experiments.SETTLING.settings),
    "soap": Recipe(experiments.SOON, whole=True),
    "soonest": Recipe(experiments.SOONEST, whole=True),
    "solved": Recipe(None, whole=True),
}
CONTENDERS = ("betavae", "keras-fit", "pytorch", "jax")
BETAS, REALIZATIONS = (20.0, 50.0, 100.0), 4
CELL = ("contender", "recipe", "beta")  # of the table, a median over realizations
WITHIN = 0.5  # nats
CAP = 3.0  # U, after which a run is stopped
NODES = 4  # of Gauss's rule in each latent; nine change an objective by less than 0.02 nats


class Enough(Exception):
    """A run is there, or at its cap."""


class Clock:
    """Processor time of training, told after each call of steps how many it took.

    missing : function without arguments, nats by which the objective is below the optimum's; evaluated off the clock
    most : seconds after which it raises `Enough`; it does so, too, when `WITHIN` is reached
    """

    def __init__(self, missing, most: float):
        self.missing, self.most, self.spent, self.epochs, self.below = missing, most, 0.0, 0, np.inf
        self.begun = time.process_time()

    def __call__(self, steps: int) -> None:
        self.spent += time.process_time() - self.begun
        self.epochs, self.below = self.epochs + steps, float(self.missing())
        if self.below <= WITHIN or self.spent >= self.most:
            raise Enough
        self.begun = time.process_time()

    @property
    def end(self) -> str:
        """How the run ended (reached, stopped at its cap, or over without either)."""
        return "reached" if self.below <= WITHIN else "stopped" if self.spent >= self.most else "over"


def tasks() -> list[dict]:
    """What there is to measure, as rows without their numbers; those that differ in β alone follow each other."""
    return [
        {"experiment": "mixing", "contender": contender, "recipe": name, "realization": realization, "beta": beta}
        for contender in CONTENDERS
        for realization in range(REALIZATIONS)
        for name, recipe in RECIPES.items()
        if contender == "betavae" or not recipe.whole
        for beta in BETAS
    ]


def decided(task: dict, rows: list[dict]) -> bool:
    """Whether a median needs no further run: half of the realizations were not there, so it is not either."""
    cells = [[row.get(name) for name in CELL] for row in rows if row.get("end", "reached") != "reached"]
    return 2 * cells.count([task.get(name) for name in CELL]) >= REALIZATIONS


def measured(contender: str, recipe: str, realization: int, beta: float, cap: float = CAP) -> dict:
    """What a row adds to its task: epochs and processor time until the end, U beforehand, nats missing, which end."""
    spec, unit = Specification("mixing", **(RECIPES[recipe].settings or {})), cost.unit(time.process_time)
    data, _ = spec.draw(realization)
    [R], [C], *_ = prediction.linear_terms(prediction.coordinates(data), [beta])[0]
    if contender == "betavae":
        fit, weights = _own(RECIPES[recipe], spec, data, beta, realization)
    else:
        fit, weights = _peer(contender, spec, data, beta, realization)
    clock = Clock(lambda: R - beta * C - objective(weights(), data, beta), cap * unit)
    with contextlib.suppress(Enough):
        fit(clock)
    numbers = {"processor_s": clock.spent, "unit_s": unit, "nats_below": clock.below}
    return {name: round(value, 3) for name, value in numbers.items()} | {"epochs": clock.epochs, "end": clock.end}


def _own(recipe: Recipe, spec: Specification, data, beta: float, seed: int):
    """This project's training, compiled: a function of what is told the steps, and one that returns the weights."""
    images, ended = ([data], [beta], [seed]), []
    if not recipe.whole:
        from betavae_core.networks import training

        trainer = training.trainer(aim=spec.aim, **spec.architecture)
        trainer.fit(*images, 1)
        return functools.partial(trainer.fit, *images, spec.epochs, spec.schedule), lambda: trainer.weights

    def fit(progress) -> None:
        ended.append(train_member.fit(spec, *images)[0] if recipe.settings else solved.network(data, beta, seed))
        progress(spec.epochs if recipe.settings else 0)

    if recipe.settings:  # compiled
        train_member.fit(replace(spec, epochs=2), *images)
    return fit, lambda: ended[-1]


def _peer(contender: str, spec: Specification, data, beta: float, seed: int):
    """The same of a peer; the step that compiles is its first, and not counted."""
    peer = contenders.CONTENDERS[contender][0](data, 1, seed=seed)

    def advance(done: int, steps: int) -> None:
        rate, risen = spec.schedule(done)
        peer.advance(steps, rate, beta * risen)

    def fit(progress) -> None:
        for done in range(0, spec.epochs, STEPS_PER_CALL):
            advance(done, STEPS_PER_CALL)
            progress(STEPS_PER_CALL)

    advance(0, 1)
    return fit, lambda: trained(peer)


def trained(peer: contenders.Training) -> Weights:
    """What training has made of a peer's network."""
    kernels, biases = ([np.asarray(part) for part in peer.weights()[first::2]] for first in (0, 1))
    return Weights([kernel[None] for kernel in kernels], [bias.reshape(1, 1, -1) for bias in biases], LATENTS)


def objective(weights, data, beta: float, nodes: int = NODES) -> float:
    """R − β C of one network, its average over q(z|x) by Gauss's rule in each of its two latents; in nats."""
    q, (points, shares) = weights.posterior([data])[0], np.polynomial.hermite_e.hermegauss(nodes)
    noise, shares = np.stack(np.meshgrid(points, points), -1).reshape(-1, 2), np.outer(shares, shares).ravel()
    z = q.of_draws().sample(np.broadcast_to(noise, (len(q.mean), *noise.shape)))
    log_density = likelihood.Decoder.of(weights, 0).log_density(data.standardised, z) @ (shares / shares.sum())
    return float(log_density.mean() - beta * q.kl_to_prior().mean())


if __name__ == "__main__":
    contender, recipe, realization, cap, *betas = sys.argv[1:-1]
    with pipes.answer() as answer:
        for beta in map(float, betas):
            row = {"beta": beta} | measured(contender, recipe, int(realization), beta, float(cap))
            answer.write(f"{json.dumps(row)}\n")
