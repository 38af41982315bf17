"""The training of `networks.training` once more, in JAX: same start, same noise, same objective, same Adam.

It is an oracle of the TensorFlow loop, written on another library; the fastest peer that the bench times; and a way to
train on a GPU whose machine has JAX. Both agree to rounding: XLA sums in another order, and training amplifies that.
"""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from betavae_core.images.factors import Images
from betavae_core.networks import architecture, philox
from betavae_core.networks.architecture import DECAY_1, DECAY_2, EPSILON, NOISE, STEPS_PER_CALL, WEIGHTS
from betavae_core.networks.objective import PLAIN, Objective
from betavae_core.networks.weights import Weights, encode, features


def device():
    """What JAX trains on: its first device."""
    return jax.devices()[0]


@jax.custom_vjp
def squared_error(H, W, b, images):
    """‖x − (HW + b)‖² of each image, (m, n); formula and gradient as in `training.squared_error`."""
    return _squared_error(H, W, b, images)[0]


def _squared_error(H, W, b, images):
    Wb, XW = b @ W.mT, images.project(W.mT)
    pull = H @ (W @ W.mT) + Wb - XW
    value = ((pull + Wb - XW) * H).sum(-1) + (b * b).sum(-1) - 2 * images.project(b.mT)[..., 0] + images.energy
    return value, (H, W, b, images, pull)


def _gradient(kept, g):
    H, W, b, (scores, components, _), pull = kept
    gH, gsum = g[..., None] * H, g.sum(-1)[:, None, None]
    h = gH.sum(1, keepdims=True)
    gHU, gU = gH.mT @ scores, g[:, None] @ scores
    if components is not None:
        gHU, gU = gHU @ components, gU @ components
    dW = (gH.mT @ H) @ W + h.mT * b - gHU
    return 2 * g[..., None] * pull, 2 * dW, 2 * (h @ W + gsum * b - gU), None


squared_error.defvjp(_squared_error, _gradient)


class Network(NamedTuple):
    """What a step is compiled for, beside the shapes of its data."""

    latents: int = architecture.LATENTS
    hidden: tuple[int, ...] = architecture.HIDDEN
    family: str = "diagonal"
    pixels: int = architecture.PIXELS
    aim: Objective = PLAIN

    @property
    def shapes(self) -> list[tuple[int, int]]:
        """Of the kernels, layer by layer."""
        return architecture.shapes(self.latents, self.hidden, self.pixels, self.family)

    def weights(self, state: list) -> Weights:
        """Kernels and biases of a flat list of both."""
        return Weights(state[: len(self.shapes)], state[len(self.shapes) :], self.latents, self.family)


class Trainer:
    """As `training.Trainer`: members, Adam's state and one compiled loop; further arguments are those of `Network`."""

    def __init__(self, members: int = 1, *network, **named):
        self.members, self.network = members, Network(*network, **named)

    def fit(self, data, betas, seeds, epochs: int, schedule=None, progress=None) -> np.ndarray:
        """Train each member from its seed, one step an epoch; the objective at each step (member, epochs), in nats."""
        images, rest = self.start(data, betas, seeds)
        curves = []
        for begin in range(0, epochs, STEPS_PER_CALL):
            rate, risen = schedule(begin) if schedule else (architecture.LEARNING_RATE, 1.0)
            steps = jnp.arange(begin, min(begin + STEPS_PER_CALL, epochs))
            self.state, curve = advanced(
                self.network, self.state, images, rest, steps, jnp.float32(rate), jnp.float32(risen)
            )
            curves.append(curve)
            if progress:
                progress(len(steps))
        return np.concatenate([np.asarray(curve) for curve in curves]).T

    def start(self, data, betas, seeds):
        """Initial weights and a still Adam; the images on the device, and what else a step needs."""
        betas, seeds = jnp.asarray(betas, jnp.float32), jnp.asarray(seeds, jnp.int32)
        first = initial(self.network, seeds)
        self.state = (first, *([jnp.zeros_like(weight) for weight in first] for _ in range(2)))
        return jax.tree.map(jnp.asarray, Images.stacked(data)), (betas, seeds)

    @property
    def weights(self) -> Weights:
        """What training has made of them, brought to the host."""
        return self.network.weights([np.asarray(part) for part in self.state[0]])

    @property
    def made_by(self) -> dict:
        """Library and device, for a record."""
        return {"library": f"JAX {jax.__version__}", "device": device().device_kind}


@functools.partial(jax.jit, static_argnums=0, donate_argnums=1)
def advanced(network: Network, state, images, rest, steps, rate, risen):
    """Weights and Adam's moments after some steps; the objective before each of them, (steps, member)."""
    betas, seeds = rest
    shape = (images.scores.shape[1], network.latents)

    def advance(state, step):
        noise = philox.normal(seeds, NOISE + step, shape, jnp)
        gradients, objective = jax.grad(loss, has_aux=True)(state[0], network, images, betas * risen, noise)
        return adam(state, gradients, jnp.float32(step + 1), rate), objective

    with jax.default_matmul_precision("float32"):  # a GPU would multiply in 19 bits otherwise
        return jax.lax.scan(advance, state, steps)


def loss(state: list, network: Network, images, betas, noise):
    """−Σ L over members, and L of each."""
    weights = network.weights(state)
    q = encode(weights, images, jnp)
    z = q.sample(noise)
    hidden = features(weights, z, jnp)
    error = squared_error(hidden, weights.kernels[-1], weights.biases[-1], images)
    reconstruction = network.aim.reconstruction(error.mean(-1), network.pixels)
    objective = network.aim.value(reconstruction, q.kl_to_prior().mean(-1), betas, q, z)
    return -objective.sum(), objective


def adam(state, gradients, count, rate):
    """Weights and both moments after one step of Adam, as TensorFlow takes it."""
    scale = rate * jnp.sqrt(1 - DECAY_2**count) / (1 - DECAY_1**count)

    def one(weight, first, second, gradient):
        first = first + (gradient - first) * (1 - DECAY_1)
        second = second + (gradient**2 - second) * (1 - DECAY_2)
        return weight - scale * first / (EPSILON + jnp.sqrt(second)), first, second

    return tuple(map(list, zip(*(one(*parts) for parts in zip(*state, gradients, strict=True)), strict=True)))


@functools.partial(jax.jit, static_argnums=0)
def initial(network: Network, seeds) -> list:
    """Glorot-uniform kernels and zero biases of each member; as `networks.model.Ensemble.initialise`."""
    kernels, shapes = [], network.shapes
    for layer, (fan_in, fan_out) in enumerate(shapes):
        drawn, limit = architecture.glorot(layer, fan_in, fan_out, network.latents, len(network.hidden))
        values = philox.uniform(seeds, WEIGHTS + layer, (fan_in, drawn), limit, jnp)
        kernels.append(jnp.pad(values, ((0, 0), (0, 0), (0, fan_out - drawn))))
    return [*kernels, *(jnp.zeros((len(seeds), 1, fan_out)) for _, fan_out in shapes)]
