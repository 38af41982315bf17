"""Verdicts: what a rule decides of measured curves, with the numbers that the ledger tells of it.

Where results are random, `rules` decides, each with an error of at most 5 % either way if the noise is not skewed. A
network that ended far off (`optima.sound`) is left out, and its verdict told beside if it would be another one.
"""

import numpy as np

from betavae_core.findings import optima
from betavae_core.findings.claims import HELD, REFUTED, UNDECIDED, Verdict
from betavae_core.findings.judging import rules

ROUNDING = 1e-8  # nats; an exact statement that holds is violated by less
EXACT = "exact"  # what stands in the place of an interval where nothing is random
NEAR = 2.0  # "near" β is at most this factor away: the neighbours on the grid
LOW, HIGH = 0.1, 100.0  # "lower" β of the claim on segregation, and where "higher" ends; before any score was computed
DEPENDENT = 1e-4  # correlation given the data that counts as dependence; rounding leaves 1e-15 where there is none
STRONG = 0.05  # correlation whose share of models is told beside it, and judges nothing
DRAWS = 20_000  # of mean angles by chance
SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def decided(decision: int) -> str:
    """The verdict of a rule's decision: 1, 0 or −1."""
    return {1: HELD, 0: UNDECIDED, -1: REFUTED}[int(decision)]


def exact(id: str, estimate: str, holds: bool) -> Verdict:
    """On something computed exactly."""
    return Verdict(id, estimate, EXACT, HELD if holds else REFUTED)


def near(id: str, dataset, name: str, expected: float, largest: bool = False, beside: str = "") -> Verdict:
    """On an optimum within a factor `NEAR` of an expected β."""
    betas = dataset.beta.values
    inside = (betas >= expected / NEAR) & (betas <= expected * NEAR)
    return _on_optimum(id, dataset, name, largest, beside, lambda curves: rules.near(curves, inside))


def interior(id: str, dataset, name: str, beside: str = "", foreseen: int | None = None) -> Verdict:
    """On a least value inside the range of β; `foreseen`: see `rules.interior`."""
    return _on_optimum(id, dataset, name, False, beside, lambda curves: rules.interior(curves, foreseen))


def _on_optimum(id, dataset, name, largest, beside, decide) -> Verdict:
    sign = -1 if largest else 1
    verdict, kept, told = _decided(dataset, lambda stored: decide(sign * optima.complete(stored, name)[0]))
    found = optima.optimum(kept, name, largest)
    median = float(kept.beta[int((sign * kept[name]).median("realization").argmin("beta"))])
    estimate = f"mean at β = {found.value:g}, median at β = {median:g}{beside}; {told}"
    return Verdict(id, estimate, f"vertex {_range(found, '.3g')}", verdict)


def falls(id: str, dataset, name: str) -> Verdict:
    """On whether a curve falls. The step told is the one that speaks most against it."""
    verdict, kept, told = _decided(dataset, lambda stored: rules.falls(optima.steps(stored, name)[0]))
    steps, edges = optima.steps(kept, name)
    if not len(steps):
        return Verdict(id, f"level; {told}", "–", verdict)
    worst = int(np.lexsort((steps.mean(1), rules.chance(-steps)))[-1])
    change, (before, after) = optima.mean(steps[worst]), edges[worst]
    estimate = (
        f"most doubtful step, β {before:g} to {after:g}: mean {written(change.value, '+.3g')} nats, "
        f"median {written(float(np.median(steps[worst])), '+.3g')}; {told}"
    )
    return Verdict(id, estimate, _range(change, "+.3g"), verdict)


def _decided(dataset, decide) -> tuple[str, object, str]:
    """The verdict without networks far off, the networks that it rests on, and words on how many there are."""
    kept, off = optima.sound(dataset)
    verdict = decided(decide(kept))
    told = f"n = {int(np.isfinite(kept.tie.transpose('beta', ...).values).all(0).sum())}"
    if off:
        with_them = decided(decide(dataset))
        those, them = ("the network", "it") if off == 1 else (f"the {off} networks", "them")
        other = f"with {them} the verdict is {'the same' if with_them == verdict else with_them}"
        told += f", without {those} that ended far off ({other})"
    return verdict, kept, told


def positive(id: str, what: str, gains: dict) -> Verdict:
    """On whether paired differences are above zero, each (realization,) by name: all of them, or none."""
    if not (count := len(next(iter(gains.values())))):
        return Verdict(id, f"{what}: no realization has both", "–", UNDECIDED)
    verdict = decided(rules.positive(np.stack(list(gains.values()))))
    means = {name: optima.mean(gain) for name, gain in gains.items()}
    each = [
        f"{name} {written(mean.value, '+.3f')} (median {written(float(np.median(gains[name])), '+.3f')})".strip()
        for name, mean in means.items()
    ]
    interval = "; ".join(_range(mean, "+.3f") for mean in means.values())
    return Verdict(id, f"{what}: {', '.join(each)}; n = {count}", interval, verdict)


def beyond_chance(id: str, angles: dict) -> Verdict:
    """On axes that are more nearly orthogonal than two random directions in a plane.

    `angles` holds, by β, the angles of the networks there, degrees. Chance has them uniform between 0 and 90. Held if
    the mean is above chance at every β; refuted if it is below it at one, at its share of the level.
    """
    above, below = (np.array([*chances(angles, side).values()]) for side in (1, -1))
    passed = above <= rules.LEVEL
    held = len(passed) > 0 and passed.all()
    refuted = (below <= rules.LEVEL / max(1, len(below))).any()
    means = [float(np.mean(a)) for a in angles.values()] or [np.nan]
    sizes = sorted({len(a) for a in angles.values()}) or [0]
    estimate = (
        f"mean angle {min(means):.0f}° to {max(means):.0f}°, above chance at {passed.sum()} of {len(passed)} β; "
        f"n = {' to '.join(str(n) for n in dict.fromkeys((sizes[0], sizes[-1])))} at each β"
    )
    interval = f"largest p {written(max(above, default=1))}"
    return Verdict(id, estimate, interval, decided(1 if held else -1 if refuted else 0))


def chances(angles: dict, side: int = 1) -> dict:
    """For each β the probability that as many random directions have as large (or, side −1, small) a mean angle."""
    rng, found = np.random.default_rng(0), {}
    for beta, values in angles.items():
        by_chance = rng.uniform(0, 90, (DRAWS, len(values))).mean(1)
        found[beta] = float((1 + (side * by_chance >= side * np.mean(values)).sum()) / (1 + DRAWS))
    return found


def dependent(id: str, correlations, control) -> Verdict:
    """On conditional dependence: correlations of random models, and of the same with orthogonal columns.

    Held if every model lies above the margin `DEPENDENT` while every control is zero within rounding.
    """
    found, most = np.asarray(correlations), float(np.max(control))
    least, share = float(found.min()), float(np.mean(found > STRONG))
    estimate = (
        f"each model’s largest correlation (n = {len(found)}): least {least:.2g}, median "
        f"{np.median(found):.2g}, above {STRONG:g} in {100 * share:.0f} %; "
        f"with orthogonal columns at most {written(most)}"
    )
    return exact(id, estimate, least > DEPENDENT and most < ROUNDING)


def multiplicity(verdicts: list[Verdict]) -> tuple[int, float, float]:
    """Verdicts that rest on random results; how many of as many would be false by chance, and how many at most.

    At the border of a claim a verdict is false in 5 % of cases: that many are expected, if all lie there, and with
    independent results as many as the second number in one of twenty books.
    """
    import scipy.stats  # it takes a third of a second to load

    count = sum(v.interval != EXACT for v in verdicts)
    return count, rules.LEVEL * count, float(scipy.stats.binom.ppf(0.95, count, rules.LEVEL))


def _range(found, form: str) -> str:
    return f"{written(found.low, form)} to {written(found.high, form)}"


def written(value: float, form: str = ".2g") -> str:
    """A number in a format of Python's, with a true minus sign but none before a zero, and powers of ten in full.

    >>> written(-0.0), written(-0.123), written(8.9e-16), written(np.inf, "+.3g"), written(-0.0004, "+.3f")
    ('0', '−0.12', '8.9 × 10⁻¹⁶', '+∞', '+0.000')
    """
    mantissa, _, exponent = f"{value:{form.replace('.', 'z.')}}".partition("e")
    power = f" × 10{str(int(exponent)).translate(SUPERSCRIPTS)}" if exponent else ""
    return mantissa.replace("-", "−").replace("inf", "∞") + power
