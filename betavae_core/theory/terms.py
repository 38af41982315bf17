"""The terms of the β-VAE identity and what they are called: the one list that everything else reads."""

from typing import NamedTuple


class Term(NamedTuple):
    """One quantity that the book shows over β.

    linear: the analytical model has it in closed form (`theory.identity.terms` computes it)
    measured: a trained network is evaluated for it (`networks.evaluation` computes it), on training and on fresh images
    """

    symbol: str
    long_name: str
    linear: bool = False
    measured: bool = False
    units: str = "nats"


TERMS = {
    "reconstruction": Term("R", "reconstruction objective R", linear=True, measured=True),
    "reconstruction_se": Term("SE of R", "standard error of R", measured=True),
    "kl_prior": Term("C", "conditional independence loss C", linear=True, measured=True),
    "objective": Term("L", "β-VAE objective R − βC", linear=True, measured=True),
    "elbo": Term("ELBO", "evidence lower bound R − C", linear=True, measured=True),
    "log_likelihood": Term("log p", "log-likelihood of the data", linear=True),
    "mie": Term("MIE", "model inference error", linear=True, measured=True),
    "mie_se": Term("SE of MIE", "standard error of MIE", measured=True),
    "mie_ess": Term("ESS of MIE", "median effective sample size behind MIE", measured=True, units="draws"),
    "tie": Term("TIE", "true inference error under the best signed permutation", linear=True, measured=True),
    "tie_raw": Term("TIE as is", "true inference error with the latents as they come", measured=True),
}
LINEAR = tuple(name for name, term in TERMS.items() if term.linear)
MEASURED = tuple(name for name, term in TERMS.items() if term.measured)
HELDOUT = "_heldout"  # suffix of a measured term on fresh images
SCALARS = tuple(name + suffix for name in MEASURED for suffix in ("", HELDOUT))


def attributes(name: str) -> dict[str, str]:
    """`units` and `long_name` of a variable, for a Dataset."""
    term = TERMS[name.removesuffix(HELDOUT)]
    fresh = ", held-out images" if name.endswith(HELDOUT) else ""
    return {"units": term.units, "long_name": term.long_name + fresh}
