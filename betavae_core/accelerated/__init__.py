"""Packs of networks trained in JAX on a GPU while processes draw and evaluate."""
