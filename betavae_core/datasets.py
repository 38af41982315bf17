"""Synthetic images whose sources have an exactly known posterior.

    s ~ N(0, I_2),  code r = A s + η, η ~ N(0, σ² I_2),  image = render(r)

The image determines r, so p_gt(s|x) is the posterior of `LinearGaussian` at r. (In pixel mixing the image itself
is x = A s + η, with the two digits as columns of A.) Images are kept as factors, X = scores · components, of the
rank that they have, and standardised with the mean and standard deviation of the training images.

Source: thesis, Methods, "Data Processing and Generation"; noise levels as in the book's methods.
"""

import itertools
from dataclasses import dataclass

import numpy as np

from betavae_core import digits
from betavae_core.gaussian import LinearGaussian

MIXING = ((2.0, 1.0), (0.5, 1.5))
DIAGONAL = ((4.25**0.5, 0.0), (0.0, 3.25**0.5))  # the column norms of MIXING, orthogonal columns
RANK_TOLERANCE = 1e-6  # singular values below this part of the largest are rounding of float32 pixels
PIXELS = digits.CANVAS**2


@dataclass(frozen=True, eq=False)
class ImageData:
    """Standardised images with the sources and the exact posterior of each.

    scores (n, r) and components (r, p): their product is the standardised images. Images of full rank are scores
    themselves (n, p), and components is None.
    mean, std: what the pixels were standardised with, in grey levels from 0 to 1; numbers, or one for each pixel
    sources (n, k), posterior_mean (n, k), posterior_precision (k, k): p_gt(s|x) = N(mean, precision⁻¹)
    classes: the digits shown
    """

    scores: np.ndarray
    components: np.ndarray | None
    mean: float | np.ndarray
    std: float | np.ndarray
    sources: np.ndarray
    posterior_mean: np.ndarray
    posterior_precision: np.ndarray
    classes: tuple[int, ...]

    @property
    def standardised(self) -> np.ndarray:
        """The standardised images, (n, p)."""
        return self.scores if self.components is None else self.scores @ self.components

    def images(self) -> np.ndarray:
        """The images in grey levels, (n, 40, 40)."""
        return self.unstandardise(self.standardised)

    def unstandardise(self, pixels) -> np.ndarray:
        """Standardised pixels (..., 1600) back to grey levels (..., 40, 40)."""
        return (np.asarray(pixels) * self.std + self.mean).reshape(*np.shape(pixels)[:-1], digits.CANVAS, -1)

    @property
    def covariance(self) -> np.ndarray:
        """Sample covariance of the standardised images, (p, p)."""
        return np.cov(self.standardised, rowvar=False)


def draw(experiment: str, realization: int, samples: int = 1000, scaling: str = "global"):
    """Training and held-out images of one realization of an experiment.

    Parameters
    ----------
    experiment : a key of `EXPERIMENTS`
    realization : int, seeds digits, sources and noise, the same for every β (and for no other purpose)
    samples : int, images in each of the two sets
    scaling : "global", one mean and standard deviation for all pixels; "pixel", one for each

    Returns
    -------
    training, heldout : ImageData with the same digits and scaling, and independent sources
    """
    return EXPERIMENTS[experiment](realization, samples, scaling)


def mixing(realization: int, samples: int = 1000, scaling: str = "global", matrix=MIXING):
    """Two digits of different classes, added with weights r (σ = 1): image = r_1 d_1 + r_2 d_2."""
    rng = np.random.default_rng([realization, 0])
    tiles, classes = _two_digits(rng)
    process = LinearGaussian(matrix, 1.0)
    drawn = [process.sample(samples, rng) for _ in range(2)]
    return _standardised([code @ tiles for _, code in drawn], drawn, process, classes, scaling)


def mixing_diagonal(realization: int, samples: int = 1000, scaling: str = "global"):
    """Mixing with orthogonal columns of the same norms: the exact posterior factorises (control)."""
    return mixing(realization, samples, scaling, matrix=DIAGONAL)


def mixing_one_pair(realization: int, samples: int = 1000, scaling: str = "global"):
    """The images of mixing's realization 0 whatever the realization: only the network's seed varies."""
    return mixing(0, samples, scaling)


def localisation(realization: int, samples: int = 1000, scaling: str = "global"):
    """One digit moved from the centre by r pixels (right, down), σ = 0.5; sub-pixel, bilinear."""
    rng = np.random.default_rng([realization, 0])
    images, labels = digits.load()
    chosen = int(rng.integers(10))
    tile = images[rng.choice(np.flatnonzero(labels == chosen))] / 255
    process = LinearGaussian(MIXING, 0.5)
    drawn = [process.sample(samples, rng) for _ in range(2)]
    pixels = [np.stack([digits.paste(tile, offset).ravel() for offset in code]).astype(float) for _, code in drawn]
    return _standardised(pixels, drawn, process, (chosen,), scaling)


def pixel_mixing(realization: int, samples: int = 1000, scaling: str = "global"):
    """The other reading of x = A s + η: image = s_1 d_1 + s_2 d_2 + η with pixel noise, σ = 0.1."""
    rng = np.random.default_rng([realization, 0])
    tiles, classes = _two_digits(rng)
    process = LinearGaussian(tiles.T, 0.1)
    drawn = [process.sample(samples, rng) for _ in range(2)]
    return _standardised([x for _, x in drawn], drawn, process, classes, scaling)


EXPERIMENTS = {
    "mixing": mixing,
    "localisation": localisation,
    "mixing-one-pair": mixing_one_pair,
    "mixing-diagonal": mixing_diagonal,
    "pixel-mixing": pixel_mixing,
}


def gallery(experiment: str, columns: int = 8) -> np.ndarray:
    """Images of one realization for each of the ten digits, for a figure: (10, columns, 40, 40) in grey levels.

    Row c shows the first realization in which digit c takes part (as the first of a pair, where there are two).
    """
    rows: dict[int, np.ndarray] = {}
    for realization in itertools.count():
        data, _ = draw(experiment, realization, samples=columns)
        rows.setdefault(data.classes[0], data.images())
        if len(rows) == 10 or experiment == "mixing-one-pair":
            return np.stack([rows[c] for c in sorted(rows)])


def linear_sample(process: LinearGaussian, samples: int, rng: np.random.Generator) -> ImageData:
    """Data of the analytical model for a network without hidden layers: x itself takes the place of the pixels.

    The sample is shifted and scaled to have mean 0 and the covariance of the process exactly, so that what a
    trained network misses of the closed form is optimisation error alone.

    Returns
    -------
    ImageData with scores x (samples, N) and no components; nothing is standardised
    """
    sources, x = process.sample(samples, rng)
    x = x - x.mean(0)
    x = np.linalg.solve(np.linalg.cholesky(x.T @ x / samples), x.T).T @ np.linalg.cholesky(process.covariance).T
    posterior = process.posterior_mean(x), process.posterior_precision
    return ImageData(x, None, 0.0, 1.0, sources, *posterior, classes=())


def factorise(pixels, tolerance: float = RANK_TOLERANCE) -> tuple[np.ndarray, np.ndarray | None]:
    """Scores (n, r) and components (r, p) whose product is the pixels (n, p), with the rank found by tolerance.

    Where factors would cost more than they save, r ≥ np/(n + p), the pixels are returned whole, with None.
    """
    n, p = pixels.shape
    values, vectors = np.linalg.eigh(pixels @ pixels.T)  # squared singular values
    rank = int((values > tolerance**2 * values[-1]).sum())
    if rank * (n + p) >= n * p:
        return pixels, None
    scores = vectors[:, ::-1][:, :rank]
    return scores, scores.T @ pixels


def _two_digits(rng) -> tuple[np.ndarray, tuple[int, ...]]:
    """Two digits of different classes on the canvas, (2, 1600) in grey levels, and their classes."""
    images, labels = digits.load()
    classes = rng.choice(10, size=2, replace=False)
    tiles = np.stack([digits.paste(images[rng.choice(np.flatnonzero(labels == c))]) for c in classes])
    return tiles.reshape(2, -1) / 255.0, tuple(int(c) for c in classes)


def _standardised(pixels, drawn, process, classes, scaling) -> tuple[ImageData, ImageData]:
    axis = {"global": None, "pixel": 0}[scaling]
    mean, std = pixels[0].mean(axis), pixels[0].std(axis)
    std = np.where(std > 1e-6, std, 1.0) if scaling == "pixel" else std  # black pixels stay at 0
    data = []
    for image, (sources, code) in zip(pixels, drawn, strict=True):
        posterior = process.posterior_mean(code), process.posterior_precision
        data.append(ImageData(*factorise((image - mean) / std), mean, std, sources, *posterior, classes))
    return tuple(data)
