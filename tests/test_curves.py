"""Figures that can be asked and the β of a page, in a real Chromium: what they say is what the Dataset holds."""

import csv
import dataclasses
import io
import shutil

import matplotlib.pyplot as plt
import numpy as np
import pytest
import xarray as xr

from betavae_core import paths
from betavae_core.showing import curves, interactive
from betavae_workshop.building import pdf

pytestmark = pytest.mark.slow
BETAS = [0.1, 1.0, 20.0, 1000.0]
NAMES = ("tie", "elbo")
RATES, VALUES = [6.5, 4.25, 1.75, 0.0], [1.0, 3.5, 8.25, 9.0]  # of a curve that does not stand over β
ANGLES = [0.0, 10.0, 50.0, 90.0]
PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>t</title>
<link rel="stylesheet" href="_static/companion.css"></head><body><div class="bd-content">
<figure id="fig-x"><div class="panels"><div>static A</div><div>static B</div><div>bars</div></div>
<figcaption><span class="on-paper">still</span><span class="on-screen">moves</span></figcaption></figure>{}</div>
<script type="module" src="_static/scripts/curves.js"></script>
<script type="module" src="_static/scripts/page.js"></script></body></html>"""
DIGITS = {"value": 5e-4, "range": 5e-3}  # relative, of what the page rounds to


@pytest.fixture(scope="module")
def dataset():
    """Terms of three networks at each β; one of them is not there."""
    rng = np.random.default_rng(5)
    value = rng.normal(0, 1, (2, 4, 3)) * [[[1]], [[300]]]
    value[1, 2, 0] = np.nan
    found = dict(zip(NAMES, value, strict=True))
    coords = {"beta": BETAS, "realization": range(3)}
    return xr.Dataset({name: (("beta", "realization"), v) for name, v in found.items()}, coords)


@pytest.fixture(scope="module")
def panels(dataset):
    live = dataset.sel(beta=[1.0])
    return [
        curves.Panel(
            title=f"{letter}  {name} </script><img src=x>",
            curves=[curves.over(dataset, name), curves.over(live, name, "live", line="o")],
            marks=[curves.Mark(20.0, "20")],
            bend=bend,
            start=20.0,
        )
        for letter, name, bend in zip("AB", NAMES, (None, 10), strict=True)
    ]


def built(dataset):
    """A panel of stored networks, and of three trained at β = 7, where nothing is stored."""
    own = dataset.sel(beta=[1.0]).assign_coords(beta=[7.0])
    return curves.Panel(
        title="A", curves=[curves.over(dataset, "tie"), curves.over(own, "tie", "this build", line="o")]
    )


@pytest.fixture(scope="module")
def site_folder(tmp_path_factory):
    return tmp_path_factory.mktemp("site") / "sub"


SHEET = np.ones((2, 3, 4, 4)), ["images", "decoded"]


@pytest.fixture(scope="module")
def site(panels, dataset, runaway, site_folder):
    """A page with a figure, and one with the control and all that follows it, at a sub-path."""
    folder = site_folder.parent
    shutil.copytree(paths.ROOT / "book/static", folder / "sub/_static")
    figure = interactive.curves("fig-x", panels)
    following = [
        interactive.page_beta("mixing", np.array(BETAS), 1.0),
        interactive.follows(panels[0].curves[0].said(), 1.0),
        interactive.pictures(dict.fromkeys(BETAS, SHEET), 1.0),
        figure,
    ]
    rates = curves.Curve(
        name="networks", beta=np.array(BETAS), value=np.array(VALUES), across=np.array(RATES), line="o-"
    )
    across = curves.Panel(title="A", unit="distortion", curves=[rates], across="rate, nats", tags=[20.0])
    (folder / "sub/across.html").write_text(PAGE.format(interactive.curves("fig-x", [across]).data))
    turned = curves.Curve(name="turned", beta=np.array(ANGLES), value=np.array(VALUES))
    own = curves.Panel(title="own", unit="", curves=[turned], variable="angle, degrees", linear=True)
    of_both = interactive.curves("fig-x", [panels[0], own])
    (folder / "sub/own.html").write_text(
        PAGE.format(interactive.page_beta("mixing", np.array(BETAS), 1.0).data + of_both.data)
    )
    seven = [
        interactive.page_beta("mixing", np.array(BETAS), 7.0),
        interactive.follows({beta: f"{beta:g}" for beta in (*BETAS, 7.0)}, 7.0),
        interactive.pictures(dict.fromkeys((*BETAS, 7.0), SHEET), 7.0),
        interactive.curves("fig-x", [built(dataset)]),
    ]
    (folder / "sub/seven.html").write_text(PAGE.format("".join(part.data for part in seven)))
    (folder / "sub/figure.html").write_text(PAGE.format(figure.data))
    (folder / "sub/runaway.html").write_text(PAGE.format(interactive.curves("fig-x", [runaway]).data))
    (folder / "sub/chapter.html").write_text(PAGE.format("".join(part.data for part in following)))
    with pdf.served(folder) as address:
        yield f"{address}/sub"


@pytest.fixture
def visit(blank, site):
    """Open a page; no error may occur on it."""
    opened, errors = blank, []
    opened.set_viewport_size({"width": 900, "height": 900})
    opened.on("pageerror", lambda error: errors.append(str(error)))

    def go(address):
        opened.goto(f"{site}/{address}")
        opened.locator(".asked .now .dot").first.wait_for(state="attached")
        return opened

    yield go
    assert errors == []


@pytest.fixture
def page(visit):
    return visit("figure.html")


def number(text):
    return float(text.replace("−", "-"))


def values(page, panel):
    """What the curves of a panel say: (value, least, largest), None where there is none."""
    found = []
    for item in page.locator(".asked").nth(panel).locator(".values li").all():
        value, spread = item.locator("b").inner_text(), item.locator("small").all_inner_texts()
        ends = [number(end) for end in spread[0].split(" to ")] if spread else [None, None]
        found.append(None if value == "–" else (number(value), *ends))
    return found


def expected(dataset, name, beta):
    cell = dataset[name].sel(beta=beta)
    return float(cell.mean()), float(cell.min()), float(cell.max())


def test_keys_move_the_mark_and_the_values_are_the_dataset_s(page, dataset):
    slider = page.get_by_role("slider").first
    assert slider.get_attribute("aria-valuetext").startswith("β = 20: networks ")
    slider.focus()
    page.keyboard.press("Home")
    places = []
    for beta in BETAS:
        assert page.locator(".asked .at").all_inner_texts() == [f"at β = {beta:g}"] * 2
        places.append(page.locator(".asked .chosen").first.get_attribute("d"))
        for i, name in enumerate(NAMES):
            of_networks, live = values(page, i)
            wanted = expected(dataset, name, beta)
            assert of_networks[0] == pytest.approx(wanted[0], rel=DIGITS["value"])
            assert of_networks[1:] == pytest.approx(wanted[1:], rel=DIGITS["range"])
            assert (live is None) == (beta != 1.0)
        page.keyboard.press("ArrowRight")
    assert len(set(places)) == len(BETAS)
    assert slider.get_attribute("aria-valuenow") == "3"


def test_pointing_shows_a_value_and_a_click_keeps_it(page):
    box = page.locator(".frame svg").first.bounding_box()
    heading = page.locator(".asked .at").last
    page.mouse.move(box["x"] + box["width"] - 3, box["y"] + 50)
    assert heading.inner_text() == "at β = 1000"
    page.mouse.move(2, 2)
    assert heading.inner_text() == "at β = 20"
    page.mouse.click(box["x"] + 60, box["y"] + 50)
    page.mouse.move(2, 2)
    assert heading.inner_text() == "at β = 0.1"


def test_the_right_button_chooses_nothing(page):
    heading, box = page.locator(".asked .at").last, page.locator(".frame svg").first.bounding_box()
    page.mouse.click(box["x"] + 60, box["y"] + 50, button="right")
    page.mouse.move(2, 2)
    assert heading.inner_text() == "at β = 20"


def test_text_that_is_selected_over_a_panel_chooses_nothing(page):
    heading, box = page.locator(".asked .at").last, page.locator(".frame svg").first.bounding_box()
    page.mouse.move(2, 2)
    page.mouse.down()
    page.mouse.move(box["x"] + 60, box["y"] + 50)
    page.mouse.up()
    page.mouse.move(2, 2)
    assert heading.inner_text() == "at β = 20"


def test_keys_go_on_from_the_chosen_place_wherever_the_mouse_rests(page):
    box = page.locator(".frame svg").first.bounding_box()
    page.locator(".frame").first.focus()
    page.mouse.move(box["x"] + 60, box["y"] + 50)
    page.keyboard.press("ArrowRight")
    page.mouse.move(2, 2)
    assert page.locator(".asked .at").last.inner_text() == "at β = 1000"


def test_a_tap_chooses_and_a_finger_that_scrolls_does_not(browser, site):
    context = browser.new_context(has_touch=True, viewport={"width": 390, "height": 850})
    page = context.new_page()
    page.goto(f"{site}/chapter.html")
    frame = page.locator(".frame").first
    frame.scroll_into_view_if_needed()
    box = frame.bounding_box()
    at = {"clientX": box["x"] + box["width"] - 5, "clientY": box["y"] + 50, "pointerType": "touch", "bubbles": True}
    for kind in ("pointerdown", "pointermove", "pointercancel"):
        frame.dispatch_event(kind, at)
    assert follows(page)[0] == ["1"] * 3
    page.touchscreen.tap(box["x"] + box["width"] - 5, box["y"] + 50)
    page.wait_for_function("location.hash == '#beta=1000'")
    assert follows(page)[0] == ["1000"] * 3
    context.close()


def test_the_table_holds_the_same_numbers(page, dataset):
    assert page.locator("table").count() == 0
    page.locator("summary").click()
    page.locator("table").last.wait_for()
    for i, name in enumerate(NAMES):
        rows = page.locator("table").nth(i).locator("tbody tr").all()
        assert len(rows) == len(BETAS)
        for row, beta in zip(rows, BETAS, strict=True):
            at, value, band = row.locator("th, td").all_inner_texts()[:3]
            cells = [number(cell) for cell in (at, value, *band.split(" to "))]
            assert cells == [float(f"{wanted:.4g}") for wanted in (beta, *expected(dataset, name, beta))]


def test_tiny_and_huge_numbers_have_as_many_digits_as_others(page):
    script = """async given => { const { number } = await import('/sub/_static/scripts/plot.js');
        return given.map(([value, digits]) => number(value, digits)) }"""
    told = {"7.51234e−5": (7.51234e-5, 6), "−7.51e−5": (-7.51234e-5, 3), "1e−4": (1e-4, 3), "1.235e+6": (1234567, 4)}
    told |= {"0.0123457": (0.01234567, 6), "−20": (-20, 4), "0": (1e-13, 3), "–": (None, 3)}
    assert page.evaluate(script, list(told.values())) == list(told)


def test_the_file_holds_every_network(page, dataset):
    with page.expect_download() as download:
        page.get_by_role("link", name="CSV").click()
    rows = list(csv.DictReader(io.StringIO(download.value.path().read_text())))
    found = {
        (r["panel"][3:].split()[0], r["quantity"], float(r["beta"])): r["value"] for r in rows if r["curve"] != "live"
    }
    assert len(found) == len(NAMES) * len(BETAS) * (3 + 3)
    assert {row["panel"] for row in rows} == set(page.locator(".asked .title").all_text_contents())  # with their units
    for name in NAMES:
        for beta in BETAS:
            told = [float(found[name, quantity, beta]) for quantity in ("value", "band from", "band to")]
            assert told == pytest.approx(expected(dataset, name, beta), rel=1e-5)
            for network in range(3):
                value = float(dataset[name].sel(beta=beta, realization=network))
                text = found[name, f"network {network}", beta]
                assert text == "" if np.isnan(value) else float(text) == pytest.approx(value, rel=1e-5)


def test_single_networks_come_when_asked_for(page, dataset):
    assert page.locator(".network").count() == 0
    page.get_by_role("button", name="Single networks").click()
    shapes = [shape.get_attribute("d") for shape in page.locator(".network").all()]
    assert [shape.count("M") for shape in shapes] == [int(np.isfinite(dataset[name]).sum()) for name in NAMES]


def test_curves_and_bands_are_drawn_at_their_values(page, dataset):
    """By the lines of the grid and what is written at them: in B linear up to ±10, logarithmic beyond."""
    for i, name in enumerate(NAMES):
        panel = page.locator(".frame svg").nth(i)
        of_rows = "all => all.map(g => [g.nextSibling.textContent, g.getAttribute('d').split(/[, ]/)[1]])"
        rows = panel.locator(".grid").evaluate_all(of_rows)
        values, heights = np.transpose([(number(value), float(height)) for value, height in rows])

        def bent(values, linear=i == 0):
            size = np.abs(values)
            return (
                values
                if linear
                else np.where(size <= 10, values / 10, np.sign(values) * (1 + np.log10(np.maximum(size, 10) / 10)))
            )

        scale = np.polynomial.Polynomial.fit(bent(values), heights, 1)
        assert scale(bent(values)) == pytest.approx(heights, abs=0.01)
        of = {
            kind: panel.locator(f".{kind}.blue").first.evaluate("e => [...e.points].map(p => p.y)")
            for kind in ("curve", "band")
        }
        mean, low, high = np.transpose([expected(dataset, name, beta) for beta in BETAS])
        assert of["curve"] == pytest.approx(scale(bent(mean)), abs=0.06)
        assert of["band"] == pytest.approx(scale(bent(np.concatenate([low, high[::-1]]))), abs=0.06)


def test_paper_gets_the_static_figure(page):
    static = page.locator(".panels > div")
    assert [static.nth(i).is_visible() for i in range(3)] == [False, False, True]
    page.emulate_media(media="print")
    assert all(static.nth(i).is_visible() for i in range(3))
    assert not page.locator(".asking").is_visible()


def test_markup_in_names_is_shown_not_run(page):
    assert page.locator("img").count() == 0
    assert "</script><img src=x>" in page.locator(".asked .title").first.inner_text()


@pytest.mark.parametrize("count", [1, 2, 20, 21, 60, 300])
def test_a_band_holds_nine_tenths_of_the_networks_and_all_of_a_few(rng, count):
    networks = rng.standard_normal((count, 3))
    networks[count // 2 + 1 :, 2] = np.nan
    low, high = curves.middle(networks)
    for ends, place, method in ((low, 0.05, "lower"), (high, 0.95, "higher")):
        np.testing.assert_array_equal(ends, np.nanquantile(networks, place, axis=0, method=method))
    assert count > 20 or (low[0], high[0]) == (networks[:, 0].min(), networks[:, 0].max())
    assert np.isnan(curves.middle(np.full((count, 1), np.nan))).all()


@pytest.fixture(scope="module")
def runaway():
    """A panel of 60 networks from 4 to 6 at each β; one of them, at β = 20, is at 400, and one at β = 1 at −90."""
    value = np.random.default_rng(3).uniform(4, 6, (60, 4))
    value[7, 2], value[9, 1] = 400, -90
    terms = {"tie": (("realization", "beta"), value)}
    return curves.Panel(title="A", curves=[curves.over(xr.Dataset(terms, {"beta": BETAS}), "tie")])


@pytest.mark.parametrize("bend", [None, 5.0])
def test_a_runaway_network_rules_no_axis_and_is_counted(runaway, bend):
    panel = dataclasses.replace(runaway, bend=bend, curves=[dataclasses.replace(c) for c in runaway.curves])
    assert curves.beyond(panel) == ([20.0], [1.0], "▲▼ 2 of 240 beyond")
    figure = curves.draw([panel], columns=1)
    (axis,) = figure.axes
    low, high = axis.get_ylim()
    assert 0 < low < 4.2 and 5.8 < high < 13  # the mean at β = 20 is at 11.6
    assert axis.get_title("right") == "▲▼ 2 of 240 beyond"
    arrows = [line for line in axis.lines if line.get_marker() in ("^", "v")]
    assert [(line.get_marker(), *line.get_xdata()) for line in arrows] == [("^", 20.0), ("v", 1.0)]
    plt.close(figure)


@pytest.mark.parametrize("asked", [False, True])
def test_on_the_page_a_runaway_leaves_the_band_most_of_the_height(visit, asked):
    page = visit("runaway.html")
    if asked:
        page.get_by_role("button", name="Single networks").click()
        assert page.locator(".network").get_attribute("d").count("M") == 238
    heights = page.evaluate(
        "[...document.querySelectorAll('.frame svg :is(.band, .axis)')].map(e => e.getBBox().height)"
    )
    band, axis = heights
    assert band > 0.2 * axis
    assert page.locator(".frame .off").count() == 2
    assert page.locator(".asked .head small").inner_text() == "▲▼ 2 of 240 beyond"


@pytest.mark.parametrize(("peak", "half"), [(9.0, "lower"), (1.0, "upper")])
def test_the_label_of_a_mark_lies_off_the_curve(visit, site_folder, peak, half):
    """At the top, unless the curve is there."""
    where = {"beta": np.array(BETAS), "value": np.array([5.0, peak, 5.0, 5.0]), "name": "tie"}
    marks = [curves.Mark(1.0, "one", height=None)]
    panel = curves.Panel(title="A", curves=[curves.Curve(**where)], marks=marks)
    (site_folder / f"marked-{half}.html").write_text(PAGE.format(interactive.curves("fig-x", [panel]).data))
    page = visit(f"marked-{half}.html")
    frame, label = (page.locator(f".frame {part}").bounding_box() for part in (".axis", "text >> text=one"))
    assert (label["y"] < frame["y"] + frame["height"] / 2) == (half == "upper")
    figure = curves.draw([panel], columns=1)
    (text,) = (text for text in figure.axes[0].texts if text.get_text() == "one")
    assert (text.xy[1] > 0.5) == (half == "upper")
    plt.close(figure)


def test_the_label_of_a_mark_lies_on_no_other_line(visit, site_folder):
    """Neither on another mark's, nor on that of the chosen β."""
    curve = curves.Curve(name="tie", beta=np.array(BETAS), value=np.array([5.0, 1.0, 5.0, 5.0]))
    marks = [curves.Mark(beta, label) for beta, label in ((1.0, "one"), (1.1, "two"))]
    panel = curves.Panel(title="A", curves=[curve], marks=marks, start=BETAS[1])
    (site_folder / "marks.html").write_text(PAGE.format(interactive.curves("fig-x", [panel]).data))
    page = visit("marks.html")
    lines = [line.bounding_box()["x"] for line in page.locator(".frame :is(.mark, .chosen)").all()]
    labels = [page.locator(f".frame text >> text={label}").bounding_box() for label in ("one", "two")]
    assert len(lines) == 3
    assert not any(box["x"] <= x <= box["x"] + box["width"] for box in labels for x in lines)
    halo = "parseFloat(getComputedStyle(document.querySelector('.frame .named text')).strokeWidth)"
    assert page.evaluate(halo) > 6  # where there is no such place, it breaks the line under it


@pytest.mark.parametrize("width", [390, 900])
def test_rows_of_pictures_are_labelled_at_their_height(visit, width):
    page = visit("chapter.html")
    page.set_viewport_size({"width": width, "height": 900})
    picture = page.locator(".pictures img:visible").bounding_box()
    labels = [label.bounding_box() for label in page.locator(".pictures > div:visible .rows span").all()]
    assert page.locator(".pictures > div:visible .rows span").all_inner_texts() == ["images", "decoded"]
    for i, box in enumerate(labels):
        row = picture["y"] + i * picture["height"] / 2
        assert row <= box["y"] + box["height"] / 2 <= row + picture["height"] / 2
        assert box["x"] + box["width"] <= picture["x"]


@pytest.mark.parametrize(("count", "beside"), [(1, True), (2, False), (3, True)])
def test_the_last_row_of_panels_is_full(visit, site_folder, panels, count, beside):
    """An odd panel at the end has its values beside it."""
    described = (panels * 2)[:count]
    (site_folder / f"odd-{count}.html").write_text(PAGE.format(interactive.curves("fig-x", described).data))
    page = visit(f"odd-{count}.html")
    flow = page.locator(".asking .flow").bounding_box()
    frame, values = (page.locator(f".asked {part}").last.bounding_box() for part in (".frame", ".values"))
    assert (values["x"] > frame["x"] + frame["width"]) == beside
    assert values["x"] + values["width"] > flow["x"] + 0.95 * flow["width"]


def test_the_static_figure_draws_the_same_numbers(panels, dataset):
    figure = curves.draw(panels, key=True)
    assert len(figure.axes) == 3
    for axis, name in zip(figure.axes, NAMES, strict=False):
        np.testing.assert_allclose(axis.lines[0].get_ydata(), dataset[name].mean("realization"))
        assert axis.get_yscale() == ("symlog" if name == "elbo" else "linear")
    texts = [text.get_text() for text in figure.axes[2].get_legend().get_texts()]
    assert texts == ["networks", "live", "bands: middle 90 %", "extremum of the mean"]
    plt.close(figure)


def test_a_curve_across_another_quantity_says_both(visit):
    page = visit("across.html")
    item = page.locator(".values li")
    dots = page.locator(".frame svg > circle").all()
    assert len(dots) == len(BETAS)
    for dot, beta, value, rate in zip(dots, BETAS, VALUES, RATES, strict=True):
        box = dot.bounding_box()
        page.mouse.move(box["x"] + box["width"] / 2 + 4, box["y"] + box["height"] / 2 + 4)
        assert page.locator(".asked .at").inner_text() == f"at β = {beta:g}"
        assert number(item.locator("b").inner_text()) == value
        assert item.locator("small").inner_text() == f"rate {rate:g}"
    page.locator("summary").click()
    page.locator("table").wait_for()
    assert page.locator("tbody tr").nth(2).inner_text().split() == ["20", "8.25", "1.75"]
    assert "20" in page.locator(".frame text").all_text_contents()


def test_a_level_line_stands_at_no_beta_and_is_drawn_once(visit, site_folder):
    """It was told to have a TIE, and its dots ran to and fro until they looked solid."""
    rates = curves.Curve(
        name="networks", beta=np.array(BETAS), value=np.array(VALUES), across=np.array(RATES), line="o-"
    )
    ends = {"beta": np.full(2, np.nan), "value": np.full(2, 2.5), "across": np.array([0, 6.5])}
    level = curves.Curve(name="level", **ends, line=":")
    described = [curves.Panel(title="A", curves=[rates, level], across="rate, nats")]
    (site_folder / "level.html").write_text(PAGE.format(interactive.curves("fig-x", described).data))
    page = visit("level.html")
    item = page.locator(".values li").last
    assert (item.locator("b").inner_text(), item.locator("small").count()) == ("2.5", 0)
    assert page.locator(".frame .now .dot").count() == 1
    assert len(page.locator(".frame polyline").last.get_attribute("points").split()) == 2
    box = page.locator(".frame").bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    assert page.locator(".asked .at").inner_text() in {f"at β = {beta:g}" for beta in BETAS}
    page.get_by_text("Numbers as a table").click()
    page.locator("thead").wait_for()
    assert page.locator("thead th").all_inner_texts() == ["β", "networks", "rate, nats", "level"]


def test_lines_of_every_style_look_different(visit, site_folder):
    """Dash-dot was drawn as solid."""
    drawn = [curves.Curve(name=s, beta=np.array(BETAS), value=np.array(VALUES), line=s) for s in ("-", "--", ":", "-.")]
    (site_folder / "styles.html").write_text(
        PAGE.format(interactive.curves("fig-x", [curves.Panel(title="A", curves=drawn)]).data)
    )
    page = visit("styles.html")
    for part in (".frame polyline", ".values path"):
        dashes = page.locator(part).evaluate_all("all => all.map(line => getComputedStyle(line).strokeDasharray)")
        assert len(set(dashes)) == 4, part


def test_a_panel_over_another_quantity_has_a_place_of_its_own(visit):
    """From 0 on, on a linear axis; the β of the page moves the other panel alone, and this one moves no β."""
    page = visit("own.html")
    page.locator(".asked .now .dot").nth(1).wait_for(state="attached")
    of_beta, own = page.locator(".asked .at").all()
    assert (of_beta.inner_text(), own.inner_text()) == ("at β = 1", "at angle = 50 degrees")
    slider = page.get_by_role("slider", name="angle of own")
    dot = page.locator(".asked").nth(1).locator(".now .dot")
    places = []
    slider.press("Home")
    for angle, value in zip(ANGLES, VALUES, strict=True):
        assert own.inner_text() == f"at angle = {angle:g} degrees"
        assert slider.get_attribute("aria-valuetext") == f"angle = {angle:g} degrees: turned {value:g}"
        places.append(float(dot.get_attribute("cx")))
        slider.press("ArrowRight")
    assert np.diff(places) / np.diff(ANGLES) == pytest.approx((places[-1] - places[0]) / 90, abs=0.01)
    assert of_beta.inner_text() == "at β = 1"
    assert page.evaluate("location.hash") == ""
    box = page.locator(".asked").nth(1).locator("svg").first.bounding_box()
    page.mouse.move(box["x"] + places[1], box["y"] + 50)
    assert own.inner_text() == "at angle = 10 degrees"
    page.mouse.move(0, 0)
    assert own.inner_text() == "at angle = 90 degrees"
    page.get_by_role("slider", name="A  tie").first.press("Home")
    assert (of_beta.inner_text(), own.inner_text()) == ("at β = 0.1", "at angle = 90 degrees")
    page.get_by_text("Numbers as a table").click()
    page.locator("table").nth(1).wait_for()
    assert page.locator("table").nth(1).locator("th").first.inner_text() == "angle, degrees"


def follows(page):
    """The β of each thing that follows the page's, as it shows: control, figure, picture; and the sentence."""
    shown = [
        page.locator(".page-beta output").inner_text(),
        page.locator(".asked .at").first.inner_text().removeprefix("at β = "),
    ]
    shown += [picture.get_attribute("data-beta") for picture in page.locator(".pictures > div:visible").all()]
    return shown, page.locator("[data-said]").inner_text()


@pytest.mark.parametrize(
    ("beta", "words"),
    [(3.0, "5.13 at β = 2 and 4.26 at β = 5"), (7.0, "4.26 at β = 5"), (0.0, "5.13 at β = 2"), (2.0, "5.13")],
)
def test_a_sentence_names_the_beta_on_either_side_where_nothing_is_said_of_the_page_s(beta, words):
    """The value of the nearest β stood there as if it were the page's."""
    assert f">{words}</span>" in interactive.follows({2.0: "5.13", 5.0: "4.26"}, beta).data


def test_the_page_follows_its_control(visit, dataset):
    page = visit("chapter.html")
    assert follows(page)[0] == ["1", "1", "1"]
    assert "#" not in page.url
    page.get_by_label("β of this page").focus()
    for beta, key in ((20.0, "ArrowRight"), (1000.0, "End"), (0.1, "Home")):
        page.keyboard.press(key)
        shown, sentence = follows(page)
        assert shown == [f"{beta:g}"] * 3
        assert number(sentence) == pytest.approx(expected(dataset, "tie", beta)[0], abs=0.005)
        assert page.url.endswith(f"#beta={beta:g}")


def test_a_figure_moves_the_page(visit):
    page = visit("chapter.html")
    page.get_by_role("slider", name="tie").focus()
    page.keyboard.press("ArrowRight")
    assert follows(page)[0] == ["20"] * 3
    assert page.url.endswith("#beta=20")


def test_the_address_sets_beta(visit):
    page = visit("chapter.html#beta=1000")
    assert follows(page)[0] == ["1000"] * 3
    page.evaluate("location.hash = '#beta=0.1'")
    page.wait_for_function("document.querySelector('.page-beta output').textContent == '0.1'")
    assert follows(page)[0] == ["0.1"] * 3


@pytest.mark.parametrize("nonsense", ["#beta=", "#beta=-1", "#beta=%20", "#beta=x", "#beta=Infinity", "#fig-x"])
def test_an_address_without_a_beta_is_no_error(visit, nonsense):
    page = visit(f"chapter.html{nonsense}")
    assert follows(page)[0] == ["1", "1", "1"]


def test_the_address_leads_to_a_beta_of_zero(visit, site_folder, panels):
    control = interactive.page_beta("mixing", [0.0, *BETAS], 1.0).data
    (site_folder / "zero.html").write_text(PAGE.format(control + interactive.curves("fig-x", panels).data))
    page = visit("zero.html#beta=0")
    assert page.locator(".page-beta output").inner_text() == "0"
    assert not page.locator(".page-beta code").is_visible()


def test_a_page_loaded_again_after_a_jump_to_a_section_keeps_its_beta(visit):
    page = visit("chapter.html#beta=1000")
    page.evaluate("document.body.insertAdjacentHTML('afterbegin', '<a href=\"#fig-x\">jump</a>')")
    for _ in range(2):  # the second leads where the page is already
        page.get_by_text("jump").click()
    page.wait_for_function("history.state?.beta == 1000")
    page.reload()
    page.locator(".asked .now .dot").first.wait_for(state="attached")
    assert follows(page)[0] == ["1000"] * 3
    assert page.url.endswith("#fig-x")


def test_what_is_not_stored_is_told_with_its_command(visit):
    page = visit("chapter.html#beta=7")
    assert follows(page)[0] == ["20"] * 3
    assert (
        "Nothing is stored at β = 7; shown is the nearest that there is."
        in page.locator(".page-beta details p").inner_text()
    )
    assert "make chapter CHAPTER=mixing BETA=7" in page.locator(".page-beta code").inner_text()
    for asked in ("9", "0.3", "8"):  # the address stays as it is, whatever was shown before
        page.evaluate(f"location.hash = '#beta={asked}'")
        page.locator(".page-beta details", has_text=f"at β = {asked};").wait_for()
        assert page.evaluate("location.hash") == f"#beta={asked}"
    page.get_by_label("β of this page").focus()
    page.keyboard.press("Home")
    assert not page.locator(".page-beta code").is_visible()


def test_the_note_on_what_is_stored_stays_open_while_it_is_read(visit):
    page = visit("chapter.html")
    page.locator(".page-beta summary").click()
    page.get_by_label("β of this page").press("ArrowRight")
    assert page.locator(".page-beta code").is_visible()


def test_the_note_opens_where_it_is_pressed(visit):
    """It went up to where the control stands on the page, far out of sight."""
    page = visit("chapter.html")
    below = """document.querySelector(".page-beta").insertAdjacentHTML("afterend", "<p style='height: 300vh'></p>")"""
    page.evaluate(f"{below}; scrollTo(0, 1200)")
    note = page.locator(".page-beta summary")
    before = note.bounding_box()["y"]
    note.click()
    assert 0 < note.bounding_box()["y"] < before + 60
    assert page.locator(".page-beta code").bounding_box()["y"] < page.viewport_size["height"]


def test_a_beta_of_which_nothing_is_stored_has_a_stop_of_its_own(visit, dataset):
    """The control, words, picture and marks are at it; a curve without a value there names its neighbours."""
    page = visit("seven.html")
    control = page.get_by_label("β of this page")
    shown = page.locator(".page-beta output")
    assert shown.inner_text() == "7, this build"
    assert shown.bounding_box()["height"] < 30  # on one line
    assert page.locator("[data-said]").inner_text() == "7"
    assert page.locator(".pictures > div:visible").get_attribute("data-beta") == "7"
    assert page.locator(".asked .at").inner_text() == "at β = 7"
    stored, own = page.locator(".values li").all()
    near = [float(dataset.tie.sel(beta=beta).mean()) for beta in (1.0, 20.0)]
    assert stored.locator("b").inner_text() == "–"
    told = stored.locator("small").inner_text().removeprefix("at 1: ").replace(", at 20:", "").split()
    assert [number(text) for text in told] == pytest.approx(near, rel=DIGITS["range"])
    assert number(own.locator("b").inner_text()) == pytest.approx(near[0], rel=DIGITS["value"])
    assert page.locator(".frame svg > path.curve").count() == 1  # from the least to the largest of this build
    stops = []
    control.focus()
    page.keyboard.press("Home")
    for _ in range(len(BETAS) + 1):
        stops.append(shown.inner_text())
        page.keyboard.press("ArrowRight")
    assert stops == ["0.1", "1", "7, this build", "20", "1000"]
    page.get_by_text("4 stored").click()
    told = page.locator(".page-beta details p").inner_text()
    assert "Networks are stored at β = 0.1, 1, 20, 1000. Those at β = 7 were trained for this page." in told


def test_the_address_leads_to_a_beta_of_this_build(visit):
    page = visit("seven.html#beta=7")
    assert page.locator(".page-beta output").inner_text() == "7, this build"
    assert page.locator(".page-beta details").get_attribute("open") is None


def test_without_scripts_the_page_reads_whole(browser, site, dataset):
    page = browser.new_context(java_script_enabled=False).new_page()
    page.goto(f"{site}/chapter.html")
    assert [p.get_attribute("data-beta") for p in page.locator(".pictures > div:visible").all()] == ["1"]
    sentence = page.locator("[data-said]").inner_text()
    assert number(sentence) == pytest.approx(expected(dataset, "tie", 1.0)[0], abs=0.005)
    assert page.locator(".panels > div:visible").count() == 3
    assert page.locator("figcaption span:visible").all_inner_texts() == ["still"]
    assert not page.locator(".page-beta").is_visible()
    page.context.close()


def test_a_table_of_numbers_that_scrolls_is_framed_and_says_how_long_it_is(visit, site_folder):
    """It ended in the middle, as if that were all of it."""
    betas = np.geomspace(0.1, 1000, 60)
    drawn = [curves.Curve(name="tie", beta=betas[:n], value=np.arange(n)) for n in (60, 4)]
    panels = [curves.Panel(title=title, curves=[curve]) for title, curve in zip("AB", drawn, strict=True)]
    (site_folder / "long.html").write_text(PAGE.format(interactive.curves("fig-x", panels).data))
    page = visit("long.html")
    page.get_by_text("Numbers as a table").click()
    page.locator("table").last.wait_for()
    assert page.locator("table caption").all_inner_texts() == ["A, nats: 60 rows, scroll", "B, nats"]


def test_a_caption_says_of_a_still_picture_what_holds_of_it_alone(visit):
    """That circles stand at the page's β was said of those that follow the pointer, too."""
    page = visit("figure.html")
    said = page.locator("figcaption span:visible")
    assert said.all_inner_texts() == ["moves"]
    page.emulate_media(media="print")
    assert "still" in said.all_inner_texts()
    page.emulate_media(media="screen")
