"""The objective that is trained, from its parts, on TensorFlow tensors, JAX or NumPy arrays.

The loss convention lives here and nowhere else: sum over pixels, mean over images, β on C, γ on TC.

    L = R − β C − γ TC,   R = E_q log p(x|z),   C = KL(q(z|x) ‖ N(0, I)),   TC = KL(q(z) ‖ Π_j q(z_j))

The decoder is p(x|z) = N(decode(z), σ_x² I_p), with σ_x = 1 as in the thesis, or with one σ_x² for all pixels that is
learned. Of E = E‖x − decode(z)‖², the mean over all images, R is then

    R = −½ E − (p/2) log 2π,   or, at the σ_x² = E/p that makes R largest,   R = −(p/2) (log 2π σ_x² + 1).

So the learned variance is no weight with steps of its own: at each step it is the best for the networks as they are,
and as R is stationary there, the networks feel ∂R = −½ ∂E/σ_x² (Rybkin et al. 2021, "optimal σ-VAE").
"""

from typing import NamedTuple

from betavae_core.errors import UsageError
from betavae_core.networks.posterior import log
from betavae_core.theory.gaussian import log_density_constant

VARIANCES = ("fixed", "learned")


class Objective(NamedTuple):
    """What a network is trained for.

    gamma : weight of the total correlation of the latents
    decoder_variance : one of `VARIANCES`
    """

    gamma: float = 0.0
    decoder_variance: str = "fixed"

    @property
    def learned(self) -> bool:
        """Whether σ_x² is; UsageError on a name that says nothing."""
        if self.decoder_variance not in VARIANCES:
            raise UsageError(f"decoder_variance must be {' or '.join(VARIANCES)}; got {self.decoder_variance}")
        return self.decoder_variance == "learned"

    def reconstruction(self, error, pixels: int):
        """R of each member in nats from the mean E of its images."""
        if self.learned:
            return log_density_constant(pixels) - 0.5 * pixels * (log(error / pixels) + 1)
        return -0.5 * error + log_density_constant(pixels)

    def value(self, reconstruction, kl_prior, betas, q, z):
        """L of each member from its R and C, with TC at the draws z of q."""
        plain = reconstruction - betas * kl_prior
        return plain - self.gamma * q.total_correlation(z) if self.gamma else plain


PLAIN = Objective()  # the thesis's
