"""How often the rules of verdicts err, and how often intervals hold the truth: simulations whose truth is known.

An experiment of a simulation is a curve over β that obeys the claim or does not, by a number of standard errors a step,
plus noise in each of n realizations: normal and independent, or that of stored networks, whose deviations from the mean
curve are drawn with replacement, realization by realization. These come as they lie, or each with a sign at random:
then means and medians of all differences are zero, whatever single networks do, and what is true is beyond dispute.
As they lie, the mean of a step may owe itself to networks so rare that a sample has none of them; no rule can know.
`data/calibration.json` keeps the rates with their seed, and
`python -m betavae_workshop.calibration` finds them anew in three quarters of an hour.
"""

import json
from typing import NamedTuple

import numpy as np
from scipy.interpolate import Akima1DInterpolator
from tqdm import tqdm

from betavae_core import files, paths
from betavae_core.findings import optima, tiles
from betavae_core.findings.judging import rules
from betavae_core.images import experiments
from betavae_core.results import sweep
from betavae_workshop.rates import COUNTS, EFFECTS, NOISES, REALIZATIONS, RULES

TRIALS, SEED = 1000, 0
BETAS, EXPECTED = 13, slice(2, 5)  # β of a curve; those that count as near, as 0.5, 1 and 2 do on the thesis's grid
STEEP = 8.0  # standard errors of steps that leave no doubt


class Truth(NamedTuple):
    """A curve in units of a step's standard error, whether the claim holds for it, and the effect that it has."""

    name: str
    curve: np.ndarray
    holds: bool
    effect: float
    place: int = 0  # which of the stored β its first has; noise differs between them


STORED = {"mixing": ("elbo", "reconstruction", "kl_prior", "tie"), "localisation": ("elbo", "kl_prior", "tie")}
OPTIMA = ("elbo", "mie", "tie")


def _bowl(lowest: float, step: float) -> np.ndarray:
    return step * np.abs(np.arange(BETAS) - lowest)


def truths(rule: str) -> list[Truth]:
    """What is simulated for a rule. A flat curve and one at the border obey no claim and contradict none clearly."""
    at = np.arange(3 if rule == "positive" else BETAS)
    if rule == "falls":
        names, border = ("rises once", "falls"), -STEEP * (at - (at > 5))
        curves = [(border + effect * (at > 5), -effect * at) for effect in EFFECTS]
    elif rule == "near":
        names, border = ("at 5", "at 1"), _bowl(4.5, STEEP)
        curves = [(_bowl(5, effect), _bowl(3, effect)) for effect in EFFECTS]
    elif rule == "interior":
        names, border = ("at an end", "inside"), np.where(at == 1, 0, _bowl(0, STEEP))
        curves = [(_bowl(0, effect), _bowl(6, effect)) for effect in EFFECTS]
    else:
        names, border = ("falls", "rises"), STEEP * (at > 0)
        curves = [(-effect * at, effect * at) for effect in EFFECTS]
    found = [Truth("flat", np.zeros(len(at)), False, 0), Truth("border", border, False, 0)]
    for effect, (against, obeys) in zip(EFFECTS, curves, strict=True):
        found += [Truth(names[0], against, False, effect), Truth(names[1], obeys, True, effect)]
    for step in range(BETAS - 1):  # a single one that is level, wherever it is
        if rule == "falls":
            found.append(Truth("border", -STEEP * (at - (at > step)), False, 0))
        elif rule == "positive":
            found.append(Truth("flat", np.zeros(2), False, 0, step))
    return found


def decide(rule: str, curves) -> np.ndarray:
    """Decisions of a rule on curves (trial, beta, realization)."""
    if rule == "near":
        inside = np.zeros(curves.shape[-2], bool)
        inside[EXPECTED] = True
        return rules.near(curves, inside)
    if rule == "interior":
        return rules.interior(curves)
    return {"falls": rules.falls, "positive": rules.positive}[rule](np.diff(curves, axis=-2))


def noises() -> dict:
    """Kinds of noise: for each its deviations (beta, network), and whether signs are random; none for normal ones."""
    found = {"normal": (None, False)}
    for experiment, terms in STORED.items():
        kept, _ = optima.sound(sweep.load(experiment))
        for term in terms:
            values = optima.complete(kept, term)[0]
            deviations = values - values.mean(1, keepdims=True)
            found[f"{experiment}, {term}, sign at random"] = (deviations, True)
            found[f"{experiment}, {term}, as it lies"] = (deviations, False)
    return found


def draw(noise, shape, rng, place: int = 0) -> np.ndarray:
    """(trial, beta, realization) deviations, from a place on; steps have a standard deviation of about one."""
    deviations, signs = noise
    trials, betas, count = shape
    if deviations is None:
        return rng.standard_normal(shape) / 2**0.5
    networks = rng.integers(deviations.shape[1], size=(trials, count))
    chosen = deviations[place : place + betas, networks].transpose(1, 0, 2)
    chosen = chosen / np.median(np.diff(deviations, axis=0).std(1))
    return chosen * rng.choice([-1.0, 1.0], (trials, 1, count)) if signs else chosen


def rates(rule: str, noise, count: int, trials: int = TRIALS, seed: int = SEED, decision=decide) -> dict:
    """How often a rule errs on its `truths`, from `count` realizations, and its power, by size of effect.

    false_held : most often held, of truths for which the claim does not hold; false_refuted : most often refuted, of
    those for which it holds and of a flat curve and one at the border; held, refuted : how often each effect is seen
    """
    rng = np.random.default_rng([seed, count, RULES.index(rule)])
    found = {"false_held": 0.0, "false_refuted": 0.0, "held": [], "refuted": []}
    for truth in truths(rule):
        drawn = draw(noise, (trials, len(truth.curve), count), rng, truth.place)
        decisions = decision(rule, truth.curve[:, None] / count**0.5 + drawn)
        held, refuted = float((decisions == 1).mean()), float((decisions == -1).mean())
        if not truth.holds:
            found["false_held"] = max(found["false_held"], held)
        if truth.holds or not truth.effect:
            found["false_refuted"] = max(found["false_refuted"], refuted)
        if truth.effect:
            found["held" if truth.holds else "refuted"].append(held if truth.holds else refuted)
    return found


def coverage(experiment: str, term: str, count: int, normal: bool, trials: int, seed: int) -> tuple[float, float]:
    """Part of the intervals of optima that hold the truth, and their median width, as a factor of β.

    The true line is that of the stored trimmed means, moved by up to half a grid cell, and known at the grid's β.
    """
    kept, _ = optima.sound(sweep.load(experiment))
    values = optima.complete(kept, term)[0] * (-1 if term == "elbo" else 1)
    values = values - np.median(values, 0)
    cut, x, rng = int(optima.TRIM * values.shape[1]), np.log(kept.beta.values), np.random.default_rng([seed, count])
    line = np.sort(values, 1)[:, cut : values.shape[1] - cut].mean(1)
    deviations = values - line[:, None]
    spread = 1.4826 * np.median(np.abs(deviations), 1)[:, None] + 1e-9
    shifts = (x[1:] - x[:-1]).mean() * rng.uniform(-0.5, 0.5, trials)
    hits, widths = [], []
    for trial, shift in enumerate(shifts):
        true = Akima1DInterpolator(x, line, method="makima")(np.clip(x - shift, x[0], x[-1]))[:, None]
        chosen = rng.integers(deviations.shape[1], size=count)
        noise = spread * rng.standard_normal((len(x), count)) if normal else deviations[:, chosen]
        truth = optima.interval(true, x)[0]
        _, low, high = optima.interval(true + noise, x, draws=400, seed=trial)
        hits.append(low <= truth <= high)
        widths.append(min(high, x[-1]) - max(low, x[0]))
    return float(np.mean(hits)), float(np.exp(np.median(widths)))


def coverage_of_tiles(experiment: str, noise: float, count: int, trials: int, seed: int) -> dict:
    """Part of the intervals of the best β/ν of tiles that hold the theory's, their median width, and the mean best."""
    ratios, rng = np.array(experiments.RATIOS), np.random.default_rng([seed, count])
    curve, factor = tiles.theory(experiment, ratios).tie.values, tiles.correction(experiment, ratios)
    truth, found = tiles.best(experiment), []
    for _ in range(trials):
        curves = curve + noise * rng.standard_normal((count, len(ratios)))
        found.append(tiles.best_of_mean(np.array([tiles.fit(ratios, one) for one in curves])))
    best, low, high = factor * np.array(found).T
    widths = np.minimum(high, tiles.NEAR[1]) - np.maximum(low, tiles.NEAR[0])
    held = float(((low <= truth) & (truth <= high)).mean())
    return {"coverage": held, "width": float(np.median(widths)), "best": float(np.nanmean(best)), "theory": truth}


def rerun() -> dict:
    """All rates, as the file keeps them."""
    table = {"seed": SEED, "trials": TRIALS, "rules": [], "intervals": [], "tiles": []}
    for name, noise in tqdm(noises().items(), "rules", unit="noise", disable=None):
        for rule in RULES:
            for count in COUNTS:
                found = rates(rule, noise, count)
                table["rules"].append({"noise": name, "rule": rule, "n": count, **found})
    for experiment in STORED:
        for term in tqdm(OPTIMA, f"intervals of {experiment}", unit="curve", disable=None):
            for normal in (True, False):
                for count in COUNTS:
                    held, width = coverage(experiment, term, count, normal, TRIALS, SEED)
                    cell = {"curve": f"{experiment}, {term}", "normal": normal, "n": count}
                    table["intervals"].append({**cell, "coverage": held, "width": width})
    for experiment in tqdm(tiles.NAMES, "tiles", unit="experiment", disable=None):
        for noise in NOISES:
            for count in REALIZATIONS:
                found = coverage_of_tiles(experiment, noise, count, TRIALS, SEED)
                table["tiles"].append({"experiment": experiment, "noise": noise, "n": count, **found})
    return table


if __name__ == "__main__":
    files.write_text(paths.CALIBRATION, json.dumps(rerun(), indent=1, ensure_ascii=False) + "\n")
