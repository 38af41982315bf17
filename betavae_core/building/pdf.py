"""The whole book as one PDF: its single-page rendering, printed by Chromium once the mathematics is set."""

import contextlib
import functools
import http.server
import shutil
import threading
from pathlib import Path

from betavae_core.building import book
from betavae_core.paths import BUILD

FOOTER = '<div style="font-size:8px;width:100%;text-align:center"><span class="pageNumber"></span></div>'
MARGIN = dict.fromkeys(("top", "bottom", "left", "right"), "18mm")


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@contextlib.contextmanager
def served(folder: Path):
    """A folder on a free port of 127.0.0.1; JavaScript modules do not load from files."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_Quiet, directory=folder)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def print_book(report=print) -> Path:
    """Bring the chapters up to date, render them as one page and print it; returns _build/betavae-companion.pdf."""
    from playwright.sync_api import sync_playwright

    folder, target = book.build(report, "singlehtml").parent, BUILD / "betavae-companion.pdf"
    shutil.copyfile(folder / "book/intro.html", folder / "whole.html")  # where its relative links are right
    with sync_playwright() as playwright, served(folder) as site:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_page(color_scheme="light")
        page.goto(f"{site}/whole.html")
        page.wait_for_function("() => window.MathJax && MathJax.startup && MathJax.startup.promise")
        page.evaluate("() => MathJax.startup.promise.then(() => true)")
        page.pdf(
            path=target,
            format="A4",
            margin=MARGIN,
            print_background=True,
            display_header_footer=True,
            header_template="<span></span>",
            footer_template=FOOTER,
            outline=True,
            tagged=True,
        )
        browser.close()
    return target
