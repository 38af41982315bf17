"""Verbs of the sweeps: train what is missing, count what is there, publish it."""

import functools
import itertools
from collections import Counter
from importlib.util import find_spec

import click

from betavae_core.errors import UsageError
from betavae_workshop.commands.following import above_the_bar, with_progress
from betavae_workshop.commands.values import Number, Whole, address, beta_list


class AboutExperiments(click.Command):
    """A command whose help lists the experiments and profiles, looked up then: `betavae --help` answers at once."""

    latents = None  # of the experiments that it takes, if not all

    def format_epilog(self, ctx, formatter):
        from betavae_core.images import experiments
        from betavae_core.results import planning

        wanted = [record for record in experiments.RECORDS if self.latents in (None, record.latents)]
        with formatter.section("Experiments"):
            formatter.write_dl([(record.name, record.shows) for record in wanted])
        formatter.write_paragraph()
        formatter.write_text(f"Profiles: {', '.join(planning.PROFILES)}.")


PLAN = [
    click.Argument(["names"], nargs=-1, metavar="[EXPERIMENT ...]"),
    click.Option(["--profile"], default="published", show_default=True, help="How much of each experiment."),
    click.Option(
        ["--beta", "betas"], multiple=True, callback=beta_list, metavar="B", help="To 1e9; many times, or a,b,c."
    ),
    click.Option(["--realizations"], type=Whole(min=1), metavar="N", help="In place of the profile's."),
]


class PlannedCommand(AboutExperiments):
    """The same with what chooses members: `PLAN`, and an option for each setting of a member."""

    def get_params(self, ctx):
        *own, help_option = super().get_params(ctx)
        return [*PLAN, *own, *_setting_options(), help_option]


@functools.cache
def _setting_options() -> list[click.Option]:
    import dataclasses

    from betavae_core.results.members import LIMITS, Specification

    return [
        click.Option(
            [f"--{field.name.replace('_', '-')}"],
            type={int: Whole(*LIMITS.get(field.name, ())), float: Number()}.get(type(field.default), str),
            metavar={int: "N", float: "X"}.get(type(field.default), "NAME"),
            help=f"{field.metadata['help']} Usually {field.default}; an experiment may have its own.",
        )
        for field in dataclasses.fields(Specification)
        if field.name != "experiment"
    ]


def planned_for(names, profile, **options):
    """A plan for each experiment, and its label; UsageError if the working store is none, before anything is said."""
    from betavae_core import paths
    from betavae_core.results import planning

    paths.working_store()
    given = {name: value for name, value in options.items() if value is not None}
    found: dict = {}
    for plan in planning.plans(names, profile, **given):  # two plans of one specification are told as one
        found.setdefault(plan[0].specification.label, {}).update(dict.fromkeys(plan))
    return [(label, list(members)) for label, members in found.items()]


@click.command(cls=PlannedCommand)
@click.option("--jobs", type=Whole(min=1), metavar="J", help="Processes here; one per core by default.")
@click.option("--workers", type=Whole(min=1), metavar="N", help="A Dask cluster of N workers, started here.")
@click.option(
    "--scheduler", callback=address, metavar="ADDRESS", help="A Dask cluster that runs already: tcp://host:8786."
)
@click.option("--pack", type=Whole(min=1), metavar="K", help="Members trained together; probed on a GPU.")
@click.option("--jax", is_flag=True, help="Train with JAX, if installed: other last digits than TensorFlow's.")
@click.option("--explain", is_flag=True, help="Say what would run and why; run nothing.")
def sweep(jobs, workers, scheduler, pack, jax, explain, **options):
    """Train what is missing of each EXPERIMENT, or of all of them, with what the book shows beside them.

    \b
    betavae sweep mixing
    betavae sweep mixing localisation --realizations 2 --beta 1,10,100
    betavae sweep mixing --scheduler tcp://10.0.0.1:8786
    betavae sweep --explain

    Interrupt it at any time: members in hand are finished and stored, and the next run goes on from there.
    """
    if sum(choice is not None for choice in (jobs, workers, scheduler)) > 1:
        raise UsageError("--jobs, --workers and --scheduler are three ways to run a sweep; choose one")
    if jax and (workers or scheduler or not find_spec("jax")):
        raise UsageError("--jax trains on this machine only, where JAX is installed: pip install jax, or jax[cuda13]")
    from betavae_core import paths
    from betavae_workshop.sweeping import cluster, crews, running, survey, writing

    planned = planned_for(**options)
    if jax and any(members[0].specification.optimiser != "adam" for _, members in planned):
        raise UsageError("--jax takes Adam's steps alone; soap trains without it")
    if not explain:
        writing.check_writable()
    for label, members in planned:
        plan = survey.survey(members)
        done = f"{len(plan.working) + len(plan.published)} there already"
        lost = f", {len(plan.diverged)} of them diverged" if plan.diverged else ""
        count = len(plan.missing)
        click.echo(f"{label}: {count} member{'s' * (count != 1)} to train, {done}{lost}", err=True)
        if explain:
            _explain(label if len(planned) > 1 else "", plan.missing)
        elif plan.missing:
            if jax:
                from betavae_workshop.sweeping import pipeline

                training = pipeline.sweep_packs(plan.missing, pack, jobs, above_the_bar)
            else:
                dask = workers or scheduler
                crew = cluster.crew(scheduler, workers, above_the_bar) if dask else crews.here(jobs)
                training = running.run(plan.missing, crew, pack, above_the_bar)
            lost = with_progress(training, plan.missing, lambda members: survey.survey(members).missing)
            click.echo(f"stored in {paths.working_store() / members[0].specification.experiment}", err=True)
            if lost:
                betas = ", ".join(f"{beta:.10g}" for beta in sorted({member.beta for member in lost}))
                click.echo(f"training diverged in {len(lost)} of {count}, at beta {betas}", err=True)


def _explain(label: str, missing) -> None:
    """One line a β: which realizations are in no store."""
    for beta in sorted({member.beta for member in missing}):
        numbers = sorted(member.realization for member in missing if member.beta == beta)
        prefix, plural = f"{label}, " if label else "", "s" * (len(numbers) > 1)
        click.echo(f"{prefix}beta {beta:.10g}: in no store, realization{plural} {_ranges(numbers)}")


def _ranges(numbers: list[int]) -> str:
    """Numbers in order, neighbours told as a range.

    >>> _ranges([0, 1, 2, 4, 7, 8])
    '0 to 2, 4, 7 to 8'
    """
    runs = [[n for _, n in run] for _, run in itertools.groupby(enumerate(numbers), lambda pair: pair[1] - pair[0])]
    return ", ".join(f"{run[0]}" if len(run) == 1 else f"{run[0]} to {run[-1]}" for run in runs)


@click.command(cls=AboutExperiments)
@click.argument("names", nargs=-1, metavar="[EXPERIMENT ...]")
@click.option("--profile", default="published", show_default=True, help="Members to count.")
def status(names, profile):
    """Count what is there, by experiment, β and store.

    \b
    betavae status
    betavae status mixing --profile thesis
    """
    from betavae_workshop.sweeping import survey

    for label, members in planned_for(names, profile):
        plan = survey.survey(members)
        click.echo(f"{label}: {len(members) - len(plan.missing)} of {len(members)}")
        groups = [Counter(m.beta for m in group) for group in (members, plan.working, plan.published, plan.diverged)]
        for beta in sorted(groups[0]):
            wanted, working, published, diverged = (group[beta] for group in groups)
            stores = f"{working} working, {published} published" + (f", {diverged} diverged" if diverged else "")
            click.echo(f"  beta {beta:<9.10g} {working + published:3d} of {wanted} ({stores})")
        for beta, count in sorted(Counter(member.beta for member in survey.others(members)).items()):
            click.echo(f"  beta {beta:<9.10g} {count:3d} that profile {profile} does not ask for")


@click.command(cls=PlannedCommand)
def publish(**options):
    """Merge what is stored into data/results.

    \b
    betavae publish
    betavae publish mixing

    Each EXPERIMENT, or all of them, becomes data/results/EXPERIMENT.nc, which git tracks; settings other than the
    defaults become part of the name.
    """
    from betavae_workshop.sweeping import publishing, survey

    for label, members in planned_for(**options):
        index, known = survey.published_index, members[0].specification
        before, file, after = index(known), publishing.publish(members), index(known)
        size = f"{file.stat().st_size / 2**20:.2f} MiB, {len(after) - len(before):,} added" if file else ""
        click.echo(f"{label}: {f'{file} ({size})' if file else 'nothing stored with these settings'}")


VERBS = (sweep, status, publish)
