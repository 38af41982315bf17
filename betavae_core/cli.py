"""The `betavae` command: one thin function per verb. Bad input gets one line and exit code 2."""

import os
import re
import shlex
import sys

import click

from betavae_core import __version__
from betavae_core.errors import BuildError, SweepError, UsageError


class OneLine(click.Group):
    """A group whose errors are one line each: exit code 2 for what the user can mend, 1 for what failed."""

    def main(self, *args, **kwargs):
        try:
            sys.exit(super().main(*args, **{**kwargs, "standalone_mode": False}))
        except click.exceptions.NoArgsIsHelpError as error:
            error.show()
            sys.exit(2)
        except click.UsageError as error:
            command = error.ctx.command_path if error.ctx else "betavae"
            code, message = 2, f"{error.format_message().splitlines()[0].rstrip('.')} (see {command} --help)"
        except BrokenPipeError:  # the reader of our output, `head` for one, has had enough
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            sys.exit(0)
        except click.Abort:
            click.echo("betavae: interrupted", err=True)
            sys.exit(130)
        except (UsageError, OSError) as error:
            code, message = 2, error
        except (BuildError, SweepError) as error:
            code, message = 1, error
        click.echo(f"betavae: {message}", err=True)
        sys.exit(code)


SETTINGS = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


@click.group(cls=OneLine, context_settings=SETTINGS)
@click.version_option(__version__, prog_name="betavae")
def main():
    """The β-VAE thesis companion: build the book, run a chapter again, train sweeps, time training."""


@main.command()
@click.option("--profile", default="published", show_default=True, help="Stored networks that the deep chapters show.")
@click.option("--render-only", is_flag=True, help="Execute nothing: render what was executed last, wherever that was.")
def book(profile, render_only):
    """Build the book into _build/html."""
    from betavae_core import book, chapters

    chapters.checked_profile(profile)
    page = book.render() if render_only else book.build(click.echo, profile=profile)
    click.echo(f"book: {page}")


@main.command()
def pdf():
    """Print the book into _build/betavae-companion.pdf (needs Chromium)."""
    from betavae_core import pdf

    click.echo(f"pdf: {pdf.print_book(click.echo)}")


@main.command()
def notebooks():
    """Write chapters as .ipynb for Colab into _build/notebooks."""
    from betavae_core import book, chapters

    for file in chapters.export(book.BUILD / "notebooks"):
        click.echo(file)


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
def chapter(name, pairs, params):
    """Run one chapter with other parameters.

    \b
    betavae chapter analytical -p beta 4
    betavae chapter analytical --params "beta=4 mixing_matrix=[[1,0.5],[0,1]]"

    The pages, the whole book with that chapter, go to _build/variants/NAME-beta=4/html; _build/html is not touched.
    """
    from betavae_core import book, chapters

    values = chapters.checked_parameters(name, {**_split(params), **dict(pairs)})
    click.echo(f"page: {book.build_variant(name, values, click.echo)}")


def _split(params: str) -> dict[str, str]:
    try:
        words = shlex.split(params)
    except ValueError as error:
        raise UsageError(f"PARAMS has an unclosed quote ({error}); got {params}") from None
    for word in words:
        if "=" not in word:
            raise UsageError(f"PARAMS must be name=value, separated by spaces; got {word}")
    return dict(word.split("=", 1) for word in words)


@main.group()
def data():
    """The MNIST digits."""


@data.command()
def fetch():
    """Download all 60,000 MNIST training digits through Keras (needs internet).

    They are kept in data/mnist_full.npz; set BETAVAE_DIGITS to that path to use them in place of the
    thousand digits that come with the project.
    """
    from betavae_core import digits

    click.echo(f"digits: {digits.fetch()}")


def _beta_list(_context, _option, values):
    """β as given many times or as one comma-separated list."""
    numbers = []
    for text in ",".join(values).split(",") if values else ():
        try:
            numbers.append(float(text))
        except ValueError:
            raise click.BadParameter(f"must be a number; got {text}") from None
    return numbers or None


def _address(_context, _option, text):
    """A Dask scheduler's address, or None."""
    if text is not None and not re.fullmatch(r"(\w+://)?[\w.-]+:\d+", text):
        raise click.BadParameter(f"must be an address such as tcp://host:8786; got {text!r}")
    return text


def plan_options(command):
    """Options that choose members: shared by `sweep` and `publish`."""
    options = [
        click.option("--profile", default="published", show_default=True, help="smoke, published or thesis."),
        click.option("--beta", "betas", multiple=True, callback=_beta_list, metavar="B", help="Many times, or a,b,c."),
        click.option("--realizations", type=int, metavar="N", help="In place of the profile's."),
        click.option("--epochs", type=int, metavar="N", help="In place of the profile's."),
        click.option("--samples", type=int, metavar="N", help="Images in each realization."),
        click.option("--learning-rate", type=float, metavar="X", help="Adam's step, 0.001."),
        click.option("--scaling", metavar="HOW", help="global (default) or pixel: how images are standardised."),
    ]
    for option in reversed(options):
        command = option(command)
    return command


def _planned(experiment, profile, betas, realizations, **overrides):
    from betavae_core import experiments

    given = {name: value for name, value in overrides.items() if value is not None}
    try:
        return experiments.plan(experiment, profile, betas, realizations, **given)
    except ValueError as error:
        raise UsageError(str(error)) from None


@main.command()
@click.argument("experiment")
@plan_options
@click.option("--jobs", type=click.IntRange(min=1), metavar="J", help="Processes here; one per core by default.")
@click.option("--workers", type=click.IntRange(min=1), metavar="N", help="A Dask cluster of N workers, started here.")
@click.option(
    "--scheduler", callback=_address, metavar="ADDRESS", help="A Dask cluster that runs already: tcp://host:8786."
)
@click.option("--pack", type=click.IntRange(min=1), metavar="K", help="Members trained together; probed on a GPU.")
@click.option("--explain", is_flag=True, help="Say what would run and why; run nothing.")
def sweep(experiment, jobs, workers, scheduler, pack, explain, **options):
    """Train what is missing of EXPERIMENT.

    Experiments: mixing, localisation, mixing-one-pair, mixing-diagonal, pixel-mixing.

    \b
    betavae sweep mixing
    betavae sweep localisation --realizations 2 --beta 1,10,100
    betavae sweep mixing --scheduler tcp://10.0.0.1:8786
    betavae sweep mixing --explain

    Interrupt it at any time: members in hand are finished and stored, and the next run goes on from there.
    """
    if sum(choice is not None for choice in (jobs, workers, scheduler)) > 1:
        raise UsageError("--jobs, --workers and --scheduler are three ways to run a sweep; choose one")
    from betavae_core import store, sweep

    members = _planned(experiment, **options)
    if not explain:
        store.check_writable()
    plan = sweep.survey(members)
    done = len(plan.working) + len(plan.published)
    click.echo(f"{experiment}: {len(plan.missing)} members to train, {done} there already", err=True)
    if explain:
        for beta in sorted({member.beta for member in plan.missing}):
            numbers = [str(member.realization) for member in plan.missing if member.beta == beta]
            click.echo(f"beta {beta:g}: in no store, realization{'s' * (len(numbers) > 1)} {', '.join(numbers)}")
    elif plan.missing:
        _run_sweep(plan.missing, _crew(jobs, workers, scheduler), pack)
        click.echo(f"stored in {store.folder() / experiment}", err=True)


def _crew(jobs, workers, scheduler):
    """Who trains: processes here, or a Dask cluster."""
    from betavae_core import cluster, sweep

    if workers or scheduler is not None:
        return cluster.crew(scheduler, workers, _above_the_bar)
    return sweep.here(jobs)


def _run_sweep(missing, crew, pack) -> None:
    import contextlib

    from tqdm import tqdm

    from betavae_core import sweep

    training = sweep.run(missing, crew, pack, _above_the_bar)
    with contextlib.closing(training) as finished, tqdm(total=len(missing), unit="member") as bar:
        try:
            for _ in finished:
                bar.update()
        except KeyboardInterrupt:
            sys.exit(130)  # `run` has said so, and stored the members in hand


def _above_the_bar(line: str) -> None:
    from tqdm import tqdm

    tqdm.write(line, file=sys.stderr)


@main.command()
@click.argument("names", nargs=-1, metavar="[EXPERIMENT ...]")
@click.option("--profile", default="published", show_default=True, help="Members to count.")
def status(names, profile):
    """Count what is there, by experiment, β and store."""
    from betavae_core import experiments, sweep

    for name in names or experiments.NAMES:
        members = _planned(name, profile, None, None)
        plan = sweep.survey(members)
        click.echo(f"{name}: {len(members) - len(plan.missing)} of {len(members)}")
        for beta in sorted({member.beta for member in members}):
            wanted, working, published, diverged = (
                sum(member.beta == beta for member in group)
                for group in (members, plan.working, plan.published, plan.diverged)
            )
            stores = f"{working} working, {published} published" + (f", {diverged} diverged" if diverged else "")
            click.echo(f"  beta {beta:<6g} {working + published:3d} of {wanted} ({stores})")


@main.command()
@click.argument("names", nargs=-1, metavar="[EXPERIMENT ...]")
@plan_options
def publish(names, **options):
    """Merge what is stored into data/results.

    Each EXPERIMENT, or all of them, becomes data/results/EXPERIMENT.nc, which git tracks; settings other than the
    profile's become part of the name.
    """
    from betavae_core import experiments, store

    for name in names or experiments.NAMES:
        file = store.publish(_planned(name, **options))
        click.echo(f"{name}: {f'{file} ({file.stat().st_size / 2**20:.2f} MiB)' if file else 'nothing stored'}")


@main.command()
def claims():
    """Print the ledger of the thesis's claims, as the last build found them."""
    from tabulate import tabulate

    from betavae_core import book, chapters, claims

    verdicts = claims.load(chapters.names(), book.BUILD / "executed")
    if not verdicts:
        raise UsageError("no verdicts yet; `make book` computes them")
    width = [44, 20, 14, 34, 16, 14]
    click.echo(tabulate(claims.rows(verdicts), headers=claims.HEADER, maxcolwidths=width, tablefmt="simple_grid"))


@main.command()
@click.option("--rounds", type=click.IntRange(min=1), default=3, show_default=True, help="Repeats; medians are shown.")
@click.option("--json", "file", metavar="FILE", type=click.Path(dir_okay=False), help="Write one row for each layout.")
def bench(rounds, file):
    """Time training on this machine.

    Beside Keras `fit`, PyTorch (where installed) and the limit that the machine's matrix products set. Several
    minutes with both cores idle. PyTorch comes with `make env EXTRAS=bench`.
    """
    from tabulate import tabulate

    from betavae_core import bench

    rows = bench.run(rounds=rounds, report=lambda line: click.echo(line, err=True))
    click.echo(tabulate(bench.table(rows), headers=bench.HEADER))
    if file:
        bench.write(rows, file)
