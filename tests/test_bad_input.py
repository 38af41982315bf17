"""What a user can get wrong on the command line or in a chapter's parameters: one line, exit code 2, no trace."""

import errno
import re
import tempfile

import pytest
from click.testing import CliRunner

from betavae_core import paths
from betavae_workshop import cli
from betavae_workshop.building import book
from betavae_workshop.sweeping import crews
from betavae_workshop.timing import bench

CHAPTERS = [  # chapter, parameters, what the line says
    ("analytical", {"beta": "-1"}, r"beta must be from 1e-9 to 1e9 .*diverge at 0\); got -1\.0"),
    ("analytical", {"beta": "0"}, r"beta must be from 1e-9 to 1e9 .*diverge at 0\); got 0\.0"),
    ("analytical", {"beta": "abc"}, "beta must be a number; got abc"),
    ("analytical", {"beta": ""}, "beta must have a value; got an empty one"),
    ("analytical", {"beta": "nan"}, "beta must be from 1e-9 to 1e9 .*; got nan"),
    ("analytical", {"beta": "inf"}, "beta must be from 1e-9 to 1e9 .*; got inf"),
    ("analytical", {"beta": "[1.0]"}, "beta must be a number"),
    ("analytical", {"beta": "1,2"}, "beta must be a number"),
    ("analytical", {"beta": "4; import os"}, "beta must be a number"),
    ("analytical", {"betta": "4"}, "no parameter 'betta'; it has: beta, mixing_matrix, noise_std"),
    ("analytical", {"beta = 1\nimport os\nx": "4"}, "no parameter 'beta = 1.*'; it has"),
    ("analytical", {"mixing_matrix": "[[1, 2], [3]]"}, "rectangular table of numbers"),
    ("analytical", {"mixing_matrix": "[[1, 2]]"}, "at least as many rows"),
    ("analytical", {"mixing_matrix": "[]"}, "mixing_matrix must"),
    ("analytical", {"mixing_matrix": "[[]]"}, "mixing_matrix must"),
    (
        "analytical",
        {"mixing_matrix": "2"},
        r"mixing_matrix must be a list of numbers, such as \[\[2,1\],\[0.5,1.5\]\]; got 2",
    ),
    ("analytical", {"mixing_matrix": "[[1, 2], [3, 4]"}, "mixing_matrix must be a list"),
    ("analytical", {"mixing_matrix": "[['a', 2], [3, 4]]"}, "mixing_matrix must"),
    ("analytical", {"mixing_matrix": "__import__('os').getcwd()"}, "mixing_matrix must be a list"),
    ("analytical", {"mixing_matrix": "[[1, 1e999], [0, 1]]"}, "finite"),
    ("analytical", {"mixing_matrix": "{{4}}"}, "mixing_matrix must be a list"),
    ("analytical", {"mixing_matrix": "[" * 300}, "mixing_matrix must be a list"),
    ("analytical", {"noise_std": "0"}, "noise_std must be from 1e-3 to 1e3; got 0.0"),
    ("analytical", {"noise_std": "-1"}, "noise_std must be from 1e-3 to 1e3; got -1.0"),
    ("analytical", {"noise_std": "one"}, "noise_std must be a number"),
    ("theory", {"models": "0"}, "models must be from 10 to 10000; got 0"),
    ("theory", {"models": "2.5"}, "models must be a whole number"),
    ("theory", {"seed": "-1"}, "seed must be from 0 to 4294967295; got -1"),
    ("theory", {"seed": "True"}, "seed must be a whole number"),
    ("appendices", {"samples": "0"}, "samples must be from 1 to 10000000; got 0"),
    ("mixing", {"beta": "-1"}, r"beta must be from 0 to 1e9; got -1\.0"),
    ("mixing", {"beta": "nan"}, "beta must be from 0 to 1e9; got nan"),
    ("mixing", {"epochs": "0"}, "epochs must be from 1 to 100000; got 0"),
    ("mixing", {"epochs": "1.5"}, "epochs must be a whole number; got 1.5"),
    ("mixing", {"realizations": "0"}, "realizations must be from 1 to 1000; got 0"),
    ("mixing", {"profile": "huge"}, "no profile 'huge'; profiles: smoke, published, thesis"),
    ("localisation", {"realizations": "two"}, "realizations must be a whole number; got two"),
    ("localisation", {"epochs": "-1"}, "epochs must be from 1 to 100000; got -1"),
    ("references", {"beta": "4"}, "no parameter 'beta'; it has none"),
    ("analytical", {"noise_std": "1e-160"}, "noise_std must be from 1e-3 to 1e3; got 1e-160"),
    ("analytical", {"beta": "1e300"}, r"beta must be from 1e-9 to 1e9 .*; got 1e\+300"),
    ("analytical", {"mixing_matrix": "[[1e8, 1], [1, 1e-8]]"}, r"entries of mixing_matrix .* to 1000; got 1e\+08"),
    (
        "analytical",
        {"mixing_matrix": "[[300, 0], [0, 1]]", "noise_std": "1e-3"},
        "most 2,000 noise_std; got 300, ",
    ),
    ("rotation", {"mixing_matrix": str([[1.0]] * 31)}, "mixing_matrix must have at most 30 rows; got 31"),
    ("rotation", {"noise_std": "1e4"}, "noise_std must be from 1e-3 to 1e3; got 10000.0"),
    ("theory", {"seed": "1" + "0" * 400}, "seed must be from 0 to 4294967295; got 1000"),
    ("mixing", {"beta": "1e39"}, r"beta must be from 0 to 1e9; got 1e\+39"),
    ("mixing", {"epochs": "1000000000"}, "epochs must be from 1 to 100000; got 1000000000"),
    ("tiles", {"realizations": "1001"}, "realizations must be from 1 to 1000; got 1001"),
    ("mixing", {"profile": " "}, "profile must have a value; got an empty one"),
    *(("mixing", {"beta": text}, f"beta must be a number; got {text}") for text in ("٣", "0x10", "1_0", "３")),
    *(
        ("mixing", {"realizations": text}, f"realizations must be a whole number; got {text}")
        for text in ("٣", "0x10", "1_0", "３", "1e3")
    ),
    ("analytical", {"mixing_matrix": "[[0x10, 1], [0, 1]]"}, "mixing_matrix must be a list"),
    ("analytical", {"mixing_matrix": "[[1_0, 1], [0, 1]]"}, "mixing_matrix must be a list"),
    ("analytical", {"mixing_matrix": "[[True, 1], [0, 1]]"}, "mixing_matrix must be a list"),
    ("nowhere", {}, "no chapter 'nowhere'; chapters: intro, contents"),
    ("../theory", {}, "no chapter"),
    ("", {}, "no chapter ''"),
]
COMMANDS = [  # words, what the line says
    (["nonsense"], "No such command 'nonsense'"),
    (["--nonsense"], "No such option"),
    (["book", "--profile", "huge"], "no profile 'huge'; profiles: smoke, published, thesis"),
    (["book", "--jobs", "0"], "not in the range x>=1"),
    (["book", "--jobs", "x"], "must be a whole number; got 'x'"),
    (["page", "nowhere"], "no chapter 'nowhere'; chapters: intro, contents"),
    (["page"], "Missing argument 'NAME'"),
    (["book", "extra"], "unexpected extra argument"),
    (["chapter"], "Missing argument 'NAME'"),
    (["chapter", "analytical", "-p", "beta"], "requires 2 arguments"),
    (["chapter", "analytical", "--params", "beta"], "name=value"),
    (
        ["chapter", "analytical", "--params", "mixing_matrix=[[1, 2],[2,4]]"],
        r"name=value, separated by spaces \(quote a value that has any\); got 2\],\[2,4\]\]",
    ),
    (["chapter", "analytical", "--params", "beta='4"], "unclosed quote"),
    (["chapter", "analytical", "--params", ""], "PARAMS is empty; leave it out for the defaults"),
    (["chapter", "analytical", "--params", "beta=4 beta=5"], "beta must be given once; got 4 and 5"),
    (["chapter", "analytical", "-p", "beta", "4", "-p", "beta", "4"], "beta must be given once; got 4 and 4"),
    (["chapter", "analytical", "-p", "beta", "4", "--params", "beta=5"], "beta must be given once; got 4 and 5"),
    (["chapter", "analytical", "--params", "beta=4 noise_std="], "noise_std must have a value"),
    (["chapter", "analytical", "--params", "=4"], "no parameter ''; it has: beta"),
    (["serve", "--port", "abc"], "must be a whole number; got 'abc'"),
    (["serve", "--port", "0"], "not in the range 1<=x<=65535"),
    (["data", "x"], "No such command 'x'"),
    (["sweep", "mixing", "nowhere"], "no experiment 'nowhere'; experiments: mixing"),
    (["sweep", "mixing", "--family", "round"], "family must be diagonal or full; got round"),
    (["sweep", "mixing", "--gamma", "-1"], "gamma must be from 0 to 1,000,000; got -1"),
    (["sweep", "mixing", "--gamma", "nan"], "gamma must be from 0 to 1,000,000; got nan"),
    (
        ["sweep", "mixing", "--jax", "--optimiser", "soap"],
        "--jax (takes Adam's steps alone|trains on this machine only)",
    ),
    (["sweep", "mixing", "--optimiser", "sgd"], "optimiser must be adam or soap; got sgd"),
    (["sweep", "tiles", "--decoder-variance", "own"], "decoder_variance must be fixed or learned; got own"),
    (["sweep", "mixing", "--decoder-variance", "learned"], "decoder_variance may be learned in tiles, tiles-diagonal"),
    (["sweep", "tiles", "--decoder-variance", "learned", "--scaling", "pixel"], "got tiles, scaling pixel"),
    (["sweep", "nowhere"], "no experiment 'nowhere'; experiments: mixing"),
    (["sweep", "mixing", "--profile", "huge"], "no profile 'huge'"),
    (["sweep", "mixing", "--beta", "-1"], r"beta must be from 0 to 1e9; got -1.0"),
    (["sweep", "mixing", "--beta", "nan"], r"beta must be from 0 to 1e9; got nan"),
    (["sweep", "mixing", "--beta", "1e999"], r"beta must be from 0 to 1e9; got inf"),
    (["sweep", "mixing", "--beta", "1,two"], "must be a number; got 'two'"),
    (["sweep", "mixing", "--beta", ""], "must be a number; got ''"),
    (["sweep", "mixing", "--realizations", "0"], "0 is not in the range x>=1"),
    (["sweep", "mixing", "--realizations", "x"], "must be a whole number; got 'x'"),
    (["sweep", "mixing", "--epochs", "-3"], "-3 is not in the range 1<=x<=100000"),
    (["sweep", "mixing", "--samples", "0"], "0 is not in the range 10<=x<=100000"),
    (["sweep", "tiles", "--samples", "9", "--explain"], "9 is not in the range 10<=x<=100000"),
    (["sweep", "mixing", "--learning-rate", "0"], "learning_rate must be finite and > 0; got 0.0"),
    (["sweep", "mixing", "--learning-rate", "nan"], "learning_rate must be finite and > 0; got nan"),
    (["sweep", "mixing", "--scaling", "row"], "scaling must be global or pixel; got row"),
    (["sweep", "mixing", "--jobs", "0"], "not in the range x>=1"),
    (["sweep", "mixing", "--pack", "0"], "not in the range x>=1"),
    (["sweep", "mixing", "--workers", "0"], "not in the range x>=1"),
    (["sweep", "mixing", "--workers", "2", "--jobs", "2"], "choose one"),
    (["sweep", "mixing", "--jax", "--workers", "2"], "--jax trains on this machine only"),
    (["sweep", "mixing", "--scheduler", "here"], "must be an address such as tcp://host:8786; got 'here'"),
    (["sweep", "mixing", "--scheduler", ""], "must be an address"),
    (["sweep", "mixing", "--beta", "1e10"], r"beta must be from 0 to 1e9; got 10000000000.0"),
    (["sweep", "mixing", "--epochs", "100001"], "100001 is not in the range 1<=x<=100000"),
    (
        ["sweep", "mixing", "--realizations", "1000000000", "--explain"],
        "got 13 β × 1,000,000,000 realiz",
    ),
    (["publish", "tiles", "--realizations", "1000000000"], "at most 100,000 members; got 16 β × 1,000,000,000 "),
    *((["sweep", "mixing", "--beta", text], f"must be a number; got '{text}'") for text in ("٣", "0x10", "1_0")),
    *(
        (["sweep", "mixing", option, text], f"must be a whole number; got '{text}'")
        for option in ("--realizations", "--epochs", "--jobs")
        for text in ("٣", "0x10", "1_0", "1e3")
    ),
    (["sweep", "mixing", "--learning-rate", "1_0"], "must be a number; got '1_0'"),
    (["status", "nowhere"], "no experiment 'nowhere'"),
    (["status", "--profile", "huge"], "no profile 'huge'"),
    (["publish", "nowhere"], "no experiment 'nowhere'"),
    (["publish", "mixing", "--realizations", "-1"], "-1 is not in the range x>=1"),
    (["bench", "--rounds", "0"], "not in the range x>=1"),
    (["bench", "--only", "tiles"], "no part 'tiles' of the bench; parts: mixing, localisation, optimum"),
    (["bench", "--contender", "mxnet"], "no contender 'mxnet' of the bench; contenders: betavae, plain, "),
    (["bench", "--json", str(paths.GPU)], "holds no rows of a bench"),
    (["gpu-check", "--json", str(paths.BENCH)], "holds no checks of a GPU"),
    (["bench", "--json", "/"], "must name a file in a folder that is there; got '/'"),
    (["bench", "--json", "/nowhere/x"], "must name a file in a folder that is there; got '/nowhere/x'"),
    (["data", "import", str(paths.EMBEDDED_DIGITS), "--to", ""], "must name a file in a folder that is there; got ''"),
    (["data", "import", str(paths.EMBEDDED_DIGITS), "none"], "has its own labels; none would not be read"),
    (["atlas", "mixing", "tiles-4"], "networks with 2 latents; those of tiles-4 have 4"),
    (["gpu-check", "--library", "mxnet"], "no library 'mxnet'; libraries: tensorflow, jax"),
]


def files():
    """What lies in the project, but for compiled modules and for what tests and a build that run beside may make."""
    beside = {"tmp", "cache", "kept", "failed", "executed", "html", "kernels.log"}
    found = {*paths.ROOT.glob("[!.]*"), *paths.BUILD.glob("[!.]*"), *(paths.ROOT / "data").rglob("*")}
    return {file for file in found if file.name not in beside and not file.name.startswith("render-")}


def refused(words, message, results):
    before = files()
    result = CliRunner().invoke(cli.main, words)
    assert result.exit_code == 2, result.output
    assert re.match("betavae: .*" + message, result.stderr, re.DOTALL), result.stderr
    assert result.stderr.count("\n") == 1, result.stderr
    assert result.stdout == ""
    assert files() == before
    assert not list(results.rglob("*.nc"))


@pytest.mark.parametrize(("chapter", "given", "message"), CHAPTERS)
def test_a_chapter_s_bad_parameters(chapter, given, message, results, monkeypatch):
    monkeypatch.setattr(book, "build_variant", lambda *_: pytest.fail("something ran"))
    words = ["chapter", chapter, *(word for name, text in given.items() for word in ("-p", name, text))]
    refused(words, message, results)


@pytest.mark.parametrize(("words", "message"), COMMANDS)
def test_bad_commands(words, message, results):
    refused(words, message, results)


@pytest.mark.parametrize("words", [["status"], ["sweep", "--explain"], ["publish"]])
@pytest.mark.parametrize("variable", ["BETAVAE_RESULTS", "BETAVAE_PUBLISHED"])
def test_a_store_that_is_a_file_or_a_link_to_nothing(variable, words, results, monkeypatch, tmp_path):
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to(tmp_path / "nothing")
    for name, what in (("file", "is a file"), ("link", "is a link to nothing")):
        monkeypatch.setenv(variable, str(tmp_path / name))
        refused(words, f"{variable} must be a folder, or absent; .*/{name} {what}", results)


UNWRITABLE = [  # words, the folder in which they write, what moves it
    ("publish mixing --profile smoke", "/published", "; BETAVAE_PUBLISHED moves it"),
    ("atlas mixing --profile smoke", "/published", "; BETAVAE_PUBLISHED moves it"),
    ("page theory", "/_build", ""),
    ("book", "/_build", ""),
    ("chapter analytical -p beta 4", "/_build", ""),
    ("bench", "/_build", ""),
    ("bench --json {}/rows.json", "", ""),
    (f"data import {paths.EMBEDDED_DIGITS}", "", ""),
    (f"data import {paths.EMBEDDED_DIGITS} --to {{}}/digits.npz", "", ""),
]


@pytest.mark.parametrize(("words", "folder", "after"), UNWRITABLE)
def test_a_folder_that_cannot_be_written_is_told_before_any_work(words, folder, after, results, monkeypatch, tmp_path):
    def read_only(**_):
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(tempfile, "TemporaryFile", read_only)
    monkeypatch.setattr(paths, "DATA", tmp_path)
    monkeypatch.setattr(book, "BUILD", tmp_path / "_build")
    monkeypatch.setattr(bench, "ROWS", tmp_path / "_build/bench.json")
    monkeypatch.setattr(bench, "run", lambda *_, **__: pytest.fail("something was timed"))
    monkeypatch.setattr(crews, "each_done", lambda *_: pytest.fail("something was trained"))
    message = f"the folder {tmp_path}{folder} cannot be written (Read-only file system){after}"
    refused(words.format(tmp_path).split(), re.escape(f"{message}\n"), results)


def test_serve_says_that_nothing_is_built(results, monkeypatch, tmp_path):
    monkeypatch.setattr(paths, "BUILD", tmp_path)
    refused(["serve"], "no book is built yet; `make book` builds it", results)


def test_there_are_many_cases():
    assert len(CHAPTERS) + len(COMMANDS) >= 60
