"""The stored error rates of verdicts: what was simulated, and the file that `calibration` writes."""

import json

from betavae_core import paths

RULES = ("falls", "near", "interior", "positive")
COUNTS = (3, 5, 20, 60, 300)  # realizations
EFFECTS = (0.5, 1.0, 2.0, 4.0)  # standard errors of the mean of a step
NOISES, REALIZATIONS = (0.01, 0.03, 0.1), (4, 6, 12)  # of tiles: nats of a network's TIE; realizations


def load() -> dict:
    """The stored rates: `seed`, `trials`, and the rows of `rules`, `intervals` and `tiles`."""
    return json.loads(paths.CALIBRATION.read_text(encoding="utf-8"))
