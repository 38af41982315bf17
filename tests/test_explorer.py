"""The explorer's JavaScript in a real Chromium: its numbers against Python's, its state, its keyboard."""

import itertools
import shutil

import numpy as np
import pytest

from betavae_core import paths
from betavae_core.showing import interactive
from betavae_core.theory import linear
from betavae_core.theory.gaussian import LinearGaussian
from betavae_core.theory.identity import Parameters
from betavae_core.theory.identity import terms as terms_of
from betavae_core.theory.rotation import FAMILIES, least_rotated_tie, right_rotation, rotated_tie
from betavae_workshop.building import pdf

pytestmark = pytest.mark.slow
SAME = 1e-9  # relative to one nat and to the term, both closed forms in double precision
PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>t</title>
<link rel="stylesheet" href="_static/companion.css"></head><body>{}
<script type="module" src="_static/scripts/explorer.js"></script></body></html>"""
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
    for j, source in enumerate(([1, 0], [0, 1])):  # each latent has the sign of the source that it is named after
        assert min(each[j] for each in ask(page, given, f"m.posteriors(A, sigma, beta, {source}).q.mean")) >= 0


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
    betas = [0.25, 1.0, 1.1, best, 1.5, 2.0, 8.0]
    found = dict(zip(betas, page.evaluate(script, [[A, sigma, beta] for beta in betas]), strict=True))
    for beta, said in found.items():
        tie, least = (float(linear.sweep(process, b).tie[0]) for b in (beta, best))
        assert f"The error is {tie:.3g} nats" in said
        assert (f"{tie - least:.3g} above the least, which is at β* = {best:.3g}" in said) == (tie - least >= 0.005)
        assert ("as small as β can make it" in said) == (tie - least < 0.005)
    assert "too sure: it covers 0.25 times the area" in found[0.25]
    assert "as sure as the exact posterior" in found[1.0]
    assert all(f"too wide: it covers {beta} times the area" in found[beta] for beta in (1.1, 1.5))
    assert [said.count("switched off") for said in found.values()] == [0, 0, 0, 0, 0, 1, 1]
    assert ("One latent" in found[2.0], "q is the prior" in found[8.0]) == (True, True)


TURNED = """async given => { const m = await import('/scripts/model.js'), r = await import('/scripts/rotation.js');
    return given.map(([A, sigma, beta, angle, family]) => ({
        ...r.turnedTerms(A, sigma, beta, angle, family), u: m.spectrum(A, sigma).u,
        own: r.ownAngle(A, sigma), trained: m.terms(A, sigma, beta).tie })) }"""


def rotation(process, ours, angle):
    """Q of rotation.py for an angle counted from the explorer's eigenvectors."""
    left = np.linalg.svd(process.mixing)[0]
    c, s = np.cos(angle), np.sin(angle)
    return left.T @ np.transpose(ours["u"]) @ [[c, -s], [s, c]]


def turned(page, rng, count):
    """(process, beta, angle, family, what the explorer finds) of special and random models, with either family."""
    given = [
        (A, sigma, beta, float(rng.uniform(-0.7, 0.7)), family)
        for A, sigma, beta in cases(rng, count)
        for family in FAMILIES
    ]
    for (A, sigma, *rest), ours in zip(given, page.evaluate(TURNED, given), strict=True):
        yield LinearGaussian(A, sigma), *rest, ours


def test_turned_latents_are_python_s(page, rng):
    for process, beta, angle, family, ours in turned(page, rng, 100):
        expected = rotated_tie(process, beta, rotation(process, ours, angle), family)
        assert ours["tie"] == pytest.approx(expected, rel=SAME, abs=1e-8), (process, beta, angle, family)


def test_the_other_terms_of_turned_latents(page, rng):
    """With a diagonal q, those of `identity.terms`; with a full one, the objective is the optimum's at any angle."""
    for process, beta, angle, family, ours in turned(page, rng, 50):
        values = np.linalg.eigvalsh(process.covariance)[::-1]
        c, s = np.cos(angle), np.sin(angle)
        D = np.transpose(ours["u"]) * np.sqrt(np.maximum(values - beta, 0)) @ [[c, -s], [s, c]]
        T = D @ D.T + np.eye(2)
        likelihood = -0.5 * (
            2 * np.log(2 * np.pi) + np.linalg.slogdet(T)[1] + np.trace(np.linalg.solve(T, process.covariance))
        )
        assert ours["elbo"] + ours["mie"] == pytest.approx(likelihood, abs=1e-8)
        if family == "full":
            best = float(linear.sweep(process, beta).objective[0])
            assert ours["objective"] == pytest.approx(best, rel=1e-8, abs=1e-8)
        else:
            variance = beta / (beta + (D**2).sum(0))
            encoder = np.linalg.solve(D.T @ D + beta * np.eye(2), D.T)
            expected = terms_of(process, Parameters(D, encoder, variance), beta)
            for name in NAMES:
                assert ours[name] == pytest.approx(float(expected[name]), rel=1e-8, abs=1e-8), name


def test_the_sources_own_angle_and_the_least_error_there(page, rng):
    script = """async given => { const r = await import('/scripts/rotation.js');
        return given.map(([A, sigma]) => { const own = r.ownAngle(A, sigma);
            return [own, ...r.FAMILIES.map(f => [f, r.leastTurned(A, sigma, own, f)])] }) }"""
    matrices = (
        [[2, 1], [0.5, 1.5]],
        [[1, -2], [1.5, 0.5]],
        [[1, 2], [2, 1]],
        [[2, 1], [1.5, -0.5]],
    )  # two mirror
    given = list(zip(matrices, (1.0, 0.5, 0.7, 1.2), strict=True))
    for (A, sigma), (own, *least) in zip(given, page.evaluate(script, given), strict=True):
        assert -np.pi / 4 < own <= np.pi / 4
        process = LinearGaussian(A, sigma)
        for family, beta in least:
            expected, tie = least_rotated_tie(process, right_rotation(process), family)
            assert beta == pytest.approx(expected, rel=1e-4)
            assert beta == pytest.approx(sigma**2, rel=1e-4)
            (ours,) = page.evaluate(TURNED, [(A, sigma, beta, own, family)])
            assert ours["tie"] == pytest.approx(tie, abs=1e-8)


def test_the_least_error_of_a_turn_is_found_where_a_latent_collapses_too(page, rng):
    """Nothing on a dense grid with the threshold is less; at 12° and 15° it lies there, and once was stepped over."""
    script = """async given => { const r = await import('/scripts/rotation.js');
        return given.map(([A, sigma, angle, family]) => { const found = r.modelOf(A, sigma),
            [high, kink] = found.lambda, low = sigma * sigma / 10,
            tie = beta => r.turnedTerms(A, sigma, beta, angle, family, found).tie,
            grid = Array.from({ length: 2000 }, (_, i) => low * (high / low) ** (i / 1999));
            return tie(r.leastTurned(A, sigma, angle, family)) - Math.min(...[...grid, kink].map(tie)) }) }"""
    usual = [([[2, 1], [0.5, 1.5]], 1.0, np.radians(turn), family) for turn in (12, 15) for family in FAMILIES]
    drawn = [(rng.uniform(-3, 3, (2, 2)).tolist(), rng.uniform(0.3, 2), rng.uniform(0, 1.5), "full") for _ in range(40)]
    assert max(page.evaluate(script, [*usual, *drawn])) < 1e-6


def test_unturned_and_diagonal_is_the_trained_model(page, rng):
    given = [(*case, 0.0, "diagonal") for case in cases(rng, 50)]
    for ours in page.evaluate(TURNED, given):
        assert ours["tie"] == pytest.approx(ours["trained"], abs=1e-8)


def test_states_travel_through_addresses(page):
    script = """async text => { const { parseState, formatState } = await import('/scripts/explorer.js');
        return formatState(parseState(text, {beta: 2, noise: 1, entries: [2, 1, 0.5, 1.5]})) }"""
    plain = "beta=4.5&A=1,-2,0.3,0&sigma=0.5"
    for same in (plain, f"{plain}&turn=-12.5&q=full", f"{plain}&q=full", plain.replace("4.5", "1.21162")):
        assert page.evaluate(script, same) == same
    for broken in (
        "",
        "beta=-1",
        "beta=1e9",
        "A=1,2,3",
        "A=1,2,3,x",
        "sigma=0",
        "turn=46",
        "turn=x",
        "q=other",
        "<script>",
    ):
        assert page.evaluate(script, broken) == "beta=2&A=2,1,0.5,1.5&sigma=1"


@pytest.fixture
def opened(blank, tmp_path):
    """Open the explorer of a model at a β."""
    shutil.copytree(paths.ROOT / "book/static", tmp_path / "_static")
    with pdf.served(tmp_path) as site:

        def start(process, beta):
            (tmp_path / "page.html").write_text(PAGE.format(interactive.explorer(process, beta).data))
            blank.set_viewport_size({"width": 900, "height": 900})
            blank.goto(f"{site}/page.html")
            blank.locator(".explorer .dial").wait_for(state="attached")
            return blank

        yield start


@pytest.fixture
def explorer(opened, process):
    """At β = 1 with the reference model."""
    return opened(process, 1.0)


STARTS = [
    ([[2, 1], [0.5, 1.5]], 1, 4),
    ([[2, 1], [0.5, 1.5]], 0.05, 1),
    ([[5, 0.25], [0, 1]], 5, 1000),
    ([[-12.34, 1], [1, 70]], 0.02, 1e-9),
]


@pytest.mark.parametrize(("A", "sigma", "beta"), STARTS)
def test_controls_say_what_the_page_starts_with_and_reach_it(opened, A, sigma, beta):
    """They said the nearest step, and the end of the range for what lies beyond it; the best β was out of reach."""
    process = LinearGaussian(A, sigma)
    page, wanted = opened(process, beta), [beta, *np.ravel(A), sigma]
    low, high = page.locator(".controls input").first.evaluate("one => [+one.min, +one.max]")
    assert low < np.log10(linear.optimal_beta(process)) < high

    def said():
        told = page.locator(".controls input[type=range]").evaluate_all(
            "all => all.slice(0, 6).map(one => [one.ariaValueText, one.parentNode.querySelector('output').value])"
        )
        return [[float(text.replace("−", "-")) for text in pair] for pair in told]

    assert np.array(said()) == pytest.approx(np.transpose([wanted, wanted]), rel=0.005)
    at = page.locator(".controls input").evaluate_all("all => all.slice(0, 6).map(one => [+one.value, +one.step])")
    for (value, step), true in zip(at, [np.log10(beta), *wanted[1:]], strict=True):
        assert value == pytest.approx(true, abs=step / 2 + 1e-9)
    page.get_by_role("button", name="Copy a link").click()
    readout = page.locator(".readout").inner_text()
    page.reload()
    assert np.array(said()) == pytest.approx(np.transpose([wanted, wanted]), rel=0.005)
    assert page.locator(".readout").inner_text() == readout


def test_a_link_set_in_the_open_page_is_followed_and_a_jump_to_a_section_is_not(explorer):
    explorer.goto(f"{explorer.url}?x=1")
    told, readout = explorer.locator(".controls output"), explorer.locator(".readout")
    explorer.evaluate("location.hash = '#beta=4&A=1,0,0,2&sigma=0.5&turn=10&q=full'")
    explorer.locator("output", has_text="10°").wait_for()
    assert told.all_inner_texts() == ["4", "1", "0", "0", "2", "0.5", "10°"]
    assert explorer.get_by_label("full").is_checked()
    assert "β = 4:" in readout.inner_text()
    explorer.evaluate(
        "window.heard = new Promise(done => addEventListener('hashchange', done)); location.hash = '#section'"
    )
    explorer.evaluate("heard.then(() => {})")
    assert "β = 4:" in readout.inner_text()
    explorer.get_by_role("button", name="Reset").click()
    assert explorer.url.endswith("page.html?x=1")
    assert told.all_inner_texts() == ["1", "2", "1", "0.5", "1.5", "1", "0°"]


def test_an_address_that_was_copied_tells_of_no_later_state_and_a_link_leads_to_the_explorer(explorer):
    explorer.evaluate("document.body.insertAdjacentHTML('afterbegin', '<p style=height:3000px>before</p>')")
    explorer.get_by_role("button", name="Copy a link").click()
    link = explorer.url
    assert "beta=1&" in link
    explorer.locator(".controls input").first.focus()
    explorer.keyboard.press("ArrowRight")
    assert "#" not in explorer.url
    explorer.route("**/page.html", lambda route: route.fulfill(body=_with_space_above(route)))
    explorer.goto("about:blank")
    explorer.goto(link)
    explorer.wait_for_function("scrollY > 2000")


def _with_space_above(route):
    return route.fetch().text().replace("<body>", "<body><p style=height:3000px>before</p>")


def test_a_beta_shown_is_the_beta_used(explorer):
    """β = 2 by the slider was 1.99526, with numbers of its own."""
    slider, readout = explorer.locator(".controls input").first, explorer.locator(".readout")
    slider.focus()
    for _ in range(30):
        explorer.keyboard.press("ArrowRight")
    assert explorer.locator(".controls output").first.inner_text() == "2"
    shown = readout.inner_text()
    explorer.evaluate(
        "location.hash = '#beta=2&A=2,1,0.5,1.5&sigma=1'; new Promise(done => addEventListener('hashchange', done))"
        ".then(() => {})"
    )
    assert readout.inner_text() == shown


def test_a_finger_turns_the_latents_by_the_handle(browser, explorer):
    """The handle was drawn anew under the finger, which then scrolled the page."""
    context = browser.new_context(has_touch=True, is_mobile=True, viewport={"width": 390, "height": 700})
    page = context.new_page()
    page.goto(explorer.url)
    page.evaluate("document.body.insertAdjacentHTML('beforeend', '<p style=height:3000px>behind</p>')")
    page.locator(".dial .handle").scroll_into_view_if_needed()
    plane, before = page.locator("svg.plane").bounding_box(), page.evaluate("scrollY")
    finger = context.new_cdp_session(page)
    for i, degrees in enumerate((0, 10, 20, 30)):
        radius = plane["width"] * 108 / 240
        x = plane["x"] + plane["width"] / 2 + radius * np.cos(np.radians(degrees))
        y = plane["y"] + plane["height"] / 2 - radius * np.sin(np.radians(degrees))
        kind = "touchMove" if i else "touchStart"
        finger.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [{"x": x, "y": y}]})
        page.wait_for_timeout(50)
    finger.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    assert float(page.get_by_label("turn", exact=True).input_value()) == pytest.approx(30, abs=1)
    assert page.evaluate("scrollY") == before
    context.close()


def test_without_a_signal_tie_is_least_from_the_noise_on_and_an_axis_has_each_number_once(explorer):
    explorer.evaluate("location.hash = '#beta=2&A=0,0,0,0&sigma=2'")
    told = explorer.locator(".explorer .readout", has_text="β = 2:")
    told.wait_for()
    found = linear.sweep(LinearGaussian(np.zeros((2, 2)), 2.0), [2.0, 4.0, 8.0]).tie.values
    assert found[0] > 0.1 and found[1:] == pytest.approx(0)
    assert f"TIE {found[0]:.3g}," in told.inner_text() and "Least TIE from β = 4 on." in told.inner_text()
    explorer.evaluate("location.hash = '#beta=2&A=0,0,0,0&sigma=0.1'")
    explorer.locator(".explorer .readout", has_text="from β = 0.01 on").wait_for()
    for drawing in explorer.locator(".explorer .asked svg:has(text)").all():
        boxes = [one.bounding_box() for one in drawing.locator("text").all()]
        ends = [box["x"] + box["width"] for box in boxes]  # numbers of the vertical axis end furthest to the left
        rows = sorted(box["y"] for box, end in zip(boxes, ends, strict=True) if end < min(ends) + 2)
        assert len(rows) > 1 and all(b - a > 8 for a, b in itertools.pairwise(rows))


def test_at_the_sources_own_axes_the_family_costs_a_constant(explorer, process):
    readout = explorer.locator(".explorer .readout")
    assert "TIE 1.74," in readout.inner_text()
    explorer.get_by_label("full").check()
    assert "TIE 1.74," in readout.inner_text()  # at the principal axes the family is immaterial
    explorer.get_by_role("button", name="Turn to the sources").click()
    assert "TIE 0," in readout.inner_text()
    assert "β* = 1. Principal axes in use: 2." in readout.inner_text()
    assert "Rotation: the sources’ own, −39.8°." in readout.inner_text()  # named once
    other = explorer.locator(".asked").nth(1).locator(".values li").nth(2)
    assert other.inner_text().split() == ["TIE,", "diagonal", "q", "0.207"]
    explorer.get_by_role("button", name="Reset").click()
    assert "TIE 1.74," in readout.inner_text()
    assert explorer.get_by_label("diagonal").is_checked()


def test_each_curve_mark_and_ellipse_is_what_it_is_named(explorer, process):
    """At β = 4, where one latent has switched off; places of marks by a ruler of two β."""
    places = {}
    for beta in (1, 4):
        explorer.evaluate(f"location.hash = '#beta={beta}&A=2,1,0.5,1.5&sigma=1'")
        explorer.locator(".readout", has_text=f"β = {beta}:").wait_for()
        path = explorer.locator(".asked .chosen").nth(1).get_attribute("d")
        places[beta] = float(path[1:].split(",")[0])
    panel = explorer.locator(".asked").nth(1)
    marks = panel.locator(".mark").evaluate_all(
        "all => all.map(m => [m.classList[1], +m.getAttribute('d').slice(1).split(',')[0]])"
    )
    at = [4 ** ((x - places[1]) / (places[4] - places[1])) for _, x in marks]
    values = np.linalg.eigvalsh(process.covariance)[::-1]
    assert [colour for colour, _ in marks] == ["pink", "grey", "grey"]
    assert at == pytest.approx([linear.optimal_beta(process), *values], rel=1e-3)
    labels = panel.locator("svg text").evaluate_all("all => all.map(t => [t.textContent, +t.getAttribute('x')])")
    for (_, x), name in zip(marks, ("β*", "λ₁", "λ₂"), strict=True):
        assert abs(dict(labels)[name] - x) < 6
    told = panel.locator(".values li").evaluate_all(
        "all => all.map(li => [li.querySelector('span').textContent, li.querySelector('path').classList[1]])"
    )
    assert told == [["TIE", "blue"], ["MIE", "orange"], ["TIE, full q", "green"]]
    for colour, covariance in (("green", process.posterior_covariance), ("blue", np.diag([1, 4 / values[0]]))):
        radii = explorer.locator(f".plane .ellipse.{colour}").evaluate_all(
            "all => all.map(e => [+e.getAttribute('rx'), +e.getAttribute('ry')])"
        )
        expected = 37.5 * np.sqrt(np.linalg.eigvalsh(covariance))[::-1]
        assert radii == pytest.approx(np.array([expected, 2 * expected]))
    (p, c), (_, r) = process.posterior_covariance
    said = explorer.locator(".readout").inner_text()
    assert f"Latents in use: 1. Posterior correlation −{abs(c) / (p * r) ** 0.5:.3g}." in said


def test_a_screen_reader_is_told_nothing_when_a_window_is_resized(explorer):
    explorer.evaluate(
        "told = 0; new MutationObserver(all => told += all.length)"
        ".observe(document.querySelector('.readout'), { childList: true })"
    )
    drawn = "document.querySelector('.asked svg').getAttribute('viewBox')"
    before = explorer.evaluate(drawn)
    explorer.set_viewport_size({"width": 500, "height": 900})
    explorer.wait_for_function(f"{drawn} != '{before}'")
    assert explorer.evaluate("told") == 0


def test_the_latents_turn_by_slider_and_by_handle(explorer):
    slider, readout = explorer.get_by_label("turn", exact=True), explorer.locator(".explorer .readout")
    slider.focus()
    explorer.keyboard.press("ArrowRight")
    assert "turned by 0.1°" in readout.inner_text()
    handle = explorer.locator(".dial .handle").bounding_box()
    plane = explorer.locator("svg.plane").bounding_box()
    explorer.mouse.move(handle["x"] + handle["width"] / 2, handle["y"] + handle["height"] / 2)
    explorer.mouse.down(button="right")
    explorer.mouse.move(plane["x"] + plane["width"] * 0.8, plane["y"] + plane["height"] * 0.2)
    explorer.mouse.up(button="right")
    assert slider.input_value() == "0.1"
    explorer.mouse.move(handle["x"] + handle["width"] / 2, handle["y"] + handle["height"] / 2)
    explorer.mouse.down()
    explorer.mouse.move(plane["x"] + plane["width"] * 0.8, plane["y"] + plane["height"] * 0.2)
    assert "turned by 45°" in readout.inner_text()
    assert slider.input_value() == "45"
    explorer.mouse.up()
    explorer.mouse.move(plane["x"] + plane["width"] * 0.9, plane["y"] + plane["height"] * 0.5)
    assert slider.input_value() == "45"
