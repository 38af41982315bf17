"""The glossary: what the text and the formulas use of it is found, and a built page shows its entries beside them."""

import re
import sys

import pytest
from bs4 import BeautifulSoup
from docutils import nodes

from betavae_core import paths
from betavae_workshop.building import pdf
from tests.test_browser import serious, show

sys.path.insert(0, str(paths.CHAPTERS / "_ext"))
import glossary  # book/_ext

LETTERS = (r"\log p_\theta(x)", r"\beta^*", r"\bar\rho", r"\sigma_x", r"p_\theta", r"p_{gt}", r"\rho_i", r"\lambda_i")
LETTERS += (r"\mu_i", "v_i", r"\sigma", r"L_\beta", "q(z)", *"RCMAOxzqb")


@pytest.mark.parametrize(
    ("formula", "used"),
    [
        (r"R - \beta C", ["R", "C"]),
        (r"C_2 - C_1 \le 0", ["C"]),
        (r"R_0 + M' + M_D + \hat A + O(\delta^4)", []),
        (r"b = \beta\sigma_x^2", ["b", r"\sigma_x"]),
        (r"\sigma^2/\sigma_x^2", [r"\sigma", r"\sigma_x"]),
        (r"\lambda_{k+1} < \lambda_k, \rho_i = 1, v_i = v_1", [r"\lambda_i", r"\rho_i", "v_i"]),
        (r"\mathrm{KL}(q(z|x) \,\|\, p_{gt}(s|x))", ["q", "z", "x", "p_{gt}"]),
        (r"q(z) = \mathbb E_x\, q(z|x)", ["q(z)", "q", "z", "x"]),
        (r"\operatorname{tr} A^\top A, \mathrm{TIE}_\pi, \operatorname{cov} x", ["A", "x"]),
        (r"\log p_\theta(x) = p_\theta(x|z)", [r"\log p_\theta(x)", r"p_\theta", "x", "z"]),
        (r"1/\bar\rho", [r"\bar\rho"]),
        (r"\mathrm dC^*/\mathrm d\beta^*", ["C", r"\beta^*"]),
        (r"\bar x_A, \mathcal R", []),
    ],
)
def test_letters_of_a_formula(formula, used):
    letters = sorted(LETTERS, key=len, reverse=True)
    found = glossary.Glossary([], (), (glossary.letters_of(letters), letters), {}, {})
    assert found.letters_in(formula) == used


@pytest.mark.parametrize(
    ("text", "used"),
    [
        ("Latents of one latent", ["Latents", "latent"]),
        ("mixing matrices, principal axes", ["mixing matrices", "principal axes"]),
        ("the mixing\nmatrix", ["mixing\nmatrix"]),
        ("it settles, settled, will settle", ["settles", "settled", "settle"]),
        ("TIE's, not TIES or UNTIED, but (TIE)", ["TIE", "TIE"]),
        ("the exact posterior", ["exact posterior"]),
        ("a non-latent and a latent-free", []),
        ("β* = 1, σₓ, σ² and ν", ["β*", "σₓ", "σ", "ν"]),
    ],
)
def test_words_of_a_text(text, used):
    """Longer ones before those that they hold; in the plural, at a sentence's start, and over the end of a line."""
    words = ["exact posterior", "mixing matrix", "principal axis", "posterior", "settled", "latent", "TIE"]
    words += ["β*", "σₓ", "σ", "ν"]
    found = glossary.Glossary([], (glossary.words_of(words), words), (), {}, {})
    assert [match[0] for match, _ in found.words_in(text)] == used


def test_a_term_may_go_over_the_end_of_a_line():
    """Each line comes as a text of its own."""
    lines = [nodes.Text(part) for part in ("the mixing", "\n", "matrix", "\n", "matrix")]
    paragraph = nodes.paragraph("", "", *lines, nodes.emphasis("", "x"), nodes.Text("x"))
    glossary.join_lines(paragraph)
    assert [part.astext() for part in paragraph] == ["the mixing\nmatrix\nmatrix", "x", "x"]
    assert all(part.parent is paragraph for part in paragraph)


ASKED = {"TIE", "MIE", "ELBO", "realization", "settled", "active latent", "ledger", "undecided", "encoder", "decoder"}
ASKED |= {
    "posterior",
    "mixing matrix",
    "latents in use",
    "R",
    "C",
    r"\nu",
    "b",
    r"\kappa_i",
    r"\rho_i",
    "M",
    r"\beta^*",
}


def test_the_glossary_has_an_entry_for_each_of_these():
    page = (paths.CHAPTERS / "glossary.md").read_text()
    blocks = re.findall(r"^```\{glossary\}\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    terms = re.findall(r"^(?:\{math\}`(.*)`|(\S.*))$", "".join(blocks), re.MULTILINE)
    names = ["".join(term) for term in terms]
    assert set(names) >= ASKED
    assert len(set(names)) == len(names), "two entries for one term"


@pytest.fixture(scope="module")
def site(book):
    with pdf.served(book.folder / "_build/html") as address:
        yield address


@pytest.fixture(scope="module")
def explained(site, one_tab):
    """What a reader sees of each entry on the glossary's page, by its anchor."""
    page = one_tab
    show(page, f"{site}/book/glossary.html", 1280)
    found = page.evaluate(
        """() => Object.fromEntries([...document.querySelectorAll("dl.glossary dd")].map((dd) => {
            let first = dd.previousElementSibling;
            while (first.previousElementSibling?.matches("dt")) first = first.previousElementSibling;
            return [first.id, dd.innerText];
        }))"""
    )
    return {anchor: words(text) for anchor, text in found.items()}


def words(text):
    return " ".join(text.split())


# The tip as a person sees it: all of it in the window, nothing in front of it, and what it says.
SEEN = """() => {
    const tip = document.querySelector(".tip"), { left, right, top, bottom } = tip.getBoundingClientRect();
    const edge = 4, inside = left >= 0 && top >= 0 && right <= innerWidth && bottom <= innerHeight;
    const corners = [[left, top], [right, top], [left, bottom], [right, bottom]].map(([x, y]) =>
        document.elementFromPoint(x + (x === left ? edge : -edge), y + (y === top ? edge : -edge)));
    const seen = tip.checkVisibility({ visibilityProperty: true }) && corners.every((corner) => tip.contains(corner));
    return { seen, inside, raw: tip.innerText.includes("\\\\("), text: tip.innerText };
}"""


def tip(page):
    """What is seen of the tip, once its formulas are set."""
    page.wait_for_function("() => document.querySelector('.tip').checkVisibility()")
    for _ in range(20):
        found = page.evaluate(SEEN)
        if not found["raw"]:
            break
        page.wait_for_timeout(50)
    return found


def anchors(link):
    return [name for name in link.get_attribute("class").split() if name.startswith("term-")]


COVERED = """link => { const tip = document.querySelector('.tip').getBoundingClientRect();
    return [...link.getClientRects()].some(line => line.top < tip.bottom - 1 && tip.top < line.bottom - 1
        && line.left < tip.right - 1 && tip.left < line.right - 1) }"""


def check(page, link, explained):
    """Beside this link is all that the glossary says of its terms."""
    found = tip(page)
    assert (found["seen"], found["inside"], found["raw"]) == (True, True, False), (link.inner_text(), found)
    assert not link.evaluate(COVERED), link.inner_text()
    assert anchors(link)
    for anchor in anchors(link):
        assert explained[anchor] in words(found["text"])


@pytest.mark.slow
@pytest.mark.parametrize("width", [390, 1280])
def test_a_term_shows_its_entry_under_the_mouse_and_hides_it_behind(site, blank, explained, width):
    page = blank
    show(page, f"{site}/book/analytical.html", width)
    for link in page.locator("a.term").all()[::15]:
        link.hover()
        check(page, link, explained)
    box = page.locator(".tip").bounding_box()
    page.mouse.move(box["x"] + 9, box["y"] + 9)
    page.wait_for_timeout(400)
    assert page.evaluate(SEEN)["seen"], "the mouse may go to the tip, and to its links"
    page.mouse.move(2, 400)
    page.wait_for_function("() => !document.querySelector('.tip').checkVisibility()")


@pytest.mark.slow
def test_every_term_of_a_page_shows_its_entry_to_the_keyboard(site, blank, explained):
    page = blank
    show(page, f"{site}/book/localisation.html", 768)
    page.keyboard.press("Tab")  # what follows is the keyboard's focus
    links = page.locator("a.term").all()
    assert len(links) > 20
    for link in links:
        link.focus()
        check(page, link, explained)
    assert link.get_attribute("aria-describedby") == "tip"
    page.keyboard.press("Escape")
    assert not page.locator(".tip").is_visible()
    assert link.get_attribute("aria-describedby") is None


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_tap_shows_the_entry_and_a_second_goes_to_the_glossary(site, browser, explained, scheme):
    phone = browser.new_context(has_touch=True, is_mobile=True)
    page = phone.new_page()
    show(page, f"{site}/book/mixing.html", 390)
    page.emulate_media(color_scheme=scheme)
    page.wait_for_function(f"document.documentElement.dataset.theme == '{scheme}'")
    for link in page.locator("a.term").all()[::9]:
        link.tap()
        check(page, link, explained)
    page.wait_for_function("document.getAnimations().every(change => change.playState == 'finished')")
    assert serious(page, ".tip") == []
    page.locator(".bd-article h1").tap()
    assert not page.locator(".tip").is_visible()
    entry = f"{site}/book/glossary.html#{anchors(link)[0]}"
    link.tap()
    link.tap()
    page.wait_for_url(entry)
    phone.close()


@pytest.mark.slow
def test_on_paper_a_term_is_a_word_like_any_other(site, blank):
    page = blank
    show(page, f"{site}/book/tiles.html", 1280)
    link = page.locator("a.term").first
    link.hover()
    tip(page)
    border = "link => getComputedStyle(link).borderBottomWidth"
    assert link.evaluate(border) == "1px"
    page.emulate_media(media="print")
    assert link.evaluate(border) == "0px"
    assert not page.locator(".tip").is_visible()


OUTSIDE = "h1, h2, h3, pre, code, script, dt, .math, .admonition-title, .asking, a:not(.term), section"


@pytest.mark.slow
def test_each_section_that_uses_a_term_links_it_once(book):
    """Searched for without the extension's own rules, in what was built."""
    found = 0
    for chapter in ("intro", "theory", "tiles", "turning", "claims"):
        html = (book.folder / f"_build/html/book/{chapter}.html").read_text()
        page = BeautifulSoup(html, "html.parser").article
        for section in reversed(page.select("section")):  # the inner ones first, which are then taken out
            linked = [name for link in section.select("a.term") for name in link["class"] if name != "term"]
            for part in section.select(OUTSIDE):
                part.decompose()
            for term in ("TIE", "MIE", "ELBO", "encoder", "realization", "mixing matrix", "ledger"):
                uses = re.search(rf"(?<![\w-]){term}s?(?![\w-])", words(section.get_text()))
                links = linked.count(f"term-{term.replace(' ', '-')}")  # a letter may stand for it, too
                assert links == 1 or (links == 0 and not uses), (chapter, section.get("id"), term)
                found += bool(uses)
            section.decompose()
    assert found > 50
