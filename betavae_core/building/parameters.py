"""The parameters that a reader may set in a chapter: each stands in its tagged cell with a default and a rule.

    noise_std = 1.0  # 1e-3 to 1e3

The comment is a range or names one of `RULES`; a value given as text is parsed to the default's type and checked.
"""

import ast
import io
import re
import tokenize
from typing import Any, NamedTuple

import numpy as np

from betavae_core import typed
from betavae_core.building import chapters
from betavae_core.errors import UsageError

# Of the analytical model, so that all routes to its optimum keep their digits, and the solver ends: tried at corners
ROWS, ENTRY, SIGNAL = 30, 1_000, 100_000  # N, |a|, and singular values of A in units of σ


class Declaration(NamedTuple):
    """A parameter as its chapter declares it."""

    default: Any
    rule: str


def declarations(chapter: str) -> dict[str, Declaration]:
    """Names, default values and rules in a chapter's tagged `parameters` cell; {} without one."""
    for cell in chapters.notebook(chapter).cells:
        if "parameters" in cell.metadata.get("tags", []):
            tokens = tokenize.generate_tokens(io.StringIO(cell.source).readline)
            rules = {t.start[0]: t.string.lstrip("# ") for t in tokens if t.type == tokenize.COMMENT}
            return {
                statement.targets[0].id: Declaration(ast.literal_eval(statement.value), rules.get(statement.lineno, ""))
                for statement in ast.parse(cell.source).body
            }
    return {}


def defaults(chapter: str) -> dict[str, Any]:
    """Names and default values of a chapter's parameters."""
    return {name: found.default for name, found in declarations(chapter).items()}


def checked(chapter: str, given: dict[str, str]) -> dict:
    """Parse and check parameter values given as text, against the chapter's defaults and each parameter's rule.

    >>> checked("analytical", {"beta": "4"})
    {'beta': 4.0}

    Raises
    ------
    UsageError
        on an unknown chapter or parameter, or a value that breaks a rule; the message states the rule.
    """
    if chapter not in chapters.names():
        raise UsageError(f"no chapter {chapter!r}; chapters: {', '.join(chapters.names())}")
    declared = declarations(chapter)
    defaults = {name: found.default for name, found in declared.items()}
    for name in given:
        if name not in defaults:
            known = f"it has: {', '.join(defaults)}" if defaults else "it has none"
            raise UsageError(f"chapter {chapter} has no parameter {name!r}; {known}")
    values = {name: _parsed(name, given[name], default) for name, default in defaults.items() if name in given}
    try:
        _check({name: found.rule for name, found in declared.items()}, {**defaults, **values})
    except ValueError as error:
        raise UsageError(str(error)) from None
    return values


def _parsed(name: str, text: str, default):
    """Text to a value of the default's type."""
    kind, parse = KINDS[type(default)]
    try:
        value = parse(text)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        value = None
    if type(value) is not type(default):
        raise UsageError(f"{name} must be {kind}; got {text}")
    return value


def _literal(text: str):
    """A list, or whatever else Python writes so; its numbers in plain digits."""
    if re.search(r"\b0[xob]|\d_", text, re.ASCII | re.IGNORECASE):
        raise ValueError("numbers are typed in plain digits")
    return ast.literal_eval(text)


KINDS = {
    str: ("text", str),
    float: ("a number", typed.number),
    int: ("a whole number", typed.whole),
    bool: ("True or False", ast.literal_eval),
    list: ("a list", _literal),
}


def _check(rules: dict[str, str], values: dict) -> None:
    """ValueError if a value is out of its range, or breaks its rule, which may look at the other values."""
    for name, value in values.items():
        limits = re.match(r"(\S+) to (\S+)", rules[name])
        if limits and not float(limits[1]) <= value <= float(limits[2]):
            raise ValueError(f"{name} must be from {rules[name]}; got {value}")
        if not limits and rules[name] not in RULES:
            known = "; ".join(["LOW to HIGH", *RULES])
            raise ValueError(f"the rule of {name} is not known: {rules[name]!r}; rules: {known}")
    for name, value in values.items():  # ranges first: what a rule looks at is within its own
        if rules[name] in RULES:
            RULES[rules[name]](value, values)


def _process(mixing_matrix, values: dict) -> None:
    from betavae_core.theory import alignment, gaussian

    mixing, noise_std = gaussian.LinearGaussian(mixing_matrix).mixing, values["noise_std"]
    alignment.signed_permutations(mixing.shape[1])  # the page enumerates them: k <= 6
    entry, singular = abs(mixing).max(), np.linalg.norm(mixing, 2)
    if len(mixing) > ROWS:
        raise ValueError(f"mixing_matrix must have at most {ROWS} rows; got {len(mixing)}")
    if entry > ENTRY:
        raise ValueError(f"entries of mixing_matrix must be from {-ENTRY:g} to {ENTRY:g}; got {entry:g} in size")
    if singular > SIGNAL * noise_std:
        told = f"got {singular:g}, and noise_std {noise_std:g}"
        raise ValueError(f"singular values of mixing_matrix must be at most {SIGNAL:,} noise_std; {told}")


def _profile(value: str, _) -> None:
    from betavae_core.sweeps import planning

    planning.profile(value)


RULES = {
    f"N x k, {ROWS} >= N >= k, k <= 6, entries to {ENTRY:,}, singular values to {SIGNAL:,} noise_std": _process,
    "a profile": _profile,
}
