"""Turning the latents back: theory, the search, the rotation from labels, networks; each by a route of its own."""

import itertools
from fractions import Fraction
from types import SimpleNamespace

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import linalg, optimize, stats

from betavae_core.findings import labels, tiles, turned_networks, turning
from betavae_core.images import experiments
from betavae_core.networks.likelihood import Decoder, log_likelihood
from betavae_core.networks.posterior import Full, Posterior
from betavae_core.results import sweep
from betavae_core.showing import turning as showing
from betavae_core.theory import linear, orthogonal, rotation
from betavae_core.theory.gaussian import LinearGaussian, kl_divergence
from betavae_workshop.building import chapters

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
    assert linear.label_law(np.int32(50_000), np.int32(1)) == linear.label_law(50_000, 1)
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


def log_density(T, means, covariances, sources):
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
        best.append(max(log_density(turn, means, covariances, sources) for turn in turns))
    found = log_density(T, means, covariances, sources)
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


# --- networks --------------------------------------------------------------------------------------------


def network(k, n, rng, full=False):
    """Images of which a network says something and of which the truth is something else."""
    means, covariances, sources = labelled_images(k, n, rng, full)
    root = rng.standard_normal((k, k))
    return turned_networks.Images(means, covariances, sources, rng.standard_normal((n, k)), root @ root.T + np.eye(k))


def direct(images, T, judged):
    """Mean KL of turned q's by the formula for two Gaussians, image by image."""
    exact = np.linalg.inv(images.precision)
    each = [kl_divergence(T @ images.mean[i], T @ images.covariance[i] @ T.T, images.target[i], exact) for i in judged]
    return float(np.mean(each))


def how_likely(images, T, which):
    """Of the sources of these images under the turned q, image by image."""
    each = [stats.multivariate_normal(T @ images.mean[i], T @ images.covariance[i] @ T.T) for i in which]
    return sum(float(q.logpdf(images.sources[i])) for q, i in zip(each, which, strict=True))


def distance(images, T, which):
    return sum(float(((images.sources[i] - T @ images.mean[i]) ** 2).sum()) for i in which)


@pytest.mark.parametrize(("k", "full"), [(2, False), (2, True), (3, True)])
def test_labelled_images_do_not_judge(k, full, rng):
    """Each draw by hand: turned by its own labels, judged by the divergence of all other images."""
    images, counts = network(k, 30, rng, full), (2 * k - 2, k + 2, 12)
    chosen = np.array([rng.permutation(30)[:12] for _ in range(4)])
    found = turned_networks.labelled(images, chosen, counts)
    P = turned_networks.as_trained(images)
    every = [np.array(signs)[:, None] * np.eye(k)[list(order)] for order in itertools.permutations(range(k))
             for signs in itertools.product([1, -1], repeat=k)]  # fmt: skip
    for (i, m), (d, draw) in itertools.product(enumerate(counts), enumerate(chosen)):
        few, others = draw[:m], np.setdiff1d(np.arange(30), draw[:m])
        told = images.mean[few], images.covariance[few], images.sources[few]
        T = turning.rotation_from_labels(*told)
        assert found["tie"][i, d] == pytest.approx(direct(images, T, others), abs=1e-7)
        assert found["began"][i, d] == pytest.approx(direct(images, P, others), abs=1e-9)
        assert found["margin"][i, d] == pytest.approx(turning.margin(*told), abs=1e-6)
        plain, check = max(every, key=lambda E: how_likely(images, E, few)), draw[m : 2 * m]
        likelier = how_likely(images, T, check) > how_likely(images, plain, check)
        closer = distance(images, T, check) < distance(images, plain, check)
        assert (found["likelier"][i, d], found["closer"][i, d]) == (likelier, closer)
    assert direct(images, P, range(30)) == pytest.approx(min(direct(images, E, range(30)) for E in every))


@pytest.mark.parametrize("full", [False, True])
def test_parts_add_up_and_the_best_rotation_is_the_best(full, rng):
    images = network(2, 25, rng, full)
    found = turned_networks.parts(images)
    turns = [
        linalg.expm(a * np.array([[0, -1], [1, 0]])) @ np.diag([1, flip])
        for a in np.linspace(0, 2 * np.pi, 181)
        for flip in (1, -1)
    ]
    grid = [direct(images, T, range(25)) for T in turns]
    assert found["best"] <= min(grid) + 1e-9
    assert found["best"] == pytest.approx(min(grid), abs=0.05)
    assert found["means"] + found["size"] + found["shape"] == pytest.approx(found["best"], abs=1e-9)
    assert min(found["means"], found["size"], found["shape"]) >= 0
    scaled = images._replace(covariance=images.covariance / found["factor"])
    assert turned_networks.parts(scaled)["size"] < found["size"]


def test_the_factor_is_the_noise_ratio_of_the_linear_model(rng):
    """At the right rotation, for either family: τ/k = b/σ²."""
    process = LinearGaussian([[2.0, 1.0], [0.5, 1.5]], 0.7)
    x = process.sample(400, rng)[1]
    for ratio in (0.5, 1.0, 1.8):
        _, W, v = linear.optimum(process, ratio * 0.49)
        q = x @ W.T, np.tile(np.diag(v), (400, 1, 1)), np.zeros((400, 2)), process.posterior_mean(x)
        found = turned_networks.parts(turned_networks.Images(*q, process.posterior_precision))
        assert found["factor"] == pytest.approx(ratio, rel=0.02)  # the best turn of a sample is not quite the right one
        assert found["shape"] == pytest.approx(0, abs=1e-3)


def test_a_turned_network_has_the_same_terms(rng):
    """R, log p(x) and C of a decoder with random weights, turned by its first layer: draws decoded, not argued."""
    T, x = orthogonal_matrix(2, rng), rng.standard_normal((6, 20))
    shapes = (2, 8), (8, 8)
    hidden = [(rng.normal(0, 0.7, shape).astype(np.float32), np.zeros((1, shape[1]), np.float32)) for shape in shapes]
    kernel, bias = rng.normal(0, 0.3, (8, 20)), np.zeros((1, 20))
    rest = kernel, bias, kernel @ kernel.T, kernel @ bias[0], 0.0
    plain = Decoder(hidden, *rest)
    turned = Decoder([((T @ hidden[0][0]).astype(np.float32), hidden[0][1]), *hidden[1:]], *rest)
    z = rng.standard_normal((6, 5, 2))
    assert turned.log_density(x, z @ T.T) == pytest.approx(plain.log_density(x, z), abs=1e-4)
    mean, variance = rng.standard_normal((6, 2)), rng.uniform(0.1, 0.5, (6, 2))
    q = Posterior(mean, np.log(variance))
    new_mean, covariance = turning.turned(mean, variance, T)
    L = np.linalg.cholesky(covariance)
    new = Full(new_mean, 2 * np.log(np.diagonal(L, axis1=1, axis2=2)), L[:, 1, :1])
    assert new.kl_to_prior() == pytest.approx(q.kl_to_prior(), abs=1e-12)
    by_both = [
        log_likelihood(decoder, x, each, np.random.default_rng(1), 20_000)[0]
        for decoder, each in ((plain, q), (turned, new))
    ]
    assert by_both[1] == pytest.approx(by_both[0], abs=0.1)  # Monte Carlo of either
    given_as = turned_networks.Images(mean, np.array([np.diag(v) for v in variance]), mean, mean, np.eye(2))
    free = turned_networks.free(given_as, np.array([T]))
    assert free["kl_prior"] < 1e-12
    assert free["inputs"] < 1e-12
    assert free["least"] == pytest.approx(direct(given_as, T, range(6)))


def test_a_full_covariance_is_read_as_it_was_stored(rng):
    """`latent_lower` counts: q of the full family is not diagonal, and its standard deviations are marginal."""
    stored = sweep.load("tiles", supplement="full covariance")
    data, _ = experiments.draw("tiles", 0)
    images = turned_networks.read(stored, 1, 0, data)
    std = stored.latent_std.values[1, 0].astype(float)
    assert np.diagonal(images.covariance, axis1=1, axis2=2) ** 0.5 == pytest.approx(std, rel=2e-3)
    lower = stored.latent_lower.values[1, 0].astype(float)[:, 0]
    first = std[:, 0]
    assert images.covariance[:, 1, 0] == pytest.approx(first * lower, rel=1e-6)
    assert np.abs(images.covariance[:, 1, 0]).max() > 0.01


def test_no_error_is_told_where_every_image_is_labelled(rng):
    """As of a first try with a hundred images."""
    mean, sources = rng.standard_normal((2, 8, 2))
    M, covariance = np.array([[3.0, 1.0], [1.0, 2.0]]), np.broadcast_to(0.1 * np.eye(2), (8, 2, 2))
    images = turned_networks.Images(mean, covariance, sources, sources, M)
    found = turned_networks.labelled(images, turned_networks.choices(8, 100, 3, rng), (7, 8, 100))
    for name, known in {"tie": [True, False, False], "began": [True, False, False], "margin": [True] * 3}.items():
        assert np.isfinite(found[name]).all(1).tolist() == known


@pytest.fixture(scope="module")
def of_tiles():
    stored = sweep.load("tiles")
    return stored, tiles.in_units_of_noise(turned_networks.study(stored))


def test_five_labels_leave_little_of_the_error(of_tiles):
    """At β = ν at most 0.12 nats in the median; as trained, what is stored of these networks."""
    stored, found = of_tiles
    near = found.sel(beta=1, method="nearest")
    assert float(near.tie.sel(labels=5).median("draw").mean()) <= 0.12
    assert float(near.trained.mean()) == pytest.approx(float(stored.tie.isel(beta=6)[:5].mean()), rel=0.05)
    assert float((near.tie > near.began).sel(labels=10).mean()) < 0.02


def test_the_best_beta_of_turned_networks_is_the_noise(of_tiles):
    stored, found = of_tiles
    for what in ("best", 100):
        after = turned_networks.best_betas(stored, found, what)
        assert np.exp(np.log(after).mean()) == pytest.approx(1, abs=0.03)
    before = turned_networks.best_betas(stored, found, "trained")
    assert (after < before).all()


def test_each_realization_has_labels_of_its_own_and_the_same_at_every_beta(of_tiles, monkeypatch):
    monkeypatch.setattr(turned_networks, "DRAWS", {2: 3})
    stored = of_tiles[0].isel(beta=[5, 6], detailed=slice(2))
    found = turned_networks.study(stored, (2, 5))
    for b, r in itertools.product((0, 1), (0, 1)):
        images = turned_networks.read(stored, b, r, experiments.training("tiles", r))
        chosen = turned_networks.choices(len(images.mean), 5, 3, np.random.default_rng([r, 2]))
        expected = turned_networks.labelled(images, chosen, (2, 5))["tie"]
        assert found.tie.values[b, r] == pytest.approx(expected)


@pytest.mark.parametrize("name", tiles.NAMES)
def test_the_fit_reads_theory_s_turned_curve(name):
    """Of tiles-4 the chapter says 1.001, above the 1 that its networks miss from below."""
    process, ratios = LinearGaussian(experiments.experiment(name).mixing), np.array(experiments.RATIOS)
    curve = [linear.rotated_tie(process, b, rotation.right_rotation(process), "full") for b in ratios]
    found = tiles.reading(tiles.fit(ratios, np.array(curve))).best
    assert found == pytest.approx(1.001, abs=0.0005) if name == "tiles-4" else found == pytest.approx(1, abs=0.005)


# --- what labels are worth -------------------------------------------------------------------------------


def test_models_turned_by_labels_follow_the_law_and_procrustes_does_not(rng):
    found = labels.random_models(3, (20, 80), 400, rng)
    for m, tie in zip((20, 80), found["likelihood"], strict=True):
        assert tie.min() >= 0
        spread = tie.std() / 400**0.5
        assert tie.mean() == pytest.approx(linear.label_law(3, m), abs=4 * spread + 0.15 * linear.label_law(3, m))
    assert (found["procrustes"].mean(1) > 1.5 * found["likelihood"].mean(1)).all()


def test_regression_against_plain_least_squares(rng):
    """One draw by hand: leave-one-out by leaving out, the penalty by trying, TIE by the divergence."""
    images, m = network(2, 20, rng), 7
    features = rng.standard_normal((20, 4))
    features -= features.mean(0)
    chosen = rng.permutation(20)[None, :m]
    few, others = chosen[0], np.setdiff1d(np.arange(20), chosen[0])
    F, S = features[few], images.sources[few]
    scale, tried = (F**2).sum() / m, []
    for penalty in labels.PENALTIES * scale:
        fit = lambda rows, c=penalty: np.linalg.solve(F[rows].T @ F[rows] + c * np.eye(4), F[rows].T @ S[rows])  # noqa: E731
        left = np.array([S[i] - F[i] @ fit(np.delete(np.arange(m), i)) for i in range(m)])
        tried.append(((left**2).sum(), left, fit(np.arange(m))))
    _, left, B = min(tried, key=lambda one: one[0])
    covariance, exact = (np.eye(2) + left.T @ left) / (1 + m), np.linalg.inv(images.precision)
    expected = np.mean([kl_divergence(features[i] @ B, covariance, images.target[i], exact) for i in others])
    assert labels.regression(images, features, chosen, (m,))[0, 0] == pytest.approx(expected, rel=1e-6)


def test_chosen_images_lie_far_out_and_apart(rng):
    mean = rng.standard_normal((200, 2))
    chosen = labels.by_their_means(mean, 4, 50, rng, pool=200)
    assert all(len(set(row)) == 4 for row in chosen)
    assert (chosen[:, 0] == np.linalg.norm(mean, axis=1).argmax()).all()
    first, second = mean[chosen[:, 0]], mean[chosen[:, 1]]
    across = np.abs(first[:, 0] * second[:, 1] - first[:, 1] * second[:, 0])
    random = mean[rng.permutation(200)[:50]]
    assert across.mean() > 2 * np.abs(first[:, 0] * random[:, 1] - first[:, 1] * random[:, 0]).mean()


def test_a_share_has_an_interval():
    share, low, high = labels.share([True] * 5 + [False] * 95)
    assert (share, low < share < high) == (0.05, True)
    assert low == pytest.approx(0.0215, abs=1e-3)  # Wilson's, by its formula
    assert high == pytest.approx(0.1118, abs=1e-3)


# --- the page --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("k", [2, 3, 4])
def test_the_recipe_of_the_chapter_is_the_package_s(k, rng):
    """Read from the chapter, as a reader pastes it: fifteen lines at most."""
    [cell] = [cell.source for cell in chapters.notebook("turning").cells if "def turn_back" in cell.source]
    assert len(cell.splitlines()) <= 15
    names = {}
    exec(cell, names)
    for _ in range(4):
        means, covariances, sources = labelled_images(k, 40, rng)
        variances = np.diagonal(covariances, axis1=1, axis2=2)
        few = rng.permutation(40)[: 2 * k + 1]
        T, mean, covariance = names["turn_back"](means, variances, few, sources[few])
        assert T == pytest.approx(turning.rotation_from_labels(means[few], variances[few], sources[few]), abs=1e-3)
        expected = turning.turned(means, variances, T)
        assert mean == pytest.approx(expected[0])
        assert covariance == pytest.approx(expected[1])


def test_rows_and_figures_of_the_chapter(of_tiles):
    stored, found = of_tiles
    near = found.sel(beta=[1.0], method="nearest")
    assert len(showing.experiment_rows({"tiles": near})[0]) == 5 + len(showing.SHOWN)
    assert [row[0] for row in showing.margin_rows(near, 5)][-1] == "above 4"
    assert sum(float(row[1]) for row in showing.margin_rows(near, 5)) == pytest.approx(100, abs=2)
    assert len(showing.tail_rows(stored, 168.4)) == 2 * len(showing.FEW)
    for figure in (showing.labels_figure(near, 0.02), showing.beta_figure({"tiles": found}, 5)):
        figure.canvas.draw()


def made_up_study(rng, betas):
    """Three realizations of which two are stored, four draws of labels; every number another one."""
    cell, drawn = ("beta", "realization"), ("beta", "realization", "labels", "draw")
    counts = [1, *showing.SHOWN, 100]
    cells = {
        name: (cell, rng.uniform(1, 2, (3, 3))) for name in ("trained", "best", "means", "size", "shape", "factor")
    }
    cells |= {name: (drawn, rng.uniform(1, 9, (3, 3, len(counts), 4)) ** 2) for name in ("tie", "began", "margin")}
    cells |= {way: (drawn, rng.integers(0, 2, (3, 3, len(counts), 4)) * 1.0) for way in ("likelier", "closer")}
    study = xr.Dataset(cells, {"beta": betas, "realization": range(3), "labels": counts})
    return study.where(study.realization < 2)


def numbers(cells):
    return [float(cell.replace("−", "-")) for cell in cells]


def test_tables_of_turned_networks_have_each_number_in_its_column(rng):
    found = {"tiles": made_up_study(rng, [0.5, 1.0, 2.0]), "mixing": made_up_study(rng, [1.0, 5.0, 200.0])}
    near = {name: study.isel(beta=[1]) for name, study in found.items()}
    for name, where in (("tiles", "ν"), ("mixing", "5")):
        at = found[name].isel(beta=1)
        row = next(row for row in showing.experiment_rows(near) if row[0] == name)
        ties = [np.median(at.tie[:2].sel(labels=m).values, axis=1).mean() for m in showing.SHOWN]
        expected = [float(at.trained.mean()), *ties, float(at.best.mean()), float(at.tie[:2].sel(labels=5).mean())]
        assert row[1] == where
        assert numbers(row[2:]) == pytest.approx(expected, abs=0.006)
        worse = next(row[1:] for row in showing.worse_rows(near) if row[0] == name)
        there = at.isel(realization=slice(2))
        shares = [100 * np.mean((there.tie > there.began).sel(labels=m).values) for m in at.labels.values]
        five = there.sel(labels=5)
        for way in (five.likelier, five.closer):
            shares.append(100 * np.mean((five.tie > five.began).values[way.values == 1]))
        assert numbers(worse) == pytest.approx(shares, abs=0.06)
    at = found["tiles"].sel(beta=2.0).mean("realization")
    row = next(row for row in showing.part_rows(found) if row[:2] == ["tiles", "2 ν"])
    parts = 2, at.trained, at.trained - at.best, at.means, at["size"], at["shape"], at.factor
    assert numbers(row[2:]) == pytest.approx([float(part) for part in parts], abs=0.006)
    ties = {4: dict(zip(("likelihood", "procrustes"), rng.uniform(1, 9, (2, 5, 7)), strict=True))}
    for (_, m, *told), likely, plain in zip(showing.law_rows(ties), *ties[4].values(), strict=True):
        low, middle, high = np.quantile(likely, (0.1, 0.5, 0.9))
        assert numbers(told) == pytest.approx([low, middle, high, likely.mean(), 3 / int(m), plain.mean()], abs=6e-4)


def test_tables_of_labels_and_of_best_betas_have_each_number_in_its_column(rng, monkeypatch):
    ties = {name: rng.uniform(1, 9, (3, len(showing.FEW), 40)) for name in ("at random", "by their means")}
    monkeypatch.setattr(labels, "at_random_and_chosen", lambda *_: ties)
    rows = showing.tail_rows(SimpleNamespace(experiment="a"), 3.0)
    assert [row[:3] for row in rows] == [["a, β = 3", name, str(m)] for name in ties for m in showing.FEW]
    for row, tie, began, margin in zip(rows, *np.concatenate([*ties.values()], 1), strict=True):
        assert numbers(row[3:6]) == pytest.approx([np.median(tie), tie.mean(), np.quantile(tie, 0.9)], abs=0.006)
        assert row[6].startswith(f"{100 * np.mean(tie > began):.1f} (")
        assert row[7] == f"{100 * np.mean(margin > 4):.0f}"
    uses = {name: rng.uniform(1, 9, (5, 9)) for name in ("turned", "on pixels")}
    monkeypatch.setattr(labels, "other_uses", lambda stored, *_: uses if stored == "networks" else {})
    for row, (name, tie) in zip(showing.regression_rows({"a": "networks"}, {"a": 3.0}), uses.items(), strict=True):
        assert row[:2] == ["a, β = 3", name]
        assert numbers(row[2:]) == pytest.approx(np.median(tie, 1), abs=0.006)
    read = {"trained": np.array([1.2, 1.3, np.nan]), "best": np.array([1.0, 0.9, 1.1]), 100: np.full(3, 0.8)}
    monkeypatch.setattr(turned_networks, "best_betas", lambda stored, found, what: read[what])
    [(_, theory, before, _, after, told, ratio)] = showing.best_rows({"tiles": None}, {"tiles": None})
    expected = 1.2116, (1.2 * 1.3) ** 0.5, 0.99 ** (1 / 3), 0.8, (0.9 / 1.56) ** 0.5
    given = [cell.split(" (")[0] for cell in (theory, before, after, told, ratio)]
    assert numbers(given) == pytest.approx(expected, abs=6e-4)


def test_what_is_left_over_as_trained_is_the_angle_of_the_curve(process):
    """1 − cos θ of tr AᵀA = 7.5 nats is TIE at β = 1, 1.7419."""
    [axis] = showing.angle_figure(process).axes
    curve, point, best = (line.get_xydata() for line in axis.lines)
    assert point == pytest.approx(np.array([[np.degrees(np.arccos(1 - 1.7418615 / 7.5)), 1.7418615]]), rel=1e-6)
    assert np.interp(point[0, 0], *curve.T) == pytest.approx(1.7418615, rel=1e-3)
    assert best[:, 1] == pytest.approx([1.718124] * 2, rel=1e-6)


def test_other_uses_of_labels_have_labels_of_their_own_in_each_realization(rng, monkeypatch):
    """By hand, from each realization's number: the same labels for a turn and for both regressions."""
    seen = [(r, network(2, 30, rng), SimpleNamespace(pixels=rng.standard_normal((40, 5)))) for r in (0, 3)]
    monkeypatch.setattr(turned_networks, "networks", lambda *_: iter(seen))
    monkeypatch.setattr(turned_networks, "DRAWS", {2: 6})
    monkeypatch.setattr(labels, "CHOICES", 4)
    monkeypatch.setattr(labels.by_their_means, "__defaults__", (20,))
    uses, tails = labels.other_uses(None, 1.0, (3, 5)), labels.at_random_and_chosen(None, 1.0, (3, 5))
    for i, (r, images, data) in enumerate(seen):
        chosen = turned_networks.choices(30, 5, 4, np.random.default_rng([r, 3]))
        expected = {"turned": turned_networks.labelled(images, chosen, (3, 5))["tie"]}
        features = {"regression on latents": images.mean, "on pixels": data.pixels[:30]}
        expected |= {name: labels.regression(images, each, chosen, (3, 5)) for name, each in features.items()}
        for name, tie in expected.items():
            assert uses[name][:, 4 * i : 4 * i + 4] == pytest.approx(tie)
        draws = np.random.default_rng([r, 4])
        random = turned_networks.choices(30, 5, 6, draws)
        far = labels.by_their_means(images.mean, 5, 6, draws)
        for name, those in (("at random", random), ("by their means", far)):
            told = turned_networks.labelled(images, those, (3, 5))
            for part, kind in zip(tails[name], ("tie", "began", "margin"), strict=True):
                assert part[:, 6 * i : 6 * i + 6] == pytest.approx(told[kind])


def test_without_stored_latents_there_is_nothing_to_turn(results):
    assert showing.studies({"tiles": sweep.load("tiles", "smoke")}, 5) == {}


def test_the_search_over_angles_follows_both_dips(rng):
    """With q narrow in one direction the grid's best angle lay in the shallower dip of one problem in a thousand."""
    count = 4000
    factors = rng.standard_normal((count, 4, 4)) * np.geomspace(1, 100, 4)[:, None]
    form = orthogonal.Form(factors @ np.swapaxes(factors, 1, 2), 10 * rng.standard_normal((count, 2, 2)))
    _, values = orthogonal.least(form, 1)
    fine = np.linspace(0, 2 * np.pi, 20_001)
    for sign, column in ((1, 0), (-1, 1)):
        c, s = np.cos(fine), np.sin(fine)
        turns = np.stack([np.stack([c, -sign * s], -1), np.stack([s, sign * c], -1)], -2)
        for i in range(0, count, 40):
            dense = orthogonal.Form(form.quadratic[i], form.linear[i])(turns)
            assert values[i, column] <= dense.min() + 1e-9 * (1 + abs(dense.min()))
