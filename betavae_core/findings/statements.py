"""The thesis's claims, part by part, each with the evidence that this build has for or against it."""

import numpy as np
import xarray as xr

from betavae_core.findings import latents, optima, verdicts
from betavae_core.findings.claims import Verdict
from betavae_core.findings.verdicts import READ, written
from betavae_core.theory import linear
from betavae_core.theory.gaussian import LinearGaussian
from betavae_core.theory.terms import HELDOUT

UNKNOWN = optima.Estimate(np.nan, -np.inf, np.inf)  # where nothing could be measured


def general(worst: dict[str, float], correlations, control) -> list[Verdict]:
    """The theoretical claims, from the largest violations over random models, nats.

    `correlations` are those between sources given the data, of random models and, `control`, with orthogonal columns.
    """
    where = "Results, Theoretical Statements"
    tractable = "Results, Analytically Tractable"
    claimed = [
        ("The optimal β-VAE objective does not increase with β", where, "objective", "p1"),
        ("C at the optimum does not increase with β", where, "kl_prior", "p2"),
        ("R at the optimum does not increase with β", where, "reconstruction", "p2"),
        ("ELBO at the optimum is largest at β = 1", where, "elbo", "p3"),
        ("As β → ∞ the inference model goes to the prior, C to 0", where, "limit", "p-limit"),
        ("With a fixed decoder MIE is least at β = 1", tractable, "fixed_decoder", "fixed-decoder"),
    ]
    found = []
    for claim, source, name, target in claimed:
        text = f"largest violation {written(worst[name])} nats"
        found.append(verdicts.exact(claim, source, "theory", text, worst[name] < verdicts.ROUNDING).at(target))
    claim = "Independent sources are in general conditionally dependent given the data"
    dependent = verdicts.dependent(claim, "Abstract; Results", "theory", correlations, control)
    return [*found, dependent.at("independence")]


def analytical(process: LinearGaussian, trained: xr.Dataset, fixed: xr.Dataset, best: float) -> list[Verdict]:
    """The claims about the analytical model, exact at this process."""
    verified, curves = "Results, Numerical Verification; Fig. 3", "fig-identity"
    peak = optima.exact_peak(trained)
    R, C = (float(np.diff(trained[name]).max()) for name in ("reconstruction", "kl_prior"))
    least, ends = float(linear.sweep(process, best).tie[0]), float(trained.tie[[0, -1]].min())
    before, after = trained.sel(beta=slice(None, 1)), trained.sel(beta=slice(1, None))
    climb = float(trained.log_likelihood.sel(beta=1) - before.log_likelihood[0])
    at_one, around = abs(float(trained.mie.sel(beta=1))), [float(part.mie.max()) for part in (before, after)]
    claimed = [
        ("ELBO is largest at β = 1", verified, f"at β = {peak:g}", peak == 1, curves),
        ("R decreases with β", verified, f"largest rise {written(R)} nats", verdicts.ROUNDING >= R, curves),
        ("C decreases with β", verified, f"largest rise {written(C)} nats", verdicts.ROUNDING >= C, curves),
        (
            "The data likelihood falls as β grows",
            "Results, Theoretical Statements",
            f"rises by {climb:.3g} nats from β = {float(trained.beta[0]):g} to 1, falls after",
            climb < verdicts.ROUNDING,
            "p-mie",
        ),
        (
            "MIE is non-monotonic in β, with an optimum",
            "Results, Theoretical Statements; Fig. 3",
            f"{written(at_one)} nats at β = 1; up to {around[0]:.3g} below and {around[1]:.3g} above",
            at_one < verdicts.ROUNDING < min(around),
            curves,
        ),
        (
            "TIE is non-monotonic in β, with a finite optimum",
            verified,
            f"least, {least:.4f} nats, at β = {best:.4f}; at the ends at least {ends:.4f}",
            least < ends,
            curves,
        ),
    ]
    found = [
        verdicts.exact(c, source, "analytical", text, bool(ok)).at(target) for c, source, text, ok, target in claimed
    ]
    return [*found, *_fixed_decoder(process, fixed), *_causes(process, fixed, best)]


def _fixed_decoder(process: LinearGaussian, fixed: xr.Dataset) -> list[Verdict]:
    """The claims about a decoder that is held at A."""
    gap = float(np.abs(fixed.mie - fixed.tie).max())
    betas = np.union1d(np.geomspace(0.05, 20, 241), [1.0, 4.0])
    noisy = LinearGaussian(process.mixing, 2 * process.noise_std)
    right, wrong = (
        float(betas[linear.sweep(p, betas, process.mixing, process.noise_std**2).tie.values.argmin()])
        for p in (process, noisy)
    )
    where = "Results, Analytically Tractable"
    claimed = [
        (
            "With D = A the model's posterior is the true one",
            where,
            f"MIE and TIE differ by {written(gap)} nats at most",
            gap < verdicts.ROUNDING,
        ),
        (
            "A fixed decoder is best for the true latents at β = 1, if it is the truth: D = A, σₓ = σ",
            where,
            f"TIE least at β = {right:g}",
            right == 1,
        ),
        (
            "A fixed decoder is best for the true latents at β = 1, whatever its variance",
            where + READ,
            f"D = A and a noise of σ = 2 σₓ: TIE least at β = {wrong:g}",
            wrong == 1,
        ),
    ]
    judged = [verdicts.exact(claim, source, "analytical", text, ok) for claim, source, text, ok in claimed]
    return [verdict.at("fig-fixed") for verdict in judged]


def _causes(process: LinearGaussian, fixed: xr.Dataset, best: float) -> list[Verdict]:
    """The claims about why there is an optimum, and why it lies where it does."""
    around, errors = _control(process)
    ratio, imposed = process.noise_std**2, float(fixed.beta[fixed.tie.values.argmin()])
    shown = ", ".join(f"{e:.3f}" for e in errors) + " nats at β = " + ", ".join(f"{b:g}" for b in around)
    claimed = [
        (
            "The conflict of conditional with statistical independence is what makes TIE non-monotonic",
            f"with orthogonal columns, so without the conflict, TIE is {shown}",
            not errors[0] > errors[1] < errors[2],
            "rotation-bounds",
        ),
        (
            "A diagonal q for a conditionally dependent posterior moves the best β",
            f"with D = A, where both are there, TIE is least at β = {imposed:g}, the noise ratio {ratio:g}",
            abs(imposed / ratio - 1) > verdicts.ROUNDING,
            "rotation-lemma",
        ),
        (
            "With a trained decoder and conditionally dependent sources the best β is above the noise ratio",
            f"β* = {best:.4f}, noise ratio {ratio:g}",
            best > ratio,
            "best-beta",
        ),
    ]
    where = "Abstract" + READ
    return [
        verdicts.exact(claim, where, "analytical", text, bool(ok)).at(target) for claim, text, ok, target in claimed
    ]


def _control(process: LinearGaussian) -> tuple[list[float], np.ndarray]:
    """Three β around the best of the same model with orthogonal columns, and TIE there."""
    orthogonal = LinearGaussian(np.diag(np.linalg.norm(process.mixing, axis=0)), process.noise_std)
    ratio = process.noise_std**2
    around = [ratio / 10, linear.optimal_beta(orthogonal), 10 * ratio]
    return around, np.maximum(linear.sweep(orthogonal, around).tie.values, 0)  # rounding can fall below 0


def deep(stored: xr.Dataset, scored: xr.Dataset, where: str, page: str) -> list[Verdict]:
    """The claims that both deep experiments share, on the training images, as the thesis evaluated them."""
    name, betas = f"Deep {stored.experiment}", stored.beta.values
    found, fresh = optima.best(stored), optima.best(stored, HELDOUT)
    beside = {term: f" (fresh images: {e.value:g})" for term, e in fresh.items()}
    R, C, elbo = (optima.largest_rise(stored, term) for term in ("reconstruction", "kl_prior", "elbo"))
    late = optima.largest_rise(stored.sel(beta=slice(1, None)), "elbo")
    judged = [
        verdicts.near(f"{name}: ELBO is largest near β = 1", where, page, found["elbo"], 1.0, beside["elbo"]),
        verdicts.falls(f"{name}: ELBO otherwise decreases with β", where, page, elbo),
        verdicts.falls(f"{name}: beyond β = 1 ELBO decreases with β", where + READ, page, late),
        verdicts.falls(f"{name}: R decreases with β, reconstruction worsens", where, page, R),
        verdicts.falls(f"{name}: C decreases with β", where, page, C),
        verdicts.interior(
            f"{name}: TIE is non-monotonic, with a finite optimal β",
            where,
            page,
            found["tie"],
            betas,
            True,
            beside["tie"],
        ),
    ]
    return [*(verdict.at(f"fig-{page}") for verdict in judged), *segregation(scored, name, page)]


def segregation(scored: xr.Dataset, name: str, page: str) -> list[Verdict]:
    """On segregation with β, while both latents are in use: factorised latents, and latents aligned with sources.

    The largest β up to `verdicts.HIGH` at which both are in use in every network, against `verdicts.LOW`.
    """
    used = latents.in_use(scored)
    used = used[(used >= verdicts.LOW) & (used <= verdicts.HIGH)]
    asked = [
        ("correlation", "factorised", "correlation of the latents", -1),
        ("mig", "aligned with the sources, by MIG", "MIG", 1),
        ("sap", "aligned with the sources, by SAP", "SAP", 1),
    ]
    found = []
    for score, how, what, sign in asked:
        gains = {"no two β with both latents in use": UNKNOWN}
        if len(used) > 1:
            means, drawn = (
                optima.complete(scored.sel(beta=used[[0, -1]]), score + of)[0] for of in ("", latents.DRAWN)
            )
            gains = {n: optima.mean(sign * (v[1] - v[0])) for n, v in (("on means", means), ("on z ~ q", drawn))}
            change = "minus" if sign > 0 else "below"
            what = f"{what} at β = {used[-1]:g} {change} {'that ' if sign < 0 else ''}at β = {used[0]:g}"
        claim = f"{name}: higher β segregates the latents: {how}"
        judged = verdicts.positive(claim, "Results, Fig. 5 and text", page, what, gains)
        found.append(judged.at(f"fig-{page}-scores"))
    return found


def angles_in_use(scored: xr.Dataset) -> dict:
    """Angles between axes of motion by β, of the networks with both latents in use."""
    return {
        float(b): scored.axes.sel(beta=b).values[scored.active.sel(beta=b).values == 2]
        for b in scored.beta.values
        if (scored.active.sel(beta=b) == 2).any()
    }


def axes_of_motion(scored: xr.Dataset) -> Verdict:
    """On orthogonal axes of motion in localisation, against chance at each β with both latents in use."""
    claim = "Deep localisation: latents encode orthogonal axes of motion, beyond chance"
    judged = verdicts.beyond_chance(claim, "Results, Fig. 5 E", "localisation", angles_in_use(scored))
    return judged.at("fig-localisation-axes")


def control(least: optima.Estimate, betas) -> Verdict:
    """On a finite optimum without conditional dependence, from where the control has its least TIE."""
    claim = "Deep mixing: without conditional dependence there is no finite optimum (least TIE with orthogonal columns)"
    return verdicts.interior(claim, "Abstract" + READ, "beyond", least, betas, exists=False).at("fig-orthogonal")
