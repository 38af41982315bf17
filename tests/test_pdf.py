"""The printed book, from a small page in the shape of the book's: what is left out, and where chapters are."""

import re
import shutil
import subprocess
from http.server import ThreadingHTTPServer

import pytest

from betavae_core import paths
from betavae_workshop.building import pdf

pytestmark = pytest.mark.slow
NAMES = ("one", "two", "api", "api-theory")
LINES = "".join(f'<li><a href="#document-book/{name}">{name}</a></li>' for name in NAMES[:2])
PACKAGE = "".join(f'<li><a href="#document-book/{name}">{name}</a></li>' for name in NAMES[2:])
CHAPTER = '<span id="document-book/{0}"></span><section><h2>{0}</h2></section>'
ROWS = "".join(f'<tr id="row-{i}"><td style="height: 100px"><a href="#row-{i}">{i}</a></td></tr>' for i in range(6))
PANELS = "".join(f'<div style="height: 300px" id="panel-{i}"><a href="#panel-{i}">{i}</a></div>' for i in range(4))
SPACE = '<p style="break-before: page; margin: 0; height: 900px" id="{0}"><a href="#{0}">Long.</a></p>'
STYLES = "".join(f'<link rel="stylesheet" href="_static/{name}.css">' for name in ("companion", "print"))
PAGE = f"""<!doctype html>{STYLES}<script>window.MathJax = {{startup: {{promise: Promise.resolve()}}}}</script>
<div id="jb-print-toc"><p>Chapters</p><ul>{LINES}</ul><p>The package</p><ul>{PACKAGE}</ul></div>
<div class="bd-main"><div class="bd-content"><article class="bd-article"><h1>A book<a>#</a></h1>
<span class="on-screen">Press here.</span>{SPACE.format("one-p")}<table><tbody>{ROWS}</tbody></table>
{SPACE.format("two-p")}
<figure><div class="panels" style="--panel: 300px">{PANELS}</div><figcaption>Words.</figcaption></figure>
{"".join(CHAPTER.format(name) for name in NAMES)}"""


@pytest.fixture(scope="module")
def document(chromium, tmp_path_factory):
    folder = tmp_path_factory.mktemp("single")
    shutil.copytree(paths.ROOT / "book/static", folder / "_static")
    (folder / "book").mkdir()
    (folder / "book/intro.html").write_text(PAGE)
    return pdf.printed(folder, folder / "out.pdf").read_bytes()


def test_chapters_are_found_in_the_print_begin_a_page_and_the_package_is_left_out(document):
    """On page 1 the title, then the contents, then two pages of text and two of what goes on, then the chapters."""
    found = {n: page for n, page in pdf.pages(document).items() if n.startswith("document-book/")}
    count = len(re.findall(rb"/Type /Page\s", document))
    assert found == {"document-book/one": count - 1, "document-book/two": count}


@pytest.mark.parametrize(("text", "first", "next_page"), [("one-p", "row-0", "row-5"), ("two-p", "panel-0", "panel-2")])
def test_tables_and_figures_go_on_overleaf_and_leave_no_page_half_empty(document, text, first, next_page):
    found = pdf.pages(document)
    assert found[first] == found[text]
    assert found[next_page] == found[text] + 1


def test_few_rows_of_a_table_are_alone_on_no_page(document):
    found = pdf.pages(document)
    per_page = [found[f"row-{i}"] for i in range(6)]
    assert min(per_page.count(page) for page in set(per_page)) >= 3


def test_the_title_page_names_author_licence_date_and_commit():
    _, author, licence, made = pdf.imprint()
    assert author == re.search("author: (.*)", (paths.ROOT / "_config.yml").read_text())[1]
    assert f"{(paths.ROOT / 'LICENSE').read_text().split()[0]} licence" in licence
    head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=paths.ROOT, capture_output=True, text=True).stdout
    found = re.match(r"Commit (\w+) of \d+ \w+ \d{4}", made) if head else re.match(r"Released on ()[\d-]+$", made)
    assert head.startswith(found[1])


def test_contents_have_pages_and_the_title_comes_before_them(blank):
    page = blank
    page.set_content(PAGE)
    page.evaluate(pdf.PREPARE, ["a companion", "somebody", "MIT", "Commit 123"])
    page.evaluate(pdf.NUMBER, {"document-book/one": 4, "document-book/two": 17})
    assert page.locator("#jb-print-toc a").all_inner_texts() == ["one4", "two17"]
    assert page.locator("#jb-print-toc p").all_inner_texts() == ["Chapters"]
    assert page.locator(".title-page p").all_inner_texts() == ["a companion", "somebody", "MIT", "Commit 123"]
    assert page.locator(".title-page + #jb-print-toc").count() == 1
    assert page.title() == "A book"


def test_a_folder_is_no_longer_served_once_its_reader_has_failed(tmp_path, monkeypatch):
    shutdown, ended = ThreadingHTTPServer.shutdown, []
    monkeypatch.setattr(ThreadingHTTPServer, "shutdown", lambda server: ended.append(shutdown(server)))
    with pytest.raises(RuntimeError, match="on purpose"), pdf.served(tmp_path):
        raise RuntimeError("on purpose")
    assert len(ended) == 1


def test_what_is_for_hands_alone_is_not_on_paper(blank):
    page = blank
    page.set_content(f"<style>{(paths.ROOT / 'book/static/print.css').read_text()}</style>{PAGE}")
    assert page.get_by_text("Press here.").is_visible()
    page.emulate_media(media="print")
    assert not page.get_by_text("Press here.").is_visible()
