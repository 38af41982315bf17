"""What a decoder makes of a grid of points in the plane of its two latents, as one picture, with q of some images.

A sheet shows z₁ from left to right and z₂ from below upwards, each over ± `REACH` in `SIDE` points. Where a
reader points between them, pages blend the four images around: the weights are those of bilinear interpolation.
"""

import hashlib
from dataclasses import dataclass

import numpy as np

from betavae_core.errors import UsageError

REACH, SIDE = 3.5, 15  # standard deviations of the prior, in steps of a half
GRID = np.linspace(-REACH, REACH, SIDE)
IMAGES = 300  # whose q is kept
QUALITY = 90  # of WebP: a root mean square error of one or two of 255 grey levels, for a third of the bytes


@dataclass(frozen=True, eq=False)
class Atlas:
    """A sheet of decoded images, and q(z|x) = N(mean, diag std²) of the first images.

    image : the sheet as WebP, in bytes of grey: 128 is 0, `scale` grey levels of the images are 127 steps
    mean, std : (n, 2)
    """

    image: bytes
    scale: float
    mean: np.ndarray
    std: np.ndarray

    @property
    def record(self) -> dict:
        """All but the picture, of which it holds the SHA-256, as JSON takes it."""
        rounded = {"mean": self.mean.round(3).tolist(), "std": self.std.round(4).tolist()}
        return {"image": hashlib.sha256(self.image).hexdigest(), "scale": float(self.scale), **rounded}

    @classmethod
    def of(cls, record: dict, image: bytes) -> "Atlas":
        """The atlas of a record and its picture; ValueError if they do not belong together."""
        if hashlib.sha256(image).hexdigest() != record["image"]:
            raise ValueError("the picture is another's, or not whole")
        return cls(image, record["scale"], np.array(record["mean"], float), np.array(record["std"], float))


def draw(weights, data) -> Atlas:
    """The atlas of the first of some members, trained on ImageData `data`.

    Raises UsageError if it has no plane: its latents are not two, or its training diverged.
    """
    from betavae_core.networks import evaluation

    if weights.latents != 2:
        raise UsageError(f"an atlas is drawn of networks with 2 latents; got {weights.latents}")
    if not weights.finite(0):
        raise UsageError("this network diverged: it decodes nothing")
    decoded = evaluation.plane(weights, [data], GRID)[0]
    scale = max(np.abs(decoded).max(), 1e-9)
    q = weights.posterior([data])[0][:IMAGES]
    return Atlas(compressed(decoded / scale), float(scale), q.mean, q.std())


def compressed(pictures: np.ndarray) -> bytes:
    """A sheet of pictures (row, column, height, width), from −1, black, to 1, white, as WebP in bytes: 128 is 0."""
    import cv2

    rows, columns, height, width = pictures.shape
    sheet = pictures.swapaxes(1, 2).reshape(rows * height, columns * width)
    grey = np.uint8(np.round(128 + 127 * sheet))
    return cv2.imencode(".webp", grey, [cv2.IMWRITE_WEBP_QUALITY, QUALITY])[1].tobytes()
