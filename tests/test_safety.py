"""Nothing that is read can run: no pickles, no injected code, no markup from data; nothing is served to others."""

import json
import pickle
import re
import subprocess
import sys
import urllib.request

import nbformat
import numpy as np
import psutil
import pytest

from betavae_core import paths
from betavae_core.errors import UsageError
from betavae_core.images import digits
from betavae_core.showing import interactive, tables
from betavae_workshop.building import parameters, pdf

SOURCES = sorted([*paths.PACKAGE.rglob("*.py"), *(paths.ROOT / "betavae_workshop").rglob("*.py")])
RUNS = r"\b(pickle|joblib|dill|marshal|shelve)\b|allow_pickle=True|(?<!literal_)\beval\(|\bexec\(|shell=True|os\.system"
HOSTILE = [
    '4"; __import__("os").system("touch injected"); "',
    "4'''; open('injected', 'w')",
    "4\nopen('injected', 'w')",
    "{4}",
    "{{ 4 }}",
    "$(touch injected)",
    "`touch injected`",
    "\\\n4",
]


def test_no_source_unpickles_or_evaluates():
    assert SOURCES
    for file in SOURCES:
        assert not re.search(RUNS, file.read_text()), file


class Bomb:
    """Unpickling it makes a file."""

    def __init__(self, file):
        self.file = str(file)

    def __reduce__(self):
        return (open, (self.file, "w"))


def test_a_pickle_in_place_of_the_digits_is_not_loaded(tmp_path):
    bomb, file = Bomb(tmp_path / "exploded"), tmp_path / "digits.npz"
    file.write_bytes(pickle.dumps(bomb))
    with pytest.raises(digits.DigitsError, match="none of the forms"):
        digits.load(file)
    np.savez(file, images=np.array([bomb], dtype=object), labels=np.zeros(1, np.uint8))
    with pytest.raises(digits.DigitsError, match="Python objects, which are never read"):
        digits.load(file)
    assert not (tmp_path / "exploded").exists()


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("name", ["beta", "mixing_matrix", "noise_std"])
def test_hostile_values_are_refused(name, text):
    with pytest.raises(UsageError):
        parameters.checked("analytical", {name: text})


@pytest.mark.parametrize("text", HOSTILE)
def test_papermill_injects_text_as_text(text, tmp_path):
    """The one text, `profile`, is checked against a list; should another come, papermill quotes it."""
    from papermill.iorw import load_notebook_node
    from papermill.parameterize import parameterize_notebook

    cells = [nbformat.v4.new_code_cell("t = ''", metadata={"tags": ["parameters"]})]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python", "language": "python"}}
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=kernel), tmp_path / "n.ipynb")
    done = parameterize_notebook(load_notebook_node(str(tmp_path / "n.ipynb")), {"t": text})
    (injected,) = [c.source for c in done.cells if "injected-parameters" in c.metadata.get("tags", [])]
    program = f"import json\n{injected}\nprint(json.dumps(t))"
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=tmp_path, check=True)
    assert json.loads(ran.stdout) == text
    assert not (tmp_path / "injected").exists()


def test_markup_in_data_is_shown_not_run():
    shown = tables.table(["<b>x</b>", "y"], [["<script>alert(1)</script>", "a|b"]], caption="c", name="n").data
    assert "<script>" not in shown
    assert "<b>" not in shown
    assert r"a\|b" in shown
    sheet = {1.0: (np.ones((2, 3, 4, 4)), ['"><script>', "<b>"])}
    parts = [interactive.pictures(sheet, 1.0), interactive.follows({1.0: "<img src=x>"}, 1.0)]
    written = "".join(part.data for part in parts)
    assert "<b>" not in written
    assert "<script>" not in written
    assert "<img src=x>" not in written


def test_the_book_is_served_to_this_machine_only(tmp_path):
    (tmp_path / "index.html").write_text("hello")
    with pdf.served(tmp_path) as address:
        with urllib.request.urlopen(address) as answer:
            assert answer.read() == b"hello"
        port = int(address.rsplit(":", 1)[1])
        listening = [
            c.laddr.ip for c in psutil.Process().net_connections("tcp") if c.laddr.port == port and not c.raddr
        ]
        assert listening == ["127.0.0.1"]
