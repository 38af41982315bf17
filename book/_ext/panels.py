"""Sphinx extension: a figure's panels become pictures of their own, which flow: beside each other, or below on a phone.
Below it stand links to the figure as one SVG and, where no script draws and offers them, to its numbers as CSV.

`showing.figures` names each panel of an SVG by its place: "panel ROW ROWS COLUMN COLUMNS LABEL". Here each gets a file
that holds it alone. Panels with a label are rows of pictures: their text is left out, and the page writes the label.
"""

import copy
import html
import re
from pathlib import Path
from xml.etree import ElementTree

SVG = "http://www.w3.org/2000/svg"
IMAGE = re.compile(r'<img alt="([^"]*)" class="(plot|digits)" src="([^"]*_images/[^"]+\.svg)"[^>]*?/?>')
ASKED = re.compile(r'data-figure="([^"]+)" data-replaced="(\d+)"')  # what `interactive.curves` draws over pictures
FIGURE = re.compile(
    r'(<figure\b[^>]*\bid="(fig-[^"]+)">(?:(?!</figure>).)*)(</p>\s*</figcaption>\s*</figure>)', re.DOTALL
)
DRAWN = re.compile(r'src="([^"]*_images/)(\w+?)(?:-\d+)?\.svg"')
TITLE = 18  # points that the label of a row of pictures takes
PIXELS = 96 / 72  # CSS pixels to a point

ElementTree.register_namespace("", SVG)
ElementTree.register_namespace("xlink", "http://www.w3.org/1999/xlink")


def split(file: Path) -> list[tuple[str, str, float, float]]:
    """Write each panel of an SVG beside it; (label, name, width, height in CSS pixels) of each, if it has panels."""
    root = ElementTree.parse(file).getroot()
    names = [group.get("id") for group in root.iter(f"{{{SVG}}}g") if group.get("id", "").startswith("panel ")]
    width, height = map(float, root.get("viewBox").split()[2:])
    for table in root.findall(f"{{{SVG}}}desc"):  # of `showing.figures.with_numbers`
        file.with_suffix(".csv").write_text(table.text or "", encoding="utf-8")
        root.remove(table)
    found = []
    for i, name in enumerate(names):
        row, rows, column, columns, *label = name.split(" ", 5)[1:]
        w, h = width / int(columns), height / int(rows)
        alone = _without(copy.deepcopy(root), [other for other in names if other != name], bool(label))
        top = TITLE if label else 0
        alone.set("viewBox", f"{int(column) * w:g} {int(row) * h + top:g} {w:g} {h - top:g}")
        alone.set("width", f"{w:g}pt")
        alone.set("height", f"{h - top:g}pt")
        target = file.with_name(f"{file.stem}-{i}.svg")
        target.write_bytes(ElementTree.tostring(alone))
        found.append((" ".join(label), target.name, w * PIXELS, (h - top) * PIXELS))
    return found


def _without(root, names: list[str], text: bool):
    """An SVG without the groups of these names and, if so asked, without text.

    A letter is drawn where it first occurs and used from there by all panels, so that definitions are kept.
    """
    for parent in list(root.iter()):
        for definitions in parent.findall(f"{{{SVG}}}defs"):
            parent.remove(definitions)
            root.insert(0, definitions)
    for parent in list(root.iter()):
        for child in list(parent):
            name = child.get("id", "")
            if name in names or (text and name.startswith("text_")):
                parent.remove(child)
    return root


def flow(app, exception):
    """Put panels in place of each figure that has some."""
    if exception or app.builder.format != "html":
        return
    folder = Path(app.outdir)
    for page in folder.rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        changed = IMAGE.sub(lambda found: _panels(folder, *found.groups()) or found[0], text)
        asked = dict(ASKED.findall(changed))
        for name, count in asked.items():
            changed = _replaced(changed, name, int(count))
        changed = FIGURE.sub(lambda found: _with_files(folder, asked, *found.groups()), changed)  # noqa: B023
        if changed != text:
            page.write_text(changed, encoding="utf-8")


def _with_files(folder: Path, asked: dict, figure: str, name: str, end: str) -> str:
    """A figure whose caption ends with links to its files."""
    if not (drawn := DRAWN.search(figure)):
        return figure + end
    kinds = [kind for kind in ("svg", "csv") if (folder / "_images" / f"{drawn[2]}.{kind}").exists()]
    offered = [kind for kind in kinds if kind == "svg" or name not in asked]
    links = [f'<a href="{drawn[1]}{drawn[2]}.{kind}" download="{name}.{kind}">{kind.upper()}</a>' for kind in offered]
    return f'{figure}&nbsp;<span class="files">{" ".join(links)}</span>{end}'


def _panels(folder: Path, alt: str, kind: str, source: str) -> str:
    panels = split(folder / "_images" / source.split("/")[-1])
    if not panels:
        return ""
    parts = []
    for i, (label, name, width, height) in enumerate(panels):
        described = alt if i == 0 else f"Part {i + 1} of {len(panels)}{': ' + html.escape(label) if label else ''}"
        size = f'width="{width:.0f}" height="{height:.0f}" loading="lazy"'  # a shape to wait with: pages stay light
        image = f'<img alt="{described}" class="{kind}" {size} src="{source.rsplit("/", 1)[0]}/{name}" />'
        words = f"<span>{html.escape(label)}</span>" if label else ""
        most = f"{1.6 * width:.0f}px"
        widest = f"min(26rem, {most})" if kind == "plot" else most  # a plot's letters are as large as the text's
        parts.append(f'<div style="max-width: {widest}">{words}{image}</div>')
    return f'<div class="panels" style="--panel: {panels[0][2]:.0f}px">{"".join(parts)}</div>'


def _replaced(page: str, name: str, count: int) -> str:
    """A page without the first panels of a figure where scripts draw them: neither loaded nor seen to change."""
    before, figure, after = page.partition(f'id="{name}"')
    return before + figure + after.replace('<div style="max-width', '<div class="replaced" style="max-width', count)


def setup(app):
    app.connect("build-finished", flow, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
