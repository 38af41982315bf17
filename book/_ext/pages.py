"""Sphinx extension: pages describe themselves by their first paragraph, links get a card, chapters can be launched."""

import contextlib
import io
import re
import sys
from html import escape
from pathlib import Path
from urllib.parse import quote

from docutils import nodes
from pybtex import plugin

LENGTH = 200  # characters; what search engines show
CARD = "_static/card.png"
MESSAGE = "The best β is finite, and a rotation moves it"  # what the home page is titled with, and its card

TOGETHER = re.compile(  # spaces at which no line ends: β = 1, (β₂ − 1), β → ∞, 1.2 × 10⁻⁹, 95 %, 3 nats, Theorem 4
    r"(?<=[\w*]) (?=[=<>≤≥] [−+\d∞λν])|(?<=[=<>≤≥×]) (?=[−+\d∞λν])|(?<=\d) (?=(?:[%×]|(?:nats|per cent|ν|MB|GB|s)\b))"
    r"|(?<=\w) (?=− \d\))|(?<=−) (?=\d\))|(?<=\w) (?=→ [∞\d])|(?<=→) (?=[∞\d])"
    r"|(?<=\bTheorem) (?=\d)|(?<=\bProposition) (?=\d)|(?<=\bTable) (?=\d)|(?<=\bFig\.) (?=\d)"
)
FIELD = re.compile(r"[^.:]{1,60} : (?=\S)")  # "name : what it is" in a docstring, outside of its sections
TRAILING = re.compile(r"^ (?=(?:nats|per cent|%|ν|labels|°)(?:\W|$))")  # from a number that the build puts in
CELL = re.compile(r"(?<=\w) ([=−]) (?=\w)")  # a short formula in a table
LEADING = re.compile(r" ([=<>≤≥]) $")  # to a number that the build puts in
MARKS = re.compile(r"[.,;:!?)]+")


def keep_together(app, doctree, docname):
    """A number stays on one line with its name and unit, a formula with the marks behind it, code with its bracket."""
    for text in list(doctree.findall(nodes.Text)):
        if not isinstance(text.parent, nodes.literal | nodes.literal_block | nodes.math | nodes.math_block | nodes.raw):
            whole = TOGETHER.sub("\N{NO-BREAK SPACE}", text)
            if text is not text.parent[-1]:
                whole = LEADING.sub("\N{NO-BREAK SPACE}\\1\N{NO-BREAK SPACE}", whole)
            if text is not text.parent[0]:
                whole = TRAILING.sub("\N{NO-BREAK SPACE}", whole)
            if text.parent.parent and isinstance(text.parent.parent, nodes.entry):
                whole = CELL.sub("\N{NO-BREAK SPACE}\\1\N{NO-BREAK SPACE}", whole)
            if whole != text:
                _replace(text, nodes.Text(whole))
    for formula in list(doctree.findall(nodes.math)):
        after = formula.next_node(siblings=True, descend=False)
        if isinstance(after, nodes.Text) and (marks := MARKS.match(after)):
            _replace(after, nodes.Text(after[marks.end() :]))
            formula.replace_self(nodes.inline("", "", formula.deepcopy(), nodes.Text(marks[0]), classes=["together"]))
    for code in list(doctree.findall(nodes.literal)):
        parent, at = code.parent, code.parent.index(code)
        before = parent[at - 1] if at else None
        if isinstance(before, nodes.Text) and before.endswith("("):
            _replace(before, nodes.Text(before[:-1]))
            code.replace_self(nodes.inline("", "", nodes.Text("("), code.deepcopy(), classes=["together"]))


def _replace(old, new):
    """Put a node in another's place; docutils would take the first that reads the same, such as another "("."""
    place = next(i for i, child in enumerate(old.parent) if child is old)
    old.parent[place] = new


def describe(app, pagename, templatename, context, doctree):
    """Meta tags of a page: description, title, image."""
    if doctree is None:
        return
    first = next((p.astext() for p in doctree.findall(nodes.paragraph)), app.config.project)
    text = " ".join(first.split())
    if len(text) > LENGTH:
        text = text[: text.rindex(" ", 0, LENGTH)] + " …"
    title = context.get("title", "")
    if pagename == app.config.root_doc:
        context["title"] = title = f"{title}: {MESSAGE[0].lower()}{MESSAGE[1:]}"
    card = f"{app.config.html_baseurl or '../'}{CARD}"
    context["metatags"] = context.get("metatags", "") + "\n".join(
        [
            f'<meta name="description" content="{escape(text)}">',
            f'<meta property="og:title" content="{escape(title)}">',
            f'<meta property="og:description" content="{escape(text)}">',
            f'<meta property="og:image" content="{card}">',
            f'<meta property="og:image:alt" content="{escape(MESSAGE)}">',
            '<meta name="twitter:card" content="summary_large_image">',
            '<meta property="og:type" content="article">',
        ]
    )


def mend_roles(app, pagename, templatename, context, doctree):
    """sphinxcontrib-bibtex calls its citations a list without items: take the role off."""
    context["body"] = context.get("body", "").replace('<div role="list" class="citation-list">', "<div>")


def launch(app, pagename, templatename, context, doctree):
    """Below the title of a chapter with code: where it runs without installing, if the repository is named."""
    repository = app.config.repository_url.rstrip("/").removesuffix(".git")
    if (
        not repository
        or doctree is None
        or not any("cell_input" in n["classes"] for n in doctree.findall(nodes.container))
    ):
        return
    name = repository.removeprefix("https://github.com/")
    binder = f"https://mybinder.org/v2/gh/{name}/HEAD?urlpath={quote(f'notebooks/{pagename}.md', safe='')}"
    colab = f"https://colab.research.google.com/github/{name}/blob/notebooks/{pagename.split('/')[-1]}.ipynb"
    links = f'<a href="{escape(binder)}">Binder</a> · <a href="{escape(colab)}">Colab</a>'
    context["body"] = context["body"].replace("</h1>", f'</h1><p class="launch">Run this chapter on {links}</p>', 1)


def as_restructured_text(app, what, name, obj, options, lines):
    """Docstrings are written to be read in an editor: |x|, formulas set off by indentation, and a line of sources."""
    found, literal = [], False
    for line in lines:
        if what == "module" and line.startswith("    ") and not literal:
            found += ["::", ""]
        literal = what == "module" and (line.startswith("    ") or (literal and not line))
        if what != "module" and line.startswith("Source: "):
            found += ["References", "----------"]
            line = line.removeprefix("Source: ")
        found.append(line if literal else line.replace("|", r"\|"))
    lines[:] = found if what == "module" else _listed(found)


def _listed(lines: list[str]) -> list[str]:
    """Lines in which each "name : what it is" of a paragraph is an item of a list; sections are Napoleon's."""
    found, item = [], False
    for number, line in enumerate(lines):
        if line.startswith("-----"):
            return found + lines[number:]
        begins = FIELD.match(line)
        found += [""] if begins and not item else []
        item = bool(line and (begins or item))
        found.append(f"- {line}" if begins else f"  {line}" if item else line)
    return found


def without_fields(app, what, name, obj, skip, options):
    """A field of a named tuple is told in the docstring of its class; of its own it has "Alias for field number 0"."""
    return True if type(obj).__name__ == "_tuplegetter" else None


def put_card(app, exception):
    """The picture of links, as it was drawn last if nothing that draws it has changed: that loads for two seconds."""
    if exception or app.builder.name != "html":
        return
    from betavae_core import files, paths
    from betavae_workshop.building import kept as executions

    parts = [Path(__file__), paths.ROOT / "requirements.lock", paths.PACKAGE / "showing/figures.py"]
    parts += sorted((paths.PACKAGE / "theory").glob("*.py"))
    kept = paths.BUILD / "cache" / f"card-{executions.digest([sys.version], parts)[:16]}.png"
    try:
        card = files.read_sealed(kept)
    except (OSError, files.Damaged):
        card = drawn_card()
        with contextlib.suppress(OSError):  # then it is drawn again
            kept.parent.mkdir(parents=True, exist_ok=True)
            for old in kept.parent.glob("card-*.png"):
                old.unlink()
            files.write_sealed(kept, card)
    (Path(app.outdir) / CARD).write_bytes(card)


def drawn_card() -> bytes:
    """A picture of 1200 × 630: the book's title, what it found, and the two curves that show it."""
    import matplotlib.pyplot as plt
    import numpy as np

    from betavae_core.showing import figures
    from betavae_core.theory import linear, rotation
    from betavae_core.theory.gaussian import LinearGaussian

    plt.rcdefaults()
    process, betas = LinearGaussian([[2.0, 1.0], [0.5, 1.5]], 1.0), np.geomspace(0.1, 7.5, 300)
    best, turn = linear.optimal_beta(process), rotation.right_rotation(process)
    trained, turned = linear.sweep(process, betas).tie, [rotation.rotated_tie(process, b, turn) for b in betas]
    figure, axis = plt.subplots(figsize=(12, 6.3), dpi=100)
    for curve, at, colour, text, height in (
        (trained, best, figures.BLUE, f"as trained: least at β = {best:.2f}", 6.2),
        (turned, process.noise_std**2, figures.GREEN, f"turned to the sources: at β = {process.noise_std**2:g}", 5.4),
    ):
        axis.plot(betas, curve, color=colour, linewidth=5)
        axis.axvline(at, color=colour, linestyle="--", linewidth=3)
        axis.text(0.1, height, text, color=colour, fontsize=22)
    axis.set(xscale="log", ylim=(0, 7))
    axis.set_xticks([0.1, 1], ["0.1", "1"])
    axis.set_xlabel("β", fontsize=22)
    axis.set_ylabel("error of inference, nats", fontsize=22)
    axis.tick_params(labelsize=18)
    axis.spines[["top", "right"]].set_visible(False)
    axis.set_title(MESSAGE, fontsize=36, loc="left", pad=24)
    figure.suptitle("A closer look at disentangling in β-VAE", fontsize=22, x=0.066, ha="left", color=figures.GREY)
    figure.tight_layout()
    figure.savefig(drawn := io.BytesIO(), metadata={"Software": None})
    plt.close(figure)
    return drawn.getvalue()


def find_plugins_once():
    """Citations ask for these plugins one by one, and each time all that is installed is searched for them."""
    for group, name in (("pybtex.backends", "plaintext"), ("pybtex.style.formatting", "plain")):
        plugin.register_plugin(group, name, plugin.find_plugin(group, name), force=True)


def setup(app):
    app.add_config_value("repository_url", "", "html")
    app.connect("autodoc-process-docstring", as_restructured_text, priority=400)  # before napoleon
    app.connect("autodoc-skip-member", without_fields)
    app.connect("doctree-resolved", keep_together)
    app.connect("html-page-context", describe)
    app.connect("html-page-context", mend_roles)
    app.connect("html-page-context", launch)
    app.connect("build-finished", put_card)
    find_plugins_once()
    return {"parallel_read_safe": True, "parallel_write_safe": True}
