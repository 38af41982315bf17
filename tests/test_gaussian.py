import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from betavae_core.theory import gaussian
from betavae_core.theory.gaussian import LinearGaussian

ROUNDING = 1e-9  # float64 on well-conditioned matrices of size <= 6


def random_covariance(k, rng):
    root = rng.standard_normal((k, k))
    return root @ root.T + 0.1 * np.eye(k)


@settings(deadline=None)
@given(st.integers(1, 5), st.integers(0, 2**32 - 1))
def test_kl_equals_tensorflow_probability(k, seed):
    tfp = pytest.importorskip("tensorflow_probability")
    rng = np.random.default_rng(seed)
    parameters = [(rng.standard_normal(k), random_covariance(k, rng)) for _ in range(2)]
    q, p = (tfp.distributions.MultivariateNormalTriL(m, np.linalg.cholesky(S)) for m, S in parameters)
    expected = float(tfp.distributions.kl_divergence(q, p))
    assert gaussian.kl_divergence(*parameters[0], *parameters[1]) == pytest.approx(expected, rel=ROUNDING, abs=ROUNDING)


def test_kl_refuses_a_covariance_that_is_not_positive_definite():
    with pytest.raises(np.linalg.LinAlgError):
        gaussian.kl_divergence([0, 0], [[1, 2], [2, 1]], [0, 0], np.eye(2))


@given(st.integers(1, 4), st.integers(0, 3), st.floats(0.1, 5), st.integers(0, 2**32 - 1))
def test_posterior_equals_conditioning_of_the_joint_gaussian(k, extra, noise_std, seed):
    """Schur complement of the joint covariance of (s, x), a route that never forms M."""
    process = LinearGaussian(np.random.default_rng(seed).standard_normal((k + extra, k)), noise_std)
    A, Sigma = process.mixing, process.covariance
    gain = A.T @ np.linalg.inv(Sigma)
    x = np.arange(1.0, k + extra + 1)
    assert process.posterior_mean(x) == pytest.approx(gain @ x, abs=1e-7)
    assert process.posterior_covariance == pytest.approx(np.eye(k) - gain @ A, abs=1e-7)


def test_samples_have_the_stated_moments(process, rng):
    sources, x = process.sample(200_000, rng)
    tolerance = 6 * np.abs(process.covariance).max() / np.sqrt(len(x))  # six standard errors
    assert np.cov(x, rowvar=False) == pytest.approx(process.covariance, abs=tolerance)
    assert np.cov(sources, rowvar=False) == pytest.approx(np.eye(2), abs=tolerance)
    residual = sources - process.posterior_mean(x)
    assert np.cov(residual, rowvar=False) == pytest.approx(process.posterior_covariance, abs=tolerance)


def test_the_mixing_matrix_cannot_be_changed_behind_the_process(process):
    with pytest.raises(ValueError, match="read-only"):
        process.mixing[0, 0] = 9


@pytest.mark.parametrize(
    ("mixing", "message"),
    [
        ([[1, 2], [3]], "rectangular table of numbers"),
        ([["a", "b"]], "rectangular table of numbers"),
        ([[1, None], [2, 3]], "rectangular table of numbers"),
        (None, "rectangular table of numbers"),
        ([[1, 2], [3, float("nan")]], "finite"),
        ([[1, 2], [3, float("inf")]], "finite"),
        ([[1, 2]], "at least as many rows"),
        ([], "rectangular table of numbers|rows and columns"),
        ([[]], "rows and columns|rectangular"),
        ([1, 2], "rows and columns"),
        (3.0, "rows and columns"),
    ],
)
def test_bad_mixing_matrices_are_refused_in_one_line(mixing, message):
    with pytest.raises(ValueError, match=message) as error:
        LinearGaussian(mixing)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("noise_std", [0, -1.0, float("nan"), float("inf"), "1", None, True, [1.0], np.complex64(1)])
def test_bad_noise_is_refused(noise_std):
    with pytest.raises(ValueError, match="noise_std must be"):
        LinearGaussian(np.eye(2), noise_std)
