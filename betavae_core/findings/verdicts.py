"""Every rule by which a claim is judged, and every threshold.

A claim is held if the whole 95 % interval agrees with it, held within error if part of the interval does, and not
reproduced otherwise.
"""

from betavae_core.findings.claims import FAILED, HELD, WITHIN, Verdict

ROUNDING = 1e-8  # nats; an exact statement that holds is violated by less
LOW, HIGH = 0.1, 100.0  # "lower" and "higher" β of the claim on segregation, chosen before any score was computed
ORTHOGONAL = 75.0  # degrees between axes of motion above which they count as orthogonal, chosen after the results


def decide(holds: bool, possible: bool = False) -> str:
    """`holds`: the whole interval agrees with the claim; `possible`: part of it does."""
    return HELD if holds else WITHIN if possible else FAILED


def exact(claim: str, source: str, evidence: str, estimate: str, holds: bool) -> Verdict:
    """On something computed exactly."""
    return Verdict(claim, source, evidence, estimate, "exact", decide(holds))


def peak_at(claim: str, source: str, evidence: str, found, expected: float) -> Verdict:
    """On where an optimum lies: `found` is the `optima.Estimate` of its β, on the grid of β."""
    verdict = decide(found.value == expected, found.low <= expected <= found.high)
    return Verdict(claim, source, evidence, f"at β = {found.value:g}", _range(found, "g"), verdict)


def interior(claim: str, source: str, evidence: str, found, betas, exists: bool = True) -> Verdict:
    """On whether an optimum lies inside the range of β and not at an end of it; or, not `exists`, on its absence."""
    first, last = float(betas[0]), float(betas[-1])
    surely, maybe = first < found.low and found.high < last, first < found.value < last
    verdict = decide(surely, maybe) if exists else decide(not maybe, not surely)
    return Verdict(claim, source, evidence, f"at β = {found.value:g}", _range(found, "g"), verdict)


def falls(claim: str, source: str, evidence: str, rise) -> Verdict:
    """On whether a curve decreases: `rise` is its largest mean rise, in nats, an `optima.Rise`."""
    change = f"{_signed(rise.value, '+.3g')} nats (β {rise.before:g} to {rise.after:g})"
    estimate = f"largest change between neighbours {change}"
    return Verdict(claim, source, evidence, estimate, _range(rise, "+.3g"), decide(rise.high <= 0, rise.low <= 0))


def positive(claim: str, source: str, evidence: str, what: str, gain) -> Verdict:
    """On whether a difference is above zero."""
    verdict = decide(gain.low > 0, gain.value > 0)
    return Verdict(claim, source, evidence, f"{what}: {_signed(gain.value, '+.3f')}", _range(gain, "+.3f"), verdict)


def above(claim: str, source: str, evidence: str, found, threshold: float, what: str, unit: str) -> Verdict:
    """On whether a quantity lies above a threshold."""
    interval = f"{found.low:.0f}{unit} to {found.high:.0f}{unit}"
    verdict = decide(found.low > threshold, found.high > threshold)
    return Verdict(claim, source, evidence, f"{what} {found.value:.0f}{unit}", interval, verdict)


def _range(found, form: str) -> str:
    return f"{_signed(found.low, form)} to {_signed(found.high, form)}"


def _signed(value: float, form: str) -> str:
    return f"{value:{form}}".replace("-", "−")
