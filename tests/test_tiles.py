"""Tiles: the drawing, the theory of its images by another route, and what is read off curves whose answer is known."""

import numpy as np
import pytest
import scipy.stats
import xarray as xr

from betavae_core.findings import prediction, tiles
from betavae_core.images import digits, experiments
from betavae_core.images.digits import PIXELS
from betavae_core.networks import architecture
from betavae_core.results import planning, sweep
from betavae_core.showing import tables
from betavae_core.showing import tiles as showing
from betavae_core.theory import linear
from betavae_core.theory.gaussian import LinearGaussian, log_density_constant
from betavae_workshop.sweeping import running

BEST = {"tiles": 1.2116, "tiles-diagonal": 1.0, "tiles-4": 1.3586, "tiles-quiet": 1.2749, "tiles-aligned": 1.0}


@pytest.fixture(scope="module", params=showing.EVERY)
def drawn(request):
    return request.param, experiments.draw(request.param, 3)


@pytest.mark.parametrize("count", [2, 4])
def test_tiles_are_disjoint_centred_and_orthonormal(count):
    rows = digits.tiles(digits.load()[0][:: 1000 // count][:count])
    assert rows @ rows.T == pytest.approx(np.eye(count))
    assert rows.sum(1) == pytest.approx(0, abs=1e-6)  # single precision
    assert ((rows != 0).sum(0) <= 1).all()
    assert ((rows != 0).sum(1) > 200).all()


def test_classes_differ_and_images_are_weighted_tiles(drawn):
    name, (data, heldout) = drawn
    k = experiments.experiment(name).latents
    assert len(set(data.classes)) == k
    assert np.linalg.matrix_rank(data.standardised, tol=1e-6) == k
    assert data.classes == heldout.classes


def test_pixels_have_the_covariance_of_the_code_and_nothing_else(drawn):
    """Eigenvalues c² (λ_i), c² = ν/σ², and 0; the divisor is n."""
    name, (data, _) = drawn
    record = experiments.experiment(name)
    A, noise = np.array(record.mixing), record.noise_std**2
    expected = tiles.code_noise(name) / noise * np.linalg.eigvalsh(A @ A.T + noise * np.eye(record.latents))
    X = data.standardised
    found = np.linalg.eigvalsh(X @ X.T / len(X))[::-1]
    assert found[: record.latents] == pytest.approx(expected[::-1], rel=1e-6)
    assert np.abs(found[record.latents :]).max() < 1e-6 * found[0]


def test_the_posterior_is_that_of_the_code_in_the_pixels(drawn):
    """The code by projection on unit tiles, found from the pixels alone."""
    name, sets = drawn
    record = experiments.experiment(name)
    for data in sets:
        images = data.images().reshape(len(data.pixels), -1)
        half = digits.CANVAS // 2
        code = []
        for i in range(record.latents):
            mask = np.zeros((digits.CANVAS, digits.CANVAS))
            top = half * (i // 2)
            height = digits.CANVAS if record.latents == 2 else half
            mask[top : top + height, half * (i % 2) : half * (i % 2) + half] = 1
            part = images * mask.ravel()
            axis = np.linalg.svd(part, full_matrices=False)[2][0]
            code.append(part @ axis)
        matrix = np.array(record.mixing) / record.noise_std
        precision = np.eye(record.latents) + matrix.T @ matrix
        signs = np.array(np.meshgrid(*[[1, -1]] * record.latents)).reshape(record.latents, -1).T
        code = np.array(code) / record.noise_std
        means = [np.linalg.solve(precision, matrix.T @ (code * sign[:, None])).T for sign in signs]
        assert min(np.abs(mean - data.posterior_mean).max() for mean in means) < 1e-6


@pytest.mark.parametrize("name", showing.EVERY)
def test_the_best_beta_of_the_images_is_the_theory_in_units_of_noise(name):
    """Terms of the linear optimum on the images themselves, which know no ν, over a fine grid."""
    ratios = np.linspace(0.9, 1.5, 121)
    found = prediction.prediction(name, ratios * tiles.code_noise(name), [0, 5])
    assert ratios[found.tie.values.argmin(0)] == pytest.approx(BEST[name], abs=0.0051)
    exact = tiles.theory(name, ratios).tie.values
    assert found.tie.values == pytest.approx(np.stack([exact, exact], 1), abs=1e-4)


def test_the_noise_of_the_code_in_pixels():
    assert tiles.code_noise("tiles") == pytest.approx(PIXELS / 9.5)
    assert tiles.code_noise("tiles-diagonal") == pytest.approx(PIXELS / 9.5)
    assert tiles.code_noise("tiles-4") == pytest.approx(PIXELS / 27)
    assert tiles.code_noise("tiles-quiet") == pytest.approx(PIXELS / 32)  # 7.5/σ² + 2


def test_the_aligned_control_has_nearly_the_objective_of_tiles():
    own, control = (experiments.experiment(name).process for name in ("tiles", "tiles-aligned"))
    np.testing.assert_allclose(*(np.linalg.eigvalsh(process.covariance) for process in (own, control)), rtol=0.01)
    assert control.posterior_covariance == pytest.approx(np.diag(np.diag(control.posterior_covariance)))
    axes = [np.linalg.svd(process.mixing)[0] for process in (own, control)]
    assert abs(axes[0].T @ axes[1]) == pytest.approx(np.eye(2), abs=0.01)


@pytest.mark.parametrize("name", showing.EVERY)
def test_a_fit_reads_the_optimum_and_the_slope_off_the_theory(name):
    ratios = np.array(experiments.RATIOS)
    found = tiles.reading(tiles.fit(ratios, tiles.theory(name, ratios).tie.values))
    assert found.best * tiles.correction(name, ratios) == pytest.approx(BEST[name], abs=0.0005)
    assert tiles.correction(name, ratios) == pytest.approx(1, abs=0.01)
    off = -0.0052 if name == "tiles-aligned" else 0.0  # of the fit, as the caption of its table says
    assert found.slope - off == pytest.approx(tiles.slope(name), abs=0.005)


def test_a_fit_reads_what_it_can_follow_exactly():
    """TIE = −2 log b + b + b²/2: its slope b dTIE/db = −2 + b + b² is −0 at b = 1, and 0 there."""
    ratios = np.array(experiments.RATIOS)
    found = tiles.reading(tiles.fit(ratios, -2 * np.log(ratios) + ratios + ratios**2 / 2))
    assert found == pytest.approx((1.0, 0.0), abs=0.002)
    steeper = tiles.reading(tiles.fit(ratios, -3 * np.log(ratios) + ratios + ratios**2 / 2))
    assert steeper.slope == pytest.approx(-1)
    assert steeper.best == pytest.approx((13**0.5 - 1) / 2, abs=0.002)  # b² + b = 3


def test_the_interval_of_the_best_beta_has_those_at_which_students_test_lets_the_slope_be_zero(rng):
    ratios = np.array(experiments.RATIOS)
    curves = tiles.theory("tiles", ratios).tie.values + 0.02 * rng.standard_normal((9, len(ratios)))
    fits = np.array([tiles.fit(ratios, curve) for curve in curves])
    found = tiles.best_of_mean(fits)
    for b, expected in ((found.low, 0.05), (found.value, 1.0), (found.high, 0.05)):
        slopes = fits @ [0, 1, b, 2 * b**2]
        assert scipy.stats.ttest_1samp(slopes, 0).pvalue == pytest.approx(expected, abs=0.1)
    assert tiles.best_of_mean(fits[:1])[1:] == (0.0, np.inf)
    assert np.isnan(tiles.best_of_mean(-fits).value)


def test_the_slope_at_the_noise_is_that_of_the_theorem():
    """−½ Σ (1 − ρ_i) with ρ from the singular vectors of A."""
    _, _, rotation = np.linalg.svd(np.array(experiments.MIXING))
    rho = max(np.abs(np.diag(rotation)).sum(), np.abs(np.diag(rotation[::-1])).sum())
    assert tiles.slope("tiles") == pytest.approx(-0.5 * (2 - rho), abs=1e-4)
    assert tiles.slope("tiles-diagonal") == pytest.approx(0, abs=1e-6)


def test_a_curve_without_a_minimum_or_with_few_points_has_no_best():
    ratios = np.array(experiments.RATIOS)
    assert np.isnan(tiles.reading(tiles.fit(ratios, ratios)).best)
    assert np.isnan(tiles.reading(tiles.fit(ratios, ratios, ratios > 1)).slope)


def made_up(name, ties, kl_prior):
    betas = np.array(experiments.RATIOS) * tiles.code_noise(name)
    cells = {"tie": (("beta", "realization"), ties), "kl_prior": (("beta", "realization"), kl_prior)}
    return xr.Dataset(cells, {"beta": betas, "realization": range(ties.shape[1])}, {"experiment": name})


def test_networks_that_follow_the_theory_give_its_optimum_and_dead_ones_do_not_count(rng):
    exact = tiles.theory("tiles", np.array(experiments.RATIOS))
    ties, kl_prior = (np.repeat(exact[term].values[:, None], 6, 1) for term in ("tie", "kl_prior"))
    ties = ties + 0.01 * rng.standard_normal(ties.shape)
    kl_prior[:, 5] = np.log(7.54508497 / np.array(experiments.RATIOS)) / 2  # one latent only
    found = tiles.optimum(made_up("tiles", ties, kl_prior))
    assert found.count == 5
    assert found.best.low < 1.2116 < found.best.high
    assert found.best.low > 1
    assert found.slope.high < 0


def test_power_grows_with_realizations_and_false_alarms_are_as_rare_as_they_say():
    few, many = (tiles.power("tiles", 0.1, count, trials=200) for count in (4, 12))
    assert many > few == 0  # four never decide
    assert tiles.power("tiles", 0.03, 6, trials=100) > 0.95
    assert tiles.power("tiles-diagonal", 0.03, 6, trials=400) < 0.07


def test_differences_of_slopes_are_paired_by_realization(rng):
    exact = tiles.theory("tiles", np.array(experiments.RATIOS))
    ties, kl_prior = (np.repeat(exact[term].values[:, None], 5, 1) for term in ("tie", "kl_prior"))
    own = rng.standard_normal(5) * np.log(experiments.RATIOS)[:, None]  # each realization's own slope
    stored, control = made_up("tiles", ties + own, kl_prior), made_up("tiles", ties + own, kl_prior)
    kl_prior[:, 2] = 0.0
    control = control.assign(tie=control.tie + 0.3 * np.log(control.beta))
    assert tiles.difference(stored, control) == pytest.approx([-0.3] * 4)
    assert tiles.slopes(stored).values[[0, 1, 3, 4]] == pytest.approx(
        own[-1, [0, 1, 3, 4]] / np.log(10) + tiles.slope("tiles"), abs=0.01
    )


def test_beta_rises_and_the_step_falls_as_told():
    assert architecture.schedule(1000)(0) == (1e-3, 1.0)
    assert architecture.schedule(1000, settling=0.7, warmup=0.3)(0) == (1e-3, 0.0)
    assert architecture.schedule(1000, settling=0.7, warmup=0.3)(650) == pytest.approx((5e-4, 1.0))


def test_four_sources_go_all_the_way(results, crew):
    members = planning.plan("tiles-4", "smoke", betas=[59.259], realizations=1, family="full")
    list(running.run(members, crew))
    found = sweep.load("tiles-4", "smoke", betas=[59.259], realizations=1, family="full")
    assert np.isfinite([found[name].item() for name in ("tie", "elbo", "mie", "tie_heldout")]).all()
    assert LinearGaussian(experiments.FOUR, 1.0).posterior_covariance.shape == (4, 4)


def test_slopes_of_tiles_become_verdicts(monkeypatch):
    slopes = {"own": -0.2 + 0.01 * np.arange(9), "alike": 0.01 * np.arange(9), "longer": -0.5 + 0 * np.arange(9)}
    as_array = {n: xr.DataArray(v, {"realization": range(9)}, ("realization",)) for n, v in slopes.items()}
    monkeypatch.setattr(tiles, "slopes", as_array.get)
    found = {v.id: v for v in tiles.judged("own", {"control": "alike", "settled": "longer"})}
    assert [v.verdict for v in found.values()] == ["held", "held", "refuted"]
    assert found["tiles-against-control"].estimate.endswith("+0.200 (median +0.200); n = 9")


# --- the page --------------------------------------------------------------------------------------------


def networks(name, rng, tilt=0.0, scatter=0.0, count=5):
    """Networks with the theory's TIE, tilted over log β alike or each by its own, a little noise, and its C."""
    exact = tiles.theory(name, np.array(experiments.RATIOS))
    own = (tilt + scatter * rng.standard_normal(count)) * np.log(experiments.RATIOS)[:, None]
    noise = 0.004 * rng.standard_normal(own.shape)
    return made_up(name, exact.tie.values[:, None] + own + noise, np.repeat(exact.kl_prior.values[:, None], count, 1))


def numbers(cells):
    return [float(cell.replace("−", "-").split(" (")[0]) for cell in cells]


def test_the_table_of_the_prediction_has_each_number_in_its_column():
    for name, form, *told in showing.prediction_rows():
        at_best, at_one = (float(tiles.theory(name, [ratio]).tie[0]) for ratio in (BEST[name], 1.0))
        assert numbers(told) == pytest.approx([BEST[name], at_best, at_one, at_one - at_best], abs=6e-4)
        assert form == ("diagonal" if name in ("tiles-diagonal", "tiles-aligned") else "not diagonal")


def test_how_far_training_settles_and_what_a_full_covariance_gains(rng, monkeypatch):
    """Of the analytical model in two dimensions of the pixels; in the others nothing varies."""
    ratios, noise = np.array([0.9, 1.0, 1.2]), tiles.code_noise("tiles")
    model = linear.sweep(LinearGaussian(noise**0.5 * np.array(experiments.MIXING), noise**0.5), noise * ratios)
    best = model.objective.values[:, None] + log_density_constant(PIXELS - 2)
    theory = tiles.theory("tiles", ratios).tie.values[:, None]
    values = {"objective": best - np.array([1.0, 2.0]), "tie": theory + np.array([0.3, -0.05])}
    cells = {name: (("beta", "realization"), value) for name, value in values.items()}
    diagonal = xr.Dataset(cells, {"beta": ratios, "realization": [0, 1]}, {"experiment": "tiles"})
    full = diagonal.assign(objective=diagonal.objective + 0.5, tie=diagonal.tie + 1)
    monkeypatch.setattr(showing.tiles, "NAMES", ("tiles",))
    monkeypatch.setattr(showing, "EVERY", ("tiles",))
    monkeypatch.setattr(showing, "_trainings", lambda *_: {showing.SHORTER: diagonal})
    monkeypatch.setattr(showing, "_networks", lambda *_: full)
    [row] = showing.settling_rows("published")
    assert row == ["tiles", showing.SHORTER, "6", "1.50", f"{((0.09 + 0.0025) / 2) ** 0.5:.3f}", "3"]
    [(_, count, gain, *ties, reach)] = showing.family_rows("published")
    assert (count, gain) == ("6", "+0.50")
    assert numbers(ties) == pytest.approx([float(diagonal.tie.mean()), float(full.tie.mean())], abs=6e-4)
    assert reach == f"{float(full.tie.min()):.2f} to {float(full.tie.max()):.2f}"


def test_the_table_and_the_figure_of_results_have_theory_and_networks_in_their_places(rng):
    stores = {name: networks(name, rng) for name in ("tiles", "tiles-diagonal")}
    stores[showing.PATIENT] = networks("tiles-diagonal", rng, count=4)
    rows = showing.result_rows(stores)
    assert [row[0] for row in rows] == ["tiles (5)", "tiles-diagonal (5)", "tiles-diagonal, 20,000 epochs (4)"]
    for row, found in zip(rows, stores.values(), strict=True):
        name, o = found.experiment, tiles.optimum(found)
        middle = np.median(tiles.slopes(found))
        expected = tiles.slope(name), o.slope.value, middle, BEST[name], o.best.value
        assert numbers(row[1:]) == pytest.approx(expected, abs=6e-4)
    stores |= {name: networks(name, rng) for name in ("tiles-4", "tiles-quiet")}
    for axis, (label, found) in zip(showing.figure(stores).axes, stores.items(), strict=True):
        theory, best, *_, fitted = (line.get_xydata() for line in axis.lines)
        name = found.experiment
        assert (axis.get_title() or axis.get_title(loc="left"))[3:] == label
        assert np.interp(1.0, *theory.T) == pytest.approx(float(tiles.theory(name, [1.0]).tie[0]), abs=1e-3)
        assert (best[0, 0], fitted[0, 0]) == pytest.approx((BEST[name], tiles.optimum(found).best.value), abs=5e-4)


def test_the_table_of_power_has_noise_in_rows_and_realizations_in_columns(monkeypatch):
    monkeypatch.setattr(tiles, "power", lambda name, noise, count: noise * count / 2)
    rows = showing.power_rows()
    assert rows[1][:2] == ["tiles", "0.03"] and rows[1][2:] == ["8 %", "9 %", "18 %", "30 %"]
    assert rows[-1][:2] == ["tiles-4", "0.1"]


def test_sentences_on_the_two_experiments_follow_their_slopes(rng):
    """Theory has −0.2317 for the slope of tiles and 0 for that of the control."""
    own, control = networks("tiles", rng, scatter=0.02), networks("tiles-diagonal", rng)
    said = showing._result({"tiles": own, "tiles-diagonal": control})
    assert "interval includes the theory's −0.232 and excludes 0." in said
    gap = float(np.mean(tiles.difference(own, control)))
    assert f"minus that of tiles-diagonal is {gap:.2f} (".replace("-0", "−0") in said
    alike = showing._result({"tiles": own, "tiles-diagonal": networks("tiles-diagonal", rng, tilt=-0.2317)})
    assert "does not include the theory's" in alike and "includes 0, so this comparison" in alike
    turned = networks("tiles-diagonal", rng)
    turned.tie[3, 0] += 0.5
    assert showing.unturned(turned) == (1, turned.tie.size)
    four = networks("tiles-4", rng)
    four.tie[[3, 0], 1] += 0.5  # at 0.7 ν, and at 0.1 ν, which no fit uses
    told = showing._four(four)
    assert f"slope is {tables.fixed(tiles.optimum(four).slope.value, 3)} (" in told
    assert "off theory in 1 of the 50 networks" in told


@pytest.mark.parametrize("tilt", [0.0, -0.2])
def test_the_home_page_says_that_networks_agree_only_where_they_do(tilt, rng, monkeypatch):
    stores = {"tiles": networks("tiles", rng, tilt), "tiles-aligned": networks("tiles-aligned", rng, scatter=0.01)}
    monkeypatch.setattr(sweep, "load", lambda name, profile: stores[name])
    said = showing.lead("published")
    assert said.startswith("Networks whose images follow" if not tilt else "Whether networks agree")
    if not tilt:
        slope, level = (float(tiles.slopes(each).mean()) for each in stores.values())
        assert f"by {-slope:.3f} (" in said and "(theory: 0.232)" in said
        assert f"it changes by {tables.fixed(level, 3)} (" in said
