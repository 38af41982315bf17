"""Everything the analytical chapter computes, at parameters that a reader may give it."""

import matplotlib.pyplot as plt
import numpy as np
import pytest

from betavae_core.findings import optima
from betavae_core.showing import analytical, curves
from betavae_core.theory import linear
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
    monkeypatch.setattr(analytical, "STEPS", 40)
    monkeypatch.setattr(analytical, "EARLY_STEPS", 20)
    process = LinearGaussian(matrix, noise_std)
    best, ratio = linear.optimal_beta(process), noise_std**2
    betas = analytical.beta_grid(process, [1.0, beta, best, ratio])
    trained, fixed = linear.sweep(process, betas), linear.sweep(process, betas, decoder=process.mixing)
    routes = analytical.three_routes(process, beta)
    assert abs(routes["solver_gap"]) < 1e-7
    assert routes["led_global"] > 0
    assert len(analytical.route_rows(routes)) == len(LINEAR)
    summary = analytical.summary(process, best)
    assert summary["tie_best"] <= min(summary["tie_one"], summary["tie_ratio"]) + 1e-9
    assert summary["tie_best"] <= float(trained.tie.min()) + 1e-9
    assert summary["tie_fixed_best"] <= float(fixed.tie.min()) + 1e-9
    assert len(analytical.purchase_rows(process, best, ratio)) == (3 if ratio == 1 else 4)
    note = analytical.identification_note(process, beta)
    assert (note is not None) == (case == "repeated eigenvalues")
    assert optima.exact_peak(trained) == 1.0
    eigenvalues = np.sort(np.linalg.eigvalsh(process.covariance))[::-1][: process.mixing.shape[1]]
    for figure in (
        curves.draw(analytical.identity_panels(trained, beta, best)),
        analytical.water_filling_figure(eigenvalues, beta, betas),
        curves.draw([analytical.fixed_decoder_panel(trained, fixed, best, beta)]),
        analytical.best_beta_figure(process, noise_std),
    ):
        figure.canvas.draw()
        plt.close(figure)


def test_the_gain_of_the_best_beta_is_never_negative():
    gains = analytical.gain_over_family(30)
    assert (gains >= -1e-9).all()
    assert (gains < 1).all()


def test_a_fixed_true_decoder_attains_the_least_of_all_diagonal_gaussians(process):
    """½ (Σ log M_ii − log det M) is the least KL from a diagonal Gaussian to N(·, M⁻¹), a textbook result."""
    M = process.posterior_precision
    least = 0.5 * (np.log(np.diag(M)).sum() - np.linalg.slogdet(M)[1])
    assert analytical.summary(process, 1.2)["tie_fixed_best"] == pytest.approx(least)
