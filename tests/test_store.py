import collections
import hashlib
import json
import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from betavae_core import files, paths
from betavae_core.errors import UsageError
from betavae_core.findings import latents
from betavae_core.results import netcdf, planning, record, store
from betavae_core.results.members import DETAILED, Member, Specification
from betavae_core.theory.terms import SCALARS
from betavae_workshop.sweeping import publishing, survey, writing

SPEC = Specification("mixing", samples=10, epochs=1)


@pytest.fixture(autouse=True)
def stores(tmp_path, monkeypatch):
    """An empty working store and an empty published folder."""
    monkeypatch.setenv("BETAVAE_RESULTS", str(tmp_path / "working"))
    monkeypatch.setenv("BETAVAE_PUBLISHED", str(tmp_path / "published"))
    return tmp_path


def member(beta=1.0, realization=0):
    return Member(SPEC, beta, realization)


def values(seed=0, detailed=True):
    rng = np.random.default_rng(seed)
    found = {name: float(rng.standard_normal()) for name in SCALARS}
    if detailed:
        found |= {
            "curve": rng.standard_normal(10).astype(np.float32),
            "latent_mean": rng.standard_normal((6, 2)).astype(np.float16),
            "latent_std": rng.random((6, 2)).astype(np.float16),
            "reconstructions": rng.integers(0, 256, (3, 40, 40), dtype=np.uint8),
            "traversals": rng.integers(0, 256, (2, 7, 40, 40), dtype=np.uint8),
            "grey_scale": np.float32(1.5),
        }
    return found


def test_what_is_written_is_read_back():
    expected = values()
    writing.write(member(), expected, {"seconds": 1.5})
    found = store.read(member())
    for name, value in expected.items():
        np.testing.assert_array_equal(found[name].values, value)
    assert found.attrs["seconds"] == 1.5
    assert not found.attrs["diverged"]
    assert store.read(member(beta=2.0)) is None


@pytest.mark.parametrize("damage", ["truncated", "empty", "foreign", "rewritten", "another member", "text"])
def test_a_bad_file_is_moved_aside_and_its_member_is_missing(damage):
    file = writing.write(member(), values(), {})
    if damage == "truncated":
        file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    elif damage == "empty":
        file.write_bytes(b"")
    elif damage == "text":
        file.write_text("hello")
    elif damage == "foreign":
        xr.Dataset({"a": 1}).to_netcdf(file, engine="h5netcdf")
    elif damage == "rewritten":
        dataset = xr.load_dataset(file, engine="h5netcdf")
        dataset["tie"] = dataset.tie + 1e-12
        dataset.to_netcdf(file, engine="h5netcdf")
    else:
        shutil.copy(writing.write(member(beta=9.0), values(1), {}), file)
    with pytest.warns(UserWarning, match="is not a stored member"):
        assert store.read(member()) is None
    assert not file.exists()
    assert file.with_suffix(".bad").exists()
    writing.write(member(), values(), {})
    assert store.read(member()) is not None


def test_a_bad_file_that_cannot_be_moved_aside_is_told_to_stay():
    """`moved to` was said, and the file stayed."""
    file = writing.write(member(), values(), {})
    file.write_bytes(b"")
    (file.with_suffix(".bad") / "in the way").mkdir(parents=True)
    with pytest.warns(UserWarning, match=rf"{file.name} is not a stored member .*; it cannot be moved to .*\.bad: "):
        assert store.read(member()) is None
    assert file.exists()


CANNOT = [(files, "read_sealed", error) for error in (MemoryError(), PermissionError(13, "denied"), OSError(5, "I/O"))]


@pytest.mark.parametrize(("place", "name", "cause"), [*CANNOT, (xr, "decode_cf", MemoryError())])
def test_a_sound_file_that_cannot_be_read_now_stays_where_it_is(place, name, cause, monkeypatch):
    """Want of memory and a disk that does not answer say nothing of the file."""
    file = writing.write(member(), values(), {})

    def fail(*_, **__):
        raise cause

    monkeypatch.setattr(place, name, fail)
    with pytest.raises(type(cause)):
        store.read(member())
    monkeypatch.undo()
    assert file.exists()
    assert not file.with_suffix(".bad").exists()


def test_a_reader_that_is_not_installed_is_told_and_no_file_is_called_damaged(monkeypatch):
    file = writing.write(member(), values(), {})
    published = publishing.publish([member()])
    monkeypatch.setitem(sys.modules, "h5py", None)
    for look in (lambda: store.read(member()), lambda: survey.published_index(SPEC), lambda: store.collect([member()])):
        store._remembered.cache_clear()
        with pytest.raises(UsageError, match=r"stored networks cannot be read: .*h5py.*`make env`"):
            look()
    assert file.exists()
    assert published.exists()


def test_a_writer_that_is_not_installed_is_told_before_anything_is_trained(monkeypatch):
    monkeypatch.setitem(sys.modules, "h5netcdf", None)
    with pytest.raises(UsageError, match=r"networks cannot be stored: .*h5netcdf.*`make env`"):
        writing.check_writable()


def test_every_flipped_bit_is_noticed_before_hdf5_sees_it(rng):
    """HDF5 itself aborts the process on some of them."""
    file = writing.write(member(), values(), {"seconds": 1.5})
    whole = file.read_bytes()
    for place in rng.integers(0, 8 * len(whole), 300):
        damaged = bytearray(whole)
        damaged[place // 8] ^= 1 << place % 8
        file.write_bytes(damaged)
        with pytest.warns(UserWarning, match="it is not whole"):
            assert store.read(member()) is None


@pytest.mark.parametrize("kind", ["member", "published", "kept", "anything"])
def test_a_stored_file_is_plain_netcdf_and_is_read_here_as_xarray_reads_it(kind, tmp_path):
    file = tmp_path / "file.nc"
    anything = {
        "scalar": ((), 1.5),
        "text": ((), "a word"),
        "texts": ("x", np.array(["one", "two", ""], object)),
        "flags": (("x", "y"), np.array([[True, False]] * 3)),
        "bytes": (
            ("y", "x"),
            np.zeros((2, 3), np.uint8),
            {"unit": "grey", "range": [0, 255], "one": 1, "many": ["a", "b"]},
        ),
    }
    if kind == "member":
        file = writing.write(member(), values(), {"seconds": 1.5})
    elif kind == "published":
        writing.write(member(), values(), {})
        file = publishing.publish([member()])
    else:
        coords = {"x": [1.0, 2.0, np.nan]} if kind == "anything" else {}
        xr.Dataset(anything, coords, {"n": 3, "name": "β"}).to_netcdf(file, engine="h5netcdf")
        files.write_sealed(file, file.read_bytes())
    expected, found = xr.load_dataset(file, engine="h5netcdf"), netcdf.loaded(file)
    xr.testing.assert_identical(found, expected)
    assert [found[name].dtype for name in found.variables] == [expected[name].dtype for name in found.variables]
    assert [type(value) for value in found.attrs.values()] == [type(expected.attrs[name]) for name in found.attrs]


@pytest.mark.parametrize("damage", ["truncated", "changed"])
def test_a_damaged_published_file_is_refused_in_one_line(damage):
    writing.write(member(), values(), {})
    file = publishing.publish([member()])
    if damage == "truncated":
        file.write_bytes(file.read_bytes()[:-100])
    else:
        dataset = xr.load_dataset(file, engine="h5netcdf")
        dataset["tie"] = dataset.tie + 1e-12
        dataset.to_netcdf(file, engine="h5netcdf")
    with pytest.raises(
        UsageError, match=r"mixing,samples=10,epochs=1\.nc is damaged \(.*\); git checkout brings it back"
    ):
        store.collect([member()])


def test_collecting_labels_what_there_is_and_leaves_the_rest_empty():
    members = [member(beta, realization) for realization in range(7) for beta in (1.0, 5.0)]
    for m in members[:-1]:
        writing.write(m, values(int(10 * m.beta) + m.realization, m.realization < DETAILED), {})
    dataset = store.collect(members)
    assert dict(dataset.sizes).items() >= {"beta": 2, "realization": 7, "detailed": 5}.items()
    assert float(dataset.tie.sel(beta=5.0, realization=3)) == values(53)["tie"]
    assert np.isnan(dataset.tie.sel(beta=5.0, realization=6))
    assert (dataset.key.values != "").sum() == 13
    np.testing.assert_array_equal(dataset.traversals.sel(beta=1.0, detailed=2).values, values(12)["traversals"])
    assert dataset.tie.attrs["units"] == "nats"


def test_latents_of_more_realizations_than_pictures_are_kept_and_filled_in_where_they_lack():
    """Realization 5 was stored before any but the first five kept latents."""
    members = [member(realization=r) for r in range(8)]
    pictures = ("curve", "reconstructions", "traversals", "grey_scale")
    for m in members:
        left_out = () if m.realization < DETAILED else pictures if m.realization > 5 else tuple(record.DETAILS)
        writing.write(m, {n: v for n, v in values(m.realization).items() if n not in left_out}, {})
    publishing.publish(members[:6])
    assert store.load_published(SPEC).sizes["detailed"] == 5
    before = store.collect(members)
    assert before.sizes["detailed"] == 8
    assert latents.with_latents(before) == [0, 1, 2, 3, 4, 6, 7]
    assert publishing.lacking(members) == [members[5]]
    assert publishing.complete({members[5]: values(5)}) == [0]
    after = store.collect(members)
    assert publishing.lacking(members) == []
    for r in range(8):
        expected = values(r)
        np.testing.assert_array_equal(after.latent_mean.values[0, r], expected["latent_mean"])
        np.testing.assert_array_equal(after.traversals.values[0, r], expected["traversals"] if r < 6 else 0)
    assert latents.with_latents(store.collect(members[:3])) == [0, 1, 2]
    other, five = after.assign_coords(beta=[2.0]), after.isel(detailed=slice(5))
    for shown, whole in (
        (record.joined(five, other), 1),
        (record.joined(other, five), 1),
        (record.joined(after, other), 0),
    ):
        np.testing.assert_array_equal(shown.latent_mean.values[1, :5], after.latent_mean.values[0, :5])
        assert latents.with_latents(shown.isel(beta=[whole])) == [*range(8)]


def test_a_diverged_member_says_so_and_never_enters_a_mean():
    bad = values(1, detailed=False) | {"elbo": np.inf}
    writing.write(member(realization=0), bad, {})
    writing.write(member(realization=1), values(2), {})
    dataset = store.collect([member(realization=0), member(realization=1)])
    assert dataset.diverged.values.tolist() == [[True, False]]
    assert float(dataset.elbo.mean()) == values(2)["elbo"]
    assert np.isnan(dataset.tie.values[0, 0])


def test_published_results_are_enough_and_working_ones_fill_their_gaps(stores):
    members = [member(beta, realization) for realization in range(2) for beta in (1.0, 5.0)]
    for m in members:
        writing.write(m, values(int(10 * m.beta) + m.realization), {"package": "1.2", "tensorflow": "3.4"})
    before = store.collect(members)
    file = publishing.publish(members)
    shutil.rmtree(stores / "working")
    after = store.collect(members)
    xr.testing.assert_equal(after.drop_vars(["key", "made_by"]), before.drop_vars(["key", "made_by"]))
    assert (after.key == before.key).all()
    assert set(after.made_by.values.ravel()) == {"betavae-core 1.2, TensorFlow 3.4, ?"}
    assert (before.attrs["working"], before.attrs["published"]) == (4, 0)
    assert (after.attrs["working"], after.attrs["published"]) == (0, 4)
    more = [*members, member(5.0, 2)]
    writing.write(more[-1], values(999), {})
    assert float(store.collect(more).tie.sel(beta=5.0, realization=2)) == values(999)["tie"]
    assert publishing.publish(more) == file
    before = file.read_bytes()
    assert publishing.publish(more) == file
    assert file.read_bytes() == before
    writing.write(member(9.0), values(9), {})
    assert publishing.publish([member(7.0)]) is None  # what is published is of others
    assert publishing.publish([member(9.0)]) == file  # publishing a few keeps the others
    assert len(survey.published_index(SPEC)) == 6
    assert store.collect([member(7.0)]).key.values.tolist() == [[""]]


def test_networks_of_other_digits_never_take_the_place_of_published_ones(monkeypatch):
    writing.write(member(), values(), {})
    file = publishing.publish([member()])
    before = file.read_bytes()
    monkeypatch.setattr(Member, "key", property(lambda self: f"other-{self.beta}-{self.realization}"))
    for other in (member(), member(5.0)):
        writing.write(other, values(9), {})
    told = r"mixing.*\.nc holds other networks at beta 1, realization 0: .* digits .*; set BETAVAE_PUBLISHED$"
    with pytest.raises(UsageError, match=told):
        publishing.publish([member(5.0), member()])
    assert file.read_bytes() == before


@pytest.mark.parametrize("verb", ["publish", "complete"])
def test_who_publishes_waits_for_another_and_keeps_what_that_one_wrote(verb, monkeypatch, capsys):
    for beta in (1.0, 5.0):
        writing.write(member(beta), values(), {})
    file = publishing.publish([member()])
    save, threads = publishing._save, []

    def slow(dataset, target):
        monkeypatch.setattr(publishing, "_save", save)
        threads.append(threading.Thread(target=publishing.publish, args=([member(5.0)],)))
        threads[0].start()
        threads[0].join(0.3)
        save(dataset, target)

    monkeypatch.setattr(publishing, "_save", slow)
    if verb == "complete":
        publishing.complete({member(): values()})
    else:
        writing.write(member(9.0), values(), {})
        publishing.publish([member(9.0)])
    threads[0].join()
    assert {member().key, member(5.0).key} <= set(survey.published_index(SPEC))
    assert len(survey.published_index(SPEC)) == 2 + (verb == "publish") and file.exists()
    assert capsys.readouterr().err == "another process is publishing; waiting for it\n"


def test_a_file_published_with_its_text_as_strings_is_read_alike():
    """As this project wrote it before text was compressed, and as xarray does."""
    members = [member(), member(5.0, 1)]
    for m in members:
        writing.write(m, values(m.realization), {})
    file = publishing.publish(members)
    known, found = survey.published_index(SPEC), store.collect(members)
    assert len(known) == 2
    plain = xr.load_dataset(file, engine="h5netcdf").drop_encoding()
    for name in record.LABELS:
        plain[name] = plain[name].astype(str)
    files.write_sealed(file, bytes(plain.to_netcdf(engine="h5netcdf")))
    assert survey.published_index(SPEC) == known
    xr.testing.assert_identical(store.collect(members), found)


def test_publishing_nothing_writes_nothing():
    assert publishing.publish([member()]) is None
    assert not store.published(SPEC).exists()


def test_a_dead_process_s_partial_file_is_swept_away_and_a_living_one_s_is_not():
    import socket

    folder = writing.write(member(), values(), {}).parent
    done = subprocess.Popen(["true"])
    done.wait()
    dead, living, elsewhere = (
        folder / f".x.nc.{host}.{pid}.partial"
        for host, pid in (
            (socket.gethostname(), done.pid),
            (socket.gethostname(), os.getppid()),
            ("elsewhere", done.pid),
        )
    )
    for file in (dead, living, elsewhere):
        file.write_text("half")
    writing.write(member(2.0), values(), {})
    assert [file.exists() for file in (dead, living, elsewhere)] == [False, True, True]


def test_a_failed_write_leaves_nothing_behind(monkeypatch):
    monkeypatch.setattr(os, "replace", lambda *_: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        writing.write(member(), values(), {})
    assert list(paths.working_store().rglob("*.*")) == []


def test_no_pickle_is_read(tmp_path):
    import pickle

    file = store.path(member())
    file.parent.mkdir(parents=True)
    file.write_bytes(pickle.dumps({"a": 1}))
    with pytest.warns(UserWarning, match="is not a stored member"):
        assert store.read(member()) is None


def test_published_results_of_the_repository_belong_to_the_current_plan(monkeypatch):
    monkeypatch.undo()
    further = [planning.plan(name, "thesis") for name in ("mixing", "localisation")]  # on from where the published ends
    plans = [*planning.plans(), *further]
    known = collections.defaultdict(set)  # two plans may share a file, at different β
    for plan in plans:
        known[store.published(plan[0].specification)] |= {m.key for m in plan}
    for file in paths.published_store().glob("*.nc"):
        whole = xr.load_dataset(file, engine="h5netcdf")
        assert {key for key in whole.key.values.ravel() if key} <= known[file], file.name


def test_the_published_file_is_named_after_what_is_unusual(monkeypatch):
    monkeypatch.undo()
    assert store.published(Specification("mixing")).name == "mixing.nc"
    unusual = Specification("mixing", epochs=5000, scaling="pixel")
    assert store.published(unusual).name == "mixing,epochs=5000,scaling=pixel.nc"


CHECKSUMS = json.loads((Path(__file__).parent / "published_checksums.json").read_text())


def fingerprint(dataset):
    """SHA-256 over names and bytes of what a chapter reads."""
    state = hashlib.sha256()
    for name in sorted(set(map(str, dataset.data_vars)) - {"made_by", "obliqueness", "obliqueness_heldout"}):
        values = dataset[name].values
        if values.dtype.kind == "f" and np.isnan(values).all():
            continue  # a term that was defined later
        text = "\n".join(map(str, values.ravel())).encode()
        state.update(name.encode() + (text if values.dtype.kind in "OU" else np.ascontiguousarray(values).tobytes()))
    return state.hexdigest()


@pytest.mark.parametrize("name", CHECKSUMS)
def test_published_results_are_what_they_were_before_the_move_into_folders(name, monkeypatch):
    """Bit for bit, keys included; realizations, obliqueness and latents that were published since are left out."""
    monkeypatch.delenv("BETAVAE_PUBLISHED")
    (plan,) = [plan for plan in planning.plans() if plan[0].specification.label == name]
    wanted = [member for member in plan if member.realization < CHECKSUMS[name]["realizations"]]
    then = store.collect(wanted).isel(detailed=slice(5), missing_dims="ignore")
    assert fingerprint(then) == CHECKSUMS[name]["sha256"]


@pytest.mark.parametrize("place", ["working", "published"])
def test_a_file_of_a_later_format_gets_one_line_and_is_left_alone(place, monkeypatch):
    file = writing.write(member(), values(), {})
    if place == "published":
        file = publishing.publish([member()])
    monkeypatch.setattr(record, "FORMAT", 7)
    later = writing.write(member(), values(), {}) if place == "working" else rewritten(file, format=7)
    monkeypatch.undo()
    monkeypatch.setenv("BETAVAE_RESULTS", str(file.parents[1] if place == "working" else file.parent / "none"))
    monkeypatch.setenv("BETAVAE_PUBLISHED", str(file.parent))
    before = later.read_bytes()
    said = r"^[\w,=]+\.nc has format 7, and this version reads up to 1; it is left as it is$"
    with pytest.raises(UsageError, match=said):
        survey.survey([member()])
    assert later.read_bytes() == before


def rewritten(file, **attributes):
    """A published file with other attributes, sealed again."""
    dataset = xr.load_dataset(file, engine="h5netcdf").assign_attrs(attributes)
    writing.save(dataset, file)
    return file


def test_an_older_format_is_read_through_its_reader(monkeypatch):
    writing.write(member(), values(), {})
    monkeypatch.setattr(record, "FORMAT", 2)
    monkeypatch.setitem(record.READERS, 1, lambda dataset: dataset.assign(tie=2 * dataset.tie))
    assert float(store.read(member()).tie) == 2 * values()["tie"]


def test_results_of_other_digits_do_not_fill_a_cell(stores, monkeypatch):
    for r in range(2):
        writing.write(member(realization=r), values(r), {})
    publishing.publish([member(realization=r) for r in range(2)])
    shutil.rmtree(stores / "working")
    assert store.collect([member(realization=r) for r in range(2)]).attrs["published"] == 2
    monkeypatch.setattr("betavae_core.images.digits.fingerprint", lambda: "other")
    found = store.collect([member(realization=r) for r in range(2)])
    assert found.attrs["published"] == 0
    assert np.isnan(found.tie).all()
    assert np.isnan(found.latent_mean).all()


def test_a_stored_member_without_a_later_term_has_it_missing(monkeypatch):
    writing.write(member(), values(), {})
    publishing.publish([member()])
    writing.write(member(2.0), values(), {})
    monkeypatch.setattr(record, "SCALARS", (*SCALARS, "tie_later"))
    monkeypatch.setattr(record, "attributes", lambda name: {})
    found = store.collect([member(), member(2.0)])
    assert np.isnan(found.tie_later).all()
    assert np.isfinite(found.tie).all()


def test_what_is_stored_beside_a_plan_is_found_in_either_store(stores):
    planned, outside = [member(1.0)], [member(3.0), member(1.0, 1), member(7.5)]
    for each in (*planned, *outside[:2]):
        writing.write(each, values(), {})
    publishing.publish([*planned, *outside])
    writing.write(outside[2], values(), {})
    writing.write(Member(Specification("mixing", samples=11, epochs=1), 4.0, 0), values(), {})  # has other settings
    (store.path(member(9.0))).write_bytes(b"damaged")
    assert set(survey.others(planned)) == set(outside)
    for file in (stores / "working/mixing").glob("*.nc"):
        file.unlink()
    assert set(survey.others(planned)) == set(outside[:2])
    assert set(survey.others([*planned, *outside])) == set()
