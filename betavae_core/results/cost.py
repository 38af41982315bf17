"""What training costs on this machine: the matrix products of a step, and the unit U in which times are told.

U is one network of *mixing* with the thesis's training, 1,000 epochs, on one core. Its time is the machine's own; what
else takes time here, a book or its tests, takes about as many U on any.
"""

import math
import time

import numpy as np

from betavae_core import machine
from betavae_core.networks import architecture
from betavae_core.networks.architecture import HIDDEN, LATENTS, PIXELS

RANK, SAMPLES, EPOCHS = 3, 1000, 1000  # of a realization of mixing: two digits and the mean
BESIDE = 1.1  # a step takes a little longer than its products with NumPy's BLAS: by 2 to 28 % on three machines
WARM, TIMED = 2, 9


def products(samples: int, rank: int) -> list[tuple[int, int, int]]:
    """Shapes (m, k, n) of every matrix product that one factored step needs: forward, backward, no product twice."""
    first, layers = HIDDEN[0], architecture.shapes(LATENTS, HIDDEN, PIXELS, "diagonal")[1:-1]
    shapes = [(rank, PIXELS, first), (samples, rank, first), (rank, samples, first), (PIXELS, rank, first)]
    for fan_in, fan_out in layers:  # forward, gradient of the kernel, gradient of the input
        shapes += [(samples, fan_in, fan_out), (fan_in, samples, fan_out), (samples, fan_out, fan_in)]
    shapes += [(first, PIXELS, first), (samples, first, first), (rank, PIXELS, first), (samples, rank, first)]
    shapes += [(first, samples, first), (first, first, PIXELS), (first, samples, rank), (first, rank, PIXELS)]
    return shapes


def multiplied(samples: int, rank: int):
    """A function that forms these products so many times, in single precision, and nothing else."""
    rng = np.random.default_rng(0)
    shapes = products(samples, rank)
    pairs = [[rng.standard_normal(s, dtype=np.float32) for s in ((m, k), (k, n))] for m, k, n in shapes]

    def steps(count: int) -> None:
        for _ in range(count):
            for left, right in pairs:
                np.matmul(left, right)

    return steps


def unit(clock=time.perf_counter) -> float:
    """U in seconds of a clock, estimated in a third of one: on as many threads as NumPy has, which should be one."""
    steps, times = multiplied(SAMPLES, RANK), []
    steps(WARM)
    for _ in range(TIMED):
        started = clock()
        steps(1)
        times.append(clock() - started)
    return EPOCHS * BESIDE * float(np.median(times))


def training(count: int, epochs: int) -> float:
    """Seconds, about, in which so many networks are trained on the cores of this machine, one on each."""
    return unit() * epochs / EPOCHS * math.ceil(count / min(count, machine.cores()))
