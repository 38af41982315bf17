"""Pictures that answer to the reader, as HTML that needs no kernel."""

import base64
import html
import json

import numpy as np
from IPython.display import HTML

from betavae_core.findings import latents
from betavae_core.images.experiments import training
from betavae_core.networks import atlas
from betavae_core.results import atlases, planning
from betavae_core.showing import figures
from betavae_core.showing.curves import Curve, Panel, beyond
from betavae_core.theory.gaussian import LinearGaussian, kl_divergence

EXAMPLE = LinearGaussian([[2.0, 1.0], [0.5, 1.5]], 1.0)  # the thesis's, for models that do not fit the plane

TINY = 1e-9  # stands for β = 0 among ratios
CHOICE, CLOUD = 8, 200  # images of which a reader may see q, and means shown beside it
GAP = -0.4  # grey between pictures, which parts them in light and in dark mode alike
SHADES = (-1.2, -0.4, 0.4, 1.2)  # sources on either side of these have different colours
NAMES = ("blue", "orange", "green", "pink", "grey")  # in companion.css, where dark mode changes the colours
COLOURS = {getattr(figures, name.upper()): name for name in NAMES}


def curves(name: str, described: list[Panel], key: bool = False):
    """The numbers of a figure, for `curves.js` to draw in its place on a screen: one that a reader can ask.

    `name` : of the figure that `curves.draw` made of the same panels; `described` : panels, in place of the figure's
    first ones; `key` : the figure ends with a key, which is left out too
    """
    start = next((panel.start for panel in described if panel.start), 1.0)
    panels = rounded([_panel(panel) for panel in described], 6)  # digits; no page shows more
    numbers = script({"start": start, "panels": panels})
    replaced = len(described) + key
    return HTML(f'<div class="curves" data-figure="{html.escape(name)}" data-replaced="{replaced}">{numbers}</div>')


def _panel(panel: Panel) -> dict:
    given = ("title", "unit", "bend", "floor", "shade", "across", "variable", "linear", "tags", "start")
    marks = [{"beta": at.beta, "label": at.label, "colour": COLOURS[at.colour]} for at in panel.marks]
    lines = [_curve(curve) for curve in panel.curves]
    own = {name: getattr(panel, name) for name in given}
    return {**own, "off": beyond(panel)._asdict(), "marks": marks, "curves": lines}


def _curve(curve: Curve) -> dict:
    arrays = {name: getattr(curve, name) for name in ("beta", "value", "low", "high", "networks", "across")}
    numbers = {name: array for name, array in arrays.items() if array is not None}
    return {"name": curve.name, "colour": COLOURS[curve.colour], "line": curve.line, **numbers}


def rounded(content, digits: int):
    """A structure of dicts, lists and arrays as JSON takes it, numbers to so many digits; None where there is none."""
    if isinstance(content, dict):
        return {name: rounded(value, digits) for name, value in content.items()}
    if isinstance(content, list | tuple | np.ndarray):
        return [rounded(value, digits) for value in content]
    if isinstance(content, float | np.number):
        return float(f"{content:.{digits}g}") if np.isfinite(content) else None
    return content


def script(content) -> str:
    """Content as a script element of JSON."""
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"), allow_nan=False).replace("</", "<\\/")
    return f'<script type="application/json">{text}</script>'


def uri(image: bytes, kind: str = "webp") -> str:
    """A picture as a data URI."""
    return f"data:image/{kind};base64,{base64.b64encode(image).decode()}"


def explorer(process: LinearGaussian, beta: float):
    """The analytical model to be moved, as HTML; starts where the page does, if that has two sources and two data."""
    fits = process.mixing.shape == (2, 2)
    shown = process if fits else EXAMPLE
    entries = ",".join(f"{entry:.12g}" for entry in shown.mixing.ravel())
    words = "" if fits else "<p>The explorer takes two sources and two data: it shows the thesis’s example.</p>"
    same = "; figures here show the same curves at this page's parameters" if fits else ""
    return HTML(
        f'{words}<div class="explorer" data-size="full" data-beta="{_beta(beta)}" data-mixing="{entries}" '
        f'data-noise="{shown.noise_std:.12g}"><p>The explorer needs JavaScript{same}.</p></div>'
    )


def page_beta(chapter: str, betas, start: float):
    """A place for the control "β of this page", which `page.js` fills; without JavaScript there is none.

    `betas` : (β,) at which networks are stored; `start`, the page's, has a stop of its own; `make chapter` runs
    `chapter` at another.
    """
    own = "" if start in betas else f' data-own="{_beta(start)}"'
    offered = " ".join(map(_beta, sorted({*map(float, betas), float(start)})))
    given = f'data-chapter="{html.escape(chapter)}" data-betas="{offered}" data-start="{_beta(start)}"{own}'
    return HTML(f'<div class="page-beta" {given}></div>')


def _beta(beta: float) -> str:
    """β as pages name it, and JavaScript reads it."""
    return f"{beta:.10g}"


def follows(said: dict[float, str], start: float):
    """Words in a sentence that follow the page's β; where nothing is said of that, those of the β on either side."""
    if start not in said:
        sides = max((b for b in said if b < start), default=None), min((b for b in said if b > start), default=None)
        said = said | {start: " and ".join(f"{said[b]} at β = {b:g}" for b in sides if b is not None)}
    texts = html.escape(json.dumps({_beta(beta): text for beta, text in said.items()}, ensure_ascii=False))
    return HTML(f'<span class="follows" data-said="{texts}">{html.escape(said[start])}</span>')


def pictures(sheets: dict[float, tuple[np.ndarray, list[str]]], start: float):
    """Pictures at the page's β: all in the page, the one of the β nearest to `start` shown at first.

    `sheets` : for each β grey levels (row, column, height, width), and what each row is, which is written beside it
    """
    first, found = nearest(sheets, start), []
    for beta, (sheet, rows) in sheets.items():
        names = "".join(f"<span>{html.escape(row)}</span>" for row in rows)
        scaled = sheet / np.maximum(np.abs(sheet).max((1, 2, 3), keepdims=True), 1e-9)  # each row for itself
        framed = np.pad(scaled, ((0, 0), (0, 0), (1, 1), (1, 1)), constant_values=GAP)
        hidden, picture = "" if beta == first else " hidden", uri(atlas.compressed(framed))
        words = html.escape(f"β = {_beta(beta)}, from above: {', '.join(rows)}")
        image = f'<img class="digits" alt="{words}" src="{picture}">'
        found.append(f'<div data-beta="{_beta(beta)}"{hidden}><div class="rows">{names}</div>{image}</div>')
    return HTML(f'<div class="follows pictures">{"".join(found)}</div>')


def nearest(betas, beta: float) -> float:
    """The one of several β nearest to another, as a ratio; β = 0 is nearest to the least of them."""
    return min(betas, key=lambda b: abs(np.log(max(b, TINY) / max(beta, TINY))))


def latent_plane(experiment: str, beta: float, profile: str = "published", own: atlas.Atlas | None = None):
    """What the networks of realization 0 decode over the plane of their latents, to be moved over, as HTML.

    The sheet of the β nearest to the page's stands in the page, for paper, notebooks and readers without JavaScript;
    `plane.js` puts a plane in its place and loads the other sheets from beside the page. `own`, the atlas of a network
    of this build at the page's β, is shown where none is stored. Where no atlas is drawn, a sentence says how.
    """
    members = planning.plan(experiment, profile, realizations=1)
    found = {member.beta: drawn for member in members if (drawn := atlases.read(member))}
    if own:
        found = dict(sorted(({float(beta): own} | found).items()))
    if not found:
        words = f"What networks of {experiment} decode over the plane of their latents is not stored;"
        return HTML(f"<p>{words} <code>betavae atlas {experiment}</code> draws it.</p>")
    data = training(experiment, 0, members[0].specification.samples)
    chosen = data.images()[None, :CHOICE]
    most, start = float(np.abs(chosen).max()), nearest(found, beta)
    told = {
        "name": experiment,
        "label": members[0].specification.label,
        "start": start,
        "own": start if found[start] is own else None,
        "reach": atlas.REACH,
        "side": atlas.SIDE,
        "images": uri(atlas.compressed(chosen / most)),
        "scale": most,
        "shades": np.searchsorted(SHADES, data.sources[:CLOUD]).T.tolist(),
        "networks": [_network(b, drawn, data) for b, drawn in found.items()],
    }
    reach = f"z₁ from −{atlas.REACH} to {atlas.REACH}, z₂ upwards likewise."
    words = f"{experiment} at β = {_beta(start)}: images decoded over the plane, {reach}"
    sheet = uri(found[start].image)
    still = f'<img class="digits" alt="{words}" src="{sheet}"><figcaption>{words}</figcaption>'
    return HTML(f'<div class="latent-plane"><figure class="sheet">{still}</figure>{script(told)}</div>')


def latent_planes(experiments, beta: float, profile: str = "published", own: atlas.Atlas | None = None):
    """A `latent_plane` for each experiment, the first one open, to which `own` belongs."""
    owned = {experiments[0]: own}
    found = [(name, latent_plane(name, beta, profile, owned.get(name)).data) for name in experiments]
    folded = (f"<summary>{name}</summary>{plane}</details>" for name, plane in found)
    return HTML('<details class="planes" open>' + '<details class="planes">'.join(folded))


def _network(beta: float, drawn: atlas.Atlas, data) -> dict:
    """What the plane shows of one network: means, and for a few images q, the exact posterior and what is between."""
    exact, covariance = latents.exact_in_latents(drawn.mean, drawn.std, data)
    pairs = zip(drawn.mean[:CHOICE], drawn.std[:CHOICE], exact, strict=False)
    return {
        "beta": beta,
        "scale": drawn.scale,
        "mean": [np.round(mean, 2).tolist() for mean in drawn.mean[:CLOUD]],
        "std": drawn.std[:CHOICE].tolist(),
        "exact": exact[:CHOICE].round(3).tolist(),
        "covariance": covariance[np.triu_indices(2)].tolist(),
        "kl": [float(f"{kl_divergence(m, np.diag(s**2), e, covariance):.3g}") for m, s, e in pairs],
    }
