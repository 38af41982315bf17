"""The experiments: one record each, which everything that lists, draws, trains or shows experiments reads."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from betavae_core.errors import UsageError
from betavae_core.images import datasets
from betavae_core.images.datasets import Drawing, ImageData

MIXING = ((2.0, 1.0), (0.5, 1.5))
DIAGONAL = ((4.25**0.5, 0.0), (0.0, 3.25**0.5))  # the column norms of MIXING, orthogonal columns
BETAS = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0)
FINE_BETAS = (0.01, 0.02, 0.05, *BETAS)
SCALINGS = ("global", "pixel")
ENOUGH = 1000  # realizations, one of which shows each digit


@dataclass(frozen=True)
class Supplement:
    """Further members of an experiment that the book shows, at settings of their own."""

    name: str
    settings: dict
    betas: tuple[float, ...]
    realizations: int


PER_PIXEL = Supplement("per-pixel scaling", {"scaling": "pixel"}, (1.0, 20.0, 200.0), 3)
LONGER = Supplement("5,000 epochs", {"epochs": 5000}, BETAS, 1)


@dataclass(frozen=True)
class Experiment:
    """How images come about, and how much of it is trained.

    draw : a drawing of `images.datasets`
    mixing, noise_std : A (N, k) and σ of the code; where the digits themselves are A, a stand-in of its shape's k
    realizations : of each β in the `published` profile
    shows : what it is for, in a few words
    one_drawing : every realization has the images of realization 0, so that only the network's seed varies
    """

    name: str
    draw: Callable[..., Drawing]
    realizations: int
    shows: str
    mixing: tuple[tuple[float, ...], ...] = MIXING
    noise_std: float = 1.0
    betas: tuple[float, ...] = BETAS
    supplements: tuple[Supplement, ...] = field(default=())
    one_drawing: bool = False

    @property
    def latents(self) -> int:
        """Number of sources, and of latents."""
        return len(self.mixing[0])


RECORDS = (
    Experiment(
        "mixing", datasets.mixing, 100, "two digits of different classes, added", supplements=(PER_PIXEL, LONGER)
    ),
    Experiment(
        "localisation",
        datasets.localisation,
        30,
        "one digit, moved over the canvas",
        noise_std=0.5,
        supplements=(PER_PIXEL, LONGER),
    ),
    Experiment("mixing-one-pair", datasets.mixing, 10, "mixing with one pair of digits for all", one_drawing=True),
    Experiment("mixing-diagonal", datasets.mixing, 5, "mixing with orthogonal columns", mixing=DIAGONAL),
    Experiment(
        "pixel-mixing",
        datasets.pixel_mixing,
        5,
        "two digits added, with noise in pixels",
        noise_std=0.1,
        betas=FINE_BETAS,
    ),
)
EXPERIMENTS = {record.name: record for record in RECORDS}
NAMES = tuple(EXPERIMENTS)


def experiment(name: str) -> Experiment:
    """The record of that name; UsageError if there is none."""
    if name not in EXPERIMENTS:
        raise UsageError(f"no experiment {name!r}; experiments: {', '.join(NAMES)}")
    return EXPERIMENTS[name]


def draw(name: str, realization: int, samples: int = 1000, scaling: str = "global") -> tuple[ImageData, ImageData]:
    """Training and held-out images of one realization of an experiment.

    Parameters
    ----------
    name : of an experiment
    realization : int, seeds digits, sources and noise, the same for every β (and for no other purpose)
    samples : int, images in each of the two sets
    scaling : "global", one mean and standard deviation for all pixels; "pixel", one for each

    Returns
    -------
    training, heldout : ImageData with the same digits and scaling, and independent sources
    """
    record = experiment(name)
    rng = np.random.default_rng([0 if record.one_drawing else realization, 0])
    return datasets.standardised(record.draw(rng, samples, record.mixing, record.noise_std), scaling)


def gallery(name: str, columns: int = 8) -> np.ndarray:
    """Images of one realization for each digit that leads one, for a figure: (row, columns, 40, 40) in grey levels.

    Row c shows the first realization in which digit c takes part (as the first of a pair, where there are two).
    """
    realizations = range(1 if experiment(name).one_drawing else ENOUGH)
    rows: dict[int, np.ndarray] = {}
    for realization in realizations:
        data, _ = draw(name, realization, samples=columns)
        rows.setdefault(data.classes[0], data.images())
        if len(rows) == 10:
            break
    return np.stack([rows[c] for c in sorted(rows)])
