"""What a member of a sweep is, and what tells it from every other. Nothing here trains or stores."""

import dataclasses
import hashlib
import json
import math
from dataclasses import dataclass, field, replace

from betavae_core.errors import UsageError
from betavae_core.images import digits, experiments
from betavae_core.networks import architecture, objective, posterior
from betavae_core.networks.architecture import LEARNING_RATE

NUMERICS_VERSION = 1  # part of each member's key: raise it when a change of code may change numbers (CHANGES.md)
DETAILED, WITH_LATENTS = 5, 20  # realizations 0-4 keep curves and pictures, 0-19, or all that start anew, latents
MOST_MEMBERS = 100_000  # of a plan, which is held in memory
LARGEST_BETA = 1e9  # far beyond every threshold of collapse, and squares of gradients are still finite in float32
LIMITS = {"samples": (10, 100_000), "epochs": (1, 100_000)}  # covariances of latents have full rank, memory; days
LIMITS |= {"settling": (0, 1), "warmup": (0, 1)}
LIMITS |= {"gamma": (0, 1_000_000), "start": (0, 1000)}  # squares of gradients are finite; seeds have 32 bits
ALWAYS_COUNTED = ("experiment", "samples", "epochs", "learning_rate", "scaling")
RECORDED = {  # `fingerprint` of each experiment when keys did not count it yet; later ones need no line
    "mixing": "6373d34402544fa3",
    "localisation": "a24c3906c250c79c",
    "mixing-one-pair": "136dff06a0557d09",
    "mixing-diagonal": "ef5dbf25dc09def0",
    "pixel-mixing": "7dcfb7aa2b590065",
    "tiles": "390983eb03b04706",
    "tiles-diagonal": "e338b72a69e23d72",
    "tiles-4": "c8555df0d81e3e5c",
}


def _setting(default, help: str):
    return field(default=default, metadata={"help": help})


@dataclass(frozen=True)
class Specification:
    """Everything but β and realization that decides a member's numbers.

    A field added later counts in a member's key only where it differs from its default, so that what was published
    before it stays valid. Values are of the fields' own types, so that equal specifications have equal keys. Raises
    UsageError on a value that cannot be, in one line.
    """

    experiment: str
    samples: int = _setting(1000, "Images in each realization.")
    epochs: int = _setting(1000, "Steps of training, each on all images.")
    learning_rate: float = _setting(LEARNING_RATE, "Adam's step.")
    scaling: str = _setting("global", "Images are standardised as a whole, or by pixel.")
    family: str = _setting("diagonal", f"Covariance of q(z|x): {' or '.join(posterior.FAMILIES)}.")
    optimiser: str = _setting("adam", "Adam, as in the thesis, or soap, which settles sooner.")
    settling: float = _setting(0.0, "Last part of training, 0 to 1, in which Adam's step falls to 0.")
    warmup: float = _setting(0.0, "First part of training, 0 to 1, in which β rises from 0.")
    gamma: float = _setting(0.0, "Weight of the penalty TC, total correlation of the latents.")
    decoder_variance: str = _setting("fixed", "Of a pixel: fixed at 1, or learned, of tiles in white noise.")
    output: str = _setting(
        "trained", "The decoder's last layer: trained, or solved by least squares at the end, as soap always does."
    )
    start: int = _setting(0, "Other initial weights and draws on the same images.")

    def __post_init__(self):
        for setting in dataclasses.fields(self):
            object.__setattr__(self, setting.name, _converted(setting, getattr(self, setting.name)))
        experiments.experiment(self.experiment)
        for name, (low, high) in LIMITS.items():
            if not low <= getattr(self, name) <= high:
                raise UsageError(f"{name} must be from {low:,} to {high:,}; got {getattr(self, name)}")
        if not (math.isfinite(self.learning_rate) and self.learning_rate > 0):
            raise UsageError(f"learning_rate must be finite and > 0; got {self.learning_rate}")
        choices = {
            "scaling": experiments.SCALINGS,
            "family": posterior.FAMILIES,
            "optimiser": architecture.OPTIMISERS,
            "decoder_variance": objective.VARIANCES,
            "output": architecture.OUTPUTS,
        }
        for name, known in choices.items():
            if getattr(self, name) not in known:
                raise UsageError(f"{name} must be {' or '.join(known)}; got {getattr(self, name)}")
        if self.optimiser == "soap" and self.output != "trained":
            raise UsageError(f"output must be trained with soap, which solves it anyway; got {self.output}")
        if self.aim.learned:
            experiments.white_noise(self.experiment, self.scaling)

    @property
    def unusual(self) -> dict:
        """The settings that differ from their defaults."""
        return {
            setting.name: getattr(self, setting.name)
            for setting in dataclasses.fields(self)
            if setting.name != "experiment" and getattr(self, setting.name) != setting.default
        }

    @property
    def label(self) -> str:
        """The experiment and its unusual settings, such as mixing,epochs=5000."""
        return self.experiment + "".join(f",{name}={value}" for name, value in self.unusual.items())

    @property
    def identity(self) -> dict:
        """What counts in a member's key; of the experiment's record what differs from the one in `RECORDED`."""
        record = experiments.experiment(self.experiment).fingerprint
        other = {} if RECORDED.get(self.experiment) == record else {"record": record}
        return {name: getattr(self, name) for name in ALWAYS_COUNTED} | self.unusual | other

    def draw(self, realization: int):
        """Training and held-out images of a realization; see `images.experiments.draw`.

        Where the decoder learns its variance they have white noise, which is averaged over: `experiments.white_noise`.
        """
        drawn = experiments.draw(self.experiment, realization, self.samples, self.scaling)
        if not self.aim.learned:
            return drawn
        white = experiments.white_noise(self.experiment, self.scaling)
        return tuple(replace(data, white=white) for data in drawn)

    @property
    def schedule(self):
        """A function of the epochs done, which returns Adam's step and what β is multiplied by."""
        return architecture.schedule(self.epochs, self.learning_rate, self.settling, self.warmup)

    @property
    def aim(self) -> objective.Objective:
        """What is trained for, beside β."""
        return objective.Objective(self.gamma, self.decoder_variance)

    @property
    def architecture(self) -> dict:
        """What `networks.training.trainer` needs to know."""
        record = experiments.experiment(self.experiment)
        return {"latents": record.latents, "family": self.family, "pixels": record.pixels}


def _converted(setting: dataclasses.Field, value):
    """A value in the type of its field; UsageError where it is not exactly one of these."""
    try:
        converted = setting.type(value)  # pyright: ignore
    except (TypeError, ValueError, OverflowError):
        converted = None
    exact = converted == value or value != value  # NaN has no equal
    if converted is None or isinstance(value, bool) or not exact:
        kind = {int: "a whole number", float: "a number"}.get(setting.type, "a name")
        raise UsageError(f"{setting.name} must be {kind}; got {value!r}")
    return converted


@dataclass(frozen=True)
class Member:
    """One network: a specification, β, and the realization that seeds digits, sources, weights and draws."""

    specification: Specification
    beta: float
    realization: int

    @property
    def key(self) -> str:
        """SHA-256 of all that decides the numbers.

        That is the specification, the drawing, mixing matrix and noise of its experiment, β, realization, the digits'
        pixels and labels if images are made of them, and the version of the code that draws, trains and evaluates,
        `NUMERICS_VERSION`.
        """
        record = experiments.experiment(self.specification.experiment)
        identity = {
            **self.specification.identity,
            "beta": float(self.beta),
            "realization": int(self.realization),
            **({"digits": digits.fingerprint()} if record.digits else {}),
            "numerics": NUMERICS_VERSION,
        }
        return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()

    @property
    def seed(self) -> int:
        """Seed of weights and draws, the realization or, where `start` is not 0, a number that no realization has."""
        return self.realization + self.specification.start * MOST_MEMBERS
