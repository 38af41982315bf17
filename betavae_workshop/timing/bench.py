"""How fast training is, beside what a user would write instead and beside what the machine can do.

Each contender trains the same network on the same images with full-batch Adam, in two layouts, one process with
two threads and two processes with one; its better layout counts. Contenders are interleaved, round after round, and the
median over rounds is reported. The limit is the time that the factored step's matrix products alone take in
single precision, with NumPy's BLAS: no training can be faster without fewer multiplications. Whole networks, with all
that comes before and after their training, are timed in the same way.
"""

import contextlib
import json
import statistics
import subprocess
import sys

from betavae_core import machine
from betavae_core.errors import SweepError
from betavae_workshop import environment, pipes
from betavae_workshop.timing import contenders, scripts

LAYOUTS = ((1, 2), (2, 1))  # processes, threads each
ROUNDS = 3


def run(experiments=("mixing", "localisation"), rounds: int = ROUNDS, report=print) -> list[dict]:
    """Time every contender in both layouts.

    Returns
    -------
    list of {"experiment", "contender", "processes", "threads", "member_steps_per_s", "machine"}, medians over rounds
    """
    rates: dict[tuple, list[float]] = {}
    for experiment in experiments:
        for turn in range(rounds):
            for contender in [*contenders.installed(), *(scripts.WHOLE if turn == 0 else ())]:  # long enough once
                for layout in LAYOUTS:
                    report(
                        f"{experiment}, round {turn + 1} of {rounds}: {contender}, {layout[0]} × {layout[1]} threads"
                    )
                    rate = _timed(contender, experiment, *layout)
                    rates.setdefault((experiment, contender, *layout), []).append(rate)
    names, here = ("experiment", "contender", "processes", "threads"), machine.described()
    return [
        dict(
            zip(names, key, strict=True),
            member_steps_per_s=round(statistics.median(values), 2),
            machine=here,
        )
        for key, values in rates.items()
    ]


def _timed(contender: str, experiment: str, processes: int, threads: int, steps: int | None = None) -> float:
    """Member-steps per second of all processes together; they warm up first and start on one signal.

    Raises
    ------
    SweepError
        if one of them fails, or is killed.
    """
    module, usual = ("scripts", scripts.EPOCHS) if contender in scripts.WHOLE else ("contenders", contenders.STEPS)
    words = [contender, experiment, str(threads), str(steps or usual)]
    command = [sys.executable, "-m", f"betavae_workshop.timing.{module}", *words]
    quiet = {"stdin": subprocess.PIPE, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with environment.clean() as variables, contextlib.ExitStack() as stack:
        variables |= dict.fromkeys(environment.SINGLE_THREAD, str(threads))
        workers, answers = zip(
            *(pipes.started(command, env=variables, text=True, **quiet) for _ in range(processes)), strict=True
        )
        for answer in answers:
            stack.enter_context(answer)
            answer.readline()  # warm
        for worker in workers:
            with contextlib.suppress(BrokenPipeError):  # it has ended
                worker.stdin.write("go\n")
                worker.stdin.flush()
        told = [answer.read() for answer in answers]
        for worker in workers:
            worker.communicate()
    if codes := [worker.returncode for worker in workers if worker.returncode]:
        raise SweepError(f"{contender} on {experiment} cannot be timed: its process ended with code {codes[0]}")
    return sum(map(float, told))


def write(rows: list[dict], file) -> None:
    """Rows as JSON, one a line."""
    with open(file, "w") as handle:
        handle.write("[\n" + ",\n".join(json.dumps(row) for row in rows) + "\n]\n")
