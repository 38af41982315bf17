"""Synthetic images whose sources have an exactly known posterior.

    s ~ N(0, I_2),  code r = A s + η, η ~ N(0, σ² I_2),  image = render(r)

The image determines r, so p_gt(s|x) is the posterior of `LinearGaussian` at r. Images are kept as
factors, X = scores · components (n × 1600 of rank r), standardised with one mean and one standard
deviation over all pixels of the training images.

Source: thesis, Methods, "Data Processing and Generation"; noise levels as in the book's methods.
"""

from dataclasses import dataclass

import numpy as np

from betavae_core import digits
from betavae_core.gaussian import LinearGaussian

MIXING = ((2.0, 1.0), (0.5, 1.5))


@dataclass(frozen=True, eq=False)
class ImageData:
    """Standardised images with the sources and the exact posterior of each.

    scores (n, r) and components (r, 1600): their product is the standardised images
    mean, std: what the pixels were standardised with, in grey levels
    sources (n, k), posterior_mean (n, k), posterior_precision (k, k): p_gt(s|x) = N(mean, precision⁻¹)
    classes: the digits shown
    """

    scores: np.ndarray
    components: np.ndarray
    mean: float
    std: float
    sources: np.ndarray
    posterior_mean: np.ndarray
    posterior_precision: np.ndarray
    classes: tuple[int, ...]

    def images(self) -> np.ndarray:
        """The images in grey levels, (n, 40, 40)."""
        return self.unstandardise(self.scores @ self.components)

    def unstandardise(self, pixels) -> np.ndarray:
        """Standardised pixels (..., 1600) back to grey levels (..., 40, 40)."""
        return (np.asarray(pixels) * self.std + self.mean).reshape(*np.shape(pixels)[:-1], digits.CANVAS, -1)

    @property
    def covariance(self) -> np.ndarray:
        """Sample covariance of the standardised images, (1600, 1600)."""
        return self.components.T @ np.cov(self.scores, rowvar=False) @ self.components


def mixing(realization: int, samples: int = 1000, matrix=MIXING, noise_std: float = 1.0):
    """Two digits of different classes, added with weights r: image = r_1 d_1 + r_2 d_2.

    Parameters
    ----------
    realization : int, seeds the pair of digits, the sources and the noise; the same for every β
    samples : int, images in each of the two sets
    matrix, noise_std : A (2 × 2) and σ of the code r = A s + η

    Returns
    -------
    training, heldout : ImageData with the same digits and scaling, and independent sources
    """
    rng = np.random.default_rng([realization, 0])
    images, labels = digits.load()
    classes = rng.choice(10, size=2, replace=False)
    tiles = np.stack([digits.paste(images[rng.choice(np.flatnonzero(labels == c))]) for c in classes])
    process = LinearGaussian(matrix, noise_std)
    drawn = [process.sample(samples, rng) for _ in range(2)]  # training, held out

    basis = tiles.reshape(2, -1).astype(float)
    pixels = drawn[0][1] @ basis
    mean, std = pixels.mean(), pixels.std()
    components = np.vstack([basis, -mean * np.ones(basis.shape[1])]) / std  # (3, 1600): the mean is a third factor
    return tuple(
        ImageData(
            scores=np.column_stack([code, np.ones(samples)]),
            components=components,
            mean=mean,
            std=std,
            sources=sources,
            posterior_mean=process.posterior_mean(code),
            posterior_precision=process.posterior_precision,
            classes=tuple(int(c) for c in classes),
        )
        for sources, code in drawn
    )


def linear_sample(process: LinearGaussian, samples: int, rng: np.random.Generator) -> ImageData:
    """Data of the analytical model for a network without hidden layers: x itself takes the place of the pixels.

    The sample is shifted and scaled to have mean 0 and the covariance of the process exactly, so that what a
    trained network misses of the closed form is optimisation error alone.

    Returns
    -------
    ImageData with scores x (samples, N) and identity components; nothing is standardised
    """
    sources, x = process.sample(samples, rng)
    x = x - x.mean(0)
    x = np.linalg.solve(np.linalg.cholesky(x.T @ x / samples), x.T).T @ np.linalg.cholesky(process.covariance).T
    posterior = process.posterior_mean(x), process.posterior_precision
    return ImageData(x, np.eye(x.shape[1]), 0.0, 1.0, sources, *posterior, classes=())
