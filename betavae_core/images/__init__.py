"""This folder draws what the networks see: images of MNIST digits whose sources have a known posterior."""
