"""The ledger and the home page's answers in a real Chromium: the filter by itself, the rest on the book's pages."""

import re
from itertools import pairwise

import pytest

from betavae_core import paths
from betavae_core.findings import claims
from betavae_core.findings.judging import ledger
from betavae_workshop.building import chapters, pdf

pytestmark = pytest.mark.slow
ROWS = [("held", "theory"), ("held", "mixing"), ("undecided", "mixing"), ("refuted", "theory")]
ROW = '<tr><td><span class="verdict {0}">✓ {0}</span></td><td><a>{1}</a></td></tr>'
TABLE = f'<table class="betavae-ledger"><tbody>{"".join(ROW.format(*row) for row in ROWS)}</tbody></table>'


@pytest.fixture
def filtered(blank):
    with pdf.served(paths.ROOT / "book/static") as site:
        blank.goto(f"{site}/companion.css")
        blank.set_content(f'<base href="{site}/">{TABLE}<script type="module" src="scripts/ledger.js"></script>')
        blank.locator("output").wait_for()
        yield blank


def shown(page):
    visible = page.locator("tbody tr:visible")
    return [i for i, row in enumerate(page.locator("tbody tr").all()) if row.is_visible()], visible.count()


def test_the_filter_goes_by_verdict_and_part_and_is_used_with_the_keyboard(filtered):
    told = filtered.locator("output")
    assert (shown(filtered), told.inner_text()) == (([0, 1, 2, 3], 4), "4 of 4")
    held = filtered.get_by_role("button", name="✓ 2 held")
    held.focus()
    filtered.keyboard.press("Enter")
    assert (shown(filtered), told.inner_text()) == (([0, 1], 2), "2 of 4")
    assert held.get_attribute("aria-pressed") == "true"
    filtered.get_by_role("button", name="✓ 1 refuted").click()  # either
    assert shown(filtered) == ([0, 1, 3], 3)
    filtered.get_by_label("Part of the book").select_option("theory")
    assert (shown(filtered), told.inner_text()) == (([0, 3], 2), "2 of 4")
    held.press("Space")
    assert shown(filtered) == ([3], 1)
    filtered.get_by_label("Part of the book").select_option("all parts")
    filtered.get_by_role("button", name="✓ 1 refuted").click()
    assert shown(filtered) == ([0, 1, 2, 3], 4)


def test_every_claim_leads_to_what_shows_it_and_no_number_is_in_programmers_notation(book):
    folder = book.folder / "_build/html/book"
    html = (folder / "claims.html").read_text()
    tables = [part for part in html.split("<table ") if "betavae-ledger" in part.split(">")[0]]
    table = "".join(part[part.index("<tbody>") : part.index("</tbody>")] for part in tables)
    rows = table.split("<tr ")[1:]
    assert len(tables) == len(ledger.KINDS)
    assert len(rows) == len(ledger.ENTRIES) == len(claims.load(chapters.names(), book.folder / "_build/executed")) > 30
    for row in rows:
        part, *evidence = re.findall(r'href="([\w-]+\.html)(?:#([\w-]+))?"', row.split("<td")[-1])
        assert part[0] in html
        assert evidence, row
        for target, label in evidence:
            assert f'id="{label}"' in (folder / target).read_text(), label
    assert not re.findall(r"\d[eE][+−-]?\d+", re.sub(r"<[^>]+>", "", table))


@pytest.mark.parametrize("javascript", [True, False])
def test_on_a_phone_each_claim_is_a_card_of_a_table(book, browser, javascript):
    page = browser.new_page(viewport={"width": 390, "height": 844}, java_script_enabled=javascript)
    with pdf.served(book.folder / "_build/html") as site:
        page.goto(f"{site}/book/claims.html")
        rows = (
            page.locator(".betavae-ledger").get_by_role("row").filter(has=page.locator("td"))
        )  # still rows to those who listen
        assert rows.count() == page.locator(".betavae-ledger tbody tr").count() > 30
        assert page.locator(".ledger-filter").count() == len(ledger.KINDS) * javascript
        boxes = [row.bounding_box() for row in rows.all()]
        assert all(box["x"] >= 0 and box["x"] + box["width"] <= 390 for box in boxes)
        gaps = [below["y"] - above["y"] - above["height"] for above, below in pairwise(boxes)]
        assert min(gaps) > 5
    page.close()


@pytest.mark.parametrize("size", [{"width": 1280, "height": 900}, {"width": 390, "height": 844}])
def test_the_first_screen_of_the_home_page_answers_and_something_moves(book, browser, size):
    page = browser.new_page(viewport=size)
    with pdf.served(book.folder / "_build/html") as site:
        page.goto(f"{site}/book/intro.html")
        answers = page.locator(".answers")
        assert answers.locator("li").count() == len(ledger.HEADLINES)
        box = answers.bounding_box()
        assert box["y"] + (box["height"] if size["width"] > 1000 else 100) < size["height"]
        moves = page.locator(".turning .map").bounding_box()  # on a phone it is on the second screen
        assert moves["y"] + moves["height"] < size["height"] * (1 if size["width"] > 1000 else 2)
        found = claims.load(chapters.names(), book.folder / "_build/executed")
        marks = answers.locator("p .verdict").all_inner_texts()
        counts = [int(count[0]) for text in marks if (count := re.search(r"\d+", text))]
        some = [n for kind in ledger.KINDS for n in claims.counts(found, kind).values() if n]
        assert counts[: len(some)] == some
        assert f"judges {len(claims.of_kind(found, ledger.CLAIM))} claims" in page.locator(".bd-article").inner_text()
    page.close()
