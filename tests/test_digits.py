import hashlib
import shutil

import cv2
import numpy as np
import pytest

from betavae_core import paths
from betavae_core.images import digits
from betavae_workshop import digit_forms


def test_embedded_digits_are_the_first_hundred_of_each_class():
    images, labels = digits.load()
    assert images.shape == (1000, 28, 28)
    assert images.dtype == np.uint8
    assert (np.bincount(labels) == 100).all()
    assert hashlib.sha256(images.tobytes()).hexdigest() == digits.EMBEDDED_SHA256


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(digits.DigitsError, match=r"no MNIST digits at .*absent\.npz"):
        digits.load(tmp_path / "absent.npz")


@pytest.mark.parametrize("damage", ["truncate", "pixel"])
def test_a_damaged_file_is_named(tmp_path, damage):
    file = tmp_path / "digits.npz"
    shutil.copy(paths.EMBEDDED_DIGITS, file)
    if damage == "truncate":
        file.write_bytes(file.read_bytes()[:5000])
    else:
        images, labels = digits.load()
        digit_forms.write(file, images, labels)
        changed = images.copy()
        changed[3, 10, 10] ^= 1
        np.savez(file, images=changed, labels=labels, sha256=digits.pixel_hash(images))
    with pytest.raises(digits.DigitsError, match=r"digits\.npz is damaged") as error:
        digits.load(file)
    assert "\n" not in str(error.value)


def test_the_project_s_own_digits_need_no_recorded_hash_to_be_verified(tmp_path, monkeypatch):
    images, labels = digits.load()
    file = tmp_path / "mnist_digits.npz"
    np.savez(file, images=np.roll(images, 1, 1), labels=labels)
    assert digits.load(file)[0].shape == images.shape
    monkeypatch.setattr(paths, "EMBEDDED_DIGITS", file)
    digits._loaded.cache_clear()
    with pytest.raises(digits.DigitsError, match="is damaged: its pixels"):
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
