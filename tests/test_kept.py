"""What a build derives from stored networks is computed once, and again when anything that it rests on has changed."""

import shutil

import numpy as np
import pytest
import xarray as xr

from betavae_core import machine, paths
from betavae_core.findings import prediction
from betavae_core.results import kept, sweep
from betavae_core.results.kept import COUNTED


@pytest.fixture
def build(tmp_path, monkeypatch):
    """A build of a copy of the core, with digits of its own."""
    shutil.copytree(paths.PACKAGE, tmp_path / "betavae_core", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copyfile(paths.EMBEDDED_DIGITS, tmp_path / "digits.npz")
    monkeypatch.setattr(paths, "ROOT", tmp_path)
    monkeypatch.setattr(paths, "BUILD", tmp_path / "_build")
    monkeypatch.setenv("BETAVAE_STAGE", str(tmp_path / "stage"))
    monkeypatch.setenv("BETAVAE_DIGITS", str(tmp_path / "digits.npz"))
    return tmp_path


def files(build):
    return sorted((build / "_build/cache/derived").glob("*.nc"))


@pytest.fixture
def function():
    """A kept function that stands in the module `prediction`, and what it was called with."""
    calls = []

    def derived(stored, labels=(1, 2), betas=None) -> xr.Dataset:
        calls.append((stored, labels, betas))
        twice = stored.tie * np.mean(labels)
        return xr.Dataset({"twice": twice.assign_attrs(unit="nats")}, attrs={"experiment": stored.experiment})

    derived.__module__ = prediction.__name__
    return kept.kept(derived), calls


@pytest.fixture(scope="module")
def stored():
    return sweep.load("mixing-diagonal")


def test_what_is_kept_is_what_was_computed(build, monkeypatch):
    first = prediction.prediction("mixing", [1.0, 20.0], range(2))
    monkeypatch.setattr(prediction, "drawn", None)  # computing anew would fail
    xr.testing.assert_identical(prediction.prediction("mixing", np.array([1.0, 20.0]), [0, 1]), first)
    [file] = files(build)
    assert file.name.startswith("prediction-")
    with pytest.raises(TypeError):
        prediction.prediction("mixing", [1.0, 20.5], range(2))
    monkeypatch.undo()
    xr.testing.assert_identical(prediction.prediction("mixing", [1.0, 20.0], range(2)), first)


def test_only_a_build_keeps(build, function, stored, monkeypatch):
    derived, calls = function
    monkeypatch.delenv("BETAVAE_STAGE")
    derived(stored)
    derived(stored)
    assert (len(calls), files(build)) == (2, [])


def test_other_inputs_are_computed_anew(build, function, stored):
    """One number of a Dataset, its name, a coordinate, any argument; the same given in another way is the same."""
    derived, calls = function
    moved, renamed = stored.copy(deep=True), stored.assign_attrs(experiment="other")
    moved.tie.values[0, 0] += 1e-9
    elsewhere = stored.assign_coords(beta=stored.beta * 2)
    keyed = stored.copy(deep=True)
    keyed.key.values[0, 0] = "another network"
    inputs = [(each,) for each in (stored, moved, renamed, elsewhere, keyed)]
    inputs += [(stored, (1, 3)), (stored, (1, 2), [1.0]), (stored, (1, 2), [2.0])]
    for count, arguments in enumerate(inputs, start=1):
        found = derived(*arguments)
        assert len(calls) == count
        xr.testing.assert_identical(derived(*arguments), found)
        assert len(calls) == count
    derived(stored, labels=[1, 2], betas=None)
    assert len(calls) == count


@pytest.mark.parametrize(
    ("file", "again"),
    [
        ("betavae_core/findings/prediction.py", True),  # its own
        ("betavae_core/theory/alignment.py", True),  # imported by it
        ("betavae_core/images/digit_files.py", True),  # by what it imports
        ("betavae_core/results/kept.py", True),
        ("digits.npz", True),
        ("betavae_core/showing/tables.py", False),
        ("betavae_core/findings/turned_networks.py", False),
    ],
)
def test_an_edit_of_what_it_can_reach_computes_it_anew(build, function, stored, file, again):
    derived, calls = function
    derived(stored)
    (build / file).write_bytes((build / file).read_bytes() + b"\n# edited\n")
    derived(stored)
    assert len(calls) == 1 + again


@pytest.mark.parametrize("package", COUNTED)
def test_another_version_of_what_computes_computes_it_anew(build, function, stored, package, monkeypatch):
    derived, calls = function
    derived(stored)
    usual = machine.installed
    monkeypatch.setattr(machine, "installed", lambda name: "0.0" if name == package else usual(name))
    derived(stored)
    assert len(calls) == 2


@pytest.mark.parametrize("damage", [lambda b: b[:-1], lambda b: b[:500] + b"x" + b[501:], lambda b: b""])
def test_a_damaged_file_is_told_of_and_made_good(build, function, stored, damage):
    derived, calls = function
    first = derived(stored)
    [file] = files(build)
    file.write_bytes(damage(file.read_bytes()))
    with pytest.warns(UserWarning, match=rf"^{file.name} is damaged \(it is not whole: its SHA-256 differs\); it is"):
        xr.testing.assert_identical(derived(stored), first)
    xr.testing.assert_identical(derived(stored), first)
    assert len(calls) == 2


def test_where_nothing_can_be_written_it_is_computed_each_time(build, function, stored):
    derived, calls = function
    (build / "_build").write_text("no folder")
    with pytest.raises(NotADirectoryError):
        (build / "_build/cache").mkdir()
    derived(stored)
    derived(stored)
    assert len(calls) == 2


def test_what_was_used_longest_ago_goes(build, function, stored, monkeypatch):
    derived, calls = function
    monkeypatch.setattr(kept, "MOST", 2)
    for labels in ((1, 1), (2, 2), (1, 1), (3, 3), (1, 1)):
        derived(stored, labels)
    assert [labels for _, labels, _ in calls] == [(1, 1), (2, 2), (3, 3)]
    assert len(files(build)) == 2
    derived(stored, (3, 3))  # used after the second, and kept
    assert len(calls) == 3
