"""What is predicted for penalised and variance-learning networks, against theory and a direct computation."""

import json

import numpy as np
import pytest
import xarray as xr

from betavae_core import paths
from betavae_core.findings import prediction, tiles
from betavae_core.images import experiments
from betavae_core.networks import evaluation
from betavae_core.networks.posterior import Posterior
from betavae_core.results import train_member
from betavae_core.results.members import Member, Specification
from betavae_core.showing import objectives
from betavae_core.theory import identity, linear
from betavae_core.theory.gaussian import LinearGaussian
from betavae_workshop import predictions


@pytest.fixture(scope="module")
def images():
    return prediction.coordinates(experiments.draw("tiles", 0, samples=80)[0])


def objective(images, weights, beta, gamma) -> float:
    """R − β C − γ TC of weights as they come back, from the images one by one, constant left out."""
    Y, k = images.along, images.along.shape[1]
    D, W, log_variance = weights[: k * k].reshape(k, k), weights[k * k : 2 * k * k].reshape(k, k), weights[2 * k * k :]
    q = Posterior(Y @ W.T, np.broadcast_to(log_variance, Y.shape))
    error = ((Y - q.mean @ D.T) ** 2).sum(1) + ((D**2) * np.exp(log_variance)).sum()
    noise = np.random.default_rng(predictions.SEED).standard_normal((predictions.DRAWS // 2, *Y.shape))
    TC = np.mean([q.total_correlation(q.sample(eps)) for eps in (*noise, *-noise)])
    return float(np.mean(-0.5 * error - beta * q.kl_to_prior()) - gamma * TC)


@pytest.mark.parametrize("beta, gamma", [(1.0, 5.0), (168.421, 20.0)])
def test_no_other_weights_near_are_better(beta, gamma, images, rng):
    terms, weights = predictions.penalised(images, beta, gamma)
    best = objective(images, weights, beta, gamma)
    assert terms["reconstruction"] - beta * terms["kl_prior"] - gamma * terms["tc"] == pytest.approx(best, rel=1e-9)
    plain = linear.optimum(images.along.T @ images.along / 80, beta, latents=2)
    start = np.concatenate([plain.decoder.ravel(), plain.encoder.ravel(), np.log(plain.variance)])
    assert best > objective(images, start, beta, gamma)
    for _ in range(30):
        other = weights * (1 + 0.003 * rng.standard_normal(len(weights)))
        assert objective(images, other, beta, gamma) < best + 1e-6


def test_without_a_penalty_it_is_the_linear_optimum(images):
    terms, _ = predictions.penalised(images, 50.0, 0.0)
    (R, C, _, tie), _ = (part[:, 0] if part.ndim > 1 else part for part in prediction.linear_terms(images, [50.0]))
    assert (terms["kl_prior"], terms["tie"]) == pytest.approx((C, tie), abs=1e-5)
    assert terms["reconstruction"] - 0.5 * images.left_out - 800 * np.log(2 * np.pi) == pytest.approx(R, abs=1e-5)


def test_a_learned_variance_moves_the_best_beta_of_tiles_to_the_theory_s():
    """On the images against the analytical model in 1,600 pixels: TIE, and σ_x² = ν (N − k)/(N − β k)."""
    betas = [0.7, 1.2, 1.6]
    found = predictions.with_learned_variance("tiles", betas, [0])
    noise = experiments.code_noise(experiments.MIXING)
    expected = [noise * 1598 / (1600 - 2 * beta) for beta in betas]
    assert found.decoder_variance.values[:, 0] == pytest.approx(expected, rel=1e-6)
    levels = np.multiply(betas, expected) / noise
    process = LinearGaussian(experiments.MIXING)
    parameters = linear.optimum(process, levels)
    theory = identity.terms(process, parameters, levels)["tie"]
    assert found.tie.values[:, 0] == pytest.approx(theory, abs=1e-6)


def test_the_learned_variance_is_read_off_what_a_network_stores():
    member = Member(Specification("tiles", samples=40, epochs=20, decoder_variance="learned"), 1.2, 1)
    weights, drawn, curves = train_member.fitted([member])
    (expected,) = evaluation.with_learned_variance(weights, [drawn[0][0]], [1]).variances
    (values,) = train_member.evaluated(weights, [member], drawn, curves)
    stored = xr.Dataset({"reconstruction": values["reconstruction"]}, attrs={"experiment": "tiles"})
    assert float(objectives.variance(stored)) == pytest.approx(expected, rel=1e-6)


def test_networks_that_learn_their_variance_stand_beside_their_partners():
    """From the published files, read here by other lines; β of the one is a multiple of ν of the other."""
    (file,) = paths.published_store().glob("tiles,*decoder_variance=learned.nc")
    (partner,) = paths.published_store().glob("tiles,epochs=2000,learning_rate=0.003,settling=0.8,warmup=0.2.nc")
    own, other = (xr.load_dataset(each, engine="h5netcdf") for each in (file, partner))
    found, beside = objectives.networks("tiles")
    assert beside.beta.values == pytest.approx(own.beta.values * experiments.code_noise(experiments.MIXING), abs=1e-3)
    np.testing.assert_array_equal(found.tie.transpose("beta", ...), own.tie.transpose("beta", ...))
    gaps = np.median(own.tie.values - other.tie.sel(realization=own.realization).values, axis=1)
    assert objectives.apart(found, beside) == pytest.approx(abs(gaps).max())
    every = {row: objectives.networks(row) for row in objectives.LEARNING}
    rows = objectives.learned_rows(every)
    assert [row[0].split(" (")[0] for row in rows] == list(objectives.LEARNING)
    for row, pair in zip(rows, every.values(), strict=True):
        learned, plain = map(tiles.optimum, pair)
        for cell, value in zip(row[2:], (learned.best, plain.best, learned.slope, plain.slope), strict=True):
            assert float(cell.split(" (")[0].replace("−", "-")) == pytest.approx(value.value, abs=0.006)
    lower = found.assign(tie=beside.tie - np.arange(1.0, 1 + found.beta.size)[:, None])
    assert objectives.apart(lower, beside) == pytest.approx(found.beta.size)
    share = objectives.off(every)
    assert share == max(objectives.off({row: pair}) for row, pair in every.items())
    brighter = found.assign(reconstruction=found.reconstruction - 0.5 * 1600 * np.log(1.5))
    assert objectives.off(every | {"tiles": (brighter, beside)}) == pytest.approx(0.5, abs=2 * share)


def test_the_table_of_penalised_networks_says_what_is_stored_and_what_was_predicted():
    """From the published files and the committed predictions, read here by other lines."""
    predicted = json.loads((paths.PREDICTIONS / "tiles-gamma.json").read_text())["finite_sample"]
    found = objectives.penalised()
    assert list(found.ratio.values) == [0.006, 1.0] and found.gamma.values[0] == 0
    files = {float(f.stem.split("gamma=")[1]): f for f in paths.published_store().glob("tiles,*gamma=*.nc")}
    assert sorted(files) == list(found.gamma.values[1:])
    (plain,) = {f.with_name(f.name.split(",gamma=")[0] + ".nc") for f in files.values()}
    files[0.0] = plain
    for gamma, file in files.items():
        stored = xr.load_dataset(file, engine="h5netcdf")
        for ratio, beta in zip(found.ratio.values, (1.0, 168.421), strict=True):
            at = found.sel(gamma=gamma, ratio=ratio)
            for term in ("tie", "kl_prior"):
                rows = [r[term] for r in predicted if (r["beta"], r["gamma"]) == (beta, gamma)]
                assert len(rows) == 3 and float(at[f"{term}_predicted"]) == pytest.approx(sum(rows) / 3)
                if beta in stored.beta.values:
                    expected = stored[term].sel(beta=beta, realization=[0, 1, 2]).values.mean()
                    assert float(at[term]) == pytest.approx(expected)
                else:
                    assert np.isnan(at[term])
    told = objectives.penalised_rows(found)
    assert [float(row[0]) for row in told] == sorted(files) and {len(row) for row in told} == {9}
    assert told[-1][1] == f"{float(found.tie.sel(gamma=20, ratio=1)):.3f}"
    assert told[-1][-1] == f"{float(found.kl_prior_predicted.sel(gamma=20, ratio=0.006)):.3f}"
