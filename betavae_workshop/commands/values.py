"""Values of options that need more than a type, and how groups list their commands."""

import os
import re
from pathlib import Path

import click

from betavae_core import typed
from betavae_workshop import pipes


class Number(click.ParamType):
    """A number as `betavae_core.typed` has it."""

    name = "float"

    def convert(self, value, param, ctx):
        try:
            return typed.number(value) if isinstance(value, str) else value
        except ValueError as error:
            self.fail(str(error), param, ctx)


class Whole(click.IntRange):
    """A whole number as `betavae_core.typed` has it, in a range."""

    def convert(self, value, param, ctx):
        try:
            return super().convert(typed.whole(value) if isinstance(value, str) else value, param, ctx)
        except ValueError as error:
            self.fail(str(error), param, ctx)


def beta_list(context, option, values):
    """β as given many times or as one comma-separated list."""
    texts = ",".join(values).split(",") if values else ()
    return [Number().convert(text, option, context) for text in texts] or None


def address(_context, _option, text):
    """A Dask scheduler's address, or None."""
    if text is not None and not re.fullmatch(r"(\w+://)?[\w.-]+:\d+", text):
        raise click.BadParameter(f"must be an address such as tcp://host:8786; got {text!r}")
    return text


def new_file(_context, _option, text):
    """The path of a file that can be written, or None; BadParameter or OSError before any work is done for it."""
    if text is None:
        return None
    file = Path(text)
    if not file.name or not file.parent.is_dir() or (file.exists() and not file.is_file()):
        raise click.BadParameter(f"must name a file in a folder that is there; got {text!r}")
    pipes.writable(lambda: file.parent)
    return file


def tell(line: str) -> None:
    """Say a line; where its reader, `head` for one, has had enough, work goes on in silence."""
    try:
        click.echo(line)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


class Group(click.Group):
    """A group that lists its commands with whole summaries, over as many lines as they take."""

    def format_commands(self, ctx, formatter):
        rows = [(name, self.commands[name].get_short_help_str(limit=1_000)) for name in self.list_commands(ctx)]
        with formatter.section("Commands"):
            formatter.write_dl(rows)
