import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from betavae_core.theory import alignment
from betavae_core.theory.gaussian import LinearGaussian, spectrum


@pytest.mark.parametrize("k", [1, 2, 3, 4])
def test_signed_permutations_are_all_of_them_once(k):
    matrices = alignment.signed_permutations(k)
    assert len({m.tobytes() for m in matrices + 0.0}) == len(matrices) == 2**k * math.factorial(k)
    assert all(np.array_equal(m @ m.T, np.eye(k)) for m in matrices)
    np.testing.assert_array_equal(matrices[0], np.eye(k))


def value(P, Q, K, M):
    return 0.5 * np.trace(M @ P @ Q @ P.T) - np.trace(P @ K)


@settings(deadline=None)
@given(st.integers(1, 4), st.booleans(), st.integers(0, 2**32 - 1))
def test_alignment_is_the_least_over_all_signed_permutations(k, diagonal, seed):
    """By trying each, for a diagonal second moment (linear assignment) and a full one (enumeration)."""
    rng = np.random.default_rng(seed)
    root = rng.standard_normal((2, k, k))
    Q = np.diag(rng.uniform(0.5, 2, k)) if diagonal else root[0] @ root[0].T
    M, K = np.eye(k) + root[1] @ root[1].T, rng.standard_normal((k, k))
    least, P = alignment.align(Q, K, M)
    brute = []
    for order in itertools.permutations(range(k)):
        for signs in itertools.product([1, -1], repeat=k):
            candidate = np.zeros((k, k))
            candidate[list(order), range(k)] = signs
            brute.append(value(candidate, Q, K, M))
    assert least == pytest.approx(min(brute))
    assert value(P, Q, K, M) == pytest.approx(least)


def test_alignment_works_on_stacks(rng):
    Q = np.stack([np.eye(2) + 0.1, np.eye(2) + 0.2])
    K, M = rng.standard_normal((2, 2, 2)), np.eye(2)
    least, P = alignment.align(Q, K, M)
    for i in range(2):
        one, permutation = alignment.align(Q[i], K[i], M)
        assert least[i] == pytest.approx(float(one))
        np.testing.assert_array_equal(P[i], permutation)


def test_seven_latents_that_do_not_separate_are_refused_in_one_line():
    with pytest.raises(ValueError, match="k <= 6 latents; got 7"):
        alignment.align(np.eye(7) + 0.1, np.eye(7), np.eye(7))


@pytest.mark.parametrize("largest", [1.0, 1e3])
def test_eigenvalues_are_compared_with_themselves_and_not_with_the_largest(largest, rng):
    """Three sources turned at random: two that differ stay apart under any third, two that are equal stay together."""
    left, right = (np.linalg.qr(rng.standard_normal((rows, 3)))[0] for rows in (4, 3))
    for pair, groups in (((0.05, 0.04), [[0], [1], [2]]), ((0.05, 0.05), [[0], [1, 2]]), ((0, 0), [[0], [1], [2]])):
        process = LinearGaussian(left * [largest, *pair] @ right, 0.01)
        assert alignment.eigenspaces(spectrum(process)[0], 1e-4) == groups


def test_assignment_is_the_best_permutation(rng):
    gain = rng.standard_normal((5, 4, 4))
    chosen = alignment.assign(gain)
    for matrix, columns in zip(gain, chosen, strict=True):
        best = max(sum(matrix[i, order[i]] for i in range(4)) for order in itertools.permutations(range(4)))
        assert matrix[np.arange(4), columns].sum() == pytest.approx(best)
