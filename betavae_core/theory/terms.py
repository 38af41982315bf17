"""The terms of the β-VAE identity and what they are called: the one list that everything else reads."""

from typing import NamedTuple


class Term(NamedTuple):
    """One quantity that the book shows over β.

    linear : the analytical model has it in closed form (`theory.identity.terms` computes it)
    measured : trained networks are evaluated for it (`networks.evaluation` computes it), on training and fresh images
    heading : what it is called in panels and tables of networks; one without is not shown by itself
    panel : its place among the panels over β, from 1; 0 for none
    bend : over many decades its axis is linear up to here, logarithmic beyond
    constant : it holds c, what unit-variance pixels add whatever a network does, which is taken off where it is shown
    """

    symbol: str
    long_name: str
    linear: bool = False
    measured: bool = False
    units: str = "nats"
    heading: str = ""
    panel: int = 0
    bend: float | None = None
    constant: bool = False


TERMS = {
    "reconstruction": Term(
        "R", "reconstruction objective R", True, True, heading="R − c", panel=3, bend=10, constant=True
    ),
    "reconstruction_se": Term("SE of R", "standard error of R", measured=True),
    "kl_prior": Term("C", "conditional independence loss C", True, True, heading="C", panel=4),
    "objective": Term("L", "β-VAE objective R − βC", True, True, constant=True),
    "elbo": Term("ELBO", "evidence lower bound R − C", True, True, heading="ELBO − c", panel=1, bend=10, constant=True),
    "log_likelihood": Term("log p", "log-likelihood of the data", linear=True),
    "mie": Term("MIE", "model inference error", True, True, heading="MIE", panel=5, bend=1),
    "mie_se": Term("SE of MIE", "standard error of MIE over images", measured=True),
    "mie_ess": Term("ESS of MIE", "median effective sample size behind MIE", measured=True, units="draws"),
    "tie": Term("TIE", "true inference error under the best signed permutation", True, True, heading="TIE", panel=2),
    "tie_raw": Term(
        "TIE as is",
        "true inference error with the latents as they come",
        measured=True,
        heading="TIE, latents as they come",
    ),
    "obliqueness": Term("|cos|", "mean |cos| between columns of the decoder's Jacobian", measured=True, units="1"),
}
LINEAR = tuple(name for name, term in TERMS.items() if term.linear)
MEASURED = tuple(name for name, term in TERMS.items() if term.measured)
PANELS = tuple(sorted((n for n, term in TERMS.items() if term.panel), key=lambda n: TERMS[n].panel))
HELDOUT = "_heldout"  # suffix of a measured term on fresh images
SCALARS = tuple(name + suffix for name in MEASURED for suffix in ("", HELDOUT))


def attributes(name: str) -> dict[str, str]:
    """`units` and `long_name` of a variable, for a Dataset."""
    term = TERMS[name.removesuffix(HELDOUT)]
    fresh = ", held-out images" if name.endswith(HELDOUT) else ""
    return {"units": term.units, "long_name": term.long_name + fresh}
