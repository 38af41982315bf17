"""The plane of the latents in a real Chromium, over atlases of two tiny networks."""

import json
import re
import shutil

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe

from betavae_core import paths
from betavae_core.findings import latents
from betavae_core.images import experiments
from betavae_core.networks.atlas import GRID, REACH
from betavae_core.results import atlases, planning
from betavae_core.showing import interactive
from betavae_core.theory.alignment import true_inference_error
from betavae_core.theory.gaussian import kl_divergence
from betavae_workshop.building import book, execution, pdf
from betavae_workshop.sweeping import crews, writing
from tests.conftest import pictures

PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>t</title><link rel="icon" href="data:,">
<link rel="stylesheet" href="_static/companion.css"></head>
<body class="bd-content"><main class="bd-article"><h1>t</h1><p style="height: 3000px">above</p>{}</main>
<script type="module" src="_static/scripts/plane.js"></script></body></html>"""
FAULTS = (paths.ROOT / "tests/faults.js").read_text().split("\n", 1)[1]
LEVELS = 3  # of 255: what adding four rounded pictures with rounded weights may miss


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """A folder of a page over atlases of two tiny networks, and the atlases by β."""
    folder = tmp_path_factory.mktemp("plane")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BETAVAE_RESULTS", str(folder / "results"))
        patch.setenv("BETAVAE_PUBLISHED", str(folder / "published"))
        members = planning.plan("mixing", "smoke", realizations=1)
        for member in members:
            writing.write_atlas(member, *crews.draw_atlas(member, member.key))
        html = interactive.latent_plane("mixing", 2.0, "smoke").data
        shutil.copytree(paths.ROOT / "book/static", folder / "sub/_static")
        shutil.copytree(paths.atlases(), folder / "sub/_static/atlas")
        (folder / "sub/page.html").write_text(PAGE.format(html))
        return folder, {member.beta: atlases.read(member) for member in members}


@pytest.fixture
def page(blank, drawn):
    """The page, scrolled to the plane; what it asks for is in `asked`."""
    with pdf.served(drawn[0]) as site:
        opened, errors, asked = blank, [], []
        opened.set_viewport_size({"width": 900, "height": 900})
        opened.asked = asked
        opened.on("request", lambda request: asked.append(request.url))
        opened.on("pageerror", lambda error: errors.append(str(error)))
        opened.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
        opened.goto(f"{site}/sub/page.html", wait_until="networkidle")
        opened.before = list(asked)
        opened.locator(".latent-plane").scroll_into_view_if_needed()
        opened.locator(".map").wait_for()
        opened.wait_for_load_state("networkidle")
        yield opened
        assert errors == []


def decoded(page):
    """Grey levels of the image shown, (40, 40) bytes."""
    script = """canvas => { const { data } = canvas.getContext('2d').getImageData(0, 0, 40, 40);
        return [[...data].filter((_, i) => i % 4 == 0), [...data].filter((_, i) => i % 4 == 3)] }"""
    grey, opaque = page.locator(".pair canvas").first.evaluate(script)
    assert set(opaque) == {255}
    return np.reshape(grey, (40, 40)).astype(int)


def stored(found, row, column):
    """The picture of the stored sheet at a grid point, as bytes."""
    return np.round(pictures(found)[row, column] / found.scale * 127 + 128).astype(int)


def at(page):
    """The point, as a screen reader says it."""
    text = page.locator(".map").get_attribute("aria-valuetext").replace("−", "-")
    return tuple(float(part.split(" = ")[1]) for part in text.split(", "))


def choose(page, beta):
    page.evaluate("async beta => (await import('/sub/_static/scripts/beta.js')).choose(beta)", beta)


def test_keys_move_the_point_and_the_image_is_the_stored_one_at_each_grid_point(page, drawn):
    page.locator(".map").focus()
    page.keyboard.press("Home")
    for beta in (1.0, 100.0):
        choose(page, beta)
        for key, row, column in (
            ("Home", 7, 7),
            ("ArrowRight", 7, 8),
            ("ArrowUp", 6, 8),
            ("ArrowUp", 5, 8),
            ("ArrowLeft", 5, 7),
        ):
            page.keyboard.press(key if key == "Home" else f"Shift+{key}")
            assert at(page) == (GRID[column], -GRID[row])
            assert np.abs(decoded(page) - stored(drawn[1][beta], row, column)).max() <= 1  # two decoders of WebP
    page.keyboard.press("Home")
    for _ in range(9):
        page.keyboard.press("Shift+ArrowDown")
    assert at(page) == (0, -REACH)


def test_between_grid_points_the_four_around_are_blended(page, drawn):
    sheet = drawn[1][1.0]
    page.locator(".map").focus()
    page.keyboard.press("Home")
    for _ in range(2):
        page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowUp")
    assert at(page) == (0.2, 0.1)
    expected = sum(
        weight * stored(sheet, row, column)
        for row, column, weight in ((7, 7, 0.48), (7, 8, 0.32), (6, 7, 0.12), (6, 8, 0.08))
    )
    assert np.abs(decoded(page) - expected).max() <= LEVELS
    assert np.abs(decoded(page) - stored(sheet, 7, 7)).max() > LEVELS
    page.keyboard.press("Shift+ArrowRight")
    assert at(page) == (0.5, 0.1)


def test_no_picture_of_another_beta_stays_while_its_own_is_not_there(page):
    filled = """() => { const canvas = document.querySelector('.pair canvas');
        return canvas.getContext('2d').getImageData(0, 0, 40, 40).data.some(Boolean) }"""
    page.wait_for_function(filled)
    page.evaluate("Object.defineProperty(HTMLImageElement.prototype, 'complete', { get: () => false })")
    page.locator(".latent-plane input").first.focus()
    page.keyboard.press("Home")
    page.keyboard.press("End")
    assert not page.evaluate(filled)


def test_text_that_is_selected_over_the_plane_moves_no_point(page):
    box, said = page.locator(".map").bounding_box(), page.locator(".map").get_attribute("aria-valuetext")
    page.mouse.move(2, 2)
    page.mouse.down()
    page.mouse.move(box["x"] + 20, box["y"] + 20)
    page.mouse.up()
    assert page.locator(".map").get_attribute("aria-valuetext") == said


def test_pointing_moves_the_point(page):
    box = page.locator(".map").bounding_box()
    unit = box["width"] / (2 * (REACH + 0.2))
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 2 + 2 * unit, box["y"] + box["height"] / 2 - unit)
    page.mouse.up()
    page.mouse.move(box["x"] + 5, box["y"] + 5)
    assert at(page) == pytest.approx((2, 1), abs=0.051)  # the text has one decimal


def test_a_drag_selects_no_label_and_frames_the_plane_for_the_keyboard_alone(page):
    box = page.locator(".map").bounding_box()
    page.mouse.move(box["x"] + 90, box["y"] + 90)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] - 5, box["y"] + box["height"] / 2 - 10, steps=5)
    page.mouse.up()
    outline = "getComputedStyle(document.querySelector('.map')).outlineStyle"
    assert page.evaluate("document.activeElement.matches('.map')")
    assert (page.evaluate(outline), page.evaluate("String(getSelection())")) == ("none", "")
    page.keyboard.press("ArrowLeft")
    assert page.evaluate(outline) != "none"


def test_the_right_button_does_not_move_the_point(page):
    box, before = page.locator(".map").bounding_box(), at(page)
    page.mouse.move(box["x"] + 20, box["y"] + 20)
    page.mouse.down(button="right")
    page.mouse.move(box["x"] + 30, box["y"] + 20)
    page.mouse.up(button="right")
    assert at(page) == before


def test_a_chosen_image_shows_its_q_and_its_exact_posterior(page, drawn):
    data, _ = experiments.draw("mixing", 0, samples=100)
    for beta in (100.0, 1.0):
        choose(page, beta)
        found = drawn[1][beta]
        exact, covariance = latents.exact_in_latents(found.mean, found.std, data)
        page.get_by_role("button", name="Image 4", exact=True).click()
        assert at(page) == pytest.approx(np.clip(found.mean[3], -REACH, REACH), abs=0.06)
        radii = page.locator(".ellipse").evaluate_all("all => all.map(e => [e.rx.baseVal.value, e.ry.baseVal.value])")
        turned = np.sqrt(np.linalg.eigvalsh(covariance))[::-1]
        expected = [turned, 2 * turned, sorted(found.std[3])[::-1], 2 * np.sort(found.std[3])[::-1]]
        assert [sorted(pair)[::-1] for pair in radii] == pytest.approx(40 * np.array(expected), rel=2e-3)
        placed = page.locator(".ellipse").evaluate_all(
            "all => all.map(e => e.getAttribute('transform').match(/-?[\\d.]+(e-?\\d+)?/g).map(Number))"
        )
        for (x, y, _), where in zip(placed, np.repeat([exact[3], found.mean[3]], 2, 0), strict=True):
            assert (x, -y) == pytest.approx(40 * where, abs=0.3)
        c, s = np.cos(np.radians(-placed[0][2])), np.sin(np.radians(-placed[0][2]))
        assert np.diag(turned**2) == pytest.approx(
            np.array([[c, s], [-s, c]]) @ covariance @ [[c, -s], [s, c]], abs=1e-3
        )
        scale = found.scale / np.abs(data.images()[: interactive.CHOICE]).max()
        contrast = page.locator(".pair canvas").first.evaluate("canvas => parseFloat(canvas.style.filter.slice(9))")
        assert contrast == pytest.approx(scale)
        for source, name in enumerate(("s₁", "s₂")):
            page.get_by_role("button", name=name, exact=True).click()
            paths_ = page.locator(".means path").evaluate_all(
                "all => all.map(p => p.getAttribute('d').split('M').length - 1)"
            )
            shades = np.searchsorted(interactive.SHADES, data.sources[: len(found.mean), source])
            assert paths_ == np.bincount(shades, minlength=5).tolist()
        value = kl_divergence(found.mean[3], np.diag(found.std[3] ** 2), exact[3], covariance)
        assert (
            f"mixing, β = {beta:g}, image 4: KL(q ‖ exact posterior) = {value:.3g} nats"
            in page.locator(".readout").inner_text()
        )


def test_the_exact_posterior_in_the_latents_plane_gives_the_true_inference_error(drawn):
    data, _ = experiments.draw("mixing", 0, samples=100)
    for found in drawn[1].values():
        exact, covariance = latents.exact_in_latents(found.mean, found.std, data)
        q = [np.diag(std**2) for std in found.std]
        pairs = zip(found.mean, q, exact, strict=True)
        expected, _ = true_inference_error(
            found.mean, np.array(q), data.posterior_mean, data.process.posterior_precision
        )
        assert np.mean([kl_divergence(m, S, e, covariance) for m, S, e in pairs]) == pytest.approx(expected)


def test_sheets_come_when_the_plane_comes_into_view(page):
    assert not [url for url in page.before if "atlas" in url]
    assert sum(url.endswith("/100.webp") for url in page.asked) == 1  # the page holds that of β = 1


def test_a_screen_reader_is_told_once_that_a_plane_is_there(page):
    page.goto(f"{page.url}?again")
    page.evaluate(
        "told = 0; new MutationObserver(all => told += all.filter(one =>"
        " one.target.matches('.readout')).length).observe(document.body, { childList: true, subtree: true })"
    )
    page.locator(".latent-plane").scroll_into_view_if_needed()
    page.locator(".map").wait_for()
    page.wait_for_load_state("networkidle")
    assert page.locator(".pair canvas").nth(1).get_attribute("aria-label") == "Image 1"
    assert page.evaluate("told") == 1


def test_the_slider_chooses_the_page_s_beta(page):
    page.get_by_label("β", exact=True).focus()
    before = decoded(page)
    page.keyboard.press("End")
    assert "β = 100," in page.locator(".readout").inner_text()
    assert np.abs(decoded(page) - before).max() > LEVELS


@pytest.mark.parametrize("width", [390, 1280])
def test_what_is_live_is_accessible_and_nothing_is_cut_or_too_small(page, width):
    page.set_viewport_size({"width": width, "height": 900})
    assert page.evaluate(FAULTS) == []
    found = Axe().run(page, options={"resultTypes": ["violations"]}).response["violations"]
    assert [v["id"] for v in found if v["impact"] in ("serious", "critical")] == []


def test_paper_gets_the_sheet(page):
    sheet, live = page.locator(".sheet"), page.locator(".live")
    assert (sheet.is_visible(), live.is_visible()) == (False, True)
    page.emulate_media(media="print")
    assert (sheet.is_visible(), live.is_visible()) == (True, False)
    assert page.locator(".sheet img").evaluate("image => image.naturalWidth") == 600


def test_a_build_puts_pictures_beside_its_pages_and_follows_what_is_drawn(drawn, tmp_path, monkeypatch):
    monkeypatch.setenv("BETAVAE_PUBLISHED", str(drawn[0] / "published"))
    book._stage_assets(tmp_path)
    found = {file.name for file in (tmp_path / "book/static/atlas").rglob("*") if file.is_file()}
    assert found == {"1.webp", "100.webp"}
    before, (picture, *_) = execution.digest("mixing", {}, []), sorted(paths.atlases().rglob("*.webp"))
    content = picture.read_bytes()
    picture.write_bytes(content + b"x")
    assert execution.digest("mixing", {}, []) != before
    picture.write_bytes(content)
    assert execution.digest("mixing", {}, []) == before


def test_without_an_atlas_a_sentence_says_how_to_draw_it(results):
    assert "<code>betavae atlas mixing-diagonal</code>" in interactive.latent_plane("mixing-diagonal", 1.0).data


def test_planes_of_several_experiments_are_folded_but_the_first(results):
    html = interactive.latent_planes(("mixing-diagonal", "pixel-mixing"), 1.0).data
    assert [html.count(tag) for tag in ('planes" open>', 'planes">', "</details>")] == [1, 1, 2]
    assert html.index("pixel-mixing</summary>") < html.index("betavae atlas pixel-mixing") < html.rindex("</details>")


def test_a_network_of_the_build_has_a_stop_of_its_own_where_none_is_stored(blank, drawn, monkeypatch):
    monkeypatch.setenv("BETAVAE_PUBLISHED", str(drawn[0] / "published"))
    member, _ = planning.plan("mixing", "smoke", realizations=1)
    own = atlases.read(member)

    def told(beta):
        html = interactive.latent_plane("mixing", beta, "smoke", own).data
        data = json.loads(re.search(r'<script type="application/json">(.*)</script>', html)[1])
        return [network["beta"] for network in data["networks"]], data["start"], data["own"]

    assert told(7.0) == ([1.0, 7.0, 100.0], 7.0, 7.0)
    html = interactive.latent_plane("mixing", 7.0, "smoke", own).data
    (drawn[0] / "sub/own.html").write_text(PAGE.format(html))
    with pdf.served(drawn[0]) as site:
        page = blank
        page.set_viewport_size({"width": 390, "height": 900})
        page.goto(f"{site}/sub/own.html")
        page.locator(".latent-plane").scroll_into_view_if_needed()
        page.locator(".map").wait_for()
        shown = page.locator(".latent-plane output")
        assert shown.inner_text() == "7, this build"
        assert shown.bounding_box()["height"] < 30  # on one line
    assert told(1.0) == ([1.0, 100.0], 1.0, None)  # what is stored stays


def test_a_plane_that_is_folded_is_not_printed(blank, results):
    page = blank
    page.set_content(interactive.latent_planes(("mixing-diagonal", "pixel-mixing"), 1.0).data)
    page.add_style_tag(path=paths.ROOT / "book/static/print.css")
    seen = page.locator("details").evaluate_all
    for media, expected in (("screen", [True, True]), ("print", [True, False])):
        page.emulate_media(media=media)
        assert seen("all => all.map(one => one.checkVisibility())") == expected
