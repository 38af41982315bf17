"""Pages opened from a folder, as file://, in a real Chromium: what can be moved on a page can be moved there, too."""

import shutil
import sys
import types

import pytest
from docutils import nodes
from docutils.utils import new_document

from betavae_core import paths
from betavae_core.showing import interactive
from betavae_core.theory.gaussian import LinearGaussian

sys.path.insert(0, str(paths.CHAPTERS / "_ext"))
import bundle
import pages

MODULES = ("explorer", "curves", "page", "scroll", "plane")
TAGS = "".join(f'<script type="module" src="../_static/scripts/{name}.js?v=1"></script>\n' for name in MODULES)
PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>t</title>{}</head><body>{}</body></html>"""


@pytest.mark.slow
def test_a_page_opened_from_a_folder_answers(browser, tmp_path):
    shutil.copytree(paths.CHAPTERS / "static", tmp_path / "_static")
    shutil.copytree(paths.atlases(), tmp_path / "_static/atlas")
    (tmp_path / "book").mkdir()
    plane, explorer = (
        interactive.latent_plane("mixing", 1.0),
        interactive.explorer(LinearGaussian([[2, 1], [0.5, 1.5]]), 2),
    )
    (tmp_path / "book/x.html").write_text(PAGE.format(TAGS, plane.data + explorer.data))
    bundle.put_in_place(tmp_path)
    page, troubles = browser.new_page(), []
    page.on("console", lambda message: troubles.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: troubles.append(str(error)))
    page.on("requestfailed", lambda request: troubles.append(request.url))
    page.goto(f"file://{tmp_path}/book/x.html", wait_until="networkidle")
    assert "β = 2:" in page.locator(".explorer .readout").inner_text()
    page.locator(".map").focus()
    for key in ("Home", "Shift+ArrowRight"):
        page.keyboard.press(key)
    assert page.locator(".map").get_attribute("aria-valuetext") == "z₁ = 0.5, z₂ = 0"
    pictures = set()
    for key in ("Home", "End"):  # the least β and the largest, whose sheets are files
        page.locator(".latent-plane input").focus()
        page.keyboard.press(key)
        page.wait_for_timeout(200)
        pictures.add(page.locator(".pair canvas").first.screenshot())
    assert len(pictures) == 2
    assert troubles == []
    page.close()


def test_modules_keep_their_names_apart_and_run_once_in_order(tmp_path):
    (tmp_path / "base.js").write_text(
        "const made = [];\nexport function add(name) { made.push(name); }\nexport const all = made;\n"
    )
    (tmp_path / "a.js").write_text('import { add as more } from "./base.js";\nconst name = "a";\nmore(name);\n')
    (tmp_path / "b.js").write_text(
        'import { add, all } from "./base.js";\nconst name = "b";\nadd(name);\nexport { all };\n'
    )
    with pytest.raises(ValueError, match=r"b\.js imports or exports in a form that"):
        bundle.bundled(tmp_path, ["a", "b"])
    (tmp_path / "b.js").write_text('import { add } from "./base.js";\nconst name = "b";\nadd(name);\n')
    script = bundle.bundled(tmp_path, ["a", "b"])
    assert script.index("const $base =") < script.index("const $a =") < script.index("const $b =")
    assert script.count("made.push") == 1
    assert script.count("= run(() =>") == 3
    assert "const { add: more } = $base;" in script


def test_the_picture_of_links_is_drawn_once_and_again_where_it_is_damaged_or_what_draws_it_has_changed(
    tmp_path, monkeypatch
):
    drawn, draw = [], pages.drawn_card
    monkeypatch.setattr(pages, "drawn_card", lambda: drawn.append(1) or draw())
    monkeypatch.setattr(paths, "BUILD", tmp_path)
    app = types.SimpleNamespace(builder=types.SimpleNamespace(name="html"), outdir=tmp_path)
    (tmp_path / "_static").mkdir()

    def put():
        pages.put_card(app, None)
        return (tmp_path / pages.CARD).read_bytes()

    first = put()
    assert first.startswith(b"\x89PNG")
    assert (put(), len(drawn)) == (first, 1)
    (kept,) = (tmp_path / "cache").iterdir()
    kept.write_bytes(kept.read_bytes()[:-1])
    assert (put(), len(drawn)) == (first, 2)
    monkeypatch.setattr(sys, "version", "another")
    assert (put(), len(drawn)) == (first, 3)
    assert len(list((tmp_path / "cache").iterdir())) == 1


def test_what_is_kept_together_stays_where_it_stood():
    """Of two texts that read the same, the first lost its bracket to the second's code."""
    parts = [
        nodes.Text("its values"),
        nodes.Text(" ("),
        nodes.inline("", "7 and 2"),
        nodes.Text(") as "),
        nodes.Text(" ("),
    ]
    formulas = nodes.emphasis("", "one"), nodes.Text(". "), nodes.math("", "x"), nodes.Text(". ")
    document = new_document("")
    document += nodes.paragraph("", "", *parts, nodes.literal("", "file.json"), *formulas)
    text = document.astext()
    pages.keep_together(None, document, "")
    assert document.astext().replace("\N{NO-BREAK SPACE}", " ") == text
    assert [each.astext() for each in document.findall(nodes.inline)][1:] == ["(file.json", "x."]
