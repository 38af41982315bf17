"""Chapters as data: parameters, rules, names of variants, hashes. Whole builds are in test_end_to_end.py."""

import re
import shutil
import subprocess

import pytest
import yaml

from betavae_core import paths
from betavae_core.errors import UsageError
from betavae_core.paths import ROOT
from betavae_core.results import planning
from betavae_core.theory.terms import SCALARS
from betavae_workshop.building import book, chapters, execution, parameters, rendering
from betavae_workshop.commands import books
from betavae_workshop.sweeping import writing
from tests.test_house import FOLDERS


def test_toc_names_chapters_that_exist_and_none_is_left_out():
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text())
    listed = [c for part in toc["parts"] for c in part["chapters"]]
    named = [toc["root"], *(page["file"] for c in listed for page in (c, *c.get("sections", [])))]
    assert [f"book/{name}" for name in chapters.names()] == named
    assert {file.stem for file in (ROOT / "book").glob("*.md")} == set(chapters.names())


def test_every_chapter_with_code_and_a_choice_has_parameters():
    assert parameters.defaults("analytical") == {
        "beta": 2.0,
        "mixing_matrix": [[2.0, 1.0], [0.5, 1.5]],
        "noise_std": 1.0,
    }
    assert parameters.defaults("mixing")["beta"] == 1.0
    assert parameters.defaults("references") == {}


def test_defaults_obey_their_own_rules():
    for chapter in chapters.names():
        assert parameters.checked(chapter, {}) == {}


def test_the_small_book_of_the_tests_asks_for_the_same_matrices_as_the_book():
    pages = [(ROOT / folder / "analytical.md").read_text() for folder in ("book", "tests/minibook")]
    ours, small = (re.findall(r"^mixing_matrix = .*$", page, re.MULTILINE) for page in pages)
    assert small == ours and len(ours) == 1


@pytest.mark.parametrize("chapter", chapters.names())
def test_chapter_cells_are_short_and_train_nothing_by_hand(chapter):
    for cell in chapters.notebook(chapter).cells:
        if cell.cell_type == "code":
            assert len(cell.source.splitlines()) <= 15, cell.source
            assert "GradientTape" not in cell.source
            assert "%" not in cell.source.splitlines()[0], "a chapter runs as plain Python"


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"beta": "4"}, {"beta": 4.0}),
        ({"beta": "1e-4"}, {"beta": 1e-4}),
        ({"noise_std": "2", "beta": "3"}, {"beta": 3.0, "noise_std": 2.0}),  # in the chapter's order
        ({"mixing_matrix": "[[1, 2], [3, 4], [5, 6]]"}, {"mixing_matrix": [[1, 2], [3, 4], [5, 6]]}),
    ],
)
def test_parameters_are_parsed_to_the_type_of_their_default(given, expected):
    assert parameters.checked("analytical", given) == expected


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        (None, {}),
        ("noise_std=0.5 beta=3", {"noise_std": "0.5", "beta": "3"}),
        ("mixing_matrix=[[2,1],[0.5,1.5]]", {"mixing_matrix": "[[2,1],[0.5,1.5]]"}),
        ("mixing_matrix='[[2, 1], [0.5, 1.5]]' beta=4", {"mixing_matrix": "[[2, 1], [0.5, 1.5]]", "beta": "4"}),
        ('mixing_matrix="[[2, 1], [0.5, 1.5]]"', {"mixing_matrix": "[[2, 1], [0.5, 1.5]]"}),
        ("title='a=b'", {"title": "a=b"}),
    ],
)
def test_params_are_split_as_a_shell_would(params, expected):
    assert books.only_once(books.split_pairs(params)) == expected


def test_variant_names_are_short_and_safe():
    assert book.variant_name("analytical", {"beta": 4.0}) == "analytical-beta=4"
    assert book.variant_name("analytical", {"beta": 0.1, "noise_std": 2.0}) == "analytical-beta=0.1,noise_std=2"
    assert book.variant_name("analytical", {}) == "analytical"
    names = [
        book.variant_name("analytical", values)
        for values in (
            {"mixing_matrix": [[1, 2], [3, 4]]},
            {"t": "../../etc"},
            {"t": "a b"},
            {"t": "é"},
            {"t": "x" * 99},
        )
    ]
    assert all(re.fullmatch(r"analytical-[0-9a-f]{12}", name) for name in names)
    assert len(set(names)) == len(names)
    assert book.variant_name("analytical", {"beta": 4.0000001}) != book.variant_name("analytical", {"beta": 4.0})


@pytest.fixture
def other(tmp_path, monkeypatch):
    """A copy of what chapters are executed from, in place of this project."""
    for name in ("betavae_core", "betavae_workshop", "book", "data"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__", "atlas"))
    for name in ("_toc.yml", "requirements.lock"):
        shutil.copy(ROOT / name, tmp_path)
    monkeypatch.setattr(paths, "ROOT", tmp_path)
    for module in (chapters, execution):
        monkeypatch.setattr(module, "CHAPTERS", tmp_path / "book")
    for name in ("DATA", "BENCH", "CALIBRATION", "TRIALS", "GPU", "PREDICTIONS"):
        monkeypatch.setattr(paths, name, tmp_path / getattr(paths, name).relative_to(ROOT))
    monkeypatch.setenv("BETAVAE_PUBLISHED", str(tmp_path / "data/results"))
    monkeypatch.setenv("BETAVAE_DIGITS", str(tmp_path / "data/mnist_digits.npz"))
    return tmp_path


def digests(names=None):
    return {name: execution.digest(name, {}, []) for name in names or chapters.names()}


def touched(folder, file, before=None, names=None):
    """The chapters, of all or of some, that would be executed again after a change of a file of a copy.

    Digests before may be known.
    """
    before, content = before or digests(names), (folder / file).read_bytes()
    (folder / file).write_bytes(content + b"\n")
    after = digests(before)
    (folder / file).write_bytes(content)
    return {name for name in before if before[name] != after[name]}


DEEP = {
    "mixing",
    "localisation",
    "tiles",
    "turning",
    "beyond",
}  # that load stored networks, with those that say what they found
LOADING = DEEP | {"intro", "methods", "reproduce"}
CODE = LOADING | {"analytical", "background", "theory", "rotation", "appendices", "claims"}
REACH = {  # one file of each folder, and the chapters that it can reach
    "betavae_workshop/commands/serving.py": set(),
    "betavae_workshop/building/rendering.py": set(),
    "betavae_workshop/timing/bench.py": set(),
    "betavae_workshop/sweeping/running.py": set(),
    "betavae_core/results/store.py": LOADING,
    "betavae_core/findings/tiles.py": {"beyond", "tiles", "turning", "intro"},
    "betavae_core/findings/turned_networks.py": {"turning", "intro"},
    "betavae_core/findings/labels.py": {"turning"},
    "betavae_core/showing/deep.py": {"mixing", "localisation", "beyond", "methods"},
    "betavae_core/showing/diagrams.py": {"background", "methods", "analytical"},
    "betavae_core/showing/settled.py": {"mixing", "localisation"},
    "betavae_core/theory/stationarity.py": CODE - {"background", "claims", "reproduce", "methods"},
    "betavae_core/theory/gaussian.py": CODE,
    "betavae_core/errors.py": CODE,
}


def test_a_change_executes_the_chapters_that_it_can_reach_and_no_others(other):
    """A byte in the server of pages made 29 of 29 chapters run again."""
    folders = {tuple(file.split("/")[:2]) for file in REACH}
    assert folders >= {each for each in FOLDERS if each[1] not in ("images", "networks")}
    plain = digests()
    for file, chapters_reached in REACH.items():
        assert touched(other, file, plain) == chapters_reached, file
    networks = touched(other, "betavae_core/networks/training.py", plain)  # imported within functions alone
    assert networks == DEEP - {"turning"} | {"analytical", "methods"}
    assert {"background", *LOADING} <= touched(other, "betavae_core/images/digits.py", plain)
    assert touched(other, "data/bench.json", plain) == {"reproduce"}
    assert touched(other, "data/calibration.json", plain) == {"claims"}
    assert "beyond" in touched(other, "data/predictions/tiles-gamma.json", plain)
    for file in (paths.TRIALS, paths.GPU):
        assert "reproduce" in touched(other, file.relative_to(other), plain)
    assert touched(other, "data/results/tiles-4.nc", plain) == LOADING
    assert touched(other, "book/theory.md", plain) == {"theory"}
    assert touched(other, "requirements.lock", plain) == set(chapters.names())


def test_what_cannot_be_told_counts_as_reached(other):
    """A module that is loaded by a computed name, or named in a string that starts it."""
    unseen, asked = "betavae_core/showing/handle.py", ("theory", "background")
    assert touched(other, unseen, names=asked) == set()
    module = other / "betavae_core/theory/propositions.py"
    plain = module.read_text()
    for line in (
        "def later(name):\n    import importlib\n    return importlib.import_module(name)\n",
        "COMMAND = ['python', '-m', 'betavae_core.showing.handle']\n",
        "def part(name):\n    return f'betavae_core.showing.{name}'\n",
        "def lazily():\n    from betavae_core.showing import handle\n    return handle\n",
        "def near():\n    from ..showing import handle\n    return handle\n",
    ):
        module.write_text(plain + line)
        assert touched(other, unseen, names=asked) == {"theory"}, line
    chapter = other / "book/references.md"
    cell, text = "%time\nimport betavae_core.showing.handle", chapter.read_text()
    for fence in ("```", "````"):
        chapter.write_text(f"{text}\n{fence}{{code-cell}} ipython3\n{cell}\n{fence}\n")
        assert touched(other, unseen, names=("references",)) == {"references"}
    (other / "data/own.txt").touch()
    cell = "from betavae_core import paths\npaths.DATA / 'own.txt'"
    chapter.write_text(f"{text}\n```{{code-cell}} ipython3\n{cell}\n```\n")
    assert touched(other, "data/own.txt", names=("references", "theory")) == {"references"}


def test_the_hash_follows_parameters_and_variables(monkeypatch):
    plain = execution.digest("analytical", {}, [])
    assert execution.digest("analytical", {}, []) == plain
    assert execution.digest("analytical", {"beta": 4.0}, []) != plain
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "7")
    assert execution.digest("analytical", {}, []) != plain


def test_the_hash_follows_what_others_left_and_what_is_stored(monkeypatch, tmp_path):
    quoted, found = tmp_path / "mixing.claims.json", set()
    monkeypatch.setenv("BETAVAE_RESULTS", str(tmp_path))
    for text in ("held", "refuted"):
        quoted.write_text(text)
        found.add(execution.digest("claims", {}, [quoted]))
    before = execution.digest("mixing", {}, [])
    (tmp_path / "mixing").mkdir()
    (tmp_path / "mixing/0123.nc").touch()
    assert len(found) == 2 and execution.digest("mixing", {}, []) != before


def test_the_hash_follows_what_is_filled_in_for_a_stored_network(results):
    """`betavae evaluate` writes a file anew under the same name."""
    member, found = planning.plan("mixing", "smoke", realizations=1)[0], []
    for tie in (1.0, 2.0):
        writing.write(member, dict.fromkeys(SCALARS, tie), {})
        found += [execution.digest("mixing", {}, []) for _ in range(2)]
    assert (found[0], found[2]) == (found[1], found[3])
    assert found[0] != found[2]


def test_pages_that_are_gone_or_cut_are_not_up_to_date(tmp_path):
    """What was added to them, as the whole page that is printed, is let pass."""
    target = tmp_path / "html"

    def is_current_after(change):
        shutil.rmtree(target, ignore_errors=True)
        (tmp_path / "made").mkdir()
        for name in ("index.html", "theory.html"):
            (tmp_path / "made" / name).write_text("a page")
        rendering._put_in_place(tmp_path / "made", target, tmp_path)
        change(target / "theory.html")
        return rendering.is_current(tmp_path, target)

    assert is_current_after(lambda page: page.with_name("whole.html").touch())
    assert not is_current_after(lambda page: page.unlink())
    assert not is_current_after(lambda page: page.write_text("a"))
    assert not is_current_after(lambda page: (target / rendering.MADE_FROM).write_text(""))
    assert not is_current_after(lambda page: (target / rendering.MADE_FROM).unlink())


def test_a_checkout_has_the_bytes_that_were_written_whatever_git_does_to_line_ends(tmp_path):
    if not (ROOT / ".git").exists():
        pytest.skip("no git repository here")
    command = ["git", "clone", "-q", "--no-tags", "-c", "core.autocrlf=true", "-c", "core.eol=crlf", str(ROOT)]
    subprocess.run([*command, str(tmp_path / "clone")], check=True)
    list_files = ["git", "-C", str(tmp_path / "clone"), "ls-files", "--eol"]
    listed = subprocess.run(list_files, capture_output=True, text=True, check=True).stdout.splitlines()
    assert len(listed) > 100
    assert [line for line in listed if "w/crlf" in line or "w/mixed" in line] == []


@pytest.mark.parametrize(
    ("right", "wrong"), [("---\njupytext:\n", "--- jupytext:\n"), ("[remove-cell]", "[remove-cell")]
)
def test_a_page_whose_settings_cannot_be_read_is_told_in_one_line(right, wrong, tmp_path, monkeypatch):
    text = (chapters.CHAPTERS / "theory.md").read_text(encoding="utf-8")
    (tmp_path / "theory.md").write_text(text.replace(right, wrong, 1), encoding="utf-8")
    monkeypatch.setattr(chapters, "CHAPTERS", tmp_path)
    with pytest.raises(UsageError, match=r"^\S+theory\.md is no text notebook: [^\n]+$"):
        chapters.notebook("theory")
