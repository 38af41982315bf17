"""Diagrams of the networks, drawn as vector graphics: thesis Figures 1 and 3 (below)."""

import matplotlib.pyplot as plt
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, Polygon, Rectangle

from betavae_core.networks.architecture import HIDDEN, LATENTS, PIXELS
from betavae_core.showing.figures import BLUE, GREEN, GREY, PINK


def _canvas(width: float, height: float, size) -> tuple[Figure, object]:
    figure, axis = plt.subplots(figsize=size)
    axis.set(xlim=(0, width), ylim=(0, height), aspect="equal")
    axis.axis("off")
    return figure, axis


def _shape(axis, corners, colour, text) -> None:
    axis.add_patch(Polygon(corners, closed=True, facecolor=colour, edgecolor=colour, alpha=0.22))
    axis.add_patch(Polygon(corners, closed=True, fill=False, edgecolor=colour, linewidth=1.5))
    x = sum(corner[0] for corner in corners) / len(corners)
    y = sum(corner[1] for corner in corners) / len(corners)
    axis.text(x, y, text, ha="center", va="center", fontsize=10, linespacing=1.5)


def _box(axis, x, y, width, height, colour, text) -> None:
    _shape(axis, [(x, y), (x + width, y), (x + width, y + height), (x, y + height)], colour, text)


def _arrow(axis, start, end, text="") -> None:
    axis.add_patch(FancyArrowPatch(start, end, arrowstyle="-|>", mutation_scale=12, color=GREY, linewidth=1.3))
    if text:
        axis.text((start[0] + end[0]) / 2, (start[1] + end[1]) / 2 + 0.12, text, ha="center", va="bottom", fontsize=9)


def _bars(axis, x, y, heights, colour) -> None:
    """A vector: a column of cells."""
    for i in range(heights):
        axis.add_patch(Rectangle((x, y + 0.3 * i), 0.3, 0.3, facecolor=colour, alpha=0.25, edgecolor=colour))


def autoencoder() -> Figure:
    """A variational autoencoder: data, encoder, a narrow latent space, decoder, reconstruction (thesis Fig. 1)."""
    figure, axis = _canvas(13, 4.5, size=(6.5, 2.3))
    middle = 2.2
    _bars(axis, 0.4, middle - 1.5, 10, GREY)
    _shape(axis, [(1.5, 0.5), (1.5, 3.9), (4.3, 3.0), (4.3, 1.4)], BLUE, "encoder\n$q_\\phi(z|x)$")
    _box(axis, 5.4, 1.4, 2.2, 1.6, GREEN, "latents\n$z \\sim q_\\phi(z|x)$")
    _shape(axis, [(8.7, 1.4), (8.7, 3.0), (11.5, 3.9), (11.5, 0.5)], PINK, "decoder\n$p_\\theta(x|z)$")
    _bars(axis, 12.3, middle - 1.5, 10, GREY)
    for start, end in [(0.75, 1.45), (4.35, 5.35), (7.65, 8.65), (11.55, 12.25)]:
        _arrow(axis, (start, middle), (end, middle))
    axis.text(0.55, 4.05, "$x$", ha="center")
    axis.text(12.45, 4.05, r"$\hat x$", ha="center")
    return figure


def linear_model() -> Figure:
    """The analytical model: sources mixed into data, two linear encoder layers, a linear decoder (thesis Fig. 3)."""
    figure, axis = _canvas(15, 5.0, size=(6.5, 2.2))
    _box(axis, 0.2, 1.9, 1.7, 1.2, GREY, "sources\n$s$")
    _box(axis, 3.6, 1.9, 1.4, 1.2, GREY, "data\n$x$")
    _box(axis, 6.9, 3.1, 2.6, 1.2, BLUE, "mean\n$W x$")
    _box(axis, 6.9, 0.7, 2.6, 1.2, BLUE, "variance\n$e^{V x + \\gamma}$")
    _box(axis, 10.7, 1.9, 1.2, 1.2, GREEN, "$z$")
    _box(axis, 13.0, 1.9, 1.9, 1.2, PINK, "decoder\n$D z$")
    _arrow(axis, (1.95, 2.5), (3.55, 2.5), "$A s + \\eta$")
    _arrow(axis, (5.05, 2.7), (6.85, 3.7))
    _arrow(axis, (5.05, 2.3), (6.85, 1.3))
    _arrow(axis, (9.55, 3.7), (10.65, 2.8))
    _arrow(axis, (9.55, 1.3), (10.65, 2.2))
    _arrow(axis, (11.95, 2.5), (12.95, 2.5))
    return figure


def deep_network() -> Figure:
    """The deep networks: widths of every layer, two heads of two units, a mirrored decoder (thesis Fig. 2)."""
    figure, axis = _canvas(15, 5.4, size=(6.5, 2.5))
    middle, heights = 2.7, {width: 2.6 + (width - 200) / 93 for width in HIDDEN} | {PIXELS: 4.8, LATENTS: 0.9}
    columns = [(PIXELS, GREY), *((width, BLUE) for width in HIDDEN), None, (LATENTS, GREEN)]
    columns += [*((width, PINK) for width in reversed(HIDDEN)), (PIXELS, GREY)]
    for i, column in enumerate(columns):
        x = 0.3 + 1.5 * i
        if column is None:
            _box(axis, x - 0.2, middle + 0.15, 1.2, 1.4, BLUE, f"μ\n{LATENTS}")
            _box(axis, x - 0.2, middle - 1.55, 1.2, 1.4, BLUE, f"log σ²\n{LATENTS}")
        else:
            height = heights[column[0]]
            _box(axis, x - 0.1, middle - height / 2, 1.0, height, column[1], str(column[0]))
        if i:
            _arrow(axis, (x - 0.6, middle), (x - 0.15, middle))
    axis.text(0.3 + 1.5 * 5 + 0.4, middle + 0.6, "$z$", ha="center")
    return figure
