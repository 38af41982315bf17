"""What the analytical chapter shows: numbers, tables and figures at any β, mixing matrix and noise."""

import numpy as np
from IPython.display import Markdown
from matplotlib.figure import Figure

from betavae_core.findings.optima import exact_peak
from betavae_core.showing import curves, figures, tables
from betavae_core.showing.curves import Curve, Mark, Panel, mean
from betavae_core.theory import linear, stationarity
from betavae_core.theory.gaussian import LinearGaussian
from betavae_core.theory.terms import LINEAR, TERMS

STARTS, STEPS, EARLY_STEPS = 40, 10_000, 2_000
ROUNDING = 1e-7  # of an objective, relative or in nats
CONVERGED = {"objective": 1e-3, "tie": 1e-2}  # largest gap to the optimum, relative or in nats


def beta_grid(process: LinearGaussian, include) -> np.ndarray:
    """Increasing β from well below to well beyond everything of interest, with `include` and each threshold on it."""
    thresholds = np.sort(np.linalg.eigvalsh(process.covariance))[-process.mixing.shape[1] :]
    low = min(0.1, min(include) / 3)
    high = 2 * max(*thresholds, *include)
    return np.unique(np.concatenate([np.geomspace(low, high, 400), thresholds, include]))


def three_routes(process: LinearGaussian, beta: float) -> dict:
    """The optimum by closed form, by the thesis's solver and by training; terms of each and how well they agree.

    Returns a dict with `closed`, `solver`, `network` (terms in nats); `plain`, `led` (solutions without and with an
    ascent, and how many of them are the optimum); and sentences on the solver's and the network's gaps.
    """
    closed = linear.terms(process, linear.optimum(process, beta), beta)
    plain, led = (
        stationarity.stationary_points(process, beta, STARTS, np.random.default_rng(0), ascent)
        for ascent in (0, stationarity.ASCENT)
    )
    gaps = [
        [float(linear.terms(process, point, beta)["objective"] - closed["objective"]) for point in points]
        for points in (plain, led)
    ]
    reached = [sum(found_optimum(gap, closed) for gap in group) for group in gaps]
    solver = linear.terms(process, led[0], beta) if led else dict.fromkeys(LINEAR, np.nan)
    early, network = trained_linear_network(process, beta)
    return {
        "closed": closed,
        "solver": solver,
        "network": network,
        "plain": (len(plain), reached[0]),
        "led": (len(led), reached[1]),
        "solving": solver_sentence(gaps[1], closed),
        "training": training_sentence(STEPS, closed, network),
        "early_training": training_sentence(EARLY_STEPS, closed, early),
    }


def found_optimum(gap: float, closed) -> bool:
    """Whether a solution's objective is the closed form's, up to rounding."""
    return abs(gap) < ROUNDING * max(1, abs(closed["objective"]))


def solver_sentence(gaps: list[float], closed) -> str:
    """What the solver came to: how far the best of its solutions, if there is one, is from the closed form."""
    if not gaps:
        return "No start converged after the ascent, so the solver says nothing about the optimum."
    if found_optimum(gaps[0], closed):
        return f"The best objective differs from the closed form by {tables.number(gaps[0], 4)} nats."
    size, where = tables.number(abs(gaps[0]), 4), "below" if gaps[0] < 0 else "above"
    return f"The best solution found is {size} nats {where} the closed form, so the solver missed the optimum."


def trained_linear_network(process: LinearGaussian, beta: float) -> list[dict[str, float]]:
    """Terms after `EARLY_STEPS` and `STEPS` of training a linear network in TensorFlow on data of this covariance."""
    from betavae_core.networks import linear_network as networks

    stops, [sample] = networks.train([process], [beta], (EARLY_STEPS, STEPS))
    return [networks.measured(network, sample, beta) for [network] in stops]


def training_sentence(steps: int, closed, network) -> str:
    """What training came to: how far objective and TIE are from the optimum, and which of them has converged."""
    if not np.isfinite([network[name] for name in LINEAR]).all():
        return f"After {steps:,} steps training has diverged, so this network says nothing about the optimum."
    gaps = [tables.number(float(network[name] - closed[name]), 4) for name in CONVERGED]
    told = f"After {steps:,} steps the network is off the optimum by {gaps[0]} nats in objective and {gaps[1]} in TIE"
    near = (bound * max(1, abs(closed[name])) for name, bound in CONVERGED.items())
    objective, tie = (abs(network[name] - closed[name]) <= most for name, most in zip(CONVERGED, near, strict=True))
    if not objective:
        return f"{told}. The objective has not converged: at this point the network says nothing about the optimum."
    return f"{told}: {'both have converged' if tie else 'the objective has converged but TIE has not'}."


def route_rows(routes: dict) -> list[list[str]]:
    """Rows of the table of terms by three routes."""
    columns = [routes[name] for name in ("closed", "solver", "network")]
    return [[TERMS[name].long_name, *(tables.number(float(column[name])) for column in columns)] for name in LINEAR]


def identification_note(process: LinearGaussian, beta: float):
    """A note where the optimum is not identified, because active eigenvalues coincide; otherwise None."""
    if bool(linear.sweep(process, beta).identified[0]):
        return None
    return Markdown(
        "```{warning}\nEigenvalues coincide at this mixing matrix: the optimum is **not identified**. Any rotation "
        "of the latents within an eigenspace has the same objective, and TIE depends on it. The page shows the "
        "rotation with the least TIE.\n```"
    )


def summary(process: LinearGaussian, best: float) -> dict[str, float]:
    """TIE in nats at the β that the chapter compares, with the decoder trained and held at the truth."""
    ratio = process.noise_std**2
    trained = np.maximum(linear.sweep(process, [1.0, ratio, best]).tie.values.round(12), 0)  # 0 but for rounding is 0
    fixed = max(0.0, float(linear.sweep(process, ratio, decoder=process.mixing).tie.values.round(12)[0]))
    return {
        "tie_one": trained[0],
        "tie_ratio": trained[1],
        "tie_best": trained[2],
        "beta_fixed_best": ratio,
        "tie_fixed_best": fixed,
        "turn": trained[2] - fixed,
        "gain_percent": 100 * max(0.0, 1 - trained[2] / trained[1]) if trained[1] > 1e-12 else 0.0,
    }


def purchase_rows(values: dict[str, float], best: float) -> list[list[str]]:
    """Rows of the table of what the best β buys, from a `summary`."""
    ratio = values["beta_fixed_best"]
    rows = [("trained decoder, plain VAE", 1.0, values["tie_one"])]
    if ratio != 1:
        rows.append(("trained decoder, β at the noise ratio", ratio, values["tie_ratio"]))
    rows += [
        ("trained decoder, best β", best, values["tie_best"]),
        ("decoder fixed at the truth (the best that a diagonal encoder can do)", ratio, values["tie_fixed_best"]),
    ]
    return [[text, f"{beta:.5g}", tables.number(tie, 5)] for text, beta, tie in rows]


def identity_panels(dataset, beta: float, optimum: float) -> list[Panel]:
    """Thesis Fig. 3 A-D: ELBO, inference errors, reconstruction objective and conditional independence loss over β.

    `dataset` : from `linear.sweep`; `beta` : the page's, one of these; `optimum` : of least TIE, marked in panel B
    """
    elbo, R, C = (mean(dataset, name, TERMS[name].symbol) for name in ("elbo", "reconstruction", "kl_prior"))
    tie = mean(dataset, "tie", TERMS["tie"].symbol, written=0)
    mie = mean(dataset, "mie", TERMS["mie"].symbol, colour=figures.ORANGE, written=0)
    largest = Mark(exact_peak(dataset), "largest", height=0.12)
    least = Mark(optimum, f"least TIE\nβ* = {optimum:.3g}", height=0.75)
    return [
        Panel(title="A  ELBO", curves=[elbo], marks=[largest], start=beta),
        Panel(title="B  inference errors", curves=[tie, mie], marks=[least], start=beta),
        Panel(title="C  reconstruction objective R", curves=[R], start=beta),
        Panel(title="D  conditional independence loss C", curves=[C], start=beta),
    ]


def rate_panel(eigenvalues, beta: float, betas) -> Panel:
    """Nats that each latent carries over β, up to its collapse."""
    found, marks = [], []
    for i, value in enumerate(eigenvalues):
        rate = 0.5 * np.log(np.maximum(value / betas, 1))
        found.append(Curve(name=f"latent {i + 1}", beta=betas, value=rate, colour=figures.colour(i)))
        marks.append(_collapse(i, value, 0.97 - 0.12 * (i % 4), figures.colour(i)))
    return Panel(title="A  carried by each latent", curves=found, marks=marks, start=beta)


def _collapse(latent: int, eigenvalue: float, height: float, colour: str = figures.GREY) -> Mark:
    """Where a latent collapses, as λ₁, λ₂, …"""
    return Mark(eigenvalue, f"λ{latent + 1}".translate(figures.SUBSCRIPTS), colour, ":", height)


def water_filling_figure(rates: Panel, eigenvalues, beta: float) -> Figure:
    """`rate_panel`, and the eigenvalues with β as the water level."""
    figure, (rate, level) = figures.panels(2)
    curves.draw_on(rate, rates)
    for i, value in enumerate(eigenvalues):
        level.bar(i + 1, value, color=figures.colour(i), alpha=0.35, width=0.7)
        level.bar(i + 1, max(value - beta, 0), bottom=min(beta, value), color=figures.colour(i), width=0.7)
    level.axhline(beta, color=figures.GREY, linestyle="--", linewidth=1.2)
    level.set(title=f"B  eigenvalues at β = {beta:.10g}", xlabel="latent", ylabel="variance", yscale="log")
    level.set(xticks=range(1, len(eigenvalues) + 1), ylim=(0.5 * min(*eigenvalues, beta), 2 * max(*eigenvalues, beta)))
    return figure


def fixed_decoder_panel(trained, fixed, best: float, beta: float) -> Panel:
    """TIE over β with the decoder trained and held at the truth."""
    least = float(fixed.beta[fixed.tie.argmin("beta")])
    marks = [Mark(best, f"β* = {best:.3g}", figures.BLUE), Mark(least, f"β = {least:.3g}", figures.GREEN, height=0.85)]
    held = mean(fixed, "tie", "held at A", colour=figures.GREEN, written=-len(fixed.beta) // 3)
    both = [mean(trained, "tie", "trained", written=0), held]
    return Panel(title="true inference error", curves=both, marks=marks, floor=0, start=beta)


def larger_panel(process: LinearGaussian) -> Panel:
    """TIE over β with the collapse thresholds and the optimum marked."""
    best = linear.optimal_beta(process)
    dataset = linear.sweep(process, beta_grid(process, [1.0, best]))
    values = np.linalg.eigvalsh(process.covariance)[::-1][: process.mixing.shape[1]]
    collapses = [_collapse(i, value, 0.2 + 0.1 * (i % 3)) for i, value in enumerate(values)]
    marks = [Mark(best, f"β* = {best:.3g}", figures.ORANGE), *collapses]
    return Panel(title="true inference error", curves=[mean(dataset, "tie", "TIE")], marks=marks)
