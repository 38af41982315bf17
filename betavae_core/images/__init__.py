"""What the networks see: MNIST digits, images whose sources have a known posterior, and the experiments."""
