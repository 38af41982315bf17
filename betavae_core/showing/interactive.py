"""Pictures that answer to the reader, as HTML that needs no kernel."""

import html
import json

import numpy as np

from betavae_core.showing import figures
from betavae_core.showing.curves import Curve, Panel
from betavae_core.theory.gaussian import LinearGaussian

EXAMPLE = LinearGaussian([[2.0, 1.0], [0.5, 1.5]], 1.0)  # the thesis's, for models that do not fit the plane

SHADES = (-1.2, -0.4, 0.4, 1.2)  # sources on either side of these have different colours
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


def _rounded(point) -> list[float]:
    return [round(float(value), 2) for value in point]


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


def page_beta(chapter: str, betas, start: float):
    """A place for the control "β of this page", which `page.js` fills; without JavaScript there is none.

    Parameters
    ----------
    chapter : that `make chapter` runs at another β
    betas : (β,) at which networks are stored, increasing
    start : the β at first, if it is among them, else the nearest
    """
    from IPython.display import HTML

    offered = " ".join(f"{beta:g}" for beta in betas)
    name = html.escape(chapter)
    return HTML(f'<div class="page-beta" data-chapter="{name}" data-betas="{offered}" data-start="{start:g}"></div>')


def follows(said: dict[float, str], start: float):
    """Words in a sentence that follow the page's β: those of the β nearest to it."""
    from IPython.display import HTML

    first = said[nearest(said, start)]
    texts = html.escape(json.dumps({f"{beta:g}": text for beta, text in said.items()}, ensure_ascii=False))
    return HTML(f'<span class="follows" data-said="{texts}">{html.escape(first)}</span>')


def pictures(sheets: dict[float, np.ndarray], rows: str, start: float):
    """Pictures at the page's β: all in the page, the one of the β nearest to it shown.

    Parameters
    ----------
    sheets : for each β, grey levels (row, column, height, width)
    rows : what the rows are, for the alternative text
    start : the β shown at first
    """
    from IPython.display import HTML

    first = nearest(sheets, start)
    found = []
    for beta, sheet in sheets.items():
        hidden = "" if beta == first else " hidden"
        image = (
            f'<img class="digits" alt="β = {beta:g}: {html.escape(rows)}" src="data:image/png;base64,{_png(sheet)}">'
        )
        found.append(f'<div data-beta="{beta:g}"{hidden}>{image}</div>')
    return HTML(f'<div class="follows pictures">{"".join(found)}</div>')


def scatter(means, sources: np.ndarray):
    """Posterior means at the page's β, coloured by each source in turn; `page.js` draws them.

    Parameters
    ----------
    means : DataArray over beta, sample and latent
    sources : (sample or more, 2)
    """
    from IPython.display import HTML

    shades = np.searchsorted(SHADES, sources[: means.sizes["sample"]]).T.tolist()  # one row a source
    values = means.transpose("beta", "sample", "latent").values
    points = {
        f"{beta:g}": [_rounded(row) for row in mean] for beta, mean in zip(means.beta.values, values, strict=True)
    }
    text = _json({"shades": shades, "means": points})
    return HTML(f'<div class="follows scatter"><script type="application/json">{text}</script></div>')


def nearest(betas, beta: float) -> float:
    """The one of several β nearest to another, as a ratio."""
    return min(betas, key=lambda b: abs(np.log(b / max(beta, 1e-9))))


def _png(sheet: np.ndarray) -> str:
    """Rows of pictures, each row with a grey scale of its own, as a PNG in base 64."""
    import base64

    import cv2

    scaled = sheet / np.abs(sheet).max((1, 2, 3), keepdims=True)
    cells = np.pad(scaled, ((0, 0), (0, 0), (1, 1), (1, 1)), constant_values=1.0)
    grey = np.uint8(128 + 127 * np.concatenate([np.concatenate(list(row), 1) for row in cells]))
    return base64.b64encode(cv2.imencode(".png", grey)[1]).decode()
