"""What a sweep shows of itself while it runs."""

import contextlib
import signal
import sys
import time

import click

LINE_EVERY = 60  # seconds


@contextlib.contextmanager
def one_interrupt():
    """Within, Ctrl-C or SIGTERM says that what is in hand is finished; the next one ends all at once."""

    def heed(number, _):
        signal.signal(number, signal.SIG_DFL)
        above_the_bar("interrupted; what is in hand is finished and kept (Ctrl-C again drops it)")
        raise KeyboardInterrupt

    before = {number: signal.signal(number, heed) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def with_progress(training, members, missing) -> list:
    """Have members trained, behind a bar on a terminal, with a line a minute elsewhere; returns those that diverged.

    `missing` gives those of them that are still to be done, which an interruption tells of.
    """
    from tqdm import tqdm

    lost, said = [], time.monotonic()
    try:
        progress = tqdm(total=len(members), unit="member", smoothing=0, disable=None)
        with one_interrupt(), contextlib.closing(training) as finished, progress as bar:
            for done, (member, made) in enumerate(finished, 1):
                bar.update()
                lost += [member] if made.get("diverged") else []
                if bar.disable and time.monotonic() - said > LINE_EVERY:
                    click.echo(f"{done} of {len(members)} are done", err=True)
                    said = time.monotonic()
    except KeyboardInterrupt:
        done = len(members) - len(missing(members))
        click.echo(f"interrupted: {done} of {len(members)} are done; the same command goes on from there", err=True)
        sys.exit(130)
    return lost


def above_the_bar(line: str) -> None:
    from tqdm import tqdm

    tqdm.write(line, file=sys.stderr)
