"""The search for a minimum along a line, where no formula has one."""

import itertools

import numpy as np
from scipy import optimize

DIPS = 3  # the deepest may look shallower than another on the grid


def least(error, grid, **options) -> tuple[float, float]:
    """Where a function is least, and its value there: the deepest dips of a grid, refined; ValueError on NaN.

    >>> where, value = least(lambda x: (x - 0.3) ** 2, np.linspace(-1, 1, 9))
    >>> round(where, 6), round(value, 6)
    (0.3, 0.0)
    """
    values = np.array([error(point) for point in grid])
    if (wrong := np.isnan(values)).any():
        raise ValueError(f"the function must be a number on the whole grid; got NaN at {grid[wrong.argmax()]}")
    around = np.pad(values, 1, constant_values=np.inf)
    dips = np.flatnonzero((values <= around[:-2]) & (values <= around[2:]))
    found = []
    for dip in dips[values[dips].argsort()[:DIPS]]:
        found.append((float(grid[dip]), float(values[dip])))  # a kink, if the grid has it
        for bounds in itertools.pairwise(grid[max(dip - 1, 0) : dip + 2]):
            side = optimize.minimize_scalar(error, bounds=bounds, method="bounded", options=options)
            found.append((float(side.x), float(side.fun)))  # pyright: ignore
    return min(found, key=lambda pair: pair[1])
