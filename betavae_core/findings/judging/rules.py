"""Rules that turn paired differences into a decision: 1 held, −1 refuted, 0 undecided.

Everything is asked of differences within realizations, which share digits, sources and seeds at every β. A difference
counts as above zero if its mean is, by Student's test, and the typical network's is, by the sign test, which holds for
noise of any kind. So neither one network that is far off nor a few that happen to agree can decide.

Each rule errs in at most `LEVEL` of cases either way, whatever the curve, if the noise is not skewed: where all of
several conditions must hold, each is tested at that level (an intersection-union test); where one of several would do,
they share it (Bonferroni).
`calibration` counts the errors by simulation. All functions take leading axes of independent experiments, and leave
undecided what no two β can be compared for.
"""

import numpy as np
import scipy.special  # scipy.stats takes a third of a second to load

LEVEL = 0.05  # one-sided; of a false "held", and of a false "refuted"


def chance(values) -> np.ndarray:
    """How likely differences (..., realization) are, if they are not above zero: the largest of three p-values.

    One-sided: Student's for the mean m, u = m/s with s the standard deviation; the same corrected for skewness γ,
    t = √n (u + γu²/3 + γ²u³/27 + γ/6n), which grows with u; and the sign test's, P(Bin(n, ½) ≥ number above zero).

    Source: Hall, 1992, "On the removal of skewness by transformation", for the correction

    >>> float(chance([1.0, 2.0, 3.0, 2.0, 1.0])), float(chance([1.0, 2.0, 3.0]))
    (0.03125, 0.125)
    """
    values = np.asarray(values, float)
    count = values.shape[-1]
    if count < 2:
        return np.ones(values.shape[:-1])
    mean, spread = values.mean(-1), values.std(-1, ddof=1)
    third = ((values - mean[..., None]) ** 3).mean(-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        u, skew = mean / spread, third / spread**3
        t = count**0.5 * np.minimum(u, u + skew * u**2 / 3 + skew**2 * u**3 / 27 + skew / (6 * count))
        t = np.where(spread > 0, t, np.sign(mean) * np.inf)
    student = scipy.special.stdtr(count - 1, -np.where(np.isnan(t), -np.inf, t))
    sign = scipy.special.bdtrc((values > 0).sum(-1) - 1, count, 0.5)
    return np.maximum(student, sign)


def positive(gains) -> np.ndarray:
    """Whether each of several differences (..., difference, realization) is above zero; refuted if each is below."""
    return _decided((chance(gains) <= LEVEL).all(-1), (chance(-np.asarray(gains)) <= LEVEL).all(-1))


def falls(steps) -> np.ndarray:
    """Whether a curve falls, from its steps (..., step, realization) between neighbours.

    Held if each falls; refuted if one rises, at its share of the level.
    """
    steps = np.asarray(steps, float)
    if not steps.shape[-2]:
        return np.zeros(steps.shape[:-2], int)
    return _decided(chance(-steps).max(-1) <= LEVEL, chance(steps).min(-1) <= LEVEL / steps.shape[-2])


def near(curves, inside) -> np.ndarray:
    """Whether curves (..., beta, realization) are least at one of the β that `inside` (beta,) marks.

    Held if each other β lies above one of these; refuted if another lies below them all.
    """
    curves, inside = np.asarray(curves, float), np.asarray(inside, bool)
    if inside.all() or not inside.any():
        return np.zeros(curves.shape[:-2], int)
    gaps = curves[..., ~inside, None, :] - curves[..., None, inside, :]  # (..., outside, inside, realization)
    held = (chance(gaps).min(-1) <= LEVEL / inside.sum()).all(-1)
    return _decided(held, (chance(-gaps).max(-1) <= LEVEL / (~inside).sum()).any(-1))


def interior(curves, foreseen: int | None = None) -> np.ndarray:
    """Whether curves (..., beta, realization) are least between their ends.

    Held if each end lies above a point between them: any, at its share of the level, or the one with the index
    `foreseen`, named without a look at these curves. Refuted if one of the ends lies below all points between. Where
    there is no point between, or an end is foreseen, nothing is decided.
    """
    curves = np.asarray(curves, float)
    between = np.arange(1, curves.shape[-2] - 1)
    tested = between if foreseen is None else between[between == foreseen]
    if not len(tested):
        return np.zeros(curves.shape[:-2], int)
    gaps = curves[..., [0, -1], None, :] - curves[..., None, between, :]  # (..., end, between, realization)
    chances = chance(gaps[..., tested - 1, :])
    held = (chances.min(-1) <= LEVEL / chances.shape[-1]).all(-1)
    return _decided(held, (chance(-gaps).max(-1) <= LEVEL / 2).any(-1))


def _decided(held, refuted) -> np.ndarray:
    return np.where(held, 1, np.where(refuted, -1, 0))
