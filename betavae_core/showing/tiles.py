"""What the chapter on tiles shows: the prediction, how far training settles, and the best β of the networks."""

import numpy as np
import xarray as xr

from betavae_core.findings import optima, prediction, settled, tiles, verdicts
from betavae_core.findings.optima import Estimate
from betavae_core.images import experiments
from betavae_core.results import sweep
from betavae_core.showing import curves, figures, tables

EVERY = ("tiles", "tiles-aligned", "tiles-diagonal", "tiles-4", "tiles-quiet")
CENTRAL = slice(0.49, 2.51)  # multiples of ν over which tables average
NOISES, COUNTS = (0.01, 0.03, 0.1), (5, 6, 12, 20)  # nats of a network's TIE, and realizations, of the power analysis
FULL, CONSTANT, SHORTER, LONGEST = "full covariance", "the thesis's training", "2,000 epochs", "20,000 epochs"
PATIENT = f"tiles-diagonal, {LONGEST}"
UNTURNED = 0.1  # nats that TIE is off theory by where a decoder has not turned all the way


def stored(profile: str) -> dict[str, xr.Dataset]:
    """Networks of each experiment of tiles, whatever is stored of them; last, those that were trained for longest."""
    patient = sweep.load("tiles-diagonal", profile, supplement=LONGEST)
    return {name: sweep.load(name, profile) for name in EVERY} | {PATIENT: patient}


def prediction_rows() -> list[list[str]]:
    """Rows of a table: what theory says of each experiment."""
    rows = []
    for name in EVERY:
        A = np.array(experiments.experiment(name).mixing)
        at_one, at_best = (max(0.0, float(v)) for v in tiles.theory(name, [1.0, tiles.best(name)]).tie)
        diagonal = np.allclose(A.T @ A, np.diag(np.diag(A.T @ A)))
        values = tiles.best(name), at_best, at_one, max(0.0, at_one - at_best)
        rows.append([name, "diagonal" if diagonal else "not diagonal", *(f"{value:.3f}" for value in values)])
    return rows


def _networks(name: str, profile: str, supplement: str | None = None) -> xr.Dataset:
    """Central β in units of ν and realizations with something stored."""
    found = tiles.in_units_of_noise(sweep.load(name, profile, supplement=supplement)).sel(beta=CENTRAL)
    return found.sel(realization=np.isfinite(found.tie).any("beta"))


def settling_rows(profile: str) -> list[list[str]]:
    """Rows of a table: how far from the linear optimum either way of training ends; no row where nothing is stored."""
    rows = []
    for name in EVERY:
        for training, found in _trainings(name, profile).items():
            if count := int(np.isfinite(found.tie).sum()):
                below, off = _linear_objective(name, found.beta) - found.objective, _off_theory(found)
                cells = [tables.fixed(float(below.mean()), 2), f"{float((off**2).mean()) ** 0.5:.3f}"]
                rows.append([name, training, str(count), *cells, str(int((abs(off) > UNTURNED).sum()))])
    return rows


def _off_theory(found: xr.Dataset) -> xr.DataArray:
    """TIE of networks, β in units of ν, above the theory's; nats."""
    return found.tie - tiles.theory(found.experiment, found.beta.values).tie.assign_coords(beta=found.beta)


def _trainings(name: str, profile: str) -> dict[str, xr.Dataset]:
    """Networks of an experiment by how they were trained, the shortest first."""
    record = experiments.experiment(name)
    own, extras = f"{record.settings['epochs']:,} epochs", [extra.name for extra in record.supplements]
    named = {CONSTANT: "as in the thesis", SHORTER: SHORTER, own: own, LONGEST: LONGEST}
    wanted = [(label, told) for label, told in named.items() if label == own or label in extras]
    return {told: _networks(name, profile, None if label == own else label) for label, told in wanted}


def _linear_objective(name: str, ratios) -> xr.DataArray:
    """L of the linear optimum; the same for every realization, whose codes have one covariance."""
    found = prediction.prediction(name, ratios.values * tiles.code_noise(name), [0]).isel(realization=0)
    return settled.objective(found).assign_coords(beta=ratios.values)


def family_rows(profile: str) -> list[list[str]]:
    """Rows of a table: networks whose encoder has a full covariance beside those with a diagonal one."""
    rows = []
    for name in tiles.NAMES:
        full, diagonal = _networks(name, profile, FULL), _trainings(name, profile)[SHORTER]
        full, diagonal = xr.align(full, diagonal, join="inner", exclude=["detailed"])
        both = np.isfinite(full.tie) & np.isfinite(diagonal.tie)
        if both.any():
            gain = float((full.objective - diagonal.objective).where(both).mean())
            ties = [float(found.tie.where(both).mean()) for found in (diagonal, full)]
            reach = [float(getattr(full.tie.where(both), end)()) for end in ("min", "max")]
            cells = [verdicts.written(gain, "+.2f"), *(f"{tie:.3f}" for tie in ties)]
            rows.append([name, str(int(both.sum())), *cells, f"{reach[0]:.2f} to {reach[1]:.2f}"])
    return rows


def figure(stores: dict[str, xr.Dataset]):
    """A panel for each experiment: TIE over β/ν, networks and theory, and the best β of both."""
    shown, axes = figures.panels(len(stores), columns=len(stores), height=2.8)
    letters = "ABCDEF"[: len(stores)]
    for axis, letter, (label, found) in zip(axes, letters, stores.items(), strict=True):
        name, fine = found.experiment, np.geomspace(0.5, 2.5, 101)
        found = tiles.in_units_of_noise(found).sel(beta=CENTRAL)
        axis.plot(fine, tiles.theory(name, fine).tie, "--", color=figures.GREY)
        axis.axvline(tiles.best(name), color=figures.ORANGE, linewidth=3, alpha=0.5)
        if np.isfinite(found.tie).any():
            curves.line(axis, curves.over(found, "tie"))
            best = tiles.optimum(stores[label]).best
            axis.axvspan(max(best.low, 0.5), min(best.high, 2.5), color=figures.GREEN, alpha=0.2, linewidth=0)
            axis.axvline(best.value, color=figures.GREEN, linewidth=1.2)
        axis.set(title=f"{letter}  {label}", xlabel="β/ν", ylabel="TIE, nats", xscale="log")
        axis.set_xticks([0.5, 1, 2], ["0.5", "1", "2"])
        axis.minorticks_off()
    return shown


def result_rows(stores: dict[str, xr.Dataset]) -> list[list[str]]:
    """Rows of a table: best β, and slope at β = ν, of theory and networks; no row where no realization is whole."""
    rows = []
    for label, found in stores.items():
        o, middle = tiles.optimum(found), float(tiles.slopes(found).median())
        if o.count:
            slopes = tables.fixed(o.theory.slope, 3), between(o.slope), tables.fixed(middle, 3)
            rows.append([f"{label} ({o.count})", *slopes, f"{o.theory.best:.3f}", between(o.best)])
    return rows


def power_rows() -> list[list[str]]:
    """Rows of a table: how often so many realizations would tell theory's optimum from ν, by the noise of a network."""
    return [
        [name, f"{noise:g}", *(f"{100 * tiles.power(name, noise, count):.0f} %" for count in COUNTS)]
        for name in tiles.NAMES
        for noise in NOISES
    ]


def between(found: Estimate, decimals: int = 3) -> str:
    """A value with its interval, if there is one; a dash for a value that there is not, 0 and ∞ for an open end."""
    value, low, high = (tables.fixed(n, decimals) if n else "0" for n in found)
    return value if found.low == -np.inf else f"{value} ({low} to {high})"


def texts(stores: dict[str, xr.Dataset], beta: float) -> dict[str, str]:
    """What the prose quotes: what is missing, the fitted networks, the result, theory at this page's β."""
    wanted, there = sum(s.tie.size for s in stores.values()), sum(int((s.key != "").sum()) for s in stores.values())
    missing = f"{there} of {wanted} networks are stored; betavae sweep {' '.join(EVERY)} trains the rest."
    near, dead = (sum(count) for count in zip(*(_unsettled(stores[name]) for name in EVERY), strict=True))
    live = tiles.theory("tiles", [beta / tiles.code_noise("tiles")]).tie[0] if beta > 0 else np.inf
    return {
        "missing": "" if there == wanted else missing,
        "settled": f"{near - dead} of the {near} trained as planned" if near else "none of them is stored",
        "result": _result(stores),
        "four": _four(stores["tiles-4"]),
        "live_theory": f"{float(live):.2f}" if beta > 0 else "∞",
    }


def unturned(found: xr.Dataset) -> tuple[int, int]:
    """Networks whose TIE is off theory by more than `UNTURNED`, and networks there are."""
    found = tiles.in_units_of_noise(found)
    return int((abs(_off_theory(found)) > UNTURNED).sum()), int(np.isfinite(found.tie).sum())


def _four(found: xr.Dataset) -> str:
    """Sentences on the experiment with four sources; nothing where no two realizations of it are whole."""
    o = tiles.optimum(found)
    if not np.isfinite(o.slope.high):
        return ""
    off, there = unturned(found.sel(beta=slice(*(tiles.code_noise("tiles-4") * end for end in tiles.NEAR))))
    return (
        f"In tiles-4 the slope is {between(o.slope)} nats where theory has {tables.number(o.theory.slope, 3)}. "
        f"Not all its decoders have turned: TIE is more than {UNTURNED:g} nats off theory in {off} of the {there} "
        "networks of the fit."
    )


def _expected() -> float:
    """The theory's slope of tiles minus that of the control, nats."""
    return tiles.slope("tiles") - tiles.slope("tiles-diagonal")


def lead(profile: str) -> str:
    """What the home page says of all this."""
    found, control = (sweep.load(name, profile) for name in ("tiles", "tiles-aligned"))
    fall, level = optima.mean(-tiles.slopes(found).dropna("realization").values), tiles.optimum(control).slope
    less = optima.mean(-tiles.difference(found, control))
    agree = fall.low <= -tiles.slope("tiles") <= fall.high and 4 * max(-level.low, level.high) < fall.low
    if not (agree and less.low > 0):
        return "Whether networks agree with the theory is told by the table"
    return (
        "Networks whose images follow the model agree with the theory: at the noise ratio their TIE still falls, by "
        f"{between(fall)} nats per unit of log β (theory: {-tiles.slope('tiles'):.3f}). "
        "In a control trained alike, whose sources stay independent given the data, it changes by "
        f"{between(level)} nats there (theory: 0)"
    )


def _unsettled(stored: xr.Dataset) -> tuple[int, int]:
    """Networks that are there in the range of the fit, and those of them that have not settled."""
    found = tiles.in_units_of_noise(stored).sel(beta=slice(*tiles.NEAR))
    there = np.isfinite(found.tie)
    return int(there.sum()), int((there & ~tiles.settled(found)).sum())


def _result(stores: dict[str, xr.Dataset]) -> str:
    """A sentence on the two experiments that share all but the mixing matrix."""
    gap = optima.mean(tiles.difference(stores["tiles"], stores["tiles-diagonal"]))
    if not np.isfinite(gap.high):
        return "Whether the two experiments with two tiles differ cannot be said before more of them is stored."
    inside = "includes" if gap.low <= _expected() <= gap.high else "does not include"
    return (
        f"Paired by realization, the slope of tiles minus that of tiles-diagonal is {between(gap, 2)} nats. The "
        f"interval {inside} the theory's {tables.number(_expected(), 3)} and "
        f"{'excludes 0' if gap.high < 0 else 'includes 0, so this comparison decides nothing'}."
    )
