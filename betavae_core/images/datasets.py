"""Synthetic images whose sources have an exactly known posterior.

    s ~ N(0, I_k),  code r = A s + η, η ~ N(0, σ² I),  image = render(r)

The image determines r, so p_gt(s|x) is the posterior of `LinearGaussian` at r. (In pixel mixing the image itself
is x = A s + η, with the two digits as columns of A.) Images are kept as factors, X = scores · components, of the
rank that they have, and standardised with the mean and standard deviation of the training images.

Each drawing below takes (rng, samples, mixing, noise_std) and returns a `Drawing`; `images.experiments` says which
experiment uses which.

Source: thesis, Methods, "Data Processing and Generation"; noise levels as in the book's methods.
"""

import functools
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from betavae_core.images import digits
from betavae_core.theory.gaussian import LinearGaussian

RANK_TOLERANCE = 1e-6  # singular values below this part of the largest are rounding of float32 pixels
BLACK = 1e-6  # standard deviation in grey levels below which a pixel counts as constant


class Drawing(NamedTuple):
    """Training and held-out images before standardisation, and how they come about.

    render: from codes (n, N) to pixels (n, p), grey levels of square images; drawn: sources (n, k) and codes of each
    """

    render: Callable[[np.ndarray], np.ndarray]
    drawn: list[tuple[np.ndarray, np.ndarray]]
    process: LinearGaussian
    classes: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Weighted:
    """A rendering that is linear in the code: image = Σ r_i b_i, with the basis (N, p) for its b_i."""

    basis: np.ndarray

    def __call__(self, code: np.ndarray) -> np.ndarray:
        """Pixels (n, p) of codes (n, N)."""
        return code @ self.basis


@dataclass(frozen=True, eq=False)
class ImageData:
    """Standardised images with the sources and the exact posterior of each.

    pixels (n, p), standardised; `factors` of them are found when first asked for
    mean, std: what the pixels were standardised with, in grey levels from 0 to 1; numbers, or one for each pixel
    sources (n, k), posterior_mean (n, k): p_gt(s|x) = N(posterior_mean, process.posterior_precision⁻¹)
    process: from the sources to the code
    classes: the digits shown
    white: E‖ε‖² of noise ε that is averaged over, never drawn; independent of all else, off the span of the images

    With `white` the image to be decoded is x + ε and the encoder sees x. On average ‖x + ε − x̂‖² is then
    ‖x − x̂‖² + white. A network would learn by heart a noise that was drawn once for each of a thousand images.
    """

    pixels: np.ndarray
    mean: float | np.ndarray
    std: float | np.ndarray
    sources: np.ndarray
    posterior_mean: np.ndarray
    process: LinearGaussian
    classes: tuple[int, ...]
    white: float = 0.0

    @functools.cached_property
    def factors(self) -> tuple[np.ndarray, np.ndarray | None]:
        """Scores (n, r) and components (r, p), whose product the images are to rounding; see `factorise`."""
        return factorise(self.pixels)

    @property
    def standardised(self) -> np.ndarray:
        """The standardised images, (n, p)."""
        scores, components = self.factors
        return scores if components is None else scores @ components

    def images(self) -> np.ndarray:
        """The images in grey levels, (n, side, side)."""
        return self.unstandardise(self.standardised)

    def unstandardise(self, pixels) -> np.ndarray:
        """Standardised pixels (..., p) back to grey levels (..., side, side)."""
        side = math.isqrt(np.shape(pixels)[-1])
        return (np.asarray(pixels) * self.std + self.mean).reshape(*np.shape(pixels)[:-1], side, side)

    def divided_by(self, unit: float) -> "ImageData":
        """The same images with the standardised ones divided by a unit."""
        return replace(self, pixels=self.pixels / unit, std=self.std * unit, white=self.white / unit**2)


def mixing(rng, samples: int, matrix, noise_std: float) -> Drawing:
    """Two digits of different classes, added with weights r: image = r_1 d_1 + r_2 d_2."""
    tiles, classes = _two_digits(rng)
    process = LinearGaussian(matrix, noise_std)
    drawn = [process.sample(samples, rng) for _ in range(2)]
    return Drawing(Weighted(tiles), drawn, process, classes)


def localisation(rng, samples: int, matrix, noise_std: float) -> Drawing:
    """One digit moved from the centre by r pixels (right, down); sub-pixel, bilinear."""
    images, labels = digits.load()
    chosen = int(rng.integers(10))
    tile = images[rng.choice(np.flatnonzero(labels == chosen))] / 255
    process = LinearGaussian(matrix, noise_std)
    drawn = [process.sample(samples, rng) for _ in range(2)]

    def render(code):
        return np.stack([digits.paste(tile, offset).ravel() for offset in code]).astype(float)

    return Drawing(render, drawn, process, (chosen,))


def pixel_mixing(rng, samples: int, matrix, noise_std: float) -> Drawing:
    """The other reading of x = A s + η: image = s_1 d_1 + s_2 d_2 + η with pixel noise. The digits are A."""
    tiles, classes = _two_digits(rng)
    process = LinearGaussian(tiles.T, noise_std)
    drawn = [process.sample(samples, rng) for _ in range(2)]
    return Drawing(lambda x: x, drawn, process, classes)


def tiles(rng, samples: int, matrix, noise_std: float) -> Drawing:
    """k digits of different classes, each in a tile of its own: image = Σ r_i d_i with d_iᵀ d_j = δ_ij.

    The tiles are centred, of norm 1 and disjoint, so pixels have covariance AAᵀ + σ² I on their span and 0 elsewhere:
    the analytical model's, with noise that is the same in all directions. The training codes are shifted and scaled to
    have mean 0 and the covariance of the process exactly (`_exact_codes`), so every realization has the same optimum.
    """
    process = LinearGaussian(matrix, noise_std)
    images, labels = digits.load()
    classes = rng.choice(10, size=len(process.mixing), replace=False)
    basis = digits.tiles([images[rng.choice(np.flatnonzero(labels == c))] for c in classes])
    drawn = [_exact_codes(process, samples, rng), process.sample(samples, rng)]
    return Drawing(Weighted(basis), drawn, process, tuple(map(int, classes)))


def _exact_codes(process: LinearGaussian, samples: int, rng) -> tuple[np.ndarray, np.ndarray]:
    """Codes with the mean and covariance of the process exactly, and sources from their posterior at each."""
    code = linear_sample(process, samples, rng).pixels
    root = np.linalg.cholesky(process.posterior_covariance)
    return process.posterior_mean(code) + rng.standard_normal((samples, len(root))) @ root.T, code


def standardised(drawing: Drawing, scaling: str) -> Iterator[ImageData]:
    """Training images, then held-out ones once asked for, scaled by the mean and standard deviation of the former.

    `scaling` is "global", one mean and standard deviation for all pixels, or "pixel", one for each.
    """
    axis, mean = {"global": None, "pixel": 0}[scaling], None
    for sources, code in drawing.drawn:
        pixels = drawing.render(code)
        if mean is None:
            mean, std = pixels.mean(axis), pixels.std(axis)
            std = np.where(std > BLACK, std, 1.0) if scaling == "pixel" else std  # black pixels stay at 0
        exact = drawing.process.posterior_mean(code)
        yield ImageData((pixels - mean) / std, mean, std, sources, exact, drawing.process, drawing.classes)


def linear_sample(process: LinearGaussian, samples: int, rng: np.random.Generator) -> ImageData:
    """Data of the analytical model for a network without hidden layers: x itself takes the place of the pixels.

    The sample is shifted and scaled to have mean 0 and the covariance of the process exactly, so that what a
    trained network misses of the closed form is optimisation error alone.

    Returns an ImageData of x (samples, N); nothing is standardised.
    """
    sources, x = process.sample(samples, rng)
    x = x - x.mean(0)
    x = np.linalg.solve(np.linalg.cholesky(x.T @ x / samples), x.T).T @ np.linalg.cholesky(process.covariance).T
    return ImageData(x, 0.0, 1.0, sources, process.posterior_mean(x), process, classes=())


def factorise(pixels) -> tuple[np.ndarray, np.ndarray | None]:
    """Scores (n, r) and components (r, p) whose product is the pixels (n, p), of the rank that is told from rounding.

    Where factors would cost more than they save, r ≥ np/(n + p), the pixels are returned whole, with None.
    """
    n, p = pixels.shape

    def rank(values) -> int:  # squared singular values, the largest last
        return int((values > RANK_TOLERANCE**2 * values[-1]).sum())

    if p < n and rank(np.linalg.eigvalsh(pixels.T @ pixels)) * (n + p) >= n * p:  # told by the smaller product
        return pixels, None
    values, vectors = np.linalg.eigh(pixels @ pixels.T)
    if rank(values) * (n + p) >= n * p:
        return pixels, None
    scores = vectors[:, ::-1][:, : rank(values)]
    return scores, scores.T @ pixels


def _two_digits(rng) -> tuple[np.ndarray, tuple[int, ...]]:
    """Two digits of different classes on the canvas, (2, 1600) in grey levels, and their classes."""
    images, labels = digits.load()
    classes = rng.choice(10, size=2, replace=False)
    tiles = np.stack([digits.paste(images[rng.choice(np.flatnonzero(labels == c))]) for c in classes])
    return tiles.reshape(2, -1) / 255.0, tuple(int(c) for c in classes)
