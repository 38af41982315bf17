"""The closed form against routes that share no code with it: a solver, an optimiser, Monte Carlo, dense KL."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize

from betavae_core.theory import gaussian, linear
from betavae_core.theory.gaussian import LinearGaussian
from betavae_core.theory.terms import LINEAR, TERMS

REFERENCE_TOLERANCE = 1e-6  # the reference table has six decimals
ROUNDING = 1e-8  # float64 through a few products and logarithms, values up to a few hundred nats

NAMES = ["reconstruction", "kl_prior", "elbo", "log_likelihood", "mie", "tie"]
REFERENCE = {
    0.25: (-2.087877, 2.731916, -4.819793, -4.209400, 0.610393, 2.601581),
    1.0: (-2.837877, 1.345622, -4.183499, -4.183499, 0, 1.741862),
    2.0: (-3.815335, 0.663875, -4.479209, -4.331085, 0.148124, 2.193031),
    4.0: (-4.815335, 0.317301, -5.132636, -4.402385, 0.730251, 2.773468),
    8.0: (-6.587877, 0, -6.587877, -6.587877, 0, 6.154378),
}


@st.composite
def processes(draw, sources=(1, 3)):
    k = draw(st.integers(*sources))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    mixing = rng.standard_normal((k + draw(st.integers(0, 3)), k)) * draw(st.floats(0.3, 3))
    return LinearGaussian(mixing, draw(st.floats(0.3, 3)))


betas = st.floats(-2, 2).map(lambda exponent: 10.0**exponent)
variances = st.floats(0.2, 5)


def at(process, beta, **options):
    return {name: float(value[0]) for name, value in linear.sweep(process, beta, **options).items()}


@pytest.mark.parametrize("beta", REFERENCE)
def test_reference_table(process, beta):
    values = at(process, beta)
    assert [values[name] for name in NAMES] == pytest.approx(REFERENCE[beta], abs=REFERENCE_TOLERANCE)


@pytest.mark.parametrize(
    ("beta", "error"), [(0.25, 0.941568), (0.5, 0.419998), (1, 0.206952), (2, 0.455660), (4, 1.198726)]
)
def test_reference_fixed_decoder(process, beta, error):
    values = at(process, beta, decoder=process.mixing)
    assert [values["mie"], values["tie"]] == pytest.approx([error, error], abs=REFERENCE_TOLERANCE)


def test_reference_optimal_beta(process):
    assert linear.optimal_beta(process) == pytest.approx(1.21162, abs=5e-6)
    assert at(process, linear.optimal_beta(process))["tie"] == pytest.approx(1.718124, abs=REFERENCE_TOLERANCE)
    assert linear.optimal_beta(LinearGaussian(process.mixing, 0.5)) == pytest.approx(0.319, abs=5e-4)
    assert linear.optimal_beta(LinearGaussian(process.mixing, 2.0)) == pytest.approx(4.41, abs=5e-3)


@pytest.mark.parametrize("beta", [0.1, 1.0, 1.5, 3.0, 20.0])
@pytest.mark.parametrize("shape", [(2, 2), (5, 3), (4, 1)])
def test_closed_form_equals_the_solution_of_the_stationarity_equations(shape, beta, rng):
    process = LinearGaussian(rng.standard_normal(shape), 0.8)
    solved = linear.solve_stationarity(process, beta)
    found = linear.terms(process, solved, beta)
    expected = at(process, beta)
    assert float(found["objective"]) == pytest.approx(expected["objective"], abs=1e-7)
    for name in NAMES:
        assert float(found[name]) == pytest.approx(expected[name], abs=1e-4), name  # first order in the solver's error


@settings(deadline=None, max_examples=40)
@given(processes(), betas, variances, st.integers(0, 2**32 - 1))
def test_the_closed_form_is_never_beaten_by_a_numerical_optimiser(process, beta, decoder_variance, seed):
    """BFGS over D and W with v = exp(free): no stationarity equation is used."""
    N, k = process.mixing.shape
    Sigma, rng = process.covariance, np.random.default_rng(seed)

    def loss(flat):
        D, W, log_v = flat[: N * k].reshape(N, k), flat[N * k : 2 * N * k].reshape(k, N), flat[2 * N * k :]
        miss = np.eye(N) - D @ W
        error = np.trace(miss @ Sigma @ miss.T) + ((D**2).sum(0) * np.exp(log_v)).sum()
        R = -0.5 * error / decoder_variance - 0.5 * N * np.log(2 * np.pi * decoder_variance)
        C = 0.5 * (np.exp(log_v).sum() + np.trace(W @ Sigma @ W.T) - k - log_v.sum())
        return beta * C - R

    best = -min(optimize.minimize(loss, 0.5 * rng.standard_normal(2 * N * k + k)).fun for _ in range(2))
    expected = at(process, beta, decoder_variance=decoder_variance)["objective"]
    assert best <= expected + ROUNDING * max(1, abs(expected))
    parameters = linear.optimum(process, beta, decoder_variance=decoder_variance)
    attained = -loss(np.concatenate([part.ravel() for part in (*parameters[:2], np.log(parameters.variance))]))
    assert attained == pytest.approx(expected, rel=ROUNDING, abs=ROUNDING)


@settings(deadline=None)
@given(processes(), betas, variances)
def test_model_inference_error_by_both_routes(process, beta, decoder_variance):
    values = at(process, beta, decoder_variance=decoder_variance)
    assert values["mie"] == pytest.approx(values["log_likelihood"] - values["elbo"], abs=ROUNDING * 1e2)
    assert values["mie"] >= -ROUNDING


@pytest.mark.parametrize("beta", [0.3, 1.0, 1.7, 4.0])
def test_terms_equal_monte_carlo_over_data_and_latents(process, beta, rng):
    """Sample x and z, and average plain log-densities: nothing is integrated out."""
    D, W, v = linear.optimum(process, beta)
    _, x = process.sample(100_000, rng)
    z = x @ W.T + np.sqrt(v) * rng.standard_normal((len(x), 2))

    def log_normal(residual, variance):
        return -0.5 * (residual**2 / variance + np.log(2 * np.pi * variance)).sum(-1)

    log_q = log_normal(z - x @ W.T, v)
    samples = {
        "reconstruction": log_normal(x - z @ D.T, 1.0),
        "kl_prior": log_q - log_normal(z, 1.0),
        "mie": log_q - _log_posterior(D, 1.0, x, z),
        "log_likelihood": log_normal(x - z @ D.T, 1.0) + log_normal(z, 1.0) - _log_posterior(D, 1.0, x, z),
    }
    values = at(process, beta)
    for name, draws in samples.items():
        tolerance = 5 * draws.std() / np.sqrt(len(draws)) + 1e-9
        assert draws.mean() == pytest.approx(values[name], abs=tolerance), name


def _log_posterior(mixing, noise_variance, x, z):
    gain, precision = gaussian.posterior(mixing, noise_variance)
    residual = z - x @ gain.T
    quadratic = np.einsum("ni,ij,nj->n", residual, precision, residual)
    return 0.5 * (np.linalg.slogdet(precision / (2 * np.pi))[1] - quadratic)


@settings(deadline=None, max_examples=50)
@given(processes(), betas)
def test_true_inference_error_is_the_least_direct_divergence(process, beta):
    """KL to the exact posterior at explicit x (σ-points with the data's covariance), all signed permutations."""
    from betavae_core.theory.alignment import signed_permutations

    _, W, v = linear.optimum(process, beta)
    k, N = W.shape
    points = np.linalg.cholesky(process.covariance) * np.sqrt(N)  # columns ±: mean 0, covariance Σ
    x = np.concatenate([points.T, -points.T])
    errors = [
        np.mean(
            [
                gaussian.kl_divergence(
                    P @ W @ row, P @ np.diag(v) @ P.T, process.posterior_mean(row), process.posterior_covariance
                )
                for row in x
            ]
        )
        for P in signed_permutations(k)
    ]
    assert at(process, beta)["tie"] == pytest.approx(min(errors), rel=1e-7, abs=1e-7)


@settings(deadline=None)
@given(processes(), betas, variances)
def test_decoder_variance_and_beta_are_one_knob(process, beta, decoder_variance):
    a = linear.optimum(process, beta, decoder_variance=decoder_variance)
    b = linear.optimum(process, beta * decoder_variance)
    for left, right in zip(a, b, strict=True):
        assert left == pytest.approx(right, rel=ROUNDING, abs=ROUNDING)
    assert at(process, beta, decoder_variance=decoder_variance)["tie"] == pytest.approx(
        at(process, beta * decoder_variance)["tie"], rel=ROUNDING, abs=ROUNDING
    )


@settings(deadline=None)
@given(processes(), betas, st.integers(0, 2**32 - 1))
def test_a_fixed_decoder_gets_its_best_encoder(process, beta, seed):
    rng = np.random.default_rng(seed)
    decoder = rng.standard_normal(process.mixing.shape)
    best = linear.optimum_given_decoder(decoder, beta)
    value = float(linear.terms(process, best, beta)["objective"])
    for scale in (1e-3, 1e-1):
        other = linear.Parameters(
            decoder,
            best.encoder + scale * rng.standard_normal(best.encoder.shape),
            best.variance * np.exp(scale * rng.standard_normal(best.variance.shape)),
        )
        assert float(linear.terms(process, other, beta)["objective"]) <= value + ROUNDING * max(1, abs(value))


def test_bare_covariance_gives_the_same_optimum(process):
    from_process = linear.optimum(process, 1.3)
    from_covariance = linear.optimum(process.covariance, 1.3, latents=2)
    assert from_covariance.variance == pytest.approx(from_process.variance)
    assert np.abs(from_covariance.decoder) == pytest.approx(np.abs(from_process.decoder))
    assert linear.optimum(process.covariance, 1.3, latents=1).decoder.shape == (2, 1)


def test_sweep_is_labelled(process):
    dataset = linear.sweep(process, [0.5, 1, 2])
    assert dict(dataset.sizes) == {"beta": 3}
    assert set(dataset.data_vars) == set(LINEAR)
    assert all(dataset[name].attrs == {"units": "nats", "long_name": TERMS[name].long_name} for name in LINEAR)


@pytest.mark.parametrize(
    ("beta", "message"),
    [
        (0, "> 0; got 0 .*diverge"),
        (-1, "got -1"),
        (float("nan"), "got nan"),
        (float("inf"), "got inf"),
        ("1", "number"),
        ([1.0, -2.0], "got -2"),
    ],
)
def test_bad_beta_is_refused(process, beta, message):
    for call in (linear.optimum, linear.sweep):
        with pytest.raises(ValueError, match=message):
            call(process, beta)


@pytest.mark.parametrize("variance", [0, -1, float("nan"), float("inf")])
def test_bad_decoder_variance_is_refused(process, variance):
    for decoder in (None, process.mixing):
        with pytest.raises(ValueError, match=f"decoder variance must be finite and > 0; got {variance}"):
            linear.sweep(process, 1.0, decoder, variance)


def test_no_beta_has_no_terms(process):
    for decoder in (None, process.mixing):
        assert linear.sweep(process, [], decoder).tie.shape == (0,)


@pytest.mark.parametrize(
    ("covariance", "latents", "message"),
    [
        (np.ones((2, 3)), 1, "square"),
        ([[1, 2], [0, 1]], 1, "symmetric"),
        (np.eye(2), 3, "between 1 and 2"),
        (np.eye(2), None, "between 1 and 2"),
        (np.eye(2), 2.0, "a whole number between 1 and 2 .*; got 2.0"),
        (np.eye(2), True, "a whole number between 1 and 2 .*; got True"),
        (LinearGaussian(np.eye(2)), 2, "its own number of latents"),
    ],
)
def test_bad_covariances_are_refused(covariance, latents, message):
    with pytest.raises(ValueError, match=message):
        linear.optimum(covariance, 1.0, latents=latents)


# --- collapse, thresholds, and the best β -----------------------------------------------------------------


@settings(deadline=None)
@given(processes(), variances)
def test_latents_collapse_exactly_at_their_eigenvalue(process, decoder_variance):
    eigenvalues = np.linalg.eigvalsh(process.covariance)[::-1][: process.mixing.shape[1]]
    for i, threshold in enumerate(eigenvalues / decoder_variance):
        below, at_it, above = (
            linear.optimum(process, threshold * factor, decoder_variance=decoder_variance)
            for factor in (1 - 1e-6, 1 + 1e-12, 1 + 1e-6)
        )
        assert below.variance[i] < 1
        assert np.linalg.norm(below.decoder[:, i]) > 0
        for collapsed in (at_it, above):
            assert collapsed.variance[i] == 1
            assert not collapsed.decoder[:, i].any()
            assert not collapsed.encoder[i].any()


@settings(deadline=None)
@given(processes(), betas)
def test_the_loss_is_reverse_water_filling(process, beta):
    eigenvalues = np.linalg.eigvalsh(process.covariance)[::-1][: process.mixing.shape[1]]
    rate = 0.5 * np.log(np.maximum(eigenvalues / beta, 1)).sum()
    assert at(process, beta)["kl_prior"] == pytest.approx(rate, abs=ROUNDING)


def tie_by_alignment(process, levels, order):
    """The closed form of TIE for one permutation while all latents are active, from the SVD of A alone."""
    _, singular, right = np.linalg.svd(process.mixing, full_matrices=False)
    noise = process.noise_std**2
    eigenvalues = noise + singular**2
    rho = np.abs(right[np.arange(len(order)), list(order)])
    M = np.eye(len(singular)) + process.mixing.T @ process.mixing / noise
    return (
        (process.mixing**2).sum() / noise
        - 0.5 * np.linalg.slogdet(M)[1]
        - 0.5 * np.log(levels[:, None] / eigenvalues).sum(1)
        - (rho * np.sqrt((eigenvalues - levels[:, None]) * (eigenvalues - noise))).sum(1) / noise
    )


@settings(deadline=None, max_examples=60)
@given(processes())
def test_the_closed_form_of_the_error_and_its_convexity_per_alignment(process):
    k = process.mixing.shape[1]
    smallest = np.linalg.eigvalsh(process.covariance)[::-1][k - 1]
    levels = smallest * np.linspace(0.02, 0.98, 40)
    curves = np.array([tie_by_alignment(process, levels, order) for order in itertools.permutations(range(k))])
    assert linear.sweep(process, levels).tie.values == pytest.approx(curves.min(0), rel=1e-9, abs=1e-9)
    assert (np.diff(curves, n=2, axis=1) > -1e-9 * np.abs(curves).max()).all()


@settings(deadline=None, max_examples=60)
@given(processes(), variances)
def test_the_best_beta_is_never_below_the_noise_ratio_and_no_grid_beats_it(process, decoder_variance):
    best = linear.optimal_beta(process, decoder_variance)
    ratio = process.noise_std**2 / decoder_variance
    assert best >= ratio * (1 - 1e-9)
    grid = np.geomspace(ratio / 10, 2 * np.linalg.eigvalsh(process.covariance)[-1] / decoder_variance, 2000)
    least = float(linear.sweep(process, grid, decoder_variance=decoder_variance).tie.min())
    assert at(process, best, decoder_variance=decoder_variance)["tie"] <= least + ROUNDING * max(1, abs(least))


@settings(deadline=None)
@given(st.integers(1, 3), st.integers(0, 3), st.floats(0.3, 3), variances, st.integers(0, 2**32 - 1))
def test_equality_exactly_for_orthogonal_columns(k, extra, noise_std, decoder_variance, seed):
    rng = np.random.default_rng(seed)
    orthogonal = np.linalg.qr(rng.standard_normal((k + extra, k)))[0] * rng.uniform(0.5, 3, k)
    process = LinearGaussian(orthogonal, noise_std)
    ratio = noise_std**2 / decoder_variance
    assert linear.optimal_beta(process, decoder_variance) == pytest.approx(ratio, rel=1e-6)
    assert at(process, ratio, decoder_variance=decoder_variance)["tie"] == pytest.approx(0, abs=1e-7)


@pytest.mark.parametrize("least", [-2.0, -1e-3, -1e-8, 0.0])
@pytest.mark.parametrize("unit", [1e-4, 1.0, 1e6])
def test_an_indefinite_covariance_is_refused_and_rounding_is_not(least, unit, rng):
    turn = np.linalg.qr(rng.standard_normal((3, 3)))[0]
    covariance = unit * turn * [9.0, 4.0, least] @ turn.T
    for function in (linear.optimum, linear.learned_decoder_variance):
        if least < -1e-4:
            with pytest.raises(ValueError, match="no negative eigenvalue; got -"):
                function(covariance, 1.0, 1)
        else:
            function(covariance, 1.0, 1)


@pytest.mark.parametrize("signal", [1e2, 1e5, 1e7])
@pytest.mark.parametrize("noise_std", [1e-6, 1e-2, 1e3])
def test_the_best_beta_is_in_units_of_the_noise_however_strong_the_signal(signal, noise_std):
    """The search is of a relative precision, and begins below the noise ratio."""
    ratio = noise_std**2
    for unit in (np.eye(1), np.eye(2), np.diag([1.0, 50 / signal])):
        assert linear.optimal_beta(LinearGaussian(signal * noise_std * unit, noise_std)) / ratio == pytest.approx(1)
    dependent = LinearGaussian(noise_std * np.array([[2, 1], [0.5, 1.5]]), noise_std)
    assert linear.optimal_beta(dependent) / ratio == pytest.approx(1.2116214)


def test_dependent_columns_lie_strictly_above_the_noise_ratio(process):
    for angle in np.radians([5, 20, 45, 70]):
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        left, singular, _ = np.linalg.svd(process.mixing)
        assert linear.optimal_beta(LinearGaussian(left * singular @ turn, 1.0)) > 1.001


def test_a_minimum_past_the_smallest_threshold_is_found():
    process = LinearGaussian([[2, 2], [0.1, -0.1]], 1.0)
    smallest = np.linalg.eigvalsh(process.covariance)[0]
    best = linear.optimal_beta(process)
    assert smallest < best == pytest.approx(1.380199, abs=1e-6)
    inside = linear.sweep(process, np.linspace(0.01, smallest, 500)).tie.min()
    assert at(process, best)["tie"] < float(inside) - 1e-3


def test_three_sources_whose_alignment_changes_along_beta():
    process = LinearGaussian([[0.5, 1.6, 1.1], [-1.1, -0.8, 1.5], [-2.0, 1.3, 1.2]], 0.5)
    betas = np.linalg.eigvalsh(process.covariance)[0] * np.linspace(0.05, 0.99, 60)
    curves = np.array([tie_by_alignment(process, betas, order) for order in itertools.permutations(range(3))])
    assert curves.argmin(0)[0] != curves.argmin(0)[-1]
    assert linear.sweep(process, betas).tie.values == pytest.approx(curves.min(0), abs=1e-9)


# --- repeated eigenvalues, rank, shapes ------------------------------------------------------------------


def test_repeated_eigenvalues_are_marked_and_get_the_least_error():
    """A = 2 I: the optimum is D Q for any rotation Q, with TIE from 0 to 2.34; the convention is the least."""
    process = LinearGaussian(2 * np.eye(2), 1.0)
    dataset = linear.sweep(process, [0.5, 1.0, 5.5])
    assert dataset.identified.values.tolist() == [False, False, True]
    assert dataset.tie.values[1] == pytest.approx(0, abs=1e-12)
    best = linear.optimum(process, 1.0)
    ties = []
    for angle in np.radians(np.linspace(0, 90, 91)):
        Q = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        turned = linear.Parameters(best.decoder @ Q, Q.T @ best.encoder, best.variance)
        values = linear.terms(process, turned, 1.0)
        assert float(values["objective"]) == pytest.approx(float(dataset.objective[1]))
        ties.append(float(values["tie"]))
    assert (min(ties), max(ties)) == pytest.approx((0, 2.34), abs=0.01)


def test_where_equal_eigenvalues_have_collapsed_nothing_is_left_open():
    """At the water level βσₓ²: both eigenvalues are 5."""
    twice = LinearGaussian([[2.0, 0.0], [0.0, 2.0]])
    assert linear.sweep(twice, [4.0, 6.0]).identified.values.tolist() == [False, True]
    assert linear.sweep(twice, [2.0, 3.0], decoder_variance=2.0).identified.values.tolist() == [False, True]


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 2**32 - 1), st.floats(0.05, 0.95))
def test_no_rotation_within_an_eigenspace_has_a_lesser_error(seed, fraction):
    """Two equal singular values of three: scan the rotations of the shared plane."""
    rng = np.random.default_rng(seed)
    left, right = (np.linalg.qr(rng.standard_normal((3, 3)))[0] for _ in range(2))
    process = LinearGaussian(left * [2.0, 2.0, 0.7] @ right, 1.0)
    beta = fraction * 5
    best = linear.optimum(process, beta)
    least = at(process, beta)["tie"]
    assert not linear.sweep(process, beta).identified[0]
    for angle in np.linspace(0, np.pi, 90):
        Q = np.eye(3)
        Q[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
        turned = linear.Parameters(best.decoder @ Q, Q.T @ best.encoder, best.variance)
        assert float(linear.terms(process, turned, beta)["tie"]) >= least - 1e-9


def test_what_is_no_process_and_no_decoder_is_told_in_one_line(process):
    """They ended in words on a covariance that nobody gave, on an attribute, or in NaN."""
    A = [[2.0, 1.0], [0.5, 1.5]]
    for wrong in (
        lambda: linear.sweep(A, [1.0]),
        lambda: linear.optimal_beta(A),
        lambda: linear.many_source_law(A),
        lambda: linear.turned_tie(A, np.eye(2)),
        lambda: linear.rotated_tie(A, 1.0, np.eye(2)),
    ):
        with pytest.raises(ValueError, match="process must be a LinearGaussian; got list"):
            wrong()
    for variance in (0, -1, "a", [1, 2]):
        with pytest.raises(ValueError, match="decoder variance must be finite and > 0; got"):
            linear.optimal_beta(process, variance)
    for decoder in ([1.0, 2.0], np.full_like(process.mixing, np.nan), np.eye(7)):
        with pytest.raises(ValueError, match="decoder must be finite and N x k, as the mixing matrix; got shape"):
            linear.sweep(process, [1.0], decoder)


def test_repeated_eigenvalues_above_six_latents_are_refused_in_one_line():
    with pytest.raises(ValueError, match="resolved for k <= 6 latents; got 7"):
        linear.sweep(LinearGaussian(np.eye(7)), 0.5)


def test_a_single_source():
    process = LinearGaussian([[1.0], [2.0], [0.5]], 0.7)
    assert linear.optimal_beta(process) == pytest.approx(0.49)
    assert at(process, 0.49)["tie"] == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("mixing", [[[1, 1], [1, 1]], [[1, 2], [2, 4], [0, 0]], [[0, 0], [0, 0]], [[3, 0], [0, 0]]])
def test_rank_deficient_mixing(mixing):
    process = LinearGaussian(mixing, 1.0)
    dataset = linear.sweep(process, [0.3, 1.0, 1.5])
    assert all(np.isfinite(value).all() for value in dataset.data_vars.values())
    assert dataset.mie.values == pytest.approx((dataset.log_likelihood - dataset.elbo).values, abs=1e-9)
    best = linear.optimal_beta(process)
    assert best >= 1 - 1e-9
    grid = np.geomspace(0.1, 20, 3000)
    assert at(process, best)["tie"] <= float(linear.sweep(process, grid).tie.min()) + 1e-9


def test_many_sources_use_linear_assignment(rng):
    process = LinearGaussian(rng.standard_normal((60, 20)), 1.0)
    dataset = linear.sweep(process, [0.5, 2.0])
    assert np.isfinite(dataset.tie).all()
    assert linear.optimal_beta(process) > 1


def test_a_fixed_decoder_of_seven_latents_is_refused_in_one_line(rng):
    process = LinearGaussian(rng.standard_normal((8, 7)), 1.0)
    with pytest.raises(ValueError, match="k <= 6"):
        linear.sweep(process, 1.0, decoder=process.mixing)
