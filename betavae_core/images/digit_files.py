"""Files of digits, as this project or Keras writes them, and what is asked of any: 28 × 28 grey levels and ten classes.

Nothing is unpickled, and nothing is guessed: what is not as it should be gets one line that says what was found and
what is wanted. Other forms are read by `betavae data import` alone.
"""

import hashlib
import zipfile
import zlib
from pathlib import Path
from typing import NamedTuple

import numpy as np

from betavae_core import paths
from betavae_core.errors import UsageError, first_line

SIDE, CLASSES = 28, 10
WANTED = (
    "wanted are whole grey levels from 0 to 255, n x 28 x 28, with a label from 0 to 9 each, as .npz (images and "
    "labels), as Keras's mnist.npz or as IDX files"
)
NPZ = (("images", "labels"), ("x_train", "y_train"))  # names of this project's arrays, and of Keras's
READABLE = (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error)  # what damage raises in the readers


class DigitsError(UsageError):
    """The file of digits is missing, damaged or not one; the message names it."""


class Digits(NamedTuple):
    """Images (n, 28, 28) uint8 and labels (n,) uint8."""

    images: np.ndarray
    labels: np.ndarray


def read(file: Path) -> Digits:
    """Digits of a file, checked, also against the SHA-256 of the pixels if the file records it; DigitsError if not."""
    if not (start := first_bytes(file)).startswith(b"PK"):
        raise DigitsError(f"{file} {_other(start)}; {WANTED}")
    images, labels, recorded = _npz(file)
    found = checked(file, images, labels)
    if recorded not in (None, pixel_hash(found.images)):
        raise DigitsError(f"{file} is damaged: its pixels do not have the recorded SHA-256 {recorded[:12]}…")
    return found


def checked(file: Path, images: np.ndarray, labels: np.ndarray) -> Digits:
    """Images and labels that were read from a file, if they are digits; DigitsError if not."""
    return Digits(_images(file, images), _labels(file, labels, len(images)))


def pixel_hash(images: np.ndarray) -> str:
    """SHA-256 of the raw pixels (a file's own hash changes with the deflate library)."""
    return hashlib.sha256(np.ascontiguousarray(images).tobytes()).hexdigest()


def first_bytes(file: Path) -> bytes:
    try:
        with open(file, "rb") as handle:
            return handle.read(64)
    except OSError as error:
        absent = isinstance(error, FileNotFoundError)
        told = f"no MNIST digits at {file}" if absent else f"{file} cannot be read: {error.strerror}"
        named = "; BETAVAE_DIGITS names it" if file == paths.digits() != paths.EMBEDDED_DIGITS else ""
        raise DigitsError(told + named) from None


def _other(start: bytes) -> str:
    """What a file is that has none of the forms."""
    if start.startswith(b"version https://git-lfs"):
        return "is a Git LFS pointer, which stands for a file that `git lfs pull` gets"
    if start.startswith(b"\x93NUMPY"):
        return "is a single array (.npy), without labels"
    if start[:2] in (b"\x1f\x8b", b"\0\0"):
        return "is compressed or IDX; `betavae data import` makes a file of it that is read"
    if not start:
        return "is damaged: it is empty"
    if all(byte in b"\t\r\n" or 32 <= byte < 127 for byte in start):
        return "is text, such as CSV"
    return "has none of the forms of digits that are read"


def _npz(file: Path) -> tuple[np.ndarray, np.ndarray, str | None]:
    try:
        with open(file, "rb") as handle, np.load(handle, allow_pickle=False) as stored:  # a damaged one is closed too
            for images, labels in NPZ:
                if {images, labels} <= set(stored.files):
                    recorded = str(stored["sha256"]) if "sha256" in stored.files else None
                    return stored[images], stored[labels], recorded
            found = ", ".join(stored.files) or "nothing"
    except READABLE as error:
        if "Object arrays" in str(error):
            raise DigitsError(f"{file} holds Python objects, which are never read; {WANTED}") from None
        raise DigitsError(f"{file} is damaged: {first_line(error)}") from None
    raise DigitsError(f"{file} holds {found}; {WANTED}")


def _images(file: Path, images: np.ndarray) -> np.ndarray:
    """The images, if they are whole grey levels of the right size and none is blank."""
    if images.dtype != np.uint8:
        raise DigitsError(f"{file} has images of type {images.dtype}{_range(images)}; {WANTED}")
    if images.ndim != 3 or images.shape[1:] != (SIDE, SIDE):
        raise DigitsError(f"{file} has images of shape {' x '.join(map(str, images.shape))}; {WANTED}")
    if images.size and images.max() <= 1:
        raise DigitsError(f"{file} has grey levels{_range(images)} only; {WANTED}")
    blank = np.flatnonzero(np.ptp(images, axis=(1, 2)) == 0)
    if blank.size:
        raise DigitsError(f"{file} has {blank.size} blank images, the first of them number {blank[0]}; {WANTED}")
    return images


def _range(images: np.ndarray) -> str:
    """The range of numbers, or that some are none, for a message."""
    if images.dtype.kind not in "uif" or not images.size:
        return ""
    if not np.isfinite(images).all():
        return " with NaN or infinity among them"
    return f" from {images.min():g} to {images.max():g}"


def _labels(file: Path, labels: np.ndarray, count: int) -> np.ndarray:
    """The labels, if there is one from 0 to 9 for each image and each class has an image."""
    if labels.shape != (count,):
        raise DigitsError(f"{file} has {count} images and labels of shape {labels.shape}; {WANTED}")
    if labels.dtype.kind not in "iu":
        raise DigitsError(f"{file} has labels of type {labels.dtype}; {WANTED}")
    found = np.unique(labels)
    if found.size and not 0 <= found[0] <= found[-1] < CLASSES:
        raise DigitsError(f"{file} has {found.size} classes, labels {found[0]} to {found[-1]}; {WANTED}")
    missing = sorted(set(range(CLASSES)) - set(found.tolist()))
    if missing:
        raise DigitsError(f"{file} has no image of class {', '.join(map(str, missing))}; {WANTED}")
    return labels.astype(np.uint8)
