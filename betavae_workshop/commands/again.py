"""Networks that are trained again, since weights are not kept: for their atlas, or for terms defined after them."""

import click

from betavae_core.errors import UsageError
from betavae_workshop.commands import following
from betavae_workshop.commands.sweeps import AboutExperiments, PlannedCommand, planned_for
from betavae_workshop.commands.values import Whole, beta_list


@click.command(cls=AboutExperiments)
@click.argument("names", nargs=-1, metavar="[EXPERIMENT ...]")
@click.option("--profile", default="published", show_default=True, help="Which networks.")
@click.option("--beta", "betas", multiple=True, callback=beta_list, metavar="B", help="Many times, or a,b,c.")
@click.option("--jobs", type=Whole(min=1), metavar="J", help="Processes here; one per core by default.")
def atlas(names, profile, betas, jobs):
    """Draw what the network of realization 0 decodes over the plane of its latents, at each β where that is missing.

    \b
    betavae atlas mixing --beta 1,20

    Weights are not kept, so each network is trained again. Pictures and records go to data/results/atlas, which git
    tracks and pages show. Interrupt it at any time; the next run goes on from there.
    """
    from betavae_core import paths
    from betavae_core.images import experiments
    from betavae_workshop.sweeping import crews, running

    names = names or [record.name for record in experiments.RECORDS if record.latents == atlas.latents]
    planned = planned_for(names, profile, betas=betas, realizations=1)
    for name in names:
        if (latents := experiments.experiment(name).latents) != atlas.latents:
            raise UsageError(f"an atlas is drawn of networks with 2 latents; those of {name} have {latents}")
    for label, members in planned:
        drawing = running.draw_atlases(
            members, crews.here(jobs), lambda line, label=label: click.echo(f"{label}: {line}", err=True)
        )
        with following.one_interrupt():
            for member in drawing:
                click.echo(f"{label}, beta {member.beta:.10g}: drawn", err=True)
        click.echo(f"{label}: {len(members)} atlas{'es' * (len(members) != 1)} in {paths.atlases() / label}")


atlas.latents = 2  # a plane's


@click.command(cls=PlannedCommand)
@click.option("--jobs", type=Whole(min=1), metavar="J", help="Processes here; one per core by default.")
def evaluate(jobs, **options):
    """Fill in, for stored networks, terms that were defined after they had been trained, and latents to be kept.

    \b
    betavae evaluate mixing --beta 1,20 --realizations 2

    Weights are not kept, so each network that lacks one is trained again; what is stored of it stays, and what it
    lacks is added where it is stored. Networks of another processor come out otherwise: how far their known terms are
    from the stored ones is told. Interrupt it at any time; the next run goes on from there.
    """
    from betavae_core import paths
    from betavae_core.results import cost
    from betavae_workshop import pipes
    from betavae_workshop.sweeping import crews, publishing, writing

    for label, members in planned_for(**options):
        lacking = publishing.lacking(members)
        if not lacking:
            click.echo(f"{label}: no stored network lacks a term or latents")
            continue
        writing.check_writable()
        pipes.writable(paths.published_store)
        minutes = cost.training(len(lacking), lacking[0].specification.epochs) / 60
        told = f"each is trained again, about {minutes:.0f} minutes in all"
        click.echo(f"{label}: {len(lacking)} stored networks lack a term or latents; {told}", err=True)
        gaps: list[float] = []
        lost = following.with_progress(publishing.fill_in(lacking, gaps, crews.here(jobs)), lacking, publishing.lacking)
        if gaps:
            click.echo(f"{label}: filled in for {len(gaps)}; their known terms come out within {max(gaps):.2g} nats")
        if lost:
            click.echo(f"{label}: {len(lost)} diverged when trained again, and are left as they are", err=True)


VERBS = (atlas, evaluate)
