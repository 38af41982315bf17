"""A trained ensemble as NumPy arrays: what `evaluation` needs of one, in a process without TensorFlow.

`encode` and `features` are those of `networks.model`, on NumPy or JAX arrays.
"""

from typing import NamedTuple

import numpy as np

from betavae_core.networks.posterior import Posterior


def encode(kernels, biases, images, depth: int, latents: int, xp) -> tuple:
    """Parts of q(z|x), (member, sample, …): mean, log-variance, entries below the diagonal or None.

    kernels, biases : as of `networks.model.Ensemble`; images : stacked `Images`
    depth : hidden layers of the encoder; xp : numpy or jax.numpy
    """
    scores, components, _ = images
    h = scores @ (kernels[0] if components is None else components @ kernels[0]) + biases[0]
    for layer in range(1, depth + 1):
        h = xp.tanh(h) @ kernels[layer] + biases[layer]
    lower = h[..., 2 * latents :] if h.shape[-1] > 2 * latents else None
    return h[..., :latents], h[..., latents : 2 * latents], lower


def features(kernels, biases, z, depth: int, xp):
    """Last hidden layer of the decoder for latents z (member, sample, k)."""
    for layer in range(depth + 1, len(kernels) - 1):
        z = xp.tanh(z @ kernels[layer] + biases[layer])
    return z


class Images(NamedTuple):
    """Images of one member as training takes them, in float32: scores (n, r), components (r, p) or None, ‖x‖² (n,)."""

    scores: np.ndarray
    components: np.ndarray | None
    energy: np.ndarray

    @classmethod
    def of(cls, data) -> "Images":
        """Those of an ImageData, if they are not there yet; ‖x‖² is summed in float64."""
        if isinstance(data, cls):
            return data
        energy = np.einsum("np,np->n", data.standardised, data.standardised)
        parts = (part if part is None else part.astype(np.float32) for part in (data.scores, data.components, energy))
        return cls(*parts)

    @classmethod
    def stacked(cls, images: "list[Images]") -> "Images":
        """Those of many members, a leading axis for them, ranks padded with zeros."""
        energy = np.stack([each.energy for each in images])
        if any(each.components is None for each in images):
            whole = [s if c is None else s @ c for s, c, _ in images]
            return cls(np.stack(whole), None, energy)
        rank = max(each.scores.shape[1] for each in images)
        scores = np.stack([np.pad(s, ((0, 0), (0, rank - s.shape[1]))) for s, _, _ in images])
        return cls(scores, np.stack([np.pad(c, ((0, rank - len(c)), (0, 0))) for _, c, _ in images]), energy)


class Trained:
    """Weights of some members; where evaluation is concerned a `networks.model.Ensemble`."""

    def __init__(self, kernels, biases, latents: int, hidden):
        self.kernels, self.biases, self.latents, self.hidden = kernels, biases, latents, tuple(hidden)
        self.members = len(kernels[0])

    def some(self, members: slice) -> "Trained":
        """Some of them alone."""
        kernels, biases = ([part[members] for part in parts] for parts in (self.kernels, self.biases))
        return Trained(kernels, biases, self.latents, self.hidden)

    def finite(self, member: int) -> bool:
        """Whether all weights of a member are finite."""
        return all(np.isfinite(part[member]).all() for part in (*self.kernels, *self.biases))

    def posterior(self, data) -> Posterior:
        """q(z|x) of each member and image, in float64; data: one ImageData per member."""
        images = Images.stacked([Images.of(each) for each in data])
        parts = encode(self.kernels, self.biases, images, len(self.hidden), self.latents, np)
        return Posterior(*parts).to_numpy()

    def decode(self, z) -> np.ndarray:
        """Reconstructed standardised pixels for latents z (member, sample, k)."""
        hidden = features(self.kernels, self.biases, np.asarray(z, np.float32), len(self.hidden), np)
        return hidden @ self.kernels[-1] + self.biases[-1]
