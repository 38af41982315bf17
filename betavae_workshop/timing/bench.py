"""How fast training is, beside what a user would write instead and beside what the machine can do.

The figure that counts is the processor time until a network is trained (`timing.optimum`). Beside it stands what steps
take. Each contender trains the same network on the same images with full-batch Adam, in two layouts, one process with
two threads and two processes with one; its better layout counts. Contenders are interleaved, round after round, and the
median over rounds is reported. The limit is the time that the factored step's matrix products alone take in
single precision, with NumPy's BLAS: no training can be faster without fewer multiplications. Whole networks, with all
that comes before and after their training, are timed in the same way.
"""

import contextlib
import itertools
import json
import statistics
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from betavae_core import files, machine, paths
from betavae_core.errors import SweepError, UsageError
from betavae_workshop import environment, pipes
from betavae_workshop.speed import STEPPED
from betavae_workshop.timing import contenders, optimum, scripts

ROWS = paths.BUILD / "bench.json"  # of a bench under way
LAYOUTS = ((1, 2), (2, 1))  # processes, threads each
PARTS = (*STEPPED, "optimum")
WAYS = (*contenders.CONTENDERS, *scripts.WHOLE)
MEASURED = ("member_steps_per_s", "processor_s", "unit_s", "nats_below", "epochs", "end")


def tasks(only=(), chosen=(), rounds: int = 3) -> list[dict]:
    """What there is to measure, as rows without their numbers; the time to the optimum first.

    UsageError on what is not there. `only` names experiments, or "optimum", the one part of *mixing*; all if there is
    none. `chosen` names contenders; all that are installed if there is none.
    """
    here = [*contenders.installed(), *scripts.WHOLE]
    for what, names, known in (("part", only, PARTS), ("contender", chosen, WAYS)):
        for name in (name for name in names if name not in known):
            raise UsageError(f"no {what} {name!r} of the bench; {what}s: {', '.join(known)}")
    for name in (name for name in chosen if name not in here):
        raise UsageError(f"{name} cannot be timed: its library is not installed; `make env EXTRAS=bench` brings it")
    whole = optimum.tasks() if not only or {"mixing", "optimum"} & {*only} else []
    stepped = [
        {"experiment": name, "contender": way, "round": turn, "processes": processes, "threads": threads}
        for name in STEPPED
        if name in (only or STEPPED)
        for turn in range(rounds)
        for way in here
        if way not in scripts.WHOLE or turn == 0  # long enough once
        for processes, threads in LAYOUTS
    ]
    found = [task for task in [*whole, *stepped] if task["contender"] in (chosen or here)]
    if not found:
        raise UsageError(f"nothing to measure: to the optimum only {', '.join(optimum.CONTENDERS)} are timed")
    return found


def run(wanted: list[dict], file: Path = ROWS, progress=lambda task: None) -> list[dict]:
    """Measure what a file lacks of what is wanted, and write each row there as it comes; `progress` is told.

    Returns the rows of what was wanted, with `machine` in each; those of rounds are one, with their median. Of the rows
    that are there already, only what this machine measured counts.
    """
    rows = read(file)
    for _, alike in itertools.groupby(wanted, key=lambda task: {k: v for k, v in task.items() if k != "beta"}):
        left = []
        for task in alike:
            needed = key(task) not in map(key, mine(rows)) and not optimum.decided(task, mine(rows))
            left.append(task) if needed else progress(task)
        for row in measured(left) if left else ():
            rows.append(row | {"machine": machine.described()})
            write(rows, file)
            progress(row)
    return medians([row for row in mine(rows) if key(row) in map(key, wanted)])


def key(row: dict) -> tuple:
    """What tells a row from the others of its machine."""
    return tuple(sorted((name, value) for name, value in row.items() if name not in (*MEASURED, "machine")))


def mine(rows: list[dict]) -> list[dict]:
    """Those of this machine."""
    return [row for row in rows if row["machine"] == machine.described()]


def medians(rows: list[dict]) -> list[dict]:
    """Rows that differ in their round as one, of their median; others as they are."""
    groups: dict[tuple, list[dict]] = {}
    for row in rows:
        whole = {name: value for name, value in row.items() if name != "round"}
        groups.setdefault(key(whole), []).append(whole)
    for first, *others in groups.values():
        if others:
            rates = [row["member_steps_per_s"] for row in (first, *others)]
            first["member_steps_per_s"] = round(statistics.median(rates), 2)
    return [first for first, *_ in groups.values()]


def measured(alike: list[dict], cap: float = optimum.CAP) -> Iterator[dict]:
    """Tasks with what was measured, each as it comes; they differ in β alone."""
    first = alike[0]
    if "recipe" not in first:
        rate = _timed(first["contender"], first["experiment"], first["processes"], first["threads"])
        yield first | {"member_steps_per_s": round(rate, 2)}
        return
    words = [first["contender"], first["recipe"], first["realization"], cap, *(task["beta"] for task in alike)]
    with contextlib.ExitStack() as stack:
        worker, answer = _started(stack, "optimum", words, 1)
        for line in answer:
            yield first | json.loads(line)
        _ended(first, [worker])


def _timed(contender: str, experiment: str, processes: int, threads: int, steps: int | None = None) -> float:
    """Member-steps per second of all processes together, which start on one signal; SweepError if one fails."""
    module, usual = ("scripts", scripts.EPOCHS) if contender in scripts.WHOLE else ("contenders", contenders.STEPS)
    words = [contender, experiment, threads, steps or usual]
    with contextlib.ExitStack() as stack:
        workers, answers = zip(*(_started(stack, module, words, threads) for _ in range(processes)), strict=True)
        for answer in answers:
            answer.readline()  # warm
        for worker in workers:
            with contextlib.suppress(BrokenPipeError):  # it has ended
                worker.stdin.write("go\n")
                worker.stdin.flush()
        told = [answer.read() for answer in answers]
        _ended({"contender": contender, "experiment": experiment}, workers)
    return sum(map(float, told))


def _started(stack, module: str, words, threads: int):
    """A process that measures, and its answer; where `stack` closes, it has ended."""
    command = [sys.executable, "-m", f"betavae_workshop.timing.{module}", *map(str, words)]
    variables = stack.enter_context(environment.clean()) | dict.fromkeys(environment.SINGLE_THREAD, str(threads))
    quiet = {"stdin": subprocess.PIPE, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    worker, answer = pipes.started(command, env=variables, text=True, **quiet)
    for close in (worker.communicate, worker.kill):  # the last one first
        stack.callback(close)
    return worker, stack.enter_context(answer)


def _ended(task: dict, workers) -> None:
    """Wait for them; SweepError that names the task if one failed."""
    if codes := [code for worker in workers if (code := worker.wait())]:
        where = f"{task['contender']} on {task['experiment']}"
        raise SweepError(f"{where} cannot be timed: its process ended with code {codes[0]}")


def read(file: Path) -> list[dict]:
    """Rows of a file, none if it is not there; UsageError if it is no bench's."""
    with contextlib.suppress(ValueError, TypeError):
        rows = json.loads(file.read_text()) if file.exists() else []
        if all("machine" in row for row in rows):
            return rows
    raise UsageError(f"{file} holds no rows of a bench")


def write(rows: list[dict], file: Path) -> None:
    """Rows as JSON, one a line."""
    file.parent.mkdir(exist_ok=True)
    files.write_text(file, "[\n" + ",\n".join(json.dumps(row) for row in rows) + "\n]\n")


def publish(rows: list[dict], file: Path) -> None:
    """Put rows into a file of them, in the place of those that measured the same."""
    write([*{key(row): row for row in [*read(file), *rows]}.values()], file)
