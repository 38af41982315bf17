"""What code can reach of the package: imports, those inside functions too, and strings that name modules are read.

Where it cannot be told, because something is loaded by a name that is computed, the whole package counts.
"""

import ast
import functools
import re
from pathlib import Path
from typing import NamedTuple

from betavae_core import paths

PACKAGE = "betavae_core"
LOADERS = {"import_module", "__import__", "run_module", "run_path", "exec", "eval", "spec_from_file_location"}


class Reach(NamedTuple):
    """What code can reach of the package: its modules, and the names of `paths` that are mentioned on the way."""

    modules: list[Path]
    mentioned: set[str]


def reach(source: str, file: str | Path = "") -> Reach:
    """What a source can reach, transitively; SyntaxError names the file, which may be this source's."""
    modules, mentioned, known = set(), set(), set()
    waiting = [_named(source, file)]
    while waiting:
        named, paths_named = waiting.pop()
        mentioned |= paths_named
        new, known = named - known, known | named
        for file in {file for name in new for file in _files(name)} - modules:
            modules.add(file)
            waiting.append(_named_in(file, file.stat().st_mtime_ns))
    return Reach(sorted(modules), mentioned)


@functools.lru_cache(maxsize=1024)
def _named_in(file: Path, _stamp: int) -> tuple[frozenset[str], frozenset[str]]:
    return _named(file.read_bytes(), file)


def _named(source: str | bytes, file: str | Path) -> tuple[frozenset[str], frozenset[str]]:
    """Dotted names of modules of the package that a source names, and the names of `paths` that it mentions."""
    named, mentioned = set(), set()
    for node in ast.walk(ast.parse(source, file)):
        if isinstance(node, ast.ImportFrom) and (module := _module(node, file)).split(".")[0] == PACKAGE:
            own = [alias.name for alias in node.names]
            mentioned |= set(own) if module == f"{PACKAGE}.paths" else set()
            named |= {module, *(f"{module}.{name}" for name in own)}
        elif isinstance(node, ast.Import):
            named |= {alias.name for alias in node.names if alias.name.split(".")[0] == PACKAGE}
        elif isinstance(node, ast.Constant) and re.fullmatch(rf"{PACKAGE}[.\w]*", str(node.value)):
            named.add(str(node.value))
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "paths":
            mentioned.add(node.attr)
        elif isinstance(node, ast.Call) and _loads_what_cannot_be_told(node):
            named.add(f"{PACKAGE}.")
    return frozenset(named), frozenset(mentioned)


def _module(node: ast.ImportFrom, file: str | Path) -> str:
    """The dotted name from which a file imports; dots in front of it count from the file's package upwards."""
    around = Path(file).relative_to(paths.ROOT).parts[: -node.level] if node.level else ()
    return ".".join([*around, *filter(None, [node.module])])


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
