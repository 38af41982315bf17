"""Shape and step of the deep networks, for everything that must know it without loading TensorFlow."""

from betavae_core.images.digits import CANVAS

HIDDEN = (256, 200, 200)  # thesis, Methods, "Model Architecture"; the decoder mirrors it
LATENTS = 2
LEARNING_RATE = 1e-3  # thesis, Methods, "Training Details"
PIXELS = CANVAS**2
FAMILIES = ("diagonal", "full")  # covariance of q(z|x); the thesis's is diagonal


def pairs(latents: int, family: str) -> int:
    """Off-diagonal entries of the Cholesky factor that the encoder gives: k(k − 1)/2 in the full family, else none."""
    return latents * (latents - 1) // 2 if family == "full" else 0
