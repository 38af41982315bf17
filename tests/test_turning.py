"""Turning the latents back: theory, the search, the rotation from labels, networks; each by a route of its own."""

import itertools
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import linalg, optimize, stats

from betavae_core.findings import turning
from betavae_core.theory import linear, orthogonal
from betavae_core.theory.gaussian import LinearGaussian, kl_divergence

ROUNDING = 1e-9

seeds = st.integers(0, 2**32 - 1)


def drawn(seed, least=1, most=4):
    """A random process and a random orthogonal matrix, reflections included."""
    rng = np.random.default_rng(seed)
    k = int(rng.integers(least, most + 1))
    mixing = rng.standard_normal((k + int(rng.integers(0, 3)), k)) * rng.uniform(0.3, 3)
    return LinearGaussian(mixing, float(rng.uniform(0.4, 2))), orthogonal_matrix(k, rng), rng


def orthogonal_matrix(k, rng):
    return np.linalg.qr(rng.standard_normal((k, k)))[0] * rng.choice([-1.0, 1.0], k)


# --- theory ----------------------------------------------------------------------------------------------


@settings(deadline=None, max_examples=60)
@given(seeds)
def test_turned_error_is_the_mean_divergence_of_the_turned_optimum(seed):
    """E_x KL(N(T W x, T diag(v) Tᵀ) ‖ p_gt) of the trained optimum at b = σ², over x at the points of a cubature."""
    process, U, _ = drawn(seed)
    _, W, v = linear.optimum(process, process.noise_std**2)
    T = U @ np.linalg.svd(process.mixing, full_matrices=False)[2].T  # left over after the right turn
    singular = np.linalg.svd(process.mixing, compute_uv=False)
    if len(singular) > 1 and np.diff(singular).max() > -1e-3:
        return  # the optimum's own axes are not unique
    signs = np.sign((W @ process.mixing @ np.linalg.svd(process.mixing, full_matrices=False)[2].T).diagonal())
    T = T * signs  # the optimum's latents have signs of their own
    N = len(process.covariance)
    root = np.linalg.cholesky(process.covariance) * N**0.5  # ± its columns have second moment Σ
    total = [
        kl_divergence(T @ W @ x, T @ np.diag(v) @ T.T, process.posterior_mean(x), process.posterior_covariance)
        for x in np.vstack([root.T, -root.T])
    ]
    assert linear.turned_tie(process, U) == pytest.approx(np.mean(total), rel=1e-8, abs=ROUNDING)


def test_turned_error_in_rational_arithmetic():
    """A = ((2, 1), (1/2, 3/2)), σ² = 1/4, the rotation (3, −4; 4, 3)/5: each term of the divergence as a fraction."""
    A = [[Fraction(2), Fraction(1)], [Fraction(1, 2), Fraction(3, 2)]]
    U = [[Fraction(3, 5), Fraction(-4, 5)], [Fraction(4, 5), Fraction(3, 5)]]

    def times(a, b):
        return [[sum(x * y for x, y in zip(row, column, strict=True)) for column in zip(*b, strict=True)] for row in a]

    def trace(a):
        return a[0][0] + a[1][1]

    gram = times(list(zip(*A, strict=True)), A)
    M = [[4 * gram[i][j] + (i == j) for j in range(2)] for i in range(2)]
    det = M[0][0] * M[1][1] - M[0][1] * M[1][0]
    V = [[M[1][1] / det, -M[0][1] / det], [-M[1][0] / det, M[0][0] / det]]
    Ut = list(zip(*U, strict=True))
    moment = [[(i == j) - V[i][j] for j in range(2)] for i in range(2)]
    shift = [[U[i][j] - (i == j) for j in range(2)] for i in range(2)]
    off = times(times(shift, moment), list(zip(*shift, strict=True)))
    exact = (trace(times(M, times(times(U, V), Ut))) - 2 + trace(times(M, off))) / 2
    found = linear.turned_tie(LinearGaussian([[2.0, 1.0], [0.5, 1.5]], 0.5), [[0.6, -0.8], [0.8, 0.6]])
    assert found == pytest.approx(float(exact), abs=1e-12)


@settings(deadline=None, max_examples=30)
@given(seeds)
def test_turned_error_agrees_with_the_rotated_decoder(seed):
    """Section 5's TIE of a full covariance at Q = Tᵀ, which is the least over signed permutations of the latents."""
    process, U, _ = drawn(seed, most=3)
    right = np.linalg.svd(process.mixing, full_matrices=False)[2]
    k = len(right)
    named = [
        linear.turned_tie(process, np.diag(signs) @ np.eye(k)[list(order)] @ U)
        for order in itertools.permutations(range(k))
        for signs in itertools.product([1.0, -1.0], repeat=k)
    ]
    rotated = linear.rotated_tie(process, process.noise_std**2, (U @ right.T).T, "full")
    assert rotated == pytest.approx(min(named), rel=1e-6, abs=1e-6)


@settings(deadline=None, max_examples=30)
@given(seeds, st.floats(-np.pi, np.pi))
def test_two_sources_lose_one_minus_the_cosine(seed, angle):
    process, _, _ = drawn(seed, least=2, most=2)
    U = linalg.expm(angle * np.array([[0.0, -1.0], [1.0, 0.0]]))
    expected = (1 - np.cos(angle)) * (process.mixing**2).sum() / process.noise_std**2
    assert linear.turned_tie(process, U) == pytest.approx(expected, rel=1e-9, abs=ROUNDING)


def test_law_counts_angles_and_halves_them():
    assert [linear.label_law(k, m) for k, m in [(1, 7), (2, 10), (4, 30), (8, 100)]] == [0, 0.05, 0.1, 0.14]
    for wrong in [(0, 3), (2, 0), (2.0, 3), (True, 3), ("2", 3), (2, -1)]:
        with pytest.raises(ValueError, match="must be a whole number >= 1"):
            linear.label_law(*wrong)


def test_only_orthogonal_matrices_turn(process):
    for wrong in [np.eye(3), [[1.0, 0.1], [0.0, 1.0]], "turn", [[np.nan, 0], [0, 1]]]:
        with pytest.raises(ValueError, match="rotation must be"):
            linear.turned_tie(process, wrong)


@pytest.mark.parametrize(("k", "m", "models"), [(2, 60, 2000), (3, 100, 500), (4, 150, 300)])
def test_the_most_likely_rotation_follows_the_law(k, m, models, rng):
    """Labels drawn from the process itself, T by the function that readers use, judged by `turned_tie`."""
    errors = []
    for _ in range(models // 10):
        A = rng.standard_normal((k + 1, k)) * 2
        process = LinearGaussian(A, 0.8)
        right = np.linalg.svd(A, full_matrices=False)[2]
        variances = np.tile(1 / (1 + np.linalg.svd(A, compute_uv=False) ** 2 / 0.64), (m, 1))
        for _ in range(10):
            s, x = process.sample(m, rng)
            T = turning.rotation_from_labels(process.posterior_mean(x) @ right.T, variances, s)
            errors.append(linear.turned_tie(process, T @ right))
    spread = np.std(errors) / len(errors) ** 0.5
    assert np.mean(errors) == pytest.approx(linear.label_law(k, m), abs=4 * spread)


# --- the search ------------------------------------------------------------------------------------------


def form(k, rng, problems=5):
    """Likelihoods of 2k + 1 labelled images with covariances of their own."""
    each = [turning.likelihood(*labelled_images(k, 2 * k + 1, rng, full=True)) for _ in range(problems)]
    return orthogonal.Form(*(np.array(part) for part in zip(*each, strict=True)))


@pytest.mark.parametrize("k", [1, 2, 3, 4])
def test_the_search_finds_what_many_starts_of_another_find(k, rng):
    """BFGS over the entries of a skew-symmetric matrix, from random orthogonal ones, for each determinant."""
    problems = form(k, rng)
    turns, values = orthogonal.least(problems, turning.STARTS)
    assert np.linalg.det(turns) == pytest.approx(np.tile([1.0, -1.0], (5, 1)))
    assert turns @ turns.swapaxes(-1, -2) == pytest.approx(np.broadcast_to(np.eye(k), turns.shape), abs=1e-12)
    rows, columns = np.triu_indices(k, 1)

    def turn(entries, start):
        skew = np.zeros((k, k))
        skew[rows, columns], skew[columns, rows] = entries, -entries
        return linalg.expm(skew) @ start

    for i in range(5):
        one = orthogonal.Form(problems.quadratic[i], problems.linear[i])
        for d, sign in enumerate((1, -1)):
            found = []
            for _ in range(12 if k > 1 else 1):
                start = orthogonal_matrix(k, rng)
                start[0] *= sign * np.sign(np.linalg.det(start))
                if k == 1:
                    found.append(float(one(start)))
                    continue
                value = lambda entries, start=start, one=one: float(one(turn(entries, start)))  # noqa: E731
                found.append(optimize.minimize(value, np.zeros(len(rows))).fun)
            assert values[i, d] <= min(found) + 1e-6 * abs(min(found))


def test_exponentials_are_those_of_scipy(rng):
    skew = rng.standard_normal((4, 5, 5))
    skew = skew - skew.swapaxes(1, 2)
    assert orthogonal.exponential(skew) == pytest.approx(np.array([linalg.expm(s) for s in skew]), abs=1e-12)


# --- the rotation from labels ----------------------------------------------------------------------------


def log_likelihood(T, means, covariances, sources):
    return sum(
        stats.multivariate_normal(T @ m, T @ S @ T.T).logpdf(s)
        for m, S, s in zip(means, covariances, sources, strict=True)
    )


def labelled_images(k, m, rng, full=False):
    means = rng.standard_normal((m, k))
    roots = 0.4 * rng.standard_normal((m, k, k)) if full else np.zeros((m, k, k))
    covariances = roots @ roots.swapaxes(1, 2) + np.eye(k) * rng.uniform(0.05, 0.4, (m, 1, k))
    T = orthogonal_matrix(k, rng)
    noise = np.array([np.linalg.cholesky(S) @ rng.standard_normal(k) for S in covariances])
    return means, covariances, (means + noise) @ T.T


@settings(deadline=None, max_examples=15)
@given(seeds, st.booleans())
def test_two_latents_are_turned_to_the_greatest_likelihood(seed, full):
    """A fine search over the angle with SciPy's density; variances where q is diagonal, covariances where it is not."""
    rng = np.random.default_rng(seed)
    means, covariances, sources = labelled_images(2, 6, rng, full)
    given_as = covariances if full else np.diagonal(covariances, axis1=1, axis2=2)
    T = turning.rotation_from_labels(means, given_as, sources)
    best = []
    for flip in (1.0, -1.0):
        turns = [linalg.expm(a * np.array([[0, -1], [1, 0]])) @ np.diag([1, flip]) for a in np.linspace(0, 6.2832, 181)]
        best.append(max(log_likelihood(turn, means, covariances, sources) for turn in turns))
    found = log_likelihood(T, means, covariances, sources)
    assert found >= max(best) - 1e-9
    assert found <= max(best) + 0.02 * (1 + abs(found))  # the grid is that fine
    gap = turning.margin(means, given_as, sources)
    assert gap == pytest.approx(abs(best[0] - best[1]), abs=0.05 * (1 + abs(found)))


@pytest.mark.parametrize("k", [1, 2, 3, 5, 8])
def test_sources_without_noise_give_the_turn_itself(k, rng):
    T = orthogonal_matrix(k, rng)
    means = rng.standard_normal((3 * k + 3, k))
    assert turning.rotation_from_labels(means, np.full_like(means, 0.01), means @ T.T) == pytest.approx(T, abs=1e-6)


def test_the_turned_posterior_is_that_of_turned_latents(rng):
    """Moments of draws z ~ q, turned one by one."""
    means, covariances, _ = labelled_images(3, 2, rng, full=True)
    T = orthogonal_matrix(3, rng)
    mean, covariance = turning.turned(means, covariances, T)
    for i in range(2):
        z = rng.multivariate_normal(means[i], covariances[i], 200_000) @ T.T
        assert z.mean(0) == pytest.approx(mean[i], abs=0.01)
        assert np.cov(z.T) == pytest.approx(covariance[i], abs=0.01)


GOOD = np.array([[1.0, 0.3], [-0.4, 1.2], [0.2, -0.9]])
BAD = {
    "no labels": (np.zeros((0, 2)), np.zeros((0, 2)), np.zeros((0, 2)), "span 2 directions; these 0 span 0"),
    "one label": (GOOD[:1], GOOD[:1] ** 2, GOOD[:1], "span 2 directions; these 1 span 1"),
    "one label, repeated": (GOOD[[0] * 5], GOOD[[0] * 5] ** 2, GOOD[[0] * 5], "these 5 span 1"),
    "collinear labels": (GOOD, GOOD**2, GOOD[:, :1] * [[1.0, -2.0]], "these 3 span 1"),
    "labels at the origin": (GOOD, GOOD**2, 0 * GOOD, "these 3 span 0"),
    "no variance": (GOOD, GOOD * 0, GOOD, "variances of the latents must be > 0"),
    "negative variance": (GOOD, -(GOOD**2), GOOD, "variances of the latents must be > 0"),
    "singular covariance": (GOOD, np.ones((3, 2, 2)), GOOD, "variances of the latents must be > 0"),
    "skewed covariance": (GOOD, np.eye(2) + np.triu(np.ones((3, 2, 2)), 1), GOOD, "must be symmetric"),
    "sources in pixels": (GOOD, GOOD**2, 20 * GOOD, "must be standardised"),
    "sources about 50": (GOOD, GOOD**2, 50 + GOOD, "must be standardised"),
    "tiny sources": (GOOD, GOOD**2, 1e-4 * GOOD, "must be standardised"),
    "nine latents": (np.eye(9), np.ones((9, 9)), np.eye(9), "k <= 8; got 9"),
    "not finite": (GOOD * np.nan, GOOD**2, GOOD, "must be finite"),
    "more images than labels": (GOOD, GOOD**2, GOOD[:2], "must have shapes"),
    "words": ("abc", GOOD, GOOD, "must be tables of numbers"),
}


@pytest.mark.parametrize("case", BAD)
def test_labels_that_tell_no_rotation_are_refused(case):
    *given_as, said = BAD[case]
    for ask in (turning.rotation_from_labels, turning.margin):
        with pytest.raises(ValueError) as refused:
            ask(*given_as)
        assert said in str(refused.value)
        assert "\n" not in str(refused.value)


def test_a_collapsed_latent_does_not_matter_how_it_is_turned(rng):
    """q of the latents left over is the same for either sign, and the active latent is turned right."""
    T = linalg.expm(0.7 * np.array([[0, -1], [1, 0]]))
    means = np.column_stack([rng.standard_normal(20), np.zeros(20)])
    variances = np.tile([0.05, 1.0], (20, 1))
    sources = (means + rng.standard_normal((20, 2)) * variances**0.5) @ T.T
    found = turning.rotation_from_labels(means, variances, sources)
    assert abs(found[:, 0] @ T[:, 0]) > 0.98
    assert turning.margin(means, variances, sources) == pytest.approx(0, abs=1e-9)
    everything = turning.rotation_from_labels(0 * means, np.ones((20, 2)), sources)
    assert everything @ everything.T == pytest.approx(np.eye(2))
