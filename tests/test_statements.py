"""What is judged of made-up scores and curves whose answer is known, and of the analytical model."""

import re

import numpy as np
import pytest
import xarray as xr

from betavae_core.findings import latents, statements
from betavae_core.findings.judging import ledger
from betavae_core.paths import CHAPTERS
from betavae_core.showing import analytical
from betavae_core.theory import linear, propositions
from betavae_core.theory.gaussian import LinearGaussian

LABEL = re.compile(r"^:label: ([\w-]+)$|name: ([\w-]+),|name=\"([\w-]+)\"", re.MULTILINE)
BETAS = [0.1, 1.0, 10.0, 100.0, 1000.0]


def scored(active, rng, **trends):
    """Scores of five networks over BETAS: each a line over the index of β, with a little scatter."""
    index = np.arange(len(BETAS))[:, None]
    values = {"active": np.broadcast_to(np.array(active)[:, None], (5, 5)).astype(float)}
    for name in latents.NAMES:
        if name != "active":
            slope = trends.get(name, trends.get(name.removesuffix(latents.DRAWN), 0.0))
            values[name] = 0.5 + slope * index + 0.01 * rng.standard_normal((5, 5))
    dims = ("beta", "realization")
    return xr.Dataset({n: (dims, v) for n, v in values.items()}, coords={"beta": BETAS, "realization": range(5)})


def verdicts_of(found):
    return [v.verdict for v in statements.segregation(found, "mixing")]


def test_factorised_and_aligned_are_told_apart(rng):
    """Latents become uncorrelated while they move away from the sources, and the other way round."""
    found = scored([2, 2, 2, 1, 0], rng, correlation=-0.1, mig=-0.1, sap=0.1)
    assert verdicts_of(found) == ["held", "refuted", "held"]
    turned = scored([2, 2, 2, 1, 0], rng, correlation=0.1, mig=0.1, sap=-0.1)
    assert verdicts_of(turned) == ["refuted", "held", "refuted"]


def test_draws_that_disagree_with_means_decide(rng):
    found = scored([2, 2, 2, 1, 0], rng, mig=0.1, mig_drawn=-0.1)
    assert verdicts_of(found)[1] == "undecided"


def test_segregation_is_judged_where_both_latents_are_in_use(rng):
    """Beyond collapse everything turns round, and nothing of it counts; nor does β beyond 100."""
    found = scored([2, 2, 2, 1, 0], rng, mig=0.1)
    for name in ("mig", "mig_drawn"):
        found[name][3:] = -5.0
    assert verdicts_of(found)[1] == "held"
    assert "β = 10 minus at β = 0.1" in statements.segregation(found, "mixing")[1].estimate
    always = scored([2, 2, 2, 2, 2], rng, mig=0.1)
    assert "β = 100 minus at β = 0.1" in statements.segregation(always, "mixing")[1].estimate


@pytest.mark.parametrize(("off", "high", "n"), [(1, 10, 19), (2, 10, 18), (3, 1, 20)])
def test_a_few_realizations_with_a_latent_off_are_left_out_and_many_are_not(off, high, n, rng):
    """Of twenty; their scores would turn the verdict round."""
    found = xr.concat([scored([2, 2, 2, 1, 0], rng, mig=0.1) for _ in range(4)], "realization")
    found = found.assign_coords(realization=range(20))
    found.active[2, :off] = 1.0
    for name in ("mig", "mig_drawn"):
        found[name][2, :off] = -500.0
    told = statements.segregation(found, "mixing")[1]
    assert told.verdict == "held"
    assert f"β = {high} minus at β = 0.1" in told.estimate and told.estimate.endswith(f"n = {n}")


def test_where_no_two_beta_can_be_compared_nothing_is_judged(rng):
    found = statements.segregation(scored([2, 1, 0, 0, 0], rng), "mixing")
    assert {v.verdict for v in found} == {"undecided"}
    assert all("no two β" in v.estimate for v in found)


def test_one_network_without_a_latent_takes_a_beta_out_of_use(rng):
    found = scored([2, 2, 2, 1, 0], rng)
    assert latents.in_use(found).tolist() == [0.1, 1.0, 10.0]
    found.active[2, 4] = 1.0
    assert latents.in_use(found).tolist() == [0.1, 1.0]
    assert len(statements.angles_in_use(found)[10.0]) == 4


def analytical_found(matrix, noise_std):
    process = LinearGaussian(matrix, noise_std)
    best, ratio = linear.optimal_beta(process), noise_std**2
    betas = analytical.beta_grid(process, [1.0, best, ratio])
    trained, fixed = linear.sweep(process, betas), linear.sweep(process, betas, decoder=process.mixing)
    return statements.analytical(process, trained, fixed, best)


def analytical_verdicts(matrix, noise_std):
    return {v.id: v.verdict for v in analytical_found(matrix, noise_std)}


@pytest.mark.parametrize("noise_std", [1.0, 0.5])
def test_verdicts_on_the_analytical_model(noise_std):
    found = analytical_verdicts([[2.0, 1.0], [0.5, 1.5]], noise_std)
    refuted = {"likelihood-falls", "fixed-decoder-noise", "conflict-needed", "diagonal-moves"}
    assert {id for id, verdict in found.items() if verdict != "held"} == refuted
    assert {ledger.ENTRIES[id].kind for id in refuted} == {ledger.QUESTION}


@pytest.mark.parametrize(("scale", "noise_std"), [(1, 1e-2), (1, 1.0), (1, 30.0), (1, 1e3), (100, 1e-2)])
def test_what_rounding_hides_is_undecided(scale, noise_std):
    """Without a signal no β is better for a decoder held at A; strong or weak noise leaves log p to rounding."""
    fixed = {"fixed-decoder-best": "held", "fixed-decoder-noise": "refuted", "diagonal-moves": "refuted"}
    found = analytical_verdicts(scale * np.array([[2.0, 1.0], [0.5, 1.5]]), noise_std)
    assert {id: found[id] for id in fixed} == fixed
    assert found["likelihood-falls"] == ("refuted" if scale == 1 and noise_std < 1e3 else "undecided")
    silent = analytical_verdicts(np.zeros((2, 2)), noise_std)
    assert {silent[id] for id in fixed} == {"undecided"}


def test_what_is_zero_reads_as_zero_and_every_claim_says_what_shows_it():
    worst = dict.fromkeys(propositions.STATEMENTS, 0.0)
    found = statements.general(worst, [0.5], [5e-16])
    assert {v.estimate for v in found[:-1]} == {"largest violation 0 nats"}
    assert found[-1].estimate.startswith("each model’s largest correlation (n = 1): ")
    assert found[-1].estimate.endswith("with orthogonal columns at most 5 × 10⁻¹⁶")


def test_every_target_that_a_chapter_names_is_a_label():
    """Strings behind an id, and those that start as names of figures and tables do, where verdicts are recorded."""
    text = "".join(file.read_text() for file in CHAPTERS.glob("*.md"))
    labels = {label for found in LABEL.findall(text) for label in found} - {""}
    cells = "".join(cell for cell in text.split("```") if "claims.record(" in cell)
    named = set(re.findall(r'(?<="): "([\w-]+)"', cells)) | set(re.findall(r'"((?:fig|tab)-[\w-]+)"', cells))
    assert {"p1", "fig-mixing", "tab-tiles", "best-beta"} <= named <= labels


def test_where_an_error_does_not_change_it_has_no_optimum():
    """Without signal TIE is 0 at every β; with little of it MIE is 0 from β = 1 on, and has no other side."""
    assert analytical_verdicts([[0.0, 0.0], [0.0, 0.0]], 1.0)["linear-tie-optimum"] == "refuted"
    assert analytical_verdicts([[0.3, 0.1], [0.1, 0.2]], 0.5)["linear-mie-optimum"] == "refuted"


def test_with_orthogonal_columns_the_best_beta_is_the_noise_ratio():
    """A claim on dependent sources is not judged where none depend: it was *refuted* there, against the theorem."""
    found = analytical_verdicts([[2.0, 0.0], [0.0, 1.5]], 1.0)
    assert found["above-noise-ratio"] == found["diagonal-moves"] == "undecided"


def deep(rng, name="mixing", count=12):
    """Networks of which ELBO is largest at 1, R and C fall, and TIE is least at 10; a little scatter."""
    x, dims = np.log10(BETAS)[:, None], ("beta", "realization")
    curves = {"elbo": -((x - 0.1) ** 2), "reconstruction": -x, "kl_prior": -x, "tie": (x - 1) ** 2, "mie": x**2}
    curves |= {"objective": 0 * x}
    values = {n: c + 0.01 * rng.standard_normal((5, count)) for n, c in curves.items()}
    values |= {f"{n}_heldout": values[n] for n in ("elbo", "mie", "tie")}
    return xr.Dataset({n: (dims, v) for n, v in values.items()}, {"beta": BETAS}, {"experiment": name})


def test_deep_verdicts_are_those_of_the_curves(rng):
    found = {v.id: v for v in statements.deep(deep(rng))}
    assert {id: v.verdict for id, v in found.items()} == dict.fromkeys(
        ("mixing-elbo-peak", "mixing-elbo-falls", "mixing-r-falls", "mixing-c-falls", "mixing-tie-optimum"), "held"
    )
    assert "(fresh images: 10)" in found["mixing-tie-optimum"].estimate
    assert "step, β 10 to 100" in found["mixing-elbo-falls"].estimate  # from 1 to 10 it may still rise
    upside = deep(rng, "localisation")
    upside = upside.assign({n: -upside[n] for n in ("elbo", "reconstruction", "kl_prior", "tie")})
    assert {v.verdict for v in statements.deep(upside)} == {"refuted"}


def test_two_beta_have_no_optimum_between_them(rng):
    """As of the profile for a first try."""
    found = {v.id: v.verdict for v in statements.deep(deep(rng).sel(beta=[1.0, 100.0]))}
    assert found["mixing-elbo-peak"] == found["mixing-r-falls"] == "held"
    assert found["mixing-tie-optimum"] == "undecided"


def test_the_control_is_held_against_the_beta_that_linear_theory_foresees(rng):
    stored, predicted = deep(rng, "mixing-diagonal", 5), deep(rng, "mixing-diagonal", 5)
    assert statements.without_dependence(stored, predicted).verdict == "held"
    told = statements.without_dependence(stored, predicted).estimate
    assert "TIE at both ends tested against β = 10, the linear" in told
    predicted["tie"] = -predicted.elbo  # least at 1
    assert "β = 1," in statements.without_dependence(stored, predicted).estimate


def test_turning_is_judged_by_what_it_takes_off_each_realization(rng):
    """Also where one realization has no lowest point; what is not free is told, and draws that make TIE worse count."""
    free = {"kl_prior": 1e-15, "least": 0.1, "most": 9.0}
    trained, tie = np.full(5, 2.0), 0.5 + 0.1 * rng.standard_normal((5, 100))
    best = np.array([1.2 + 0.02 * rng.random(6), np.ones(6)])
    best[1, 0] = np.nan
    assert [v.verdict for v in statements.turned(free, trained, tie, best)] == ["held"] * 3
    assert "n = 5" in statements.turned(free, trained, tie, best)[2].estimate
    assert statements.turned(free, trained, tie, np.full((2, 5), np.nan))[2].interval == "–"
    tie[:, :20] = 20.0
    moved = statements.turned(free | {"kl_prior": 1e-3}, trained, tie, best[::-1])
    assert [v.verdict for v in moved] == ["refuted"] * 3
