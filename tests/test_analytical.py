"""Everything the analytical chapter computes, at parameters that a reader may give it."""

import re

import matplotlib.pyplot as plt
import numpy as np
import pytest

from betavae_core.findings import optima
from betavae_core.paths import CHAPTERS
from betavae_core.showing import analytical, curves, interactive, rotation, tables
from betavae_core.theory import linear, stationarity
from betavae_core.theory.gaussian import LinearGaussian
from betavae_core.theory.terms import LINEAR

CASES = {
    "default": ([[2.0, 1.0], [0.5, 1.5]], 1.0, 2.0),
    "one source": ([[1.0], [2.0], [0.3]], 0.5, 0.1),
    "three of five": (np.random.default_rng(1).standard_normal((5, 3)).tolist(), 0.8, 1.0),
    "repeated eigenvalues": ([[2.0, 0.0], [0.0, 2.0]], 1.0, 1.0),
    "rank one": ([[2.0, 1.0], [2.0, 1.0], [0.0, 0.0]], 2.0, 0.5),
    "no signal": ([[0.0, 0.0], [0.0, 0.0]], 1.0, 3.0),
    "collapsed": ([[0.3, 0.1], [0.1, 0.2]], 0.5, 50.0),
    "hard for plain starts": (np.random.default_rng(0).standard_normal((10, 2)).tolist(), 1.0, 0.1),
}


@pytest.mark.parametrize("case", CASES)
def test_the_page_follows_its_parameters(case, monkeypatch):
    matrix, noise_std, beta = CASES[case]
    monkeypatch.setattr(analytical, "STEPS", 100)
    monkeypatch.setattr(analytical, "EARLY_STEPS", 50)
    process = LinearGaussian(matrix, noise_std)
    best, ratio = linear.optimal_beta(process), noise_std**2
    betas = analytical.beta_grid(process, [1.0, beta, best, ratio])
    trained, fixed = linear.sweep(process, betas), linear.sweep(process, betas, decoder=process.mixing)
    routes = analytical.three_routes(process, beta)
    assert routes["solving"].startswith("The best objective differs")
    assert routes["led"][1] > 0
    assert len(analytical.route_rows(routes)) == len(LINEAR)
    summary = analytical.summary(process, best)
    assert summary["tie_best"] <= min(summary["tie_one"], summary["tie_ratio"]) + 1e-9
    assert summary["tie_best"] <= float(trained.tie.min()) + 1e-9
    assert summary["tie_fixed_best"] <= float(fixed.tie.min()) + 1e-9
    assert len(analytical.purchase_rows(summary, best)) == (3 if ratio == 1 else 4)
    note = analytical.identification_note(process, beta)
    assert (note is not None) == (case == "repeated eigenvalues")
    assert optima.exact_peak(trained) == 1.0
    eigenvalues = np.sort(np.linalg.eigvalsh(process.covariance))[::-1][: process.mixing.shape[1]]
    for figure in (
        curves.draw(analytical.identity_panels(trained, beta, best)),
        analytical.water_filling_figure(analytical.rate_panel(eigenvalues, beta, betas), eigenvalues, beta),
        curves.draw([analytical.fixed_decoder_panel(trained, fixed, best, beta)]),
        curves.draw(rotation.best_beta_panels(process)),
    ):
        figure.canvas.draw()
        plt.close(figure)


def test_errors_that_are_only_rounding_are_none_and_the_explorer_starts_at_all_digits_of_beta():
    """At orthogonal columns TIE at the best β is zero, and rounding once told of −1.1 × 10⁻¹⁶ nats."""
    process = LinearGaussian([[1.0, 1.0], [-1.0, 1.0]], 1.0)
    summary = analytical.summary(process, 1.0)
    assert summary["tie_best"] == summary["tie_fixed_best"] == summary["turn"] == 0
    assert 'data-beta="1234567.5"' in interactive.explorer(process, 1234567.5).data


def test_tables_and_figures_have_each_number_in_its_place():
    """At σ = 0.5, where the noise ratio is not 1."""
    process, beta, ratio = LinearGaussian([[2.0, 1.0], [0.5, 1.5]], 0.5), 0.7, 0.25
    best = linear.optimal_beta(process)
    betas = analytical.beta_grid(process, [1.0, beta, best, ratio])
    trained, fixed = linear.sweep(process, betas), linear.sweep(process, betas, decoder=process.mixing)
    ties = [float(trained.tie.sel(beta=b)) for b in (1.0, ratio, best)]
    summary = analytical.summary(process, best)
    told = [float(row[2]) for row in analytical.purchase_rows(summary, best)]
    assert told == pytest.approx([*ties, float(fixed.tie.sel(beta=ratio))], abs=6e-5)
    assert summary["gain_percent"] == pytest.approx(100 * (1 - ties[2] / ties[1]))
    panels = analytical.identity_panels(trained, beta, best)
    for panel, names in zip(panels, (["elbo"], ["tie", "mie"], ["reconstruction"], ["kl_prior"]), strict=True):
        for curve, name in zip(panel.curves, names, strict=True):
            np.testing.assert_array_equal(curve.value, trained[name])
    panel = analytical.fixed_decoder_panel(trained, fixed, best, beta)
    for curve, dataset, mark in zip(panel.curves, (trained, fixed), panel.marks, strict=True):
        np.testing.assert_array_equal(curve.value, dataset.tie)
        assert mark.colour == curve.colour
    assert [mark.beta for mark in panel.marks] == pytest.approx([best, ratio])
    values = np.linalg.eigvalsh(process.covariance)[::-1]
    rates = analytical.rate_panel(values, beta, betas)
    assert np.sum([curve.value for curve in rates.curves], 0) == pytest.approx(trained.kl_prior.values, abs=1e-9)
    bars = analytical.water_filling_figure(rates, values, beta).axes[1].patches
    for whole, above, value in zip(bars[::2], bars[1::2], values, strict=True):
        assert [whole.get_height(), above.get_y(), above.get_height()] == pytest.approx([value, beta, value - beta])
    turned, noisy = rotation.best_beta_panels(process)
    assert turned.curves[0].value[[0, -1]] == pytest.approx([1, 1]) and turned.curves[0].value.max() < 2**0.5
    assert noisy.curves[0].value[12] == pytest.approx(best)
    for panel, quotient in ((turned, ratio), (noisy, 1)):  # circles stand at the page's model
        assert panel.curves[0].value[panel.curves[0].beta == panel.start] == pytest.approx(best / quotient)
    assert noisy.curves[1].value == pytest.approx(noisy.curves[1].beta ** 2)


@pytest.mark.parametrize(("noise_std", "told"), [(1e-3, "1.6 × 10⁻⁶"), (1.0, "1.6"), (1e3, "1,501,296.5")])
def test_the_page_finds_the_best_beta_of_another_decoder_in_units_of_the_noise(noise_std, told):
    shown, names = {}, {"np": np, "linear": linear, "tables": tables, "ratio": noise_std**2}
    names |= {"process": LinearGaussian(CASES["default"][0], noise_std)}
    [cell] = re.findall(r"^fine = .*?(?=^```)", (CHAPTERS / "analytical.md").read_text(), re.MULTILINE | re.DOTALL)
    exec(cell, names | {"glue": lambda name, text, display: shown.update({name: text})})
    assert shown == {"stretched": told}


def test_the_gain_of_the_best_beta_is_never_negative():
    gains = rotation.gains(30).gain.values
    assert (gains >= -1e-9).all()
    assert (gains < 1).all()


def test_a_fixed_true_decoder_attains_the_least_of_all_diagonal_gaussians(process):
    """½ (Σ log M_ii − log det M) is the least KL from a diagonal Gaussian to N(·, M⁻¹), a textbook result."""
    M = process.posterior_precision
    least = 0.5 * (np.log(np.diag(M)).sum() - np.linalg.slogdet(M)[1])
    assert analytical.summary(process, 1.2)["tie_fixed_best"] == pytest.approx(least)


SIX_OF_TEN = LinearGaussian(np.random.default_rng([10, 6, 0]).standard_normal((10, 6)).round(2), 1.0)


@pytest.mark.parametrize(
    ("ascent", "told"),
    [
        (stationarity.ASCENT, "The best objective differs from the closed form by [^ ]+( × 10[^ ]+)? nats."),
        (50, r"The best solution found is 0\.0\d+ nats below the closed form, so the solver missed the optimum\."),
    ],
)
def test_the_search_for_six_latents_says_whether_it_has_found_the_optimum(ascent, told):
    """After 50 steps of ascent every start but few is still at a saddle point."""
    closed = linear.terms(SIX_OF_TEN, linear.optimum(SIX_OF_TEN, 0.5), 0.5)
    points = stationarity.stationary_points(SIX_OF_TEN, 0.5, 6, np.random.default_rng(0), ascent)
    gaps = [float(linear.terms(SIX_OF_TEN, point, 0.5)["objective"] - closed["objective"]) for point in points]
    assert re.fullmatch(told, analytical.solver_sentence(gaps, closed))


def test_a_search_that_found_nothing_says_so(process, monkeypatch):
    monkeypatch.setattr(analytical, "STEPS", 100)
    monkeypatch.setattr(analytical, "EARLY_STEPS", 50)
    monkeypatch.setattr(stationarity, "stationary_points", lambda *_: [])
    routes = analytical.three_routes(process, 1.0)
    assert routes["solving"] == "No start converged after the ascent, so the solver says nothing about the optimum."
    assert {row[2] for row in analytical.route_rows(routes)} == {"–"}
