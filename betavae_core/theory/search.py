"""The search for a minimum along a line, where no formula has one."""

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
