"""This folder has the exact mathematics: Gaussians, the linear β-VAE, and how latents are matched with sources."""
