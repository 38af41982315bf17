"""The whole of MNIST's training digits, for those who want more than the thousand that come with the project."""

from pathlib import Path

from betavae_core import paths
from betavae_workshop import digit_forms, environment


def fetch() -> Path:
    """Get the 60,000 MNIST training digits through Keras, which verifies its download, and keep them.

    Raises OSError if they cannot be downloaded or written.
    """
    with environment.muted():
        import tensorflow as tf

    try:
        (images, labels), _ = tf.keras.datasets.mnist.load_data()
    except Exception as error:
        raise OSError(f"full MNIST could not be downloaded ({error}); the embedded digits need no internet") from None
    return digit_forms.write(paths.DATA / "mnist_full.npz", images, labels)
