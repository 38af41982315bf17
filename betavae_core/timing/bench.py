"""How fast training is, beside what a user would write instead and beside what the machine can do.

Each contender trains the same network on the same images with full-batch Adam, in two layouts, one process with
two threads and two processes with one; its better layout counts. Contenders are interleaved, round after round, and the
median over rounds is reported. The limit is the time that the factored step's matrix products alone take in
single precision, with NumPy's BLAS: no training can be faster without fewer multiplications. Whole networks, with all
that comes before and after their training, are timed in the same way.
"""

import contextlib
import json
import platform
import statistics
import subprocess
import sys
from collections.abc import Iterator

from betavae_core import environment, notes
from betavae_core import machine as allowed
from betavae_core.errors import SweepError
from betavae_core.sweeps import planning
from betavae_core.timing import contenders, scripts

LAYOUTS = ((1, 2), (2, 1))  # processes, threads each
ROUNDS = 3
EVALUATION = 0.7  # seconds of one core for each member, measured: draws and importance sampling on both sets of images
COSTED = ("mixing", "localisation")
HEADER = [
    "experiment",
    "contender",
    "processes × threads",
    "member-steps/s",
    "ms per step",
    "this project is faster by",
]
WHOLE_HEADER = [
    "experiment",
    "by",
    "processes × threads",
    "s per network",
    "networks per hour",
    "this project is faster by",
]
COST_HEADER = ["machine", "mixing, h", "localisation, h", "together, h"]


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
    names = ("experiment", "contender", "processes", "threads")
    return [
        dict(zip(names, key, strict=True), member_steps_per_s=round(statistics.median(values), 2), machine=machine())
        for key, values in rates.items()
    ]


def machine() -> str:
    """The machine in a few words: processor architecture, cores, memory, system."""
    cores, memory = allowed.cores(), allowed.memory() / 2**30
    return f"{platform.machine()}, {cores} cores, {memory:.0f} GiB, {platform.system()}"


def table(rows: list[dict]) -> list[list[str]]:
    """For each experiment and contender its better layout: steps/s, ms per step and member, ratio to this project."""
    return [
        [experiment, label, layout, f"{rate:.1f}", f"{1000 / rate:.1f}", f"{ratio:.2f} ×"]
        for experiment, label, layout, rate, ratio in _best(rows, contenders.CONTENDERS, "betavae")
    ]


def whole_table(rows: list[dict]) -> list[list[str]]:
    """For each experiment and way to a stored network its better layout: seconds for one, as many an hour, ratio."""
    return [
        [
            experiment,
            label,
            layout,
            f"{scripts.EPOCHS / rate:.1f}",
            f"{3600 * rate / scripts.EPOCHS:.0f}",
            f"{ratio:.2f} ×",
        ]
        for experiment, label, layout, rate, ratio in _best(rows, scripts.WHOLE, "member")
    ]


def _best(rows: list[dict], known: dict[str, tuple], ours: str) -> Iterator[tuple[str, str, str, float, float]]:
    """Experiment, label, layout, rate and the ratio to `ours`, each of the known contenders in its better layout."""
    best: dict[tuple, dict] = {}
    for row in rows:
        key = row["experiment"], row["contender"]
        if key not in best or row["member_steps_per_s"] > best[key]["member_steps_per_s"]:
            best[key] = row
    for (experiment, contender), row in best.items():
        if contender in known:
            rate, own = row["member_steps_per_s"], best[experiment, ours]["member_steps_per_s"]
            yield experiment, known[contender][-1], f"{row['processes']} × {row['threads']}", rate, own / rate


def thesis_cost(rows: list[dict], gpu: dict, epochs: int = 1000) -> list[list[str]]:
    """Hours that the `thesis` profile takes on three kinds of machine, by arithmetic from what was measured.

    Cores: members × (steps / rate + evaluation), shared out; rows are the bench's. GPU: members × the seconds that a
    network of the longest sweep of that experiment took (`paths.GPU`), drawing and evaluation included.
    """
    hours = {"one laptop, 2 cores": [], f"one {gpu['device']}, 16 host cores": [], "100 CPU workers, one core each": []}
    for name in COSTED:
        members = len(planning.plan(name, "thesis"))
        ours = [row for row in rows if (row["experiment"], row["contender"]) == (name, "betavae")]
        laptop = max(row["member_steps_per_s"] for row in ours)
        core = max(row["member_steps_per_s"] / row["processes"] for row in ours if row["threads"] == 1)
        swept = max((s for s in gpu["sweeps"] if s["experiment"] == name), key=lambda sweep: sweep["networks"])
        alone = epochs / core + EVALUATION
        each = epochs / laptop + EVALUATION / 2, swept["seconds"] / swept["networks"], alone / 100
        for column, seconds in zip(hours.values(), each, strict=True):
            column.append(members * seconds / 3600)
    return [[name, *(f"{h:.2f}" for h in (*column, sum(column)))] for name, column in hours.items()]


def _timed(contender: str, experiment: str, processes: int, threads: int, steps: int | None = None) -> float:
    """Member-steps per second of all processes together; they warm up first and start on one signal.

    Raises
    ------
    SweepError
        if one of them fails, or is killed.
    """
    module, usual = ("scripts", scripts.EPOCHS) if contender in scripts.WHOLE else ("contenders", contenders.STEPS)
    words = [contender, experiment, str(threads), str(steps or usual)]
    command = [sys.executable, "-m", f"betavae_core.timing.{module}", *words]
    quiet = {"stdin": subprocess.PIPE, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with environment.clean() as variables, contextlib.ExitStack() as stack:
        variables |= dict.fromkeys(environment.SINGLE_THREAD, str(threads))
        workers, answers = zip(
            *(notes.started(command, env=variables, text=True, **quiet) for _ in range(processes)), strict=True
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
