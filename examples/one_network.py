"""One β-VAE from end to end: images with a known posterior, training, and its true inference error.

    python examples/one_network.py --beta 100 --epochs 400

An image is a sum of two digits, weighed by a code r = A s + η. The network should infer the sources s. Their exact
posterior is known, so the error of its inference can be computed: TIE. Images of this kind are linear in the code, so
the closed form of the best linear β-VAE applies to them, and is printed beside the network.
"""

import argparse
import sys

from betavae_workshop import environment

with environment.muted():  # TensorFlow writes lines as it loads, and as it starts
    from betavae_core.networks import evaluation, training
from betavae_core.errors import UsageError
from betavae_core.findings import prediction
from betavae_core.images import experiments
from betavae_core.networks import architecture
from betavae_core.theory.gaussian import log_density_constant


def one_network(beta: float, epochs: int, realization: int = 0) -> list[tuple[str, float, float]]:
    """Train a network and evaluate it; (term, network, linear optimum) in nats, R and ELBO without their constant."""
    data, _ = experiments.draw("mixing", realization)  # 1000 images, 40 x 40, and their sources

    # β rises over the first fifth of training and Adam's step falls over the last four fifths, so that it settles.
    schedule = architecture.schedule(epochs, learning_rate=3e-3, settling=0.8, warmup=0.2)
    trainer = training.trainer()
    trainer.fit([data], [beta], [realization], epochs, schedule)
    network = evaluation.evaluate(trainer.weights, [data], [beta], [realization])

    linear = prediction.prediction("mixing", [beta], [realization]).squeeze()
    shared = log_density_constant(architecture.PIXELS)
    shift = {"reconstruction": shared, "elbo": shared}
    names = ("reconstruction", "kl_prior", "elbo", "tie")
    return [
        (name, float(network[name][0]) - shift.get(name, 0), float(linear[name]) - shift.get(name, 0)) for name in names
    ]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Train one β-VAE and hold it against the linear optimum.")
    parser.add_argument("--beta", type=float, default=100.0, help="weight of the KL term (default 100)")
    parser.add_argument("--epochs", type=int, default=400, help="steps, each on all images (default 400)")
    given = parser.parse_args()
    if not (1e-9 <= given.beta <= 1e9 and given.epochs >= 1):
        parser.error(f"--beta must be from 1e-9 to 1e9, --epochs 1 or more; got {given.beta:g} and {given.epochs}")
    print(f"β = {given.beta:g}, {given.epochs} epochs      network   linear optimum")
    try:
        with environment.muted():
            rows = one_network(given.beta, given.epochs)
    except (UsageError, KeyboardInterrupt) as error:
        sys.exit(str(error) or "interrupted")
    for name, found, best in rows:
        print(f"{name:<25}{found:>10.2f}{best:>17.2f}")
