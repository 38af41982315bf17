"""Panels of a figure as files of their own: each whole, with its letters and digits, and nothing of the others."""

import csv
import importlib.util
import io
import re
from types import SimpleNamespace
from xml.etree import ElementTree

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest

from betavae_core import paths
from betavae_core.showing import diagrams, figures

spec = importlib.util.spec_from_file_location("panels", paths.CHAPTERS / "_ext/panels.py")
panels = importlib.util.module_from_spec(spec)
spec.loader.exec_module(panels)
HREF = "{http://www.w3.org/1999/xlink}href"


@pytest.fixture
def drawn(tmp_path):
    with mpl.rc_context(figures.STYLE):
        figure, axes = figures.panels(3)
        for axis, letter in zip(axes, "ABC", strict=True):
            axis.set(title=f"{letter} same words", xlabel="β")
            axis.plot([1, 1000], [0, 1])
        figure.savefig(tmp_path / "figure.svg", bbox_inches=None)
    return tmp_path / "figure.svg"


def trees(file):
    return [ElementTree.parse(file.with_name(name)).getroot() for _, name, *_ in panels.split(file)]


def test_each_panel_defines_every_letter_that_it_uses(drawn):
    found = trees(drawn)
    assert len(found) == 3
    for root in found:
        defined = {element.get("id") for element in root.iter() if element.get("id")}
        used = {element.get(HREF).lstrip("#") for element in root.iter(f"{{{panels.SVG}}}use")}
        assert used and used <= defined
        assert sum(1 for group in root.iter() if group.get("id", "").startswith("text_")) > 5


def test_each_panel_shows_its_own_place(drawn):
    views = [tuple(map(float, root.get("viewBox").split())) for root in trees(drawn)]
    width, height = figures.WIDTH * 72, 2.5 * 72
    assert views == [(0, 0, width, height), (width, 0, width, height), (0, height, width, height)]


def test_a_row_of_pictures_is_labelled_by_the_page(drawn, tmp_path):
    with mpl.rc_context(figures.STYLE):
        figures.picture_rows([[[[0.0, 1.0]]] * 3] * 2, ["images", "β = 2"]).savefig(tmp_path / "rows.svg")
    found = panels.split(tmp_path / "rows.svg")
    assert [label for label, *_ in found] == ["images", "β = 2"]
    for root in trees(tmp_path / "rows.svg"):
        assert not [group for group in root.iter() if group.get("id", "").startswith("text_")]
        assert len(list(root.iter(f"{{{panels.SVG}}}image"))) == 3


def test_a_figure_without_panels_is_left_alone(tmp_path):
    (tmp_path / "plain.svg").write_text(
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"><g id="axes_1"/></svg>'
    )
    assert panels.split(tmp_path / "plain.svg") == []


def test_a_figure_carries_its_numbers():
    with mpl.rc_context(figures.STYLE):
        figure, (lines, others) = figures.panels(2)
        lines.plot([1, 2, 3], [0.5, 0.25, 1 / 3], label="TIE, as trained")
        lines.axvline(9)
        lines.fill_between([1, 2], [0, 1], [5, 6])
        lines.set(title="A  <error>", xlabel="β", ylabel="nats")
        others.scatter([7, 8], [-1, -2])
        others.bar([4], [11], width=2)
        found = list(csv.DictReader(io.StringIO(figures.numbers(figure))))
        plt.close(figure)
        empty = figures.picture_rows(np.zeros((1, 2, 3, 3)), ["images"])
        assert figures.numbers(empty) == figures.numbers(diagrams.autoencoder()) == ""
    series = {}
    for row in found:
        key = row["panel"], row["series"].rstrip(" 0123456789")
        series.setdefault(key, []).append((float(row["x"]), float(row["y"])))
    first, second = "A  <error>: nats over β", ":  over "
    assert series[first, "TIE, as trained"] == [(1, 0.5), (2, 0.25), (3, 0.333333)]
    assert {(1, 0), (1, 5), (2, 1), (2, 6)} <= set(series[first, "band"])
    assert series[second, "points"] == [(7, -1), (8, -2)]
    assert {(3, 0), (5, 11)} <= set(series[second, "bar"])
    assert not any((9, 0) in points for points in series.values())  # a line that marks a place stands on no number


@pytest.mark.parametrize("asked", [True, False])
def test_a_caption_ends_with_the_figure_s_files_and_panels_carry_no_numbers(drawn, tmp_path, asked):
    (tmp_path / "_images").mkdir()
    table = "panel,series,x,y\n<A>,β,1,2\n"
    (tmp_path / "_images/figure.svg").write_text(figures.with_numbers(drawn.read_text(), table))
    image = '<img alt="a" class="plot" src="../_images/figure.svg" />'
    caption = '<figcaption>\n<p>Words.<a class="headerlink" href="#fig-a">#</a></p>\n</figcaption>\n</figure>'
    script = '<div class="curves" data-figure="fig-a" data-replaced="2"></div>' if asked else ""
    (tmp_path / "page.html").write_text(f'<figure class="align-default" id="fig-a">{image}{caption}{script}')
    panels.flow(SimpleNamespace(builder=SimpleNamespace(format="html"), outdir=tmp_path), None)
    files = re.findall('href="../(.*?)" download="(.*?)"', (tmp_path / "page.html").read_text().split("<p>Words.")[1])
    csv_file = [] if asked else [("_images/figure.csv", "fig-a.csv")]
    assert files == [("_images/figure.svg", "fig-a.svg"), *csv_file]
    assert (tmp_path / "_images/figure.csv").read_text() == table
    assert "&lt;A&gt;" not in (tmp_path / "_images/figure-0.svg").read_text()


def test_panels_that_scripts_draw_are_not_shown_and_the_others_wait_until_they_are_near(drawn, tmp_path):
    image = '<img alt="a" class="plot" src="_images/figure.svg" />'
    asked = '<div class="curves" data-figure="fig-b" data-replaced="2"></div>'
    figures_of = "".join(f'<figure id="fig-{name}">{image}</figure>' for name in "abc")
    (tmp_path / "_images").mkdir()
    drawn.rename(tmp_path / "_images/figure.svg")
    (tmp_path / "page.html").write_text(f"{figures_of}{asked}")
    panels.flow(SimpleNamespace(builder=SimpleNamespace(format="html"), outdir=tmp_path), None)
    page = (tmp_path / "page.html").read_text()
    shown = [part.split("<div ")[2:] for part in page.split("<figure ")[1:]]
    replaced = [[div.startswith('class="replaced"') for div in figure[:3]] for figure in shown]
    assert replaced == [[False] * 3, [True, True, False], [False] * 3]
    assert page.count('width="312" height="240" loading="lazy"') == 9


def shown(axes_moved_by):
    """The SVG that a notebook shows of a scatter whose axes lie off their place by a hair."""
    from IPython.core.interactiveshell import InteractiveShell

    figures.use_style()
    figure, (axis, _) = figures.panels(2)
    axis.scatter([0, 1], [0, 1])
    figure.draw_without_rendering()
    figure.set_layout_engine("none")
    x, y, width, height = axis.get_position().bounds
    axis.set_position((x + axes_moved_by, y, width, height))
    formatter = InteractiveShell.instance().display_formatter.formatters["image/svg+xml"]
    svg = formatter(figure)
    plt.close(figure)
    return svg


def test_clipping_paths_are_named_in_the_order_of_their_use():
    """matplotlib names them by their place, whose last bit the layout leaves open: one figure was two files."""
    with mpl.rc_context():
        one, same, other = (shown(hair) for hair in (0.0, 1e-13, 0.01))
    assert "url(#clip0)" in one and '<clipPath id="clip0">' in one
    assert one == same != other
