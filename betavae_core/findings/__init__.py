"""This folder reads off stored networks where optima lie, how latents score, and which claims hold."""
