import hashlib
import shutil

import cv2
import numpy as np
import pytest

from betavae_core import paths
from betavae_core.images import digits


def test_embedded_digits_are_the_first_hundred_of_each_class():
    images, labels = digits.load()
    assert images.shape == (1000, 28, 28)
    assert images.dtype == np.uint8
    assert (np.bincount(labels) == 100).all()
    assert hashlib.sha256(images.tobytes()).hexdigest() == digits.EMBEDDED_SHA256


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(digits.DigitsError, match=r"no MNIST digits at .*absent\.npz"):
        digits.load(tmp_path / "absent.npz")


@pytest.mark.parametrize("damage", ["truncate", "empty", "text", "pixel", "no labels"])
def test_a_damaged_file_is_named(tmp_path, damage):
    file = tmp_path / "digits.npz"
    shutil.copy(paths.EMBEDDED_DIGITS, file)
    if damage == "truncate":
        file.write_bytes(file.read_bytes()[:5000])
    elif damage == "empty":
        file.write_bytes(b"")
    elif damage == "text":
        file.write_text("not an archive")
    else:
        images, labels = digits.load()
        images[3, 10, 10] ^= 1
        np.savez_compressed(file, images=images, **({"labels": labels} if damage == "pixel" else {}))
    with pytest.raises(digits.DigitsError, match=r"digits\.npz is damaged") as error:
        digits.load(file)
    assert "\n" not in str(error.value)


def test_a_pickle_is_never_loaded(tmp_path):
    file = tmp_path / "digits.npz"
    np.savez(file, images=np.array([{"a": 1}], dtype=object), labels=np.zeros(1))
    with pytest.raises(digits.DigitsError, match="damaged"):
        digits.load(file)


def test_paste_centres_the_tile_and_keeps_its_grey_levels():
    tile = digits.load()[0][123]
    canvas = digits.paste(tile)
    assert canvas.shape == (40, 40)
    np.testing.assert_array_equal(canvas[6:34, 6:34], tile)
    assert canvas.sum() == tile.sum()


@pytest.mark.parametrize("offset", [(3, 0), (0, -5), (2.5, 1.25), (-4.75, 6.5)])
def test_offset_moves_the_centre_of_mass_right_and_down(offset):
    tile = digits.load()[0][250]

    def centre(picture):
        moments = cv2.moments(picture)
        return np.array([moments["m10"], moments["m01"]]) / moments["m00"]

    moved = centre(digits.paste(tile, offset)) - centre(digits.paste(tile))
    assert moved == pytest.approx(offset, abs=0.05)  # OpenCV rounds sub-pixel shifts to 1/32 px
