"""Verbs of the book: build it, print it, run a chapter again, read its ledger, get digits."""

import shlex
import shutil
import sys
import textwrap
from pathlib import Path

import click

from betavae_core.errors import UsageError
from betavae_workshop.commands.serving import serve
from betavae_workshop.commands.values import Group, Whole, new_file, tell

LEDGER = ["kind", "what", "place", "evidence", "estimate", "95 % interval", "verdict"]


@click.command()
@click.option("--profile", default="published", show_default=True, help="Stored networks that the deep chapters show.")
@click.option("--render-only", is_flag=True, help="Execute nothing: render what was executed last, wherever that was.")
@click.option("--jobs", type=Whole(min=1), help="Chapters to execute at a time.  [default: one for each core]")
def book(profile, render_only, jobs):
    """Build the book into _build/html.

    \b
    betavae book
    betavae book --profile thesis --jobs 1
    """
    from betavae_core.results import planning
    from betavae_workshop.building import book, chapters

    planning.profile(profile)
    first = book.render() if render_only else book.build(tell, profile=profile, jobs=jobs)
    for name in chapters.names():
        click.echo(f"page: {first.parent / 'book' / name}.html")
    click.echo(f"book: {first}")


@click.command()
@click.argument("name")
def page(name):
    """Run one chapter, if it has changed, and render its page alone: a first look.

    \b
    betavae page theory

    The page goes to _build/page/html; its links to other pages lead nowhere.
    """
    from betavae_workshop.building import book, parameters

    parameters.checked(name, {})
    click.echo(f"page: {book.build_page(name, tell)}")


@click.command()
def pdf():
    """Print the book into _build/betavae-companion.pdf (needs Chromium).

    \b
    betavae pdf
    """
    from betavae_workshop.building import pdf

    click.echo(f"pdf: {pdf.print_book(tell)}")


@click.command()
def notebooks():
    """Write chapters as .ipynb for Colab into _build/notebooks.

    \b
    betavae notebooks
    """
    from betavae_core.paths import BUILD
    from betavae_workshop.building import chapters

    for file in chapters.export(BUILD / "notebooks"):
        click.echo(file)


@click.command()
@click.argument("name")
@click.option(
    "-p", "--parameter", "pairs", nargs=2, multiple=True, metavar="NAME VALUE", help="One parameter; many times."
)
@click.option("--params", metavar="TEXT", help='Several at once: "name=value …", quoted as in a shell.')
def chapter(name, pairs, params):
    """Run one chapter with other parameters.

    \b
    betavae chapter analytical -p beta 4
    betavae chapter analytical --params "beta=4 mixing_matrix=[[1,0.5],[0,1]]"

    The pages, the whole book with that chapter, go to _build/variants/NAME-beta=4/html; _build/html is not touched.
    """
    from betavae_workshop.building import book, parameters

    values = parameters.checked(name, only_once([*pairs, *split_pairs(params)]))
    click.echo(f"page: {book.build_variant(name, values, tell)}")


def split_pairs(params: str | None) -> list[tuple[str, str]]:
    """name=value pairs, split as a shell would; UsageError if they are none."""
    if params is None:
        return []
    if not params.strip():
        raise UsageError("PARAMS is empty; leave it out for the defaults (for make, write $$ for a dollar sign)")
    try:
        words = shlex.split(params)
    except ValueError as error:
        raise UsageError(f"PARAMS has an unclosed quote ({error}); got {params}") from None
    for word in words:
        if "=" not in word:
            raise UsageError(f"PARAMS must be name=value, separated by spaces (quote a value that has any); got {word}")
    return [tuple(word.split("=", 1)) for word in words]


def only_once(pairs: list[tuple[str, str]]) -> dict[str, str]:
    """Parameters by name; UsageError for one that is given twice, or without a value."""
    values: dict[str, str] = {}
    for name, text in pairs:
        if name in values:
            raise UsageError(f"{name} must be given once; got {values[name]} and {text}")
        if not text.strip():
            raise UsageError(f"{name} must have a value; got an empty one (for make, write $$ for a dollar sign)")
        values[name] = text
    return values


@click.group(cls=Group)
def data():
    """The MNIST digits.

    \b
    betavae data fetch
    betavae data import mnist.npz
    """


@data.command()
def fetch():
    """Download all 60,000 MNIST training digits through Keras (needs internet).

    \b
    betavae data fetch

    They are kept in data/mnist_full.npz; set BETAVAE_DIGITS to that path to use them in place of the
    thousand digits that come with the project.
    """
    from betavae_workshop import digit_forms

    click.echo(f"digits: {digit_forms.fetch()}")


@data.command("import")
@click.argument("file", type=click.Path(path_type=Path))
@click.argument("labels", required=False, type=click.Path(path_type=Path))
@click.option("--to", "target", callback=new_file, metavar="FILE", help="[default: data/imported.npz]")
def import_(file, labels, target):
    """Check a file of digits and write it in the project's form.

    \b
    betavae data import ~/.keras/datasets/mnist.npz
    betavae data import train-images-idx3-ubyte.gz train-labels-idx1-ubyte.gz

    Keras's mnist.npz and the IDX files of MNIST and Fashion-MNIST are read, and any .npz with images and labels.
    Set BETAVAE_DIGITS to the path that is printed to use them.
    """
    import numpy as np

    from betavae_core import paths
    from betavae_core.images import digit_files
    from betavae_workshop import digit_forms

    target = target or new_file(None, None, paths.DATA / "imported.npz")
    if target.resolve() == paths.EMBEDDED_DIGITS:
        raise UsageError(f"{target} holds the digits that come with the project; --to another file")
    images, told = digit_forms.read(file, labels)
    if target.exists():  # it gives way to the same digits alone
        try:
            known = digit_files.read(target)
        except digit_files.DigitsError:
            raise UsageError(f"{target} is there and holds no digits; --to another file") from None
        if target.samefile(file) or not all(map(np.array_equal, known, (images, told))):
            raise UsageError(f"{target} is there and holds other digits; --to another file, or remove it")
    digit_forms.write(target, images, told)
    click.echo(f"digits: {target} ({len(images):,}; BETAVAE_DIGITS={target.resolve()} uses them)")


@click.command()
def claims():
    """Print the ledger: claims of the thesis, questions and results, as the last build found them.

    \b
    betavae claims
    """
    from tabulate import tabulate

    from betavae_core import paths
    from betavae_core.findings import claims
    from betavae_workshop.building import chapters, execution

    execution.require_whole(paths.EXECUTED)
    verdicts = claims.load(chapters.names(), paths.EXECUTED)
    if not verdicts:
        raise UsageError("no verdicts yet; `make book` computes them")
    width = [8, 40, 20, 14, 34, 16, 10]
    whole = sum(width) + 3 * len(width) + 1  # with borders
    columns = shutil.get_terminal_size().columns if sys.stdout.isatty() else whole
    rows = [[*v.entry, v.evidence, v.estimate, v.interval, v.word] for v in verdicts]
    if columns >= whole:
        click.echo(tabulate(rows, headers=LEDGER, maxcolwidths=width, tablefmt="simple_grid"))
    else:
        click.echo("\n\n".join(_in_lines(row, columns) for row in rows))
    waiting = [name for name in chapters.names() if not (paths.EXECUTED / f"book/{name}.ipynb").exists()]
    if waiting:
        click.echo(f"without {', '.join(waiting)}, which `make book` executes", err=True)


def _in_lines(row: list[str], columns: int) -> str:
    """An entry of the ledger for a terminal that is too narrow for its table."""
    kind, text, place, evidence, estimate, interval, word = row
    sure = f"95 %: {interval}" if " to " in interval else interval
    parts = (f"{word.upper()}  {text} ({kind}; {place})", f"  {evidence}: {estimate}; {sure}")
    return "\n".join(textwrap.fill(part, columns, subsequent_indent="  ") for part in parts)


VERBS = (book, page, serve, pdf, notebooks, chapter, data, claims)
