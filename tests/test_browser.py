"""The built pages in a real Chromium, with every request that leaves the machine counted as a failure."""

import re

import pytest
from axe_playwright_python.sync_playwright import Axe

from betavae_core import paths
from betavae_core.results import sweep
from betavae_core.showing import tables
from betavae_workshop.building import chapters, pdf

pytestmark = pytest.mark.slow
GONE_ON = "net::ERR_ABORTED"  # the test went to the next page before the icon came
WIDTHS = (390, 768, 1280)
OF_COLOUR = ["color-contrast", "link-in-text-block"]  # axe's rules that ask what COLOURS tells
# Axe's rules of which nothing is serious, whatever they find; they take a third of its time.
MILD = "() => axe._audit.rules.filter(({ impact }) => !/serious|critical/.test(impact)).map(({ id }) => id)"
FAULTS = (paths.ROOT / "tests/faults.js").read_text().split("\n", 1)[1]
# Of each text that is seen: its colour, whether it is large, all that lies behind it, and of a link in a text how it
# stands out there. Returns those that are not known, and marks one text that shows each.
COLOURS = """known => {
    const grounds = new Map([[null, '']]), ground = element => {
        if (!grounds.has(element)) {
            const { backgroundColor, backgroundImage, opacity } = getComputedStyle(element);
            const own = [backgroundColor, backgroundImage, opacity].join(' ');
            const nothing = own == 'rgba(0, 0, 0, 0) none 1';
            grounds.set(element, (nothing ? '' : own + ' on ') + ground(element.parentElement));
        }
        return grounds.get(element);
    };
    const worded = element => [...element.childNodes].some(node => node.nodeType == 3 && node.data.trim());
    const apart = (link, block = link.parentElement) => getComputedStyle(block).display == 'inline'
        ? apart(link, block.parentElement)
        : ![block, ...block.querySelectorAll('*')].some(part => worded(part) && !part.closest('a'));
    const shown = element => (worded(element) || element.matches('input, select'))
        && element.checkVisibility({ visibilityProperty: true });
    document.querySelectorAll('[data-unknown]').forEach(element => element.removeAttribute('data-unknown'));
    const met = new Set(known), unknown = [];
    for (const element of [...document.querySelectorAll('body *')].filter(shown)) {
        const { color, fontSize, fontWeight } = getComputedStyle(element), size = parseFloat(fontSize);
        const seen = [color, size >= 24 || (size >= 18.66 && fontWeight >= 700), ground(element)];
        const link = element.closest('a');
        for (const part of link && !apart(link) ? [link.parentElement, link] : []) {
            const style = getComputedStyle(part);
            seen.push(style.color, style.fontWeight, style.textDecorationLine, style.borderBottomStyle);
        }
        if (met.has(seen.join(' '))) continue;
        met.add(seen.join(' '));
        unknown.push(seen.join(' '));
        (link ?? element).setAttribute('data-unknown', '');
    }
    return unknown;
}"""
UNKNOWN = "[data-unknown]"
# Hides what neither holds a marked text nor stands in a block with one, or shows it again: axe asks of all that is seen
# what it covers, which takes longer than to look at the marked.
ASIDE = """([marked, visibility]) => {
    const block = part => getComputedStyle(part).display == 'inline' ? block(part.parentElement) : part;
    const kept = [...document.querySelectorAll(marked)].map(block), around = new Set();
    for (let part of kept) for (; part; part = part.parentElement) around.add(part);
    for (const part of document.body.contains(kept[0]) ? around : [])
        if (part !== document.documentElement && !kept.some(whole => whole.contains(part)))
            for (const beside of part.children) if (!around.has(beside)) beside.style.visibility = visibility;
}"""


@pytest.fixture(scope="module")
def site(book):
    with pdf.served(book.folder / "_build/html") as address:
        yield address


@pytest.fixture(scope="module")
def context(browser):
    """A reader who goes from page to page and keeps what all of them use."""
    context = browser.new_context()
    yield context
    context.close()


@pytest.fixture(scope="module")
def tab(site, context):
    """A page to be shown and looked at, with what went wrong in loading it, and the colours that were found sound."""
    page, troubles = context.new_page(), []
    page.on("console", lambda m: troubles.append(m.text) if m.type == "error" else None)
    page.on("pageerror", lambda error: troubles.append(str(error)))
    page.on("requestfailed", lambda r: troubles.append(f"failed {r.url}") if r.failure != GONE_ON else None)
    page.on("response", lambda r: troubles.append(f"{r.status} {r.url}") if r.status >= 400 else None)
    local = (site, "data:", "blob:")
    page.on("request", lambda r: troubles.append(f"external {r.url}") if not r.url.startswith(local) else None)
    yield page, troubles, set()
    page.close()


def typeset(page):
    """Wait until formulas are, however late their script begins."""
    page.wait_for_function("() => !window.MathJax || (MathJax.startup && MathJax.startup.promise)")
    page.evaluate("() => window.MathJax && MathJax.startup.promise")


def show(page, address, width):
    page.emulate_media(color_scheme="light")
    page.set_viewport_size({"width": width, "height": 850})
    page.goto(address, wait_until="load")
    typeset(page)
    page.evaluate(pdf.ALL_IMAGES)


def widen(page, width):
    """Change the width, and wait for what scripts draw anew then."""
    page.set_viewport_size({"width": width, "height": 850})
    page.evaluate("() => new Promise(drawn => requestAnimationFrame(() => requestAnimationFrame(drawn)))")


def faults(page):
    """What a person would see to be wrong, once scripts have drawn for this width."""
    for _ in range(10):
        if not (found := page.evaluate(FAULTS)):
            break
        page.wait_for_timeout(100)
    return found


def serious(page, part=None, without=(), **options):
    """What axe finds, in a part of the page if one is named; it preloads nothing, which is for rules that are off."""
    if not page.evaluate("() => !!window.axe"):
        page.evaluate(Axe().axe_script)
    if "runOnly" not in options:
        options["rules"] = {rule: {"enabled": False} for rule in [*without, *page.evaluate(MILD)]}
    options = {"resultTypes": ["violations"], "preload": False, **options}
    found = page.evaluate("([part, options]) => axe.run(part ?? document, options)", [part, options])["violations"]
    return [(v["id"], v["nodes"][0]["html"][:200]) for v in found if v["impact"] in ("serious", "critical")]


def pale(page, sound):
    """Texts without contrast, looked for where a page shows colours that are not known to be sound; then they are."""
    colours, found = page.evaluate(COLOURS, list(sound)), []
    if colours:
        page.evaluate(ASIDE, [UNKNOWN, "hidden"])
        found = serious(page, UNKNOWN, runOnly=OF_COLOUR)
        page.evaluate(ASIDE, [UNKNOWN, ""])
    if not found:
        sound |= set(colours)
    return found


@pytest.mark.parametrize("chapter", chapters.names())
def test_a_page_is_whole_offline_accessible_and_nothing_is_squeezed_cut_or_too_small(site, tab, chapter):
    """Loaded on a phone, then wider and wider; what a person would see is in faults.js. Colours in light and dark."""
    page, troubles, sound = tab
    troubles.clear()
    show(page, f"{site}/book/{chapter}.html", WIDTHS[0])
    assert troubles == []
    assert page.evaluate("document.documentElement.dataset.theme") == "light"
    formulas = page.locator("div.math, span.math")
    assert page.locator("mjx-container").count() >= formulas.count()
    assert page.locator("mjx-merror").count() == 0
    assert page.evaluate("[...document.images].filter(i => !i.naturalWidth || !i.alt).map(i => i.src)") == []
    for width in WIDTHS:
        widen(page, width)
        assert faults(page) == [], width
        if width != 768:  # the others have both layouts
            assert serious(page, without=OF_COLOUR) == [], width
            assert pale(page, sound) == [], width
    page.emulate_media(color_scheme="dark")
    page.wait_for_function("document.documentElement.dataset.theme == 'dark'")
    for width in (1280, 390):
        widen(page, width)
        page.wait_for_function("document.getAnimations().every(change => change.playState == 'finished')")
        assert pale(page, sound) == [], f"dark, {width}"
    assert troubles == []


@pytest.mark.parametrize("chapter", ["analytical", "rotation", "mixing"])  # scripts draw on them as they load
def test_a_page_loaded_wide_is_as_one_that_was_widened(site, tab, chapter):
    page, _, _ = tab
    show(page, f"{site}/book/{chapter}.html", WIDTHS[-1])
    assert faults(page) == []


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
    "drawn text lies on another": "add('<svg class=plane height=90><text y=50>a</text><text y=52>b</text></svg>')",
    "a bracket may part from its code": "add('<p>trained (<code>a.json</code>)</p>')",
    "a sentence in bold": "add('<p><b>' + 'word '.repeat(9) + '</b></p>')",
    "a target of": "add('<button style=\"all: revert; height: 9px\">x</button>')",
    "a number that wraps": "add('<table><tr><td style=\"width: 2em\">1.5 (1.2 to 1.8)</td></tr></table>')",
    "a caption is cut": "add('<table style=\"width: 2000px\"><caption>x</caption><tr><td>x</td></tr></table>')",
    "a formula goes on": "add('<div class=math><mjx-container style=display:block;overflow-x:auto>'"
    " + '<p style=width:110%>x</p></mjx-container></div>')",
    "px wide": "add('<p style=\"width: 3000px\">x</p>')",
    "px tall": "add('<p style=\"height: 20000px\">x</p>')",
}


@pytest.fixture(scope="module")
def sound_page(site, context):
    """A page that is loaded once, and what it consists of."""
    page = context.new_page()
    show(page, f"{site}/book/background.html", 1280)
    yield page, page.evaluate("document.body.innerHTML")
    page.close()


@pytest.fixture
def breakable(sound_page):
    """A page without faults, whatever was done to it before."""
    page, whole = sound_page
    page.evaluate("whole => document.body.innerHTML = whole", whole)
    page.evaluate(pdf.ALL_IMAGES)
    assert faults(page) == []
    return page


@pytest.mark.parametrize("fault", BROKEN)
def test_the_check_sees(breakable, fault):
    breakable.evaluate(BREAK % BROKEN[fault])
    assert any(fault in line for line in breakable.evaluate(FAULTS))


@pytest.mark.parametrize(
    ("rule", "html"),
    [
        ("color-contrast", '<p style="color: #aaa">words</p>'),
        ("color-contrast", '<p style="background: #666">words</p>'),
        ("color-contrast", '<p style="opacity: 0.4">words</p>'),
        ("link-in-text-block", '<p>words <a href="#" style="color: #333; text-decoration: none">more</a> words</p>'),
    ],
)
def test_the_check_sees_colours_that_are_new_on_a_page(breakable, tab, rule, html):
    _, _, sound = tab
    assert pale(breakable, sound) == []
    breakable.evaluate(BREAK % f"add('{html}')")
    assert [name for name, _ in pale(breakable, sound)] == [rule]


@pytest.mark.parametrize("width", [320, *WIDTHS])
def test_what_sphinx_adds_fits_too(site, tab, width):
    page, _, _ = tab
    page.set_viewport_size({"width": width, "height": 800})
    for name in ("genindex", "py-modindex", "search"):
        page.goto(f"{site}/{name}.html")
        assert page.evaluate("document.documentElement.scrollWidth") <= width, name


def test_a_table_says_that_it_scrolls_on_a_screen_and_not_on_paper(site, blank):
    page = blank
    page.set_viewport_size({"width": 390, "height": 800})
    page.goto(f"{site}/book/methods.html", wait_until="load")
    page.wait_for_selector(".pst-scrollable-table-container.scrolls", state="attached")
    shown = "[...document.querySelectorAll('.scrolls')].map(box => getComputedStyle(box, '::before').display)"
    assert set(page.evaluate(shown)) == {"block"}
    page.emulate_media(media="print")
    assert set(page.evaluate(shown)) == {"none"}


def test_a_formula_says_that_it_goes_on_and_keeps_the_marks_behind_it(site, blank):
    page = blank
    show(page, f"{site}/book/rotation.html", 340)
    formulas = page.locator("div.math").all()
    cut = [f.locator("mjx-container").evaluate("inner => inner.scrollWidth > inner.clientWidth + 4") for f in formulas]
    said = [f.evaluate("formula => getComputedStyle(formula, '::before').content") for f in formulas]
    assert [text == '"goes on →"' for text in said] == cut
    assert set(cut) == {True, False}
    behind = page.locator("span.math:not(.together > .math)").evaluate_all(
        "all => all.map(formula => formula.nextSibling?.data ?? '')"
    )
    assert [text for text in behind if text[:1] in [*".,;:)"]] == []
    assert page.locator(".together").count() > 40
    assert page.locator(".together").first.evaluate("part => getComputedStyle(part).whiteSpace") == "nowrap"


def test_the_keyboard_stops_at_formulas_that_scroll_alone(site, blank):
    """Of 182 stops before the explorer 87 were formulas."""
    show(blank, f"{site}/book/rotation.html", 340)
    blank.wait_for_function("document.querySelectorAll('mjx-container[tabindex=\"-1\"]').length > 100")
    stops = blank.locator('mjx-container[tabindex="0"]')
    assert stops.count() > 0
    assert stops.evaluate_all("all => all.every(one => one.scrollWidth > one.clientWidth)")


def test_each_numbered_table_and_figure_is_on_paper(site, blank):
    """Three tables of this page are folded on the screen; on paper they were missing."""
    blank.goto(f"{site}/book/turning.html", wait_until="load")
    seen = "[...document.querySelectorAll('table[id], figure[id]')].map(each => [each.id, each.checkVisibility()])"
    assert not all(shown for _, shown in blank.evaluate(seen))
    blank.emulate_media(media="print")
    assert [name for name, shown in blank.evaluate(seen) if not shown] == []


def test_paper_is_light_though_the_screen_is_dark(site, blank):
    page = blank
    page.emulate_media(color_scheme="dark")
    page.goto(f"{site}/book/contents.html", wait_until="load")
    theme = "document.documentElement.dataset.theme"
    assert page.evaluate(theme) == "dark"
    page.evaluate(f"addEventListener('beforeprint', () => printed = {theme})")
    page.pdf()
    assert (page.evaluate("printed"), page.evaluate(theme)) == ("light", "dark")


def test_a_dark_page_is_dark_again_however_often_printing_begins(blank):
    page = blank
    page.set_content('<html data-theme="dark">')
    page.add_script_tag(path=paths.CHAPTERS / "static/scripts/paper.js", type="module")
    for events, theme in (("before before", "light"), ("after after", "dark"), ("before", "light"), ("after", "dark")):
        for event in events.split():
            page.evaluate(f"dispatchEvent(new Event('{event}print'))")
        assert page.evaluate("document.documentElement.dataset.theme") == theme


def test_the_search_is_in_sight_and_its_icon_beside_what_is_typed(site, blank):
    page = blank
    page.goto(f"{site}/book/claims.html", wait_until="load")
    button = page.locator(".bd-sidebar-primary .search-button-field")
    assert 0 <= button.bounding_box()["y"] < 800
    button.click()
    icon, field = (page.locator(f"#pst-search-dialog {part}").bounding_box() for part in ("i", "input"))
    assert icon["x"] + icon["width"] <= field["x"]


def test_the_root_leads_to_the_home_page(site, blank):
    page = blank
    page.goto(f"{site}/index.html")
    page.wait_for_url(f"{site}/book/intro.html")


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


def test_each_field_of_a_docstring_is_an_item_and_none_is_told_by_its_number(book):
    """Fields ran together in one paragraph, a hundred more had "Alias for field number 0", and a colon made types."""
    pages = [*(book.folder / "_build/html/book").glob("api-*.html")]
    assert len(pages) > 10
    for page in pages:
        html = page.read_text()
        assert "Alias for field number" not in html, page.name
        paragraphs = (re.sub(r"<[^>]+>", "", text) for text in re.findall(r"<p>(.*?)</p>", html, re.DOTALL))
        assert not [text for text in paragraphs if re.search(r" : .*\n\w+ : ", text, re.DOTALL)], page.name
        assert "Type<span" not in html, page.name


def test_the_explorer_follows_the_keyboard_and_its_link(site, blank, context):
    page = blank
    page.goto(f"{site}/book/analytical.html#beta=4&A=1,0,0,2&sigma=0.5")
    assert page.locator(".explorer .key span").all_inner_texts() == ["exact posterior", "encoder", "true sources"]
    readout = page.locator(".explorer .readout")
    assert "β = 4:" in readout.inner_text()
    page.get_by_label("β", exact=True).focus()
    page.keyboard.press("ArrowRight")
    assert "β = 4.0" in readout.inner_text()
    assert "β = 4:" not in readout.inner_text()
    page.get_by_role("button", name="Copy a link").click()
    assert "A=1,0,0,2&sigma=0.5" in page.url
    again = context.new_page()
    again.goto(page.url)
    assert again.locator(".explorer .readout").inner_text() == readout.inner_text()
    page.get_by_role("button", name="Reset").click()
    assert "β = 2:" in readout.inner_text()
    again.close()


@pytest.mark.parametrize("chapter", ["mixing", "localisation"])
def test_a_deep_chapter_follows_beta_and_says_what_is_stored(site, blank, chapter):
    """Readout, sentence, pictures and control at a β from the address, against the Dataset; then by keyboard."""
    page, tie = blank, sweep.load(chapter).tie.mean("realization")
    page.goto(f"{site}/book/{chapter}.html#beta=20")
    said = page.locator(f"#fig-{chapter} .asked").nth(1).locator(".values b").first
    for beta, key in ((20, None), (1000, "End"), (500, "ArrowLeft")):
        if key:
            page.get_by_label("β of this page").focus()
            page.keyboard.press(key)
        assert float(said.inner_text()) == pytest.approx(float(tie.sel(beta=beta)), rel=5e-4)
        mean = tables.number(float(tie.sel(beta=beta)), 2)
        told = page.locator("main").inner_text().replace("\N{NO-BREAK SPACE}", " ")
        assert f"the β of this page, TIE is {mean} nats on average over " in told
        assert page.locator(".pictures > div:visible").get_attribute("data-beta") == f"{beta}"
        assert page.url.endswith(f"#beta={beta}")
    page.evaluate("scrollTo(0, document.documentElement.scrollHeight / 2)")
    box = page.locator(".page-beta").bounding_box()
    assert 0 <= box["y"] < 100, "the control is always at hand"


@pytest.mark.parametrize("chapter", ["mixing", "localisation"])
def test_the_plane_follows_the_page_s_beta_and_the_keyboard(site, blank, chapter):
    page = blank
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


MOST = {"intro": 2.5e6, "mixing": 3e6, "localisation": 3e6, "beyond": 3e6, "analytical": 3e6}  # bytes


@pytest.mark.parametrize(("chapter", "most"), MOST.items())
def test_a_page_is_light(site, browser, chapter, most):
    """All that a first visit fetches, in bytes; time is for `make bench`, not for a test."""
    page, sizes = browser.new_page(), []
    page.on("response", lambda response: sizes.append(len(response.body())))
    page.goto(f"{site}/book/{chapter}.html", wait_until="networkidle")
    typeset(page)
    assert sum(sizes) < most
    page.close()


def test_searching_finds_the_page(site, blank):
    page = blank
    page.goto(f"{site}/search.html?q=water-filling")
    results = page.locator("#search-results a")
    results.first.wait_for()
    assert any("analytical.html" in link.get_attribute("href") for link in results.all())


def test_what_a_search_shows_of_a_page_is_text(site, blank):
    """No program of a folded cell, no TeX marks, and no contents that are for paper alone."""
    page, found = blank, []
    for words in ("noise ratio", "disentangling", "networks"):
        page.goto(f"{site}/search.html?q={words}")
        page.locator("#search-results p.context").first.wait_for()
        page.wait_for_load_state("networkidle")
        found += page.locator("#search-results p.context").all_inner_texts()
    assert len(found) > 20
    assert not [text for text in found if re.search(r"\\\(|name=\"|tables\.table|glue\(|Contents\s+The question", text)]


def test_there_are_no_launch_links_without_a_repository(site, blank):
    page = blank
    page.goto(f"{site}/book/analytical.html")
    assert page.locator("p.launch, a[href*='mybinder'], a[href*='colab']").count() == 0
