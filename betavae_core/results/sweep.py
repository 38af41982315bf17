"""What of a sweep is stored."""

import xarray as xr

from betavae_core.results import planning, store


def load(experiment: str, profile: str = "published", **options) -> xr.Dataset:
    """Stored and published results over dims beta × realization; options as in `planning.plan`."""
    return store.collect(planning.plan(experiment, profile, **options))
