"""`betavae doctor`: one screen, nothing wrong here; and each thing that can be wrong is seen."""

import os
import re
import shutil

import pytest
from click.testing import CliRunner

from betavae_core import machine, paths
from betavae_workshop import cli
from betavae_workshop.commands import doctor
from tests.conftest import without


def test_one_screen_says_what_is_here_without_loading_tensorflow():
    done = without("tensorflow", "doctor")
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    lines = done.stdout.splitlines()
    assert len(lines) < 24
    subjects = "betavae python lock cores speed memory disk tensorflow kernel digits working published variables wrong"
    assert [line.split()[0] for line in lines] == subjects.split()
    assert lines[-1].split(maxsplit=1)[1] == "nothing found"
    assert f"cores      {machine.cores()} allowed, of {os.cpu_count()}" in lines
    assert re.search(
        r"^speed      U = \d+ s, a network of mixing \(1,000 epochs\) on one core$", done.stdout, re.MULTILINE
    )
    assert int(re.search(r"\bmixing (\d+)", done.stdout)[1]) > 1300  # published, at any settings


def test_what_is_wrong_is_told_with_exit_code_1(results, monkeypatch):
    (results / "mixing").mkdir(parents=True)
    (results / "mixing/x.nc").write_bytes(b"half a file")
    (results / "mixing/y.bad").write_bytes(b"")
    monkeypatch.setattr(doctor, "_started", lambda *_: doctor.Finding("not tried here"))
    done = CliRunner().invoke(cli.main, ["doctor"])
    assert done.exit_code == 1
    assert "none; damaged and set aside: 1; in" in done.stdout
    assert "wrong      working: 1 damaged, such as x.nc (betavae sweep trains it again)" in done.stdout
    assert f"published: no networks in {paths.published_store()}; unset BETAVAE_PUBLISHED, or " in done.stdout


def wrongs(finding):
    return " ".join(finding.wrong)


def test_damage_in_the_published_store_and_a_store_that_is_no_folder(tmp_path):
    source = paths.DATA / "results/mixing-diagonal.nc"
    shutil.copy(source, tmp_path)
    assert doctor._store(tmp_path, "*.nc", "git checkout").told.startswith("mixing-diagonal 156;")
    content = bytearray(source.read_bytes())
    content[len(content) // 2] ^= 1
    (tmp_path / source.name).write_bytes(content)
    assert "1 damaged, such as mixing-diagonal.nc (git checkout)" in wrongs(
        doctor._store(tmp_path, "*.nc", "git checkout")
    )
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    for place in ("mixing-diagonal.nc", "link"):
        assert "is no folder" in wrongs(doctor._store(tmp_path / place, "*/*.nc", ""))
    assert doctor._store(tmp_path / "absent", "*/*.nc", "").wrong == []


@pytest.mark.parametrize(("old", "new", "found"), [("tqdm==", "tqdm==0.", "tqdm "), ("tqdm==", "nowhere==", "absent")])
def test_a_package_that_is_not_as_pinned(old, new, found, tmp_path, monkeypatch):
    text = (paths.ROOT / "requirements.lock").read_text()
    (tmp_path / "requirements.lock").write_text(text.replace(f"\n{old}", f"\n{new}"))
    assert doctor._lock().wrong == []
    monkeypatch.setattr(paths, "ROOT", tmp_path)
    told = wrongs(doctor._lock())
    assert told.startswith("not as requirements.lock pins them: ")
    assert found in told


def test_little_memory_little_disk_and_what_cannot_be_written(tmp_path, monkeypatch):
    assert doctor._memory().wrong == doctor._disk().wrong == []
    monkeypatch.setattr(machine, "memory", lambda: 2**30)
    monkeypatch.setattr(doctor, "LEAST_DISK", 2**60)
    disk = doctor._disk()
    assert wrongs(doctor._memory()) == "1.0 GiB; two chapters at once take 2 (make book JOBS=1)"
    assert "GiB free for _build in" in wrongs(disk)
    (tmp_path / "results").write_text("a file")
    monkeypatch.setenv("BETAVAE_RESULTS", str(tmp_path / "results"))
    monkeypatch.setattr(doctor, "_started", lambda *_: doctor.Finding("not tried here"))
    assert "BETAVAE_RESULTS must be a folder, or absent" in wrongs(dict(doctor.findings())["disk"])


def test_a_part_that_does_not_start_and_digits_that_are_none(tmp_path, monkeypatch):
    absent = doctor._started(["-c", "import nowhere"])
    assert wrongs(absent) == "does not start: ModuleNotFoundError: No module named 'nowhere'"
    killed = doctor._started(["-c", "import os; os.kill(os.getpid(), 4)"])
    assert wrongs(killed) == "does not start: SIGILL"
    (tmp_path / "digits.npz").write_text("none")
    monkeypatch.setenv("BETAVAE_DIGITS", str(tmp_path / "digits.npz"))
    monkeypatch.setattr(doctor, "_started", lambda *_: doctor.Finding("not tried here"))
    found = dict(doctor.findings())
    assert found["digits"].told == "cannot be told"
    assert re.match("digits: DigitsError: .*is text, such as CSV", wrongs(found["digits"]))
