"""Scores at their ends, where the answer is known, and their parts against closed forms."""

import numpy as np
import pytest
import scipy.stats

from betavae_core.findings import scores


@pytest.fixture
def sources(rng):
    return rng.standard_normal((4000, 2))


def turned(sources, degrees):
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return sources @ np.array([[c, -s], [s, c]])


def test_latents_that_are_the_sources_score_one(sources):
    assert scores.sap(sources, sources) == pytest.approx(1, abs=0.01)
    assert scores.mig(sources, sources) == pytest.approx(1, abs=0.02)
    exchanged = -(sources[:, ::-1] ** 3)  # order alone counts
    assert scores.mig(sources, exchanged) == pytest.approx(scores.mig(sources, sources), abs=1e-3)


def test_latents_halfway_between_the_sources_score_nothing(sources):
    assert scores.sap(sources, turned(sources, 45)) == pytest.approx(0, abs=0.05)
    assert scores.mig(sources, turned(sources, 45)) == pytest.approx(0, abs=0.03)


def test_sap_of_a_small_turn_is_its_cosine(sources):
    """R² of the two latents are cos² and sin² of the turn."""
    assert scores.sap(sources, turned(sources, 20)) == pytest.approx(np.cos(np.radians(40)), abs=0.03)


def test_sap_uses_the_r_squared_of_a_straight_line(sources):
    latents = turned(sources, 30)
    r2 = [[scipy.stats.linregress(z, s).rvalue ** 2 for z in latents.T] for s in sources.T]
    assert scores.sap(sources, latents) == pytest.approx(np.mean([max(row) - min(row) for row in r2]))


def test_scores_of_lists_are_those_of_arrays(sources):
    latents = turned(sources, 20)
    for score in (scores.mig, scores.sap):
        assert score(sources.tolist(), latents.tolist()) == score(sources, latents)


def test_mutual_information_of_gaussians(rng):
    """−½ log(1 − ρ²); bins lose a little of it."""
    a, b = rng.multivariate_normal([0, 0], [[1, 0.8], [0.8, 1]], 200_000).T
    assert scores.mutual_information(a, b, bins=40) == pytest.approx(-0.5 * np.log(1 - 0.8**2), rel=0.03)
    assert scores.mutual_information(a, rng.permutation(b)) < 0.001


def test_a_collapsed_latent_tells_nothing(sources):
    collapsed = np.column_stack([sources[:, 0], np.zeros(len(sources))])
    assert scores.sap(sources, collapsed) == pytest.approx(0.5, abs=0.01)
    assert scores.mutual_information(sources[:, 0], collapsed[:, 1]) == pytest.approx(0)


def test_the_correlation_of_latents(rng):
    latents = rng.multivariate_normal([0, 1], [[1, -0.6], [-0.6, 4]], 20_000)
    expected = abs(scipy.stats.pearsonr(*latents.T).statistic)
    assert scores.correlation(latents) == pytest.approx(expected) == pytest.approx(0.3, abs=0.02)
    assert scores.correlation(np.column_stack([latents[:, 0], np.ones(20_000)])) == 0
    three = np.column_stack([latents, latents[:, 1] + 0.1 * rng.standard_normal(20_000)])
    assert scores.correlation(three) > 0.99


def test_the_floor_is_what_sampling_makes_of_two_latents_that_tell_a_source_equally():
    """Two correlations that ought to be equal differ by sampling, as one over the root of the samples."""
    few, many = (scores.of_turned_sources(n) for n in (500, 8000))
    assert few == pytest.approx((0.015, 0.036), abs=0.002)
    assert many[1] == pytest.approx(few[1] / 4, rel=0.15)
    gaps = []
    rng = np.random.default_rng(5)
    for _ in range(400):  # SAP from its definition, another generator, latents as sum and difference
        s = rng.standard_normal((500, 2))
        r2 = np.corrcoef(np.column_stack([s, s[:, 0] + s[:, 1], s[:, 0] - s[:, 1]]).T)[:2, 2:] ** 2
        gaps.append(np.abs(r2[:, 0] - r2[:, 1]).mean())
    assert few[1] == pytest.approx(np.mean(gaps), abs=5 * np.std(gaps) / 20)
    assert scores.of_turned_sources(8000, degrees=0, draws=5) == pytest.approx((1, 1), abs=0.01)
