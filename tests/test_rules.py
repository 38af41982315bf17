"""Rules on curves whose truth is known, their error rates by simulation, and what the rules before them did there."""

import numpy as np
import pytest
import scipy.stats

from betavae_core.findings.judging import rules
from betavae_workshop import calibration, rates

SIGNS = [("held", 1), ("undecided", 0), ("refuted", -1)]


def noisy(curve, count, rng, scatter=0.1):
    return np.array(curve, float)[:, None] + scatter * rng.standard_normal((len(curve), count))


def test_chance_is_students_and_the_sign_tests_whichever_is_larger(rng):
    values = rng.standard_normal(12) + 0.3
    student = scipy.stats.ttest_1samp(values, 0, alternative="greater").pvalue
    sign = scipy.stats.binomtest(int((values > 0).sum()), 12, alternative="greater").pvalue
    assert rules.chance(values) >= max(student, sign) - 1e-12
    symmetric = np.concatenate([1 + values, 1 - values])  # no skewness to correct
    exact = scipy.stats.ttest_1samp(symmetric, 0, alternative="greater").pvalue
    by_sign = scipy.stats.binomtest(int((symmetric > 0).sum()), 24, alternative="greater").pvalue
    assert rules.chance(symmetric) == pytest.approx(max(exact, by_sign))


def test_chance_corrects_for_a_tail_below():
    """Skewed to the left, the mean is less sure to be above zero than Student's t has it: formula, by hand."""
    values = np.array([1.0] * 19 + [-6.0])
    m, s = values.mean(), values.std(ddof=1)
    third = ((values - m) ** 3).mean()
    u, skew = m / s, third / s**3
    t = 20**0.5 * (((1 + skew * u / 3) ** 3 - 1) / skew + skew / 120)  # Hall's, in closed form
    assert rules.chance(values) == pytest.approx(scipy.stats.t.sf(t, 19))
    assert rules.chance(values) > scipy.stats.ttest_1samp(values, 0, alternative="greater").pvalue


def test_what_does_not_vary_and_what_is_alone():
    assert rules.chance(np.ones(8)) == pytest.approx(1 / 2**8)
    assert rules.chance(np.zeros(8)) == rules.chance(-np.ones(8)) == 1
    assert rules.chance([5.0]) == 1


@pytest.mark.parametrize(
    ("curve", "decision"),
    [([3, 2, 1, 0], 1), ([3, 2, 2, 0], 0), ([3, 2, 3, 0], -1)],
)
def test_a_curve_falls(rng, curve, decision):
    assert rules.falls(np.diff(noisy(curve, 20, rng), axis=0)) == decision


@pytest.mark.parametrize(
    ("curve", "decision"),
    [([3, 0, 1, 2, 3], 1), ([3, 1, 0, 2, 3], 1), ([3, 2, 1, 1, 3], 0), ([3, 3, 2, 0, 1], -1)],
)
def test_a_curve_is_least_near_a_point(rng, curve, decision):
    assert rules.near(noisy(curve, 20, rng), [False, True, True, False, False]) == decision


@pytest.mark.parametrize(
    ("curve", "decision"),
    [([3, 1, 0, 2], 1), ([3, 1, 0, 0], 0), ([1, 1, 2, 3], 0), ([3, 2, 1, 0], -1), ([0, 1, 2, 3], -1)],
)
def test_a_curve_is_least_between_its_ends(rng, curve, decision):
    assert rules.interior(noisy(curve, 20, rng)) == decision


def test_few_realizations_decide_where_the_point_was_foreseen(rng):
    curves = noisy([3, 1, 0, 2], 5, rng)
    assert rules.interior(curves) == 0
    assert rules.interior(curves, foreseen=2) == 1
    assert rules.interior(curves[:, :4], foreseen=2) == 0  # four agree by chance in one of sixteen cases


def test_five_networks_cannot_refute_an_optimum_between_ends(rng):
    """Either end may lie lowest, so they share the level; five that agree have 1/32, six have 1/64."""
    curves = np.arange(4.0)[:, None] + 0.01 * rng.standard_normal((4, 6))
    assert (rules.interior(curves[:, :5]), rules.interior(curves)) == (0, -1)


@pytest.mark.parametrize("shape", [(1, 9), (2, 9), (3, 2, 9)])
def test_nothing_is_decided_where_no_two_points_can_be_compared(shape, rng):
    curves = rng.standard_normal(shape)
    for decision in (rules.interior(curves), *(rules.near(curves, np.full(shape[-2], all)) for all in (True, False))):
        assert decision.tolist() == np.zeros(shape[:-2]).tolist()


@pytest.mark.parametrize("foreseen", [0, 3])
def test_a_foreseen_end_decides_nothing(foreseen, rng):
    for curve in ([0, 1, 2, 3], [3, 2, 1, 0], [3, 0, 0, 3]):
        assert rules.interior(noisy(curve, 20, rng), foreseen) == 0


def test_differences_are_positive_together(rng):
    up, down = 1 + 0.1 * rng.standard_normal((2, 5))
    assert [int(rules.positive([a, b])) for a, b in ((up, down), (up, -down), (-up, -down))] == [1, 0, -1]
    assert rules.positive([up[:3]]) == 0


def test_one_network_decides_nothing(rng):
    """Nineteen that fall clearly, and one that rises by as much as all of them fall together."""
    steps = -1 + 0.1 * rng.standard_normal((1, 20))
    assert rules.falls(steps) == 1
    steps[0, 0] = 25.0
    assert rules.falls(steps) == 0


def test_leading_axes_are_experiments(rng):
    curves = rng.standard_normal((6, 4, 9)) + np.array([3, 1, 0, 2])[:, None]
    for rule in (rules.falls, rules.interior, rules.positive, lambda c: rules.near(c, [False, True, True, False])):
        assert rule(curves).tolist() == [int(rule(one)) for one in curves]


# The rules before these, on (trial, beta, realization), for what they would have erred here.


def resampled(values, draws=200):
    """Means of realizations drawn with replacement, stretched to Student's: (…, row, draw)."""
    count = values.shape[-1]
    stretch = (count / (count - 1)) ** 0.5 * scipy.stats.t.ppf(0.975, count - 1) / 1.96
    weights = np.random.default_rng(0).multinomial(count, np.full(count, 1 / count), draws).T / count
    middle = values.mean(-1, keepdims=True)
    return middle + stretch * ((values - middle) @ weights)


def before(rule, curves):
    """Decisions of the rules before: the largest resampled step; a padded interval that stays inside, or near."""
    if rule == "falls":
        low, high = np.quantile(resampled(np.diff(curves, axis=-2)).max(-2), (0.025, 0.975), axis=-1)
        return np.where(high <= 0, 1, np.where(low > 0, -1, 0))
    if rule == "positive":
        low, high = np.quantile(resampled(np.diff(curves, axis=-2)), (0.025, 0.975), axis=-1)
        return np.where((low > 0).all(-1), 1, np.where((high <= 0).any(-1), -1, 0))
    least = resampled(curves).argmin(-2)
    low, high = np.quantile(least, (0.025, 0.975), axis=-1, method="nearest")
    low, high, last = low - 1, high + 1, curves.shape[-2] - 1
    if rule == "interior":
        return np.where((low >= 0) & (high <= last), 1, np.where((high <= 1) | (low >= last - 1), -1, 0))
    inside = calibration.EXPECTED
    first, final = inside.start, inside.stop - 1
    return np.where((low >= first) & (high <= final), 1, np.where((low > final) | (high < first), -1, 0))


TRIALS = 200
MOST = rules.LEVEL + 3 * (rules.LEVEL * (1 - rules.LEVEL) / TRIALS) ** 0.5  # of so many trials


@pytest.fixture(scope="module")
def noises():
    return calibration.noises()


@pytest.mark.parametrize("rule", calibration.RULES)
@pytest.mark.parametrize("kind", ["normal", "mixing, tie, sign at random", "localisation, elbo, sign at random"])
@pytest.mark.parametrize("count", [5, 20])
def test_rules_err_in_one_of_twenty_cases_at_most(noises, rule, kind, count):
    found = calibration.rates(rule, noises[kind], count, TRIALS)
    assert max(found["false_held"], found["false_refuted"]) <= MOST


@pytest.mark.parametrize("rule", ["falls", "interior"])
def test_the_rules_before_these_erred_more_often(noises, rule):
    found = calibration.rates(rule, noises["normal"], 20, TRIALS, decision=before)
    assert max(found["false_held"], found["false_refuted"]) > MOST


def test_the_rule_before_this_could_not_tell_a_neighbour_of_near(noises):
    """An optimum that lies for certain at 5 where 1 is expected."""
    old, new = (
        calibration.rates("near", noises["normal"], 20, TRIALS, decision=d) for d in (before, calibration.decide)
    )
    assert old["refuted"][-1] == 0
    assert new["refuted"][-1] > 0.3


def test_the_rules_see_what_is_there(noises):
    """At four standard errors a step, of normal noise and twenty realizations."""
    power = {rule: calibration.rates(rule, noises["normal"], 20, TRIALS) for rule in calibration.RULES}
    assert power["near"]["held"][-1] > 0.9
    assert power["interior"]["held"][1] > 0.9
    assert power["positive"]["held"][-1] > 0.6
    assert power["falls"]["refuted"][-1] > 0.3


@pytest.mark.parametrize("rule", calibration.RULES)
def test_stored_rates_are_those_of_the_rules(noises, rule):
    """At fewer trials, within the error of both numbers."""
    table = rates.load()
    stored = {(row["noise"], row["n"]): row for row in table["rules"] if row["rule"] == rule}
    for kind, count in (("normal", 20), ("localisation, tie, as it lies", 60)):
        found = calibration.rates(rule, noises[kind], count, TRIALS, seed=1)
        for name in ("held", "refuted"):
            spread = (np.array(found[name]) * (1 - np.array(found[name])) / TRIALS + 1 / TRIALS**2) ** 0.5
            assert np.abs(np.array(found[name]) - stored[kind, count][name]) == pytest.approx(0, abs=5 * spread.max())


def test_each_cell_is_stored(noises):
    table = rates.load()
    assert {(row["noise"], row["rule"], row["n"]) for row in table["rules"]} == {
        (kind, rule, count) for kind in noises for rule in calibration.RULES for count in calibration.COUNTS
    }
    beyond = [row for row in table["rules"] if max(row["false_held"], row["false_refuted"]) > 0.07]
    assert all(row["noise"].endswith("as it lies") for row in beyond)


def test_rows_name_terms_as_the_book_does():
    named = {row[0].split(", ")[1] for row in rates.interval_rows(rates.load())}
    assert named == {"ELBO", "MIE", "TIE"}


@pytest.mark.parametrize(("term", "normal"), [("elbo", True), ("tie", False)])
def test_intervals_of_optima_hold_the_line_as_often_as_stored(term, normal):
    held, width = calibration.coverage("localisation", term, 20, normal, trials=200, seed=1)
    table = rates.load()["intervals"]
    cell = {"curve": f"localisation, {term}", "normal": normal, "n": 20}
    stored = next(row for row in table if cell.items() <= row.items())
    assert held == pytest.approx(stored["coverage"], abs=0.05)
    assert width == pytest.approx(stored["width"], rel=0.5)


def test_intervals_of_the_best_beta_of_tiles_hold_the_theorys():
    found = calibration.coverage_of_tiles("tiles", 0.03, 12, trials=300, seed=1)
    assert found["coverage"] > 0.92
    assert found["best"] == pytest.approx(found["theory"], abs=0.004)
