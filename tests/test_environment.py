"""One set of pins: pyproject.toml, requirements.lock and environment.yml agree, and the environment is that one."""

import os
import re
import shutil
import subprocess
import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def pins(file="requirements.lock"):
    found = {}
    for line in re.findall(r"^([\w.-]+==[^\\]+?) *\\?$", (ROOT / file).read_text(), re.MULTILINE):
        requirement = Requirement(line)
        if requirement.marker is None or requirement.marker.evaluate():
            found[canonicalize_name(requirement.name)] = str(requirement.specifier).removeprefix("==")
    return found


def declared(*extras):
    texts = [*PROJECT["dependencies"], *(t for extra in extras for t in PROJECT["optional-dependencies"][extra])]
    return [Requirement(text) for text in texts]


@pytest.mark.parametrize(
    ("file", "extras"),
    [("requirements.lock", ("test", "cluster")), ("requirements-gpu.lock", ("test", "cluster", "gpu"))],
)
def test_the_lock_pins_every_declared_requirement(file, extras):
    locked = pins(file)
    for requirement in declared(*extras):
        assert requirement.specifier.contains(locked[canonicalize_name(requirement.name)]), requirement


def test_the_locks_agree():
    base, gpu, audit = pins(), pins("requirements-gpu.lock"), pins("requirements-audit.lock")
    assert base.items() <= gpu.items()
    assert {name: pin for name, pin in audit.items() if base.get(name, pin) != pin} == {}


@pytest.mark.parametrize("file", ["requirements.lock", "requirements-gpu.lock", "requirements-audit.lock"])
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
    locked = pins()
    names = [canonicalize_name(r.name) for r in declared("test", "cluster")]
    assert {name: version(name) for name in names} == {name: locked[name] for name in names}


def bare_path(tmp_path, *commands):
    """A PATH with coreutils but only the Pythons given as scripts."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for tool in ("sh", "cat", "cksum"):
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
    ],
)
def test_without_a_fitting_python_there_is_one_clear_line(tmp_path, commands, message):
    done = env_script(str(tmp_path / "venv"), "", "", **bare_path(tmp_path, *commands))
    assert done.returncode == 2
    assert message in done.stderr
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "venv").exists()


def test_an_own_environment_without_the_packages_is_told_how_to_get_them(tmp_path):
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\nexit 1\n")
    python.chmod(0o755)
    done = env_script(".venv", str(python), "")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "pip install -r requirements.lock" in done.stderr


def test_unknown_extras_are_refused():
    done = env_script(".venv", "", "gpus")
    assert (done.returncode, done.stderr) == (2, "make env: EXTRAS must be gpu, bench or audit; got gpus\n")
