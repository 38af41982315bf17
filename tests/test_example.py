"""The example that a reader runs from end to end."""

import runpy
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


@pytest.mark.parametrize("words", [["--beta", "nan"], ["--beta", "-1"], ["--beta", "0"], ["--epochs", "0"]])
def test_what_cannot_be_trained_is_refused_before_anything_is(words, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", [str(EXAMPLE), *words])
    with pytest.raises(SystemExit) as stopped:
        runpy.run_path(str(EXAMPLE), run_name="__main__")
    told = capsys.readouterr()
    assert (stopped.value.code, told.out) == (2, "")
    assert "--beta must be from 1e-9 to 1e9, --epochs 1 or more; got" in told.err


def test_it_fits_a_screen_or_two():
    assert len(EXAMPLE.read_text().splitlines()) <= 60
