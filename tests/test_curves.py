"""Figures that can be asked, in a real Chromium: what they say at each β is what the Dataset holds."""

import csv
import io
import shutil

import matplotlib.pyplot as plt
import numpy as np
import pytest
import xarray as xr

from betavae_core import paths
from betavae_core.building import pdf
from betavae_core.showing import curves, interactive

pytestmark = pytest.mark.slow
BETAS = [0.1, 1.0, 20.0, 1000.0]
NAMES = ("tie", "elbo")
PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>t</title>
<link rel="stylesheet" href="_static/companion.css"></head><body><div class="bd-content">
<figure id="fig-x"><div class="panels"><div>static A</div><div>static B</div><div>bars</div></div></figure>{}</div>
<script type="module" src="_static/scripts/curves.js"></script></body></html>"""
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


@pytest.fixture
def page(browser, panels, tmp_path):
    shutil.copytree(paths.ROOT / "book/static", tmp_path / "sub/_static")
    (tmp_path / "sub/page.html").write_text(PAGE.format(interactive.curves("fig-x", panels).data))
    with pdf.served(tmp_path) as site:
        opened, errors = browser.new_page(viewport={"width": 900, "height": 900}), []
        opened.on("pageerror", lambda error: errors.append(str(error)))
        opened.goto(f"{site}/sub/page.html")
        opened.locator(".asked .chosen").first.wait_for(state="attached")
        yield opened
        assert errors == []
        opened.close()


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


def test_the_table_holds_the_same_numbers(page, dataset):
    assert page.locator("table").count() == 0
    page.locator("summary").click()
    for i, name in enumerate(NAMES):
        rows = page.locator("table").nth(i).locator("tbody tr").all()
        assert len(rows) == len(BETAS)
        for row, beta in zip(rows, BETAS, strict=True):
            cells = [number(cell) for cell in row.locator("th, td").all_inner_texts()[:4]]
            assert cells == pytest.approx([beta, *expected(dataset, name, beta)], rel=1e-5)


def test_the_file_holds_every_network(page, dataset):
    with page.expect_download() as download:
        page.get_by_role("link", name="CSV").click()
    rows = list(csv.DictReader(io.StringIO(download.value.path().read_text())))
    found = {
        (r["panel"][3:].split()[0], r["quantity"], float(r["beta"])): r["value"] for r in rows if r["curve"] != "live"
    }
    assert len(found) == len(NAMES) * len(BETAS) * (3 + 3)
    for name in NAMES:
        for beta in BETAS:
            assert float(found[name, "value", beta]) == pytest.approx(expected(dataset, name, beta)[0], rel=1e-5)
            for network in range(3):
                value = float(dataset[name].sel(beta=beta, realization=network))
                text = found[name, f"network {network}", beta]
                assert text == "" if np.isnan(value) else float(text) == pytest.approx(value, rel=1e-5)


def test_single_networks_come_when_asked_for(page):
    assert page.locator(".network").count() == 0
    page.get_by_role("button", name="Single networks").click()
    assert page.locator(".network").count() == len(NAMES) * 3


def test_paper_gets_the_static_figure(page):
    static = page.locator(".panels > div")
    assert [static.nth(i).is_visible() for i in range(3)] == [False, False, True]
    page.emulate_media(media="print")
    assert all(static.nth(i).is_visible() for i in range(3))
    assert not page.locator(".asking").is_visible()


def test_markup_in_names_is_shown_not_run(page):
    assert page.locator("img").count() == 0
    assert "</script><img src=x>" in page.locator(".asked .title").first.inner_text()


def test_the_static_figure_draws_the_same_numbers(panels, dataset):
    figure = curves.draw(panels, key=True)
    assert len(figure.axes) == 3
    for axis, name in zip(figure.axes, NAMES, strict=False):
        np.testing.assert_allclose(axis.lines[0].get_ydata(), dataset[name].mean("realization"))
        assert axis.get_yscale() == ("symlog" if name == "elbo" else "linear")
    texts = [text.get_text() for text in figure.axes[2].get_legend().get_texts()]
    assert texts == ["networks", "networks, least to largest", "live", "extremum of the mean"]
    plt.close(figure)
