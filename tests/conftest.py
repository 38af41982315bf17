import contextlib
import gc
import os
import re
import shutil
import signal
import subprocess
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")  # as in all other processes of the project: one Keras less to load
# One thread, as in the project's other processes: more share a core here, and sum in another order on some processors.
os.environ["OPENBLAS_NUM_THREADS"] = os.environ["OMP_NUM_THREADS"] = "1"  # before NumPy loads
os.environ["TF_NUM_INTRAOP_THREADS"] = os.environ["TF_NUM_INTEROP_THREADS"] = "1"
os.environ.pop("OPENBLAS_CORETYPE", None)  # other kernels, other last digits than in the project's own processes

import cv2
import numpy as np
import pytest
from hypothesis import settings
from playwright.sync_api import sync_playwright

from betavae_core import paths
from betavae_core.networks.atlas import SIDE
from betavae_core.theory.gaussian import LinearGaussian
from betavae_workshop import environment
from betavae_workshop.building import pdf
from betavae_workshop.sweeping import crews

pytest_plugins = ["tests.costs"]

gc.set_threshold(*environment.SELDOM)  # a tenth less processor time

# A fixed budget, and the same cases on every machine; `pytest --hypothesis-profile=default` draws others.
settings.register_profile("fixed", derandomize=True, deadline=None, max_examples=50, database=None)
settings.load_profile("fixed")


@pytest.fixture(autouse=True)
def _figures_closed():
    """pyplot keeps a figure until it is closed, and warns of many, in whichever test comes next."""
    yield
    if pyplot := sys.modules.get("matplotlib.pyplot"):
        pyplot.close("all")


@pytest.fixture
def rng():
    return np.random.default_rng(20260101)


@pytest.fixture
def process():
    """The model of the reference table: eigenvalues 7.54508497 and 1.95491503."""
    return LinearGaussian([[2.0, 1.0], [0.5, 1.5]], noise_std=1.0)


@pytest.fixture
def results(tmp_path, monkeypatch):
    """An empty working store and no published results, in child processes too."""
    monkeypatch.setenv("BETAVAE_RESULTS", str(tmp_path / "results"))
    monkeypatch.setenv("BETAVAE_PUBLISHED", str(tmp_path / "published"))
    return tmp_path / "results"


@pytest.fixture(scope="session")
def crew():
    """One training process for all sweeps of a test worker that neither kill nor count processes."""
    with contextlib.ExitStack() as stack:
        with crews.single_threaded():
            pool = stack.enter_context(crews.pool(1))
            pool.submit(len, ()).result()  # starts it
        yield contextlib.nullcontext([crews.Crew(pool.submit, lambda device: 1)])


def betavae(*words, **environment):
    """Run the command line in a process of its own, with more in its environment; returns the completed process."""
    command = [sys.executable, "-m", "betavae_workshop", *words]
    return subprocess.run(command, capture_output=True, text=True, env={**os.environ, **environment})


def lines(told):
    """What was said on standard error, line by line, without what shows progress: a bar, or a line a minute."""
    progress = re.compile(r".*%\|.*|\d+ of \d+ are done")
    return [line for line in re.split("[\r\n]+", told) if line.strip() and not progress.fullmatch(line)]


def without(module, *words):
    """Run the command line in a fresh interpreter and fail if it loads a module; returns the completed process."""
    program = (
        "import sys\nfrom betavae_workshop import cli\n"
        f"try: cli.main({list(words)!r})\n"
        "except SystemExit as stop: code = stop.code\n"
        f"assert not {{*{module!r}.split()}} & set(sys.modules), 'loaded'\n"
        "sys.exit(code)"
    )
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)


# The dearest files: begun last, one of them would keep the other workers waiting. Those that need the book come later.
FIRST = ("test_cluster", "test_twin", "test_deep", "test_building", "test_bench", "test_browser", "test_end_to_end")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """The dearest files come first; tests that look at pages can be counted, and left out: `-m browser`."""
    items.sort(key=lambda item: FIRST.index(item.path.stem) if item.path.stem in FIRST else len(FIRST))
    for item in items:
        if {"chromium", "browser"} & set(item.fixturenames):
            item.add_marker("browser")


@pytest.fixture(scope="session")
def chromium():
    """That there is a browser; `make test` gets one where it can, and says what is left out where it cannot."""
    if not pdf.browser_starts():
        (pytest.fail if os.environ.get("CI") else pytest.skip)("no Chromium on this machine; in CI this is an error")


@pytest.fixture(scope="module")
def browser(chromium):
    with sync_playwright() as playwright:
        browser = pdf.launched(playwright)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def one_tab(browser):
    """The one tab of a module; a tab for each test would cost two seconds of processor time more."""
    page = browser.new_page()
    yield page
    page.close()


@pytest.fixture
def blank(one_tab):
    """The module's tab, as a new one would be but for who listens: a test listens with lists of its own."""
    one_tab.evaluate("try { localStorage.clear() } catch {}")
    one_tab.goto("about:blank")
    one_tab.mouse.move(0, 0)
    one_tab.set_viewport_size({"width": 1280, "height": 720})
    one_tab.emulate_media(media="null", color_scheme="light")
    yield one_tab
    one_tab.unroute_all()


def heed_interrupts():
    """In a process about to start: Ctrl-C ends it, even where the tests themselves ignore it."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


class Copy:
    """A copy of the project in a folder, and its make."""

    def __init__(self, folder):
        self.folder = folder

    def start(self, *words):
        """A running make, in a process group of its own."""
        command = ["make", "--no-print-directory", f"PYTHON={sys.executable}", *words]
        outer = ("MAKEFLAGS", "MAKELEVEL", "MFLAGS", "MAKEOVERRIDES")  # this may run inside `make test`
        environment = {name: value for name, value in os.environ.items() if name not in outer}
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        own = {"cwd": self.folder, "env": environment, "start_new_session": True, "preexec_fn": heed_interrupts}
        return subprocess.Popen(command, **own, **pipes)

    def make(self, *words):
        running = self.start(*words)
        out, errors = running.communicate()
        return subprocess.CompletedProcess(words, running.returncode, out, errors)

    def page(self, path):
        html = (self.folder / path).read_text()
        return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", html))


HALF_WRITTEN = shutil.ignore_patterns("*.pyc.*")  # a whole .pyc is worth a copy: it saves each copy its compiling


def pictures(found):
    """Images of an atlas in grey levels, (SIDE, SIDE, side, side): z₂ falls with the row, z₁ grows with the column."""
    sheet = cv2.imdecode(np.frombuffer(found.image, np.uint8), cv2.IMREAD_GRAYSCALE)
    side = len(sheet) // SIDE
    return (sheet.reshape(SIDE, side, SIDE, side).swapaxes(1, 2) - 128.0) / 127 * found.scale


def copied(folder, chapters):
    """A copy of the project in a folder, with other chapters."""
    for name in ("betavae_core", "betavae_workshop", "data", "tools"):
        shutil.copytree(paths.ROOT / name, folder / name, ignore=HALF_WRITTEN)
    for name in ("Makefile", "_config.yml", "requirements.lock", "pyproject.toml", "CITATION.cff"):
        shutil.copy(paths.ROOT / name, folder / name)
    (folder / "book").mkdir()
    for name in ("_ext", "static"):
        shutil.copytree(paths.CHAPTERS / name, folder / "book" / name)
    for text in [*chapters.glob("*.md"), paths.CHAPTERS / "references.bib"]:
        shutil.copy(text, folder / "book")
    shutil.copy(chapters / "_toc.yml", folder)
    for card in (paths.BUILD / "cache").glob("card-*.png"):  # else each copy would draw it
        (folder / "_build/cache").mkdir(parents=True, exist_ok=True)
        shutil.copy(card, folder / "_build/cache")
    return Copy(folder)


@pytest.fixture(scope="module")
def minibook(tmp_path_factory):
    """A project with a book of four short chapters, built once; for tests of what builds, which may change it."""
    made = copied(tmp_path_factory.mktemp("project with space"), paths.ROOT / "tests/minibook")
    first = made.make("book")
    assert first.returncode == 0, first.stderr
    made.first = first.stdout
    return made


@pytest.fixture(scope="session")
def book(tmp_path_factory):
    """The book itself, brought up to date once for all test workers, and only read (after `make book` it is)."""
    made = Copy(paths.ROOT)
    first = made.make("book")  # a second worker waits for the first, then finds it up to date
    assert first.returncode == 0, first.stderr
    return made
