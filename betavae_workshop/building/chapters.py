"""The chapters as text notebooks, and what of the package each can reach."""

import ast
import contextlib
import functools
import itertools
import json
import re
from pathlib import Path
from typing import NamedTuple

from betavae_core import paths
from betavae_core.errors import UsageError
from betavae_core.paths import CHAPTERS, ROOT

LAST = (("claims",), ("intro", "reproduce"))  # executed after the others, whose records they read, group by group
QUOTING = tuple(itertools.chain(*LAST))
PACKAGE = "betavae_core"
LOADERS = {"import_module", "__import__", "run_module", "run_path", "exec", "eval", "spec_from_file_location"}


def names() -> list[str]:
    """Names of the chapters in `_toc.yml`, in reading order."""
    return re.findall(r"book/([\w-]+)\s*$", (ROOT / "_toc.yml").read_text(), re.MULTILINE)


def notebook(chapter: str):
    """A chapter's text notebook as an nbformat notebook with fixed cell ids."""
    import jupytext

    loaded = jupytext.read(CHAPTERS / f"{chapter}.md")
    for i, cell in enumerate(loaded.cells):
        cell.id = f"{chapter}-{i}"
    return loaded


def has_code(chapter: str) -> bool:
    """Whether a chapter has anything to execute."""
    return "```{code-cell}" in (CHAPTERS / f"{chapter}.md").read_text(encoding="utf-8")


class Reach(NamedTuple):
    """What code can reach of the package: its modules, and the names of `paths` that are mentioned on the way."""

    modules: list[Path]
    mentioned: set[str]


def reach(chapter: str) -> Reach:
    """What a chapter's cells can reach, transitively, imports inside functions and strings that name modules included.

    Where it cannot be told, because something is loaded by a name that is computed, the whole package counts.
    """
    modules, mentioned = set(), set()
    waiting = [_named(_code(chapter))]
    while waiting:
        named, paths_named = waiting.pop()
        mentioned |= paths_named
        for file in {file for name in named for file in _files(name)} - modules:
            modules.add(file)
            waiting.append(_named_in(file, file.stat().st_mtime_ns))
    return Reach(sorted(modules), mentioned)


def _code(chapter: str) -> str:
    """The code of a chapter's cells, without their settings and without lines that are IPython's or the shell's."""
    text = (CHAPTERS / f"{chapter}.md").read_text(encoding="utf-8")
    cells = re.findall(r"^```\{code-cell\}[^\n]*\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    cells = [re.sub(r"\A(---\n.*?^---\n|(:[^\n]*\n)+)", "", cell, flags=re.MULTILINE | re.DOTALL) for cell in cells]
    return re.sub(r"^\s*[%!].*", "pass", "\n".join(cells), flags=re.MULTILINE)


@functools.lru_cache(maxsize=1024)
def _named_in(file: Path, _stamp: int) -> tuple[frozenset[str], frozenset[str]]:
    return _named(file.read_text(encoding="utf-8"))


def _named(source: str) -> tuple[frozenset[str], frozenset[str]]:
    """Dotted names of modules of the package that a source names, and the names of `paths` that it mentions."""
    named, mentioned = set(), set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == PACKAGE:
            own = [alias.name for alias in node.names]
            mentioned |= set(own) if node.module == f"{PACKAGE}.paths" else set()
            named |= {node.module, *(f"{node.module}.{name}" for name in own)}
        elif isinstance(node, ast.Import):
            named |= {alias.name for alias in node.names if alias.name.split(".")[0] == PACKAGE}
        elif isinstance(node, ast.Constant) and re.fullmatch(rf"{PACKAGE}[.\w]*", str(node.value)):
            named.add(str(node.value))
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "paths":
            mentioned.add(node.attr)
        elif isinstance(node, ast.Call) and _loads_what_cannot_be_told(node):
            named.add(f"{PACKAGE}.")
    return frozenset(named), frozenset(mentioned)


def _loads_what_cannot_be_told(call: ast.Call) -> bool:
    name = getattr(call.func, "attr", getattr(call.func, "id", ""))
    return name in LOADERS and not (call.args and isinstance(call.args[0], ast.Constant))


def _files(name: str) -> list[Path]:
    """Files of a module of that name, and of the packages around it; all below for a name that ends in a dot."""
    if name.endswith("."):
        return sorted((paths.ROOT / name.strip(".").replace(".", "/")).rglob("*.py"))
    parts = name.split(".")
    around = [paths.ROOT.joinpath(*parts[:depth], "__init__.py") for depth in range(1, len(parts) + 1)]
    return [file for file in (*around, paths.ROOT.joinpath(*parts).with_suffix(".py")) if file.exists()]


def parsed(file: Path):
    """What a JSON file holds; None if it is absent or damaged."""
    with contextlib.suppress(OSError, ValueError):
        return json.loads(file.read_text(encoding="utf-8"))
    return None


COLAB = """# On Colab this cell gets the project and what it needs; elsewhere it does nothing.
import sys

if "google.colab" in sys.modules:
    !git clone --quiet --depth 1 {repository} /content/companion
    %cd /content/companion
    %pip install --quiet --editable ."""


def export(folder: Path) -> list[Path]:
    """Write each chapter with code as an .ipynb without outputs, for Colab, which opens no text notebooks.

    Raises
    ------
    UsageError
        if `repository_url` in `_config.yml`, which the first cell clones, is not filled.
    """
    import nbformat
    import yaml

    repository = yaml.safe_load((ROOT / "_config.yml").read_text())["sphinx"]["config"]["repository_url"]
    if not repository:
        raise UsageError("repository_url in _config.yml is empty; a notebook on Colab starts by cloning it")
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name in names():
        if has_code(name):
            loaded = notebook(name)
            start = nbformat.v4.new_code_cell(COLAB.format(repository=repository), id=f"{name}-colab")
            loaded.cells.insert(0, start)
            written.append(folder / f"{name}.ipynb")
            nbformat.write(loaded, written[-1])
    return written
