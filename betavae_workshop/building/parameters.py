"""The parameters of chapters, as the build reads and checks them; rules are those of `showing.parameters`."""

import re
from typing import Any

from betavae_core.errors import UsageError
from betavae_core.showing.parameters import PROFILE, Declaration, declared_in, parsed, refuse_broken, refuse_unknown
from betavae_workshop.building import chapters


def declarations(chapter: str) -> dict[str, Declaration]:
    """Names, default values and rules in a chapter's tagged `parameters` cell; {} without one."""
    source = _declaring(chapter)
    try:
        return declared_in(source)
    except SyntaxError:
        chapters.reach(chapter)  # says where
        raise
    except UsageError as error:
        raise UsageError(f"chapter {chapter}: {error}") from None


def _declaring(chapter: str) -> str:
    tagged = (c for c in chapters.notebook(chapter).cells if "parameters" in c.metadata.get("tags", []))
    return next((cell.source for cell in tagged), "") if chapters.has_code(chapter) else ""


def needs(chapter: str) -> list[tuple[str, str | None]]:
    """Experiments whose stored networks a chapter shows at every β, and supplements, each with its experiment.

    They stand with its parameters, since Jupyter and jupytext keep what is in a cell: experiments in a rule, as in
    `# a profile of mixing`; supplements, by how their names begin, in lines such as `# and of mixing: 5,000 epochs`.
    """
    source = _declaring(chapter)
    rules = (PROFILE.fullmatch(declared.rule) for declared in declarations(chapter).values())
    found: list = [(name, None) for rule in rules if rule and rule[1] for name in rule[1].split(", ")]
    for name, start in re.findall(r"^# and of ([\w-]+): (.+)$", source, re.MULTILINE):
        from betavae_core.images import experiments  # it takes as long to load as all else

        extras = [extra.name for extra in experiments.experiment(name).supplements]
        if not (meant := [(name, extra) for extra in extras if extra.startswith(start)]):
            there = f"it has: {', '.join(extras)}" if extras else "it has none"
            raise UsageError(f"chapter {chapter}: no supplement of {name} begins with {start!r}; {there}")
        found += meant
    return found


def defaults(chapter: str) -> dict[str, Any]:
    """Names and default values of a chapter's parameters."""
    return {name: found.default for name, found in declarations(chapter).items()}


def checked(chapter: str, given: dict[str, str]) -> dict:
    """Parse and check parameter values given as text, against the chapter's defaults and each parameter's rule.

    >>> checked("analytical", {"beta": "4"})
    {'beta': 4.0}

    UsageError on an unknown chapter or parameter, or a value that breaks a rule; the message states the rule.
    """
    if chapter not in chapters.names():
        raise UsageError(f"no chapter {chapter!r}; chapters: {', '.join(chapters.names())}")
    declared = declarations(chapter)
    refuse_unknown(f"chapter {chapter}", given, declared)
    values = {name: parsed(name, given[name], found.default) for name, found in declared.items() if name in given}
    refuse_broken(declared, values)
    return values
