"""Figures of curves over β: described once, drawn twice.

A figure is a list of panels (`Panel`) of curves (`Curve`). `draw` makes it for paper, notebooks and pages without
JavaScript, `interactive.curves` as one that a reader can ask; both show the same numbers.
"""

import string
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure
from matplotlib.scale import SymmetricalLogTransform
from matplotlib.transforms import IdentityTransform

from betavae_core.showing import figures, tables
from betavae_core.showing.figures import BLUE, GREEN, GREY, ORANGE, PINK
from betavae_core.theory.terms import HELDOUT, PANELS, TERMS

SETTLED = "training that settles"


class Mark(NamedTuple):
    """A labelled vertical line at β; `height` of the label as a fraction of the panel's, None where no curve is."""

    beta: float
    label: str
    colour: str = GREY
    style: str = "--"
    height: float | None = 0.97


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
    written: int | None = None  # at which β the static figure writes the name: above it, or below where it is negative
    across: np.ndarray | None = None  # (β,), where each value stands, if not at its β

    def said(self) -> dict[float, str]:
        """Its value at each β, as a sentence quotes it."""
        values = zip(self.beta, self.value, strict=True)
        return {float(beta): tables.number(float(value), 2) for beta, value in values}


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
    """Mean of a term over realizations, the band of their middle 90 %, and each network by itself."""
    value = dataset[term].transpose("realization", "beta") - shift
    low, high = middle(value.values)
    networks = {"value": value.mean("realization").values, "networks": value.values}
    return Curve(name=name, beta=dataset.beta.values, low=low, high=high, **networks, **looks)


def middle(networks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """At each β the two networks (network, β) that less than a twentieth of all lie below, and above.

    Of up to 20 networks they are the least and the largest. A NaN is a network that is not there.
    """
    ordered, last = np.sort(networks, axis=0), np.maximum((~np.isnan(networks)).sum(0) - 1, 0)  # NaN come last
    low, high = (np.take_along_axis(ordered, at[None], 0)[0] for at in (last // 20, last - last // 20))
    return low, high


class Beyond(NamedTuple):
    """β at which networks lie off a panel's axis, above and below, and how many of how many, in words."""

    above: list[float]
    below: list[float]
    told: str


def limits(panel: Panel) -> np.ndarray:
    """Ends of a panel's vertical axis: all curves and bands with 6 % to spare, or from its floor on."""
    drawn = np.concatenate([v for c in panel.curves for v in (c.value, c.low, c.high) if v is not None])
    floor, drawn = panel.floor, drawn[np.isfinite(drawn)]
    least = floor if floor is not None else np.min(drawn) if drawn.size else 0.0
    scale = SymmetricalLogTransform(10, panel.bend, 1) if panel.bend else IdentityTransform()
    low, high = scale.transform(np.array([least, np.max(drawn, initial=least)]))
    room = 0.06 * (high - low if high - low > 1e-9 else 1)
    return scale.inverted().transform(np.array([low - room * (floor is None), high + room]))


def beyond(panel: Panel) -> Beyond:
    """Networks off a panel's axis: they are counted, and stretch no axis."""
    (low, high), single = limits(panel), [c for c in panel.curves if c.networks is not None and "o" not in c.line]
    off = [[c.networks > high for c in single], [c.networks < low for c in single]]
    betas = [np.concatenate([[], *(c.beta[o.any(0)] for c, o in zip(single, side, strict=True))]) for side in off]
    above, below = (sorted(set(side.tolist())) for side in betas)
    count, every = sum(int(o.sum()) for o in off[0] + off[1]), sum(np.isfinite(c.networks).sum() for c in single)
    arrows = "▲" * bool(above) + "▼" * bool(below)
    return Beyond(above, below, f"{arrows} {count:,} of {every:,} beyond" if count else "")


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
    if panel.shade:
        axis.axvspan(*panel.shade, color=GREEN, alpha=0.08, linewidth=0)
    if panel.bend:
        axis.set_yscale("symlog", linthresh=panel.bend)
    axis.set(xlabel=panel.across or panel.variable or "β", ylabel=panel.unit, title=panel.title)
    if not (panel.across or panel.linear):
        axis.set_xscale("log")
    if panel.variable:
        ticks = panel.curves[0].beta[:: len(panel.curves[0].beta) // 4]
        axis.set_xticks(ticks, [f"{tick:.3g}" for tick in ticks], minor=False)
        axis.minorticks_off()
    axis.set_ylim(limits(panel))
    places = [axis.transLimits.transform(axis.transScale.transform((at.beta, 1)))[0] for at in panel.marks]
    for at, here in zip(panel.marks, places, strict=True):
        room = min((other for other in places if other > here), default=1.1) - here  # to the next mark, or the edge
        side = 1 if room > 0.03 * max(map(len, at.label.split("\n"))) else -1  # of a panel's width a letter
        figures.mark(axis, *at._replace(height=at.height or _clear(axis, panel, at.beta)), side)
    off = beyond(panel)
    for betas, height, arrow in ((off.above, 1, "^"), (off.below, 0, "v")):
        if betas:  # no points at all would have no place, which the layout asks for
            at = {"transform": axis.get_xaxis_transform(), "clip_on": False}
            axis.plot(betas, np.full(len(betas), height), arrow, color=GREY, markersize=5, **at)
    axis.set_title(off.told, loc="right", fontsize=9, color=GREY)
    for beta in panel.tags:
        x, y = (values[panel.curves[0].beta == beta][0] for values in _places(panel.curves[0]))
        axis.annotate(f"{beta:g}", (x, y), xytext=(5, -11), textcoords="offset points", **figures.HALO)


def _clear(axis, panel: Panel, beta: float) -> float:
    """At which height of a panel a label at β lies on no curve: at the top, or the bottom where they reach the top."""
    tops = [np.interp(beta, c.beta, c.value if c.high is None else c.high) for c in panel.curves]
    return 0.97 if axis.transLimits.transform(axis.transScale.transform((beta, np.nanmax(tops))))[1] < 0.8 else 0.12


def _places(curve: Curve) -> tuple[np.ndarray, np.ndarray]:
    return curve.beta if curve.across is None else np.asarray(curve.across), np.asarray(curve.value)


def line(axis, curve: Curve) -> None:
    """A curve on axes."""
    looks = {"color": curve.colour, "markerfacecolor": "white"}
    if curve.low is not None and curve.high is not None and curve.line != "o":
        axis.fill_between(curve.beta, curve.low, curve.high, color=curve.colour, alpha=0.18, linewidth=0)
    if curve.line == "o" and curve.networks is not None and len(curve.networks) > 1:
        axis.vlines(curve.beta, curve.low, curve.high, color=curve.colour, linewidth=1)
        axis.plot(curve.beta, curve.value, "_", color=curve.colour, markersize=12)
    values = curve.networks if curve.line == "o" and curve.networks is not None else curve.value[None]
    axis.plot(_places(curve)[0], np.transpose(values), curve.line, **looks)
    if curve.written is not None:
        place = (curve.beta[curve.written], curve.value[curve.written])
        looks = {"textcoords": "offset points", "color": curve.colour} | figures.HALO
        axis.annotate(curve.name, place, xytext=(4, 6) if curve.written >= 0 else (6, -12), **looks)


def _key(axis, curves: list[Curve], marked: bool) -> None:
    """What lines are, in a panel of its own."""
    axis.axis("off")
    for curve in curves:
        axis.plot([], [], curve.line, color=curve.colour, markerfacecolor="white", label=curve.name)
    if any(curve.low is not None for curve in curves):
        axis.fill_between([], [], [], color=GREY, alpha=0.18, label="bands: middle 90 %")
    if marked:
        axis.plot([], [], color=GREY, linestyle="--", linewidth=1.1, label="extremum of the mean")
    axis.legend(loc="center left")


def deep_panels(stored, live, optima: dict, shift: dict, predicted, settled=None) -> list[Panel]:
    """Thesis Figs. 4 and 5, A-D, and what else has a panel in `theory.terms` and is stored: each over β.

    Mean, band and held-out mean of the networks stored, those of this build, the linear model where it has the term,
    and networks with training that settles, if there are any; `optima` (β) are marked, `shift` (nats) is taken off.
    """
    panels = []
    there = (name for name in PANELS if np.isfinite(stored[name]).any())
    for letter, name in zip(string.ascii_uppercase, there, strict=False):
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
        marks = [Mark(optima[name], f"{optima[name]:g}", height=None)] if name in optima else []
        title = f"{letter}  {term.heading}"
        panels.append(Panel(title=title, curves=curves, marks=marks, bend=term.bend, unit=term.units))
    return panels
