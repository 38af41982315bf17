"""How fast training is, beside what a user would write instead and beside what the machine can do.

Each contender trains the same network on the same images with full-batch Adam, in two layouts, one process with
two threads and two processes with one; its better layout counts. Contenders are interleaved, round after round, and the
median over rounds is reported. The limit is the time that the factored step's matrix products alone take in
single precision, with NumPy's BLAS: no training can be faster without fewer multiplications.
"""

import itertools
import json
import platform
import statistics
import subprocess
import sys
import time
from importlib.util import find_spec

import numpy as np

from betavae_core import environment
from betavae_core import machine as allowed
from betavae_core.images import experiments
from betavae_core.networks.architecture import HIDDEN, LATENTS, LEARNING_RATE, PIXELS
from betavae_core.sweeps import planning

CONTENDERS = ("betavae", "keras-fit", "pytorch", "torch-compile", "limit")
LAYOUTS = ((1, 2), (2, 1))  # processes, threads each
WARM_UP, STEPS, ROUNDS = 20, 60, 3
EVALUATION = 1.4  # seconds of one core for each member, measured: draws, importance sampling, SVD of the images
GPU_RATE = 10e12  # multiply-adds × 2 per second in float32 that a pack sustains: half of what a data-centre GPU claims
RANKS = {"mixing": 3, "localisation": 110}
HEADER = ["experiment", "contender", "processes × threads", "member-steps/s", "ms per step", "betavae is faster by"]
COST_HEADER = ["machine", "mixing, h", "localisation, h", "together, h"]


def products(samples: int, rank: int, pixels: int = PIXELS, latents: int = LATENTS) -> list[tuple[int, int, int]]:
    """Shapes (m, k, n) of every matrix product that one factored step needs: forward, backward, no product twice."""
    first, *rest = HIDDEN
    layers = [(first, rest[0]), (rest[0], rest[1]), (rest[1], 2 * latents)]
    layers += [(latents, rest[1]), (rest[1], rest[0]), (rest[0], first)]
    shapes = [(rank, pixels, first), (samples, rank, first), (rank, samples, first), (pixels, rank, first)]
    for fan_in, fan_out in layers:  # forward, gradient of the kernel, gradient of the input
        shapes += [(samples, fan_in, fan_out), (fan_in, samples, fan_out), (samples, fan_out, fan_in)]
    shapes += [(first, pixels, first), (samples, first, first), (rank, pixels, first), (samples, rank, first)]
    shapes += [(first, samples, first), (first, first, pixels), (first, samples, rank), (first, rank, pixels)]
    return shapes


def run(experiments=("mixing", "localisation"), rounds: int = ROUNDS, report=print) -> list[dict]:
    """Time every contender in both layouts.

    Returns
    -------
    list of {"experiment", "contender", "processes", "threads", "member_steps_per_s", "machine"}, medians over rounds
    """
    contenders = [c for c in CONTENDERS if find_spec("torch") or not c.endswith(("torch", "compile"))]
    rates: dict[tuple, list[float]] = {}
    for experiment in experiments:
        for turn in range(rounds):
            for contender in contenders:
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
    best: dict[tuple, dict] = {}
    for row in rows:
        key = row["experiment"], row["contender"]
        if key not in best or row["member_steps_per_s"] > best[key]["member_steps_per_s"]:
            best[key] = row
    lines = []
    for (experiment, contender), row in best.items():
        rate, ours = row["member_steps_per_s"], best[experiment, "betavae"]["member_steps_per_s"]
        layout = f"{row['processes']} × {row['threads']}"
        lines.append([experiment, contender, layout, f"{rate:.1f}", f"{1000 / rate:.1f}", f"{ours / rate:.2f}"])
    return lines


def thesis_cost(rows: list[dict], epochs: int = 1000) -> list[list[str]]:
    """Hours that the `thesis` profile takes on three kinds of machine, from the bench's rows by arithmetic.

    Cores: members × (steps / rate + evaluation), shared out. GPU: steps at `GPU_RATE`, evaluation on one host core.
    """
    hours = {"one laptop, 2 cores": [], "one GPU, one host core": [], "100 CPU workers, one core each": []}
    for name, rank in RANKS.items():
        members = len(planning.plan(name, "thesis"))
        ours = [row for row in rows if (row["experiment"], row["contender"]) == (name, "betavae")]
        laptop = max(row["member_steps_per_s"] for row in ours)
        core = max(row["member_steps_per_s"] / row["processes"] for row in ours if row["threads"] == 1)
        flops = 2 * sum(m * k * n for m, k, n in products(1000, rank))
        alone = epochs / core + EVALUATION
        each = epochs / laptop + EVALUATION / 2, epochs * flops / GPU_RATE + EVALUATION, alone / 100
        for column, seconds in zip(hours.values(), each, strict=True):
            column.append(members * seconds / 3600)
    return [[name, *(f"{h:.1f}" for h in (*column, sum(column)))] for name, column in hours.items()]


def _timed(contender: str, experiment: str, processes: int, threads: int) -> float:
    """Member-steps per second of all processes together; they warm up first and start on one signal."""
    command = [sys.executable, "-m", "betavae_core.bench", contender, experiment, str(threads)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    with environment.clean() as variables:
        variables |= dict.fromkeys(environment.SINGLE_THREAD, str(threads))
        workers = [subprocess.Popen(command, env=variables, text=True, **pipes) for _ in range(processes)]
        for worker in workers:
            worker.stdout.readline()  # warm
        for worker in workers:
            worker.stdin.write("go\n")
            worker.stdin.flush()
        return sum(float(worker.communicate()[0]) for worker in workers)


def _work(contender: str, experiment: str, threads: int) -> None:
    """In a worker: prepare, warm up, wait for the signal, time the steps, print steps per second."""
    data, _ = experiments.draw(experiment, 0)
    steps = {
        "betavae": _betavae,
        "keras-fit": _keras,
        "pytorch": lambda d: _pytorch(d, threads),
        "torch-compile": lambda d: _pytorch(d, threads, compiled=True),
        "limit": _limit,
    }[contender](data)
    steps(WARM_UP)
    print("warm", flush=True)
    sys.stdin.readline()
    started = time.perf_counter()
    steps(STEPS)
    print(STEPS / (time.perf_counter() - started))


def _betavae(data):
    from betavae_core.networks import training

    trainer = training.trainer()
    return lambda count: trainer.fit([data], [1.0], [0], count)


def _keras(data):
    """The same network as a subclassed Keras model, compiled without XLA (faster on a CPU), trained by `fit`."""
    import keras
    import tensorflow as tf

    class Network(keras.Model):
        def __init__(self):
            super().__init__()
            dense = [keras.layers.Dense(width, activation="tanh") for width in HIDDEN]
            self.encoder = keras.Sequential([*dense, keras.layers.Dense(2 * LATENTS)])
            dense = [keras.layers.Dense(width, activation="tanh") for width in reversed(HIDDEN)]
            self.decoder = keras.Sequential([*dense, keras.layers.Dense(PIXELS)])

        def call(self, x):
            mean, log_variance = tf.split(self.encoder(x), 2, axis=-1)
            z = mean + tf.exp(0.5 * log_variance) * tf.random.normal(tf.shape(mean))
            error = 0.5 * tf.reduce_sum((x - self.decoder(z)) ** 2, -1)
            kl = 0.5 * tf.reduce_sum(tf.exp(log_variance) + mean**2 - 1 - log_variance, -1)
            self.add_loss(tf.reduce_mean(error + kl))
            return mean

    images, network = data.standardised.astype(np.float32), Network()
    network.compile(optimizer=keras.optimizers.Adam(1e-3), jit_compile=False)
    return lambda count: network.fit(images, epochs=count, batch_size=len(images), shuffle=False, verbose=0)


def _pytorch(data, threads: int, compiled: bool = False):
    """The same network in PyTorch: a plain loop, or the same step through torch.compile."""
    import torch
    from torch import nn

    torch.set_num_threads(threads)

    def stack(*widths):
        layers = [(nn.Linear(*pair), nn.Tanh()) for pair in itertools.pairwise(widths)]
        return nn.Sequential(*itertools.chain(*layers[:-1]), layers[-1][0])  # no activation at the end

    encoder, decoder = stack(PIXELS, *HIDDEN, 2 * LATENTS), stack(LATENTS, *reversed(HIDDEN), PIXELS)
    optimiser = torch.optim.Adam([*encoder.parameters(), *decoder.parameters()], lr=LEARNING_RATE)
    x = torch.tensor(data.standardised, dtype=torch.float32)

    def loss(noise):
        mean, log_variance = encoder(x).chunk(2, -1)
        z = mean + torch.exp(0.5 * log_variance) * noise
        error = 0.5 * ((x - decoder(z)) ** 2).sum(-1)
        return (error + 0.5 * (log_variance.exp() + mean**2 - 1 - log_variance).sum(-1)).mean()

    loss = torch.compile(loss) if compiled else loss

    def steps(count):
        for _ in range(count):
            optimiser.zero_grad()
            loss(torch.randn(len(x), LATENTS)).backward()
            optimiser.step()

    return steps


def _limit(data):
    """The matrix products of one step and nothing else."""
    rng = np.random.default_rng(0)
    n, rank = data.scores.shape
    pairs = [
        (rng.standard_normal((m, k), dtype=np.float32), rng.standard_normal((k, p), dtype=np.float32))
        for m, k, p in products(n, rank)
    ]

    def steps(count):
        for _ in range(count):
            for left, right in pairs:
                left @ right

    return steps


def write(rows: list[dict], file) -> None:
    """Rows as JSON, one a line."""
    with open(file, "w") as handle:
        handle.write("[\n" + ",\n".join(json.dumps(row) for row in rows) + "\n]\n")


if __name__ == "__main__":
    _work(sys.argv[1], sys.argv[2], int(sys.argv[3]))
