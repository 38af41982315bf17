"""The parameters that a reader may set in a chapter: each stands in its tagged cell with a default and a rule.

    beta = 2.0  # beta > 0

The comment names one of `RULES`; a value given as text is parsed to the default's type and checked by that rule.
"""

import ast
import io
import math
import tokenize
from typing import Any, NamedTuple

from betavae_core.building import chapters
from betavae_core.errors import UsageError


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


def _check(rules: dict[str, str], values: dict) -> None:
    """ValueError if a value breaks its rule; a rule may look at the other values."""
    for name, value in values.items():
        if rules[name] not in RULES:
            raise ValueError(f"the rule of {name} is not known: {rules[name]!r}; rules: {'; '.join(RULES)}")
        RULES[rules[name]](name, value, values)


def _at_least(least: int):
    def check(name: str, value, _) -> None:
        if not (math.isfinite(value) and value >= least):
            raise ValueError(f"{name} must be finite and >= {least}; got {value}")

    return check


def _beta(_, value, __) -> None:
    from betavae_core.theory import identity

    identity.checked_beta(value)


def _process(_, __, values: dict) -> None:
    from betavae_core.theory import alignment, gaussian

    gaussian.LinearGaussian(values["mixing_matrix"], values["noise_std"])
    alignment.signed_permutations(len(values["mixing_matrix"][0]))  # the page enumerates them: k <= 6


def _profile(_, value: str, __) -> None:
    from betavae_core.sweeps import planning

    planning.profile(value)


RULES = {
    ">= 0": _at_least(0),
    ">= 1": _at_least(1),
    "beta > 0": _beta,
    "N x k, N >= k, k <= 6": _process,
    "> 0, with mixing_matrix": _process,
    "a profile": _profile,
}
