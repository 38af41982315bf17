"""Datasets in, matplotlib figures out: one palette, one style.

All are transparent SVG, whose panels flow on a page, side by side or below each other. In dark mode the page inverts
the lightness of line figures and keeps their hue (book/static); pictures of digits are never inverted.
"""

import csv
import io
import re
from xml.sax.saxutils import escape

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke

KINDS = {"Line2D": "line", "PathCollection": "points", "FillBetweenPolyCollection": "band"}  # of a series; else a bar
SUBSCRIPTS = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")
BLUE, ORANGE, GREEN, PINK, GREY = "#0072B2", "#D55E00", "#009E73", "#B65E93", "#666666"  # colour-blind safe
SOURCE = LinearSegmentedColormap.from_list("source", (BLUE, "#999999", ORANGE))  # no value fades on white or on black

POINTS = 200  # of a scatter: each is a hundred bytes of SVG
WIDTH = 3.25  # inches of a panel: on a phone it is shown in its own size
PICTURE, LABEL = 0.65, 0.25  # inches of a picture with its margin, and of the label of its row
INSIDE = 0.95  # of that without the margin

HALO = {"path_effects": [withStroke(linewidth=3, foreground="white")], "zorder": 5}  # no line runs through a label
STYLE = {
    "figure.constrained_layout.use": True,
    "figure.constrained_layout.w_pad": 0.1,  # inches, for the last label of a β axis
    "figure.facecolor": "none",
    "savefig.facecolor": "none",
    "axes.facecolor": "none",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 11,
    "axes.titlelocation": "left",
    "axes.grid": True,
    "axes.formatter.min_exponent": 6,  # 0.01 and 1000 in full: the exponents of powers are too small to read on a phone
    "grid.alpha": 0.25,
    "grid.linewidth": 0.6,
    "font.size": 10,
    "lines.linewidth": 1.8,
    "legend.frameon": False,
    "image.cmap": "gray",
    "svg.hashsalt": "betavae",  # the same figure gives the same file
}


def colour(place: int) -> str:
    """That of a series, by its place among others; after four they come again."""
    return (BLUE, ORANGE, GREEN, PINK)[place % 4]


def use_style() -> None:
    """Set the house style in a notebook: figures are SVG, and the same figure gives the same file."""
    from IPython.core.interactiveshell import InteractiveShell
    from matplotlib_inline.backend_inline import set_matplotlib_formats

    mpl.rcdefaults()  # whatever a matplotlibrc says
    mpl.rcParams.update(STYLE)
    set_matplotlib_formats("svg", metadata={"Date": None}, bbox_inches=None)
    shown = InteractiveShell.instance().display_formatter.formatters["image/svg+xml"]
    drawn = shown.lookup_by_type(Figure)
    shown.for_type(Figure, lambda figure: with_numbers(named_in_order(drawn(figure)), numbers(figure)))


def named_in_order(svg: str) -> str:
    """An SVG whose clipping paths are named in the order of their use.

    matplotlib names them by their place, and where panels are laid out by constraints the last bit of a place differs
    from run to run.
    """
    names = {name: f"clip{i}" for i, name in enumerate(dict.fromkeys(re.findall(r"url\(#(p[0-9a-f]{10})\)", svg)))}
    return re.sub(r"\bp[0-9a-f]{10}\b", lambda found: names.get(found[0], found[0]), svg)


def numbers(figure: Figure) -> str:
    """The points of a figure's lines, scatters, bands and bars, as CSV; nothing where it has none."""
    found = [["panel", "series", "x", "y"]]
    for axis in (axis for axis in figure.axes if axis.axison):
        panel = f"{axis.get_title('left')}: {axis.get_ylabel()} over {axis.get_xlabel()}"
        for i, artist in enumerate([*axis.lines, *axis.collections, *axis.patches]):
            label = str(artist.get_label())
            series = f"{KINDS.get(type(artist).__name__, 'bar')} {i + 1}" if label.startswith("_") else label
            found += [[panel, series, f"{x:.6g}", f"{y:.6g}"] for x, y in _points(artist, axis.transData)]
    csv.writer(text := io.StringIO(), lineterminator="\n").writerows(found)
    return text.getvalue() if len(found) > 1 else ""


def _points(artist, data) -> np.ndarray:
    """(point, 2), none of what stands elsewhere than at its numbers, as a line that marks a place does."""
    if hasattr(artist, "get_offsets") and artist.get_offset_transform().contains_branch(data):
        return np.asarray(artist.get_offsets())
    if not artist.get_transform().contains_branch(data):
        return np.empty((0, 2))
    if hasattr(artist, "get_paths"):
        return np.concatenate([np.empty((0, 2)), *(path.vertices for path in artist.get_paths())])
    if hasattr(artist, "get_xydata"):
        return artist.get_xydata()
    return artist.get_patch_transform().transform(artist.get_path().vertices)


def with_numbers(svg: str, table: str) -> str:
    """An SVG that carries a table, which pages offer beside it (book/_ext/panels.py)."""
    return svg.replace("</svg>", f"<desc>{escape(table)}</desc></svg>") if table else svg


def cells(count: int, columns: int, width: float, height: float, labels=()) -> tuple[Figure, list]:
    """A figure of equal cells, `width` × `height` inches each, which flow on a page (book/_ext/panels.py).

    Each is named by its place. Cells with labels are rows of pictures; the page writes their labels itself.
    """
    rows = -(-count // columns)
    figure = plt.figure(figsize=(width * columns, height * rows))
    found = list(figure.subfigures(rows, columns, squeeze=False).flat)[:count]
    for i, cell in enumerate(found):
        label = f" {labels[i]}" if len(labels) else ""
        cell.set_gid(f"panel {i // columns} {rows} {i % columns} {columns}{label}")
    return figure, found


def panels(count: int, columns: int = 2, height: float = 2.5) -> tuple[Figure, list]:
    """A figure of panels lettered A, B, C, …, as wide as a phone's column each."""
    figure, found = cells(count, columns, WIDTH, height)
    return figure, [cell.subplots() for cell in found]


def mark(axis, beta: float, label: str, colour: str = GREY, style: str = "--", height: float = 0.97, side: int = 1):
    """A vertical line at β, labelled right of it, or left for side −1."""
    axis.axvline(beta, color=colour, linestyle=style, linewidth=1.1)
    looks = {"textcoords": "offset points", "fontsize": 9, "va": "top", "ha": "left" if side > 0 else "right"} | HALO
    axis.annotate(label, (beta, height), (3 * side, 0), ("data", "axes fraction"), color=colour, **looks)


def latent_space(stored, sources, betas) -> Figure:
    """Posterior means of realization 0 at several β, coloured by each source in turn; axes as the latents come."""
    figure, found = cells(len(betas), len(betas), 1.5, 3.5)
    for cell, beta in zip(found, betas, strict=True):
        mean = stored.latent_mean.sel(beta=beta).isel(detailed=0, sample=slice(POINTS))
        cell.suptitle(f"β = {beta:g}", fontsize=11)
        for axis, source, label in zip(cell.subplots(2, 1), np.transpose(sources), "₁₂", strict=True):
            axis.scatter(*mean.values.T, c=source[: len(mean)], cmap=SOURCE, s=6, vmin=-2.5, vmax=2.5)
            axis.set(xlabel="z₁", xticks=[], yticks=[], aspect="equal", adjustable="datalim")
            axis.grid(False)
            axis.set_ylabel("z₂", rotation=0, ha="right", va="center")
            axis.set_title(f"by s{label}", fontsize=10)
    return figure


def picture_rows(rows, labels) -> Figure:
    """Rows of grey-level pictures, one label a row; rows (row, column, height, width)."""
    rows = np.asarray(rows)
    figure, found = cells(len(rows), 1, PICTURE * rows.shape[1], PICTURE + LABEL, labels)
    figure.set_layout_engine("none")  # which would weigh hundreds of axes against each other
    width, height = 1 / rows.shape[1], PICTURE / (PICTURE + LABEL)
    for cell, row, label in zip(found, rows, labels, strict=True):
        cell.suptitle(label, x=0, y=height, ha="left", va="bottom", fontsize=10)
        limit = np.abs(row).max()
        for column, picture in enumerate(row):
            axis = cell.add_axes((width * column, 0, width * INSIDE, height * INSIDE))
            axis.imshow(picture, vmin=-limit, vmax=limit, interpolation="none")
            axis.axis("off")
    return figure
