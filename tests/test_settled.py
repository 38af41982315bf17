"""What counts as settled, on networks made up for it, and on those stored."""

import numpy as np
import pytest
import xarray as xr

from betavae_core.findings import prediction, settled
from betavae_core.images import experiments
from betavae_core.results import sweep
from betavae_core.showing import settled as showing

BETAS = np.array([1.0, 10.0])


def made(reconstruction, kl_prior, obliqueness=0.0):
    """A Dataset of two β and three realizations."""
    given = {"reconstruction": reconstruction, "kl_prior": kl_prior, "obliqueness": obliqueness}
    shaped = {
        n: (("beta", "realization"), np.broadcast_to(np.asarray(v, float), (2, 3)).copy()) for n, v in given.items()
    }
    return xr.Dataset(shaped, coords={"beta": BETAS, "realization": np.arange(3)})


def test_all_three_conditions_are_needed():
    reference = made(-100.0, 3.0)
    assert (settled.judged(made(-100.5, 3.0), reference).settled == 1).all()
    assert (settled.judged(made(-101.5, 3.0), reference).settled == 0).all()  # by the objective
    assert (settled.judged(made(-98.0, 3.2), reference).settled == 0).all()  # by C
    assert (settled.judged(made(-100.5, 3.0, 0.1), reference).settled == 0).all()  # by the axes
    unknown = settled.judged(made(-100.5, 3.0, np.nan), reference).settled
    assert unknown.isnull().all()
    lost = settled.judged(made(np.nan, np.nan), reference)
    assert lost.settled.isnull().all() and lost.below.isnull().all()


def test_sources_and_tie_are_not_looked_at():
    found = sweep.load("mixing", realizations=3)
    reference = prediction.prediction("mixing", found.beta.values, range(3))
    blind = settled.judged(found.drop_vars(["tie", "tie_raw"]), reference.drop_vars("tie"))
    xr.testing.assert_identical(blind, settled.judged(found, reference))


@pytest.mark.parametrize("beta", [50.0, 100.0, 200.0])
def test_the_schedule_that_settles_brings_mixing_to_the_linear_optimum_and_the_thesis_s_does_not(beta):
    """Of the first ten realizations, all are nearer, and TIE follows."""
    stored = [
        sweep.load("mixing", realizations=10).sel(beta=[beta]),
        sweep.load("mixing", supplement="training that settles", realizations=10).sel(beta=[beta]),
    ]
    reference = prediction.prediction("mixing", [beta], range(10))
    thesis, settling = (settled.judged(found, reference).below.values[0] for found in stored)
    assert np.median(settling) < 1.5 < 3 < np.median(thesis)
    assert abs(float((stored[1].tie - reference.tie).mean())) < 0.05


@pytest.mark.parametrize("beta", [0.1, 20.0])
def test_localisation_settles_at_a_larger_objective_and_not_at_a_smaller_tie(beta):
    """Of the first four realizations."""
    stored, settling = (
        sweep.load("localisation", supplement=name, realizations=4).sel(beta=beta)
        for name in (None, "training that settles")
    )
    assert float((settling.objective - stored.objective).min()) > 2
    assert float(settling.tie.median()) > 0.7 * float(stored.tie.median())


@pytest.mark.parametrize("experiment", ["mixing", "localisation"])
def test_who_uses_both_latents_is_told_by_each_latent_s_divergence_and_by_the_second_eigenvalue(experiment):
    found, (r, last) = settled.using_both(experiment), (20, 39)
    assert (found.realization.values[[0, -1]] == [r, last]).all() and found.sizes["realization"] == 20
    for by, name in (("thesis", "around the best β"), ("settling", "around the best β, training that settles")):
        stored = sweep.load(experiment, supplement=name).isel(detailed=[r, last])
        mean, std = stored.latent_mean.values.astype(float), np.maximum(stored.latent_std.values.astype(float), 1e-8)
        divergence = (0.5 * (mean**2 + std**2 - 1) - np.log(std)).mean(2)
        both = (divergence > 0.01).all(-1)
        assert (found[by].sel(realization=[r, last]).values == both).all()
    for each in (r, last):
        X = experiments.training(experiment, each).pixels
        second = np.linalg.svd(X - X.mean(0), compute_uv=False)[1] ** 2 / len(X)
        assert (found.linear.sel(realization=each).values == (second > found.beta.values)).all()


def test_the_table_of_latents_in_use_counts_networks_at_each_beta():
    shape = ("beta", "realization")
    used = xr.Dataset(
        {
            "thesis": (shape, [[1.0, 0.0, 1.0], [0.0, 0.0, 0.0]]),
            "settling": (shape, [[1.0, 1.0, 1.0], [1.0, 0.0, 0.0]]),
            "linear": (shape, [[0.0, 1.0, 0.0], [1.0, 1.0, 0.0]]),
        },
        coords={"beta": BETAS},
    )
    assert showing.both_rows(used) == [["1", "2", "3", "1"], ["10", "0", "1", "2"]]


def test_the_table_beside_holds_medians_of_the_realizations_that_both_have():
    thesis, settling = made(-101.0, 3.0), made(np.array([[-100.0], [-90.0]]), 3.0, np.nan)
    linear, ties = made(-110.0, 2.0), np.arange(6.0).reshape(2, 3)
    shape = ("beta", "realization")
    thesis, settling = thesis.assign(tie=(shape, ties)), settling.assign(tie=(shape, ties[:, ::-1] ** 2))
    settling = settling.isel(realization=slice(1, 3))
    assert showing.beside(thesis, settling, linear) == [
        ["1", "8.0", "9.0", "1.5", "0.5", "1.0", "–"],
        ["10", "−1.0", "10.0", "4.5", "12.5", "16.0", "–"],
    ]


def test_the_table_of_rest_has_each_training_in_its_column():
    """Medians of what is below, means of TIE, and how many are at rest, of the realizations that both have."""
    shape = ("beta", "realization")
    reference = made(-100.0, 3.0).assign(tie=(shape, np.full((2, 3), 9.0)))
    below, ties = np.array([[1.0, 2.0, 9.0], [0.0, 0.5, 5.0]]), np.arange(6.0).reshape(2, 3)
    thesis = made(-100.0 - below - 10, 3.0).assign(tie=(shape, ties))
    settling = made(-100.0 - below, 3.0, 0.01).assign(tie=(shape, ties + 20))
    assert showing.rows(thesis, settling, reference) == [
        ["1", "12.0", "2.0", "1.000", "21.000", "9.000", "0.010", "1 of 3"],
        ["10", "10.5", "0.5", "4.000", "24.000", "9.000", "0.010", "2 of 3"],
    ]
