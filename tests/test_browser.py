"""The built pages in a real Chromium, with every request that leaves the machine counted as a failure."""

import re

import pytest
from axe_playwright_python.sync_playwright import Axe

from betavae_core import paths
from betavae_core.building import chapters, pdf
from betavae_core.showing import tables
from betavae_core.sweeps import sweep

pytestmark = pytest.mark.slow
GONE_ON = "net::ERR_ABORTED"  # the test went to the next page before the icon came
WIDTHS = (390, 768, 1280)
FAULTS = (paths.ROOT / "tests/faults.js").read_text().split("\n", 1)[1]


@pytest.fixture(scope="module")
def site(book):
    with pdf.served(book.folder / "_build/html") as address:
        yield address


@pytest.fixture(params=WIDTHS)
def visit(request, site, browser):
    """Each page in turn, loaded at one width, with what went wrong in loading it: (chapter, page, troubles)."""
    page, troubles = browser.new_page(viewport={"width": request.param, "height": 850}), []
    page.on("console", lambda m: troubles.append(m.text) if m.type == "error" else None)
    page.on("pageerror", lambda error: troubles.append(str(error)))
    page.on("requestfailed", lambda r: troubles.append(f"failed {r.url}") if r.failure != GONE_ON else None)
    page.on("response", lambda r: troubles.append(f"{r.status} {r.url}") if r.status >= 400 else None)
    local = (site, "data:", "blob:")
    page.on("request", lambda r: troubles.append(f"external {r.url}") if not r.url.startswith(local) else None)

    def pages():
        for chapter in chapters.names():
            page.emulate_media(color_scheme="light")
            page.goto(f"{site}/book/{chapter}.html", wait_until="load")
            page.wait_for_function("() => !window.MathJax || (MathJax.startup && MathJax.startup.promise)")
            page.evaluate("() => window.MathJax && MathJax.startup.promise")
            page.evaluate(pdf.ALL_IMAGES)
            yield chapter, page, troubles
            troubles.clear()  # axe fetches style sheets again and asks for what is not there

    yield pages()
    page.close()


def serious(page, **options):
    found = Axe().run(page, options={"resultTypes": ["violations"], **options}).response["violations"]
    return [(v["id"], v["nodes"][0]["html"][:200]) for v in found if v["impact"] in ("serious", "critical")]


def test_every_page_is_whole_offline_accessible_and_nothing_is_squeezed_cut_or_too_small(visit):
    """In light and, where only colours differ, in dark; what a person would see is in faults.js."""
    faults = {}
    for chapter, page, troubles in visit:
        assert troubles == [], chapter
        assert page.evaluate("document.documentElement.dataset.theme") == "light", chapter
        formulas = page.locator("div.math, span.math")
        assert page.locator("mjx-container").count() >= formulas.count(), chapter
        assert page.locator("mjx-merror").count() == 0, chapter
        images = page.evaluate("[...document.images].filter(i => !i.naturalWidth || !i.alt).map(i => i.src)")
        assert images == [], chapter
        if found := page.evaluate(FAULTS):
            faults[chapter] = found
        if page.viewport_size["width"] != 768:  # the others have both layouts
            assert serious(page) == [], chapter
            page.emulate_media(color_scheme="dark")
            page.wait_for_function("document.documentElement.dataset.theme == 'dark'")
            page.wait_for_function("!document.getAnimations().length")
            assert serious(page, runOnly=["color-contrast"]) == [], chapter
    assert faults == {}


# Each kind of fault, brought about on purpose, by what the check above must say of it.
BREAK = """() => { const page = document.querySelector('.bd-article'), image = page.querySelector('img');
    const add = html => page.insertAdjacentHTML('beforeend', html); %s }"""
BROKEN = {
    "shape off by": "image.style.cssText = 'height: 40px !important; width: 90%'",
    "wider than its column": "image.style.marginLeft = '-300px'",
    "scrolls sideways": "image.style.minWidth = '1200px'; image.parentElement.style.cssText = 'overflow-x: auto'",
    "text of": "image.style.cssText = 'width: 100px !important'",
    "drawn text of": 'add(\'<svg viewBox="0 0 900 90" width="300"><text y="50">x</text></svg>\')',
    "drawn text is cut": 'add(\'<svg width="90" height="90"><text x="80" y="50">word</text></svg>\')',
    "a sentence in bold": "add('<p><b>' + 'word '.repeat(9) + '</b></p>')",
    "a target of": "add('<button style=\"all: revert; height: 9px\">x</button>')",
    "a number that wraps": "add('<table><tr><td style=\"width: 2em\">1.5 (1.2 to 1.8)</td></tr></table>')",
    "a caption is cut": "add('<table style=\"width: 2000px\"><caption>x</caption><tr><td>x</td></tr></table>')",
    "px wide": "add('<p style=\"width: 3000px\">x</p>')",
    "px tall": "add('<p style=\"height: 20000px\">x</p>')",
}


@pytest.mark.parametrize("fault", BROKEN)
def test_the_check_sees(site, browser, fault):
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.goto(f"{site}/book/background.html")
    page.evaluate(BREAK % BROKEN[fault])
    assert any(fault in line for line in page.evaluate(FAULTS))
    page.close()


@pytest.mark.parametrize("width", [320, *WIDTHS])
def test_what_sphinx_adds_fits_too(site, browser, width):
    page = browser.new_page(viewport={"width": width, "height": 800})
    for name in ("genindex", "py-modindex", "search"):
        page.goto(f"{site}/{name}.html")
        assert page.evaluate("document.documentElement.scrollWidth") <= width, name
    page.close()


def test_the_root_leads_to_the_home_page(site, browser):
    page = browser.new_page()
    page.goto(f"{site}/index.html")
    page.wait_for_url(f"{site}/book/intro.html")
    page.close()


def test_every_page_describes_itself(book):
    folder, seen = book.folder / "_build/html/book", set()
    for chapter in chapters.names():
        html = (folder / f"{chapter}.html").read_text()
        (text,) = re.findall(r'<meta name="description" content="([^"]*)"', html)
        assert 40 < len(text) <= 210, chapter
        seen.add(text)
        (card,) = re.findall(r'<meta property="og:image" content="([^"]*)"', html)
        assert (folder / card).read_bytes().startswith(b"\x89PNG"), chapter
    assert len(seen) == len(chapters.names())


def test_the_explorer_follows_the_keyboard_and_its_link(site, browser):
    page = browser.new_page()
    page.goto(f"{site}/book/analytical.html#beta=4&A=1,0,0,2&sigma=0.5")
    readout = page.locator(".explorer .readout")
    assert "β = 4:" in readout.inner_text()
    page.get_by_label("β", exact=True).focus()
    page.keyboard.press("ArrowRight")
    assert "β = 4.0" in readout.inner_text()
    assert "β = 4:" not in readout.inner_text()
    page.get_by_role("button", name="Copy a link").click()
    assert "A=1,0,0,2&sigma=0.5" in page.url
    again = browser.new_page()
    again.goto(page.url)
    assert again.locator(".explorer .readout").inner_text() == readout.inner_text()
    page.get_by_role("button", name="Reset").click()
    assert "β = 2:" in readout.inner_text()
    again.close()
    page.close()


@pytest.mark.parametrize("chapter", ["mixing", "localisation"])
def test_a_deep_chapter_follows_beta_and_says_what_is_stored(site, browser, chapter):
    """Readout, sentence, pictures and control at a β from the address, against the Dataset; then by keyboard."""
    page, tie = browser.new_page(), sweep.load(chapter).tie.mean("realization")
    page.goto(f"{site}/book/{chapter}.html#beta=20")
    said = page.locator(f"#fig-{chapter} .asked").nth(1).locator(".values b").first
    for beta, key in ((20, None), (1000, "End"), (500, "ArrowLeft")):
        if key:
            page.get_by_label("β of this page").focus()
            page.keyboard.press(key)
        assert float(said.inner_text()) == pytest.approx(float(tie.sel(beta=beta)), rel=5e-4)
        assert (
            f"the mean TIE is {tables.number(float(tie.sel(beta=beta)), 2)} nats" in page.locator("main").inner_text()
        )
        assert page.locator(".pictures > div:visible").get_attribute("data-beta") == f"{beta}"
        assert page.url.endswith(f"#beta={beta}")
    page.evaluate("scrollTo(0, document.documentElement.scrollHeight / 2)")
    box = page.locator(".page-beta").bounding_box()
    assert 0 <= box["y"] < 100, "the control is always at hand"
    page.close()


@pytest.mark.parametrize("chapter", ["mixing", "localisation"])
def test_the_plane_follows_the_page_s_beta_and_the_keyboard(site, browser, chapter):
    page = browser.new_page()
    page.goto(f"{site}/book/{chapter}.html#beta=1")
    page.locator(".latent-plane").scroll_into_view_if_needed()
    plane, readout = page.locator(".latent-plane .map"), page.locator(".latent-plane .readout")
    plane.focus()
    for key in ("Home", "Shift+ArrowUp"):
        page.keyboard.press(key)
    assert plane.get_attribute("aria-valuetext") == "z₁ = 0, z₂ = 0.5"
    assert f"{chapter}, β = 1, image 1:" in readout.inner_text()
    page.get_by_label("β of this page").focus()
    page.keyboard.press("ArrowRight")
    assert f"{chapter}, β = 2, image 1:" in readout.inner_text()
    assert plane.get_attribute("aria-valuetext") == "z₁ = 0, z₂ = 0.5"
    page.close()


MOST = {"intro": 2.5e6, "mixing": 3e6, "localisation": 3e6, "beyond": 3e6, "analytical": 3e6}  # bytes


@pytest.mark.parametrize(("chapter", "most"), MOST.items())
def test_a_page_is_light(site, browser, chapter, most):
    """All that a first visit fetches, in bytes; time is for `make bench`, not for a test."""
    page, sizes = browser.new_page(), []
    page.on("response", lambda response: sizes.append(len(response.body())))
    page.goto(f"{site}/book/{chapter}.html", wait_until="networkidle")
    page.evaluate("() => window.MathJax && MathJax.startup.promise")
    assert sum(sizes) < most
    page.close()


def test_searching_finds_the_page(site, browser):
    page = browser.new_page()
    page.goto(f"{site}/search.html?q=water-filling")
    results = page.locator("#search-results a")
    results.first.wait_for()
    assert any("analytical.html" in link.get_attribute("href") for link in results.all())
    page.close()


def test_there_are_no_launch_links_without_a_repository(site, browser):
    page = browser.new_page()
    page.goto(f"{site}/book/analytical.html")
    assert page.locator("p.launch, a[href*='mybinder'], a[href*='colab']").count() == 0
    page.close()
