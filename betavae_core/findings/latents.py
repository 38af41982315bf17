"""What stored latents say: scores, latents in use, and the directions in which they move an image."""

import numpy as np
import xarray as xr

from betavae_core.findings import scores
from betavae_core.images import experiments
from betavae_core.networks.posterior import Posterior

ACTIVE = 0.01  # nats of KL to the prior, above which a latent counts as used
LEAST_STD = 1e-8  # float16 rounds smaller standard deviations to 0
NAMES = ("mig", "sap", "axes", "active")


def latent_scores(stored: xr.Dataset) -> xr.Dataset:
    """Scores of the detailed realizations over β: mig, sap, axes (degrees between axes of motion), active latents."""
    realizations = stored.sizes.get("detailed", 0)
    found = np.full((len(NAMES), stored.sizes["beta"], realizations), np.nan)
    for r in range(realizations):
        data, _ = experiments.draw(stored.experiment, r)
        for b in range(stored.sizes["beta"]):
            mean, std = (stored[name].values[b, r].astype(float) for name in ("latent_mean", "latent_std"))
            if np.isfinite(mean).all() and std.any():
                q = Posterior(mean, 2 * np.log(np.maximum(std, LEAST_STD)))
                used = (q.kl_by_latent().mean(0) > ACTIVE).sum()
                sources = data.sources[: len(mean)]
                found[:, b, r] = scores.mig(sources, mean), scores.sap(sources, mean), motion_angle(data, mean), used
    variables = {name: (("beta", "realization"), found[i]) for i, name in enumerate(NAMES)}
    return xr.Dataset(variables, coords={"beta": stored.beta, "realization": np.arange(realizations)})


def motion_angle(data, mean) -> float:
    """Degrees, 0 to 90, between the directions in which the first two latents move the code r of an image.

    The exact posterior's mean is M⁻¹ Aᵀ r/σ², so r is A (AᵀA)⁻¹ M times it, up to σ² and what lies outside A's span;
    it is regressed on the latents.
    """
    A = data.process.mixing
    code = data.posterior_mean[: len(mean)] @ data.posterior_precision @ np.linalg.pinv(A)
    moved = np.linalg.lstsq(np.column_stack([mean, np.ones(len(mean))]), code, rcond=None)[0][:2]  # (latent, N)
    lengths = np.linalg.norm(moved, axis=1)
    return float(np.degrees(np.arccos(min(1.0, abs(moved[0] @ moved[1]) / lengths.prod()))))
