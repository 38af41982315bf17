"""Searches for a minimum along a line, where a formula has none."""

import numpy as np
from scipy import optimize


def least(error, grid, **options) -> tuple[float, float]:
    """Where a function of a float is least, and its value there: the best point of a grid, refined beside it.

    >>> where, value = least(lambda x: (x - 0.3) ** 2, np.linspace(-1, 1, 9))
    >>> round(where, 6), round(value, 6)
    (0.3, 0.0)
    """
    best = int(np.argmin([error(point) for point in grid]))
    bounds = grid[max(best - 1, 0)], grid[min(best + 1, len(grid) - 1)]
    found = optimize.minimize_scalar(error, bounds=bounds, method="bounded", options=options)
    return float(found.x), float(found.fun)  # pyright: ignore


def convex_minimum(slope, low: float, high: float) -> float:
    """Where a strictly convex function of b in (low, high) is least, by a bracketed root of its slope; or an end of it.

    >>> round(convex_minimum(lambda b: b - 2.0, 1.0, 5.0), 12), convex_minimum(lambda b: -1.0, 1.0, 5.0)
    (2.0, 5.0)

    `slope` : function of a float, rising; it may diverge at the ends, which are not evaluated
    """
    left, right = low + 1e-9 * (high - low), high - 1e-12 * high
    if right <= left or slope(left) >= 0:
        return left
    if slope(right) <= 0:
        return high
    return float(optimize.brentq(slope, left, right, xtol=1e-15, rtol=np.float64(1e-14)))  # pyright: ignore
