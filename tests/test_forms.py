"""Files of digits as users have them: each form is read, and what is no file of digits is told in one line."""

import gzip
import struct

import numpy as np
import pytest
from click.testing import CliRunner

from betavae_core import paths
from betavae_core.images import digit_files, digits
from betavae_workshop import cli, digit_forms


@pytest.fixture(scope="module")
def sound():
    """Images and labels, some of each class."""
    images, labels = digits.load()
    return images[::20], labels[::20]


def idx(array):
    header = b"\0\0\x08" + bytes([array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape)
    return header + np.ascontiguousarray(array, np.uint8).tobytes()


def keras(folder, images, labels):
    np.savez(folder / "mnist.npz", x_train=images, y_train=labels, x_test=images[:3], y_test=labels[:3])
    return [folder / "mnist.npz"]


def bare(folder, images, labels):
    np.savez(folder / "digits.npz", images=images, labels=labels.astype(np.int64))
    return [folder / "digits.npz"]


def project(folder, images, labels):
    return [digit_forms.write(folder / "own.npz", images, labels)]


def ubyte(folder, images, labels, end=""):
    """The names of MNIST and Fashion-MNIST; with a dot in older copies."""
    pair = [folder / f"train-images-idx3-ubyte{end}", folder / f"train-labels-idx1-ubyte{end}"]
    for file, array in zip(pair, (images, labels), strict=True):
        content = idx(array)
        file.write_bytes(gzip.compress(content) if end else content)
    return pair


def compressed(folder, images, labels):
    return ubyte(folder, images, labels, ".gz")


@pytest.mark.parametrize("form", [keras, bare, project, ubyte, compressed])
def test_each_form_is_read_and_imported(form, sound, tmp_path):
    images, labels = sound
    named = form(tmp_path, images, labels)
    for file in named:  # either file of a pair finds the other
        found = digit_forms.read(file)
        assert (found[0] == images).all()
        assert (found[1] == labels).all()
        assert found[1].dtype == np.uint8
    target = tmp_path / "imported.npz"
    done = CliRunner().invoke(cli.main, ["data", "import", *map(str, named), "--to", str(target)])
    assert done.exit_code == 0, done.output
    assert done.stdout == f"digits: {target} ({len(images)}; BETAVAE_DIGITS={target} uses them)\n"
    assert (digits.load(target)[0] == images).all()
    assert str(np.load(target)["sha256"]) == digits.pixel_hash(images)


def nan(images):
    images = images.astype(float)
    images[3, 2, 1] = np.nan
    return images


def blank(images):
    images = images.copy()
    images[7] = 0
    return images


def same(labels):
    return labels


ARRAYS = [  # what is done to the images, to the labels, what the line says
    (lambda x: x / 255, same, r"images of type float64 from 0 to 1"),
    (lambda x: x.astype(np.float32), same, "images of type float32 from 0 to 255"),
    (nan, same, "images of type float64 with NaN or infinity among them"),
    (lambda x: x.astype(np.uint16) * 257, same, "images of type uint16 from 0 to 65535"),
    (lambda x: x > 127, same, "images of type bool"),
    (lambda x: np.uint8(x > 127), same, "grey levels from 0 to 1 only"),
    (lambda x: x[:, 10:18, 10:18], same, "images of shape 50 x 8 x 8"),
    (lambda x: np.pad(x, ((0, 0), (18, 18), (18, 18))), same, "images of shape 50 x 64 x 64"),
    (lambda x: x.reshape(50, -1), same, "images of shape 50 x 784"),
    (lambda x: x[..., None], same, "images of shape 50 x 28 x 28 x 1"),
    (blank, same, "1 blank images, the first of them number 7"),
    (lambda x: x[:49], same, r"49 images and labels of shape \(50,\)"),
    (same, lambda y: np.arange(50) % 47, "47 classes, labels 0 to 46"),
    (same, lambda y: y + 1, "10 classes, labels 1 to 10"),
    (same, lambda y: y.astype(np.int8) - 1, "10 classes, labels -1 to 8"),
    (same, lambda y: np.where(y == 7, 1, y), "no image of class 7"),
    (same, lambda y: y.astype(str), "labels of type <U"),
    (same, lambda y: y.astype(float), "labels of type float64"),
    (same, lambda y: np.eye(10)[y], r"labels of shape \(50, 10\)"),
    (same, lambda y: y.astype(object), "holds Python objects, which are never read"),
    (lambda x: x[:0], lambda y: y[:0], "no image of class 0, 1, 2"),
]


def refused(file, message):
    with pytest.raises(digit_files.DigitsError, match=message) as error:
        digit_forms.read(file)
    told = str(error.value)
    assert "\n" not in told
    assert file.name in told
    return told


@pytest.mark.parametrize(("pixels", "classes", "message"), ARRAYS)
def test_what_is_wrong_with_arrays_is_said(pixels, classes, message, sound, tmp_path):
    images, labels = sound
    (file,) = bare(tmp_path, images, labels)
    np.savez(file, images=pixels(images), labels=classes(labels))
    assert "wanted are whole grey levels from 0 to 255" in refused(file, message)


FILES = [  # content, what the line says
    (b"", "is damaged: it is empty"),
    (b"label,1x1,1x2\n5,0,0\n", "is text, such as CSV"),
    (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 3\n", "Git LFS pointer.*git lfs pull"),
    (b"\x93NUMPY\x01\x00v\x00", r"single array \(\.npy\)"),
    (b"\x89HDF\r\n\x1a\n", "none of the forms"),
    (b"PK\x03\x04 and nothing more", "is damaged"),
    (b"\0\0\x0d\x03" + 12 * b"\0", "no IDX file of unsigned bytes .it starts with 00 00 0d 03"),
    (idx(np.zeros((2, 28, 28)))[:-5], "is damaged: 1,563 numbers for axes of"),
    (gzip.compress(idx(np.zeros((2, 28, 28))), mtime=0)[:-9], "is damaged: its gzip stream ends too early"),
    (gzip.compress(idx(np.zeros((2, 28, 28))), mtime=0) + b"more", "has 4 bytes behind the end of its gzip stream"),
    (b"\0\0\x08\x03" + struct.pack(">3I", 2**16, 2**16, 2**32 - 1), "is damaged: 0 numbers for axes of"),
    (b"\0\0\x08\x03" + struct.pack(">3I", 2**31, 2**31, 4), "is damaged: 0 numbers for axes of"),
    (b"\0\0\x08\x03" + struct.pack(">3I", 0, 2**32 - 1, 2**32 - 1), "is damaged: 0 numbers for axes of"),
]


@pytest.mark.parametrize(("content", "message"), FILES)
def test_what_a_file_is_that_holds_no_digits_is_said(content, message, tmp_path):
    file = tmp_path / "train-images-idx3-ubyte"
    file.write_bytes(content)
    (tmp_path / "train-labels-idx1-ubyte").write_bytes(idx(np.arange(2)))
    told = refused(file, message)
    assert "unsafe" not in told
    assert "pickled" not in told


def test_other_arrays_half_a_pair_and_a_missing_file_are_told(sound, tmp_path):
    np.savez(tmp_path / "other.npz", a=sound[0], b=sound[1])
    refused(tmp_path / "other.npz", "holds a, b; wanted")
    _, labels = ubyte(tmp_path, *sound)
    labels.unlink()
    refused(tmp_path / "train-images-idx3-ubyte", "half of a pair .* there is no train-labels-idx1-ubyte beside it")
    refused(tmp_path / "absent.npz", "no MNIST digits at")
    refused(tmp_path, "cannot be read: Is a directory")


@pytest.mark.parametrize("line", ["sweep mixing --explain", "book", "chapter theory", "page theory"])
def test_a_command_that_needs_digits_says_so_before_it_does_anything(line, tmp_path, monkeypatch):
    file = tmp_path / "digits.csv"
    file.write_text("5,0,0\n")
    monkeypatch.setenv("BETAVAE_DIGITS", str(file))
    done = CliRunner().invoke(cli.main, line.split())
    assert done.exit_code == 2
    assert done.stderr.startswith(f"betavae: {file} is text, such as CSV; wanted are")
    assert done.stderr.count("\n") == 1


def test_a_run_on_a_form_that_only_an_import_reads_says_what_makes_it_one(sound, tmp_path):
    for end in ("", ".gz"):
        with pytest.raises(digit_files.DigitsError, match="`betavae data import` makes a file of it that is read"):
            digits.load(ubyte(tmp_path, *sound, end)[0])


def test_an_import_never_replaces_the_digits_that_come_with_the_project(sound, tmp_path):
    (file,) = bare(tmp_path, *sound)
    before = paths.EMBEDDED_DIGITS.read_bytes()
    done = CliRunner().invoke(cli.main, ["data", "import", str(file), "--to", str(paths.EMBEDDED_DIGITS)])
    assert done.exit_code == 2
    assert paths.EMBEDDED_DIGITS.read_bytes() == before


def test_an_import_replaces_no_file_that_holds_anything_else(sound, tmp_path):
    """Other digits may be those of stored networks; the very file that is read may hold more than digits."""
    (file,) = bare(tmp_path, *sound)
    target = tmp_path / "README.md"
    target.write_text("precious")
    words = ["data", "import", str(file), "--to", str(target)]
    done = CliRunner().invoke(cli.main, words)
    assert (done.exit_code, done.stderr) == (2, f"betavae: {target} is there and holds no digits; --to another file\n")
    assert target.read_text() == "precious"
    digit_forms.write(target, sound[0][::-1], sound[1][::-1])
    before = target.read_bytes()
    for of in (words, [*words[:-1], str(file)]):
        done = CliRunner().invoke(cli.main, of)
        assert done.exit_code == 2 and done.stderr.endswith("other digits; --to another file, or remove it\n")
    assert target.read_bytes() == before
    digit_forms.write(target, *sound)
    assert CliRunner().invoke(cli.main, words).exit_code == 0
    assert (digits.load(target)[0] == sound[0]).all()


def test_several_gzip_streams_and_zeros_behind_them_are_one_file(sound, tmp_path):
    images, labels = sound
    content = idx(images)
    named, _ = ubyte(tmp_path, images, labels)
    named.write_bytes(gzip.compress(content[:100]) + gzip.compress(content[100:]) + bytes(512))
    assert (digit_forms.read(named)[0] == images).all()


def test_a_pixel_that_was_flipped_is_noticed_by_whoever_reads_the_file(sound, tmp_path):
    """`data import` sealed such a file anew, where `BETAVAE_DIGITS` refused it."""
    images, labels = (array.copy() for array in sound)
    recorded = digits.pixel_hash(images)
    images[3, 14, 14] ^= 1
    file, target = tmp_path / "hurt.npz", tmp_path / "imported.npz"
    np.savez(file, images=images, labels=labels, sha256=recorded)
    refused(file, "is damaged: its pixels do not have the recorded SHA-256")
    done = CliRunner().invoke(cli.main, ["data", "import", str(file), "--to", str(target)])
    assert done.exit_code == 2
    assert done.stderr.startswith(f"betavae: {file} is damaged: its pixels do not have the recorded SHA-256")
    assert not target.exists()
