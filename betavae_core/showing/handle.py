"""A handle that turns the latents of a stored network, as HTML that needs no kernel.

Some images of a network may be labelled; TIE is that of the others, so that no image is both. With
q(z|x) = N(μ, S) and the exact posterior N(t, M⁻¹), the page computes at each turn T, from means over
the latter,

    TIE(T) = ½ tr(M T Q Tᵀ) − ⟨g, T⟩ + rest,   Q = E[μμᵀ + S],  g = E[M t μᵀ],
    C(T) = C + ½ tr(T Q Tᵀ − Q),

and the turn that makes the labels most likely, as `findings.turning.rotation_from_labels` does.
"""

import html
import io

import matplotlib as mpl
import numpy as np
import xarray as xr
from IPython.display import HTML
from matplotlib import patches

from betavae_core.findings import tiles, turned_networks, turning
from betavae_core.findings.latents import images_of
from betavae_core.images import experiments
from betavae_core.images.datasets import ImageData
from betavae_core.networks import atlas
from betavae_core.showing import figures
from betavae_core.showing.interactive import rounded, script, uri

POOL, ROW = 60, 10  # images that may be labelled, and how many stand in a row of their sheet
OFFERED = (1, 2, 3, 5, 10)  # labels
SHOWN, APART, EDGE = 5, 1.0, 2.2  # images whose q is shown; their distance, and how far out
BRIGHT = 0.9  # part of the images whose grey levels the scale holds whole; brighter ones are cut
REACH = 3.0  # of the plane, in standard deviations of a source
TIED = "\N{NO-BREAK SPACE}"
TERMS = ("objective", "reconstruction", "kl_prior", "elbo")
UPPER, WHOLE = np.triu_indices(2), np.array([[0, 1], [1, 2]])  # a covariance as three numbers, and back


def handle(stored: xr.Dataset, compact: bool = False):
    """The plane of the latents of realization 0 at β = ν, to be turned by hand or by labels, as HTML.

    `stored` : networks of an experiment of tiles with two latents; `compact` : without the curve of TIE over the angle

    Returns a still figure for paper, notebooks and readers without JavaScript, and the numbers from which `handle.js`
    draws one that moves; where latents are not stored, a sentence that says so. Raises ValueError for networks with
    another number of latents: the plane has two axes.
    """
    if (latents := experiments.experiment(stored.experiment).latents) != 2:
        raise ValueError(f"the plane is drawn of networks with 2 latents; got {latents} in {stored.experiment}")
    network = at_noise(stored)
    data = images_of(stored, 0)
    images = turned_networks.read(stored, network, 0, data) if stored.sizes.get("detailed", 0) else None
    if images is None or len(images.mean) < 2 * max(OFFERED):
        name = html.escape(stored.experiment)
        command = f"<code>betavae sweep {name}</code>"
        return HTML(f"<p>Latents of {name} at β = ν are not stored; {command} makes them.</p>")
    cell = stored.isel(beta=network).sel(realization=0)
    numbers = described(images, cell, data)
    sheet, size = f'<figure class="sheet">{_still(images, numbers)}</figure>', "small" if compact else "full"
    return HTML(f'<div class="turning" data-size="{size}">{sheet}{script(numbers)}</div>')


def at_noise(stored: xr.Dataset) -> int:
    """The place of the stored β that is nearest to the noise ratio."""
    return int(np.abs(np.log(tiles.in_units_of_noise(stored).beta.values)).argmin())


def pool(images: turned_networks.Images) -> int:
    """How many of a network's images, the first ones, may be labelled; TIE is that of the others."""
    return min(POOL, len(images.mean) // 2)


def described(images: turned_networks.Images, cell: xr.Dataset, data: ImageData) -> dict:
    """What the page is told of a network, whose terms `cell` has, in twelve digits."""
    count = pool(images)
    judged = turned_networks.Images(*(part[count:] for part in images[:4]), images.precision)
    trained = turned_networks.as_trained(judged)
    moment, cross, rest = (part.mean(0) for part in turned_networks.error(judged))
    seen = count + _spread(judged.target)
    pictures = data.images()[:count]
    told = {
        "beta": cell.beta.item(),
        "terms": {name: cell[name].item() for name in TERMS},
        "trained": trained,
        "precision": images.precision,
        "moment": moment,
        "cross": cross,
        "rest": rest,
        "judged": len(judged.mean),
        "covariance": np.linalg.inv(images.precision)[UPPER],
        "images": [_image(images, i) | {"exact": images.target[i]} for i in seen],
        "pool": [_image(images, i) | {"source": images.sources[i]} for i in range(count)],
    }
    return rounded(told, 12) | {
        "experiment": cell.attrs["experiment"],
        "reach": REACH,
        "offered": OFFERED,
        "row": ROW,
        "side": pictures.shape[-1],
        "sheet": _sheet(pictures),
    }


def _image(images: turned_networks.Images, i: int) -> dict:
    return {"mean": images.mean[i], "covariance": images.covariance[i][UPPER]}


def _spread(means) -> np.ndarray:
    """The first images whose exact posteriors lie apart and inside the plane."""
    chosen: list[int] = []
    for i, mean in enumerate(means):
        apart = all(np.linalg.norm(mean - means[j]) > APART for j in chosen)
        if len(chosen) < SHOWN and np.abs(mean).max() < EDGE and apart:
            chosen.append(i)
    return np.array(chosen, int)


def _sheet(pictures) -> str:
    """Pictures (n, side, side) in rows of `ROW`, in one grey scale, as a data URI."""
    scale = max(np.quantile(np.abs(pictures).max((1, 2)), BRIGHT), 1e-9)
    cells = np.clip(pictures / scale, -1, 1)
    cells = np.concatenate([cells, np.zeros((-len(cells) % ROW, *cells.shape[1:]))])
    return uri(atlas.compressed(cells.reshape(-1, ROW, *cells.shape[1:])))


def _still(images: turned_networks.Images, numbers: dict) -> str:
    """The figure for paper: q and exact posteriors as trained, and turned by the first labels."""
    labels = OFFERED[-2]
    turn = turning.rotation_from_labels(*(part[:labels] for part in images[:3]))
    turns = {"as trained": np.array(numbers["trained"]), f"turned by {labels} labels": turn}
    moment, cross = (np.array(numbers[name]) for name in ("moment", "cross"))
    form, rest = turned_networks.tie_of_turns(images.precision, moment, cross, numbers["rest"])
    titles = [f"{name}: TIE {form(T) + rest:.3f} nats" for name, T in turns.items()]
    with mpl.rc_context(figures.STYLE):
        figure, axes = figures.panels(2, 2, height=figures.WIDTH)
        for axis, T, title in zip(axes, turns.values(), titles, strict=True):
            _compare(axis, numbers, T)
            axis.set_title(title)
        content = io.StringIO()
        figure.savefig(content, format="svg", metadata={"Date": None})
        figures.plt.close(figure)
    drawn = uri(figures.named_in_order(content.getvalue()).encode(), "svg+xml")
    words = (
        f"q (solid) and exact posterior (dashed) at one standard deviation, for {len(numbers['images'])} images of "
        f"{numbers['experiment']}, β = {numbers['beta']:.4g}. Panels: {'; '.join(titles)}."
    )
    said = words.replace(" nats", f"{TIED}nats").replace(" = ", f"{TIED}={TIED}")
    image = f'<img class="plot" alt="{said}" src="{drawn}">'
    return f"{image}<figcaption>{said}</figcaption>"


def _compare(axis, numbers: dict, T) -> None:
    """Ellipses of the exact posteriors, and of q with the latents turned."""
    axis.set(xlim=(-REACH, REACH), ylim=(-REACH, REACH), aspect="equal")
    axis.set(xlabel="source 1", ylabel="source 2")
    exact = np.array(numbers["covariance"])[WHOLE]
    for image in numbers["images"]:
        _ellipse(axis, image["exact"], exact, color=figures.GREEN, linestyle="--")
        _ellipse(axis, T @ image["mean"], T @ np.array(image["covariance"])[WHOLE] @ T.T, color="black")


def _ellipse(axis, centre, covariance, **looks) -> None:
    """One standard deviation of N(centre, covariance)."""
    (least, most), axes = np.linalg.eigh(covariance)
    angle = np.degrees(np.arctan2(axes[1, 1], axes[0, 1]))
    size = 2 * most**0.5, 2 * least**0.5
    axis.add_patch(patches.Ellipse(centre, *size, angle=angle, fill=False, linewidth=1.4, **looks))
