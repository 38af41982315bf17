"""The parameters of chapters, as the build reads and checks them; rules are those of `showing.parameters`."""

from typing import Any

from betavae_core.errors import UsageError
from betavae_core.showing.parameters import PROFILE, Declaration, declared_in, parsed, refuse_broken, refuse_unknown
from betavae_workshop.building import chapters


def declarations(chapter: str) -> dict[str, Declaration]:
    """Names, default values and rules in a chapter's tagged `parameters` cell; {} without one."""
    for cell in chapters.notebook(chapter).cells if chapters.has_code(chapter) else ():
        if "parameters" in cell.metadata.get("tags", []):
            return declared_in(cell.source)
    return {}


def needs(chapter: str) -> list[str]:
    """Experiments whose stored networks a chapter shows at every β: those that the rule of a parameter names.

    They stand there, `profile = "published"  # a profile of mixing`, since Jupyter and jupytext keep what is in a cell.
    """
    found = (PROFILE.fullmatch(declared.rule) for declared in declarations(chapter).values())
    return [name for rule in found if rule and rule[1] for name in rule[1].split(", ")]


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
    refuse_unknown(f"chapter {chapter}", given, declared)
    values = {name: parsed(name, given[name], found.default) for name, found in declared.items() if name in given}
    refuse_broken(declared, values)
    return values
