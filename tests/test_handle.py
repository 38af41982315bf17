"""The handle that turns a network's latents, in a Chromium: its numbers, and what a reader can do."""

import base64
import json
import re
import shutil
import sys

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe

from betavae_core import paths
from betavae_core.findings import tiles, turned_networks, turning
from betavae_core.images import experiments
from betavae_core.results import sweep
from betavae_core.showing import handle
from betavae_core.theory import orthogonal
from betavae_core.theory.gaussian import kl_divergence
from betavae_workshop.building import pdf

sys.path.insert(0, str(paths.CHAPTERS / "_ext"))
import bundle

PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>t</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><link rel="icon" href="data:,">
<link rel="stylesheet" href="_static/companion.css"></head>
<body class="bd-content"><main class="bd-article"><h1>t</h1>{}</main>
<script type="module" src="_static/scripts/handle.js"></script></body></html>"""
FAULTS = (paths.ROOT / "tests/faults.js").read_text().split("\n", 1)[1]
SAME = 1e-6  # nats: what the page's twelve digits, and two searches of an angle, may differ by
SHOWN = 5e-5  # half of the last digit that the page writes
LIMIT = 200_000  # bytes of the picture in a page


@pytest.fixture(scope="module")
def stored():
    return sweep.load("tiles", "published")


@pytest.fixture(scope="module")
def network(stored):
    """What is known of the images of the network shown."""
    data, _ = experiments.draw("tiles", 0)
    return turned_networks.read(stored, handle.at_noise(stored), 0, data), data


@pytest.fixture(scope="module")
def pictures(stored):
    return {size: handle.handle(stored, compact=size == "small").data for size in ("full", "small")}


@pytest.fixture(scope="module")
def folder(pictures, tmp_path_factory):
    found = tmp_path_factory.mktemp("handle")
    shutil.copytree(paths.ROOT / "book/static", found / "_static")
    for size, picture in pictures.items():
        (found / f"{size}.html").write_text(PAGE.format(picture))
    return found


@pytest.fixture(scope="module")
def opened(browser, folder):
    """Open one of the pages; what goes wrong in it fails the test."""
    with pdf.served(folder) as site:
        errors = []

        def start(size="full", page=None, **options):
            page = page or browser.new_page(**options)
            page.set_viewport_size({"width": 900, "height": 1200})
            page.asked = asked = []
            page.on("request", lambda request: asked.append(request.url))
            page.on("pageerror", lambda error: errors.append(str(error)))
            page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
            page.goto(f"{site}/{size}.html", wait_until="networkidle")
            return page

        yield start
        assert errors == []


@pytest.fixture
def page(opened, blank):
    return opened(page=blank)


def ask(page, given, expression):
    """An expression in turning.js's functions (`m`), the picture's `data`, and each `x` given."""
    script = f"""async given => {{ const m = await import('/_static/scripts/turning.js');
        const data = JSON.parse(document.querySelector('.turning script').textContent);
        return given.map((x) => ({expression})) }}"""
    return page.evaluate(script, given)


def orthogonal_matrices(rng, count):
    return np.linalg.qr(rng.standard_normal((count, 2, 2)))[0] * rng.choice([-1.0, 1.0], (count, 1, 2))


def error(images, T):
    """TIE of the images that are not in the pool, one divergence after the other."""
    mean, covariance = turning.turned(images.mean, images.covariance, T)
    exact = np.linalg.inv(images.precision)
    rest = range(handle.pool(images), len(mean))
    return np.mean([kl_divergence(mean[i], covariance[i], images.target[i], exact) for i in rest])


def rotation(degrees):
    cos, sin = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return np.array([[cos, -sin], [sin, cos]])


def number(text):
    return float(text.replace("−", "-"))


def shown(page):
    """TIE and the terms that stand still, as the page writes them."""
    terms = {name: page.locator(f"[data-term={name}]").inner_text() for name in handle.TERMS}
    return page.locator(".headline b").inner_text(), terms


def said(page):
    """Angle and whether it is mirrored, as a screen reader says it."""
    text = page.locator(".map").get_attribute("aria-valuetext")
    return number(re.match(r"−?\d+", text)[0]), "mirrored" in text


def labelled(page):
    return [int(one.get_attribute("data-image")) for one in page.locator(".labelled li").all()]


def labels(page, count):
    page.get_by_role("button", name=f"{count} label{'s' * (count > 1)}", exact=True).click()


# --- numbers ---------------------------------------------------------------------------------------------


def problems(rng, count, least):
    """Random labels (m, 2), means, and full covariances whose factors have diagonals of `least` to 1."""
    for _ in range(count):
        m = int(rng.integers(1, 12))
        root = rng.uniform(least, 1, (m, 2, 1)) * np.eye(2) + rng.uniform(-0.5, 0.5, (m, 1, 1)) * np.eye(2, k=-1)
        root[:, 1, 1] = rng.uniform(least, 1, m)
        source = rng.standard_normal((m, 2))
        mean = source @ orthogonal_matrices(rng, 1)[0] + rng.uniform(0, 1) * rng.standard_normal((m, 2))
        yield mean, root @ root.swapaxes(1, 2), source


def told(problem):
    """The same as the page knows them."""
    triples = problem[1][:, [0, 0, 1], [0, 1, 1]]
    parts = zip(problem[0].tolist(), triples.tolist(), problem[2].tolist(), strict=True)
    return [dict(zip(("mean", "covariance", "source"), part, strict=True)) for part in parts]


def test_the_turn_from_labels_is_the_package_s(page, rng):
    """Full covariances and single labels among them; one label leaves it open."""
    given = list(problems(rng, 200, 0.3))
    for ours, problem in zip(ask(page, [told(one) for one in given], "m.fromLabels(x)"), given, strict=True):
        if len(problem[0]) < 2:
            assert ours["margin"] == pytest.approx(0, abs=SAME)
            continue
        assert ours["margin"] == pytest.approx(turning.margin(*problem), abs=SAME, rel=SAME)
        assert np.array(ours["turn"]) == pytest.approx(turning.rotation_from_labels(*problem), abs=SAME)


def test_no_angle_is_likelier_than_the_turn_from_labels(page, rng):
    """Against 7,200 angles of either orientation, where narrow q make narrow dips of the likelihood."""
    given = list(problems(rng, 100, 0.02))
    angles = np.arange(7200) * 2 * np.pi / 7200
    rows = [np.cos(angles), -np.sin(angles)], [np.sin(angles), np.cos(angles)]
    turns = np.transpose(rows, (2, 0, 1))
    for ours, problem in zip(ask(page, [told(one) for one in given], "m.fromLabels(x)"), given, strict=True):
        form = turning.likelihood(*problem)
        reached = form(np.array(ours["turn"]))
        tried = [form(turns).min(), form(turns * [1, -1]).min()]
        assert reached <= min(tried) + SAME
        if len(problem[0]) > 1:
            assert ours["margin"] == pytest.approx(abs(tried[0] - tried[1]), abs=0.02, rel=0.01)


def test_the_error_and_its_least_turn_are_the_package_s(page, network, rng):
    images, _ = network
    turns = orthogonal_matrices(rng, 20)
    for T, ours in zip(turns, ask(page, turns.tolist(), "m.tie(data, x)"), strict=True):
        assert ours == pytest.approx(error(images, T), abs=SAME)
    [best] = ask(page, [0], "m.best(data)")
    judged = turned_networks.Images(*(part[handle.POOL :] for part in images[:4]), images[4])
    parts = turned_networks.parts(judged)
    assert error(images, np.array(best)) == pytest.approx(parts["best"], abs=SAME)
    [trained] = ask(page, [0], "m.tie(data, data.trained)")
    assert trained == pytest.approx(parts["trained"], abs=SAME)


def test_every_number_of_each_button_is_the_package_s(page, network):
    """Labels are pressed on the page; T is found in Python, and its TIE taken image by image."""
    images, _ = network
    for draw in range(4):
        if draw:
            page.get_by_role("button", name="other labels").click()
        for count in handle.OFFERED:
            labels(page, count)
            chosen = labelled(page)
            assert len(set(chosen)) == count and max(chosen) < handle.pool(images)
            known = images.mean[chosen], images.covariance[chosen], images.sources[chosen]
            turns, values = orthogonal.least(turning.likelihood(*known))
            trained = turned_networks.as_trained(images)
            stays = np.linalg.det(turns) * np.linalg.det(trained) > 0  # one label leaves it open
            T = turning.rotation_from_labels(*known) if count > 1 else turns[stays][0]
            assert number(shown(page)[0]) == pytest.approx(error(images, T), abs=SHOWN + SAME)
            relative = T @ trained.T
            angle = np.degrees(np.arctan2(relative[1, 0], relative[0, 0]))
            assert said(page) == (pytest.approx(angle, abs=0.51), np.linalg.det(relative) < 0)
            words = page.locator(".readout").inner_text()
            assert (f"by {abs(values[0] - values[1]):.3g}" in words) == (count > 1)
            assert ("falls" in words) == (error(images, T) < error(images, trained))
            assert f"TIE of the {len(images.mean) - handle.pool(images)} other images" in words
            assert ("too little to rely on" in words) == (count > 1 and abs(values[0] - values[1]) < 2)


def test_the_terms_are_the_stored_ones_and_stand_still_because_they_are_computed(page, stored, rng):
    cell = stored.isel(beta=handle.at_noise(stored)).sel(realization=0)
    expected = {name: float(cell[name]) for name in handle.TERMS}
    turns = [np.eye(2), *orthogonal_matrices(rng, 20)]
    for ours in ask(page, [T.tolist() for T in turns], "m.terms(data, x)"):
        assert ours == pytest.approx(expected, abs=SAME)
    [stretched] = ask(page, [[[1.2, 0], [0, 1]]], "m.terms(data, x)")
    assert all(stretched[name] < expected[name] - 0.01 for name in ("objective", "elbo"))
    assert float(cell.beta) == pytest.approx(tiles.code_noise("tiles"), rel=1e-4)
    before, kept = shown(page)
    assert {name: number(text) for name, text in kept.items()} == pytest.approx(expected, abs=SHOWN)
    page.locator(".map").focus()
    for key in ["ArrowRight"] * 5 + ["PageUp", "Shift+ArrowUp"]:
        page.keyboard.press(key)
        now, terms = shown(page)
        assert now != before and terms == kept
        before = now


def test_draws_are_nested_seeded_and_reach_every_image_of_the_pool(page):
    draws, found = 3000, ask(page, list(range(3000)), f"m.drawn(x, 10, {handle.POOL})")
    assert found[:9] == ask(page, list(range(9)), f"m.drawn(x, 10, {handle.POOL})")
    few = ask(page, list(range(9)), f"m.drawn(x, 3, {handle.POOL})")
    assert few == [many[:3] for many in found[:9]]
    assert all(len(set(many)) == 10 for many in found)
    for place in range(10):  # 59 degrees of freedom: four standard deviations
        counts = np.bincount(np.array(found)[:, place], minlength=handle.POOL)
        spread = draws / handle.POOL
        assert ((counts - spread) ** 2 / spread).sum() < 59 + 4 * (2 * 59) ** 0.5


# --- what a reader can do --------------------------------------------------------------------------------


def test_keys_turn_by_a_degree_or_more_and_go_round(page, network):
    handle_ = page.locator(".map")
    assert (handle_.get_attribute("role"), said(page)) == ("slider", (0, False))
    handle_.focus()
    for key, angle in (
        ("ArrowRight", 1),
        ("ArrowUp", 2),
        ("ArrowLeft", 1),
        ("Shift+ArrowDown", -14),
        ("PageUp", 1),
        ("Home", 0),
        *(("PageDown", -15 * i) for i in range(1, 12)),
        ("PageDown", 180),
        ("ArrowUp", -179),
    ):
        page.keyboard.press(key)
        assert said(page)[0] == angle, key
        assert float(handle_.get_attribute("aria-valuenow")) == angle
    images, _ = network
    T = rotation(-179) @ turned_networks.as_trained(images)
    assert number(shown(page)[0]) == pytest.approx(error(images, T), abs=SHOWN + SAME)
    page.get_by_role("button", name="mirrored").press("Enter")
    flip = rotation(-179) @ np.diag([1, -1]) @ turned_networks.as_trained(images)
    assert number(shown(page)[0]) == pytest.approx(error(images, flip), abs=SHOWN + SAME)
    page.get_by_role("button", name="as trained").press(" ")
    assert said(page) == (0, False)


def rim(page, degrees):
    """A point on the rim, in pixels."""
    box = page.locator(".map .grip").bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    radius = box["width"] / 2
    return x + radius * np.cos(np.radians(degrees)), y - radius * np.sin(np.radians(degrees))


def test_the_handle_is_dragged_by_mouse_and_the_ellipses_turn(page, network):
    images, _ = network
    page.mouse.move(*rim(page, 0))
    page.mouse.down()
    for degrees in (10, 40, 70):
        page.mouse.move(*rim(page, degrees))
    page.mouse.up()
    page.mouse.move(*rim(page, 120))
    angle, _ = said(page)
    assert angle == pytest.approx(70, abs=1)
    T = rotation(angle) @ turned_networks.as_trained(images)
    drawn = page.locator(".map .q").evaluate_all(
        "all => all.map(e => [...e.getAttribute('transform').matchAll(/-?[\\d.]+(e-?\\d+)?/g)].map(m => +m[0])"
        ".concat(e.rx.baseVal.value, e.ry.baseVal.value))"
    )
    centres = {tuple(np.round(T @ mean * [40, -40], 3)) for mean in images.mean[handle.pool(images) :]}
    assert len(drawn) == handle.SHOWN
    for x, y, turn, major, minor in drawn:
        assert (round(x, 3), round(y, 3)) in centres
        place = np.linalg.norm(images.mean @ T.T * [40, -40] - [x, y], axis=1).argmin()
        R = rotation(-turn)
        shape = R @ np.diag([major**2, minor**2]) @ R.T / 1600
        assert shape == pytest.approx(T @ images.covariance[place] @ T.T, abs=1e-4)


@pytest.mark.parametrize("width", [390, 900])
def test_nothing_below_moves_when_labels_turn_the_latents(page, width):
    """Pictures of ten labels pushed the text below by two hundred pixels."""
    page.set_viewport_size({"width": width, "height": 1200})
    height = "document.querySelector('.turning').getBoundingClientRect().height"
    before = page.evaluate(height)
    for count in handle.OFFERED:
        page.get_by_role("button", name=f"{count} label", exact=count == 1).first.click()
        assert page.locator(".labelled li").count() == count
        assert page.evaluate(height) == pytest.approx(before, abs=1)


def test_a_mouse_leaves_no_frame_and_the_keyboard_has_one(page):
    knob = page.locator(".knob").bounding_box()
    page.mouse.click(knob["x"] + 9, knob["y"] + 9)
    outline = "getComputedStyle(document.querySelector('.map')).outlineStyle"
    assert page.evaluate("document.activeElement.matches('.map')")
    assert page.evaluate(outline) == "none"
    page.keyboard.press("ArrowLeft")
    assert page.evaluate(outline) != "none"


def test_the_right_button_turns_nothing(page):
    page.mouse.move(*rim(page, 40))
    page.mouse.down(button="right")
    page.mouse.move(*rim(page, 70))
    page.mouse.up(button="right")
    assert said(page) == (0, False)


def test_a_finger_turns_on_the_rim_and_scrolls_inside_it(opened):
    page = opened(has_touch=True, is_mobile=True)
    page.set_viewport_size({"width": 390, "height": 700})
    page.touchscreen.tap(*rim(page, 60))
    assert said(page)[0] == pytest.approx(60, abs=1)
    finger = page.context.new_cdp_session(page)

    def drag(*points):
        """Put a finger down, move it, and take it away; how far the page has scrolled then."""
        for i, at in enumerate([*points, None]):
            kind = "touchMove" if i and at else "touchStart" if at else "touchEnd"
            touches = [{"x": at[0], "y": at[1]}] if at else []
            finger.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": touches})
            page.wait_for_timeout(50)
        page.wait_for_timeout(300)
        return page.evaluate("scrollY")

    assert drag(*(rim(page, degrees) for degrees in (60, 30, 0, -20))) == 0
    assert said(page)[0] == pytest.approx(-20, abs=1)
    x, y = rim(page, 0)
    assert drag(*((x - 80, y - 20 * i) for i in range(6))) > 0
    assert said(page)[0] == pytest.approx(-20, abs=1)
    page.get_by_role("button", name="5 labels").tap()
    assert len(labelled(page)) == 5
    page.close()


def test_a_second_finger_turns_nothing(opened):
    page = opened(has_touch=True, is_mobile=True)
    finger = page.context.new_cdp_session(page)
    first, second = (dict(zip("xy", rim(page, degrees), strict=True)) for degrees in (60, -60))
    for kind, touches in (("touchStart", [first]), ("touchStart", [first, second]), ("touchEnd", [])):
        finger.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": touches})
        page.wait_for_timeout(50)
    assert said(page)[0] == pytest.approx(60, abs=1)
    page.close()


def test_latents_that_are_turned_and_mirrored_are_said_to_be(page):
    labels(page, 5)
    page.get_by_role("button", name="mirrored").click()
    assert page.locator(".readout").inner_text().startswith("Turned and mirrored. ")
    page.get_by_role("button", name="as trained").click()
    page.get_by_role("button", name="mirrored").click()
    assert page.locator(".readout").inner_text().startswith("Mirrored. ")


def test_other_labels_draw_again_and_pressed_buttons_say_so(page):
    labels(page, 3)
    first = labelled(page)
    pressed = page.locator("[role=group] [aria-pressed=true]")
    assert pressed.evaluate_all("all => all.map(e => e.ariaLabel)") == ["3 labels"]
    labels(page, 10)
    assert labelled(page)[:3] == first
    page.get_by_role("button", name="other labels").click()
    assert labelled(page)[:3] != first and len(labelled(page)) == 10
    page.locator(".map").focus()
    page.keyboard.press("ArrowRight")
    assert page.locator("[role=group] [aria-pressed=true]").count() == 0
    shown = labelled(page)  # those that five labels would take
    labels(page, 5)
    assert labelled(page) == shown and len(shown) == 5


def test_labelled_images_are_shown_with_their_sources(page, network):
    images, data = network
    labels(page, 5)
    page.wait_for_timeout(100)
    grey = page.locator(".labelled canvas").evaluate_all(
        "all => all.map(c => [...c.getContext('2d').getImageData(0, 0, 40, 40).data].filter((_, i) => i % 4 == 0))"
    )
    pictures = data.images()[: handle.POOL].reshape(handle.POOL, -1)
    scale = np.quantile(np.abs(pictures).max(1), handle.BRIGHT)
    drawn = 128 + 127 * np.clip(pictures / scale, -1, 1)
    for i, item, found in zip(labelled(page), page.locator(".labelled li").all(), grey, strict=True):
        said_of = [number(text) for text in re.findall(r"s[₁₂] (−?[\d.]+)", item.inner_text())]
        assert item.inner_text().index("s₁") < item.inner_text().index("s₂")
        assert said_of == pytest.approx(images.sources[i], abs=0.0051)
        apart = np.abs(np.array(found) - drawn).mean(1)
        assert apart.argmin() == i and apart[i] < 3


def test_the_curve_is_of_the_error_and_turns_the_latents_where_it_is_pointed_at(page):
    curve = page.locator(".asked svg")
    box = curve.bounding_box()
    curve.click(position={"x": box["width"] * 0.75, "y": box["height"] / 2})
    angle = said(page)[0]
    assert 60 < angle < 130
    circles = page.locator(".asked .now circle")  # of the turn and of its mirror image
    assert circles.evaluate_all("all => all.map(c => c.classList.contains('here'))") == [True, False]
    heights = page.locator(".asked .curve").evaluate_all("all => all.map(e => [...e.points].map(p => p.y))")
    both = "[1, -1].map((sign) => m.tie(data, m.turnFrom(x, sign, data.trained)))"
    found = ask(page, [2 * i - 180 for i in range(181)], both)
    for drawn, values in zip(heights, np.transpose(found), strict=True):
        assert np.corrcoef(drawn, values)[0, 1] < -0.999999


# --- the page around it ----------------------------------------------------------------------------------


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("size", ["full", "small"])
def test_it_is_accessible_and_nothing_is_cut_or_too_small(opened, blank, size, width, theme):
    page = opened(size, blank)
    page.set_viewport_size({"width": width, "height": 900})
    page.evaluate("theme => { document.documentElement.dataset.theme = theme }", theme)
    labels(page, 10)
    page.wait_for_timeout(100)
    assert page.evaluate(FAULTS) == []
    found = Axe().run(page, options={"resultTypes": ["violations"]}).response["violations"]
    assert [v["id"] for v in found if v["impact"] in ("serious", "critical")] == []
    assert page.locator(".asked").count() == (size == "full")


def test_paper_and_readers_without_scripts_get_a_figure(page, browser, pictures, network):
    sheet, live = page.locator(".sheet"), page.locator(".live")
    assert (sheet.is_visible(), live.is_visible()) == (False, True)
    page.emulate_media(media="print")
    assert (sheet.is_visible(), live.is_visible()) == (True, False)
    plain = browser.new_page(java_script_enabled=False)
    plain.set_content(pictures["full"])
    images, _ = network
    first = [part[: handle.OFFERED[-2]] for part in (images.mean, images.covariance, images.sources)]
    turns = turned_networks.as_trained(images), turning.rotation_from_labels(*first)
    words = plain.locator("figcaption").inner_text()
    told = re.findall(r"TIE ([\d.]+)\snats", words)
    assert told == [f"{error(images, T):.3f}" for T in turns]
    page.emulate_media(media="screen")
    labels(page, handle.OFFERED[-2])  # the first press chooses the same images
    assert float(page.locator(".live b").first.inner_text()) == pytest.approx(float(told[1]), abs=6e-4)
    assert plain.locator("img").evaluate("image => image.naturalWidth") > 300
    plain.close()
    q, exact = outlines(pictures["full"])
    numbers = json.loads(re.search(r"json\">(.*)</script>", pictures["full"])[1])["images"]
    for panel, T in enumerate(turns):  # the exact posteriors, which do not turn, tell the scale
        part = slice(panel * handle.SHOWN, (panel + 1) * handle.SHOWN)
        scale = np.column_stack([[image["exact"] for image in numbers], np.ones(handle.SHOWN)])
        fit = np.linalg.lstsq(scale, exact[part], rcond=None)[0]
        assert scale @ fit == pytest.approx(exact[part], abs=0.01)
        centres = [[*(T @ image["mean"]), 1] for image in numbers]
        assert centres @ fit == pytest.approx(q[part], abs=0.01)


def outlines(picture):
    """Centres of the solid and of the dashed ellipses of the still figure, in points."""
    drawing = base64.b64decode(re.search(r'svg\+xml;base64,([^"]+)', picture)[1]).decode()
    paths = re.findall(r'd="([^"]+ C [^"]+|[^"]+\nC [^"]+)"[^>]*style="fill: none; ([^"]+)"', drawing)
    found = {True: [], False: []}
    for path, style in paths:
        corners = [list(map(float, line.split()[-2:])) for line in path.split("\n") if line.startswith("C")]
        found["dasharray" in style].append(np.mean(corners, 0))
    return np.array(found[False]), np.array(found[True])


def test_without_scripts_it_says_what_it_needs(browser, page, folder):
    said = "getComputedStyle(document.querySelector('figcaption'), '::after').content"
    assert page.evaluate(said) == "none"
    plain = browser.new_page(java_script_enabled=False)
    plain.goto((folder / "small.html").as_uri())
    assert "needs JavaScript" in plain.evaluate(said)
    plain.close()


def test_it_is_light_asks_for_nothing_and_opens_from_a_folder(browser, page, pictures, folder):
    assert max(len(picture.encode()) for picture in pictures.values()) < LIMIT
    site = page.url.rsplit("/", 1)[0]
    assert [url for url in page.asked if not url.startswith((site, "data:"))] == []
    (folder / "_static/scripts/alone.js").write_text(bundle.bundled(folder / "_static/scripts", ["handle"]))
    module = 'type="module" src="_static/scripts/handle.js"'
    alone = PAGE.format(pictures["full"]).replace(module, 'src="_static/scripts/alone.js"')
    (folder / "alone.html").write_text(alone)
    other = browser.new_page()
    other.goto(f"file://{folder}/alone.html")
    labels(other, 5)
    assert shown(other)[0] != shown(page)[0]
    labels(page, 5)
    assert shown(other) == shown(page)
    other.close()


def test_where_there_is_nothing_to_turn_a_sentence_says_so(stored, results):
    for nothing in (stored.drop_dims("detailed"), stored.isel(sample=slice(19))):
        assert "<code>betavae sweep tiles</code>" in handle.handle(nothing).data
    with pytest.raises(ValueError, match="2 latents; got 4 in tiles-4"):
        handle.handle(stored.assign_attrs(experiment="tiles-4"))


def test_a_few_stored_images_leave_some_to_judge_and_a_full_covariance_is_turned_as_well():
    full = sweep.load("tiles", "published", supplement="full covariance")
    text = re.search(r"<script[^>]*>(.*)</script>", handle.handle(full.isel(sample=slice(50))).data)[1]
    data = json.loads(text.replace("<\\/", "</"))
    assert (len(data["pool"]), data["judged"]) == (25, 25)
    assert any(abs(image["covariance"][1]) > 1e-3 for image in data["pool"])
