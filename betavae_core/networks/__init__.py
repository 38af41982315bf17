"""The deep β-VAE in TensorFlow: its shape, its posterior, its training and its evaluation."""
