"""Pictures that answer to the reader, as HTML that needs no kernel."""

import html
import json

import numpy as np

from betavae_core.showing import figures
from betavae_core.showing.curves import Curve, Panel
from betavae_core.theory.gaussian import LinearGaussian

EXAMPLE = LinearGaussian([[2.0, 1.0], [0.5, 1.5]], 1.0)  # the thesis's, for models that do not fit the plane

COLOURS = {  # their names in companion.css, where dark mode changes them
    figures.BLUE: "blue",
    figures.ORANGE: "orange",
    figures.GREEN: "green",
    figures.PINK: "pink",
    figures.GREY: "grey",
}


def curves(name: str, described: list[Panel], key: bool = False):
    """The numbers of a figure, for `curves.js` to draw in its place on a screen: one that a reader can ask.

    Parameters
    ----------
    name : of the figure that `curves.draw` made of the same panels
    described : panels, in place of the figure's first ones
    key : the figure ends with a key, which is left out too
    """
    from IPython.display import HTML

    start = next((panel.start for panel in described if panel.start), 1.0)
    text = _json({"start": start, "panels": [_panel(panel) for panel in described]})
    replaced = len(described) + key
    return HTML(
        f'<div class="curves" data-figure="{html.escape(name)}" data-replaced="{replaced}">'
        f'<script type="application/json">{text}</script></div>'
    )


def _panel(panel: Panel) -> dict:
    marks = [{"beta": _number(at.beta), "label": at.label, "colour": COLOURS[at.colour]} for at in panel.marks]
    looks = {"bend": panel.bend, "floor": panel.floor, "shade": panel.shade and list(map(float, panel.shade))}
    lines = [_curve(curve) for curve in panel.curves]
    return {"title": panel.title, "unit": panel.unit, **looks, "marks": marks, "curves": lines}


def _curve(curve: Curve) -> dict:
    arrays = {name: getattr(curve, name) for name in ("beta", "value", "low", "high", "networks")}
    numbers = {name: _numbers(array) for name, array in arrays.items() if array is not None}
    return {"name": curve.name, "colour": COLOURS[curve.colour], "line": curve.line, **numbers}


def _numbers(array) -> list:
    return [_numbers(row) if np.ndim(row) else _number(row) for row in array]


def _number(value: float) -> float | None:
    """Six digits of a number, which is more than any page shows; None where there is none."""
    return float(f"{value:.6g}") if np.isfinite(value) else None


def _json(content) -> str:
    """JSON that can stand in a script element."""
    return json.dumps(content, ensure_ascii=False, separators=(",", ":"), allow_nan=False).replace("</", "<\\/")


def explorer(process: LinearGaussian, beta: float):
    """The analytical model to be moved, as HTML; starts where the page does, if that has two sources and two data."""
    from IPython.display import HTML

    fits = process.mixing.shape == (2, 2)
    shown = process if fits else EXAMPLE
    entries = ",".join(f"{entry:.12g}" for entry in shown.mixing.ravel())
    words = "" if fits else "<p>The explorer has room for two sources and two data: it shows the thesis’s example.</p>"
    return HTML(
        f'{words}<div class="explorer" data-size="full" data-beta="{beta:g}" data-mixing="{entries}" '
        f'data-noise="{shown.noise_std:g}"><p>The explorer needs JavaScript; the figures of this page show the same '
        "curves at its parameters.</p></div>"
    )


def beta_slider(sheets: dict[str, np.ndarray], rows: str, first: str):
    """Pictures under a slider over β, as HTML: all rendered now, one shown at a time.

    Parameters
    ----------
    sheets : for each label of the slider, grey levels (row, column, height, width)
    rows : what the rows are, for the alternative text
    first : the label shown first
    """
    import base64

    import cv2
    from IPython.display import HTML

    found, rows = [], html.escape(rows)
    for label, sheet in sheets.items():
        label = html.escape(label)
        scaled = sheet / np.abs(sheet).max((1, 2, 3), keepdims=True)  # each row its own grey scale
        cells = np.pad(scaled, ((0, 0), (0, 0), (1, 1), (1, 1)), constant_values=1.0)
        grey = np.uint8(128 + 127 * np.concatenate([np.concatenate(list(row), 1) for row in cells]))
        data = base64.b64encode(cv2.imencode(".png", grey)[1]).decode()
        image = f'<img class="digits" alt="β = {label}: {rows}" src="data:image/png;base64,{data}">'
        found.append(f'<figure data-label="{label}">{image}<figcaption>β = {label}</figcaption></figure>')
    return HTML(f'<div class="beta-slider" data-first="{html.escape(first)}">{"".join(found)}</div>')
