"""The machinery that builds, on a book of three small chapters: real make, kernels and jupyter-book."""

import contextlib
import json
import os
import pty
import re
import shutil
import signal
import site
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import nbformat
import psutil
import pytest

from betavae_core import files, notes, paths
from betavae_core.errors import BuildError, UsageError
from betavae_core.findings import claims
from betavae_workshop.building import chapters, execution, kept, processes, progress, worker
from betavae_workshop.building.progress import Progress
from tests.conftest import copied

HEAD = """---
jupytext: {text_representation: {extension: .md, format_name: myst}}
kernelspec: {display_name: Python 3, language: python, name: python3}
---

"""


class Trio:
    """A project whose three chapters, of one code cell each, note in a file when they run.

    `claims` reads the others' results, so it is executed last, though it stands between them.
    """

    CHAPTERS = ("first", "claims", "theory")
    LEFT = ("_build", "log", "_config.yml", *(f"book/{chapter}.md" for chapter in CHAPTERS))

    def __init__(self, folder, chapters):
        root, *others = (f"book/{chapter}" for chapter in self.CHAPTERS)
        toc = f"format: jb-book\nroot: {root}\nchapters:\n" + "".join(f"  - file: {other}\n" for other in others)
        (chapters / "_toc.yml").write_text(toc)
        copy = copied(folder, chapters)
        shutil.rmtree(folder / "data/results/atlas")  # no chapter here shows one
        self.folder, self.start, self.make, self.page = copy.folder, copy.start, copy.make, copy.page

    def write(self, **code):
        """Write the chapters anew, each with this code in it, and forget what ran before."""
        for built in self.made():
            shutil.rmtree(built) if built.is_dir() else built.unlink()
        (self.folder / "log").write_text("")
        for chapter in self.CHAPTERS:
            cell = f"note = lambda what: print({chapter!r}, what, file=open('log', 'a'))\nnote('starts')\n"
            cell += code.get(chapter, "") + "\nnote('ends')\nprint('seen in', 6 * 7)"
            text = HEAD + f"# On {chapter}\n\nText.\n\n```{{code-cell}} ipython3\n{cell}\n```\n"
            (self.folder / f"book/{chapter}.md").write_text(text)

    def made(self):
        """What was built, but for the picture of links, which takes two seconds to draw."""
        return [built for built in (self.folder / "_build").glob("*") if built.name != "cache"]

    def log(self):
        return (self.folder / "log").read_text().splitlines()

    def keep(self, folder):
        """Copy what was written and built; `restore` brings it back."""
        for name in self.LEFT:
            copy_whole(self.folder / name, folder / name)

    def restore(self, folder):
        for name in self.LEFT:
            copy_whole(folder / name, self.folder / name)


def copy_whole(source, target):
    """A file or a folder in place of what is there, with the times of its files."""
    if source.is_dir():
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(source, target, symlinks=True)
    else:
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source, target)


@pytest.fixture(scope="session")
def trio(tmp_path_factory):
    return Trio(tmp_path_factory.mktemp("trio"), tmp_path_factory.mktemp("chapters"))


@pytest.fixture(scope="session")
def built(trio, tmp_path_factory):
    """Where a book of the three lies that was built once; `theory` has a verdict."""
    trio.write(theory=CLAIMING)
    done = trio.make("book")
    assert (done.returncode, done.stderr) == (0, "")
    folder = tmp_path_factory.mktemp("built")
    trio.keep(folder)
    return folder


def wait_for(condition, build):
    """What a condition finds in the end, while a build goes on; pytest's own time limit ends one that hangs."""
    while not (found := condition()):
        assert build.poll() is None
        time.sleep(0.1)
    return found


THREADS = "import os; note({k: v for k, v in os.environ.items() if k.endswith('THREADS')})\n"
SLOW = "import time; time.sleep(3)\n"
LAST = "import time\nwhile 'theory ends' not in open('log').read(): time.sleep(0.1)\n"  # ends after theory has


def line(told, chapter):
    (found,) = [line for line in told.splitlines() if line.startswith(f"{chapter}: ")]
    return found


def single_threaded(log, chapter):
    (threads,) = [note for note in log if note.startswith(f"{chapter} {{")]
    names = ("TF_NUM_INTRAOP", "TF_NUM_INTEROP", "OMP_NUM", "OPENBLAS_NUM")
    return all(f"'{name}_THREADS': '1'" in threads for name in names)


def test_chapters_run_side_by_side_and_once(trio):
    """What will run is told at once, and each as it ends; what has not changed is neither executed nor rendered."""
    trio.write(first=LAST, theory=THREADS)
    done = trio.make("book", "JOBS=2")
    assert (done.returncode, done.stderr) == (0, "")
    planned = "to execute: first, theory (2 of 3 chapters); then, if they quote what has changed, claims"
    assert done.stdout.splitlines()[0] == planned
    ended = re.findall(r"^(\w+): executed in \d+\.\d s, (\d) of 3$", done.stdout, re.MULTILINE)
    assert [count for _, count in ended] == ["1", "2", "3"]
    assert {name for name, _ in ended[:2]} == {"first", "theory"}  # whose kernel is gone first, is open
    assert ended[2][0] == "claims"
    log = trio.log()
    assert log.index("theory ends") < log.index("first ends")
    assert log[-2:] == ["claims starts", "claims ends"]  # after the others, though it stands before theory
    assert single_threaded(log, "theory")
    pages = [f"page: {trio.folder}/_build/html/book/{chapter}.html" for chapter in trio.CHAPTERS]
    assert done.stdout.splitlines()[-4:] == [*pages, f"book: {trio.folder}/_build/html/index.html"]
    assert all("seen in 42" in trio.page(page.removeprefix("page: ")) for page in pages)

    page = trio.folder / "_build/html/book/theory.html"
    rendered = page.stat().st_mtime_ns
    again = trio.make("book")
    assert again.stdout.splitlines()[:4] == [
        *(f"{name}: up to date" for name in ("first", "theory", "claims")),
        "pages: up to date",
    ]
    assert (trio.log(), page.stat().st_mtime_ns) == (log, rendered)
    with open(trio.folder / "book/static/companion.css", "a") as style:
        style.write("/* changed */\n")
    assert "rendering the pages" in trio.make("book").stdout
    assert trio.log() == log
    assert "changed" in (trio.folder / "_build/html/_static/companion.css").read_text()


@pytest.mark.parametrize("taken", [worker.STARTS - 1, worker.STARTS])
def test_a_kernel_whose_port_another_program_took_starts_again(taken, monkeypatch):
    own, managers = worker._own_kernel(), []
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()

        class Unlucky(own):
            def __init__(self, *arguments, **settings):
                managers.append(self)
                late = {"shell_port": other.getsockname()[1], "cache_ports": False} if len(managers) <= taken else {}
                super().__init__(*arguments, **settings, **late)

        monkeypatch.setattr(worker, "_own_kernel", lambda: Unlucky)
        monkeypatch.setattr(worker, "_partial", lambda chapter: paths.BUILD / f"failed/{os.getpid()}.ipynb")
        source = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("print(6 * 7)")])
        if taken == worker.STARTS:
            with pytest.raises(
                BuildError, match=r"^chapter some failed: Kernel died before .*; see _build/kernels.log$"
            ):
                worker._run("some", source, {})
        else:
            assert "42" in str(worker._run("some", source, {}).cells)
    assert len(managers) == worker.STARTS


def test_every_failure_is_named_with_its_cell_and_what_runs_goes_on(trio):
    trio.write(first="raise RuntimeError('on purpose')", theory=SLOW + "{}['nothing']")
    done = trio.make("book", "JOBS=2")
    assert done.returncode == 2
    assert re.search(
        r"^betavae: chapter first failed in cell \d+: RuntimeError: on purpose \(.*_build/failed/first\.ipynb\)\n"
        r"chapter theory failed in cell \d+: KeyError: 'nothing' \(.*_build/failed/theory\.ipynb\)\n",
        done.stderr,
    )
    assert "Traceback" not in done.stderr
    assert sorted(trio.log()) == ["first starts", "theory starts"]
    assert sorted(file.stem for file in (trio.folder / "_build/failed").iterdir()) == ["first", "theory"]


def test_after_a_failure_no_chapter_starts_and_those_that_run_are_kept(trio):
    trio.write(first="raise RuntimeError('on purpose')", theory=SLOW)
    one = trio.make("book", "JOBS=1")
    assert (one.returncode, trio.log()) == (2, ["first starts"])
    two = trio.make("book", "JOBS=2")
    assert two.returncode == 2
    assert line(two.stdout, "theory").startswith("theory: executed")
    assert re.fullmatch(r"first: failed, \d of 3", line(two.stdout, "first"))
    assert not [note for note in trio.log() if note.startswith("claims")]
    assert line(trio.make("book").stdout, "theory") == "theory: up to date"


def test_a_kernel_or_a_worker_that_is_killed_is_a_failure(trio):
    """Both in one build, each told what it was; a kernel's with the cell."""
    sleeps = "import os, time; note(f'is {os.getpid()}'); time.sleep(60)"
    another = "\n```\n\n```{code-cell} ipython3\n"  # which is not begun
    trio.write(first=sleeps + another, theory="import os, time; time.sleep(1); os.kill(os.getppid(), 9)")
    build = trio.start("book", "JOBS=2")
    (kernel,) = wait_for(lambda: [int(note.split()[-1]) for note in trio.log() if " is " in note], build)
    os.kill(kernel, signal.SIGKILL)
    _, errors = build.communicate()
    assert build.returncode == 2
    assert re.match(
        r"betavae: chapter first failed in cell 1: the kernel was killed, perhaps for want of memory; "
        r"see _build/kernels\.log \(partial notebook: _build/failed/first\.ipynb\)\n"
        r"chapter theory failed: its process was killed \(SIGKILL\)",
        errors,
    )


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_a_build_that_is_stopped_leaves_nothing_running(trio, how):
    endless = "import os, re; note(f'is {os.getpid()}'); re.match('(a+)+b', 'a' * 60)"  # deaf, too, to all but a kill
    trio.write(first=endless, theory=endless)
    build = trio.start("book", "JOBS=2")
    wait_for(lambda: sum(" is " in note for note in trio.log()) == 2, build)
    ours = psutil.Process(build.pid).children(recursive=True)
    assert {int(note.split()[-1]) for note in trio.log() if " is " in note} < {process.pid for process in ours}
    os.killpg(build.pid, how)
    try:
        told, errors = build.communicate()
        assert psutil.wait_procs(ours)[1] == []
    finally:
        for process in ours:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
    assert "Traceback" not in told + errors
    assert build.returncode != 0
    assert ("betavae: interrupted" in errors) == (how == signal.SIGINT)
    assert not [*(trio.folder / "_build").rglob("*.ipynb"), *(trio.folder / "_build").rglob("*.partial")]


CLAIMING = """from betavae_core.findings import claims
claims.record("theory", [claims.Verdict("r-falls", "1", "0 to 2", "held")], {"r-falls": "p2"})
"""


@pytest.mark.parametrize("kept_too", [True, False])
def test_what_was_damaged_after_it_was_executed_is_named_and_made_good(trio, built, kept_too):
    """From what is kept of the execution, or where that is gone, too, by executing the chapter again."""
    trio.restore(built)
    log, executed = trio.log(), trio.folder / "_build/executed/book"
    os.truncate(executed / "theory.ipynb", 700)
    (executed / "theory.claims.json").unlink()
    told = trio.make("claims")
    damaged = f"{executed}/theory.ipynb, {executed}/theory.claims.json"
    expected = f"betavae: damaged or gone: {damaged}; `make book` executes their chapters again"
    assert (told.returncode, told.stdout, told.stderr.splitlines()[0]) == (2, "", expected)
    if not kept_too:
        shutil.rmtree(trio.folder / "_build/kept/theory")
    done = trio.make("book")
    assert (done.returncode, line(done.stdout, "first")) == (0, "first: up to date")
    again = [] if kept_too else ["theory starts", "theory ends"]
    assert trio.log() == [*log, *again]
    assert "held" in trio.make("claims").stdout


@pytest.fixture
def stage(tmp_path):
    """A stage with one chapter, executed and with verdicts, as a build leaves it."""
    (tmp_path / "book").mkdir()
    claims.pending("theory", tmp_path).write_text("[]")
    execution.keep(processes.Job("theory", {}, "digest"), chapters.notebook("theory"), 1.0, tmp_path)
    return tmp_path


def test_a_failed_execution_leaves_the_last_verdicts_and_one_without_withdraws_them(trio, built):
    """`theory` judges otherwise and fails; `first` judged once, and does no more."""
    trio.restore(built)
    old, withdrawn = (claims.file(chapter, trio.folder / "_build/executed") for chapter in ("theory", "first"))
    before = shutil.copyfile(old, withdrawn).read_text()
    theory, first = (trio.folder / f"book/{chapter}.md" for chapter in ("theory", "first"))
    judged = theory.read_text().replace('"1", "0 to 2"', '"third", "0 to 2"')
    theory.write_text(judged.replace("note('ends')", "assert False"))
    first.write_text(first.read_text().replace("Text.", "Other text."))
    assert trio.make("book", "JOBS=2").returncode == 2
    assert "first ends" in trio.log()[-3:]
    assert (old.read_text(), withdrawn.exists()) == (before, False)
    assert trio.make("claims").returncode == 0


def test_a_chapter_of_text_alone_has_no_verdicts(tmp_path, monkeypatch):
    """Neither those of when it had code, nor those of an execution that failed."""
    monkeypatch.setattr(paths, "BUILD", tmp_path)
    (tmp_path / "book").mkdir()
    for file in (claims.file, claims.pending):
        file("references", tmp_path).write_text("[]")
    execution.bring_up_to_date({"references": {}}, tmp_path, lambda line: None)
    assert sorted(file.name for file in (tmp_path / "book").iterdir()) == ["references.ipynb", "references.json"]


def is_done(stage):
    return execution._is_current(processes.Job("theory", {}, "digest"), stage)


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        ("theory.ipynb", lambda file: os.truncate(file, 700)),
        ("theory.ipynb", lambda file: file.unlink()),
        ("theory.claims.json", lambda file: os.truncate(file, 1)),
        ("theory.claims.json", lambda file: file.unlink()),
    ],
)
def test_a_chapter_is_done_only_as_its_execution_left_it(name, damage, stage):
    execution.require_whole(stage)
    assert is_done(stage)
    damage(stage / "book" / name)
    assert not is_done(stage)
    with pytest.raises(UsageError, match=f"^damaged or gone: {stage}/book/{name}; `make book`"):
        execution.require_whole(stage)


@pytest.mark.parametrize("record", ["", "{", "3", "\udcff"])
def test_a_damaged_record_is_none_and_what_lies_beside_it_is_read_before_it_is_used(record, stage):
    (stage / "book/theory.json").write_text(record, errors="surrogateescape")
    assert not is_done(stage)
    execution.require_whole(stage)
    os.truncate(stage / "book/theory.ipynb", 700)
    with pytest.raises(UsageError, match=r"theory\.ipynb; "):
        execution.require_whole(stage)


def test_page_executes_and_renders_one_chapter(trio):
    trio.write(first="raise RuntimeError('not wanted')")
    done = trio.make("page", "CHAPTER=theory")
    page = f"{trio.folder}/_build/page/html/book/theory.html"
    assert (done.returncode, done.stderr, done.stdout.splitlines()[-1]) == (0, "", f"page: {page}")
    assert trio.log() == ["theory starts", "theory ends"]
    assert "seen in 42" in trio.page(page)
    pages = {file.name for file in (trio.folder / "_build/page/html/book").glob("*.html")}
    assert pages == {"theory.html", "first.html"}  # the first page has the contents, where Sphinx enters each page
    assert not (trio.folder / "_build/html").exists()
    assert "theory: up to date" in trio.make("page", "CHAPTER=theory").stdout


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["page", "CHAPTER=nowhere"], "no chapter 'nowhere'; chapters: first, claims, theory"),
        (["book", "JOBS=0"], "0 is not in the range x>=1"),
        (["book", "JOBS=x"], "must be a whole number; got 'x'"),
        (["chapter", "CHAPTER=theory", "BETA=٣"], "has no parameter 'beta'"),
        (["chapter", "CHAPTER=theory", "BETA=$(x)"], "beta must have a value; got an empty one"),
        (["chapter", "CHAPTER=theory", "PARAMS=$(x)"], "PARAMS is empty"),
    ],
)
def test_make_refuses_bad_input_in_one_line(trio, words, message):
    trio.write()
    done = trio.make(*words)
    (ours,) = [line for line in done.stderr.splitlines() if not line.startswith("make: ***")]
    assert (done.returncode, done.stdout) == (2, "")
    assert ours.startswith("betavae: ")
    assert message in ours
    assert trio.made() == []


MISSPELT = [  # what is typed, what the line says
    ("chapter CHAPTER=analytical beta=3", "make chapter: beta: did you mean BETA?"),
    ("chapter CHAPTER=analytical PARAM=beta=3", "make chapter: PARAM: did you mean PARAMS?"),
    ("page CHAPTER=mixing BETA=3", "make page: BETA is not read here (it is by make chapter, make sweep); read are: "),
    ("page chapter=mixing", "make page: chapter: did you mean CHAPTER?"),
    ("sweep EXPERIMENT=mixing beta=3", "make sweep: beta: did you mean BETA?"),
    ("sweep EXPERIMENTS=mixing", "make sweep: EXPERIMENTS: did you mean EXPERIMENT?"),
    ("book PROFIL=thesis", "make book: PROFIL: did you mean PROFILE?"),
    ("book Jobs=1", "make book: Jobs: did you mean JOBS?"),
    ("serve PROT=8001", "make serve: PROT: did you mean PORT?"),
    ("gpu-check LIBRARYS=jax", "make gpu-check: LIBRARYS: did you mean LIBRARY?"),
    ("env EXTRA=test", "make env: EXTRA: did you mean EXTRAS?"),
    ("book BETAVAE_RESULT=none", "make book: BETAVAE_RESULT is not read here; read are: "),
    ("help COLOUR=1", "make help: COLOUR is not read here; read are: VENV, PYTHON, EXTRAS"),
    ("COLOUR=1", "make help: COLOUR is not read here; read are: VENV, PYTHON, EXTRAS"),
    ("lint test JOBS=2", "make lint test: JOBS is not read here (it is by make book); read are: "),
]


@pytest.mark.parametrize(("words", "message"), MISSPELT)
def test_a_variable_that_no_target_reads_is_refused_with_the_nearest_name(trio, words, message):
    """It left its default in place, without a word and with exit code 0."""
    trio.write()
    done = trio.make(*words.split())
    (told,) = done.stderr.splitlines()
    assert (done.returncode, done.stdout) == (2, "")
    assert message in told
    assert trio.made() == []


def test_variables_that_targets_and_programs_read_pass(trio):
    """As the Makefile and the README write them: nothing runs, make only says what would."""
    texts = [(paths.ROOT / name).read_text() for name in ("Makefile", "README.md", "CONTRIBUTING.md")]
    written = {
        tuple(found) for text in texts for found in re.findall(r"^make ([a-z-]+)((?: [A-Z_]+=\S+)+)", text, re.M)
    }
    written |= {("sweep", "EXPERIMENT=mixing BETA=3 PROFILE=smoke"), ("book", "BETAVAE_RESULTS=none PIP_INDEX_URL=x")}
    assert len(written) >= 8
    for target, variables in written:
        done = trio.make("-n", target, *re.findall(r"[A-Z_]+=(?:\"[^\"]*\"|\S+)", variables))
        assert done.returncode == 0, (target, variables, done.stderr)


@pytest.mark.parametrize("target", ["chapter", "page", "sweep"])
def test_make_asks_for_what_it_is_to_run_before_it_installs_anything(trio, target):
    done = trio.make(target, "PYTHON=/nowhere")  # which `make env` would refuse
    assert (done.returncode, done.stdout) == (2, "")
    assert re.search(rf" make {target}: (CHAPTER|EXPERIMENT)=\w+ names an? (chapter|experiment); ", done.stderr)


def test_the_book_is_served_to_this_machine_and_a_port_that_is_taken_is_refused(trio):
    trio.write()
    (trio.folder / "_build/html").mkdir(parents=True)
    (trio.folder / "_build/html/index.html").write_text("the book")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        told = trio.make("serve", f"PORT={port}").stderr.splitlines()[0]
    refused = re.fullmatch(rf"betavae: port {port} cannot be had \(.*in use\); PORT=(\d+) is free", told)
    server = trio.start("serve", f"PORT={refused[1]}")
    try:
        address = server.stdout.readline().removeprefix("book: ").strip()
        assert address == f"http://127.0.0.1:{refused[1]}"
        with urllib.request.urlopen(address) as answer:
            assert answer.read() == b"the book"
        ours = psutil.Process(server.pid).children(recursive=True)
        sockets = [c for process in ours for c in process.net_connections("tcp") if not c.raddr]
        assert [(c.laddr.ip, c.laddr.port) for c in sockets] == [("127.0.0.1", int(refused[1]))]
    finally:
        os.killpg(server.pid, signal.SIGINT)
    assert "Traceback" not in server.communicate()[1]


def test_a_terminal_shows_what_runs(trio):
    trio.write(claims="raise RuntimeError('enough')", theory=THREADS + SLOW)
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "betavae_workshop", "book", "--jobs", "1"]
    build = subprocess.Popen(command, cwd=trio.folder, stdout=subprocess.DEVNULL, stderr=theirs)
    os.close(theirs)
    shown = b""
    while chunk := read(ours):
        shown += chunk
    build.wait()
    os.close(ours)
    assert b"0 of 3 chapters done; running: first 0 s" in shown
    assert re.search(rb"1 of 3 chapters done; running: theory [2-9] s", shown)  # it moves while a chapter runs
    assert b"2 of 3 chapters done; running: claims" in shown
    assert single_threaded(trio.log(), "theory")  # whatever the number of jobs


def read(terminal):
    try:
        return os.read(terminal, 1000)
    except OSError:  # Linux says so when the other side has closed
        return b""


def test_chapters_start_in_the_order_of_what_they_took_last_time(tmp_path, monkeypatch):
    """Here first, then as published; one that was never timed may be the longest."""
    monkeypatch.setattr(execution, "SECONDS", tmp_path / "seconds.json")
    names = ["intro", "theory", "mixing", "beyond", "new"]

    def ordered():
        jobs = [processes.Job(name, {}, "") for name in names]
        return [job.chapter for job in execution._longest_first(jobs, tmp_path)]

    assert ordered() == names
    published = {"intro": 2.0, "theory": 3.0, "mixing": 40.0, "beyond": 9.0}
    files.write_text(tmp_path / "seconds.json", json.dumps(published))
    assert ordered() == ["new", "mixing", "beyond", "theory", "intro"]
    (tmp_path / "book").mkdir()
    files.write_text(tmp_path / "book/theory.json", json.dumps({"seconds": 20.0}))
    assert ordered() == ["new", "mixing", "theory", "beyond", "intro"]


def test_what_chapters_took_is_published():
    took = json.loads(execution.SECONDS.read_text())
    assert set(took) <= set(chapters.names())
    assert took["mixing"] > took["background"] > 0


def test_lines_come_as_chapters_end_and_what_still_runs_is_told_when_none_does(monkeypatch):
    """Without a terminal: the first line of a first build came after four minutes, and none while a network trained."""
    told, clock = [], iter(range(0, 1000, 20))
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(clock))
    monkeypatch.setattr(sys.stderr, "isatty", lambda: False)
    note = notes.Note("trains 1 network at β = 3, about 40 s", 400, 1000, "network 1 of 1, epoch 400 of 1,000")
    with Progress(["a", "b", "c"], told.append) as shown:
        shown.planned(["c", "a"], ["b"])
        shown.executed("c", "executed in 1.0 s")
        running = {"a": progress.Running(31.4, note)}
        for _ in range(3):  # the clock goes on by 20 seconds at each look
            shown.running(running)
        shown.executed("a", "executed in 90.0 s")
    assert told == [
        "to execute: c, a (2 of 3 chapters); then, if they quote what has changed, b",
        "c: executed in 1.0 s, 1 of 3",
        "a: trains 1 network at β = 3, about 40 s",
        "running: a 31 s (network 1 of 1, epoch 400 of 1,000) (1 of 3 chapters done)",
        "a: executed in 90.0 s, 2 of 3",
    ]


def test_a_terminal_shows_a_bar(monkeypatch, capsys):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "200")
    note = notes.Note("trains 2 networks", 500, 2000, "network 1 of 2, epoch 500 of 1,000")
    with Progress(["a", "b"], print) as shown:
        shown.running({"a": progress.Running(9.6, note), "b": progress.Running(3.2)})
    now = "0 of 2 chapters done; running: a 10 s [###---------] network 1 of 2, epoch 500 of 1,000, b 3 s"
    assert now in capsys.readouterr().err


def test_what_a_reader_s_sitecustomize_prints_is_no_answer(trio, tmp_path):
    """It ended any chapter in JSONDecodeError, since a worker answered on its standard output."""
    trio.write()
    venv = tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", "--system-site-packages", venv], check=True)
    own = next(venv.glob("lib/*/site-packages"))
    (own / "beside.pth").write_text(f"{site.getsitepackages()[0]}\n")
    (own / "sitecustomize.py").write_text("print('good morning')\nprint('and more')\n")
    (venv / "bin/jupyter-book").symlink_to(Path(sys.executable).with_name("jupyter-book"))
    done = trio.make("book", f"PYTHON={venv}/bin/python")
    assert (done.returncode, done.stderr) == (0, "")
    assert len(re.findall(r"^\w+: executed in", done.stdout, re.MULTILINE)) == 3


def test_executions_are_kept_so_that_undoing_a_word_executes_nothing(trio, built):
    trio.restore(built)
    chapter = trio.folder / "book/theory.md"
    before, log = chapter.read_text(), trio.log()
    chapter.write_text(before.replace("Text.", "Other text.").replace('"1", "0 to 2"', '"1", "0 to 3"'))
    assert "theory: executed in" in trio.make("book").stdout
    more = trio.log()
    assert more == [*log, "theory starts", "theory ends", "claims starts", "claims ends"]
    chapter.write_text(before)
    again = trio.make("book")
    assert line(again.stdout, "theory") == "theory: as executed before"
    assert line(again.stdout, "claims") == "claims: as executed before"
    chapter.write_text(before.replace("Text.", "A third text."))
    assert line(trio.make("book").stdout, "claims") == "claims: up to date"  # it quotes verdicts alone
    chapter.write_text(before)
    trio.make("book")
    more += ["theory starts", "theory ends"]
    assert trio.log() == more
    assert "Other text" not in trio.page("_build/html/book/theory.html")


def test_an_unchanged_variant_is_neither_executed_nor_rendered_again(trio, built):
    trio.restore(built)
    first = trio.make("chapter", "CHAPTER=theory")
    assert first.returncode == 0
    assert "claims: as executed before" in first.stdout.splitlines()  # it quotes the same verdicts
    page = trio.folder / "_build/variants/theory/html/book/theory.html"
    log, rendered = trio.log(), page.stat().st_mtime_ns
    withdrawn = claims.file("first", trio.folder / "_build/variants/theory/executed")
    withdrawn.write_text("[]")
    again = trio.make("chapter", "CHAPTER=theory")
    assert not withdrawn.exists()
    assert again.stdout.splitlines()[-2:] == ["pages: up to date", f"page: {page}"]
    assert (trio.log(), page.stat().st_mtime_ns) == (log, rendered)


def test_what_is_kept_has_a_limit(tmp_path, monkeypatch):
    """The last few of each chapter, and the newest of all within the bytes; one that is used again counts as new."""
    monkeypatch.setattr(paths, "BUILD", tmp_path)
    monkeypatch.setattr(kept, "LAST", 3)
    file = tmp_path / "theory.ipynb"
    for i in range(5):
        file.write_text(str(i))
        kept.keep("theory", f"digest {i}", [file])
        os.utime(tmp_path / "kept/theory" / f"digest {i}", ns=(i, i))
    found = [bool(kept.restore("theory", f"digest {i}", tmp_path)) for i in range(5)]
    assert found == [False, False, True, True, True]
    kept.keep("other", "digest", [file])
    for age, name in enumerate(["theory/digest 3", "other/digest", "theory/digest 4", "theory/digest 2"]):
        os.utime(tmp_path / "kept" / name, ns=(age, age))
    monkeypatch.setattr(kept, "MOST", 2)
    kept._prune()
    left = sorted(str(each.relative_to(tmp_path / "kept")) for each in (tmp_path / "kept").glob("*/*"))
    assert left == ["theory/digest 2", "theory/digest 4"]
