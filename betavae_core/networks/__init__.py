"""The deep β-VAE in TensorFlow: its shape, its posterior, its training and its evaluation."""

import os

# TensorFlow loads one of two Kerases when it starts. Nothing here uses either, TensorFlow Probability needs the older.
os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")
