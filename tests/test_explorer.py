"""The explorer's JavaScript in a real Chromium: its numbers against Python's, its state, its keyboard."""

import functools
import http.server
import threading

import numpy as np
import pytest

from betavae_core import book, linear
from betavae_core.gaussian import LinearGaussian
from tests.test_browser import browser  # noqa: F401

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
def page(browser):  # noqa: F811
    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(Quiet, directory=book.ROOT / "book/static")
    )
    threading.Thread(target=server.serve_forever, daemon=True).start()
    opened = browser.new_page()
    opened.goto(f"http://127.0.0.1:{server.server_port}/scripts/model.js")
    yield opened
    server.shutdown()
    server.server_close()


def cases(rng, count):
    random = [(rng.uniform(-3, 3, (2, 2)).round(1).tolist(), float(rng.uniform(0.1, 3))) for _ in range(count)]
    return [(A, sigma, float(10 ** rng.uniform(-2, 2))) for A, sigma in SPECIAL + random]


def test_numbers_are_python_s(page, rng):
    given = cases(rng, 300)
    found = page.evaluate(
        "async given => { const m = await import('/scripts/model.js');"
        "return given.map(([A, sigma, beta]) => ({...m.terms(A, sigma, beta), best: m.optimalBeta(A, sigma)})) }",
        given,
    )
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
    """Python's exact posterior, and a TIE of the drawn q that is the one computed, once averaged over x."""
    given = cases(rng, 50)
    found = page.evaluate(
        "async given => { const m = await import('/scripts/model.js');"
        "return given.map(([A, sigma, beta]) => m.posteriors(A, sigma, beta, [1, -0.5])) }",
        given,
    )
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


def test_states_travel_through_addresses(page):
    script = """async text => { const { parseState, formatState } = await import('/scripts/explorer.js');
        return formatState(parseState(text, {beta: 2, noise: 1, entries: [2, 1, 0.5, 1.5]})) }"""
    same = "beta=4.5&A=1,-2,0.3,0&sigma=0.5"
    assert page.evaluate(script, same) == same
    for broken in ("", "beta=-1", "beta=1e9", "A=1,2,3", "A=1,2,3,x", "sigma=0", "<script>"):
        assert page.evaluate(script, broken) == "beta=2&A=2,1,0.5,1.5&sigma=1"
