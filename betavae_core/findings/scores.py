"""Disentanglement scores from the literature, for continuous sources and codes.

Both ask of each source how far one latent is ahead of the next in telling it, and average over the sources:
0 says that two latents tell it equally well, 1 that one latent tells it fully and no other tells anything.
"""

import numpy as np

BINS = 10  # of equal counts; with 500 samples, 20 would add a third of a nat of bias to each mutual information


def mutual_information(a, b, bins: int = BINS) -> float:
    """Plug-in mutual information of two continuous samples (n,) in nats, in bins of equal counts.

    Equal values are ranked in the order of the samples: with many of them, as of a binary source, it means nothing.
    """
    joint = np.zeros((bins, bins))
    np.add.at(joint, (_ranked(a, bins), _ranked(b, bins)), 1 / len(a))
    independent = joint.sum(1, keepdims=True) * joint.sum(0, keepdims=True)
    filled = joint > 0
    return float((joint[filled] * np.log(joint[filled] / independent[filled])).sum())


def _ranked(values, bins: int) -> np.ndarray:
    """The bin of each value, 0 … bins − 1; a constant has one bin."""
    values = np.asarray(values, float)
    if np.ptp(values) == 0:
        return np.zeros(len(values), int)
    return np.argsort(np.argsort(values, kind="stable"), kind="stable") * bins // len(values)


def mig(sources, latents) -> float:
    """Mutual information gap: mean over sources of (I₁ − I₂)/H(s), the two most informative latents.

    `sources` : (n, K); `latents` : (n, k ≥ 2), posterior means, or draws z ~ q

    Source: Chen et al., 2018, section 4.1
    """
    information = np.array([[mutual_information(s, z) for z in np.transpose(latents)] for s in np.transpose(sources)])
    return _gap(information / np.log(BINS))


def sap(sources, latents) -> float:
    """Separated attribute predictability: mean over sources of the gap in R² of the two best single latents.

    R² is that of a straight line, the squared correlation, as for continuous factors in the paper.

    >>> sap([[1, 1], [1, -1], [-1, 1], [-1, -1]], [[1, 1], [1, -1], [-1, 1], [-1, -1]])
    1.0

    Source: Kumar et al., 2018, section 3
    """
    sources, latents = np.asarray(sources, float), np.asarray(latents, float)
    s, z = sources - sources.mean(0), latents - latents.mean(0)
    power = np.outer((s**2).sum(0), (z**2).sum(0))
    return _gap(np.divide((s.T @ z) ** 2, power, out=np.zeros_like(power), where=power > 0))


def of_turned_sources(samples: int, degrees: float = 45.0, draws: int = 400) -> tuple[float, float]:
    """Mean MIG and SAP of two latents that are two independent Gaussian sources, turned by an angle.

    At 45° both latents tell either source equally well. With infinitely many samples both scores are 0; what is
    left is the sampling of the larger of two equal numbers: the floor of these scores.
    """
    rng = np.random.default_rng(0)
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    found = []
    for _ in range(draws):
        sources = rng.standard_normal((samples, 2))
        latents = sources @ np.array([[c, -s], [s, c]])
        found.append((mig(sources, latents), sap(sources, latents)))
    gap, predictability = np.mean(found, axis=0)
    return float(gap), float(predictability)


def correlation(latents) -> float:
    """Largest absolute correlation between two latents over the images, 0 for a factorised code of Gaussians.

    A latent that does not vary has no correlation.

    >>> correlation([[1, 1], [1, -1], [-1, 1], [-1, -1]])
    0.0
    """
    z = np.asarray(latents, float)
    z = z - z.mean(0)
    lengths = np.linalg.norm(z, axis=0)
    scale = np.outer(lengths, lengths)
    cosines = np.divide(z.T @ z, scale, out=np.zeros_like(scale), where=scale > 0)
    return float(np.abs(cosines - np.diag(np.diag(cosines))).max())


def _gap(telling) -> float:
    """Mean over rows of the largest value minus the second largest."""
    ordered = np.sort(telling, axis=1)
    return float((ordered[:, -1] - ordered[:, -2]).mean())
