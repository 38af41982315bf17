"""Whether a network's training has come to rest: by objective, C and the decoder's own axes, never by sources or TIE.

Three conditions. Their bounds were set before any network was judged by them; that a latent out of use has no axis was
added when the first decoders had been measured (`likelihood.obliqueness`):

- the objective is within `OBJECTIVE` nats of the best that is known of the same images at the same β: that of the
  optimal linear model, where images are linear in the code, or of the best stored network;
- C is within `INFORMATION` nats of that reference's: as many latents are in use, and as much;
- the columns of the decoder's Jacobian are orthogonal to `OBLIQUENESS`. An optimum has them so, and at small β the
  objective hardly sees them: networks within 0.1 nats of the best objective differed in TIE by more than a nat.
"""

import xarray as xr

from betavae_core.findings import latents, prediction
from betavae_core.images.experiments import AT_BEST, AT_BEST_SETTLING
from betavae_core.results import sweep

OBJECTIVE = 1.0  # nats; the thesis's 1,000 epochs end 1.3 to 52 below the linear optimum in *mixing*
INFORMATION = 0.1  # nats
OBLIQUENESS = 0.05  # |cos|: 87 degrees


def objective(found: xr.Dataset) -> xr.DataArray:
    """R − β C of each network, or of a prediction, in nats."""
    return found.reconstruction - found.beta * found.kl_prior


def judged(stored: xr.Dataset, reference: xr.Dataset) -> xr.Dataset:
    """How far networks are from a reference at the same β and images, and whether they count as settled.

    `reference` : R and C, as of a prediction; β and realizations that it lacks are not judged

    Returns a Dataset over beta × realization: `below`, nats of objective below the reference; `information`, C minus
    its C; `obliqueness`, NaN where it was not measured; `settled`, 1 or 0, NaN where one of these is missing.
    """
    stored, reference = xr.align(stored, reference, join="inner", exclude=["detailed"])
    below = objective(reference) - objective(stored)
    information = stored.kl_prior - reference.kl_prior
    axes = stored.obliqueness.where(stored.reconstruction.notnull())
    settled = (below <= OBJECTIVE) & (abs(information) <= INFORMATION) & (axes <= OBLIQUENESS)
    found = {"below": below, "information": information, "obliqueness": axes}
    return xr.Dataset(found | {"settled": settled.astype(float).where(below.notnull() & axes.notnull())})


def using_both(experiment: str) -> xr.Dataset:
    """Which networks around the best β use two latents, and which optimal linear β-VAEs on their images, λ₂ > β.

    Returns a Dataset over beta × realization: thesis, settling, linear; 1 or 0, NaN where a network is missing.
    """
    stored = [sweep.load(experiment, supplement=each.name) for each in (AT_BEST, AT_BEST_SETTLING)]
    thesis, settling = (latents.latent_scores(each).active for each in stored)
    second = prediction.prediction(experiment, thesis.beta, thesis.realization.values).eigenvalue.isel(latent=1)
    found = {"thesis": thesis >= 2, "settling": settling >= 2, "linear": second > thesis.beta}
    return xr.Dataset(found).astype(float).where(thesis.notnull() & settling.notnull())
