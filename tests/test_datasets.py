import numpy as np
import pytest

from betavae_core.images import datasets, digits, experiments
from betavae_core.theory.gaussian import LinearGaussian


@pytest.fixture(scope="module")
def mixing():
    return experiments.draw("mixing", 3)


def test_images_are_the_two_digits_weighted_by_the_code(mixing):
    """The code is recovered from the pixels by least squares, then held against the exact posterior."""
    data, _ = mixing
    images = data.images().reshape(1000, -1)
    pixels, labels = digits.load()
    basis = _the_two_digits(images, pixels, labels, data.classes)
    code = np.linalg.lstsq(basis.T, images.T, rcond=None)[0].T
    np.testing.assert_allclose(code @ basis, images, rtol=1e-6, atol=1e-6)
    process = LinearGaussian(experiments.MIXING, 1.0)
    assert data.posterior_mean == pytest.approx(process.posterior_mean(code), abs=1e-6)
    assert np.linalg.inv(data.process.posterior_precision) == pytest.approx(process.posterior_covariance)


def _the_two_digits(images, pixels, labels, classes):
    _, _, span = np.linalg.svd(images, full_matrices=False)
    found = []
    for c in classes:
        tiles = np.stack([digits.paste(tile).ravel() for tile in pixels[labels == c]]).astype(float) / 255
        miss = np.linalg.norm(tiles - tiles @ span[:2].T @ span[:2], axis=1)
        assert miss.min() < 1e-5
        found.append(tiles[miss.argmin()])
    return np.stack(found)


def test_two_different_classes_and_all_ten_take_part():
    pairs = [experiments.draw("mixing", realization, samples=2)[0].classes for realization in range(40)]
    assert all(a != b for a, b in pairs)
    assert {c for pair in pairs for c in pair} == set(range(10))


def test_training_pixels_are_standardised_globally_and_heldout_ones_with_the_same_numbers(mixing):
    data, heldout = mixing
    pixels = data.standardised
    assert pixels.mean() == pytest.approx(0, abs=1e-9)
    assert pixels.std() == pytest.approx(1)
    assert (heldout.mean, heldout.std, heldout.classes) == (data.mean, data.std, data.classes)
    assert not np.allclose(heldout.sources, data.sources)


def test_sources_follow_their_posterior(mixing):
    """Standardised with the posterior, sources are standard normal: mean 0, covariance 1."""
    for data in mixing:
        root = np.linalg.cholesky(data.process.posterior_precision)
        whitened = (data.sources - data.posterior_mean) @ root
        assert whitened.mean(0) == pytest.approx(0, abs=5 / np.sqrt(1000))
        assert np.cov(whitened, rowvar=False) == pytest.approx(np.eye(2), abs=5 * np.sqrt(2 / 1000))


@pytest.mark.parametrize("experiment", ["mixing", "localisation", "pixel-mixing"])
def test_the_gallery_shows_all_ten_digits(experiment):
    pictures = experiments.gallery(experiment, columns=3)
    assert pictures.shape == (10, 3, 40, 40)
    assert pictures.std(axis=(1, 2, 3)).min() > 0
    several = (experiments.training(experiment, r, 3) for r in range(60))
    leads = {data.classes[0]: data for data in reversed(list(several))}  # the first realization of each
    for digit, data in leads.items():
        np.testing.assert_array_equal(pictures[digit], data.images())


def test_a_localised_digit_stands_where_its_code_says():
    """Centre of mass of each image against the code recovered from the exact posterior mean."""
    data, _ = experiments.draw("localisation", 2, samples=40)
    process = LinearGaussian(experiments.MIXING, 0.5)
    gain = process.posterior_mean(np.eye(2)).T
    code = np.linalg.solve(gain, data.posterior_mean.T).T
    images = np.clip(data.images(), 0, None)
    weight = images.sum((1, 2))
    across = (images.sum(1) * np.arange(40)).sum(1) / weight
    down = (images.sum(2) * np.arange(40)).sum(1) / weight
    inside = np.abs(code).max(1) < 6
    start = (np.column_stack([across, down]) - code)[inside]  # where the digit would stand unmoved
    assert np.ptp(start, axis=0).max() < 0.2


@pytest.mark.parametrize("experiment", experiments.NAMES)
def test_factors_multiply_to_the_images(experiment):
    data, _ = experiments.draw(experiment, 1, samples=150)
    pixels = data.standardised
    assert pixels.mean() == pytest.approx(0, abs=1e-9)
    assert pixels.std() == pytest.approx(1, abs=1e-6)
    singular = np.linalg.svd(pixels, compute_uv=False)
    rank = int((singular > datasets.RANK_TOLERANCE * singular[0]).sum())
    if data.factors[1] is None:
        assert rank * (150 + 1600) >= 150 * 1600
    else:
        assert data.factors[0].shape[1] == rank


@pytest.mark.parametrize(("images", "pixels"), [(60, 90), (90, 60)])
def test_factorising_loses_nothing_that_float32_keeps(images, pixels, rng):
    low = rng.standard_normal((images, 5)) @ rng.standard_normal((5, pixels))
    scores, components = datasets.factorise(low)
    assert scores.shape == (images, 5)
    assert np.abs(scores @ components - low).max() < 1e-6 * np.abs(low).max()
    whole = rng.standard_normal((images, pixels))
    assert datasets.factorise(whole)[0] is whole
    assert datasets.factorise(whole)[1] is None


def test_a_realization_repeats_and_another_differs():
    a, b, other = (experiments.draw("mixing", r, samples=5)[0] for r in (1, 1, 2))
    np.testing.assert_array_equal(a.factors[0], b.factors[0])
    assert not np.allclose(a.factors[0], other.factors[0])


def test_a_linear_sample_has_the_moments_of_its_process():
    process = LinearGaussian([[2.0, 1.0], [0.5, 1.5], [0.0, 1.0]], 0.7)
    data = datasets.linear_sample(process, 500, np.random.default_rng(0))
    x = data.standardised
    assert x.mean(0) == pytest.approx(0, abs=1e-12)
    assert x.T @ x / 500 == pytest.approx(process.covariance)
    assert data.posterior_mean == pytest.approx(process.posterior_mean(x))


def test_the_gallery_ends_for_an_experiment_that_shows_one_digit(monkeypatch):
    def same(rng, *settings):
        return datasets.localisation(np.random.default_rng(0), *settings)

    monkeypatch.setattr(experiments, "ENOUGH", 20)
    monkeypatch.setitem(experiments.EXPERIMENTS, "same", experiments.Experiment("same", same, 1, "one digit"))
    assert experiments.gallery("same", columns=2).shape == (1, 2, 40, 40)
