"""What trained networks are worth: every term of the β-VAE identity, and pictures of its latents.

Terms are averaged over the images and computed in float64 from the float32 network.
"""

import numpy as np

from betavae_core.networks import likelihood, philox
from betavae_core.networks.architecture import EVALUATION
from betavae_core.networks.posterior import Posterior
from betavae_core.networks.weights import Weights
from betavae_core.theory.alignment import true_inference_error
from betavae_core.theory.gaussian import log_density_constant
from betavae_core.theory.terms import MEASURED

DRAWS = 16  # per image, for R: 16 times the thesis's 1000 samples
IMPORTANCE_IMAGES, IMPORTANCE_DRAWS = 100, 400  # for MIE
TRAVERSAL = np.linspace(-3, 3, 7)


def evaluate(weights: Weights, data, betas, seeds, draws: int = DRAWS, only=None) -> dict[str, np.ndarray]:
    """R by Monte Carlo over z ~ q, C by TensorFlow Probability, MIE by importance sampling, both forms of TIE.

    Returns a dict of (member,) arrays, the measured terms of `theory.terms`; the objective is R − βC, without any
    penalty. reconstruction_se is the standard error of R over draws of z; mie_se that of MIE over `IMPORTANCE_IMAGES`
    images, which other draws for the same images change by less. mie_ess is the median effective sample size of the
    importance sampling behind MIE, of `IMPORTANCE_DRAWS`.

    Parameters
    ----------
    weights : of the members, as a trainer hands them on
    data : one ImageData per member
    betas, seeds : one number each per member; the seeds key the Monte Carlo draws
    draws : int, latents drawn for each image
    only : numbers of the members to evaluate, all by default

    Source: thesis, Methods, "Calculation of Objective Terms".
    """
    q = weights.posterior(data)
    shape, members = (q.mean.shape[1], draws, weights.latents), []
    for m in range(weights.members) if only is None else only:
        decoder, variance = likelihood.Decoder.of(weights, m), weights.variance(m)
        noise = philox.normal(seeds[m], EVALUATION, shape, double=True)
        members.append(_evaluate(decoder, variance, data[m], betas[m], seeds[m], q[m], noise))
    return {name: np.array([member[name] for member in members]) for name in MEASURED}


def with_learned_variance(weights: Weights, data, seeds, draws: int = DRAWS) -> Weights:
    """The same networks, each with the decoder's variance that makes R largest on its images.

    σ_x² = E‖x − decode(z)‖²/p over images and draws z ~ q, those of `evaluate`, where R is −(p/2) (log 2π σ_x² + 1).
    """
    q, variances = weights.posterior(data), np.ones(weights.members)
    shape = (q.mean.shape[1], draws, weights.latents)
    for m, images in enumerate(data):
        x, z = images.standardised, q[m].of_draws().sample(philox.normal(seeds[m], EVALUATION, shape, double=True))
        plain = likelihood.Decoder.of(weights._replace(variances=None), m).log_density(x, z).mean()
        error = 2 * (log_density_constant(x.shape[1]) - plain) + images.white
        variances[m] = error / x.shape[1]
    return weights._replace(variances=variances)


def _evaluate(decoder, variance, data, beta, seed, q: Posterior, noise) -> dict[str, float]:
    """The measured terms of one member, for R with this noise (image, draw, latent); decoder and images over σ_x.

    White noise of the images is averaged over: in R exactly, in MIE as far as the decoder stays in the images' span.
    """
    x, divergence = data.standardised / np.sqrt(variance), _divergence(q)  # (image,)
    unit = -0.5 * (x.shape[1] * np.log(variance) + data.white / variance)  # of log p(x|z), back to grey levels

    log_density = decoder.log_density(x, q.of_draws().sample(noise))  # (image, draw)
    elbo = log_density.mean(1) - divergence

    first = slice(IMPORTANCE_IMAGES)
    rng = np.random.default_rng([seed, EVALUATION])
    log_p, ess = likelihood.log_likelihood(decoder, x[first], q[first], rng, IMPORTANCE_DRAWS)
    mie = log_p - elbo[first]  # the same images on both sides, so that what they share cancels

    tie, tie_raw = true_inference_error(q.mean, q.covariance(), data.posterior_mean, data.process.posterior_precision)
    reconstruction, kl_prior = log_density.mean() + unit, divergence.mean()
    return {
        "reconstruction": reconstruction,
        "reconstruction_se": np.sqrt(log_density.var(1, ddof=1).mean() / log_density.size),
        "kl_prior": kl_prior,
        "objective": reconstruction - beta * kl_prior,
        "elbo": reconstruction - kl_prior,
        "tie": tie,
        "tie_raw": tie_raw,
        "mie": mie.mean(),
        "mie_se": mie.std(ddof=1) / np.sqrt(len(mie)),
        "mie_ess": np.median(ess),
        "obliqueness": likelihood.obliqueness(decoder, q.mean[first]),
    }


def _divergence(q: Posterior) -> np.ndarray:
    """KL(q(z|x) ‖ N(0, I)) of each image, by TensorFlow Probability, as the thesis computed it.

    Where that is not installed, in closed form, which it equals to rounding.
    """
    try:
        import tensorflow_probability as tfp
    except ImportError:
        return q.kl_to_prior()

    prior = tfp.distributions.MultivariateNormalDiag(np.zeros(q.mean.shape[1]))
    if type(q) is Posterior:
        posterior = tfp.distributions.MultivariateNormalDiag(q.mean, np.exp(0.5 * q.log_variance))
    else:
        posterior = tfp.distributions.MultivariateNormalTriL(q.mean, q.factor())
        prior = tfp.distributions.MultivariateNormalTriL(prior.loc, np.eye(q.mean.shape[1]))
    return tfp.distributions.kl_divergence(posterior, prior).numpy()


def reconstructions(weights, data, count: int) -> np.ndarray:
    """Decoded posterior means of the first images in grey levels, (member, count, side, side)."""
    return _pictures(weights, data, weights.posterior(data).mean[:, :count])


def traversals(weights, data, values=TRAVERSAL) -> np.ndarray:
    """Decoded latents, one moved through `values` and the others held at 0, (member, k, value, side, side)."""
    z = np.zeros((weights.members, weights.latents, len(values), weights.latents), np.float32)
    for latent in range(weights.latents):
        z[:, latent, :, latent] = values
    return _pictures(weights, data, z)


def plane(weights, data, values) -> np.ndarray:
    """Decoded latents over a plane, z₁ growing with the column, z₂ falling with the row: (member, n, n, side, side)."""
    across, up = np.meshgrid(values, values[::-1])
    return _pictures(weights, data, np.broadcast_to(np.stack([across, up], -1), (weights.members, *across.shape, 2)))


def _pictures(weights, data, z) -> np.ndarray:
    """Decoded latents (member, ..., k) in grey levels, (member, ..., side, side)."""
    pixels = weights.decode(z.reshape(len(z), -1, z.shape[-1])).reshape(*z.shape[:-1], -1)
    return np.stack([d.unstandardise(member) for d, member in zip(data, pixels, strict=True)])
