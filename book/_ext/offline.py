"""Sphinx extension: the built book asks nothing of the network.

MathJax comes from the pinned package `sphinx-mathjax-offline`; its own extension would copy 24 MB, so the
one bundle and the fonts that the book loads are copied here. Thebe's inline settings, which the theme
emits twice and which fail in the browser the second time, are dropped: pages here run no kernel.
"""

import re
import shutil
from importlib.metadata import distribution
from pathlib import Path

MATHJAX = Path("sphinx-mathjax-offline/static/mathjax")
ICONS, SEARCH = "scripts/fontawesome", "searchtools|language_data|searchindex"
PARTS = ("tex-chtml-full.js", "output/chtml/fonts/woff-v2")


def copy_mathjax(app, exception):
    if exception or app.builder.format != "html":
        return
    source = Path(distribution("sphinx-mathjax-offline").locate_file(MATHJAX))
    target = Path(app.outdir) / "_static" / "mathjax"
    for part in PARTS:
        (target / part).parent.mkdir(parents=True, exist_ok=True)
        copy = shutil.copytree if (source / part).is_dir() else shutil.copyfile
        copy(source / part, target / part, **({"dirs_exist_ok": True} if copy is shutil.copytree else {}))


def drop_scripts(app, pagename, templatename, context, doctree):
    """Keep each script once, and none of thebe's."""
    kept, seen = [], set()
    for script in context.get("script_files", []):
        filename = str(getattr(script, "filename", script) or "")
        body = str(getattr(script, "attributes", {}).get("body", "") or "")
        if "thebe" in (filename + body).lower() or (filename or body) in seen:
            continue
        seen.add(filename or body)
        kept.append(script)
    context["script_files"] = kept


def drop_unused(app, exception):
    """Take off the pages what they load for nothing.

    Font Awesome's 1.5 MB of script: the theme's style sheet has the same icons as a font. The index for searching, off
    all pages but the one that searches.
    """
    if exception or app.builder.format != "html":
        return
    for page in Path(app.outdir).rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        unused = ICONS if page.name == "search.html" else f"{ICONS}|{SEARCH}"
        without = re.sub(rf"<(script|link)\b[^>]*({unused})\.js[^>]*>(</script>)?", "", text)
        if without != text:
            page.write_text(without, encoding="utf-8")
    for file in (Path(app.outdir) / "_static" / "scripts").glob("fontawesome.js*"):
        file.unlink()


def plain_excerpts(app, exception):
    """Of the pages that a search finds it shows text: no program, nothing that is for paper alone, no marks of TeX."""
    if exception or app.builder.format != "html":
        return
    file = Path(app.outdir) / "_static" / "searchtools.js"
    text = file.read_text(encoding="utf-8")
    text = text.replace('".headerlink", "script", ', '".headerlink", ".cell_input", ".onlyprint", "script", ')
    text = text.replace("Content.textContent;", r'Content.textContent.replace(/\\[()[\]]|\s+/g, " ");')
    file.write_text(text, encoding="utf-8")


def setup(app):
    app.connect("build-finished", copy_mathjax)
    app.connect("build-finished", drop_unused)
    app.connect("build-finished", plain_excerpts)
    app.connect("html-page-context", drop_scripts, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
