"""The chapters as text notebooks, and the parameters that a reader may set in each."""

import ast
import math
import re
from pathlib import Path

from betavae_core.errors import UsageError

ROOT = Path(__file__).resolve().parents[1]
COUNTS = ("epochs", "models", "realizations", "samples")  # parameters that count something: at least 1


def names() -> list[str]:
    """Names of the chapters in `_toc.yml`, in reading order."""
    return re.findall(r"book/([\w-]+)\s*$", (ROOT / "_toc.yml").read_text(), re.MULTILINE)


def notebook(chapter: str):
    """A chapter's text notebook as an nbformat notebook with fixed cell ids."""
    import jupytext

    loaded = jupytext.read(ROOT / "book" / f"{chapter}.md")
    for i, cell in enumerate(loaded.cells):
        cell.id = f"{chapter}-{i}"
    return loaded


def parameters(chapter: str) -> dict:
    """Names and default values of a chapter's tagged `parameters` cell; {} without one."""
    for cell in notebook(chapter).cells:
        if "parameters" in cell.metadata.get("tags", []):
            return {s.targets[0].id: ast.literal_eval(s.value) for s in ast.parse(cell.source).body}
    return {}


def checked_parameters(chapter: str, given: dict[str, str]) -> dict:
    """Parse and check parameter values given as text, against the chapter's defaults and each parameter's rule.

    Raises
    ------
    UsageError
        on an unknown chapter or parameter, or a value that breaks a rule; the message states the rule.
    """
    if chapter not in names():
        raise UsageError(f"no chapter {chapter!r}; chapters: {', '.join(names())}")
    defaults = parameters(chapter)
    for name in given:
        if name not in defaults:
            known = f"it has: {', '.join(defaults)}" if defaults else "it has none"
            raise UsageError(f"chapter {chapter} has no parameter {name!r}; {known}")
    values = {name: _parsed(name, given[name], default) for name, default in defaults.items() if name in given}
    try:
        _check_rules({**defaults, **values})
    except ValueError as error:
        raise UsageError(str(error)) from None
    return values


def _parsed(name: str, text: str, default):
    """Text to a value of the default's type."""
    if isinstance(default, str):
        return text
    try:
        value = float(text) if type(default) is float else ast.literal_eval(text)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        value = text
    if type(value) is not type(default):
        kind = {float: "a number", int: "a whole number", bool: "True or False"}.get(type(default), "a list")
        raise UsageError(f"{name} must be {kind}; got {text}")
    return value


def checked_profile(name: str) -> str:
    """A profile's name; UsageError if there is none of that name."""
    from betavae_core import experiments

    if name not in experiments.PROFILES:
        raise UsageError(f"no profile {name!r}; profiles: {', '.join(experiments.PROFILES)}")
    return name


def _check_rules(values: dict) -> None:
    from betavae_core import alignment, gaussian, linear

    checked_profile(values.get("profile", "published"))
    if "mixing_matrix" in values:
        gaussian.LinearGaussian(values["mixing_matrix"], values["noise_std"])
        linear.checked_beta(values["beta"])
        alignment.signed_permutations(len(values["mixing_matrix"][0]))  # the page enumerates them: k <= 6
    for name, value in values.items():
        if name in ("mixing_matrix", "profile"):
            continue
        least = 1 if name in COUNTS else 0
        for number in value if isinstance(value, list) else [value]:
            if isinstance(number, bool) or not isinstance(number, int | float):
                raise ValueError(f"{name} must hold numbers; got {number!r}")
            if not (math.isfinite(number) and number >= least):
                raise ValueError(f"{name} must be finite and >= {least}; got {number}")
        if value == []:
            raise ValueError(f"{name} must not be empty")


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
        loaded = notebook(name)
        if any(cell.cell_type == "code" for cell in loaded.cells):
            start = nbformat.v4.new_code_cell(COLAB.format(repository=repository), id=f"{name}-colab")
            loaded.cells.insert(0, start)
            written.append(folder / f"{name}.ipynb")
            nbformat.write(loaded, written[-1])
    return written
