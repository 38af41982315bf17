"""What the chapters show of rotation: the encoder's family, many sources, a learned noise, penalties, β* over it."""

import numpy as np
import xarray as xr
from matplotlib import ticker
from matplotlib.figure import Figure

from betavae_core.results.kept import kept
from betavae_core.showing import figures, tables
from betavae_core.showing.curves import Curve, Panel
from betavae_core.theory import identity, linear, penalties, propositions, search
from betavae_core.theory.gaussian import LinearGaussian
from betavae_core.theory.rotation import FAMILIES, least_rotated_tie, right_rotation, rotated_tie

DRAWS = 60  # random rotations
SOURCES = (2, 3, 5, 10, 20, 50)
SHOWN = 1e-4  # nats; two sources can happen to be turned by next to nothing
SIGNAL = (10.0, 20.0)  # singular values of the models with many sources, noise 1


def cells(process: LinearGaussian) -> dict[tuple[str, str], tuple[float, float]]:
    """The β with the least TIE and that TIE in nats, for each (rotation, family) of the two by two."""
    rotations = {"principal": np.eye(process.mixing.shape[1]), "right": right_rotation(process)}
    return {(n, family): least_rotated_tie(process, Q, family) for n, Q in rotations.items() for family in FAMILIES}


def random_rotations(process: LinearGaussian, draws: int, rng) -> np.ndarray:
    """The β with the least TIE and that TIE at random rotations (Haar measure), q full; shape (draws, 2)."""
    turns = _random_turns(process.mixing.shape[1], draws, rng)
    return np.array([least_rotated_tie(process, Q, "full") for Q in turns])


def _random_turns(k: int, draws: int, rng) -> list[np.ndarray]:
    from scipy import stats  # it takes a third of a second to load

    return [stats.ortho_group.rvs(k, random_state=rng) if k > 1 else np.eye(1) for _ in range(draws)]


def cell_rows(found, drawn, ratio: float) -> list[list[str]]:
    """Rows of the table of the two by two; β relative to the noise ratio."""
    names = ["principal axes (trained)", "principal axes", "sources' own axes (imposed)", "sources' own axes"]
    rows = [(name, key[1], *found[key]) for name, key in zip(names, found, strict=True)]
    rows.append((f"random (median of {len(drawn)})", "full", *np.median(drawn, 0)))
    return [[turn, family, tables.number(b / ratio, 4), tables.number(max(t, 0.0), 5)] for turn, family, b, t in rows]


def rotation_figure(process: LinearGaussian, found, drawn) -> Figure:
    """A: TIE over β of the four cells. B: the least TIE against its β, at random rotations and at the four."""
    noise, turn = process.noise_std**2, right_rotation(process)
    values = np.linalg.eigvalsh(process.covariance)[::-1]
    betas = np.geomspace(noise / 8, min(1.2 * values[0], 20 * noise), 120)
    figure, (curves, cloud) = figures.panels(2, height=3.0)
    trained = linear.sweep(process, betas).tie.values
    diagonal, full = ([rotated_tie(process, beta, turn, family) for beta in betas] for family in FAMILIES)
    for text, curve, colour, away in (
        ("principal axes,\neither family", trained, figures.BLUE, 14),
        ("own,\ndiagonal", diagonal, figures.GREEN, 8),
        ("own, full", full, figures.ORANGE, -30),
    ):
        curves.plot(betas, curve, color=colour)
        place = (betas[3], curve[3])
        curves.annotate(text, place, xytext=(4, away), textcoords="offset points", color=colour, fontsize=9)
    curves.fill_between(betas, full, diagonal, color=figures.GREEN, alpha=0.25, linewidth=0)
    curves.set_ylim(-0.12 * trained.max(), 1.08 * trained.max() + 1e-9)
    curves.set(xscale="log", xlabel="β", ylabel="nats", title="A  TIE")
    cloud.plot(drawn[:, 0] / noise, drawn[:, 1], ".", color=figures.GREY, alpha=0.6)
    colours = figures.BLUE, figures.BLUE, figures.GREEN, figures.ORANGE  # as in A
    for (beta, tie), colour in zip(found.values(), colours, strict=True):
        cloud.plot(beta / noise, tie, "o", color=colour, markersize=8, markerfacecolor="white")
    cloud.set(title="B  least TIE, nats", xlabel="best β / noise ratio", ylabel="nats")
    return figure


@kept
def gains(count: int) -> xr.Dataset:
    """`gain` in TIE of β* over β = 1, relative, in so many random models of two or three sources with σ_x = σ."""
    rng, found = np.random.default_rng(0), []
    while len(found) < count:
        process = propositions.random_process(rng)
        if process.mixing.shape[1] > 1:
            variance = process.noise_std**2
            best = linear.optimal_beta(process, variance)
            at_best, at_one = linear.sweep(process, [best, 1.0], decoder_variance=variance).tie.values
            found.append(1 - at_best / at_one)
    return xr.Dataset({"gain": ("model", found)})


def random_model(k: int, rng) -> LinearGaussian:
    """A model of k sources: σ = 1, singular values uniform over `SIGNAL`, both rotations random (Haar measure)."""
    left, right = _random_turns(k, 2, rng)
    return LinearGaussian(left * rng.uniform(*SIGNAL, k) @ right, 1.0)


def many_source_models(models: int, rng) -> dict[int, np.ndarray]:
    """For each number of sources: β*, its law, the gain over β = 1, its law, TIE at β*; arrays (models, 5).

    β* is searched without the law, in models drawn by `random_model`.
    """
    found = {}
    for k in SOURCES:
        rows = []
        for _ in range(models):
            process = random_model(k, rng)
            best, tie = least_rotated_tie(process, np.eye(k), "full")  # at the principal axes the family is immaterial
            ratio, gain = linear.many_source_law(process)
            rows.append([best, ratio, rotated_tie(process, 1.0, np.eye(k), "full") - tie, gain, tie])
        found[k] = np.array(rows)
    return found


def many_source_rows(found: dict[int, np.ndarray]) -> list[list[str]]:
    """Rows of the table of medians over models, one row a number of sources."""
    return [[str(k), *map(tables.number, np.median(rows, 0), (3, 3, 3, 3, 1))] for k, rows in found.items()]


def many_source_figure(found: dict[int, np.ndarray]) -> Figure:
    """β* and the gain of each model against what the law says; on the line they agree."""
    figure, axes = figures.panels(2, height=3.0)
    titles = ("A  β* over the noise ratio", "B  gain in TIE, nats")
    for axis, column, title in zip(axes, (0, 2), titles, strict=True):
        law = np.concatenate([rows[:, column + 1] for rows in found.values()])
        ends = np.array([law.min(), law.max()])
        axis.plot(ends, ends, color=figures.GREY, linestyle="--", linewidth=1.2)
        for i, (k, rows) in enumerate(found.items()):
            colour = figures.colour(i)
            axis.plot(rows[:, column + 1], rows[:, column], "os"[i // 4], color=colour, markersize=4, alpha=0.7)
            place = tuple(np.median(rows[:, [column + 1, column]], 0))
            axis.annotate(str(k), place, xytext=(6, -10), textcoords="offset points", color=colour, fontsize=9)
        axis.set(title=title, xlabel="law", ylabel="searched", yscale="log", xscale="log")
        if ends[0] < SHOWN:
            axis.set(xlim=(SHOWN, 2 * ends[1]), ylim=(SHOWN, 2 * ends[1]))
        for side in (axis.xaxis, axis.yaxis):
            side.set_minor_formatter("")
    for axis in (axes[0].xaxis, axes[0].yaxis):
        axis.set_major_locator(ticker.FixedLocator([1, 1.5, 2, 3]))
        axis.set_major_formatter("{x:g}")
    return figure


def learned_noise(process: LinearGaussian, dimensions) -> list[dict[str, float]]:
    """Best β with σ_x learned, for the same sources seen in N dimensions: by search, and by the formula N/h(b*)."""
    k, noise = process.mixing.shape[1], process.noise_std**2
    best, found = linear.optimal_beta(process), []
    _, singular, right = np.linalg.svd(process.mixing, full_matrices=False)
    for N in dimensions:
        wider = LinearGaussian(np.pad(np.diag(singular) @ right, ((0, N - k), (0, 0))), process.noise_std)
        values = np.linalg.eigvalsh(wider.covariance)[::-1]
        filled = np.minimum(1, values[:k] / best).sum() + values[k:].sum() / best

        def error(log_beta, wider=wider):
            beta = float(np.exp(log_beta))
            variance = linear.learned_decoder_variance(wider.covariance, beta, k)
            return float(linear.sweep(wider, beta, decoder_variance=variance).tie[0])

        log_beta, _ = search.least(error, np.linspace(np.log(0.3), np.log(3 * max(best / noise, 1)), 60))
        searched = float(np.exp(log_beta))
        at_one = linear.learned_decoder_variance(wider.covariance, 1.0, k)
        found.append({"N": N, "at_one": at_one, "searched": searched, "formula": float(N / filled)})
    return found


def best_beta_panels(process: LinearGaussian) -> list[Panel]:
    """β* over a rotation of the sources, relative to the noise ratio, and over the noise."""
    noise_std = process.noise_std
    left, singular, right = np.linalg.svd(process.mixing, full_matrices=False)
    k, angles, own = len(singular), np.linspace(0, 90, 61), None
    if k == 2:
        own = np.degrees(np.arccos(min(1, abs(right[0, 0]))))
        angles[np.argmin(abs(angles - own))] = own
    relative = []
    for angle in np.radians(angles):
        turn = np.eye(k)
        if k > 1:
            turn[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
        turned = LinearGaussian(left * singular @ turn, noise_std)
        relative.append(linear.optimal_beta(turned, decoder_variance=noise_std**2))
    noises = noise_std * np.geomspace(0.25, 4, 25)
    best = np.array([linear.optimal_beta(LinearGaussian(process.mixing, noise)) for noise in noises])
    ratio = {"colour": figures.GREY, "line": "--"}
    over_angle = [
        Curve(name="β* σₓ²/σ²", beta=angles, value=np.array(relative), written=36),
        Curve(name="noise ratio", beta=angles, value=np.ones(len(angles)), written=24, **ratio),
    ]
    over_noise = [
        Curve(name="β*", beta=noises, value=best, written=24),
        Curve(name="σ²/σₓ²", beta=noises, value=noises**2, written=-9, **ratio),
    ]
    turned = {"variable": "rotation of the sources, degrees", "linear": True}
    noisy = {"variable": "noise σ", "bend": float(10 ** np.floor(2 * np.log10(noises[0])))}  # below all: logarithmic
    return [
        Panel(title="A  β* relative to σ²/σₓ²", unit="", curves=over_angle, start=own, **turned),
        Panel(title="B  β* over the noise, σₓ = 1", unit="", curves=over_noise, start=noises[12], **noisy),
    ]


PENALISED = {
    "tc": "total correlation (FactorVAE, β-TCVAE)",
    "kl": "divergence from the prior",
    "mmd": "maximum mean discrepancy (InfoVAE)",
    "wasserstein": "2-Wasserstein distance, squared",
    "dip-ii": "covariance of the latents (DIP‑VAE‑II)",
    "dip-i": "covariance of their means (DIP‑VAE‑I): not covered",
}


def penalised_tie(process: LinearGaussian, gamma: float, name: str) -> float:
    """TIE in nats of a model trained with a penalty of weight γ by direct optimisation, β = 1, σ_x = 1."""
    return float(identity.terms(process, penalties.trained(process, gamma, name), 1.0)["tie"])


def penalty_panels(mixing, noises, betas) -> list[Panel]:
    """TIE over β of the β-VAE, and over its own β of the β-TCVAE, whose weight of total correlation is β − 1."""
    described, fine = [], np.geomspace(betas[0], betas[-1], 12 * (len(betas) - 1) + 1)
    for letter, noise in zip("AB", noises, strict=True):
        process = LinearGaussian(mixing, noise)
        found = np.array([penalised_tie(process, beta - 1, "tc") for beta in betas])
        plain = Curve(name="β-VAE", beta=fine, value=linear.sweep(process, fine).tie.values, written=-30)
        penalised = Curve(name="β-TCVAE", beta=betas, value=found, colour=figures.ORANGE, line="o-", written=-5)
        described.append(Panel(title=f"{letter}  TIE, σ = {noise:g}", curves=[plain, penalised], floor=0))
    return described


def penalty_rows(mixing, noises, gammas) -> list[list[str]]:
    """TIE with each penalty, at each noise and weight."""
    processes = [LinearGaussian(mixing, noise) for noise in noises]
    return [
        [said, *(tables.number(penalised_tie(p, gamma, name), 4) for p in processes for gamma in gammas)]
        for name, said in PENALISED.items()
    ]
