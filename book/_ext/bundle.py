"""Sphinx extension: the book's modules as one plain script, so that pages answer when they are opened from a folder.

Browsers load no modules from file://. Here each module becomes a function that returns what it exports, in the order of
the imports, and every page gets the one script in place of the modules.
"""

import hashlib
import re
from pathlib import Path

IMPORT = re.compile(r'^import \{(.*?)\} from "\./(\w+)\.js";\n', re.MULTILINE | re.DOTALL)
EXPORT = re.compile(r"^export (?=(?:async )?(?:function|const|class) (\w+))", re.MULTILINE)
OTHER = re.compile(r"^(?:import|export)\b|\bimport\s*[(.]", re.MULTILINE)  # forms that are not known here
TAG = re.compile(r'<script type="module" src="([^"]*)_static/scripts/(\w+)\.js[^"]*"></script>\n?')
NAME = "book.js"
# As for modules, what goes wrong in one is reported and stops no other.
RUN = "const run = (module) => { try { return module(); } catch (error) { reportError(error); return {}; } };"


def bundled(folder: Path, first: list[str]) -> str:
    """One script that does what the modules `first` do, in their order, with all that they import.

    Raises
    ------
    ValueError
        if a module imports or exports in a form that is not known here.
    """
    done: dict[str, str] = {}

    def add(name: str) -> None:
        if name in done:
            return
        text = (folder / f"{name}.js").read_text(encoding="utf-8")
        imports, exports = IMPORT.findall(text), EXPORT.findall(text)
        for _, other in imports:
            add(other)
        body = EXPORT.sub("", IMPORT.sub("", text)).replace("import.meta.url", "address")
        if OTHER.search(body):
            raise ValueError(f"{name}.js imports or exports in a form that book/_ext/bundle.py does not know")
        given = "".join(f"const {{{names.replace(' as ', ': ')}}} = ${other};\n" for names, other in imports)
        done[name] = f"const ${name} = run(() => {{\n{given}{body}return {{ {', '.join(exports)} }};\n}});\n"

    for name in first:
        add(name)
    whole = f'"use strict";\nconst address = document.currentScript.src;\n{RUN}\n{"".join(done.values())}'
    return f"(() => {{\n{whole}}})();\n"


def put_in_place(folder: Path) -> None:
    """Write the script of the pages in a folder and have them load it."""
    scripts = {page: page.read_text(encoding="utf-8") for page in folder.rglob("*.html")}
    first = list(dict.fromkeys(name for text in scripts.values() for _, name in TAG.findall(text)))
    script = bundled(folder / "_static/scripts", first)
    (folder / "_static/scripts" / NAME).write_text(script, encoding="utf-8")
    version = hashlib.sha256(script.encode()).hexdigest()[:8]
    for page, text in scripts.items():
        if found := TAG.search(text):
            tag = f'<script defer src="{found[1]}_static/scripts/{NAME}?v={version}"></script>\n'
            page.write_text(TAG.sub("", text[: found.start()] + tag + text[found.end() :]), encoding="utf-8")


def finish(app, exception):
    if not exception and app.builder.format == "html":
        put_in_place(Path(app.outdir))


def setup(app):
    app.connect("build-finished", finish, priority=950)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
