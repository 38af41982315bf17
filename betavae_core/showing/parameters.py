"""The parameters that a reader may set in a chapter: each stands in its tagged cell with a default and a rule.

    noise_std = 1.0  # 1e-3 to 1e3

The comment is a range or names one of `RULES`; a value given as text is parsed to the default's type and checked. Each
chapter checks by itself what papermill hands to it.
"""

import ast
import io
import itertools
import re
import tokenize
from typing import Any, NamedTuple

import numpy as np

from betavae_core import typed
from betavae_core.errors import UsageError

# Of the analytical model, so that all routes to its optimum keep their digits, and the solver ends: tried at corners
ROWS, ENTRY, SIGNAL = 30, 1_000, 2_000  # N, |a|, singular values of A in σ: at more, rounding shows in TIE

PROFILES = ("smoke", "published", "thesis")  # of `results.planning`, of which chapters without networks know no more
PROFILE = re.compile(r"a profile(?: of ([\w, -]+))?")
HANDED = "# Parameters\n"  # how papermill begins the cell that it puts behind that of the defaults


class Declaration(NamedTuple):
    """A parameter as its chapter declares it."""

    default: Any
    rule: str


def declared_in(source: str) -> dict[str, Declaration]:
    """What the source of a cell declares: each assignment, with the comment behind it as its rule.

    UsageError on a default that is no plain value.
    """
    assigned, found = _assigned(source), {}
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    rules = {t.start[0]: t.string.lstrip("# ") for t in tokens if t.type == tokenize.COMMENT}
    for name, value in assigned.items():
        try:
            found[name] = Declaration(ast.literal_eval(value), rules.get(value.lineno, ""))
            KINDS[type(found[name].default)]
        except (ValueError, KeyError):
            kinds = "a number, text, True, False or a list"
            raise UsageError(f"the default of {name} must be {kinds}; it is {ast.unparse(value)}") from None
    return found


def _assigned(source: str) -> dict[str, ast.expr]:
    """What the source of a cell assigns to each name; UsageError if a line assigns to anything else."""
    found = {}
    for line in ast.parse(source).body:
        if isinstance(line, ast.Assign | ast.AnnAssign):
            (target, *more) = line.targets if isinstance(line, ast.Assign) else [line.target]
            if more or not isinstance(target, ast.Name) or not line.value:
                raise UsageError(f"a parameter is declared as NAME = DEFAULT; got {ast.unparse(line)}")
            found[target.id] = line.value
    return found


def check_handed(cells: list[str]) -> None:
    """Check what papermill has handed to the chapter that runs, whoever started it; nothing if it is handed nothing.

    `cells` : sources of the cells that ran so far, IPython's `In`; papermill's own begins with a comment

    Raises UsageError on a parameter that the chapter does not have, or a value that breaks a rule.
    """
    for before, injected in itertools.pairwise(cells):
        if injected.startswith(HANDED):
            declared, given = declared_in(before), _assigned(injected)
            refuse_unknown("this chapter", given, declared)
            values = {name: parsed(name, _text(given[name]), declared[name].default) for name in given}
            refuse_broken(declared, values)


def _text(value: ast.expr) -> str:
    """A value that papermill wrote into a cell, as it would be typed."""
    try:
        found = ast.literal_eval(value)
    except ValueError:  # float('nan')
        found = value.args[0].value if isinstance(value, ast.Call) and value.args else ast.unparse(value)  # pyright: ignore
    return str(found)


def refuse_unknown(chapter: str, given, declared: dict[str, Declaration]) -> None:
    for name in given:
        if name not in declared:
            known = f"it has: {', '.join(declared)}" if declared else "it has none"
            raise UsageError(f"{chapter} has no parameter {name!r}; {known}")


def refuse_broken(declared: dict[str, Declaration], values: dict) -> None:
    """UsageError if one of these values, or a default beside them, breaks its rule."""
    try:
        _check(declared, {name: found.default for name, found in declared.items()} | values)
    except ValueError as error:
        raise UsageError(str(error)) from None


def parsed(name: str, text: str, default):
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
    if re.search(r"\b0[xob]|\d_|\b(true|false)\b", text, re.ASCII | re.IGNORECASE):
        raise ValueError("numbers are typed in plain digits")
    return ast.literal_eval(text)


KINDS = {
    str: ("text", str),
    float: ("a number", typed.number),
    int: ("a whole number", typed.whole),
    bool: ("True or False", ast.literal_eval),
    list: ("a list of numbers, such as [[2,1],[0.5,1.5]]", _literal),
}


def _check(declared: dict[str, Declaration], values: dict) -> None:
    """ValueError if a value is out of its range, or breaks its rule, which may look at the other values."""
    named = {}
    for name, (_, rule) in declared.items():  # ranges first: what a rule looks at is within its own
        if limits := re.match(r"(\S+) to (\S+)", rule):
            try:
                inside = float(limits[1]) <= values[name] <= float(limits[2])
            except (TypeError, ValueError):
                raise ValueError(f"{name} = {values[name]!r} cannot be compared with its range, {rule}") from None
            if not inside:
                raise ValueError(f"{name} must be from {rule}; got {values[name]}")
        else:
            named[name] = "a profile" if PROFILE.fullmatch(rule) else rule
    for name, rule in named.items():
        if rule not in RULES:
            known = "; ".join(["LOW to HIGH", *RULES])
            raise ValueError(f"the rule of {name} is not known: {rule!r}; rules: {known}")
        RULES[rule](values[name], values)


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
    if value not in PROFILES:
        raise ValueError(f"no profile {value!r}; profiles: {', '.join(PROFILES)}")


RULES = {
    f"N x k, {ROWS} >= N >= k, k <= 6, entries to {ENTRY:,}, singular values to {SIGNAL:,} noise_std": _process,
    "a profile": _profile,
}
