"""Pictures that answer to the reader, as HTML that needs no kernel."""

import html

import numpy as np


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
