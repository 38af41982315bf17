"""How often the rules of verdicts err, and how often intervals hold the truth: simulations whose truth is known.

An experiment of a simulation is a curve over β that obeys the claim or does not, by a number of standard errors a step,
plus noise in each of n realizations: normal and independent, or that of stored networks, whose deviations from the mean
curve are drawn with replacement, realization by realization. These come as they lie, or each with a sign at random:
then means and medians of all differences are zero, whatever single networks do, and what is true is beyond dispute.
`data/calibration.json` keeps the rates with their seed; `rerun` finds them anew.
"""

from typing import NamedTuple

import numpy as np

from betavae_core import paths
from betavae_core.findings import rules

FILE = paths.ROOT / "data/calibration.json"
COUNTS = (3, 5, 20, 60, 300)  # realizations
EFFECTS = (0.5, 1.0, 2.0, 4.0)  # standard errors of the mean of a step
TRIALS, SEED = 2000, 0
BETAS, EXPECTED = 13, slice(2, 5)  # β of a curve; those that count as near, as 0.5, 1 and 2 do on the thesis's grid
STEEP = 8.0  # standard errors of steps that leave no doubt


class Truth(NamedTuple):
    """A curve in units of a step's standard error, whether the claim holds for it, and the effect that it has."""

    name: str
    curve: np.ndarray
    holds: bool
    effect: float


def _bowl(lowest: float, step: float, count: int = BETAS) -> np.ndarray:
    return step * np.abs(np.arange(count) - lowest)


def truths(rule: str) -> list[Truth]:
    """What is simulated for a rule. A flat curve and one at the border obey no claim and contradict none clearly."""
    flat = np.zeros(BETAS)
    if rule == "falls":
        level, down = np.full(BETAS - 1, -STEEP), np.arange(BETAS) * -1.0
        level[5] = 0
        found = [Truth("border", np.append(0, level.cumsum()), False, 0)]
        for effect in EFFECTS:
            up = level.copy()
            up[5] = effect
            found += [Truth("rises once", np.append(0, up.cumsum()), False, effect)]
            found += [Truth("falls", effect * down, True, effect)]
    elif rule == "near":
        border = _bowl(4.5, STEEP)
        found = [Truth("border", border, False, 0)]
        for effect in EFFECTS:
            found += [Truth("at 5", _bowl(5, effect), False, effect), Truth("at 1", _bowl(3, effect), True, effect)]
    elif rule == "interior":
        border = _bowl(0, STEEP)
        border[1] = 0
        found = [Truth("border", border, False, 0)]
        for effect in EFFECTS:
            found += [Truth("at an end", _bowl(0, effect), False, effect)]
            found += [Truth("inside", _bowl(6, effect), True, effect)]
    else:
        flat = np.zeros(3)
        found = [Truth("border", np.array([0, STEEP, STEEP]), False, 0)]
        for effect in EFFECTS:
            found += [Truth("falls", np.array([0, -effect, -2 * effect]), False, effect)]
            found += [Truth("rises", np.array([0, effect, 2 * effect]), True, effect)]
    return [Truth("flat", flat, False, 0), *found]


def decide(rule: str, curves) -> np.ndarray:
    """Decisions of a rule on curves (trial, beta, realization)."""
    if rule == "near":
        inside = np.zeros(curves.shape[-2], bool)
        inside[EXPECTED] = True
        return rules.near(curves, inside)
    if rule == "interior":
        return rules.interior(curves)
    return {"falls": rules.falls, "positive": rules.positive}[rule](np.diff(curves, axis=-2))


RULES = ("falls", "near", "interior", "positive")


def noises(stores: dict) -> dict:
    """Kinds of noise: for each, deviations (beta, network) to draw from, or none for normal ones."""
    found = {"normal": (None, False)}
    for name, values in stores.items():
        deviations = values - values.mean(1, keepdims=True)
        found[f"{name}, sign at random"] = (deviations, True)
        found[name] = (deviations, False)
    return found


def draw(noise, shape, rng) -> np.ndarray:
    """(trial, beta, realization) deviations; steps between neighbouring β have a standard deviation of about one."""
    deviations, signs = noise
    trials, betas, count = shape
    if deviations is None:
        return rng.standard_normal(shape) / 2**0.5
    chosen = deviations[:betas, rng.integers(deviations.shape[1], size=(trials, count))].transpose(1, 0, 2)
    steps = np.diff(deviations[:betas], axis=0)
    chosen = chosen / np.median(steps.std(1))
    return chosen * rng.choice([-1.0, 1.0], (trials, 1, count)) if signs else chosen


def rates(rule: str, noise, count: int, trials: int = TRIALS, seed: int = SEED, decision=decide) -> list[dict]:
    """How often a rule holds and refutes each of its `truths`, from `count` realizations."""
    rng, found = np.random.default_rng([seed, count, RULES.index(rule)]), []
    for truth in truths(rule):
        drawn = draw(noise, (trials, len(truth.curve), count), rng)
        decisions = decision(rule, truth.curve[:, None] / count**0.5 + drawn)
        found.append(
            {
                "truth": truth.name,
                "holds": truth.holds,
                "effect": truth.effect,
                "held": float((decisions == 1).mean()),
                "refuted": float((decisions == -1).mean()),
            }
        )
    return found
