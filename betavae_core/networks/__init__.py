"""This folder defines, trains and evaluates the deep β-VAE, in TensorFlow and in JAX."""
