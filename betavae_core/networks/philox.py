"""TensorFlow's stateless random numbers without TensorFlow, on NumPy or JAX arrays.

`tf.random.stateless_normal` and `stateless_uniform` with alg="philox": Philox4x32-10 under a key and a counter that are
scrambled from two seeds, blocks of four words counted up from there, Box–Muller on pairs of words. A network that JAX
trains so starts where TensorFlow's does, and sees the same noise.

Source: Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3".
"""

import functools

import numpy as np

ROUNDS = 10
SCRAMBLE = 0x3EC8F720, 0x02461E29  # the key under which TensorFlow mixes the seeds
MULTIPLY = 0xD2511F53, 0xCD9E8D57
WEYL = 0x9E3779B9, 0xBB67AE85
SMALLEST = 1e-7  # of the uniform under Box–Muller's logarithm


def normal(seed, stream, shape, xp=np, double: bool = False):
    """Standard normal numbers, as `tf.random.stateless_normal(shape, (seed, stream))`.

    Parameters
    ----------
    seed, stream : non-negative integers below 2³¹, or arrays of them; leading axes of the result are theirs
    shape : of what each of them draws
    xp : the library of arrays, numpy or jax.numpy
    double : two words a number, and float64; NumPy only
    """
    count = int(np.prod(shape))
    words = _words(seed, stream, -(-count // (2 if double else 4)), xp)
    if double:
        high, low = words[..., 0::2].astype(np.uint64) & np.uint64(0xFFFFF), words[..., 1::2].astype(np.uint64)
        uniform = (((high << np.uint64(32)) | low) | np.uint64(1023 << 52)).view(np.float64) - 1
    else:
        uniform = _uniform(words, xp)
    pairs = uniform.reshape(*uniform.shape[:-2], -1, 2)
    radius = xp.sqrt(-2 * xp.log(xp.maximum(pairs[..., 0], pairs.dtype.type(SMALLEST))))
    angle = pairs.dtype.type(2 * np.pi) * pairs[..., 1]
    both = xp.stack([xp.sin(angle) * radius, xp.cos(angle) * radius], -1)
    return both.reshape(*both.shape[:-2], -1)[..., :count].reshape(*both.shape[:-2], *shape)


def uniform(seed, stream, shape, limit: float, xp=np):
    """Numbers between −limit and limit, as `tf.random.stateless_uniform(shape, (seed, stream), -limit, limit)`."""
    count = int(np.prod(shape))
    drawn = _uniform(_words(seed, stream, -(-count // 4), xp), xp)
    drawn = drawn.reshape(*drawn.shape[:-2], -1)[..., :count]
    return drawn.reshape(*drawn.shape[:-1], *shape) * np.float32(2 * limit) + np.float32(-limit)


def _uniform(words, xp):
    """23 bits of each word as a float32 in [0, 1)."""
    bits = (words & 0x7FFFFF) | 0x3F800000
    floats = bits.view(np.float32) if xp is np else _jax().lax.bitcast_convert_type(bits, np.float32)
    return floats - np.float32(1)


def _jax():
    import jax

    return jax


def _words(seed, stream, blocks: int, xp):
    """The first blocks of four words, (..., blocks, 4) in uint32."""
    seeds = xp.broadcast_arrays(xp.asarray(seed), xp.asarray(stream))
    seed, stream = (value.astype(np.uint32)[..., None] for value in seeds)
    zero = xp.zeros_like(seed)
    k0, k1, c2, c3 = _philox((seed, zero, stream, zero), [zero + np.uint32(word) for word in SCRAMBLE], xp)
    counted = xp.arange(blocks, dtype=np.uint32) + zero  # fewer than 2³², so that no carry reaches the next word
    return xp.stack(_philox((counted, zero, c2, c3), (k0, k1), xp), -1)


def _philox(counter, key, xp):
    """Ten rounds of Philox4x32 on four words under two, broadcast against each other."""
    state = tuple(xp.broadcast_arrays(*counter, *key))
    if xp is np:
        return functools.reduce(lambda state, i: _round(i, state), range(ROUNDS), state)[:4]
    unrolled = _jax().default_backend() != "cpu"  # faster on a GPU; on a CPU a loop is, and compiles in a third
    return _jax().lax.fori_loop(0, ROUNDS, _round, state, unroll=unrolled)[:4]


def _round(_, state):
    """One round: four words mixed under the key's two, and the next key."""
    c0, c1, c2, c3, k0, k1 = state
    (high0, low0), (high1, low1) = _product(MULTIPLY[0], c0), _product(MULTIPLY[1], c2)
    return high1 ^ c1 ^ k0, low1, high0 ^ c3 ^ k1, low0, k0 + np.uint32(WEYL[0]), k1 + np.uint32(WEYL[1])


def _product(constant: int, words):
    """High and low word of a product of two, from halves: JAX has no 64-bit integers unless asked."""
    low, high = np.uint32(constant & 0xFFFF), np.uint32(constant >> 16)
    a, b = words & np.uint32(0xFFFF), words >> np.uint32(16)
    cross = high * a + (low * a >> np.uint32(16))
    middle = low * b + (cross & np.uint32(0xFFFF))
    return high * b + (cross >> np.uint32(16)) + (middle >> np.uint32(16)), np.uint32(constant) * words
