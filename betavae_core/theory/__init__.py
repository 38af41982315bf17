"""Exact mathematics: Gaussians, the linear β-VAE, alignment of latents with sources. NumPy and SciPy only."""
