"""Figures of curves over β: described once, drawn twice.

A figure is a list of `Panel`s of `Curve`s. `draw` makes it for paper, notebooks and pages without JavaScript,
`interactive.curves` as one that a reader can ask; both show the same numbers.
"""

import string
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure

from betavae_core.showing import figures, tables
from betavae_core.showing.figures import BLUE, GREEN, GREY, ORANGE, PINK
from betavae_core.theory.terms import HELDOUT, PANELS, TERMS

SETTLED = "training that settles"


class Mark(NamedTuple):
    """A labelled vertical line at β; `height` of the label as a fraction of the panel's."""

    beta: float
    label: str
    colour: str = GREY
    style: str = "--"
    height: float = 0.97


@dataclass(frozen=True, kw_only=True)
class Curve:
    """A value over β, or the mean of one over networks, with what else is known at each β."""

    name: str
    beta: np.ndarray  # (β,)
    value: np.ndarray  # (β,)
    low: np.ndarray | None = None  # (β,), drawn as a band up to `high`
    high: np.ndarray | None = None  # (β,)
    networks: np.ndarray | None = None  # (network, β), drawn as points if the curve is, else for those who ask
    colour: str = BLUE
    line: str = "-"  # as matplotlib names it: -, --, :, o, o-
    written: int | None = None  # at which β the static figure writes the name
    across: np.ndarray | None = None  # (β,), where each value stands, if not at its β

    def said(self, what: str = "value", digits: int = 2) -> dict[float, str]:
        """Its `value`, `low` or `high` at each β, as a sentence quotes it."""
        values = zip(self.beta, getattr(self, what), strict=True)
        return {float(beta): tables.number(float(value), digits) for beta, value in values}


@dataclass(frozen=True, kw_only=True)
class Panel:
    """Curves on one pair of axes, over a logarithmic β, or over a quantity that has a value at each β."""

    title: str
    curves: Sequence[Curve]
    unit: str = "nats"
    marks: Sequence[Mark] = ()
    bend: float | None = None  # up to here the vertical axis is linear, logarithmic beyond
    floor: float | None = None  # where it begins
    shade: tuple[float, float] | None = None  # range of β
    across: str | None = None  # what the curves stand over, with its unit, if not β
    variable: str | None = None  # what `Curve.beta` is, with its unit, if not β: the panel does not follow the page's
    linear: bool = False  # the axis of that
    tags: Sequence[float] = ()  # β that are written at the points of the first curve
    start: float | None = None  # the page's β, a circle on each curve that has it


def over(dataset, term: str, name: str = "networks", shift: float = 0.0, **looks) -> Curve:
    """Mean of a term over realizations with its least and largest, and each network by itself."""
    value = dataset[term].transpose("realization", "beta") - shift
    ends = {"low": value.min("realization").values, "high": value.max("realization").values}
    networks = {"value": value.mean("realization").values, "networks": value.values}
    return Curve(name=name, beta=dataset.beta.values, **networks, **ends, **looks)


def mean(dataset, term: str, name: str, shift: float = 0.0, **looks) -> Curve:
    """A term, or its mean over realizations if it has some."""
    value = dataset[term].mean([d for d in dataset[term].dims if d == "realization"]).values - shift
    return Curve(name=name, beta=dataset.beta.values, value=value, **looks)


def draw(described: Sequence[Panel], columns: int = 2, height: float = 2.5, key: bool = False) -> Figure:
    """Panels of curves; if so asked, what the lines are in a panel of its own after them."""
    figure, axes = figures.panels(len(described) + key, columns, height)
    for axis, panel in zip(axes, described, strict=False):
        draw_on(axis, panel)
    if key:
        curves = {curve.name: curve for panel in described for curve in panel.curves}
        _key(axes[-1], list(curves.values()), any(panel.marks for panel in described))
    return figure


def draw_on(axis, panel: Panel) -> None:
    """A panel on axes."""
    for curve in panel.curves:
        line(axis, curve)
        here = curve.beta == panel.start
        axis.plot(curve.beta[here], curve.value[here], "o", color=curve.colour, markerfacecolor="white")
    for at in panel.marks:
        figures.mark(axis, *at)
    if panel.shade:
        axis.axvspan(*panel.shade, color=GREEN, alpha=0.08, linewidth=0)
    if panel.bend:
        axis.set_yscale("symlog", linthresh=panel.bend)
    axis.set(xlabel=panel.across or panel.variable or "β", ylabel=panel.unit, title=panel.title)
    if not (panel.across or panel.linear):
        axis.set_xscale("log")
    if panel.variable:
        ticks = panel.curves[0].beta[:: len(panel.curves[0].beta) // 4]
        axis.set_xticks(ticks, [f"{tick:g}" for tick in ticks], minor=False)
        axis.minorticks_off()
    axis.set_ylim(bottom=panel.floor)
    for beta in panel.tags:
        x, y = (values[panel.curves[0].beta == beta][0] for values in _places(panel.curves[0]))
        axis.annotate(f"{beta:g}", (x, y), xytext=(4, 3), textcoords="offset points")


def _places(curve: Curve) -> tuple[np.ndarray, np.ndarray]:
    return curve.beta if curve.across is None else np.asarray(curve.across), np.asarray(curve.value)


def line(axis, curve: Curve) -> None:
    """A curve on axes."""
    looks = {"color": curve.colour, "markerfacecolor": "white"}
    if curve.low is not None and curve.high is not None and "o" not in curve.line:
        axis.fill_between(curve.beta, curve.low, curve.high, color=curve.colour, alpha=0.18, linewidth=0)
    if curve.line == "o" and curve.networks is not None and len(curve.networks) > 1:
        axis.vlines(curve.beta, curve.low, curve.high, color=curve.colour, linewidth=1)
        axis.plot(curve.beta, curve.value, "_", color=curve.colour, markersize=12)
    values = curve.networks if curve.line == "o" and curve.networks is not None else curve.value[None]
    axis.plot(_places(curve)[0], np.transpose(values), curve.line, **looks)
    if curve.written is not None:
        place = (curve.beta[curve.written], curve.value[curve.written])
        axis.annotate(curve.name, place, xytext=(4, 6), textcoords="offset points", color=curve.colour)


def _key(axis, curves: list[Curve], marked: bool) -> None:
    """What lines are, in a panel of its own."""
    axis.axis("off")
    for curve in curves:
        axis.plot([], [], curve.line, color=curve.colour, markerfacecolor="white", label=curve.name)
        if curve.low is not None and "o" not in curve.line:
            axis.fill_between([], [], [], color=curve.colour, alpha=0.18, label=f"{curve.name}, least to largest")
    if marked:
        axis.plot([], [], color=GREY, linestyle="--", linewidth=1.1, label="extremum of the mean")
    axis.legend(loc="center left")


def deep_panels(
    stored, live, optima: dict[str, float], shift: dict[str, float], predicted, settled=None
) -> list[Panel]:
    """Thesis Figs. 4 and 5, A-D, and what else has a panel in `theory.terms` and is stored: each over β.

    Mean, range and held-out mean of the networks stored, those of this build, the linear model where it has the term,
    and networks with training that settles, if there are any; `optima` are marked, and `shift` is taken off a term.
    """
    panels = []
    for letter, name in zip(
        string.ascii_uppercase, (name for name in PANELS if np.isfinite(stored[name]).any()), strict=False
    ):
        away, term = shift.get(name, 0.0), TERMS[name]
        curves = [
            over(stored, name, "trained as in the thesis", away),
            mean(stored, f"{name}{HELDOUT}", "on fresh images", away, colour=GREEN, line=":"),
        ]
        if name in predicted:
            curves.append(mean(predicted, name, "linear model", away, colour=ORANGE, line="--"))
        if settled is not None:
            curves.append(over(settled, name, SETTLED, away, colour=GREY, line="-."))
        curves.append(over(live, name, "trained in this build", away, colour=PINK, line="o"))
        marks = [Mark(optima[name], f"{optima[name]:g}", height=0.12)] if name in optima else []
        title = f"{letter}  {term.heading}"
        panels.append(Panel(title=title, curves=curves, marks=marks, bend=term.bend, unit=term.units))
    return panels


def score_panels(scored, used, live=None, settled=None) -> list[Panel]:
    """Correlation of the latents, MIG and SAP over β, of means and of draws; shaded where both latents are in use.

    live, settled : the same scores of networks of this build, for points, and of those with training that settles
    """
    panels, shade = [], (used[0], used[-1]) if len(used) else None
    for title, name in {"A  correlation": "correlation", "B  MIG": "mig", "C  SAP": "sap"}.items():
        drawn = mean(scored, f"{name}_drawn", "z drawn from q", colour=ORANGE, line=":")
        curves = [over(scored, name, "means of q"), drawn]
        if settled is not None:
            curves.append(mean(settled, name, f"means of q, {SETTLED}", colour=GREY, line="-."))
        if live is not None and live.realization.size:
            curves.append(over(live, name, "trained in this build", colour=PINK, line="o"))
        panels.append(Panel(title=title, unit="", curves=curves, shade=shade))
    return panels


def angle_panel(angles: dict) -> Panel:
    """Mean and range of angles by β, degrees, over the middle 95 % of means of as many random angles."""
    rng, betas = np.random.default_rng(0), np.array(list(angles))
    drawn = [rng.uniform(0, 90, (20_000, len(a))).mean(1) for a in angles.values()]
    low, high = np.transpose([np.quantile(means, (0.025, 0.975)) for means in drawn])
    of_all = {"low": [min(a) for a in angles.values()], "high": [max(a) for a in angles.values()]}
    means = np.array([np.mean(a) for a in angles.values()])
    chance = Curve(name="random angles", beta=betas, value=np.full(len(betas), 45.0), low=low, high=high, colour=GREY)
    measured = Curve(name="networks", beta=betas, value=means, **of_all, line="o-")
    return Panel(title="angle between axes of motion", unit="degrees", curves=[chance, measured], floor=0)
