"""What m labels are worth: the law in random linear models, other uses of the same labels, labels that are chosen."""

import numpy as np
import xarray as xr

from betavae_core.findings import turned_networks
from betavae_core.findings.turned_networks import Images
from betavae_core.theory import orthogonal
from betavae_core.theory.orthogonal import Form

SIGNAL = (1.0, 10.0)  # singular values of random models with noise 1, uniform in their logarithm
PENALTIES = 10.0 ** np.arange(-3, 1.1, 0.5)  # of a ridge regression, relative to the mean square of its features
POOL = 100  # images among which labels are chosen
CHOICES = 20  # of labels, in each realization, for regressions


def random_models(sources: int, labels, models: int, rng) -> dict[str, np.ndarray]:
    """TIE of linear models at the noise ratio, turned by what m labelled draws of each say, in nats.

    Singular values of A are drawn as `SIGNAL` says, its rotations uniformly (Haar measure), σ = 1.

    Returns arrays (labels, model): likelihood, by the most likely turn; procrustes, by the polar factor of Σ s_i μ_iᵀ.
    """
    k, at = sources, np.array(labels) - 1
    values = np.exp(rng.uniform(*np.log(SIGNAL), (models, k))) ** 2
    Q, R = np.linalg.qr(rng.standard_normal((models, k, k)))
    axes = Q * np.sign(np.diagonal(R, axis1=1, axis2=2))[:, None]  # 𝓡ᵀ, uniform: rows are the principal axes
    share = values / (1 + values)  # variance of the latents' means
    mean = rng.standard_normal((models, max(labels), k)) * np.sqrt(share)[:, None]
    s = (mean + rng.standard_normal(mean.shape) * np.sqrt(1 - share)[:, None]) @ axes
    square = np.cumsum(s[..., :, None] * s[..., None, :], 1)[:, at]
    cross = np.cumsum(s[..., :, None] * mean[..., None, :], 1)[:, at]
    bent = np.einsum("pmij,pa,ab->pmiajb", square, 1 + values, np.eye(k))
    form = Form(bent.reshape(models, -1, k * k, k * k), cross * (1 + values)[:, None, None])
    turns, found = orthogonal.least(form)
    likely = orthogonal.better(turns, found)
    left, _, right = np.linalg.svd(cross)
    return {"likelihood": _left_over(likely, axes, values), "procrustes": _left_over(left @ right, axes, values)}


def _left_over(turns, axes, values) -> np.ndarray:
    """tr((I − U) AᵀA) of turns T (model, m, k, k), U = T 𝓡ᵀ; (m, model): `linear.turned_tie`."""
    along = np.einsum("pmia,pai->pma", turns, axes)  # (𝓡ᵀ T)_aa: AᵀA is diagonal along the axes
    return ((1 - along) * values[:, None]).sum(-1).T


def regression(images: Images, features, chosen, labels) -> np.ndarray:
    """TIE of N(B f(x), Σ), fitted to labelled images by ridge regression of s on features f, on all others.

    The penalty is the one of `PENALTIES` with the least leave-one-out error; Σ is the second moment of the m
    leave-one-out residuals, with the prior's covariance I counted as one more. Unlike a turn it may stretch the means
    and change the size of q.

    `features` : (n, f), centred; `chosen`, `labels` : as in `turned_networks.labelled`, m ≥ 2

    Returns a (labels, draw) array in nats.
    """
    gram, M = features @ features.T, images.precision
    k, everyone = len(M), np.arange(len(features))
    rows = []
    for m in labels:
        first = chosen[:, :m]  # (draw, m)
        K, S = gram[first[:, :, None], first[:, None]], images.sources[first]
        scale = np.trace(K, axis1=1, axis2=2) / m
        weights, left = _left_out(K, S, PENALTIES[:, None] * scale)
        covariance = (np.eye(k) + left.swapaxes(1, 2) @ left) / (1 + m)
        off = np.einsum("dmn,dmk->dnk", gram[first], weights) - images.target
        judged = (everyone != first[:, :, None]).all(1)  # (draw, n)
        miss = np.einsum("dni,ij,dnj,dn->d", off, M, off, judged, optimize=True) / judged.sum(1)
        log_dets = np.linalg.slogdet(M)[1] + np.linalg.slogdet(covariance)[1]
        rows.append(0.5 * (np.einsum("ij,dij->d", M, covariance) - k - log_dets + miss))
    return np.array(rows)


def _left_out(K, S, penalties) -> tuple[np.ndarray, np.ndarray]:
    """Weights of the labelled images (draw, m, k) in a ridge regression, and its leave-one-out residuals.

    Residual i is weight i over (K + c I)⁻¹_ii; the penalty c of those given (penalty, draw) has the least of them.
    """
    values, vectors = np.linalg.eigh(K)
    shrunk = 1 / (np.maximum(values, 0) + penalties[..., None])  # (penalty, draw, m)
    weights = vectors @ (shrunk[..., None] * (vectors.swapaxes(1, 2) @ S))
    left = weights / np.einsum("dij,pdj->pdi", vectors**2, shrunk)[..., None]
    best = (left**2).sum((2, 3)).argmin(0), np.arange(len(K))
    return weights[best], left[best]


def by_their_means(mean, most: int, draws: int, rng, pool: int = POOL) -> np.ndarray:
    """Choices of images to label, (draw, most), that look at means alone: far from the origin, in different directions.

    Of `pool` random images the next has the largest μᵀ (c I + Σ μ μᵀ)⁻¹ μ, the sum over those chosen before and c a
    thousandth of a latent's mean square: the farthest first, then what adds most to the directions that are spanned.
    """
    n, k = mean.shape
    drawn = turned_networks.choices(n, pool, draws, rng)
    there, chosen = mean[drawn], []
    spanned = np.broadcast_to(1e-3 * (mean**2).mean() * np.eye(k), (draws, k, k)).copy()
    free = np.ones((draws, pool), bool)
    for _ in range(most):
        gain = np.einsum("dpi,dij,dpj->dp", there, np.linalg.inv(spanned), there)
        best = np.where(free, gain, -np.inf).argmax(1)
        chosen.append(best)
        free[np.arange(draws), best] = False
        row = there[np.arange(draws), best]
        spanned = spanned + row[:, :, None] * row[:, None]
    return np.take_along_axis(drawn, np.array(chosen).T, 1)


def other_uses(stored: xr.Dataset, beta: float, labels) -> dict[str, np.ndarray]:
    """TIE of a turn, and of `regression` on the latents' means and on pixels, with the same labels at the nearest β.

    Returns a dict of arrays (labels, choice of any realization); empty where no latents are stored.
    """
    found: dict[str, list] = {"turned": [], "regression on latents": [], "on pixels": []}
    for r, images, data in turned_networks.networks(stored, beta):
        n, rng = len(images.mean), np.random.default_rng([r, 3])
        chosen = turned_networks.choices(n, max(labels), CHOICES, rng)
        found["turned"].append(turned_networks.labelled(images, chosen, labels)["tie"])
        for name, features in zip(list(found)[1:], (images.mean, data.pixels[:n]), strict=True):
            found[name].append(regression(images, features, chosen, labels))
    return {name: np.concatenate(ties, 1) for name, ties in found.items() if ties}


def at_random_and_chosen(stored: xr.Dataset, beta: float, labels) -> dict[str, list[np.ndarray]]:
    """TIE turned, as trained, and margin, of random labels and of those of `by_their_means`: (labels, draw) each."""
    found: dict[str, list] = {"at random": [], "by their means": []}
    for r, images, _ in turned_networks.networks(stored, beta):
        draws, rng = turned_networks.DRAWS[images.mean.shape[1]], np.random.default_rng([r, 4])
        random = turned_networks.choices(len(images.mean), max(labels), draws, rng)
        choices = random, by_their_means(images.mean, max(labels), draws, rng)
        for each, chosen in zip(found.values(), choices, strict=True):
            told = turned_networks.labelled(images, chosen, labels)
            each.append((told["tie"], told["began"], told["margin"]))
    return {name: [np.concatenate(part, 1) for part in zip(*each, strict=True)] for name, each in found.items() if each}


def share(worse) -> tuple[float, float, float]:
    """Share of draws for which something holds, with its 95 % interval (Wilson's)."""
    import scipy.stats  # it takes a third of a second to load

    worse = np.asarray(worse).ravel()
    found = scipy.stats.binomtest(int(worse.sum()), worse.size).proportion_ci(method="wilson")
    return float(worse.mean()), float(found.low), float(found.high)
