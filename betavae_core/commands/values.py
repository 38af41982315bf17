"""Values of options that need more than a type."""

import re
from pathlib import Path

import click


def beta_list(_context, _option, values):
    """β as given many times or as one comma-separated list."""
    numbers = []
    for text in ",".join(values).split(",") if values else ():
        try:
            numbers.append(float(text))
        except ValueError:
            raise click.BadParameter(f"must be a number; got {text!r}") from None
    return numbers or None


def address(_context, _option, text):
    """A Dask scheduler's address, or None."""
    if text is not None and not re.fullmatch(r"(\w+://)?[\w.-]+:\d+", text):
        raise click.BadParameter(f"must be an address such as tcp://host:8786; got {text!r}")
    return text


def new_file(_context, _option, text):
    """The path of a file that is to be written, or None; refused before any work is done for it."""
    if text is None:
        return None
    file = Path(text)
    if not file.name or file.is_dir() or not file.parent.is_dir():
        raise click.BadParameter(f"must name a file in a folder that is there; got {text!r}")
    return file
