"""Every rule by which a claim is judged, and every threshold.

A claim is held if the whole 95 % interval agrees with it, held within error if part of the interval does, and not
reproduced otherwise. The interval decides, never the point estimate.
"""

import numpy as np
import scipy.stats

from betavae_core.findings.claims import FAILED, HELD, WITHIN, Verdict

READ = ", as read here"  # behind the place of a claim that the thesis does not make in these words

ROUNDING = 1e-8  # nats; an exact statement that holds is violated by less
EXACT = "exact"  # what stands in the place of an interval where nothing is random
NEAR = (
    2.0  # "near" β is at most this factor away: the neighbours on the grid, and no narrower claim can be judged on it
)
LOW, HIGH = 0.1, 100.0  # "lower" β of the claim on segregation, and where "higher" ends; before any score was computed
DEPENDENT = 1e-4  # correlation given the data that counts as dependence; rounding leaves 1e-15 where there is none
STRONG = 0.05  # correlation whose share of models is told beside it, and judges nothing
CHANCE = 0.05  # one-sided level of the test against chance, shared among the β that are tested (Holm)
DRAWS = 20_000  # of mean angles by chance
SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def decide(holds: bool, possible: bool = False) -> str:
    """`holds`: the whole interval agrees with the claim; `possible`: part of it does."""
    return HELD if holds else WITHIN if possible else FAILED


def exact(claim: str, source: str, evidence: str, estimate: str, holds: bool) -> Verdict:
    """On something computed exactly."""
    return Verdict(claim, source, evidence, estimate, EXACT, decide(holds))


def near(claim: str, source: str, evidence: str, found, expected: float, beside: str = "") -> Verdict:
    """On where an optimum lies: `found` is the `optima.optimum` of a curve, and near is within a factor `NEAR`."""
    low, high = expected / NEAR, expected * NEAR
    verdict = decide(low <= found.low and found.high <= high, found.low <= high and found.high >= low)
    return Verdict(claim, source, evidence, f"at β = {found.value:g}{beside}", _range(found, "g"), verdict)


def interior(claim: str, source: str, evidence: str, found, betas, exists: bool = True, beside: str = "") -> Verdict:
    """On whether an optimum lies inside the range of β and not at an end of it; or, not `exists`, on its absence.

    The interval of `optima.optimum` has a grid point more on either side than the resampled optima: it is inside if
    it stays within the range, and outside if it holds no more than an end and that point's neighbour.
    """
    surely = betas[0] <= found.low and found.high <= betas[-1]
    maybe = found.high > betas[1] and found.low < betas[-2]
    verdict = decide(surely, maybe) if exists else decide(not maybe, not surely)
    return Verdict(claim, source, evidence, f"at β = {found.value:g}{beside}", _range(found, "g"), verdict)


def falls(claim: str, source: str, evidence: str, rise) -> Verdict:
    """On whether a curve decreases: `rise` is its `optima.largest_rise`, in nats."""
    change = f"{written(rise.value, '+.3g')} nats (β {rise.before:g} to {rise.after:g})"
    estimate = f"largest change between neighbours {change}"
    return Verdict(claim, source, evidence, estimate, _range(rise, "+.3g"), decide(rise.high <= 0, rise.low <= 0))


def positive(claim: str, source: str, evidence: str, what: str, gains: dict) -> Verdict:
    """On whether differences are above zero, each an `Estimate` by name: the weakest of them decides."""
    verdict = decide(all(g.low > 0 for g in gains.values()), all(g.high > 0 for g in gains.values()))
    estimate = ", ".join(f"{name} {written(g.value, '+.3f')}" for name, g in gains.items())
    interval = "; ".join(_range(g, "+.3f") for g in gains.values())
    return Verdict(claim, source, evidence, f"{what}: {estimate}", interval, verdict)


def beyond_chance(claim: str, source: str, evidence: str, angles: dict) -> Verdict:
    """On axes that are more nearly orthogonal than two random directions in a plane.

    `angles` holds, by β, the angles of the networks there, degrees. Chance has them uniform between 0 and 90. Held if
    the mean is above chance at every β, within error if at some, each at Holm's share of the level `CHANCE`.
    """
    values = chances(angles)
    order = sorted(values, key=values.__getitem__)
    passed = [values[beta] <= CHANCE / (len(order) - i) for i, beta in enumerate(order)]
    above = passed.index(False) if False in passed else len(passed)
    means = [float(np.mean(a)) for a in angles.values()] or [np.nan]
    estimate = f"mean angle {min(means):.0f}° to {max(means):.0f}°, above chance at {above} of {len(order)} β"
    interval = f"least p {written(min(values.values(), default=1))}"
    return Verdict(claim, source, evidence, estimate, interval, decide(0 < above == len(order), above > 0))


def chances(angles: dict) -> dict:
    """For each β the probability that as many random directions have as large a mean angle."""
    rng, found = np.random.default_rng(0), {}
    for beta, values in angles.items():
        by_chance = rng.uniform(0, 90, (DRAWS, len(values))).mean(1)
        found[beta] = float((1 + (by_chance >= np.mean(values)).sum()) / (1 + DRAWS))
    return found


def dependent(claim: str, source: str, evidence: str, correlations, control) -> Verdict:
    """On conditional dependence: correlations of random models, and of the same with orthogonal columns.

    Held if every model lies above the margin `DEPENDENT` while every control is zero within rounding.
    """
    found, most = np.asarray(correlations), float(np.max(control))
    least, share = float(found.min()), float(np.mean(found > STRONG))
    estimate = (
        f"largest correlation of a model at least {least:.2g}, median {np.median(found):.2g}, above {STRONG:g} in "
        f"{100 * share:.0f} %; with orthogonal columns at most {written(most)}"
    )
    return exact(claim, source, evidence, estimate, least > DEPENDENT and most < ROUNDING)


def multiplicity(verdicts: list[Verdict]) -> tuple[int, float, float]:
    """Verdicts that rest on random results; how many of as many true claims fail by chance, and how many at most.

    An interval of 95 % misses on one side in 2.5 % of cases if the truth lies just at a claim's border: that many
    are expected, and with independent results as many as the second number in one of twenty books.
    """
    count = sum(v.interval != EXACT for v in verdicts)
    return count, 0.025 * count, float(scipy.stats.binom.ppf(0.95, count, 0.025))


def _range(found, form: str) -> str:
    return f"{written(found.low, form)} to {written(found.high, form)}"


def written(value: float, form: str = ".2g") -> str:
    """A number in a format of Python's, with a true minus sign, powers of ten in full and no sign of zero.

    >>> written(-0.0), written(-0.123), written(8.9e-16), written(np.inf, "+.3g")
    ('0', '−0.12', '8.9 × 10⁻¹⁶', '+∞')
    """
    mantissa, _, exponent = f"{value + 0.0:{form}}".partition("e")  # −0 + 0 is 0
    power = f" × 10{str(int(exponent)).translate(SUPERSCRIPTS)}" if exponent else ""
    return mantissa.replace("-", "−").replace("inf", "∞") + power
