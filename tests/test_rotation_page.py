"""Everything the chapter on rotation computes, at parameters that a reader may give it."""

import matplotlib.pyplot as plt
import numpy as np
import pytest

from betavae_core.errors import UsageError
from betavae_core.showing import rotation, tables
from betavae_core.theory import linear
from betavae_core.theory.gaussian import LinearGaussian
from betavae_workshop.building import parameters

CASES = {
    "default": ([[2.0, 1.0], [0.5, 1.5]], 1.0),
    "one source": ([[1.0], [2.0], [0.3]], 0.5),
    "three of five": (np.random.default_rng(1).standard_normal((5, 3)).tolist(), 0.8),
    "repeated eigenvalues": ([[2.0, 0.0], [0.0, 2.0]], 1.0),
    "rank one": ([[2.0, 1.0], [2.0, 1.0], [0.0, 0.0]], 2.0),
    "strong signal": ([[1000.0, 0.0], [0.0, 0.05]], 0.01),
    "no signal": ([[0.0, 0.0], [0.0, 0.0]], 1.0),
}


@pytest.mark.parametrize("case", CASES)
def test_the_page_follows_its_parameters(case, rng):
    process = LinearGaussian(*CASES[case])
    cells, drawn = rotation.cells(process), rotation.random_rotations(process, 5, rng)
    noise = process.noise_std**2
    M = process.posterior_precision
    cost = 0.5 * (np.log(np.diag(M)).sum() - np.linalg.slogdet(M)[1])
    trained = float(linear.sweep(process, linear.optimal_beta(process)).tie[0])
    assert cells["principal", "diagonal"][1] == pytest.approx(trained, abs=1e-6)
    assert cells["principal", "full"] == pytest.approx(cells["principal", "diagonal"], rel=1e-3, abs=1e-6)
    assert cells["right", "full"][1] == pytest.approx(0, abs=1e-6)
    assert cells["right", "diagonal"][1] == pytest.approx(cost, abs=1e-6)
    assert (drawn[:, 1] >= -1e-9).all()
    rows = {name: told for name, _, *told in rotation.cell_rows(cells, drawn, noise)}
    assert list(rows)[-1] == "random (median of 5)"
    told = [
        "principal axes (trained)",
        "principal axes",
        "sources' own axes (imposed)",
        "sources' own axes",
        list(rows)[-1],
    ]
    for name, (beta, tie) in zip(told, [*cells.values(), np.median(drawn, 0)], strict=False):
        assert rows[name] == [tables.number(beta / noise, 4), tables.number(max(tie, 0.0), 5)]
    figure = rotation.rotation_figure(process, cells, drawn)
    figure.canvas.draw()
    lines, points = (axis.lines for axis in figure.axes)
    of = dict(zip((("principal", "diagonal"), ("right", "diagonal"), ("right", "full")), lines, strict=False))
    for cell, point in zip(cells, points[1:], strict=True):
        assert point.get_color() == of.get(cell, lines[0]).get_color()
        assert point.get_xydata()[0] == pytest.approx([cells[cell][0] / noise, cells[cell][1]])
    plt.close(figure)


@pytest.mark.parametrize("case", ["default", "one source", "three of five", "strong signal"])
def test_the_learned_variance_takes_out_the_noise_ratio(case):
    process = LinearGaussian(*CASES[case])
    k, r = process.mixing.shape[1], linear.optimal_beta(process) / process.noise_std**2
    for row in rotation.learned_noise(process, (2 * k + 1, 25 * k)):
        assert row["at_one"] == pytest.approx(process.noise_std**2)
        assert row["searched"] == pytest.approx(row["formula"], rel=1e-4)
        if case != "three of five":  # there a latent collapses before the best β
            assert row["formula"] == pytest.approx(r * row["N"] / (row["N"] - k + r * k), rel=1e-6)


def test_many_sources_follow_the_law(rng, monkeypatch):
    monkeypatch.setattr(rotation, "SOURCES", (2, 7))
    found = rotation.many_source_models(2, rng)
    assert [row[0] for row in rotation.many_source_rows(found)] == ["2", "7"]
    for rows in found.values():
        assert rows[:, 0] == pytest.approx(rows[:, 1], rel=0.02)
        assert rows[:, 2] == pytest.approx(rows[:, 3], rel=0.05, abs=1e-3)
    figure = rotation.many_source_figure(found)
    figure.canvas.draw()
    plt.close(figure)


def test_what_is_searched_stands_beside_what_the_law_says(rng, monkeypatch):
    monkeypatch.setattr(rotation, "SOURCES", (3,))
    monkeypatch.setattr(rotation, "random_model", lambda k, _: LinearGaussian(*CASES["three of five"]))
    monkeypatch.setattr(linear, "many_source_law", lambda _: (9.0, 8.0))
    process = LinearGaussian(*CASES["three of five"])
    best = linear.optimal_beta(process)
    at_one, at_best = linear.sweep(process, [1.0, best]).tie.values
    found = rotation.many_source_models(1, rng)
    assert found[3][0] == pytest.approx([best, 9, at_one - at_best, 8, at_best], rel=1e-5)
    assert rotation.many_source_rows(found)[0][2::2] == ["9.000", "8.000"]
    for axis, (searched, law) in zip(
        rotation.many_source_figure(found).axes, ((best, 9), (at_one - at_best, 8)), strict=True
    ):
        assert axis.lines[1].get_xydata()[0] == pytest.approx([law, searched], rel=1e-5)


def test_the_figure_and_the_table_of_penalties():
    mixing, betas = CASES["default"][0], np.array([1.0, 2.0, 4.0])
    for panel, noise in zip(rotation.penalty_panels(mixing, (1.0, 2.0), betas), (1.0, 2.0), strict=True):
        plain, penalised = panel.curves
        trained = linear.sweep(LinearGaussian(mixing, noise), betas).tie.values
        assert np.interp(betas, plain.beta, plain.value) == pytest.approx(trained)
        assert penalised.value == pytest.approx([trained[0]] * 3, abs=1e-5)  # β = 1: no penalty
    rows = rotation.penalty_rows(mixing, (1.0, 2.0), (1.0,))
    assert [row[1:] for row in rows[:-1]] == [["1.7419", "1.3712"]] * 5
    assert rows[-1][1:] == ["2.3249", "1.4273"]  # the one that the theorem does not cover


def test_the_chapter_s_parameters_are_checked():
    assert parameters.checked("rotation", {"models": "3", "noise_std": "0.5"}) == {"models": 3, "noise_std": 0.5}
    for name, value in {"models": "0", "noise_std": "0", "mixing_matrix": "[[1, 2]]", "beta": "2"}.items():
        with pytest.raises(UsageError):
            parameters.checked("rotation", {name: value})
