"""A network whose linear layers are solved, without a step of training, against the linear optimum of its images."""

import numpy as np
import pytest

from betavae_core.findings import prediction, turned_networks
from betavae_core.results.members import Specification
from betavae_workshop.timing import optimum, solved


@pytest.mark.parametrize("beta", [0.1, 20.0, 500.0])
def test_it_has_the_objective_and_the_error_of_the_linear_optimum(beta):
    """At small β, too, where the objective hardly tells one rotation of the latents from another."""
    data, _ = Specification("mixing").draw(1)
    ([R], [C], _, [tie]), _ = prediction.linear_terms(prediction.coordinates(data), [beta])
    network = solved.network(data, beta, 1)
    assert optimum.objective(network, data, beta) == pytest.approx(R - beta * C, abs=optimum.WITHIN / 2)
    q = network.posterior([data])[0]
    seen = turned_networks.Images(
        q.mean, q.covariance(), data.sources, data.posterior_mean, data.process.posterior_precision
    )
    assert turned_networks.parts(seen)["trained"] == pytest.approx(tie, abs=0.01)


def test_where_all_latents_collapse_it_encodes_nothing():
    data, _ = Specification("mixing", samples=50).draw(0)
    q = solved.network(data, 1e6, 0).posterior([data])[0]
    assert np.abs(q.kl_to_prior()).max() < 1e-9
