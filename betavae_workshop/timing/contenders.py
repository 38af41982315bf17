"""What the bench times: one step of training the thesis's network, in each of the ways that a user would write it.

All train the same network on the same images with full-batch Adam in single precision. `betavae` is this project's
step, `plain` the same one without factoring: each image decoded and subtracted. `limit` is the matrix products of the
factored step and nothing else.
"""

import functools
import itertools
import os
import sys
import time
import types
from collections.abc import Callable
from importlib.util import find_spec
from typing import NamedTuple

import numpy as np

from betavae_core.images import experiments
from betavae_core.networks.architecture import HIDDEN, LATENTS, LEARNING_RATE, PIXELS
from betavae_core.results import cost
from betavae_workshop import pipes

STEPS = 60  # that are timed; a third as many go before, to warm up


class Training(NamedTuple):
    """A contender with a network of its own, which each call trains on.

    advance : function of a number of steps, of Adam's step and of β; the latter two have defaults
    weights : function that returns kernels and biases in turn, from the encoder's first on; None where nobody asks
    """

    advance: Callable
    weights: Callable | None = None


def installed() -> list[str]:
    """Contenders whose libraries are here, in the order of the table."""
    return [name for name, (_, library) in CONTENDERS.items() if library is None or find_spec(library)]


def _work(contender: str, experiment: str, threads: int, count: int) -> None:
    data, _ = experiments.draw(experiment, 0)
    serve(CONTENDERS[contender][0](data, threads).advance, count, count // 3)


def serve(steps: Callable, count: int, warm: int) -> None:
    """In a worker: warm up, wait for the signal, time so many steps, tell steps per second."""
    with pipes.answer() as answer:
        steps(warm)
        answer.write("warm\n")
        sys.stdin.readline()
        started = time.perf_counter()
        steps(count)
        answer.write(f"{count / (time.perf_counter() - started)}\n")


def _betavae(data, threads):
    from betavae_core.networks import training

    trainer = training.trainer()
    return Training(lambda count: trainer.fit([data], [1.0], [0], count))


def _plain(data, threads):
    """The project's network and Adam, each image decoded and subtracted: what factoring is worth."""
    import tensorflow as tf

    from betavae_core.networks import training

    class Trainer(training.Trainer):
        def _step(self, images, betas, noise, step, learning_rate):
            with tf.GradientTape() as tape:
                network = self.ensemble
                q = network.encode(images)
                decoded = network.features(q.sample(noise)) @ network.kernels[-1] + network.biases[-1]
                error = 0.5 * tf.reduce_sum((images.scores - decoded) ** 2, -1)
                loss = tf.reduce_mean(error + q.kl_to_prior())
            gradients = tape.gradient(loss, network.variables)
            self.optimiser.apply(gradients, tf.cast(step + 1, tf.float32), learning_rate)
            return -loss[None]

    trainer, x = Trainer(training.Ensemble(), xla=False), data.standardised
    whole = types.SimpleNamespace(standardised=x, factors=(x, None), white=data.white)
    return Training(lambda count: trainer.fit([whole], [1.0], [0], count))


def keras_network():
    """The same network as a subclassed Keras model, compiled without XLA (faster on a CPU)."""
    import keras
    import tensorflow as tf

    class Network(keras.Model):
        def __init__(self):
            super().__init__()
            dense = [keras.layers.Dense(width, activation="tanh") for width in HIDDEN]
            self.encoder = keras.Sequential([*dense, keras.layers.Dense(2 * LATENTS)])
            dense = [keras.layers.Dense(width, activation="tanh") for width in reversed(HIDDEN)]
            self.decoder = keras.Sequential([*dense, keras.layers.Dense(PIXELS)])
            self.beta = tf.Variable(1.0, trainable=False)

        def call(self, x):
            mean, log_variance = tf.split(self.encoder(x), 2, axis=-1)
            z = mean + tf.exp(0.5 * log_variance) * tf.random.normal(tf.shape(mean))
            error = 0.5 * tf.reduce_sum((x - self.decoder(z)) ** 2, -1)
            kl = 0.5 * tf.reduce_sum(tf.exp(log_variance) + mean**2 - 1 - log_variance, -1)
            self.add_loss(tf.reduce_mean(error + self.beta * kl))
            return mean

    network = Network()
    network.compile(optimizer=keras.optimizers.Adam(LEARNING_RATE), jit_compile=False)
    return network


def _keras(data, threads, seed: int = 0):
    """That network, trained by `fit`."""
    import keras

    keras.utils.set_random_seed(seed)
    images, network = data.standardised.astype(np.float32), keras_network()

    def advance(count, rate=LEARNING_RATE, beta=1.0):
        network.optimizer.learning_rate = rate
        network.beta.assign(beta)
        return network.fit(images, epochs=count, batch_size=len(images), shuffle=False, verbose=0)

    return Training(advance, lambda: [weight.numpy() for weight in network.trainable_weights])


def _pytorch(data, threads: int, seed: int = 0, compiled: bool = False, members: int = 1):
    """The same network in PyTorch: a plain loop, or the same step through torch.compile; on a GPU if there is one."""
    import torch
    from torch import nn

    assert members == 1, "PyTorch trains one at a time here"
    torch.manual_seed(seed)
    torch.set_num_threads(threads)
    torch.set_default_device("cuda" if torch.cuda.is_available() else "cpu")

    def stack(*widths):
        layers = [(nn.Linear(*pair), nn.Tanh()) for pair in itertools.pairwise(widths)]
        return nn.Sequential(*itertools.chain(*layers[:-1]), layers[-1][0])  # no activation at the end

    encoder, decoder = stack(PIXELS, *HIDDEN, 2 * LATENTS), stack(LATENTS, *reversed(HIDDEN), PIXELS)
    parameters = [*encoder.parameters(), *decoder.parameters()]
    optimiser = torch.optim.Adam(parameters)
    x = torch.tensor(data.standardised, dtype=torch.float32)

    def loss(noise, beta):
        mean, log_variance = encoder(x).chunk(2, -1)
        z = mean + torch.exp(0.5 * log_variance) * noise
        error = 0.5 * ((x - decoder(z)) ** 2).sum(-1)
        return (error + beta * 0.5 * (log_variance.exp() + mean**2 - 1 - log_variance).sum(-1)).mean()

    loss = torch.compile(loss) if compiled else loss

    def advance(count, rate=LEARNING_RATE, beta=1.0):
        optimiser.param_groups[0]["lr"], weight = rate, torch.tensor(beta)  # a number would be compiled in
        for _ in range(count):
            optimiser.zero_grad()
            last = loss(torch.randn(len(x), LATENTS), weight)
            last.backward()
            optimiser.step()
        last.item()  # a GPU may be behind

    return Training(advance, lambda: [parameter.detach().cpu().numpy().T for parameter in parameters])


def _jax(data, threads, seed: int = 0, members: int = 1):
    """The same network in JAX: one compiled loop of steps, so that nothing waits for Python; `vmap` over members."""
    os.environ["NPROC"] = str(threads)  # XLA reads it as JAX loads
    import jax
    import jax.numpy as jnp
    from jax.example_libraries import optimizers

    begin, loss = _jax_network(jnp.asarray(data.standardised, jnp.float32))
    start, _, parameters = optimizers.adam(LEARNING_RATE)

    def run(begun, count, state, key, rate, beta):
        _, update, _ = optimizers.adam(rate)

        def step(number, carried):
            state, (key, used) = carried[0], jax.random.split(carried[1])
            return update(number, jax.grad(loss)(parameters(state), used, beta), state), key

        return jax.lax.fori_loop(begun, begun + count, step, (state, key))

    keys, done = jax.random.split(jax.random.key(seed), members), 0
    states = jax.jit(jax.vmap(lambda key: start(begin(key))))(keys)
    loop = jax.jit(jax.vmap(run, (None, None, 0, 0, None, None)))
    jax.config.update("jax_default_matmul_precision", "float32")  # a GPU would multiply in 19 bits otherwise

    def advance(count, rate=LEARNING_RATE, beta=1.0):
        nonlocal states, keys, done
        states, keys = jax.block_until_ready(loop(done, count, states, keys, rate, beta))
        done += count

    return Training(advance, lambda: [leaf[0] for leaf in jax.tree.leaves(parameters(states))])


def _jax_network(x):
    """Its weights from a key, and its loss on images x (n, p) from weights, a key and β."""
    import jax
    import jax.numpy as jnp

    def apply(layers, h):
        for kernel, bias in layers[:-1]:
            h = jnp.tanh(h @ kernel + bias)
        return h @ layers[-1][0] + layers[-1][1]

    def loss(networks, key, beta):
        encoder, decoder = networks
        mean, log_variance = jnp.split(apply(encoder, x), 2, -1)
        z = mean + jnp.exp(0.5 * log_variance) * jax.random.normal(key, mean.shape)
        error = 0.5 * ((x - apply(decoder, z)) ** 2).sum(-1)
        return (error + beta * 0.5 * (jnp.exp(log_variance) + mean**2 - 1 - log_variance).sum(-1)).mean()

    def drawn(key, *widths):
        pairs, glorot = list(itertools.pairwise(widths)), jax.nn.initializers.glorot_uniform()
        own = zip(jax.random.split(key, len(pairs)), pairs, strict=True)
        return [(glorot(key, pair), jnp.zeros(pair[1])) for key, pair in own]

    def begin(key):
        left, right = jax.random.split(key)
        return drawn(left, PIXELS, *HIDDEN, 2 * LATENTS), drawn(right, LATENTS, *reversed(HIDDEN), PIXELS)

    return begin, loss


def _limit(data, threads):
    """The matrix products of one step and nothing else."""
    return Training(cost.multiplied(*data.factors[0].shape))


CONTENDERS = {  # each with the library that it needs beyond the project's own
    "betavae": (_betavae, None),
    "plain": (_plain, None),
    "keras-fit": (_keras, None),
    "pytorch": (_pytorch, "torch"),
    "torch-compile": (functools.partial(_pytorch, compiled=True), "torch"),
    "jax": (_jax, "jax"),
    "limit": (_limit, None),
}
ACCELERATED = ("jax", "pytorch", "torch-compile")  # peers that use a GPU by themselves

if __name__ == "__main__":
    _work(*sys.argv[1:3], *map(int, sys.argv[3:5]))
