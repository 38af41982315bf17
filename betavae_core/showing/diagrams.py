"""Diagrams of the networks, drawn as vector graphics, and a table of how they are trained."""

from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, Polygon, Rectangle

from betavae_core.images import experiments
from betavae_core.networks.architecture import HIDDEN, LATENTS, PIXELS
from betavae_core.showing.figures import BLUE, GREEN, GREY, PINK, WIDTH, cells


def _canvas(width: float, height: float, inches: float = WIDTH) -> tuple[Figure, object]:
    """A figure as wide as one panel, with the pen in units of its own."""
    figure, [cell] = cells(1, 1, inches, inches * height / width)
    axis = cell.subplots()
    axis.set(xlim=(-0.05, width + 0.05), ylim=(-0.05, height + 0.05), aspect="equal")  # whole outlines
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


def _arrow(axis, start, end) -> None:
    axis.add_patch(FancyArrowPatch(start, end, arrowstyle="-|>", mutation_scale=9, color=GREY, linewidth=1.1))


def _bars(axis, x, y, heights, colour) -> None:
    """A vector: a column of cells."""
    for i in range(heights):
        axis.add_patch(Rectangle((x, y + 0.3 * i), 0.3, 0.3, facecolor=colour, alpha=0.25, edgecolor=colour))


def autoencoder() -> Figure:
    """A variational autoencoder: data, encoder, a narrow latent space, decoder, reconstruction (thesis Fig. 1)."""
    figure, axis = _canvas(12, 5.6)
    middle = 2.6
    _bars(axis, 0.1, middle - 1.5, 10, GREY)
    _shape(axis, [(1.2, 0.2), (1.2, 5.0), (3.9, 4.1), (3.9, 1.1)], BLUE, "encoder\nq(z|x)")
    _box(axis, 4.7, 1.4, 2.6, 2.4, GREEN, "latents\nz")
    _shape(axis, [(8.1, 1.1), (8.1, 4.1), (10.8, 5.0), (10.8, 0.2)], PINK, "decoder\np(x|z)")
    _bars(axis, 11.6, middle - 1.5, 10, GREY)
    for start, end in [(0.4, 1.2), (3.9, 4.7), (7.3, 8.1), (10.8, 11.6)]:
        _arrow(axis, (start, middle), (end, middle))
    axis.text(0.25, 4.4, "x", ha="center")
    axis.text(11.75, 4.4, "x̂", ha="center")
    return figure


def linear_model() -> Figure:
    """The analytical model: sources mixed into data, two linear encoder layers, a linear decoder (thesis Fig. 3)."""
    figure, axis = _canvas(14, 5.8, 1.3 * WIDTH)
    _box(axis, 0, 2, 2.4, 1.8, GREY, "sources\ns")
    _box(axis, 3.4, 2, 1.6, 1.8, GREY, "data\nx")
    _box(axis, 6.0, 3.5, 2.6, 1.8, BLUE, "mean\nW x")
    _box(axis, 6.0, 0.5, 2.6, 1.8, BLUE, "variance\nv")
    _box(axis, 9.6, 2, 0.9, 1.8, GREEN, "z")
    _box(axis, 11.5, 2, 2.5, 1.8, PINK, "decoder\nD z")
    axis.text(2.9, 4.2, "A s + η", ha="center")
    arrows = (2.4, 2.9, 3.4, 2.9), (5, 3.2, 6, 4.2), (5, 2.6, 6, 1.6), (8.6, 4.2, 9.6, 3.2), (8.6, 1.6, 9.6, 2.6)
    for x, y, *end in (*arrows, (10.5, 2.9, 11.5, 2.9)):
        _arrow(axis, (x, y), end)
    return figure


def deep_network() -> Figure:
    """The deep networks: widths of every layer, two heads of two units, a mirrored decoder (thesis Fig. 2).

    From top to bottom, so that the width of a layer is a width and all text is legible on a phone.
    """
    figure, axis = _canvas(12, 15.5)
    layers = [(f"{PIXELS:,} pixels", 9.0, GREY), *((f"{width}", width / 40, BLUE) for width in HIDDEN), None]
    layers += [("z", 1.4, GREEN), *((f"{width}", width / 40, PINK) for width in reversed(HIDDEN))]
    layers += [(f"{PIXELS:,} pixels", 9.0, GREY)]
    for i, layer in enumerate(layers):
        top = 15.2 - 1.55 * i
        if layer is None:
            _box(axis, 2.2, top - 1, 3.4, 1, BLUE, f"μ: {LATENTS}")
            _box(axis, 6.4, top - 1, 3.4, 1, BLUE, f"log σ²: {LATENTS}")
        else:
            text, width, colour = layer
            _box(axis, 6 - width / 2, top - 1, width, 1, colour, text)
        heads = {len(HIDDEN) + 1: ((4.5, 4.5), (7.5, 7.5)), len(HIDDEN) + 2: ((4.9, 5.7), (7.1, 6.3))}
        for start, end in heads.get(i, [(6, 6)] * bool(i)):
            _arrow(axis, (start, top + 0.55), (end, top))
    return figure


RECIPES = ["training", "experiment", "epochs", "optimiser", "learning rate", "rate falls in", "β rises in"]


def recipe_rows() -> list[list[str]]:
    """Rows under `RECIPES`: how networks are trained, as the thesis trains and by the settling schedule."""
    recipes = {
        ("the thesis's", "all"): experiments.THESIS,
        ("settling schedule", "mixing"): experiments.SETTLING.settings,
        ("settling schedule", "localisation"): experiments.SOON,
        ("settling schedule", "tiles, but for tiles-4"): experiments.TURNED,
        ("settling schedule", "tiles-4"): experiments.SETTLED,
    }
    rows = []
    for names, recipe in recipes.items():
        optimiser = {"adam": "Adam", "soap": "SOAP"}[recipe.get("optimiser", "adam")]
        parts = [f"last {recipe['settling']:.0%}", f"first {recipe['warmup']:.0%}"]
        parts = [part.replace("%", " %") if recipe["settling"] else "–" for part in parts]
        rows.append([*names, f"{recipe['epochs']:,}", optimiser, f"{recipe['learning_rate']:g}", *parts])
    return rows
