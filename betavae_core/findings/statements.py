"""The thesis's claims, part by part, each with the evidence that this build has for or against it."""

import numpy as np
import xarray as xr

from betavae_core.findings import optima, verdicts
from betavae_core.findings.claims import Verdict
from betavae_core.theory import linear
from betavae_core.theory.gaussian import LinearGaussian


def general(worst: dict[str, float], least_correlation: float) -> list[Verdict]:
    """The theoretical claims, from the largest violations over random models, nats."""
    where = "Results, Theoretical Statements"
    claimed = [
        ("The optimal β-VAE objective does not increase with β", where, "objective"),
        ("C at the optimum does not increase with β", where, "kl_prior"),
        ("ELBO at the optimum is largest at β = 1", where, "elbo"),
        ("With a fixed decoder MIE is least at β = 1", "Results, Analytically Tractable", "fixed_decoder"),
    ]
    found = [
        verdicts.exact(
            claim, source, "theory", f"largest violation {worst[name]:.1e} nats", worst[name] < verdicts.ROUNDING
        )
        for claim, source, name in claimed
    ]
    claim = "Independent sources are conditionally dependent given the data"
    estimate = f"least posterior correlation {least_correlation:.2g} over random models"
    return [*found, verdicts.exact(claim, "Abstract; Results", "theory", estimate, least_correlation > 0)]


def analytical(process: LinearGaussian, trained: xr.Dataset, fixed: xr.Dataset, best: float) -> list[Verdict]:
    """The claims about the analytical model, exact at this process."""
    verified, tractable = "Results, Numerical Verification; Fig. 3", "Results, Analytically Tractable"
    peak, ratio = optima.exact_peak(trained), process.noise_std**2
    R, C = (float(np.diff(trained[name]).max()) for name in ("reconstruction", "kl_prior"))
    least, ends = float(linear.sweep(process, best).tie[0]), float(trained.tie[[0, -1]].min())
    around, errors = _control(process)
    gap = float(np.abs(fixed.mie - fixed.tie).max())
    claimed = [
        ("ELBO is largest at β = 1", verified, f"at β = {peak:g}", peak == 1),
        ("R decreases with β", verified, f"largest rise {R:.1e} nats", verdicts.ROUNDING >= R),
        ("C decreases with β", verified, f"largest rise {C:.1e} nats", verdicts.ROUNDING >= C),
        (
            "TIE is non-monotonic in β, with a finite optimum",
            verified,
            f"least, {least:.4f} nats, at β = {best:.4f}; at the ends at least {ends:.4f}",
            least < ends,
        ),
        (
            "The incompatibility of conditional with statistical independence is what makes TIE non-monotonic",
            "Abstract",
            f"with orthogonal columns, so compatible, TIE is {', '.join(f'{e:.3f}' for e in errors)} nats at β = "
            + ", ".join(f"{b:g}" for b in around),
            not errors[0] > errors[1] < errors[2],
        ),
        (
            "The incompatibility moves the best β above the noise ratio",
            "Abstract, as read here",
            f"β* = {best:.4f}, noise ratio {ratio:g}",
            best > ratio,
        ),
        (
            "With D = A the model's posterior is the true one",
            tractable,
            f"MIE and TIE differ by {gap:.1e} nats at most",
            gap < verdicts.ROUNDING,
        ),
    ]
    return [verdicts.exact(claim, source, "analytical", estimate, bool(ok)) for claim, source, estimate, ok in claimed]


def _control(process: LinearGaussian) -> tuple[list[float], np.ndarray]:
    """Three β around the best of the same model with orthogonal columns, and TIE there."""
    orthogonal = LinearGaussian(np.diag(np.linalg.norm(process.mixing, axis=0)), process.noise_std)
    ratio = process.noise_std**2
    around = [ratio / 10, linear.optimal_beta(orthogonal), 10 * ratio]
    return around, np.maximum(linear.sweep(orthogonal, around).tie.values, 0)  # rounding can fall below 0


def deep(stored: xr.Dataset, scored: xr.Dataset, where: str, page: str) -> list[Verdict]:
    """The claims that both deep experiments share, on the training images, as the thesis evaluated them."""
    name, betas = f"Deep {stored.experiment}", stored.beta.values
    peak, least = (optima.best(stored)[term] for term in ("elbo", "tie"))
    rises = [optima.largest_rise(stored, term) for term in ("reconstruction", "kl_prior")]
    found = [
        verdicts.peak_at(f"{name}: ELBO is largest near β = 1", where, page, peak, 1.0),
        verdicts.falls(f"{name}: R decreases with β, reconstruction worsens", where, page, rises[0]),
        verdicts.falls(f"{name}: C decreases with β", where, page, rises[1]),
        verdicts.interior(f"{name}: TIE is non-monotonic, with a finite optimal β", where, page, least, betas),
    ]
    for score in ("mig", "sap"):
        claim = f"{name}: higher β segregates the representation, lower β does not, by {score.upper()}"
        low, high = optima.complete(scored.sel(beta=[verdicts.LOW, verdicts.HIGH]), score)[0]
        what = f"{score.upper()} at β = {verdicts.HIGH:g} minus at β = {verdicts.LOW:g}"
        found.append(verdicts.positive(claim, "Results, Fig. 5 and text", page, what, optima.mean(high - low)))
    return found


def axes_of_motion(angle: optima.Estimate) -> Verdict:
    """On orthogonal axes of motion in localisation, from the mean angle between them, degrees."""
    claim = "Deep localisation: latents encode orthogonal axes of motion"
    return verdicts.above(claim, "Results, Fig. 5 E", "localisation", angle, verdicts.ORTHOGONAL, "mean angle", "°")


def control(least: optima.Estimate, betas) -> Verdict:
    """On a finite optimum without conditional dependence, from where the control has its least TIE."""
    claim = "Deep mixing: without conditional dependence there is no finite optimum (least TIE of the control)"
    return verdicts.interior(claim, "Abstract, by implication", "beyond", least, betas, exists=False)
