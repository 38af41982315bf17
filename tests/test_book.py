"""Chapters as data: parameters, rules, names of variants, hashes. Whole builds are in test_end_to_end.py."""

import os
import re
import subprocess

import pytest
import yaml

from betavae_core import paths
from betavae_core.building import book, chapters, execution, parameters
from betavae_core.commands import books
from betavae_core.paths import ROOT


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


def test_the_hash_follows_text_package_parameters_lock_and_data(tmp_path, monkeypatch):
    for name in ("book/analytical.md", "betavae_core/theory/linear.py", "requirements.lock", "data/mnist_digits.npz"):
        (tmp_path / name).parent.mkdir(exist_ok=True, parents=True)
        (tmp_path / name).write_text("one")
    monkeypatch.setattr(execution, "CHAPTERS", tmp_path / "book")
    monkeypatch.setattr(execution, "PACKAGE", tmp_path / "betavae_core")
    monkeypatch.setattr(paths, "ROOT", tmp_path)
    monkeypatch.setenv("BETAVAE_PUBLISHED", str(tmp_path / "data/results"))
    monkeypatch.setenv("BETAVAE_DIGITS", str(tmp_path / "data/mnist_digits.npz"))
    seen = {execution.digest("analytical", {}, []), execution.digest("analytical", {"beta": 4.0}, [])}
    for name in ("book/analytical.md", "betavae_core/theory/linear.py", "requirements.lock", "data/mnist_digits.npz"):
        (tmp_path / name).write_text("two")
        seen.add(execution.digest("analytical", {}, []))
    (tmp_path / "betavae_core/theory/new.py").write_text("")
    seen.add(execution.digest("analytical", {}, []))
    os.renames(tmp_path / "betavae_core/theory/new.py", tmp_path / "betavae_core/images/new.py")
    seen.add(execution.digest("analytical", {}, []))
    assert len(seen) == 8
    assert execution.digest("analytical", {}, []) in seen


def test_a_checkout_has_the_bytes_that_were_written_whatever_git_does_to_line_ends(tmp_path):
    if not (ROOT / ".git").exists():
        pytest.skip("no git repository here")
    command = ["git", "clone", "-q", "--no-tags", "-c", "core.autocrlf=true", "-c", "core.eol=crlf", str(ROOT)]
    subprocess.run([*command, str(tmp_path / "clone")], check=True)
    list_files = ["git", "-C", str(tmp_path / "clone"), "ls-files", "--eol"]
    listed = subprocess.run(list_files, capture_output=True, text=True, check=True).stdout.splitlines()
    assert len(listed) > 100
    assert [line for line in listed if "w/crlf" in line or "w/mixed" in line] == []
