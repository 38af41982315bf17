"""A whole network, from drawing its images to storing its terms: by this project, and by a script of a user's.

The script uses Keras, TensorFlow Probability and NumPy in the plain way: `fit` over whole images, a loop over draws, a
loop over images for the likelihood, one file. It computes the terms that this project stores, of as many draws, on
training and on fresh images, in single precision.
"""

import os
import sys
import tempfile
from pathlib import Path

import numpy as np

from betavae_core.images import experiments
from betavae_core.images.datasets import ImageData
from betavae_core.networks.evaluation import DRAWS, IMPORTANCE_DRAWS, IMPORTANCE_IMAGES
from betavae_core.theory.alignment import true_inference_error
from betavae_core.theory.gaussian import log_density_constant
from betavae_workshop.timing import contenders

REALIZATION = 5  # the first of which no pictures are kept
EPOCHS = 1000
WARM = 2  # epochs of a first network, which loads and compiles what all share


def member(experiment: str, epochs: int, folder: Path) -> Path:
    """Train, evaluate and store a network as a sweep does; returns the file."""
    from betavae_core.results import train_member
    from betavae_core.results.members import Member, Specification
    from betavae_workshop.sweeping import writing

    os.environ["BETAVAE_RESULTS"] = str(folder)
    wanted = Member(Specification(experiment, epochs=epochs), 1.0, REALIZATION)
    [(values, provenance)] = train_member.trained([wanted])[2]
    return writing.write(wanted, values, provenance)


def keras_script(experiment: str, epochs: int, folder: Path) -> Path:
    """The same with Keras, in the plain way."""
    training, heldout = experiments.draw(experiment, REALIZATION)
    network, images = contenders.keras_network(), training.standardised.astype(np.float32)
    network.fit(images, epochs=epochs, batch_size=len(images), shuffle=False, verbose=0)
    found = terms(network, training) | {f"{name}_heldout": v for name, v in terms(network, heldout).items()}
    target = folder / "terms.npz"
    np.savez(target, **found)
    return target


def terms(network, data: ImageData) -> dict[str, float]:
    """R, C, ELBO, MIE and TIE of a Keras network on some images, means in nats."""
    import tensorflow as tf
    import tensorflow_probability as tfp

    normal, x = tfp.distributions.MultivariateNormalDiag, data.standardised.astype(np.float32)
    mean, log_variance = tf.split(network.encoder(x), 2, axis=-1)
    q, prior = normal(mean, tf.exp(0.5 * log_variance)), normal(tf.zeros(mean.shape[1]))

    def log_density(images, z):
        """log p(x|z), with unit variance of each pixel."""
        return -0.5 * tf.reduce_sum((images - network.decoder(z)) ** 2, -1) + log_density_constant(x.shape[1])

    divergence = q.kl_divergence(prior).numpy()
    reconstruction = np.mean([log_density(x, q.sample()).numpy() for _ in range(DRAWS)], 0)
    errors = []
    for i in range(IMPORTANCE_IMAGES):
        own = normal(mean[i], tf.exp(0.5 * log_variance[i]))
        z = own.sample(IMPORTANCE_DRAWS)
        weights = log_density(x[i], z) + prior.log_prob(z) - own.log_prob(z)
        log_p = tf.reduce_logsumexp(weights) - np.log(IMPORTANCE_DRAWS)
        errors.append(float(log_p) - (reconstruction[i] - divergence[i]))
    covariance = np.exp(log_variance)[:, :, None] * np.eye(mean.shape[1])
    tie, _ = true_inference_error(mean.numpy(), covariance, data.posterior_mean, data.process.posterior_precision)
    R, C = float(reconstruction.mean()), float(divergence.mean())
    return {"reconstruction": R, "kl_prior": C, "elbo": R - C, "mie": float(np.mean(errors)), "tie": float(tie)}


WHOLE = {"member": member, "keras-script": keras_script}


def _work(way: str, experiment: str, threads: int, epochs: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        contenders.serve(lambda count: WHOLE[way](experiment, count, Path(folder)), epochs, WARM)


if __name__ == "__main__":
    _work(*sys.argv[1:3], *map(int, sys.argv[3:5]))
