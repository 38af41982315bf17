"""The chapters as text notebooks, and what of the package each can reach."""

import contextlib
import itertools
import json
import re
from pathlib import Path

from betavae_core import imports
from betavae_core.errors import UsageError
from betavae_core.paths import CHAPTERS, ROOT

LAST = (("claims",), ("intro", "reproduce"))  # executed after the others, whose records they read, group by group
QUOTING = tuple(itertools.chain(*LAST))
CELLS = re.compile(r"^```\{code-cell\}[^\n]*\n(?:---\n.*?^---\n|(?::[^\n]*\n)+)?(.*?)^```", re.MULTILINE | re.DOTALL)


def names() -> list[str]:
    """Names of the chapters in `_toc.yml`, in reading order."""
    return re.findall(r"book/([\w-]+)\s*$", (ROOT / "_toc.yml").read_text(), re.MULTILINE)


def notebook(chapter: str):
    """A chapter's text notebook as an nbformat notebook with fixed cell ids; UsageError if it is none."""
    import jupytext
    from jupytext.myst import MystMetadataParsingError
    from yaml import YAMLError

    file = CHAPTERS / f"{chapter}.md"
    try:
        loaded = jupytext.read(file)
    except (YAMLError, MystMetadataParsingError) as error:
        raise UsageError(f"{file} is no text notebook: {' '.join(str(error).split())}") from None
    for i, cell in enumerate(loaded.cells):
        cell.id = f"{chapter}-{i}"
    return loaded


def has_code(chapter: str) -> bool:
    """Whether a chapter has anything to execute."""
    return "```{code-cell}" in (CHAPTERS / f"{chapter}.md").read_text(encoding="utf-8")


def quotes_runs(chapter: str) -> bool:
    """Whether a chapter that quotes others tells of their parameters and run times, not of verdicts alone."""
    return "built.chapters(" in _code(chapter)


def reach(chapter: str) -> imports.Reach:
    """What a chapter's cells can reach of the package; UsageError if they or these modules are no Python."""
    try:
        return imports.reach(_code(chapter), CHAPTERS / f"{chapter}.md")
    except SyntaxError as error:
        raise UsageError(f"{error.filename}, line {error.lineno}: {error.msg}") from None


def _code(chapter: str) -> str:
    """The code of a chapter's cells, each line where it stands in the text, without those for IPython or the shell."""
    text = (CHAPTERS / f"{chapter}.md").read_text(encoding="utf-8")
    code, end = "", 0
    for cell in CELLS.finditer(text):
        code += "\n" * text.count("\n", end, cell.start(1)) + cell[1]
        end = cell.end(1)
    return re.sub(r"^[ \t]*[%!].*", "pass", code, flags=re.MULTILINE)


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
