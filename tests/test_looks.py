"""What a reader sees of labels and tables: no label on another, no table wider than its page, no broken word."""

import itertools

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest
from IPython.display import Markdown

from betavae_core import paths
from betavae_core.showing import analytical, curves, figures, rotation, tables
from betavae_core.theory import linear
from betavae_core.theory.gaussian import LinearGaussian
from betavae_workshop.commands import books

COLUMN = 688  # pixels of a page's text at 1280


def described(process):
    """Panels whose lines and marks have labels: thesis Fig. 3, the fixed decoder, best β, and more sources."""
    best = linear.optimal_beta(process)
    grid = analytical.beta_grid(process, [1.0, best])
    trained, fixed = linear.sweep(process, grid), linear.sweep(process, grid, decoder=process.mixing)
    larger = LinearGaussian(np.random.default_rng(0).normal(size=(6, 4)), 1.0)
    return [
        *analytical.identity_panels(trained, 1.0, best),
        analytical.fixed_decoder_panel(trained, fixed, best, 1.0),
        *rotation.best_beta_panels(process),
        analytical.larger_panel(larger),
    ]


def test_no_label_lies_on_another_and_no_line_runs_through_one(process):
    with mpl.rc_context(figures.STYLE):
        figure = curves.draw(described(process))
        figure.draw_without_rendering()
        count = 0
        for axis in figure.axes:
            for text, other in itertools.combinations(axis.texts, 2):
                assert not text.get_window_extent().overlaps(other.get_window_extent()), (text, other)
            for text, line in itertools.product(axis.texts, axis.lines):
                box, points = text.get_window_extent(), line.get_transform().transform(line.get_xydata())
                assert text.get_fontsize() == 9 or not box.count_contains(points), text  # a curve's name
                if len(points) and text.get_fontsize() == 9:  # of a mark: on no other line, and inside the panel
                    assert points[0, 0] != points[-1, 0] or not box.x0 < points[0, 0] < box.x1, text
                    assert box.x1 < axis.get_window_extent().x1 + 8, text
            count += len(axis.texts)
            halos = [text.get_path_effects() for text in axis.texts]
            assert all(halos)
            assert not axis.lines or all(t.zorder > max(line.zorder for line in axis.lines) for t in axis.texts)
        plt.close(figure)
    assert count == 17


@pytest.mark.slow
@pytest.mark.parametrize("width", [1280, 390])
def test_a_table_of_seven_columns_of_intervals_fits_and_breaks_at_brackets(blank, width):
    row = ["mixing", "300", "largest ELBO", *["1.210 (1.184 to 1.236)"] * 3, "0.5 to 2"]
    shown = tables.table(
        ["experiment", "n", "optimum", "training images", "fresh images", "single", "model"], [row], "", "t"
    )
    assert isinstance(shown, Markdown)
    cells = shown.data.split("\n")[6].strip("| ").split(" | ")
    style = (paths.CHAPTERS / "static/companion.css").read_text()
    body = "".join(f"<td>{cell}</td>" for cell in cells)
    page = blank
    page.set_viewport_size({"width": width, "height": 800})
    head = f"<style>{style} td {{ font-family: 'DejaVu Sans' }} .bd-content {{ max-width: {COLUMN}px }}</style>"
    page.set_content(
        f"{head}<div class='bd-content'><div class='pst-scrollable-table-container'><table class='betavae-numbers'>"
        f"<thead><tr>{'<th>x</th>' * 7}</tr></thead><tbody><tr>{body}</tr></tbody></table></div></div>"
    )
    box = page.locator(".pst-scrollable-table-container")
    assert width < COLUMN or box.evaluate("box => box.scrollWidth <= box.clientWidth")
    lines = """cell => { const text = cell.firstChild, range = document.createRange(), tops = new Map();
        for (let i = 0; i < text.length; i++) { range.setStart(text, i); range.setEnd(text, i + 1);
            const { top } = range.getBoundingClientRect(); tops.set(top, (tops.get(top) ?? '') + text.data[i]); }
        return [...tops.values()].map(line => line.trim()); }"""
    found = page.locator("td").nth(3).evaluate(lines)
    assert [line.replace("\N{NO-BREAK SPACE}", " ") for line in found] == ["1.210", "(1.184 to 1.236)"]


@pytest.mark.parametrize("columns", [60, 80, 120])
def test_a_narrow_terminal_shows_whole_words(columns):
    row = ["claim", "The error of inference is least at a finite β", "Abstract; Results, Fig. 4", "mixing"]
    told = books._in_lines([*row, "least at β = 200, of 300 realizations", "197 to 208", "held"], columns)
    assert max(map(len, told.splitlines())) <= columns
    words = " ".join(told.split())
    assert words.startswith("HELD The error of inference is least at a finite β (claim; Abstract; Results, Fig. 4)")
    assert words.endswith("mixing: least at β = 200, of 300 realizations; 95 %: 197 to 208")
