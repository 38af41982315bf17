"""Tables of what was measured of this project's speed.

`make bench` leaves one of the two files. The other has the rows of `betavae gpu-check`; its sweeps, as
`sweeping.pipeline.run` timed them, and the networks beside those of a CPU were put in by hand, and checks leave them.
A build hands the tables to the chapter on reproduction (`betavae_core.built`).
"""

import json
import math
from collections.abc import Callable

import numpy as np
import scipy.stats

from betavae_core import paths
from betavae_core.networks import architecture
from betavae_core.results import planning

CONTENDERS = {  # what tables call them
    "betavae": "this project",
    "plain": "its step, not factored",
    "keras-fit": "Keras, fit",
    "pytorch": "PyTorch",
    "torch-compile": "PyTorch, compiled",
    "jax": "JAX",
    "limit": "limit",
}
WHOLE = {"member": "this project", "keras-script": "a script with Keras"}
RATE = "member-steps/s"
TERMS = ("reconstruction", "kl_prior", "tie")
EVALUATION = 0.7  # seconds of one core for each member, measured: draws and importance sampling on both sets of images
STEPPED = ("mixing", "localisation")  # experiments whose steps are timed
LAYOUT, FASTER = "processes × threads", "this project is faster by"
LONGER = "time / our shortest training"
HEADER = ["experiment", "contender", LAYOUT, "steps/s", "ms per step", FASTER]
WHOLE_HEADER = ["experiment", "by", LAYOUT, "s per network", "networks per hour", FASTER]
COST_HEADER = ["machine", "mixing, h", "localisation, h", "together, h"]
EPOCHS = 1000  # of a whole network


def told() -> dict:
    """All that the chapter shows: tables by name, each its header and rows, and the numbers that its prose quotes."""
    timed, measured = (json.loads(file.read_text()) for file in (paths.BENCH, paths.GPU))
    stepped = [row for row in timed if "processes" in row]
    together = ["experiment", "networks together", "this project, steps/s", "plain JAX, steps/s"]
    swept = ["experiment", "networks", "epochs", "seconds", "training", "s per network"]
    tables = {
        "optimum": optimum_table(timed),
        "steps": table(timed),
        "networks": whole_table(timed),
        "together": ([*together, "memory, GB, by arithmetic"], speed_rows(measured)),
        "sweeps": (swept, sweep_rows(measured)),
        "beside": (["β", "R", "C", "TIE"], beside_rows(measured)),
        "cost": (COST_HEADER, thesis_cost(stepped, measured)),
    }
    return tables | {"beyond": beyond(measured), "evaluation": EVALUATION}


def optimum_table(rows: list[dict]) -> tuple[list[str], list[list[str]]]:
    """Header and rows: for each contender and training the processor time to the optimum at each β, in U (`_time`).

    The ratio is to this project's shortest training at the same β, and the least over β; "solved" trains nothing.
    """
    cells: dict[tuple, list[dict]] = {}
    for row in rows:
        if "recipe" in row:
            cells.setdefault((row["contender"], row["recipe"], row["beta"]), []).append(row)
    times, betas = {cell: _time(found) for cell, found in cells.items()}, sorted({beta for *_, beta in cells})
    shortest: dict[float, float] = {}
    for (contender, recipe, beta), (time, bound, _) in times.items():
        if contender == "betavae" and recipe != "solved" and not bound and math.isfinite(time):
            shortest[beta] = min(time, shortest.get(beta, time))
    table = []
    for way in dict.fromkeys(cell[:2] for cell in cells):
        own = {beta: times.get((*way, beta), (math.inf, "", "–")) for beta in betas}
        ratios = [(own[beta][0] / shortest[beta], own[beta][1]) for beta in betas if beta in shortest]
        least, bound = min(ratios, default=(math.inf, ""))
        faster = f"{bound}{least:.2f} ×" if math.isfinite(least) else "–"
        networks = sum(len(found) for cell, found in cells.items() if cell[:2] == way)
        texts = [text for *_, text in own.values()]
        table.append([CONTENDERS[way[0]], way[1], str(networks), *texts, faster])
    return ["contender", "training", "networks", *(f"β = {beta:g}, U" for beta in betas), LONGER], table


def _time(rows: list[dict]) -> tuple[float, str, str]:
    """Median of the processor time that networks of one β took to the optimum, in U; whether it is a bound; as text.

    Where half of them did not get there it is more than the cap at which the first was stopped. If their training was
    over instead, it is infinite, and the text says how many nats the middle one of them is below. Where some got there,
    and not all, it says how many did.
    """
    times = [row["processor_s"] / row["unit_s"] if row["end"] == "reached" else math.inf for row in rows]
    there = sum(map(math.isfinite, times))
    some = f" ({there} of {len(rows)})" if 0 < there < len(rows) else ""
    if math.isfinite(median := float(np.median(times))):
        return median, "", f"{median:.2f}{some}"
    stopped = [row["processor_s"] / row["unit_s"] for row in rows if row["end"] == "stopped"]
    if stopped:
        return min(stopped), "> ", f"> {min(stopped):.1f}{some}"
    short = [row["nats_below"] for row in rows if row["end"] == "over"]
    return math.inf, "", f"{np.median(short):.2f} nats below{some}"


def table(rows: list[dict]) -> tuple[list[str], list[list[str]]]:
    """For each experiment and contender its better layout: steps/s, ms per step and member, ratio to this project."""
    return HEADER, _best(rows, CONTENDERS, "betavae", lambda rate: [f"{rate:.1f}", f"{1000 / rate:.1f}"])


def whole_table(rows: list[dict]) -> tuple[list[str], list[list[str]]]:
    """For each experiment and way to a stored network its better layout: seconds for one, as many an hour, ratio."""
    return WHOLE_HEADER, _best(rows, WHOLE, "member", lambda r: [f"{EPOCHS / r:.1f}", f"{3600 * r / EPOCHS:.0f}"])


def _best(rows: list[dict], known: dict[str, str], ours: str, told: Callable[[float], list[str]]) -> list[list[str]]:
    """Experiment, label, layout, rate as `told`, ratio to `ours`: each of the known contenders in its better layout."""
    best: dict[tuple, dict] = {}
    for row in rows:
        way = row["experiment"], row["contender"]
        rate = row.get("member_steps_per_s", 0)
        if way[1] in known and rate > (best[way]["member_steps_per_s"] if way in best else 0):
            best[way] = row
    cells = []
    for (experiment, contender), row in best.items():
        rate, own = row["member_steps_per_s"], best.get((experiment, ours), {}).get("member_steps_per_s", math.nan)
        layout = f"{row['processes']} × {row['threads']}"
        cells.append([experiment, known[contender], layout, *told(rate), f"{own / rate:.2f} ×"])
    return cells


def thesis_cost(rows: list[dict], gpu: dict) -> list[list[str]]:
    """Hours that the `thesis` profile takes on three kinds of machine, by arithmetic from what was measured.

    Cores: members × (steps / rate + evaluation), shared out; rows are the bench's. GPU: members × the seconds that a
    network of the longest sweep of that experiment took (`paths.GPU`), drawing and evaluation included.
    """
    hours = {"one laptop, 2 cores": [], f"one {gpu['device']}, 16 host cores": [], "100 CPU workers, one core each": []}
    for name in STEPPED:
        members = len(planning.plan(name, "thesis"))
        ours = [row for row in rows if (row["experiment"], row["contender"]) == (name, "betavae")]
        laptop = max(row["member_steps_per_s"] for row in ours)
        core = max(row["member_steps_per_s"] / row["processes"] for row in ours if row["threads"] == 1)
        swept = max((s for s in gpu["sweeps"] if s["experiment"] == name), key=lambda sweep: sweep["networks"])
        alone = EPOCHS / core + EVALUATION
        each = EPOCHS / laptop + EVALUATION / 2, swept["seconds"] / swept["networks"], alone / 100
        for column, seconds in zip(hours.values(), each, strict=True):
            column.append(members * seconds / 3600)
    return [[name, *(f"{h:.2f}" for h in (*column, sum(column)))] for name, column in hours.items()]


def speed_rows(measured: dict) -> list[list[str]]:
    """Rows of a table of stored rates: experiment, members together, member-steps per second, the peer's, `held`."""
    rated = [row for row in measured["rows"] if row["unit"] == RATE]
    rates = {(row["experiment"], row["members"], row["check"]): row["found"] for row in rated}
    rows = []
    for name, members in dict.fromkeys(key[:2] for key in rates):
        pair = [rates.get((name, members, check)) for check in ("training", "peer")]
        rows.append([name, str(members), *(f"{rate:,.0f}" if rate else "–" for rate in pair), f"{held(members):.2f}"])
    return rows


def held(members: int) -> float:
    """GB that a pack in training holds at least, with the thesis's 1,000 images for each member; by arithmetic.

    Four bytes for each weight, its gradient and Adam's two moments, and for each output of a layer and its gradient.
    """
    layers = architecture.shapes(architecture.LATENTS, architecture.HIDDEN, architecture.PIXELS, "diagonal")
    weights = sum((fan_in + 1) * fan_out for fan_in, fan_out in layers)
    outputs = 1000 * sum(fan_out for _, fan_out in layers)
    return members * 4 * (4 * weights + 2 * outputs) / 1e9


def sweep_rows(measured: dict) -> list[list[str]]:
    """Rows of a table of stored sweeps: networks, epochs, seconds, the device's part of them, seconds each."""
    rows = []
    for sweep in measured["sweeps"]:
        whole, networks = sweep["seconds"], sweep["networks"]
        cells = [f"{whole:.0f}", f"{100 * sweep['training_s'] / whole:.0f} %", f"{whole / networks:.2f}"]
        rows.append([sweep["experiment"], f"{networks:,}", f"{sweep['epochs']:,}", *cells])
    return rows


def beside_rows(measured: dict) -> list[list[str]]:
    """Rows of a table, GPU minus CPU of the same members: mean difference ± its standard error of R, C, TIE; nats."""
    return [[f"{row['beta']:g}", *(_with_error(*row[name]) for name in TERMS)] for row in measured["beside_cpu"]]


def _with_error(mean: float, error: float, spread: float) -> str:
    """Mean and error to the error's first digit, and the spread in brackets.

    >>> _with_error(-0.566, 0.298, 0.266), _with_error(0.00016, 0.00377, 1.3)
    ('−0.6 ± 0.3 (0.27)', '0.000 ± 0.004 (1.3)')
    """
    decimals = max(0, -math.floor(math.log10(error)))
    told = f"{mean:z.{decimals}f} ± {error:.{decimals}f} "
    return told.replace("-", "−") + f"({np.format_float_positional(spread, 2, fractional=False, trim='-')})"


def beyond(measured: dict) -> tuple[int, int]:
    """How many of those differences Student's 95 % interval tells from 0, and how many there are."""
    terms = [row[name] for row in measured["beside_cpu"] for name in TERMS]
    reach = scipy.stats.t.ppf(0.975, measured["realizations"] - 1)
    return int(sum(abs(mean) > reach * error for mean, error, _ in terms)), len(terms)
