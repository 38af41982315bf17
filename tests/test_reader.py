"""Whatever the reader's own environment holds: settings of other tools, few cores, places that cannot be written."""

import json
import os
import re
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil
import pytest

from betavae_core import machine, paths
from betavae_workshop import environment
from betavae_workshop.building import worker
from betavae_workshop.sweeping import cluster, crews
from tests.test_building import Trio

PERIOD = "cpu,cpuacct/cpu.cfs_period_us"

SEEN = """
import os, sys, numpy, matplotlib.pyplot as plt
from betavae_core.showing import figures
figures.use_style()
print([numpy.__version__ != "another", sys.flags.optimize, sys.warnoptions, "started_up" in globals(), sys.executable,
       plt.rcParams["text.usetex"], plt.rcParams["axes.linewidth"]])
print(sorted(os.environ))
plt.plot([1, 2]);
"""


@pytest.fixture(scope="module")
def trio(tmp_path_factory):
    return Trio(tmp_path_factory.mktemp("a reader's β"), tmp_path_factory.mktemp("chapters"))


def lay(folder, texts):
    """Write texts into files of a folder."""
    for name, text in texts.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)


@pytest.fixture
def leaking(tmp_path):
    """Variables of a reader whose home and shell hold all that has broken a book of this kind somewhere."""
    other = '{"argv": ["false", "{connection_file}"], "display_name": "x", "language": "python"}'
    broken = "text.usetex: True\naxes.linewidth: 9\n"
    lay(
        tmp_path,
        {
            "home/.config/matplotlib/matplotlibrc": broken,
            "home/.ipython/profile_default/startup/00.py": "started_up = True",
            "home/.local/share/jupyter/kernels/python3/kernel.json": other,
            "home/.keras/keras.json": '{"floatx": "float64"',
            "jupyter/kernels/python3/kernel.json": other,
            "python/numpy/__init__.py": '__version__ = "another"',
            "python/click.py": "raise ImportError('another click')",
        },
    )
    return {
        "HOME": str(tmp_path / "home"),
        "IPYTHONDIR": str(tmp_path / "home/.ipython"),
        "JUPYTER_PATH": str(tmp_path / "jupyter"),
        "JUPYTER_PREFER_ENV_PATH": "0",
        "MPLBACKEND": "Agg",
        "PYTHONPATH": str(tmp_path / "python"),
        "PYTHONOPTIMIZE": "2",
        "PYTHONWARNINGS": "error",
        "PYTHONIOENCODING": "ascii",
        "LC_ALL": "C",
        "PYTHONCOERCECLOCALE": "0",
        "PYTHONUTF8": "0",
        "TMPDIR": "/nowhere",
        "KERAS_BACKEND": "nothing",
        "TF_ENABLE_ONEDNN_OPTS": "0",
        "OPENBLAS_CORETYPE": "Prescott",
    }


def test_nothing_of_the_reader_s_own_settings_gets_into_a_chapter_or_its_page(trio, leaking):
    trio.write(theory=SEEN)
    lay(trio.folder, {"matplotlibrc": "axes.linewidth: 9\n"})
    command = [sys.executable, "-m", "betavae_workshop", "page", "theory"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=trio.folder, env={**os.environ, **leaking})
    (trio.folder / "matplotlibrc").unlink()
    assert (done.returncode, done.stderr) == (0, "")
    cells = json.loads((trio.folder / "_build/executed/book/theory.ipynb").read_text())["cells"]
    outputs = [output for cell in cells for output in cell.get("outputs", [])]
    told = "".join(text for output in outputs for text in output.get("text", []))
    assert str([True, 0, [], False, sys.executable, False, 0.8]) in told
    variables = set(re.findall(r"'(\w+)'", told))
    assert variables & set(leaking) == {"HOME", "TMPDIR", "MPLBACKEND", "PYTHONPATH", "PYTHONUTF8", "LC_ALL"}
    assert [output for output in outputs if "image/svg+xml" in output.get("data", {})]
    assert "svg" in (trio.folder / "_build/page/html/book/theory.html").read_text()
    assert list((trio.folder / "_build/tmp").iterdir()) == []


def test_a_kernel_is_this_interpreter_s_own_whatever_python3_names(monkeypatch, leaking):
    from jupyter_client.kernelspec import KernelSpecManager

    monkeypatch.setenv("JUPYTER_PATH", leaking["JUPYTER_PATH"])
    assert KernelSpecManager().get_kernel_spec("python3").argv[0] == "false"
    assert worker._own_kernel()(kernel_name="python3").kernel_spec.argv[0] == sys.executable


def test_training_processes_have_a_home_of_their_own_which_goes_with_them(monkeypatch, leaking):
    for name, value in leaking.items():
        monkeypatch.setenv(name, value)
    with crews.here(1) as [(submit, *_)]:
        home, folder = submit(os.path.expanduser, "~").result(), submit(tempfile.gettempdir).result()
        unset = [submit(os.getenv, name).result() for name in ("TF_ENABLE_ONEDNN_OPTS", "KERAS_BACKEND")]
        assert Path(home).parent == paths.BUILD / "tmp"
    assert (folder, unset) == (home, [None, None])
    assert not Path(home).exists()
    assert os.environ["KERAS_BACKEND"] == "nothing"


def test_what_a_killed_process_left_in_its_home_is_swept_away_by_the_next():
    program = "import os; from betavae_workshop import environment\nwith environment.clean() as found:\n"
    program += " open(found['TMPDIR'] + '/left', 'w'); print(found['HOME'], flush=True); os.kill(os.getpid(), 9)"
    dead = Path(subprocess.run([sys.executable, "-c", program], capture_output=True, text=True).stdout.strip())
    assert (dead / "left").exists()
    with environment.clean() as found, environment.clean():
        assert not dead.exists()
        assert Path(found["HOME"]).is_dir()


def test_this_process_keeps_its_folder_for_temporary_files(monkeypatch):
    """There the fork server has its socket, whose path may have 107 letters; and the workers' home goes."""
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.delenv("TMPDIR", raising=False)
    with crews.single_threaded():
        assert not Path(tempfile.gettempdir()).is_relative_to(paths.BUILD)
        assert os.environ["TMPDIR"] == os.environ["HOME"]


def test_where_build_cannot_be_written_there_is_a_home_all_the_same(monkeypatch):
    monkeypatch.setattr(paths, "BUILD", Path("/proc/nothing"))
    with environment.clean() as found:
        assert list(Path(found["HOME"]).iterdir()) == []


def test_a_cluster_here_leaves_nothing_in_the_folder_for_temporary_files(monkeypatch):
    with cluster.crew(None, 1, lambda line: None) as [(submit, size, _)]:
        assert size("CPU") == 1  # as many as were asked for, whatever the number of cores
        home = submit(os.path.expanduser, "~").result()
        assert [file.name for file in Path(home).iterdir()] == ["dask-scratch-space"]
    assert not Path(home).exists()


def test_opencv_s_own_folder_does_not_count_and_a_reader_s_does(monkeypatch):
    """Else a build started by a process that has loaded OpenCV, as these tests have, would execute all anew."""
    program = "from betavae_workshop import environment as e; before = e.decisive()\n"
    program += "import cv2; print(before == e.decisive())"
    told = {}
    for folder in ("", "/a/reader/s"):
        variables = {**os.environ, "LD_LIBRARY_PATH": folder, "PYTHONPATH": str(paths.ROOT)}
        done = subprocess.run([sys.executable, "-c", program], env=variables, capture_output=True, text=True)
        assert done.stdout == "True\n", done.stderr
        monkeypatch.setenv("LD_LIBRARY_PATH", folder)
        told[folder] = environment.decisive()
    assert told[""] != told["/a/reader/s"]


def test_cores_are_those_that_this_process_is_bound_to():
    before = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {min(before)})
        with crews.here() as [(_, size, _)]:
            assert (machine.cores(), size("CPU")) == (1, 1)
    finally:
        os.sched_setaffinity(0, before)


@pytest.mark.parametrize(
    ("membership", "files", "cores"),
    [
        ("0::/", {"cpu.max": "150000 100000"}, 2),
        ("0::/", {"cpu.max": "max 100000"}, 8),
        ("0::/jobs/one", {"jobs/cpu.max": "300000 100000", "jobs/one/cpu.max": "max 100000"}, 3),
        ("0::/jobs/one", {"jobs/cpu.max": "300000 100000", "jobs/one/cpu.max": "5000 100000"}, 1),
        ("3:cpu,cpuacct:/docker/abc", {"cpu,cpuacct/cpu.cfs_quota_us": "200000", PERIOD: "100000"}, 2),
        ("3:cpu,cpuacct:/docker/abc", {"cpu,cpuacct/cpu.cfs_quota_us": "-1", PERIOD: "100000"}, 8),
        ("1:cpu:/a\n0::/", {"cpu/a/cpu.cfs_quota_us": "400000", "cpu/a/cpu.cfs_period_us": "100000"}, 4),
        ("2:memory:/a", {"cpu.max": "100000 100000"}, 8),
    ],
)
def test_a_container_s_quota_counts_in_both_versions_of_control_groups(membership, files, cores, tmp_path, monkeypatch):
    lay(tmp_path, {f"groups/{name}": text + "\n" for name, text in files.items()} | {"self": membership + "\n"})
    monkeypatch.setattr(machine, "GROUPS", tmp_path / "groups")
    monkeypatch.setattr(machine, "MEMBERSHIP", tmp_path / "self")
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)))
    assert machine.cores() == cores


def test_a_container_s_memory_counts_and_a_machine_without_control_groups_has_what_it_has(tmp_path, monkeypatch):
    monkeypatch.setattr(machine, "MEMBERSHIP", tmp_path / "none")
    whole = machine.memory()
    assert whole > 2**29
    lay(tmp_path, {"self": "4:memory:/one", "groups/memory/one/memory.limit_in_bytes": "1000000"})
    monkeypatch.setattr(machine, "GROUPS", tmp_path / "groups")
    monkeypatch.setattr(machine, "MEMBERSHIP", tmp_path / "self")
    assert machine.memory() == 1_000_000


def test_a_book_is_built_in_an_awkward_place_and_ended_in_order(trio):
    """A path with spaces, β and an apostrophe, no .git, no home, no TMPDIR, few files, umask 077, Latin-1, make -j4."""
    trio.write()
    here = {name: value for name, value in os.environ.items() if name not in ("HOME", "MAKEFLAGS", "MAKELEVEL")}
    here |= {"TMPDIR": "/proc", "LC_ALL": "en_US.ISO-8859-1", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}

    def awkward():
        os.umask(0o077)
        resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))

    command = ["make", "-j4", "--no-print-directory", f"PYTHON={sys.executable}", "book"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=trio.folder, env=here, preexec_fn=awkward)
    assert (done.returncode, done.stderr) == (0, "")
    page = trio.folder / "_build/html/book/theory.html"
    assert "seen in 42" in trio.page(page)
    assert not (trio.folder / ".git").exists()
    (trio.folder / "_config.yml").write_text((trio.folder / "_config.yml").read_text() + "# rendered again\n")
    assert stopped(trio, lambda: [*(trio.folder / "_build").glob("render-*")]).strip() == "betavae: interrupted"
    assert not [*(trio.folder / "_build").glob("render-*")]
    assert page.exists()


def stopped(trio, begun) -> str:
    """Start a book, end its process alone in the ordinary way once `begun`; what it said. Nothing runs after it."""
    command = [sys.executable, "-m", "betavae_workshop", "book"]
    build = subprocess.Popen(command, cwd=trio.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    while not begun():
        assert build.poll() is None
        time.sleep(0.1)
    time.sleep(1)
    children = psutil.Process(build.pid).children(recursive=True)
    assert children
    build.terminate()
    _, told = build.communicate()
    assert psutil.wait_procs(children)[1] == []
    return told


def test_a_build_that_is_ended_while_chapters_run_leaves_nothing_running(trio):
    trio.write(theory="import time; time.sleep(300)")
    assert stopped(trio, lambda: "theory starts" in trio.log()).strip() == "betavae: interrupted"
    assert list((trio.folder / "_build/tmp").iterdir()) == []


@pytest.mark.parametrize(("size", "what"), [("60k", "chapter|No space left"), ("600k", "rendering failed: no space")])
def test_a_disk_that_fills_up_is_one_line(trio, size, what):
    trio.write()
    built = trio.folder / "_build"
    built.mkdir(exist_ok=True)
    if subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", built], capture_output=True).returncode:
        pytest.skip("mounting a file system takes root")
    try:
        command = [sys.executable, "-m", "betavae_workshop", "book"]
        done = subprocess.run(command, capture_output=True, text=True, cwd=trio.folder)
        assert (done.returncode, done.stderr.count("\n")) in ((1, 1), (2, 1)), done.stderr
        assert re.search(what, done.stderr)
        assert not [*built.rglob("*.partial"), *built.glob("render-*")]
    finally:
        subprocess.run(["umount", built], check=True)


def test_a_build_folder_that_cannot_be_written_is_one_line(trio):
    trio.write()
    (trio.folder / "_build").mkdir(exist_ok=True)
    mount = ["mount", "-t", "tmpfs", "-o", "ro", "tmpfs", trio.folder / "_build"]
    if subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("mounting a file system takes root")
    try:
        command = [sys.executable, "-m", "betavae_workshop", "book"]
        done = subprocess.run(command, capture_output=True, text=True, cwd=trio.folder)
        assert (done.returncode, done.stderr.count("\n"), trio.log()) == (2, 1, [])
        told = f"betavae: the folder {trio.folder / '_build'} cannot be written (Read-only file system)\n"
        assert done.stderr == told
    finally:
        subprocess.run(["umount", trio.folder / "_build"], check=True)
