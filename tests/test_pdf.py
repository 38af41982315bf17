"""The printed book, from a small page in the shape of the book's: what is left out, and where chapters are."""

import re

import pytest

from betavae_workshop.building import pdf

pytestmark = pytest.mark.slow
NAMES = ("one", "two", "api", "api-theory")
LINES = "".join(f'<li><a href="#document-book/{name}">{name}</a></li>' for name in NAMES[:2])
PACKAGE = "".join(f'<li><a href="#document-book/{name}">{name}</a></li>' for name in NAMES[2:])
CHAPTER = '<span id="document-book/{0}"></span><section style="break-before: page"><h2>{0}</h2></section>'
PAGE = f"""<script>window.MathJax = {{startup: {{promise: Promise.resolve()}}}}</script>
<div id="jb-print-toc"><p>Chapters</p><ul>{LINES}</ul><p>The package</p><ul>{PACKAGE}</ul></div>
<article class="bd-article"><h1>A book<a>#</a></h1><p style="height: 3000px">Long.</p><table><tr><td>Short.</table>
<table class="tall"><tr><td style="height: 1000px">Tall.</table>{"".join(CHAPTER.format(name) for name in NAMES)}"""


def test_chapters_are_found_in_the_print_and_the_package_is_not(chromium, tmp_path):
    (tmp_path / "book").mkdir()
    (tmp_path / "book/intro.html").write_text(PAGE)
    document = pdf.printed(tmp_path, tmp_path / "out.pdf").read_bytes()
    found = {n: page for n, page in pdf.pages(document).items() if n.startswith("document-book/")}
    count = len(re.findall(rb"/Type /Page\s", document))
    assert found == {"document-book/one": count - 1, "document-book/two": count}


def test_contents_have_pages_and_long_tables_may_go_on_overleaf(browser):
    page = browser.new_page()
    page.set_content(PAGE)
    page.evaluate(pdf.PREPARE)
    page.evaluate(pdf.NUMBER, {"document-book/one": 4, "document-book/two": 17})
    assert page.locator("#jb-print-toc a").all_inner_texts() == ["one4", "two17"]
    assert page.locator("#jb-print-toc p").all_inner_texts() == ["Chapters"]
    assert [len(page.locator(f"table{kind}").all()) for kind in ("", ".long", ".tall.long")] == [2, 1, 1]
    assert page.title() == "A book"
    page.close()
