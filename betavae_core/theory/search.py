"""Searches for a minimum along a line, where a formula has none."""

import numpy as np
from scipy import optimize


def convex_minimum(slope, low: float, high: float) -> float:
    """Where a strictly convex function of b in (low, high) is least, by a bracketed root of its slope; or an end of it.

    >>> round(convex_minimum(lambda b: b - 2.0, 1.0, 5.0), 12), convex_minimum(lambda b: -1.0, 1.0, 5.0)
    (2.0, 5.0)

    Parameters
    ----------
    slope : function of a float, rising; it may diverge at the ends, which are not evaluated
    """
    left, right = low + 1e-9 * (high - low), high - 1e-12 * high
    if right <= left or slope(left) >= 0:
        return left
    if slope(right) <= 0:
        return high
    return float(optimize.brentq(slope, left, right, xtol=1e-15, rtol=np.float64(1e-14)))  # pyright: ignore
