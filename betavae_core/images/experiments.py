"""The experiments: one record each, which everything that lists, draws, trains or shows experiments reads."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from betavae_core.errors import UsageError
from betavae_core.images import datasets
from betavae_core.images.datasets import Drawing, ImageData
from betavae_core.images.digits import CANVAS, PIXELS
from betavae_core.theory.gaussian import LinearGaussian

MIXING = ((2.0, 1.0), (0.5, 1.5))
DIAGONAL = ((4.25**0.5, 0.0), (0.0, 3.25**0.5))  # the column norms of MIXING, orthogonal columns
ALIGNED = ((2.16, -0.52), (1.35, 0.832))  # orthogonal columns, nearly the principal axes of MIXING
FOUR = ((1.0, 2.0, 1.0, 1.0), (1.0, -1.0, 0.0, 1.0), (-1.0, 0.0, 2.0, 0.0), (0.0, 2.0, 0.0, 2.0))
BETAS = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0)
FINE_BETAS = (0.01, 0.02, 0.05, *BETAS)
SCALINGS = ("global", "pixel")
ENOUGH, ROWS = 1000, 10  # realizations, one of which shows each digit; rows of a gallery


@dataclass(frozen=True)
class Supplement:
    """Further members of an experiment that the book shows, at settings of their own: realizations from `first` on."""

    name: str
    settings: dict
    betas: tuple[float, ...]
    realizations: int
    first: int = 0


PER_PIXEL = Supplement("per-pixel scaling", {"scaling": "pixel"}, (1.0, 20.0, 200.0), 3)
LONGER = Supplement("5,000 epochs", {"epochs": 5000}, BETAS, 1)

# Tiles: β in units of the code's noise in standardised pixels, in steps of about 10 % around the predicted optimum
RATIOS = (0.1, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.1, 1.2, 1.3, 1.45, 1.6, 1.8, 2.0, 2.5, 10.0)
PROBED = (0.7, 1.0, 1.2, 1.45, 2.0)  # at which other training and the full family stand beside
SETTLED = {"epochs": 2000, "learning_rate": 3e-3, "settling": 0.8, "warmup": 0.2}  # by L and C of a pilot
TURNED = SETTLED | {"epochs": 6000}  # with two sources the decoder has turned, too, but for a few of orthogonal columns
SETTLING = Supplement("training that settles", SETTLED | {"epochs": 1000}, BETAS, 30)  # as long as the thesis trains
FAR_OFF = 52, 2.0  # realization and β of the network of mixing that ended far off
AGAIN = Supplement("trained again", SETTLING.settings | {"start": 1}, (FAR_OFF[1],), FAR_OFF[0] + 1, FAR_OFF[0])
SOON = {"epochs": 600, "optimiser": "soap", "learning_rate": 0.03, "settling": 0.8, "warmup": 0.1}  # by L of a pilot
SOONEST = {"epochs": 700, "learning_rate": 6e-3, "settling": 0.8, "warmup": 0.2, "output": "solved"}  # by L, of mixing
SETTLING_SOON = Supplement(SETTLING.name, SOON, BETAS, 20)  # against data/predictions/localisation-settled.json
AFRESH = Supplement("other starting weights", {"start": 1}, BETAS[:8], 20, 5)  # against localisation-axes.json there
SETTLING_AFRESH = Supplement(f"{SETTLING.name}, {AFRESH.name}", SOON | {"start": 1}, BETAS[:8], 20, 5)
ENDS = Supplement("sixty more realizations", {"start": 1}, (0.1, 20.0), 80, 20)  # against latents-60.json there
SETTLING_ENDS = Supplement(f"{ENDS.name}, {SETTLING.name}", SETTLING.settings | ENDS.settings, ENDS.betas, 80, 20)
AT_BEST = Supplement("around the best β", ENDS.settings, (100.0, 200.0), 40, 20)  # against lost-source.json there
AT_BEST_SETTLING = Supplement(f"{AT_BEST.name}, {SETTLING.name}", SETTLING_ENDS.settings, AT_BEST.betas, 40, 20)
PLACES = Supplement(AT_BEST.name, ENDS.settings, (50.0, 100.0), 40, 20)
PLACES_SETTLING = Supplement(AT_BEST_SETTLING.name, SETTLING_AFRESH.settings, PLACES.betas, 40, 20)
TWENTY = "twenty more realizations"  # against tiles-turned-again.json there
PENALISED = "total correlation, γ = {:g}"  # against data/predictions/tiles-gamma.json
GAMMAS = (0.0, 1.0, 2.0, 5.0, 10.0, 20.0)
LEARNED = "learned variance"  # against data/predictions/tiles-learned-variance.json
LEARNED_LONGER = f"{LEARNED}, 6,000 epochs"  # the control, again
BRIEF, AS_LONG, LONG = (LEARNED, SETTLED), (LEARNED_LONGER, TURNED), ((2000, 6), (20_000, 12))
THESIS = {"epochs": 1000, "learning_rate": 1e-3, "settling": 0.0, "warmup": 0.0}


@dataclass(frozen=True)
class Experiment:
    """How images come about, and how much of it is trained.

    draw : a drawing of `images.datasets`
    mixing, noise_std : A (N, k) and σ of the code; where the digits themselves are A, a stand-in of its shape's k
    realizations : of each β in the `published` profile
    shows : what it is for, in a few words
    settings : fields of `results.members.Specification` where they are not the usual ones
    one_drawing : every realization has the images of realization 0, so that only the network's seed varies
    digits : images are made of MNIST digits, which then count in the keys of members
    canvas : pixels a side
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
    digits: bool = True
    canvas: int = CANVAS
    settings: dict = field(default_factory=dict)

    @property
    def latents(self) -> int:
        """Number of sources, and of latents."""
        return len(self.mixing[0])

    @property
    def process(self) -> LinearGaussian:
        """From the sources to the code; where the digits themselves are A, the stand-in."""
        return LinearGaussian(self.mixing, self.noise_std)

    @property
    def pixels(self) -> int:
        """Pixels of an image."""
        return self.canvas**2

    @property
    def fingerprint(self) -> str:
        """Hash of what decides the images of a realization (drawing, A, σ, and whether all have the same ones)."""
        decisive = [self.draw.__qualname__, np.array(self.mixing, float).tolist(), self.noise_std, self.one_drawing]
        decisive += [] if self.canvas == CANVAS else [self.canvas]
        return hashlib.sha256(json.dumps(decisive).encode()).hexdigest()[:16]


def code_noise(mixing, noise_std: float = 1.0) -> float:
    """ν = c² σ², variance of the code's noise in standardised pixels where digits have tiles of their own.

    Pixels have mean square 1 once standardised, and unit tiles c² tr(AAᵀ + σ² I) in all: c² = 1600/tr(AAᵀ + σ² I).
    """
    return PIXELS * noise_std**2 / LinearGaussian(mixing, noise_std).covariance.trace()


def _tiles(
    name, shows, mixing, realizations, settings, beside=(), gammas=(), learned=(), noise_std=1.0, alone=False
) -> Experiment:
    """An experiment of tiles, with β around the optimum that theory predicts, and the full family beside it.

    `beside` : (epochs, realizations) of shorter or longer training that settles, near the optimum; `alone` : that alone
    `gammas` : weights of the penalty on total correlation, each at β = 1 and ν
    `learned` : for each supplement whose decoders learn their variance, in six realizations: its name, and its training
    """
    grids = RATIOS, PROBED, RATIOS[2:12]
    betas, probed, near = (tuple(round(code_noise(mixing, noise_std) * b, 3) for b in ratios) for ratios in grids)
    if alone:
        return Experiment(name, datasets.tiles, realizations, shows, mixing, noise_std, near, settings=settings)
    at_noise = (1.0, betas[RATIOS.index(1.0)])
    supplements = (
        Supplement("full covariance", SETTLED | {"family": "full"}, probed, 6),
        Supplement("the thesis's training", THESIS, probed, 3),
        Supplement(TWENTY, settings | {"start": 1}, at_noise[1:], 32, 12),
        *(Supplement(f"{epochs:,} epochs", SETTLED | {"epochs": epochs}, near, count) for epochs, count in beside),
        *(Supplement(PENALISED.format(gamma), settings | {"gamma": gamma}, at_noise, 3) for gamma in gammas),
        *(Supplement(title, how | {"decoder_variance": "learned"}, RATIOS[2:12], 6) for title, how in learned),
    )
    return Experiment(name, datasets.tiles, realizations, shows, mixing, 1.0, betas, supplements, settings=settings)


RECORDS = (
    Experiment(
        "mixing",
        datasets.mixing,
        300,
        "two digits of different classes, added",
        supplements=(PER_PIXEL, LONGER, SETTLING, AGAIN, ENDS, SETTLING_ENDS, AT_BEST, AT_BEST_SETTLING),
    ),
    Experiment(
        "localisation",
        datasets.localisation,
        60,
        "one digit, moved over the canvas",
        noise_std=0.5,
        supplements=(PER_PIXEL, LONGER, SETTLING_SOON, AFRESH, SETTLING_AFRESH, ENDS, PLACES, PLACES_SETTLING),
    ),
    Experiment("mixing-one-pair", datasets.mixing, 20, "mixing with one pair of digits for all", one_drawing=True),
    Experiment("mixing-diagonal", datasets.mixing, 12, "mixing with orthogonal columns", mixing=DIAGONAL),
    Experiment(
        "pixel-mixing",
        datasets.pixel_mixing,
        5,
        "two digits added, with noise in pixels",
        noise_std=0.1,
        betas=FINE_BETAS,
    ),
    _tiles("tiles", "two digits in tiles of their own", MIXING, 12, TURNED, [(2000, 6)], GAMMAS, [BRIEF]),
    _tiles("tiles-diagonal", "tiles with orthogonal columns", DIAGONAL, 12, TURNED, LONG, (), [BRIEF, AS_LONG]),
    _tiles("tiles-quiet", "tiles with half the noise", MIXING, 6, TURNED, noise_std=0.5, alone=True),
    _tiles("tiles-aligned", "tiles with sources along the principal axes", ALIGNED, 5, TURNED, alone=True),
    _tiles("tiles-4", "four digits in tiles of their own, four sources", FOUR, 6, SETTLED, [(6000, 3)]),
)
EXPERIMENTS = {record.name: record for record in RECORDS}
NAMES = tuple(EXPERIMENTS)


def experiment(name: str) -> Experiment:
    """The record of that name; UsageError if there is none."""
    if name not in EXPERIMENTS:
        raise UsageError(f"no experiment {name!r}; experiments: {', '.join(NAMES)}")
    return EXPERIMENTS[name]


def white_noise(name: str, scaling: str = "global") -> float:
    """Energy of white noise, ν in each pixel direction off the digits' span, under which a decoder may learn its σ_x².

    With it pixels have the covariance of the analytical model in all N directions, c² (AAᵀ + σ² I) on the span and
    ν = c² σ² off it: (N − k) ν in all. Without it k latents leave no variance over, and σ_x² goes to 0.

    Raises UsageError where images are not tiles of one scale: a digit is then not as bright as another, and ν has no
    one value.
    """
    record = experiment(name)
    if record.draw is not datasets.tiles or scaling != "global":
        names = ", ".join(each.name for each in RECORDS if each.draw is datasets.tiles)
        raise UsageError(f"decoder_variance may be learned in {names}, scaling global; got {name}, scaling {scaling}")
    return (record.pixels - record.latents) * code_noise(record.mixing, record.noise_std)


def draw(name: str, realization: int, samples: int = 1000, scaling: str = "global") -> tuple[ImageData, ImageData]:
    """Training and held-out images of one realization of an experiment.

    Returns training, heldout: ImageData with the same digits and scaling, and independent sources.

    Parameters
    ----------
    realization : int, seeds digits, sources and noise, the same for every β (and for no other purpose)
    samples : int, images in each of the two sets
    scaling : "global", one mean and standard deviation for all pixels; "pixel", one for each
    """
    training, heldout = datasets.standardised(drawing(name, realization, samples), scaling)
    return training, heldout


def training(name: str, realization: int, samples: int = 1000, scaling: str = "global") -> ImageData:
    """The training images of `draw` alone, for half its time."""
    return next(datasets.standardised(drawing(name, realization, samples), scaling))


def drawing(name: str, realization: int, samples: int = 1000) -> Drawing:
    """What is drawn of one realization of an experiment, before any image is rendered."""
    record = experiment(name)
    rng = np.random.default_rng([0 if record.one_drawing else realization, 0])
    return record.draw(rng, samples, record.mixing, record.noise_std)


def gallery(name: str, columns: int = 8) -> np.ndarray:
    """Images of one realization for each digit that leads one, for a figure: (row, columns, side, side).

    Row c shows the first realization in which digit c takes part (as the first of a pair, where there are two). Where
    images are not made of digits, rows are the first realizations.
    """
    realizations = range(1 if experiment(name).one_drawing else ENOUGH)
    rows: dict[int, np.ndarray] = {}
    for realization in realizations:
        data = training(name, realization, columns)
        rows.setdefault(data.classes[0] if data.classes else realization, data.images())
        if len(rows) == ROWS:
            break
    return np.stack([rows[c] for c in sorted(rows)])
