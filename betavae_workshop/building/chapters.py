"""The chapters as text notebooks, and what of the package each can reach."""

import contextlib
import functools
import itertools
import json
import re
from pathlib import Path

import yaml

from betavae_core import imports
from betavae_core.errors import UsageError
from betavae_core.paths import CHAPTERS, ROOT

LAST = (("claims",), ("intro", "reproduce"))  # executed after the others, whose records they read, group by group
QUOTING = tuple(itertools.chain(*LAST))
CELLS = re.compile(r"^(`{3,})\{code-cell\}[^\n]*\n(?:---\n.*?^---\n|(?::[^\n]*\n)+)?(.*?)^\1", re.MULTILINE | re.DOTALL)


def names() -> list[str]:
    """Names of the chapters in `_toc.yml`, in reading order; UsageError if it lists anything else."""
    contents = ROOT / "_toc.yml"
    return list(_listed(contents, contents.stat().st_mtime_ns))


@functools.lru_cache(maxsize=8)
def _listed(contents: Path, _stamp: int) -> tuple[str, ...]:
    listed = [Path(each) for each in _files(settings(contents))]
    for each in listed:
        if str(each.parent) != "book" or not re.fullmatch(r"[\w-]+", each.name, re.ASCII):
            raise UsageError(f"{contents} lists {each}; a chapter is book/NAME, in letters, digits, _ and - alone")
        if listed.count(each) > 1 or not (CHAPTERS / f"{each.name}.md").exists():
            wrong = " twice" if listed.count(each) > 1 else f", and there is no {each.name}.md"
            raise UsageError(f"{contents} lists {each}{wrong}")
    return tuple(each.name for each in listed)


def settings(file: Path):
    """What a YAML file holds; UsageError naming the line that cannot be read."""
    try:
        return yaml.safe_load(file.read_text(encoding="utf-8"))
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else "?"
        raise UsageError(f"{file}, line {line}: {error.problem}") from None


def _files(part):
    """What `root` and `file` name in a part of a table of contents, in order."""
    for key, value in part.items() if isinstance(part, dict) else enumerate(part if isinstance(part, list) else ()):
        if key in ("root", "file"):
            yield str(value)
        else:
            yield from _files(value)


def text(chapter: str) -> str:
    """A chapter's text notebook; UsageError if it is no text."""
    file = CHAPTERS / f"{chapter}.md"
    try:
        return file.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise UsageError(f"{file} is not UTF-8: {error.reason} in byte {error.start}") from None


def notebook(chapter: str):
    """A chapter's text notebook as an nbformat notebook with fixed cell ids; UsageError if it is none."""
    import jupytext
    from jupytext.myst import MystMetadataParsingError

    try:
        loaded = jupytext.reads(text(chapter), fmt="md")
    except (yaml.YAMLError, MystMetadataParsingError) as error:
        told = " ".join(str(error).split())
        raise UsageError(f"{CHAPTERS / chapter}.md is no text notebook: {told}") from None
    for i, cell in enumerate(loaded.cells):
        cell.id = f"{chapter}-{i}"
    return loaded


def line_of(chapter: str, number: int) -> int:
    """The line of a chapter's text that Sphinx means by the number of a cell and of a line in it, such as 40004."""
    whole, (cells, line), at = text(chapter), divmod(number, 10_000), 0
    for cell in notebook(chapter).cells[: max(1, cells)]:
        at = max(at, whole.find(cell.source, at))
    return whole.count("\n", 0, at) + line - 1


def has_code(chapter: str) -> bool:
    """Whether a chapter has anything to execute."""
    return "```{code-cell}" in text(chapter)


def quotes_runs(chapter: str) -> bool:
    """Whether a chapter that quotes others tells of their parameters and run times, not of verdicts alone."""
    return "built.chapters(" in text(chapter)


def reach(chapter: str) -> imports.Reach:
    """What a chapter's cells can reach of the package; UsageError if they or these modules are no Python."""
    file = CHAPTERS / f"{chapter}.md"
    with contextlib.suppress(SyntaxError):
        return imports.reach(_code(chapter), file)
    from IPython.core.inputtransformer2 import TransformerManager  # it takes as long to load as all else

    try:
        return imports.reach(_code(chapter, TransformerManager().transform_cell), file)
    except SyntaxError as error:
        raise UsageError(f"{error.filename}, line {error.lineno}: {error.msg}") from None


def _code(chapter: str, python=lambda cell: cell) -> str:
    """The code of a chapter's cells, as Python if it is IPython's, each line where it stands in the text."""
    whole, code = text(chapter), ""
    for cell in CELLS.finditer(whole):
        code += "\n" * (whole.count("\n", 0, cell.start(2)) - code.count("\n")) + python(cell[2])
    return code


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

    UsageError if `repository_url` in `_config.yml`, which the first cell clones, is not filled.
    """
    import nbformat

    repository = settings(ROOT / "_config.yml")["sphinx"]["config"]["repository_url"]
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
