"""The example that a reader runs from end to end."""

import subprocess
import sys

import pytest

from betavae_core import paths

EXAMPLE = paths.ROOT / "examples/one_network.py"


@pytest.mark.slow
def test_one_network_reaches_the_linear_optimum_and_says_nothing_else():
    command = [sys.executable, EXAMPLE, "--epochs", "300"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    first, *rows = done.stdout.splitlines()
    assert first.startswith("β = 100, 300 epochs")
    found = {row.split()[0]: [float(value) for value in row.split()[1:]] for row in rows}
    assert set(found) == {"reconstruction", "kl_prior", "elbo", "tie"}
    network, linear = found["tie"]
    assert network == pytest.approx(linear, abs=0.15)
    assert found["elbo"][0] < found["elbo"][1] + 1  # the optimum is one


def test_it_fits_a_screen_or_two():
    assert len(EXAMPLE.read_text().splitlines()) <= 60
