"""Errors that the command line tells in one line; anything else is a fault of this package and shows its traceback."""


class UsageError(ValueError):
    """What the user asked for cannot be done: exit code 2."""


class BuildError(RuntimeError):
    """A chapter or the rendering failed: exit code 1."""


class SweepError(RuntimeError):
    """Those who train are gone: exit code 1."""


def first_line(error: Exception) -> str:
    """The first line of an error's message that is not empty, or the name of its type."""
    return str(error).strip().partition("\n")[0] or type(error).__name__
