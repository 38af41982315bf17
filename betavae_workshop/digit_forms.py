"""Digits other than the thousand that come with the project: forms of files that `data import` takes, and a download.

Files are those that are read anyway, and the IDX files of MNIST and Fashion-MNIST; compressed or not, with the labels
beside the images.
"""

import io
import math
import zlib
from pathlib import Path

import numpy as np

from betavae_core import files, paths
from betavae_core.errors import first_line
from betavae_core.images import digit_files
from betavae_core.images.digit_files import WANTED, Digits, DigitsError, pixel_hash
from betavae_workshop import environment

GZIP = b"\x1f\x8b"  # how such a stream begins


def read(file: Path, labels: Path | None = None) -> Digits:
    """Digits of a file in any of the forms, checked; DigitsError in one line: what was found, and what is wanted.

    `labels` is a second IDX file, found beside the first if None.
    """
    start = digit_files.first_bytes(file)
    if start[:2] in (GZIP, b"\0\0"):
        told, images = sorted([_idx(file), _idx(labels or partner(file))], key=np.ndim)
        return digit_files.checked(file, images, told)
    if labels and start.startswith(b"PK"):
        raise DigitsError(f"{file} has its own labels; {labels} would not be read")
    return digit_files.read(file)


def write(file: Path, images, labels) -> Path:
    """Keep digits in this project's form, with the SHA-256 of their pixels; the file appears whole or not at all."""
    content = io.BytesIO()
    np.savez_compressed(content, images=images, labels=labels, sha256=pixel_hash(images))
    files.write(file, content.getvalue())
    return file


def fetch() -> Path:
    """Get the 60,000 MNIST training digits through Keras, which verifies its download, and keep them.

    Raises OSError if they cannot be downloaded or written.
    """
    with environment.muted():
        import tensorflow as tf

    try:
        (images, labels), _ = tf.keras.datasets.mnist.load_data()
    except Exception as error:
        raise OSError(f"full MNIST could not be downloaded ({error}); the embedded digits need no internet") from None
    return write(paths.DATA / "mnist_full.npz", images, labels)


def partner(file: Path) -> Path:
    """The file of labels that belongs to IDX images, or of images to labels; they are named alike."""
    swaps = [("images", "labels"), ("idx3", "idx1")]
    if "images" not in file.name:
        swaps = [(other, one) for one, other in swaps]
    name = file.name.removesuffix(".gz")
    for one, other in swaps:
        name = name.replace(one, other)
    for candidate in (file.with_name(name), file.with_name(f"{name}.gz")):
        if candidate != file and candidate.exists():
            return candidate
    raise DigitsError(f"{file} is half of a pair of IDX files, and there is no {name} beside it; {WANTED}")


def _idx(file: Path) -> np.ndarray:
    """An IDX file: two zero bytes, the type (8: unsigned bytes), the number of axes, their sizes, the numbers."""
    try:
        content = file.read_bytes()
    except OSError as error:
        raise DigitsError(f"{file} cannot be read: {error.strerror}") from None
    if content.startswith(GZIP):
        content = _unpacked(file, content)
    if content[:3] != b"\0\0\x08" or content[3:4] not in (b"\x01", b"\x03"):
        raise DigitsError(f"{file} is no IDX file of unsigned bytes (it starts with {content[:4].hex(' ')}); {WANTED}")
    axes = content[3]
    shape = np.frombuffer(content[4 : 4 + 4 * axes], ">u4").tolist()
    numbers = np.frombuffer(content[4 + 4 * axes :], np.uint8)
    if len(shape) < axes or not numbers.size or numbers.size != math.prod(shape):
        raise DigitsError(f"{file} is damaged: {numbers.size:,} numbers for axes of {shape}")
    return numbers.reshape(shape)


def _unpacked(file: Path, content: bytes) -> bytes:
    """What one or several gzip streams hold; DigitsError for a broken one, and for other bytes behind the last."""
    parts = []
    while content:
        if not content.startswith(GZIP):
            left = f"{len(content):,} bytes behind the end of its gzip stream"
            raise DigitsError(f"{file} has {left}, which are none of it")
        stream = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
        try:
            parts.append(stream.decompress(content))
        except zlib.error as error:
            raise DigitsError(f"{file} is damaged: {first_line(error)}") from None
        if not stream.eof:
            raise DigitsError(f"{file} is damaged: its gzip stream ends too early")
        content = stream.unused_data.lstrip(b"\0")  # zeros fill up a block of a tape
    return b"".join(parts)
