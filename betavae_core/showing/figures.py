"""Datasets in, matplotlib figures out: one palette, one style.

All are transparent SVG, whose panels flow on a page, side by side or below each other. In dark mode the page inverts
the lightness of line figures and keeps their hue (book/static); pictures of digits are never inverted.
"""

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from betavae_core.findings.optima import exact_peak

SUBSCRIPTS = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")
BLUE, ORANGE, GREEN, PINK, GREY = "#0072B2", "#D55E00", "#009E73", "#B65E93", "#666666"  # colour-blind safe

WIDTH = 3.25  # inches of a panel: on a phone it is shown in its own size

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


def use_style() -> None:
    """Set the house style in a notebook: figures are SVG, and the same figure gives the same file."""
    from matplotlib_inline.backend_inline import set_matplotlib_formats

    mpl.rcdefaults()  # whatever a matplotlibrc says
    mpl.rcParams.update(STYLE)
    set_matplotlib_formats("svg", metadata={"Date": None}, bbox_inches=None)


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


def mark(axis, beta: float, label: str, colour: str = GREY, style: str = "--", height: float = 0.97) -> None:
    """A labelled vertical line at β."""
    axis.axvline(beta, color=colour, linestyle=style, linewidth=1.1)
    axis.annotate(
        label,
        (beta, height),
        xycoords=("data", "axes fraction"),
        xytext=(3, 0),
        textcoords="offset points",
        color=colour,
        fontsize=9,
        va="top",
    )


def beta_axis(axis, title: str, unit: str = "nats") -> None:
    """Logarithmic β axis with a title and the unit of what is plotted."""
    axis.set(xscale="log", xlabel="β", ylabel=unit, title=title)


def identity_panels(dataset, beta: float | None = None, optimum: float | None = None) -> Figure:
    """Thesis Fig. 3 A-D: ELBO, inference errors, reconstruction objective and conditional independence loss over β.

    Parameters
    ----------
    dataset : from `linear.sweep`
    beta : marked on every panel
    optimum : β of least TIE, marked on the panel of errors
    """
    figure, axes = panels(4)
    names = [("elbo",), ("tie", "mie"), ("reconstruction",), ("kl_prior",)]
    titles = [
        "A  ELBO",
        "B  inference errors",
        "C  reconstruction objective R",
        "D  conditional independence loss C",
    ]
    for axis, group, title in zip(axes, names, titles, strict=True):
        for name, colour in zip(group, (BLUE, ORANGE), strict=False):
            axis.plot(dataset.beta, dataset[name], color=colour, label=name.upper())
        if beta is not None:
            at = np.interp(np.log(beta), np.log(dataset.beta), dataset[group[0]])
            axis.plot(beta, at, "o", color=BLUE, markersize=6, markerfacecolor="white")
        beta_axis(axis, title)
    mark(axes[0], exact_peak(dataset), "largest ELBO", height=0.12)
    for name, colour in (("tie", BLUE), ("mie", ORANGE)):
        place = (dataset.beta[0], dataset[name][0])
        axes[1].annotate(name.upper(), place, xytext=(2, 5), textcoords="offset points", color=colour)
    if optimum is not None:
        mark(axes[1], optimum, f"least TIE\nβ* = {optimum:.3g}", height=0.75)
    return figure


def band(axis, dataset, name: str, shift: float = 0.0, colour: str = BLUE) -> None:
    """Mean of a stored term over realizations, with its least and largest as a band (thesis Figs. 4 and 5)."""
    value = dataset[name] - shift
    low, high = value.min("realization"), value.max("realization")
    axis.fill_between(dataset.beta, low, high, color=colour, alpha=0.18, linewidth=0)
    axis.plot(dataset.beta, value.mean("realization"), color=colour)


def deep_panels(stored, live, optima: dict[str, float], shift: dict[str, float], predicted=None) -> Figure:
    """Thesis Figs. 4 and 5, A-D, and MIE: mean, range, held-out mean and extremum over β, with this build's networks.

    Parameters
    ----------
    stored, live : Datasets over beta × realization
    optima : β to mark on the panel of a term
    shift : constants taken off a term
    predicted : Dataset of the linear model, drawn where it has the term
    """
    figure, axes = panels(6)
    decades = {"elbo": 10, "reconstruction": 10, "mie": 1}  # terms over many decades, and where they become linear
    titles = {"elbo": "ELBO − c", "tie": "TIE", "reconstruction": "R − c", "kl_prior": "C", "mie": "MIE"}
    for axis, letter, (name, title) in zip(axes, "ABCDE", titles.items(), strict=False):
        away = shift.get(name, 0.0)
        band(axis, stored, name, away)
        axis.plot(stored.beta, stored[f"{name}_heldout"].mean("realization") - away, color=GREEN, linestyle=":")
        if predicted is not None and name in predicted:
            axis.plot(predicted.beta, predicted[name].mean("realization") - away, color=ORANGE, linestyle="--")
        for r in live.realization:
            axis.plot(live.beta, live[name].sel(realization=r) - away, "o", color=PINK, markerfacecolor="white")
        beta_axis(axis, f"{letter}  {title}")
        if name in optima:
            mark(axis, optima[name], f"{optima[name]:g}", height=0.12)
        if name in decades:
            axis.set_yscale("symlog", linthresh=decades[name])
    _key(axes[5], predicted is not None)
    return figure


def _key(axis, linear: bool) -> None:
    """What the lines of `deep_panels` are, in a panel of its own."""
    axis.axis("off")
    axis.plot([], [], color=BLUE, label="stored networks, mean")
    axis.fill_between([], [], [], color=BLUE, alpha=0.18, label="their least and largest")
    axis.plot([], [], color=GREEN, linestyle=":", label="their mean on fresh images")
    if linear:
        axis.plot([], [], color=ORANGE, linestyle="--", label="linear model, same images")
    axis.plot([], [], "o", color=PINK, markerfacecolor="white", label="trained in this build")
    axis.plot([], [], color=GREY, linestyle="--", linewidth=1.1, label="extremum of the mean")
    axis.legend(loc="center left")


def score_panels(axes, scored, used) -> None:
    """Correlation of the latents, MIG and SAP over β, of means (band) and of draws (dotted); shaded where in use."""
    for axis, letter, name in zip(axes, "ABC", ("correlation", "mig", "sap"), strict=True):
        band(axis, scored, name)
        axis.plot(scored.beta, scored[f"{name}_drawn"].mean("realization"), ":", color=ORANGE)
        if len(used):
            axis.axvspan(used[0], used[-1], color=GREEN, alpha=0.08, linewidth=0)
        beta_axis(axis, f"{letter}  {name if name == 'correlation' else name.upper()}", "")


def angles_by_chance(axis, angles: dict) -> None:
    """Mean and range of angles by β, degrees, over the middle 95 % of means of as many random angles."""
    betas, rng = list(angles), np.random.default_rng(0)
    chance = [np.quantile(rng.uniform(0, 90, (20_000, len(a))).mean(1), (0.025, 0.975)) for a in angles.values()]
    axis.fill_between(betas, *np.transpose(chance), color=GREY, alpha=0.2, linewidth=0)
    means = np.array([np.mean(a) for a in angles.values()])
    reach = [means - [min(a) for a in angles.values()], [max(a) for a in angles.values()] - means]
    axis.errorbar(betas, means, reach, fmt="o-", color=BLUE, elinewidth=0.8)
    axis.set_ylim(0, 92)
    beta_axis(axis, "angle between axes of motion", "degrees")


def latent_space(stored, sources, betas, realization: int = 0) -> Figure:
    """Posterior means of one realization at several β, coloured by each source in turn; axes as the latents come."""
    figure, found = cells(len(betas), len(betas), 1.5, 3.1)
    for cell, beta in zip(found, betas, strict=True):
        mean = stored.latent_mean.sel(beta=beta).isel(detailed=realization)
        cell.suptitle(f"β = {beta:g}", fontsize=11)
        for axis, source, label in zip(cell.subplots(2, 1), np.transpose(sources), "₁₂", strict=True):
            axis.scatter(*mean.values.T, c=source[: len(mean)], cmap="coolwarm", s=4, vmin=-2.5, vmax=2.5)
            axis.set(xticks=[], yticks=[], aspect="equal", adjustable="datalim")
            axis.grid(False)
            axis.set_ylabel(f"s{label}", rotation=0, ha="right", va="center")
    return figure


def picture_rows(rows, labels) -> Figure:
    """Rows of grey-level pictures, one label a row; rows (row, column, height, width)."""
    rows = np.asarray(rows)
    figure, found = cells(len(rows), 1, 0.65 * rows.shape[1], 0.95, labels)
    for cell, row, label in zip(found, rows, labels, strict=True):
        cell.suptitle(label, x=0, ha="left", fontsize=10)
        limit = np.abs(row).max()
        for axis, picture in zip(cell.subplots(1, len(row), squeeze=False)[0], row, strict=True):
            axis.imshow(picture, vmin=-limit, vmax=limit, interpolation="none")
            axis.axis("off")
    return figure
