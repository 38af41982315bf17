"""What is claimed of made-up scores and curves whose answer is known, and of the analytical model."""

import re

import numpy as np
import pytest
import xarray as xr

from betavae_core.findings import latents, statements
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
    return [v.verdict for v in statements.segregation(found, "Made up", "mixing")]


def test_factorised_and_aligned_are_told_apart(rng):
    """Latents become uncorrelated while they move away from the sources, and the other way round."""
    found = scored([2, 2, 2, 1, 0], rng, correlation=-0.1, mig=-0.1, sap=0.1)
    assert verdicts_of(found) == ["held", "not reproduced", "held"]
    turned = scored([2, 2, 2, 1, 0], rng, correlation=0.1, mig=0.1, sap=-0.1)
    assert verdicts_of(turned) == ["not reproduced", "held", "not reproduced"]


def test_draws_that_disagree_with_means_decide(rng):
    found = scored([2, 2, 2, 1, 0], rng, mig=0.1, mig_drawn=-0.1)
    assert verdicts_of(found)[1] == "not reproduced"


def test_segregation_is_judged_where_both_latents_are_in_use(rng):
    """Beyond collapse everything turns round, and nothing of it counts; nor does β beyond 100."""
    found = scored([2, 2, 2, 1, 0], rng, mig=0.1)
    for name in ("mig", "mig_drawn"):
        found[name][3:] = -5.0
    assert verdicts_of(found)[1] == "held"
    assert "β = 10 minus at β = 0.1" in statements.segregation(found, "Made up", "mixing")[1].estimate
    always = scored([2, 2, 2, 2, 2], rng, mig=0.1)
    assert "β = 100 minus at β = 0.1" in statements.segregation(always, "Made up", "mixing")[1].estimate


def test_where_no_two_beta_can_be_compared_nothing_is_judged(rng):
    found = statements.segregation(scored([2, 1, 0, 0, 0], rng), "Made up", "mixing")
    assert {v.verdict for v in found} == {"held within error"}
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
    return {v.claim: v.verdict for v in analytical_found(matrix, noise_std)}


@pytest.mark.parametrize("noise_std", [1.0, 0.5])
def test_claims_about_the_analytical_model(noise_std):
    found = analytical_verdicts([[2.0, 1.0], [0.5, 1.5]], noise_std)
    false = {claim for claim, verdict in found.items() if verdict != "held"}
    assert {claim.split(",")[0].split(" of ")[0] for claim in false} == {
        "The data likelihood falls as β grows",
        "A fixed decoder is best for the true latents at β = 1",
        "The conflict",
        "A diagonal q for a conditionally dependent posterior moves the best β",
    } | ({"With D = A the model's posterior is the true one"} if noise_std != 1 else set())
    assert any("σₓ = σ" in claim for claim in set(found) - false)  # the fixed decoder, well specified


def test_what_is_zero_reads_as_zero_and_every_claim_says_what_shows_it():
    worst = dict.fromkeys(propositions.STATEMENTS, 0.0)
    found = statements.general(worst, [0.5], [5e-16])
    assert {v.estimate for v in found[:-1]} == {"largest violation 0 nats"}
    assert found[-1].estimate.endswith("with orthogonal columns at most 5 × 10⁻¹⁶")
    labels = {label for file in CHAPTERS.glob("*.md") for label in sum(LABEL.findall(file.read_text()), ())} - {""}
    assert {v.target for v in found} <= labels
    assert {v.target for v in analytical_found([[2.0, 1.0], [0.5, 1.5]], 1.0)} <= labels


def test_with_orthogonal_columns_the_best_beta_is_the_noise_ratio():
    found = analytical_verdicts([[2.0, 0.0], [0.0, 1.5]], 1.0)
    claim = "With a trained decoder and conditionally dependent sources the best β is above the noise ratio"
    assert found[claim] == "not reproduced"
