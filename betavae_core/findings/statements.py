"""What each part of the book has to say on the entries of the ledger."""

import numpy as np
import xarray as xr

from betavae_core.findings import latents, optima, verdicts
from betavae_core.findings.claims import UNDECIDED, Verdict
from betavae_core.findings.verdicts import EXACT, ROUNDING, exact, written
from betavae_core.theory import linear
from betavae_core.theory.gaussian import LinearGaussian
from betavae_core.theory.terms import HELDOUT

OFTEN = 0.9  # of networks that use both latents, for latents to be compared at a β
GENERAL = {  # ids, and the names of the statements of `propositions` whose violations decide
    "objective-falls": "objective",
    "c-falls": "kl_prior",
    "r-falls": "reconstruction",
    "elbo-peak": "elbo",
    "prior-limit": "limit",
    "fixed-decoder-mie": "fixed_decoder",
}


def general(worst: dict[str, float], correlations, control) -> list[Verdict]:
    """The general statements, from the largest violations over random models, nats.

    `correlations` are those between sources given the data, of random models and, `control`, with orthogonal columns.
    """
    most = {id: worst[name] for id, name in GENERAL.items()}
    found = [exact(id, f"largest violation {written(nats)} nats", nats < ROUNDING) for id, nats in most.items()]
    return [*found, verdicts.dependent("dependent", correlations, control)]


def analytical(process: LinearGaussian, trained: xr.Dataset, fixed: xr.Dataset, best: float) -> list[Verdict]:
    """On the analytical model, exact at this process."""
    peak = optima.exact_peak(trained)
    R, C = (float(np.diff(trained[name]).max()) for name in ("reconstruction", "kl_prior"))
    least, ends = float(linear.sweep(process, best).tie[0]), float(trained.tie[[0, -1]].min())
    before, after = trained.sel(beta=slice(None, 1)), trained.sel(beta=slice(1, None))
    climb = float(trained.log_likelihood.sel(beta=1) - before.log_likelihood[0])
    risen = abs(climb) > _rounding(trained.log_likelihood.values)
    at_one, around = abs(float(trained.mie.sel(beta=1))), [float(part.mie.max()) for part in (before, after)]
    mie = f"{written(at_one)} nats at β = 1; up to {around[0]:.3g} at smaller and {around[1]:.3g} at larger β"
    tie = f"{least:.4f} nats at β = {best:.4f}; {ends:.4f} or more at both ends"
    rises = f"rises by {climb:.3g} nats from β = {written(float(trained.beta[0]))} to 1, falls after"
    return [
        exact("linear-elbo-peak", f"at β = {peak:g}", peak == 1),
        exact("linear-r-falls", f"largest rise {written(R)} nats", R <= ROUNDING),
        exact("linear-c-falls", f"largest rise {written(C)} nats", C <= ROUNDING),
        exact("linear-mie-optimum", mie, at_one < ROUNDING < min(around)),
        exact("linear-tie-optimum", tie, least < ends),
        Verdict("likelihood-falls", rises, EXACT, verdicts.decided(-np.sign(climb) if risen else 0)),
        *_fixed_decoder(process, fixed),
        *_causes(process, fixed, best),
    ]


def _fixed_decoder(process: LinearGaussian, fixed: xr.Dataset) -> list[Verdict]:
    """On a decoder that is held at A; what the thesis claims of it, it claims where the decoder is the truth."""
    matched = LinearGaussian(process.mixing, 1.0)
    same = linear.sweep(matched, fixed.beta.values, decoder=process.mixing)
    gap = float(np.abs(same.mie - same.tie).max())
    betas = np.union1d(np.geomspace(0.05, 20, 241), [1.0, 4.0])
    noisy = LinearGaussian(process.mixing, 2 * process.noise_std)
    D, variance = process.mixing, process.noise_std**2
    trained = linear.optimum(process, 1.0, decoder_variance=variance).decoder
    held = (process, D), (noisy, D), (process, trained)
    curves = [linear.sweep(p, betas, decoder, variance).tie.values for p, decoder in held]
    (right, wrong, other), at_one = betas[np.argmin(curves, 1)], [_least_at(1.0, betas, curve) for curve in curves]
    told = f"TIE least at β = {wrong:g} with D = A and a noise of σ = 2 σₓ, at {other:.3g} with that trained at β = 1"
    return [
        exact("truth-at-a", f"MIE and TIE differ by {written(gap)} nats at most, at σ = σₓ = 1", gap < ROUNDING),
        Verdict("fixed-decoder-best", f"TIE least at β = {right:g}", EXACT, verdicts.decided(at_one[0])),
        Verdict("fixed-decoder-noise", told, EXACT, verdicts.decided(min(at_one[1:]))),
    ]


def _least_at(beta: float, betas, curve) -> int:
    """Whether a curve, nats, is least at one of its β: 1; −1 if another has less; 0 where rounding hides which has.

    1 asks that each β at a factor `verdicts.NEAR` or more has more.
    """
    above = curve - curve[np.abs(betas - beta).argmin()]
    apart = (betas <= beta / verdicts.NEAR) | (betas >= beta * verdicts.NEAR)
    return -1 if above.min() < -_rounding(curve) else int((above[apart] > _rounding(curve)).all())


def _rounding(curve) -> float:
    """What may be rounding in differences of a curve, nats: it grows with the curve's range."""
    return max(ROUNDING, 1e-13 * float(np.ptp(curve)))


def _causes(process: LinearGaussian, fixed: xr.Dataset, best: float) -> list[Verdict]:
    """On why there is an optimum, and why it lies where it does."""
    ratio, imposed = process.noise_std**2, float(fixed.beta[fixed.tie.values.argmin()])
    control = LinearGaussian(np.diag(np.linalg.norm(process.mixing, axis=0)), process.noise_std)
    around = [ratio / 10, linear.optimal_beta(control), 10 * ratio]
    errors = np.maximum(linear.sweep(control, around).tie.values, 0)  # rounding can fall below 0
    shown = ", ".join(f"{e:.3f}" for e in errors) + " nats at β = " + ", ".join(f"{b:g}" for b in around)
    without = f"with orthogonal columns, so without the conflict, TIE is {shown}"
    M = process.posterior_precision
    dependent = np.abs(M - np.diag(np.diag(M))).max() > ROUNDING * M.max()  # else neither of the last two is asked
    posterior = "posterior not diagonal" if dependent else "posterior diagonal"
    told = f"with D = A, q diagonal, {posterior}: TIE least at β = {imposed:g}; noise ratio {ratio:g}"
    moved = -_least_at(ratio, fixed.beta.values, fixed.tie.values) if dependent else 0
    above = f"β* = {best:.4f}, noise ratio {ratio:g}" + ("" if dependent else f"; {posterior}")
    exceeds = (1 if best / ratio - 1 > ROUNDING else -1) if dependent else 0
    return [
        exact("conflict-needed", without, not errors[0] > errors[1] < errors[2]),
        Verdict("diagonal-moves", told, EXACT, verdicts.decided(moved)),
        Verdict("above-noise-ratio", above, EXACT, verdicts.decided(exceeds)),
    ]


def deep(stored: xr.Dataset) -> list[Verdict]:
    """On a deep experiment, on the training images, as the thesis evaluated them.

    ELBO "otherwise decreases": beyond the neighbours of 1 that count as near, among which it may be largest.
    """
    name, fresh = stored.experiment, optima.best(stored, HELDOUT)
    elbo, tie = (f" (fresh images: {fresh[term].value:g})" for term in ("elbo", "tie"))
    beyond = stored.sel(beta=slice(verdicts.NEAR, None))
    return [
        verdicts.near(f"{name}-elbo-peak", stored, "elbo", 1.0, largest=True, beside=elbo),
        verdicts.falls(f"{name}-elbo-falls", beyond, "elbo"),
        verdicts.falls(f"{name}-r-falls", stored, "reconstruction"),
        verdicts.falls(f"{name}-c-falls", stored, "kl_prior"),
        verdicts.interior(f"{name}-tie-optimum", stored, "tie", beside=tie),
    ]


def segregation(scored: xr.Dataset, name: str) -> list[Verdict]:
    """On segregation with β, while both latents are in use: factorised latents, and latents aligned with sources.

    At the ends of `used_throughout`, the larger β against the smaller; for means of q and for draws from it.
    """
    asked = [("correlation", "factorised", "correlation of the latents"), ("mig", "mig", "MIG"), ("sap", "sap", "SAP")]
    ends, found = used_throughout(scored), []
    if ends.sizes["beta"] < 2:
        return [Verdict(f"{name}-{what}", "no two β with both latents in use", "–", UNDECIDED) for _, what, _ in asked]
    low, high = ends.beta.values
    for score, what, words in asked:
        means, drawn = (np.diff(optima.complete(ends, score + of)[0], axis=0)[0] for of in ("", latents.DRAWN))
        sign = -1 if what == "factorised" else 1
        change = f"{words} at β = {high:g} minus at β = {low:g}"
        told = change if sign > 0 else f"fall of the {words} from β = {low:g} to {high:g}"
        gains = {"on q’s means": sign * means, "on z ~ q": sign * drawn}
        found.append(verdicts.positive(f"{name}-{what}", told, gains))
    return found


def used_throughout(scored: xr.Dataset) -> xr.Dataset:
    """Scores at the least and the largest β, `verdicts.LOW` to `HIGH`, at which most networks use both latents.

    Of the realizations whose networks use both at either; one β or none if there are not two.
    """
    both = (scored.active >= 2).sel(beta=slice(verdicts.LOW, verdicts.HIGH))
    used = both.beta.values[both.sum("realization") >= OFTEN * max(1, both.sizes["realization"])]
    ends = np.unique(used[[0, -1]]) if len(used) else used
    return scored.sel(beta=ends, realization=both.sel(beta=ends).all("beta"))


def angles_in_use(scored: xr.Dataset) -> dict:
    """Angles between axes of motion by β, of the networks with both latents in use."""
    angles, both = (scored[name].transpose("beta", ...).values for name in ("axes", "active"))
    by_beta = {float(b): own[use == 2] for b, own, use in zip(scored.beta.values, angles, both, strict=True)}
    return {b: found for b, found in by_beta.items() if len(found)}


def turned(free: dict[str, float], trained, tie, best) -> list[Verdict]:
    """On turning the latents of tiles: `free`, from `turned_networks.free`; TIE (realization,) and `tie` (…, draw).

    `best` : best β of each realization as trained and after the best rotation, (2, realization); NaN where none is read
    """
    told = f"C of an image changes by at most {written(free['kl_prior'])} nats, TIE is {free['least']:.3f} to "
    apart = np.log(best[0] / best[1])
    apart = apart[np.isfinite(apart)]
    return [
        exact("turned-free", f"{told}{free['most']:.3f} nats", free["kl_prior"] < ROUNDING),
        verdicts.positive("turned-tie", "TIE as trained minus TIE after turning", {"": trained - tie.mean(-1)}),
        verdicts.positive("turned-best", "log of the ratio of best β, before and after", {"": apart}),
    ]


def without_dependence(stored: xr.Dataset, predicted: xr.Dataset) -> Verdict:
    """On a finite optimum of the control, whose sources stay independent given the data.

    Few networks are stored, so its ends are held against one β alone: the one at which the linear model on the same
    images, which has seen no network, has its least TIE.
    """
    foreseen = int(predicted.tie.mean("realization").argmin("beta"))
    beside = f" (TIE at both ends tested against β = {float(stored.beta[foreseen]):g}, the linear model’s optimum)"
    return verdicts.interior("optimum-without-dependence", stored, "tie", beside, foreseen)
