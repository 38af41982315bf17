"""The book as one PDF, without the pages of the package: its single-page rendering, printed by Chromium.

The Chromium is one on PATH, else playwright's own (`tools/browser.sh` has one installed).
"""

import contextlib
import functools
import http.server
import re
import shutil
import subprocess
import threading
from importlib.util import find_spec
from pathlib import Path

from betavae_core.errors import UsageError
from betavae_core.paths import BUILD, ROOT
from betavae_workshop.building import book

LINE = '<div style="font-size: 8px; width: 100%; text-align: center"><span class="{}"></span></div>'
LAYOUT = {
    "format": "A4",
    "scale": 0.72,  # text of nine points, and two panels of a figure beside each other
    "margin": dict.fromkeys(("top", "bottom", "left", "right"), "18mm"),
    "print_background": True,
    "display_header_footer": True,
    "header_template": LINE.format("title"),
    "footer_template": LINE.format("pageNumber"),
    "outline": True,
    "tagged": True,
}
# The package's pages are left out, each line of the theme's contents gets a place for its page, and before them comes a
# title page with these lines.
PREPARE = """lines => {
    document.title = document.querySelector('.bd-article h1').firstChild.textContent;
    for (const mark of document.querySelectorAll('[id^="document-book/"]')) {
        const { id } = mark, chapter = mark.nextElementSibling;
        mark.remove();
        if (id.startsWith('document-book/api')) chapter.remove();
        else {
            chapter.classList.add('chapter');
            chapter.querySelector('h2').id = id;  // the mark before it may end the page before
        }
    }
    const contents = document.querySelector('#jb-print-toc');
    for (const link of contents.querySelectorAll('a')) {
        if (document.getElementById(decodeURIComponent(link.hash.slice(1)))) link.append(document.createElement('b'));
        else link.closest('li').remove();
    }
    for (const list of contents.querySelectorAll('ul')) if (!list.children.length) list.previousElementSibling.remove();
    const page = document.createElement('div');
    page.className = 'title-page';
    page.append(...lines.map(line => Object.assign(document.createElement('p'), { textContent: line })));
    contents.before(page);
}"""
ALL_IMAGES = """() => Promise.all([...document.images].map(image => {
    image.loading = 'eager';  // pages fetch what lies far below only when it comes near
    return image.decode().catch(() => null);
}))"""
NUMBER = """pages => {
    for (const page of document.querySelectorAll('#jb-print-toc a b'))
        page.textContent = pages[decodeURIComponent(page.parentElement.hash.slice(1))];
}"""

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]


def browser_starts() -> bool:
    """Whether there is a browser that starts: a snap's placeholder is on PATH, and does not."""
    if not find_spec("playwright"):
        return False
    from playwright.sync_api import Error, sync_playwright

    with sync_playwright() as playwright:
        try:
            launched(playwright).close()
        except Error:
            return False
    return True


def launched(playwright):
    """The browser, without a window."""
    there = next((found for name in BROWSERS if (found := shutil.which(name))), None)
    return playwright.chromium.launch(executable_path=there, args=FLAGS)


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@contextlib.contextmanager
def served(folder: Path):
    """A folder on a free port of 127.0.0.1; JavaScript modules do not load from files."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_Quiet, directory=folder)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()


def print_book(report=print) -> Path:
    """Bring the chapters up to date, render them as one page and print it; returns _build/betavae-companion.pdf.

    UsageError if what prints is not installed.
    """
    if not find_spec("playwright"):
        raise UsageError("a book is printed with playwright; `make env EXTRAS=test` brings it")
    if not browser_starts():
        raise UsageError("a book is printed by Chromium, and none is here; `make browser` installs one")
    return printed(book.build(report, builder="singlehtml").parent, BUILD / "betavae-companion.pdf")


def printed(folder: Path, target: Path) -> Path:
    """Print the book that is one page in `folder`: twice, as the contents take page numbers from the first printing."""
    from playwright.sync_api import sync_playwright

    shutil.copyfile(folder / "book/intro.html", folder / "whole.html")  # where its relative links are right
    with sync_playwright() as playwright, served(folder) as site:
        browser = launched(playwright)
        page = browser.new_page(color_scheme="light")
        page.goto(f"{site}/whole.html")
        page.wait_for_function("() => window.MathJax && MathJax.startup && MathJax.startup.promise")
        page.evaluate("() => MathJax.startup.promise.then(() => true)")
        page.evaluate(PREPARE, imprint())
        page.evaluate(ALL_IMAGES)
        page.pdf(path=target, **LAYOUT)
        page.evaluate(NUMBER, pages(target.read_bytes()))
        page.pdf(path=target, **LAYOUT)
        browser.close()
    return target


def imprint() -> list[str]:
    """Lines of the title page: what it is, who wrote it, under which licence, and of which commit and date it is."""
    import yaml

    from betavae_workshop.sweeping import running  # it takes as long to load as all else

    about = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    authors, made = ", ".join(author["name"] for author in about["authors"]), f"Released on {about['date-released']}"
    if (ROOT / ".git").exists() and shutil.which("git"):
        log = ["git", "log", "-1", "--format=Commit %h of %cd", "--date=format:%-d %B %Y"]
        if commit := subprocess.run(log, cwd=ROOT, capture_output=True, text=True).stdout.strip():
            made = commit + ", with changes" * running.revision().endswith("-dirty")
    return [about["title"].partition(": ")[2], authors, f"Version {about['version']}, {about['license']} licence", made]


def pages(document: bytes) -> dict[str, int]:
    """The page of each named destination of a PDF as Chromium writes it, counted from 1."""
    objects = {int(n): body for n, body in re.findall(rb"(?:^|\n)(\d+) 0 obj\n(.*?)\nendobj", document, re.DOTALL)}
    order, trees = [], [body for body in objects.values() if b"/Type /Pages" in body]
    (root,) = (body for body in trees if b"/Parent" not in body)

    def walk(body):
        for kid in re.findall(rb"(\d+) 0 R", re.search(rb"/Kids\s*\[(.*?)\]", body, re.DOTALL)[1]):
            child = objects[int(kid)]
            walk(child) if b"/Type /Pages" in child else order.append(int(kid))

    walk(root)
    named = objects[int(re.search(rb"/Dests (\d+) 0 R", document)[1])]
    found = re.findall(rb"/(\S+) \[(\d+) 0 R /XYZ", named)
    return {name.decode().replace("#2F", "/"): order.index(int(page)) + 1 for name, page in found}
