"""What the chapter on turning the latents back shows."""

import itertools

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from betavae_core.findings import labels, optima, tiles, turned_networks
from betavae_core.findings.optima import Estimate
from betavae_core.images import experiments
from betavae_core.results import sweep
from betavae_core.showing import figures, tables
from betavae_core.showing.tiles import between
from betavae_core.theory import linear
from betavae_core.theory.gaussian import LinearGaussian

SETTLED = "mixing, settled"
STORES = {
    **{name: (name, None) for name in ("tiles", "tiles-diagonal", "tiles-4", "mixing")},
    SETTLED: ("mixing", experiments.SETTLING.name),
    "localisation": ("localisation", None),
}
SHOWN = (2, 3, 5, 10, 30)  # labels in tables
FEW = (2, 3, 5, 10)  # of images that are chosen
MODELS = {2: (2000, (2, 3, 5, 10, 30, 100, 300)), 4: (150, (5, 10, 30, 100, 300)), 8: (16, (10, 30, 100, 300))}
REGRESSED = (3, 5, 10, 30, 100)  # labels of a regression
MARGINS = (0.0, 1.0, 2.0, 4.0, np.inf)  # nats


def stores(profile: str) -> dict[str, xr.Dataset]:
    """Stored networks of each experiment."""
    return {label: sweep.load(name, profile, supplement=extra) for label, (name, extra) in STORES.items()}


def studies(stored: dict[str, xr.Dataset], count: int) -> dict[str, xr.Dataset]:
    """What labels, this count among them, do to those whose latents are stored; β of tiles in units of ν."""
    counts = sorted({*turned_networks.LABELS, count})
    found = [(label, turned_networks.study(networks, counts)) for label, networks in stored.items()]
    return {n: tiles.in_units_of_noise(study) if n in tiles.NAMES else study for n, study in found if "tie" in study}


def afresh(count: int) -> dict[str, xr.Dataset]:
    """What labels, this count among them, do to twenty new networks: of tiles at β = ν, else where TIE is least."""
    wanted = [(name, "", experiments.TWENTY) for name in tiles.NAMES]
    for name in ("mixing", "localisation"):
        wanted += [(name, "", experiments.AT_BEST.name), (name, ", settled", experiments.AT_BEST_SETTLING.name)]
    found = {}
    for name, training, extra in wanted:
        stored = sweep.load(name, supplement=extra)
        best = stored.sel(beta=[optima.least_mean(stored, "tie")])
        found[name + training] = turned_networks.study(best, sorted({*turned_networks.LABELS, count}))
    return found


def angle_figure(process: LinearGaussian) -> Figure:
    """TIE of the linear optimum over the angle that is left over, with what training and the best β leave."""
    figure, [axis] = figures.panels(1, 1, height=3.0)
    angles, total = np.radians(np.linspace(0, 90, 91)), (process.mixing**2).sum() / process.noise_std**2
    at_ratio, best = linear.sweep(process, [process.noise_std**2, linear.optimal_beta(process)]).tie.values
    place, away = (float(np.degrees(np.arccos(1 - at_ratio / total))), at_ratio), {"textcoords": "offset points"}
    axis.plot(np.degrees(angles), total * (1 - np.cos(angles)), color=figures.BLUE)
    axis.plot(*place, "o", color=figures.BLUE, markerfacecolor="white")
    axis.annotate("as trained", place, xytext=(-70, 6), color=figures.BLUE, **away)
    axis.axhline(best, color=figures.ORANGE, linewidth=1.2)
    axis.annotate("the best β", (2, best), xytext=(0, -14), color=figures.ORANGE, **away)
    axis.set(xlabel="angle left over, degrees", ylabel="nats", title="TIE")
    return figure


def law(rng) -> dict[int, dict[str, np.ndarray]]:
    """`labels.random_models` for each number of sources."""
    return {k: labels.random_models(k, counts, models, rng) for k, (models, counts) in MODELS.items()}


def _band(axis, x, tie, line: str, band: float = 0.18) -> None:
    """Median and middle 80 % of TIE (x, draw), of those that are there."""
    axis.fill_between(x, *np.nanquantile(tie, (0.1, 0.9), axis=1), color=line, alpha=band, linewidth=0)
    axis.plot(x, np.nanmedian(tie, 1), color=line)


def _ticks(axis, x, y=None, **looks) -> None:
    """Logarithmic axes with these ticks and no others."""
    axis.set(xscale="log", yscale="log", **looks)
    axis.set_xticks(x, [f"{tick:g}" for tick in x])
    if y is not None:
        axis.set_yticks(y, [f"{tick:g}" for tick in y])
    axis.minorticks_off()


def law_figure(found) -> Figure:
    """A panel for each number of sources: mean, median and nine tenths of the models over m, and the law."""
    figure, axes = figures.panels(len(found), columns=3, height=2.8)
    for axis, (k, ties) in zip(axes, found.items(), strict=True):
        counts, tie = MODELS[k][1], ties["likelihood"]
        _band(axis, counts, tie, figures.BLUE)
        axis.plot(counts, tie.mean(1), "o", color=figures.BLUE, markersize=4)
        axis.plot(counts, [linear.label_law(k, m) for m in counts], "--", color=figures.ORANGE)
        there = [m for m in (3, 10, 30, 100, 300) if m >= counts[0]]
        _ticks(axis, there, xlabel="labels m", title=f"{k} sources", ylabel="TIE, nats")
    return figure


def law_rows(found) -> list[list[str]]:
    """Rows of a table: quantiles and means over models beside the law."""
    rows = []
    for k, ties in found.items():
        for m, tie, plain in zip(MODELS[k][1], ties["likelihood"], ties["procrustes"], strict=True):
            values = [*np.quantile(tie, (0.1, 0.5, 0.9)), tie.mean(), linear.label_law(k, m), plain.mean()]
            rows.append([str(k), str(m), *(tables.number(float(value), 3) for value in values)])
    return rows


def labels_figure(study: xr.Dataset, gain: float) -> Figure:
    """TIE of tiles at β = ν over m: draws, the law above the best rotation, and what training and the best β leave."""
    at, (figure, [axis]) = study.isel(beta=0), figures.panels(1, 1, height=3.2)
    tie = at.tie.stack(every=("realization", "draw")).transpose("labels", "every").values
    counts, best, trained = at.labels.values, float(at.best.mean()), float(at.trained.mean())
    _band(axis, counts, tie, figures.BLUE)
    axis.plot(counts, tie.mean(1), "o", color=figures.BLUE, markersize=4)
    axis.plot(counts, [best + linear.label_law(2, int(m)) for m in counts], "--", color=figures.ORANGE)
    lines = (trained, "as trained", 4, "-"), (trained - gain, "the best β", -13, ":"), (best, "best rotation", -13, "-")
    for height, text, away, dashes in lines:
        axis.axhline(height, color=figures.GREY, linewidth=1, linestyle=dashes)
        axis.annotate(text, (100, height), (0, away), textcoords="offset points", ha="right", color=figures.GREY)
    _ticks(axis, counts, [0.01, 0.1, 1, 10], xlabel="labels m", ylabel="nats", title="TIE", ylim=(best / 3, None))
    return figure


def beta_figure(found: dict[str, xr.Dataset], count: int) -> Figure:
    """A panel for each experiment: TIE over β as trained, with labels, and at the best rotation."""
    figure, axes = figures.panels(len(found), columns=3, height=2.7)
    for axis, (label, study) in zip(axes, found.items(), strict=True):
        tie = study.tie.sel(labels=count).transpose("beta", "realization", "draw").values.reshape(len(study.beta), -1)
        axis.plot(study.beta, study.trained.mean("realization"), color=figures.BLUE)
        _band(axis, study.beta, tie, figures.ORANGE, 0.2)
        axis.plot(study.beta, study.best.mean("realization"), "--", color=figures.GREEN)
        x = [t for t in (0.1, 1, 10, 100, 1000) if 0.99 * study.beta.min() <= t <= study.beta.max()]
        axis.set(yscale="log", xscale="log")
        low, high = axis.get_ylim()
        wanted = (0.01, 0.1, 1, 10, 100) if high > 300 * low else (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100)
        unit = "β/ν" if label in tiles.NAMES else "β"
        _ticks(axis, x, [t for t in wanted if low <= t <= high], xlabel=unit, ylabel="TIE, nats", title=label)
    return figure


def _two(values) -> list[str]:
    """Numbers to two decimals, to three below one."""
    return [tables.number(float(value), 3 if abs(float(value)) < 1 else 2) for value in values]


def experiment_rows(found: dict[str, xr.Dataset]) -> list[list[str]]:
    """Rows of a table: TIE of each experiment at the one β of its `afresh`; last, the mean over draws of 5 labels."""
    rows = []
    for label, study in found.items():
        at = study.isel(beta=0)
        beta = "ν" if label in tiles.NAMES else f"{float(at.beta):g}"
        turned = (at.tie.sel(labels=m).median("draw").mean() for m in SHOWN)
        rows.append([label, beta, *_two([at.trained.mean(), *turned, at.best.mean(), at.tie.sel(labels=5).mean()])])
    return rows


def worse_rows(found: dict[str, xr.Dataset]) -> list[list[str]]:
    """Rows of a table: per cent of draws that end worse; of turns by 5 labels also of those that 5 more confirm."""
    rows = []
    for label, study in found.items():
        worse = (study.tie > study.began).where(study.tie.notnull())
        passed = [worse.sel(labels=5).where(study[way].sel(labels=5) == 1) for way in ("likelier", "closer")]
        shares = [worse.sel(labels=m) for m in (1, *SHOWN, 100)] + passed
        rows.append([label, *(f"{100 * float(share.mean()):.1f}" for share in shares)])
    return rows


def part_rows(found: dict[str, xr.Dataset]) -> list[list[str]]:
    """Rows of a table: what TIE is made of, by experiment and β."""
    rows = []
    for label, study in found.items():
        wanted = (0.5, 1, 2) if label in tiles.NAMES else (1, 20, 100, 200)
        for beta in wanted:
            every = study.sel(beta=beta, method="nearest")
            at, count = every.mean("realization"), int(every.trained.count())
            values = at.trained, at.trained - at.best, at.means, at["size"], at["shape"]
            unit = " ν" if label in tiles.NAMES else ""
            rows.append([label, f"{beta:g}{unit}", str(count), *_two(values), tables.number(float(at.factor), 2)])
    return rows


def regression_rows(stored: dict[str, xr.Dataset], places: dict[str, float]) -> list[list[str]]:
    """Rows of a table: median TIE of a turn and of ridge regressions on latents and on pixels, of the same labels."""
    return [
        [f"{label}, β = {beta:.4g}", name, *_two(np.median(tie, 1))]
        for label, beta in places.items()
        for name, tie in labels.other_uses(stored[label], beta, REGRESSED).items()
    ]


def best_rows(stored: dict[str, xr.Dataset], found: dict[str, xr.Dataset]) -> list[list[str]]:
    """Rows of a table: the best β in units of ν before and after turning, and their ratio, paired by realization."""
    rows = []
    for name in tiles.NAMES:
        if name in found:
            wanted = "trained", "best", 100
            before, after, told = (turned_networks.best_betas(stored[name], found[name], what) for what in wanted)
            each = [between(average(value)) for value in (before, after, told, after / before)]
            rows.append([name, f"{tiles.best(name):.3f}", each[0], "1", *each[1:]])
    return rows


def average(values) -> Estimate:
    """Geometric mean with Student's 95 % interval, of those that are there."""
    return Estimate(*np.exp(optima.mean(np.log(values[np.isfinite(values)]))))


def tail_rows(stored: xr.Dataset, beta: float, counts=FEW) -> list[list[str]]:
    """Rows of a table: labels at random and chosen by their means, for networks at a β."""
    rows, where = [], f"{stored.experiment}, β = {beta:.4g}"
    for name, (ties, began, margins) in labels.at_random_and_chosen(stored, beta, counts).items():
        for m, tie, before, margin in zip(counts, ties, began, margins, strict=True):
            share, low, high = (100 * part for part in labels.share(tie > before))
            values = np.median(tie), tie.mean(), np.quantile(tie, 0.9)
            sure = f"{100 * np.mean(margin > MARGINS[-2]):.0f}"
            rows.append([where, name, str(m), *_two(values), f"{share:.1f} ({low:.1f} to {high:.1f})", sure])
    return rows


def margin_rows(study: xr.Dataset, count: int) -> list[list[str]]:
    """Rows of a table: how often draws end worse than they began, by the margin that the labels leave."""
    at = study.isel(beta=0).sel(labels=count)
    margin, worse, tie = at.margin.values.ravel(), (at.tie > at.began).values.ravel(), at.tie.values.ravel()
    rows = []
    for low, high in itertools.pairwise(MARGINS):
        inside = (margin >= low) & (margin < high)
        if inside.any():
            name = f"{low:g} to {high:g}" if np.isfinite(high) else f"above {low:g}"
            each = f"{100 * inside.mean():.0f}", f"{100 * worse[inside].mean():.0f}"
            rows.append([name, *each, *_two((np.median(tie[inside]), tie[inside].mean()))])
    return rows
