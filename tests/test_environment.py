"""One set of pins: pyproject.toml, requirements.lock and environment.yml agree, and the environment is that one."""

import ast
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import tomllib
from importlib.metadata import packages_distributions, version
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.conftest import heed_interrupts

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]


def pins(file="requirements.lock"):
    found = {}
    for line in re.findall(r"^([\w.-]+==[^\\]+?) *\\?$", (ROOT / file).read_text(), re.MULTILINE):
        requirement = Requirement(line)
        if requirement.marker is None or requirement.marker.evaluate():
            found[canonicalize_name(requirement.name)] = str(requirement.specifier).removeprefix("==")
    return found


def declared(*extras):
    texts = [*PROJECT["dependencies"], *(t for extra in extras for t in EXTRAS[extra])]
    return [Requirement(text) for text in texts]


@pytest.mark.parametrize(
    ("file", "extras"),
    [
        ("requirements.lock", ("cluster",)),
        ("requirements-test.lock", ("cluster", "test")),
        ("requirements-gpu.lock", ("cluster", "gpu")),
    ],
)
def test_the_lock_pins_every_declared_requirement(file, extras):
    locked = pins(file)
    for requirement in declared(*extras):
        assert requirement.specifier.contains(locked[canonicalize_name(requirement.name)]), requirement


def imported(*folders):
    """Other projects whose modules are imported by Python files in these folders, or by cells of chapters there."""
    files = [file for folder in folders for file in (ROOT / folder).rglob("*.py")]
    texts = [file.read_text() for file in files]
    for chapter in (file for folder in folders for file in (ROOT / folder).glob("*.md")):
        cells = re.findall(r"^```\{code-cell\}[^\n]*\n(.*?)^```", chapter.read_text(), re.MULTILINE | re.DOTALL)
        texts += [re.sub(r"\A(---\n.*?^---\n|(:.*?\n)+)", "", cell, flags=re.MULTILINE | re.DOTALL) for cell in cells]
    nodes = [node for text in texts for node in ast.walk(ast.parse(text))]
    names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module for node in nodes if isinstance(node, ast.ImportFrom) and not node.level}
    own = {*sys.stdlib_module_names, *(file.stem for file in (ROOT / "book/_ext").glob("*.py"))}
    modules = {name.split(".")[0] for name in names} - own - {"betavae_core", "betavae_workshop", "tests"}
    known = packages_distributions()  # what is not installed is called as its module
    return {canonicalize_name(known.get(module, [module])[0]) for module in modules}


def test_what_is_imported_is_declared():
    """The rest of what the code imports it does without, or says what to install."""
    base, all_declared = ({canonicalize_name(r.name) for r in declared(*extras)} for extras in ((), EXTRAS))
    code = imported("betavae_core", "betavae_workshop", "book", "examples")
    assert code - base == {"dask", "distributed", "jax", "playwright", "torch"}
    assert code | imported("tests") <= all_declared
    assert "myst-nb" in code  # only chapters import it


def test_the_size_of_an_installation_is_told_alike():
    told = [re.search(r"into \S+ \((\S+ GB)", (ROOT / file).read_text())[1] for file in ("README.md", "tools/env.sh")]
    assert told == ["2.7 GB"] * 2


def test_the_locks_agree():
    base, gpu, test, audit = pins(), *(pins(f"requirements-{extra}.lock") for extra in ("gpu", "test", "audit"))
    assert base.items() <= gpu.items()
    assert base.items() <= test.items()
    assert {name: pin for name, pin in audit.items() if base.get(name, pin) != pin} == {}


@pytest.mark.parametrize("file", sorted(file.name for file in ROOT.glob("requirements*.lock")))
def test_every_pin_has_a_hash_and_no_registry_is_named(file):
    text = (ROOT / file).read_text()
    entries = re.split(r"^(?=[\w.-]+==)", text, flags=re.MULTILINE)[1:]
    assert all("--hash=sha256:" in entry for entry in entries)
    assert not re.search(r"https?://|--(extra-)?index-url|--find-links", text)


def test_environment_yml_is_the_lock_and_the_same_pythons():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    (pip,) = [entry["pip"] for entry in environment["dependencies"] if isinstance(entry, dict)]
    assert pip == ["--require-hashes", "-r requirements.lock"]
    (python,) = [e for e in environment["dependencies"] if isinstance(e, str) and e.startswith("python ")]
    assert python == f"python {PROJECT['requires-python']}"


def test_the_running_environment_is_the_locked_one():
    locked = pins("requirements-test.lock")
    names = [canonicalize_name(r.name) for r in declared("test", "cluster")]
    assert {name: version(name) for name in names} == {name: locked[name] for name in names}


def bare_path(tmp_path, *commands):
    """A PATH with coreutils but only the Pythons given as scripts."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for tool in ("sh", "cat", "cksum", "ln", "readlink", "rm"):
        (folder / tool).symlink_to(shutil.which(tool))
    for name, script in commands:
        (folder / name).write_text(f"#!/bin/sh\n{script}\n")
        (folder / name).chmod(0o755)
    return {"PATH": str(folder)}


def env_script(*arguments, **environment):
    command = ["/bin/sh", str(ROOT / "tools/env.sh"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env={**os.environ, **environment})


@pytest.mark.parametrize(
    ("commands", "message"),
    [
        ([], "no Python 3.11, 3.12 or 3.13 found"),
        ([("python3", "exit 1")], "no Python 3.11, 3.12 or 3.13 found"),
        ([("python3", 'case "$2" in *version_info*) exit 0 ;; *) exit 1 ;; esac')], "python3 has no venv module"),
        ([("uname", "echo Darwin x86_64")], "the pinned TensorFlow has no release for Intel Macs"),
    ],
)
def test_without_a_fitting_python_or_machine_there_is_one_clear_line(tmp_path, commands, message):
    done = env_script(str(tmp_path / "venv"), "", "", **bare_path(tmp_path, *commands))
    assert done.returncode == 2
    assert message in done.stderr
    assert done.stderr.count("\n") == 1
    assert not list(tmp_path.glob("venv*"))


def test_an_own_environment_without_the_packages_is_told_how_to_get_them(tmp_path):
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\nexit 1\n")
    python.chmod(0o755)
    done = env_script(".venv", str(python), "")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "pip install -r requirements.lock" in done.stderr


def test_a_lock_that_is_none_is_told_and_not_waited_for(tmp_path):
    (tmp_path / "venv.lock").write_text("")
    done = env_script(str(tmp_path / "venv"), "", "")
    expected = f"make env: {tmp_path}/venv.lock cannot be made; remove it if it is there\n"
    assert (done.returncode, done.stderr) == (2, expected)


def test_a_program_that_is_none_is_told():
    done = env_script(".venv", "nowhere", "")
    assert (done.returncode, done.stderr) == (2, "make env: nowhere is no program\n")


def test_unknown_extras_are_refused():
    done = env_script(".venv", "", "gpus")
    assert (done.returncode, done.stderr) == (2, "make env: EXTRAS must be test, gpu, bench or audit; got gpus\n")


def test_uv_asks_where_pip_is_told_to_by_a_file(tmp_path):
    (tmp_path / "pip.conf").write_text(
        "[global]\nindex-url = https://a.example/100%25\nextra-index-url =\n  https://b.example\n  https://c.example\n"
        "find-links = /an owner's \\folder\ncert = /of/the/file\n"
    )
    configure = re.search(r"^configure\(\) .*?^}", (ROOT / "tools/env.sh").read_text(), re.M | re.S).group()
    told = " ".join(f'"$UV_{name}"' for name in ("DEFAULT_INDEX", "INDEX", "FIND_LINKS"))
    variables = {name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "UV_"))}
    variables |= {"python": sys.executable, "PIP_CONFIG_FILE": str(tmp_path / "pip.conf"), "SSL_CERT_FILE": "/my/own"}
    script = f"{configure}\nconfigure\nprintf '%s|' {told} \"$SSL_CERT_FILE\""
    done = subprocess.run(["sh", "-euc", script], capture_output=True, text=True, env=variables)
    index, extra, links, certificate, _ = done.stdout.split("|")
    assert (index, extra.split()) == ("https://a.example/100%25", ["https://b.example", "https://c.example"])
    assert (links, certificate) == ("/an owner's \\folder", "/my/own")  # what is set already stays


def entry(name):
    """What the lock says of one package."""
    return re.search(rf"^{name}==.*?(?=^[\w.-]+==|\Z)", (ROOT / "requirements.lock").read_text(), re.M | re.S).group()


class Small:
    """A project of one line with a small lock, and what `make env` would run in it."""

    def __init__(self, folder):
        self.folder = folder
        (folder / "tools").mkdir(parents=True)
        shutil.copy(ROOT / "requirements-uv.lock", folder)
        shutil.copyfile(ROOT / "tools/env.sh", folder / "tools/env.sh")  # without its execute bit
        (folder / "requirements.lock").write_text(entry("setuptools") + entry("tqdm"))
        (folder / "requirements-test.lock").write_text(entry("setuptools") + entry("tqdm") + entry("click"))
        project = '[project]\nname = "small"\nversion = "1"\n[build-system]\nrequires = ["setuptools"]\n'
        (folder / "pyproject.toml").write_text(project + 'build-backend = "setuptools.build_meta"\n')
        (folder / "small.py").write_text("")

    def start(self, extras="", **environment):
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        own = {"cwd": self.folder, "env": {**os.environ, **environment}, "start_new_session": True}
        command = ["sh", "tools/env.sh", ".venv", "", extras]
        return subprocess.Popen(command, preexec_fn=heed_interrupts, **own, **pipes)

    def make(self, extras="", **environment):
        running = self.start(extras, **environment)
        _, told = running.communicate()
        assert running.returncode == 0, told
        return told

    def works(self):
        done = subprocess.run([self.folder / ".venv/bin/python", "-c", "import small, tqdm; print(small.__file__)"],
                              capture_output=True, text=True, cwd="/")  # fmt: skip
        assert not (self.folder / ".venv.lock").is_symlink()
        return done.stdout == f"{self.folder}/small.py\n"


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """An environment made under hostile variables, and what was told of it; in CI packages can be had."""
    small = Small(tmp_path_factory.mktemp("first") / "a project's folder")
    try:
        return small, small.make(PYTHONPATH="/nowhere", PIP_USER="1", VIRTUAL_ENV="/x")
    except AssertionError as failed:
        if os.environ.get("CI") or "installing failed" not in str(failed):
            raise
        pytest.skip("no package index within reach; in CI this is an error")


@pytest.fixture
def small(made, tmp_path):
    return Small(tmp_path / "a project's folder")


def test_an_environment_is_made_once_then_left_alone_and_made_anew_where_it_is_moved(made):
    small, told = made
    assert "installing requirements.lock into .venv" in told
    assert small.works()
    assert small.make() == ""
    extra = small.folder / ".venv/lib"
    stamp = extra.stat().st_ctime_ns
    assert small.make("test") == ""
    assert subprocess.run([small.folder / ".venv/bin/python", "-c", "import click"]).returncode == 0
    assert extra.stat().st_ctime_ns == stamp, "what is there is added to"
    moved = Small.__new__(Small)
    moved.folder = small.folder.rename(small.folder.with_name("moved"))
    assert "installing" in moved.make()
    assert moved.works()
    (moved.folder / "requirements.lock").write_text(entry("setuptools") + entry("tqdm") + entry("click"))
    assert "installing" in moved.make()


def wait_for_file(file, running):
    """Until there is a file, or a link, and what makes it runs."""
    while not os.path.lexists(file):
        assert running.poll() is None
        time.sleep(0.01)


def test_an_interrupted_installation_is_never_taken_for_a_whole_one(small):
    for reached in (".venv.lock", ".venv", ".venv/bin/python", ".venv/log"):
        running = small.start()
        wait_for_file(small.folder / reached, running)
        os.killpg(running.pid, signal.SIGINT)
        running.communicate()
        assert running.returncode in (130, -signal.SIGINT, 2)
        assert not (small.folder / ".venv/ready").exists()
    small.make()
    assert small.works()


def test_two_at_once_wait_for_each_other_and_a_killed_one_holds_nobody_up(small):
    dead = small.start()
    wait_for_file(small.folder / ".venv.lock", dead)
    os.killpg(dead.pid, signal.SIGKILL)
    dead.communicate()
    assert (small.folder / ".venv.lock").is_symlink()
    both = [small.start() for _ in range(2)]
    told = "".join(one.communicate()[1] for one in both)
    assert [one.returncode for one in both] == [0, 0], told
    assert told.count("installing requirements.lock") == told.count("waiting for it") == 1
    assert small.works()


def test_what_cannot_be_is_told_in_one_line(small):
    (small.folder / ".venv").mkdir()
    (small.folder / ".venv/precious").write_text("")
    for trouble, message in (
        (lambda: None, r"\.venv was not made by make env; remove it, or name another"),
        (lambda: shutil.rmtree(small.folder / ".venv"), "installing failed: "),
        (lambda: (small.folder / "requirements.lock").unlink(), "requirements.lock is missing; restore it"),
    ):
        trouble()
        (small.folder / "requirements.lock").exists() and (small.folder / "requirements.lock").write_text(
            "tqdm==0.0.1 --hash=sha256:" + 64 * "0"
        )
        running = small.start()
        _, told = running.communicate()
        assert running.returncode == 2
        assert re.search(f"make env: {message}", told), told
        assert len([line for line in told.splitlines() if "installing requirements.lock" not in line]) == 1
        assert not (small.folder / ".venv/ready").exists()


@pytest.mark.parametrize(("ci", "code"), [("", 0), ("1", 1)])
def test_without_a_browser_it_is_said_how_many_tests_are_left_out(ci, code, tmp_path):
    """Before, one test failed and 117 were skipped without a word; in CI it is an error."""
    python = tmp_path / "python"
    python.write_text(
        "#!/bin/sh\ncase $2 in playwright) echo 'Error: no network' >&2; exit 1;; pytest) ;; *) exit 1;; esac\n"
    )
    with open(python, "a") as script:
        script.write("echo tests/test_pdf.py: 2; echo; echo '3/9 tests collected (6 deselected) in 1.2s'\n")
    python.chmod(0o755)
    for name in ("sh", "id", "mktemp", "rm", "grep", "tail", "sed"):  # neither a browser nor apt-get
        (tmp_path / name).symlink_to(shutil.which(name))
    command = ["sh", ROOT / "tools/browser.sh", python]
    done = subprocess.run(command, capture_output=True, text=True, env={"PATH": str(tmp_path), "CI": ci})
    assert (done.returncode, done.stdout) == (code, "")
    assert done.stderr.splitlines()[1:] == [
        "make: no Chromium could be had (Error: no network); 3 tests that look at pages are left out; "
        "install chromium to run them"
    ]


def test_tests_that_look_at_pages_are_marked_so_that_they_can_be_counted(request):
    items = request.session.items
    looks = [item for item in items if {"browser", "chromium"} & set(item.fixturenames)]
    assert all(item.get_closest_marker("browser") for item in looks)
    assert not [item for item in items if item.get_closest_marker("browser") and item not in looks]


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ("ModuleNotFoundError: No module named 'jupyter_book'", "own lacks the book's packages; install them: "),
        (
            '  File "/x/a.py", line 3\n    f(:\nSyntaxError: no syntax',
            'cannot be loaded: File "/x/a.py", line 3 SyntaxError: no',
        ),
    ],
)
def test_an_interpreter_of_one_s_own_says_what_it_lacks(tmp_path, wrong, told):
    """A syntax error in the package was taken for packages that were not installed."""
    own = tmp_path / "own"
    own.write_text(f"#!/bin/sh\ncat >&2 <<'END'\n{wrong}\nEND\nexit 1\n")
    own.chmod(0o755)
    command = ["sh", ROOT / "tools/env.sh", tmp_path / "venv", own, ""]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (2, "")
    assert told in done.stderr and done.stderr.count("\n") == 1
