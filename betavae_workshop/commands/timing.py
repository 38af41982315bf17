"""Verbs that time training: beside other libraries, and on a GPU."""

import json

import click

from betavae_core.errors import UsageError
from betavae_workshop.commands.values import Whole, new_file


@click.command()
@click.option("--only", metavar="PART", multiple=True, help="mixing, localisation, or optimum, a part of mixing.")
@click.option(
    "--contender", "chosen", multiple=True, help="Such as betavae, keras-fit, pytorch or jax; all by default."
)
@click.option("--rounds", type=Whole(min=1), default=3, show_default=True, help="Repeats of steps; medians are shown.")
@click.option(
    "--json", "file", metavar="FILE", callback=new_file, help="Put the rows there, in place of the same ones."
)
def bench(only, chosen, rounds, file):
    """Time training on this machine.

    \b
    betavae bench --only optimum --contender jax

    Processor time until a network is as good as the linear optimum; steps, beside the plain step, Keras `fit`, PyTorch
    and JAX (where installed) and the limit that the machine's matrix products set; and whole networks, from drawing to
    storing, beside a script with Keras. An hour or two with both cores idle, most of it for the first. Rows are kept as
    they come: after an interruption, the same command goes on. `make env EXTRAS=bench` brings PyTorch and JAX.
    """
    from tabulate import tabulate
    from tqdm import tqdm

    from betavae_workshop import pipes, speed
    from betavae_workshop.timing import bench

    wanted = bench.tasks(only, chosen, rounds)
    if file and len(rows := bench.read(file)) > len(bench.mine(rows)):  # refused before any work is done for it
        raise UsageError(f"{file} has rows of another machine; remove it to start anew, or name another file")
    pipes.writable(lambda: bench.ROWS.parent)
    click.echo(f"rows are kept in {bench.ROWS}; remove it to measure all of them anew", err=True)
    with tqdm(total=len(wanted), unit="row", smoothing=0, disable=None) as bar:

        def progress(task):
            bar.update()
            if bar.disable:  # no terminal
                click.echo(", ".join(map(str, task.values())), err=True)

        rows = bench.run(wanted, progress=progress)
    for made in (speed.optimum_table, speed.table, speed.whole_table):
        header, cells = made(rows)
        click.echo(tabulate(cells, headers=header) + "\n" if cells else "", nl=False)
    if file:
        bench.publish(rows, file)


@click.command("gpu-check")
@click.option("--library", default="tensorflow", show_default=True, help="tensorflow, or jax.")
@click.option(
    "--json", "file", metavar="FILE", callback=new_file, help="Write the rows there, too; what else it has stays."
)
def gpu_check(library, file):
    """Check and time training on this machine's GPU.

    \b
    betavae gpu-check --library jax

    Whether a pack trained twice is the same, whether a member feels the others of its pack, how many member-steps a
    second packs of up to 256 train, beside JAX and PyTorch where installed. Under ten minutes.
    """
    from tabulate import tabulate

    from betavae_core import files, machine
    from betavae_workshop import environment
    from betavae_workshop.timing import gpu

    before = gpu.read(file) if file else {}  # refused before any work is done for it
    with environment.muted():
        gpu.trainers(library)
        found = gpu.device(library)
    if found is None:
        raise UsageError(f"{library} sees no GPU here; {gpu.LIBRARIES[library]} brings what it needs on an NVIDIA GPU")
    if before.get("device", found) != found:
        raise UsageError(f"{file} is of {before['device']}, and this is {found}; name another file")
    rows = []
    for row in gpu.check(library):
        rows.append(row)
        click.echo(", ".join(map(str, row.values())), err=True)
    click.echo(tabulate([list(row.values()) for row in rows], headers=gpu.HEADER))
    if file:
        checked = {"device": found, "host": machine.processor(), "rows": rows}
        files.write_text(file, json.dumps(before | checked, indent=1))


VERBS = (bench, gpu_check)
