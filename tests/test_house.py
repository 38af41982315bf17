"""The house rules that a reader of the code relies on: who imports whom, how long things are, that examples run."""

import ast
import doctest
import importlib
import re
import subprocess
import sys
from collections import Counter

import pytest

from betavae_core.images import experiments
from betavae_core.paths import CHAPTERS, PACKAGE, ROOT

CORE, SHOP = "betavae_core", "betavae_workshop"
WORKSHOP = ROOT / SHOP
FLOORS = {  # folders of each package; each imports from itself and from those before it
    CORE: ("theory", "images", "networks", "results", "findings", "showing"),
    SHOP: ("sweeping", "building", "timing", "commands"),
}
BASE = {CORE: ("paths", "errors", "files", "machine", "typed", "notes", "built", "imports")}  # import each other only
FOLDERS = [(package, folder) for package, folders in FLOORS.items() for folder in folders]
MODULES = sorted([*PACKAGE.rglob("*.py"), *WORKSHOP.rglob("*.py")])
LINES = {CORE: 9_800, SHOP: 5_035}  # what is added to the core has to be worth a chapter's import


def name(file):
    """Dotted, from its package on."""
    return ".".join(file.relative_to(ROOT).with_suffix("").parts)


def imported(file):
    """Dotted names of this project's modules that a file imports, anywhere in it."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in FLOORS:
            full = [f"{node.module}.{alias.name}" for alias in node.names]
            yield from (
                each if ROOT.joinpath(*each.split(".")).with_suffix(".py").exists() else node.module for each in full
            )
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.split(".")[0] in FLOORS)


def floor(module):
    """Package and height of a module in it: base 0, folders from 1 on; what is neither stands on top."""
    package, _, rest = module.partition(".")
    first = rest.split(".")[0]
    if first in BASE.get(package, ()):
        return package, 0
    return package, FLOORS[package].index(first) + 1 if first in FLOORS[package] else len(FLOORS[package]) + 1


def test_a_folder_imports_only_from_folders_above_it():
    for file in MODULES:
        package, height = floor(name(file))
        for target in imported(file):
            other, other_height = floor(target)
            if other == package and target != package and "." in target:
                below = other_height <= height or (package == SHOP and other_height > len(FLOORS[SHOP]))
                assert below, (name(file), target)


def test_the_core_never_reaches_the_workshop_and_chapters_import_the_core_alone():
    """Strings that start modules count, too."""
    for file in PACKAGE.rglob("*.py"):
        assert not [target for target in imported(file) if target.startswith(SHOP)], name(file)
        strings = [n.value for n in ast.walk(ast.parse(file.read_text())) if isinstance(n, ast.Constant)]
        assert not [text for text in strings if isinstance(text, str) and re.match(rf"{SHOP}[.\w]*$", text)], name(file)
    chapters = [file for file in CHAPTERS.glob("*.md") if "```{code-cell}" in file.read_text()]
    for file in chapters:
        cells = re.findall(r"^```\{code-cell\}.*?^```", file.read_text(), re.MULTILINE | re.DOTALL)
        assert not [cell for cell in cells if SHOP in cell], file.name
    assert len(chapters) > 10


def test_the_core_is_thin():
    for package, most in LINES.items():
        assert sum(len(file.read_text().splitlines()) for file in (ROOT / package).rglob("*.py")) <= most, package


def test_no_module_imports_itself_in_a_circle():
    arrows = {name(file): set(imported(file)) for file in MODULES}
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
    for package, folder in FOLDERS:
        assert len([*(ROOT / package / folder).glob("*.py")]) - 1 <= 15, folder


def test_each_folder_says_in_a_sentence_what_it_is():
    for package, folder in FOLDERS:
        source = (ROOT / package / folder / "__init__.py").read_text()
        assert ast.get_docstring(ast.parse(source)).endswith("."), folder
        assert source.strip().count("\n") == 0, folder


@pytest.mark.parametrize(
    ("module", "absent"),
    [
        ("betavae_core.theory.linear betavae_core.theory.propositions", "tensorflow matplotlib"),
        ("betavae_core.images.experiments betavae_core.findings.statements", "tensorflow matplotlib"),
        ("betavae_core.results.sweep betavae_workshop.sweeping.running", "tensorflow matplotlib distributed"),
        ("betavae_core.showing.deep betavae_core.showing.figures", "tensorflow distributed"),
        ("betavae_workshop.cli", "numpy tensorflow matplotlib"),
    ],
)
def test_importing_a_part_loads_no_more_than_it_needs(module, absent):
    imports = "; ".join(f"import {part}" for part in module.split())
    program = f"import sys; {imports}; sys.exit(' '.join({{*{absent!r}.split()}} & set(sys.modules)) or 0)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("module", [name(file) for file in MODULES if ">>>" in file.read_text()])
def test_examples_in_docstrings_run(module):
    found = doctest.testmod(importlib.import_module(module), optionflags=doctest.ELLIPSIS)
    assert found.attempted
    assert not found.failed


def test_there_are_examples():
    assert sum(file.read_text().count(">>>") for file in MODULES) >= 8


def test_every_module_is_on_a_page_of_the_api():
    pages = "".join(file.read_text() for file in CHAPTERS.glob("api-*.md"))
    listed = set(re.findall(r"automodule:: ([\w.]+)", pages))
    modules = {name(file) for file in MODULES if file.stem not in ("__init__", "__main__")}
    assert listed == {module for module in modules if not module.startswith((f"{SHOP}.commands", f"{SHOP}.cli"))}


def test_the_cases_name_tests_that_there_are():
    file = None
    named = re.findall(r"`(test_\w+\.py)?::(\w+)`", (ROOT / "tests/CASES.md").read_text())
    for given, test in named:
        file = given or file
        assert f"\ndef {test}(" in (ROOT / "tests" / file).read_text(), (file, test)
    assert len(named) > 30


def test_the_list_of_experiments_stands_once():
    """Makefile, command line and README name no list of their own."""
    for file in (ROOT / "Makefile", ROOT / "README.md", *WORKSHOP.glob("commands/*.py")):
        text = file.read_text()
        named = [experiment for experiment in experiments.NAMES if re.search(rf"\b{experiment}\b(?!-)", text)]
        assert len(named) <= 2, (file, named)


SCRIPTS = sorted(CHAPTERS.glob("static/scripts/*.js"))


def test_scripts_name_modules_that_there_are():
    for file in SCRIPTS:
        for named in re.findall(r"betavae_\w+/[\w/]+\.py", file.read_text(encoding="utf-8")):
            assert (ROOT / named).is_file(), (file.name, named)


def test_no_function_of_the_scripts_stands_twice():
    text = "\n".join(file.read_text(encoding="utf-8") for file in SCRIPTS)
    found = re.findall(r"^(?:export )?const \w+ = (\(.*\) =>.*;)", text, re.MULTILINE)
    assert len(found) > 20
    assert [body for body, times in Counter(found).items() if times > 1] == []


def test_lines_of_scripts_fit_a_screen():
    for file in [*SCRIPTS, *ROOT.glob("tests/*.js")]:
        wide = [line for line in file.read_text(encoding="utf-8").splitlines() if len(line) > 120]
        assert not wide, (file.name, wide[0])
