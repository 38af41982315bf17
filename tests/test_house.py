"""The house rules that a reader of the code relies on: who imports whom, how long things are, that examples run."""

import ast
import doctest
import importlib
import re
import subprocess
import sys

import pytest

from betavae_core.images import experiments
from betavae_core.paths import CHAPTERS, PACKAGE, ROOT

FLOORS = (
    "theory",
    "images",
    "networks",
    "sweeps",
    "accelerated",
    "findings",
    "showing",
    "building",
    "timing",
    "commands",
)  # top imports all
BASE = (
    "paths",
    "errors",
    "files",
    "machine",
    "environment",
    "typed",
    "notes",
)  # imported by all, and import each other only
MODULES = sorted(PACKAGE.rglob("*.py"))
SKIPPED = (
    "networks.model",
    "networks.training",
    "networks.evaluation",
    "accelerated.twin",
)  # their import starts TensorFlow


def name(file):
    return ".".join(file.relative_to(PACKAGE).with_suffix("").parts)


def imported(file):
    """Modules of this package that a file imports, anywhere in it."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "betavae_core":
            below = node.module.split(".")[1:]
            yield from ([*below, alias.name] if len(below) < 2 else below for alias in node.names)


def test_a_folder_imports_only_from_folders_above_it():
    for file in MODULES:
        floor, *_ = name(file).split(".")
        for target, *_ in imported(file):
            if floor in BASE:
                assert target in BASE, (name(file), target)
            elif floor in FLOORS and target in FLOORS:
                assert FLOORS.index(target) <= FLOORS.index(floor), (name(file), target)
            elif floor in FLOORS:
                assert target in BASE or target.startswith("__"), (name(file), target)


def test_no_module_imports_itself_in_a_circle():
    arrows = {name(file): {".".join(target) for target in imported(file)} for file in MODULES}
    done = set()

    def visit(module, path):
        assert module not in path, " → ".join([*path, module])
        if module not in done:
            for target in arrows.get(module, ()):
                visit(target, [*path, module])
            done.add(module)

    for module in arrows:
        visit(module, [])


def test_modules_functions_and_folders_are_short():
    for file in MODULES:
        text = file.read_text()
        assert len(text.splitlines()) <= 250, name(file)
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef):
                documented = ast.get_docstring(node) is not None
                body = node.body[1:] if documented else node.body
                lines = body[-1].end_lineno - body[0].lineno + 1 if body else 0
                assert lines <= 40, (name(file), node.name, lines)
    for folder in FLOORS:
        assert len([*(PACKAGE / folder).glob("*.py")]) - 1 <= 12, folder


def test_each_folder_says_in_a_sentence_what_it_is():
    for folder in FLOORS:
        text = ast.get_docstring(ast.parse((PACKAGE / folder / "__init__.py").read_text()))
        assert text.endswith("."), folder
        assert (PACKAGE / folder / "__init__.py").read_text().strip().count("\n") == 0, folder


@pytest.mark.parametrize(
    ("module", "absent"),
    [
        ("theory.linear theory.propositions", "tensorflow matplotlib"),
        ("images.experiments sweeps.sweep findings.statements", "tensorflow matplotlib distributed"),
        ("showing.deep showing.figures", "tensorflow distributed"),
        ("cli", "numpy tensorflow matplotlib"),
    ],
)
def test_importing_a_part_loads_no_more_than_it_needs(module, absent):
    imports = "; ".join(f"import betavae_core.{part}" for part in module.split())
    program = f"import sys; {imports}; sys.exit(' '.join({{*{absent!r}.split()}} & set(sys.modules)) or 0)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("module", [name(file) for file in MODULES if ">>>" in file.read_text()])
def test_examples_in_docstrings_run(module):
    found = doctest.testmod(importlib.import_module(f"betavae_core.{module}"), optionflags=doctest.ELLIPSIS)
    assert found.attempted
    assert not found.failed


def test_there_are_examples():
    assert sum(file.read_text().count(">>>") for file in MODULES) >= 8


def test_every_module_is_on_a_page_of_the_api():
    pages = "".join(file.read_text() for file in CHAPTERS.glob("api-*.md"))
    listed = set(re.findall(r"automodule:: betavae_core\.([\w.]+)", pages))
    modules = {name(file) for file in MODULES if file.stem not in ("__init__", "__main__")}
    assert listed == {module for module in modules if not module.startswith(("commands", "cli"))}


def test_the_cases_name_tests_that_there_are():
    file = None
    named = re.findall(r"`(test_\w+\.py)?::(\w+)`", (ROOT / "tests/CASES.md").read_text())
    for given, test in named:
        file = given or file
        assert f"\ndef {test}(" in (ROOT / "tests" / file).read_text(), (file, test)
    assert len(named) > 30


def test_the_list_of_experiments_stands_once():
    """Makefile, command line and README name no list of their own."""
    for file in (ROOT / "Makefile", ROOT / "README.md", *PACKAGE.glob("commands/*.py")):
        text = file.read_text()
        named = [experiment for experiment in experiments.NAMES if re.search(rf"\b{experiment}\b(?!-)", text)]
        assert len(named) <= 2, (file, named)
