"""The search for a minimum along a line, where no formula has one."""

import itertools

import numpy as np
from scipy import optimize


def least(error, grid, **options) -> tuple[float, float]:
    """Where a function of a float is least, and its value there: the best point of a grid, refined on either side.

    >>> where, value = least(lambda x: (x - 0.3) ** 2, np.linspace(-1, 1, 9))
    >>> round(where, 6), round(value, 6)
    (0.3, 0.0)
    """
    values = [error(point) for point in grid]
    best = int(np.argmin(values))
    found = [(float(grid[best]), float(values[best]))]  # a kink, if the grid has it
    for bounds in itertools.pairwise(grid[max(best - 1, 0) : best + 2]):
        side = optimize.minimize_scalar(error, bounds=bounds, method="bounded", options=options)
        found.append((float(side.x), float(side.fun)))  # pyright: ignore
    return min(found, key=lambda pair: pair[1])
