"""Real MNIST digits: load and verify them, paste one on the canvas."""

import functools
import hashlib
from pathlib import Path

import cv2
import numpy as np

from betavae_core import paths
from betavae_core.images import digit_files
from betavae_core.images.digit_files import DigitsError, pixel_hash

EMBEDDED_SHA256 = "4674b7dd4c01c24547ffabd783790245478c11034be907da26946f9212b49389"
EMBEDDED_LABELS_SHA256 = "19cab774765c7ba7873e2eb3cee313c084bbb20b53116334dd0e24cd06e8d4e5"
CANVAS = 40  # pixels a side
PIXELS = CANVAS**2


def load(file: Path | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Digits of a file as `images.digit_files` reads it, checked; this project's own with their pixels verified.

    Returns images: (n, 28, 28) uint8; labels: (n,) uint8.

    Raises DigitsError if the file is missing, unreadable or no file of digits, or its pixels do not have the recorded
    SHA-256.
    """
    return _loaded(*_stamped(Path(file or paths.digits())))[:2]


def fingerprint() -> str:
    """SHA-256 that tells the digits in use from others: of pixels, and of labels unless they are the embedded ones."""
    return _loaded(*_stamped(paths.digits()))[2]


def _stamped(file: Path) -> tuple[Path, tuple | None]:
    """A file, and a stamp that stands for it as it is now."""
    stamp = file.stat() if file.exists() else None
    return file, stamp and (stamp.st_mtime_ns, stamp.st_size, stamp.st_ino)


@functools.lru_cache(maxsize=1)
def _loaded(file: Path, _stamp) -> tuple[np.ndarray, np.ndarray, str]:
    """Digits of a stamped file, which every drawing asks for, and their fingerprint, as does every key of a member."""
    images, labels = digit_files.read(file)
    pixels, told = pixel_hash(images), pixel_hash(labels)
    if file == paths.EMBEDDED_DIGITS and pixels != EMBEDDED_SHA256:
        raise DigitsError(f"{file} is damaged: its pixels are not those that come with the project; git checkout")
    for array in (images, labels):
        array.setflags(write=False)
    both = hashlib.sha256((pixels + told).encode()).hexdigest()
    return images, labels, pixels if told == EMBEDDED_LABELS_SHA256 else both


def paste(tile: np.ndarray, offset=(0.0, 0.0)) -> np.ndarray:
    """One digit on a black canvas, moved from the centre by `offset` = (right, down) in pixels.

    Sub-pixel offsets are interpolated bilinearly. Ink is cut beyond 10 px, where the digit leaves the canvas.

    Returns a (40, 40) float32 array with the tile's grey levels.

    Parameters
    ----------
    tile : (28, 28) array
    offset : pair of float, pixels
    """
    margin = (CANVAS - tile.shape[0]) / 2
    move = np.float32([[1, 0, margin + offset[0]], [0, 1, margin + offset[1]]])
    return cv2.warpAffine(np.float32(tile), move, (CANVAS, CANVAS), flags=cv2.INTER_LINEAR)


def tiles(chosen) -> np.ndarray:
    """Two or four digits in disjoint tiles of the canvas, each centred and of norm 1: orthonormal rows of CANVAS².

    Two share the canvas as its left and right half, 20 × 40 pixels; four as its quarters, 20 × 20. A digit is shrunk
    to the 20 × 20 pixels in the middle of its tile. (MNIST's own ink lies in 20 × 20 of its 28 × 28 pixels.)
    """
    half, rows = CANVAS // 2, []
    for i, digit in enumerate(chosen):
        canvas = np.zeros((CANVAS, CANVAS))
        top = half // 2 if len(chosen) == 2 else half * (i // 2)
        ink = cv2.resize(np.float32(digit), (half, half), interpolation=cv2.INTER_AREA)
        canvas[top : top + half, half * (i % 2) : half * (i % 2) + half] = ink - ink.mean()
        rows.append(canvas.ravel() / np.linalg.norm(canvas))
    return np.stack(rows)
