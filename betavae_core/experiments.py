"""What a member of a sweep is, and which members a profile wants. Nothing here trains or stores."""

import dataclasses
import functools
import hashlib
import itertools
import json
import math
from dataclasses import dataclass

from betavae_core import datasets, digits

NUMERICS_VERSION = 1  # part of each member's key: raise it when a change of code may change numbers
BETAS = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0)
FINE_BETAS = (0.01, 0.02, 0.05)  # pixel mixing has its optimum further down
DETAILED = 5  # realizations 0-4 keep curves, latents and pictures
NAMES = tuple(datasets.EXPERIMENTS)


@dataclass(frozen=True)
class Specification:
    """Everything but β and realization that decides a member's numbers."""

    experiment: str
    samples: int = 1000
    epochs: int = 1000
    learning_rate: float = 1e-3
    scaling: str = "global"


@dataclass(frozen=True)
class Member:
    """One network: a specification, β, and the realization that seeds digits, sources, weights and draws."""

    specification: Specification
    beta: float
    realization: int

    @property
    def key(self) -> str:
        """SHA-256 of what decides the numbers: specification, β, realization, digits' pixels, numerics version."""
        identity = {
            **dataclasses.asdict(self.specification),
            "beta": float(self.beta),
            "realization": int(self.realization),
            "digits": _digits_hash(),
            "numerics": NUMERICS_VERSION,
        }
        return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()

    @property
    def detailed(self) -> bool:
        """Whether curves, latents and pictures are kept with the member."""
        return self.realization < DETAILED


@functools.cache
def _digits_hash() -> str:
    return digits.pixel_hash(digits.load()[0])


@dataclass(frozen=True)
class Profile:
    """How much of an experiment is wanted; realizations by experiment."""

    betas: tuple[float, ...]
    realizations: dict[str, int]
    samples: int = 1000
    epochs: int = 1000


PROFILES = {
    "smoke": Profile((1.0, 100.0), dict.fromkeys(NAMES, 2), samples=100, epochs=20),
    "published": Profile(
        BETAS,
        {"mixing": 20, "localisation": 20, "mixing-one-pair": 10, "mixing-diagonal": 5, "pixel-mixing": 5},
    ),
    "thesis": Profile(BETAS, dict.fromkeys(NAMES, 300)),
}


def plan(experiment: str, profile: str = "published", betas=None, realizations=None, **overrides) -> list[Member]:
    """Members of a profile, realization by realization, so that an interrupted sweep leaves whole curves.

    Parameters
    ----------
    experiment, profile : names
    betas, realizations : replace the profile's
    overrides : samples, epochs, learning_rate, scaling, in place of the profile's

    Raises
    ------
    ValueError
        on an unknown name or a value that cannot be, in one line.
    """
    if experiment not in NAMES:
        raise ValueError(f"no experiment {experiment!r}; experiments: {', '.join(NAMES)}")
    if profile not in PROFILES:
        raise ValueError(f"no profile {profile!r}; profiles: {', '.join(PROFILES)}")
    chosen = PROFILES[profile]
    if betas is None:
        betas = (*FINE_BETAS, *chosen.betas) if experiment == "pixel-mixing" and profile != "smoke" else chosen.betas
    realizations = chosen.realizations[experiment] if realizations is None else realizations
    settings = {"samples": chosen.samples, "epochs": chosen.epochs, **overrides}
    for name, value in {"realizations": realizations, **settings}.items():
        if name != "scaling" and not (math.isfinite(value) and value > 0):
            raise ValueError(f"{name} must be {'finite and > 0' if name == 'learning_rate' else '>= 1'}; got {value}")
    if settings.get("scaling", "global") not in ("global", "pixel"):
        raise ValueError(f"scaling must be global or pixel; got {settings['scaling']}")
    for beta in betas:
        if not (math.isfinite(beta) and beta >= 0):
            raise ValueError(f"beta must be finite and >= 0; got {beta}")
    specification = Specification(experiment, **settings)
    betas = sorted(set(map(float, betas)))
    return [Member(specification, beta, r) for r, beta in itertools.product(range(realizations), betas)]
