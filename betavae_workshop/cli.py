"""The `betavae` command; its verbs are in `commands`. Bad input gets one line and exit code 2."""

import os
import sys
import warnings

import click

from betavae_core import __version__
from betavae_core.errors import BuildError, SweepError, UsageError
from betavae_workshop import environment
from betavae_workshop.commands import again, books, doctor, sweeps, timing
from betavae_workshop.commands.values import Group


class OneLine(Group):
    """A group whose errors are one line each: exit code 2 for what the user can mend, 1 for what failed."""

    def main(self, args=None, **kwargs):
        if args is None:  # this process is the command line's
            environment.start_anew()
            warnings.showwarning = lambda message, *_: click.echo(f"betavae: {message}", err=True)
        try:
            sys.exit(super().main(args, **{**kwargs, "standalone_mode": False}))
        except click.exceptions.NoArgsIsHelpError as error:
            error.show()
            sys.exit(2)
        except click.UsageError as error:
            command = error.ctx.command_path if error.ctx else "betavae"
            code, message = 2, f"{_printable(error.format_message()).rstrip('.')} (see {command} --help)"
        except click.Abort:
            click.echo("betavae: interrupted", err=True)
            sys.exit(130)
        except (UsageError, OSError) as error:
            code, message = 2, _printable(str(error))
        except (BuildError, SweepError) as error:
            code, message = 1, error
        click.echo(f"betavae: {message}", err=True)
        sys.exit(code)

    def invoke(self, context):
        try:
            return super().invoke(context)
        except BrokenPipeError:  # the reader of our output, `head` for one, has had enough
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            sys.exit(0)


def _printable(text: str) -> str:
    """Text with line breaks, and whatever else a terminal cannot show, written out: it may quote what was typed."""
    return "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in text)


@click.group(cls=OneLine, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="betavae")
def main():
    """The β-VAE thesis companion: build the book, run a chapter again, train sweeps, time training.

    \b
    betavae page theory
    betavae chapter analytical -p beta 4
    betavae sweep mixing --explain
    """


for verb in (*books.VERBS, *sweeps.VERBS, *again.VERBS, *timing.VERBS, *doctor.VERBS):
    main.add_command(verb)
