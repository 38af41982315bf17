"""The explorer's JavaScript in a real Chromium: its numbers against Python's, its state, its keyboard."""

import numpy as np
import pytest

from betavae_core import paths
from betavae_core.building import pdf
from betavae_core.theory import linear
from betavae_core.theory.gaussian import LinearGaussian

pytestmark = pytest.mark.slow
SAME = 1e-9  # relative to one nat and to the term, both closed forms in double precision
NAMES = ("reconstruction", "kl_prior", "elbo", "objective", "mie", "tie")
SPECIAL = [
    ([[2, 0], [0, 2]], 1.0),  # repeated eigenvalues
    ([[1, 1], [-1, 1]], 0.5),
    ([[0, 0], [0, 0]], 1.0),  # no signal
    ([[1, 2], [2, 4]], 0.7),  # rank one
    ([[2, 1], [1, 2]], 1.0),  # symmetric
    ([[0, 1], [1, 0]], 1.0),
    ([[0, 3], [0, 0]], 0.3),
]


@pytest.fixture(scope="module")
def page(browser):
    with pdf.served(paths.ROOT / "book/static") as site:
        opened = browser.new_page()
        opened.goto(f"{site}/scripts/model.js")
        yield opened


def ask(page, given, expression):
    """An expression in the names of model.js (as `m`), A, sigma and beta for each case given."""
    script = f"""async given => {{ const m = await import('/scripts/model.js');
        return given.map(([A, sigma, beta]) => ({expression})) }}"""
    return page.evaluate(script, given)


def cases(rng, count):
    random = [(rng.uniform(-3, 3, (2, 2)).round(1).tolist(), float(rng.uniform(0.1, 3))) for _ in range(count)]
    return [(A, sigma, float(10 ** rng.uniform(-2, 2))) for A, sigma in SPECIAL + random]


def test_numbers_are_python_s(page, rng):
    given = cases(rng, 300)
    found = ask(page, given, "{...m.terms(A, sigma, beta), best: m.optimalBeta(A, sigma)}")
    for (A, sigma, beta), ours in zip(given, found, strict=True):
        process = LinearGaussian(A, sigma)
        expected = linear.sweep(process, beta).isel(beta=0)
        for name in NAMES:
            assert ours[name] == pytest.approx(float(expected[name]), rel=SAME, abs=SAME), (name, A, sigma, beta)
        best = linear.optimal_beta(process)
        least = [float(linear.sweep(process, b).tie[0]) for b in (ours["best"], best)]
        assert least[0] == pytest.approx(least[1], abs=1e-8), (A, sigma)
        if np.any(A):
            assert ours["best"] == pytest.approx(best, rel=1e-5), (A, sigma)


def test_ellipses_are_the_posteriors(page, rng):
    """Python's exact posterior, and its encoder's means and variances up to order and sign of the latents."""
    given = cases(rng, 50)
    found = ask(page, given, "m.posteriors(A, sigma, beta, [1, -0.5])")
    for (A, sigma, beta), ours in zip(given, found, strict=True):
        process = LinearGaussian(A, sigma)
        x = process.mixing @ [1, -0.5]
        assert ours["exact"]["mean"] == pytest.approx(process.posterior_mean(x), abs=SAME)
        assert np.array(ours["exact"]["covariance"]) == pytest.approx(process.posterior_covariance, abs=SAME)
        variance = sorted(linear.optimum(process, beta).variance)
        assert sorted(np.diag(ours["q"]["covariance"])) == pytest.approx(variance, abs=SAME)
        encoded = linear.optimum(process, beta).encoder @ x
        if len(set(np.linalg.eigvalsh(process.covariance).round(9))) == 2:
            assert sorted(np.abs(ours["q"]["mean"])) == pytest.approx(sorted(np.abs(encoded)), abs=1e-8)


def test_sentences_say_how_sure_the_encoder_is_what_is_off_and_how_far_the_error_is_from_the_least(page):
    """Below λ₂ the area of q is β/σ² times that of the exact posterior."""
    A, sigma = [[2, 1], [0.5, 1.5]], 1.0
    process = LinearGaussian(A, sigma)
    best = linear.optimal_beta(process)
    script = """async given => {
        const m = await import('/scripts/model.js'), { sentences } = await import('/scripts/words.js');
        return given.map(([A, sigma, beta]) => {
            const best = m.optimalBeta(A, sigma), { exact } = m.posteriors(A, sigma, beta, [1, 0]);
            return sentences(beta, m.terms(A, sigma, beta), best, m.terms(A, sigma, best), exact.covariance);
        }) }"""
    betas = [0.25, 1.0, best, 1.5, 2.0, 8.0]
    found = dict(zip(betas, page.evaluate(script, [[A, sigma, beta] for beta in betas]), strict=True))
    for beta, said in found.items():
        tie, least = (float(linear.sweep(process, b).tie[0]) for b in (beta, best))
        assert f"The error is {tie:.3g} nats" in said
        assert (f"{tie - least:.3g} above the least, which is at β* = {best:.3g}" in said) == (tie - least >= 0.005)
        assert ("as small as β can make it" in said) == (tie - least < 0.005)
    assert "too sure: it covers 0.25 times the area" in found[0.25]
    assert "as sure as the exact posterior" in found[1.0]
    assert "too wide: it covers 1.5 times the area" in found[1.5]
    assert [said.count("switched off") for said in found.values()] == [0, 0, 0, 0, 1, 1]
    assert ("One latent" in found[2.0], "q is the prior" in found[8.0]) == (True, True)


def test_states_travel_through_addresses(page):
    script = """async text => { const { parseState, formatState } = await import('/scripts/explorer.js');
        return formatState(parseState(text, {beta: 2, noise: 1, entries: [2, 1, 0.5, 1.5]})) }"""
    same = "beta=4.5&A=1,-2,0.3,0&sigma=0.5"
    assert page.evaluate(script, same) == same
    for broken in ("", "beta=-1", "beta=1e9", "A=1,2,3", "A=1,2,3,x", "sigma=0", "<script>"):
        assert page.evaluate(script, broken) == "beta=2&A=2,1,0.5,1.5&sigma=1"
