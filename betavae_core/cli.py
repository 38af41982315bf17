"""The `betavae` command: one thin function per verb. Bad input gets one line and exit code 2."""

import functools
import shlex
import sys

import click

from betavae_core import __version__


def one_line_errors(command):
    """Turn errors that the user can mend into one line: exit code 2 for bad input, 1 for a failed build."""

    @functools.wraps(command)
    def wrapped(*args, **kwargs):
        from betavae_core import book, digits

        try:
            return command(*args, **kwargs)
        except (book.UsageError, digits.DigitsError, OSError) as error:
            code, message = 2, error
        except book.BuildError as error:
            code, message = 1, error
        click.echo(f"betavae: {message}", err=True)
        sys.exit(code)

    return wrapped


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="betavae")
def main():
    """The β-VAE thesis companion: build the book, run a chapter again, fetch data."""


@main.command()
@one_line_errors
def book():
    """Execute the chapters that have changed and render the book into _build/html."""
    from betavae_core import book

    click.echo(f"book: {book.build(click.echo)}")


@main.command()
@click.argument("name")
@click.option(
    "-p",
    "--parameter",
    "pairs",
    nargs=2,
    multiple=True,
    metavar="NAME VALUE",
    help="One parameter of the chapter; may be given many times.",
)
@click.option("--params", default="", metavar="TEXT", help='Several at once: "name=value …", quoted as in a shell.')
@one_line_errors
def chapter(name, pairs, params):
    """Run chapter NAME with other parameters and build the book with it, beside the book proper.

    \b
    betavae chapter analytical -p beta 4
    betavae chapter analytical --params "beta=4 mixing_matrix=[[2,1],[0.5,1.5]]"

    The pages go to _build/variants/NAME-beta=4/html; _build/html is not touched.
    """
    from betavae_core import book

    values = book.checked_parameters(name, {**_split(params), **dict(pairs)})
    click.echo(f"page: {book.build_variant(name, values, click.echo)}")


def _split(params: str) -> dict[str, str]:
    from betavae_core import book

    try:
        words = shlex.split(params)
    except ValueError as error:
        raise book.UsageError(f"PARAMS has an unclosed quote ({error}); got {params}") from None
    for word in words:
        if "=" not in word:
            raise book.UsageError(f"PARAMS must be name=value, separated by spaces; got {word}")
    return dict(word.split("=", 1) for word in words)


@main.group()
def data():
    """The MNIST digits."""


@data.command()
@one_line_errors
def fetch():
    """Download all 60,000 MNIST training digits through Keras (needs internet).

    They are kept in data/mnist_full.npz; set BETAVAE_DIGITS to that path to use them in place of the
    thousand digits that come with the project.
    """
    from betavae_core import digits

    click.echo(f"digits: {digits.fetch()}")
