"""Pictures that answer to the reader, as HTML that needs no kernel."""

import html

import numpy as np

from betavae_core.theory.gaussian import LinearGaussian

EXAMPLE = LinearGaussian([[2.0, 1.0], [0.5, 1.5]], 1.0)  # the thesis's, for models that do not fit the plane


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
