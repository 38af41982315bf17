"""A real Dask cluster on loopback: a scheduler and workers in processes of their own, some of them killed."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from concurrent.futures import wait

import cloudpickle
import psutil
import pytest
from distributed import Client
from distributed.client import ClosedClientError

from betavae_core.errors import SweepError
from betavae_core.results import netcdf, planning, store
from betavae_core.theory.terms import SCALARS
from betavae_workshop.sweeping import cluster as dask_cluster
from betavae_workshop.sweeping import running, survey, writing
from tests.conftest import lines

pytestmark = pytest.mark.slow
SIZE = {"samples": 20, "epochs": 20}
MANY = 100  # realizations: more than are trained before a scheduler is killed
SMALL = ["mixing", "--profile", "smoke", *(word for name, value in SIZE.items() for word in (f"--{name}", str(value)))]


def small(realizations):
    return planning.plan("mixing", "smoke", realizations=realizations, **SIZE)


def dask(*words):
    command = [sys.executable, "-m", "dask", *words]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)


@pytest.fixture
def cluster(request, tmp_path):
    """Address and processes of a cluster, started as a user would: a worker of each kind, or of those asked for.

    Workers draw no dashboards of their own: each would load Bokeh, and a second time below its nanny.
    """
    file = tmp_path / "scheduler.json"
    where = ["--scheduler-file", str(file), "--dashboard-address", "127.0.0.1:0"]
    scheduler = dask("scheduler", "--host", "127.0.0.1", "--port", "0", *where)
    one = ["--host", "127.0.0.1", "--nthreads", "1", "--no-dashboard"]
    kinds = getattr(request, "param", ("GPU", "CPU"))
    workers = [dask("worker", *where[:2], *one, "--resources", f"{kind}=1") for kind in kinds]
    try:
        wait_for(lambda: file.exists() and file.read_text().endswith("}"))
        yield json.loads(file.read_text())["address"], scheduler, workers
    finally:
        for process in (*workers, scheduler):
            for child in family(process.pid):
                child.kill()
            process.wait()


@pytest.fixture
def start(results):
    """Function that starts a small sweep into an empty store; what it started is gone when the test ends."""
    started = []

    def begin(*words, **variables):
        command = [sys.executable, "-m", "betavae_workshop", "sweep", *SMALL, *words]
        started.append(subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env={**os.environ, **variables}))
        return started[-1]

    yield begin
    for process in started:
        for child in family(process.pid):
            child.kill()
        process.wait()
        process.stderr.close()


def family(pid):
    try:
        process = psutil.Process(pid)
        return [*process.children(recursive=True), process]
    except psutil.NoSuchProcess:
        return []


def lives(process):
    try:
        return process.is_running() and process.status() != "zombie"
    except psutil.NoSuchProcess:
        return False


def wait_for(condition):
    """Until it holds, however long the machine takes; pytest's own time limit ends what hangs."""
    while not condition():
        time.sleep(0.2)


def stored(results):
    return sorted((results / "mixing").glob("*.nc"))


def restrictions(dask_scheduler):
    """What resources the tasks of a cluster ask for."""
    return {tuple(task.resource_restrictions or ()) for task in dask_scheduler.tasks.values()}


class Heavy:
    """A result that takes a minute to be sent."""

    def __reduce__(self):
        time.sleep(60)
        return Heavy, ()


def states(dask_scheduler):
    """How far each task of a cluster is."""
    return [task.state for task in dask_scheduler.tasks.values()]


def packs(results, known):
    """How many were trained together, of the members that only the second sweep wants; each file is read once."""
    for file in set(stored(results)) - set(known):
        attributes = netcdf.loaded(file).attrs
        known[file] = attributes["pack"] if attributes["realization"] > 2 else None
    return set(known.values()) - {None}


def test_a_sweep_outlives_its_workers_but_not_its_scheduler(results, start, cluster, crew, tmp_path, monkeypatch):
    """Over 2 % of the suite: four processes load TensorFlow and train, one of them in place of one that was killed."""
    address, scheduler, workers = cluster
    client = start("--realizations", "3", "--scheduler", address)
    wait_for(lambda: stored(results))
    nanny = psutil.Process(workers[0].pid)
    victim = max(nanny.children(recursive=True), key=lambda child: child.memory_info().rss)  # the one with TensorFlow
    victim.send_signal(signal.SIGKILL)
    _, told = client.communicate()
    assert client.returncode == 0, told
    assert "Dask dashboard: http://127.0.0.1:" in told
    assert len(stored(results)) == 6
    by_dask = {member.key: store.read(member).attrs["checksum"] for member in small(3)}

    with Client(address, set_as_default=False) as known:
        known.wait_for_workers(2)  # the one that was killed is back
    client = start("--realizations", str(MANY), "--scheduler", address, "--pack", "3")
    known_packs = {}
    wait_for(lambda: packs(results, known_packs) == {1, 3})  # each kind of workers has its own
    with Client(address, set_as_default=False) as known:
        wait_for(lambda: known.run_on_scheduler(restrictions) == {("GPU",), ("CPU",)})
    scheduler.kill()
    _, told = client.communicate()
    assert client.returncode == 1, told
    assert told.splitlines()[-1].startswith("betavae: the scheduler is gone; what was trained is stored")
    assert "Traceback" not in told
    kept = {file: file.stat().st_mtime_ns for file in stored(results)}
    assert 9 < len(kept) < 2 * MANY
    whole = 1 + len(kept) // 2
    plan = survey.survey(small(whole))
    assert plan.missing
    assert len(survey.survey(small(MANY)).working) == len(kept)
    done = {member for member, _ in running.run(plan.missing, crew)}
    assert done == set(plan.missing)
    assert {file: file.stat().st_mtime_ns for file in kept} == kept  # only missing members ran again

    monkeypatch.setenv("BETAVAE_RESULTS", str(tmp_path / "serial"))
    list(running.run(small(3), crew))
    assert {member.key: store.read(member).attrs["checksum"] for member in small(3)} == by_dask


BROKEN = {  # settings of the user's, by variable or by file, and what a line says of them where they count
    "a preload that is not there": ({"DASK_DISTRIBUTED__CLIENT__PRELOAD": "nothing.here"}, "No module named 'nothing'"),
    "TLS without a certificate": (
        {"DASK_DISTRIBUTED__COMM__REQUIRE_ENCRYPTION": "true"},
        "encryption required by Dask configuration",
    ),
    "broken YAML": ({"DASK_CONFIG": "{folder}"}, "Dask's own settings cannot be read .*broken.yaml' is malformed"),
}


def settings_of(case, folder):
    (folder / "broken.yaml").write_text("distributed: [")
    return {name: value.format(folder=folder) for name, value in BROKEN[case][0].items()}


def test_a_cluster_started_here_leaves_nothing_behind_and_is_none_of_the_user_s_settings_business(
    results, start, tmp_path
):
    """They ended it in up to 120 lines of traceback; and it left dask-scratch-space where temporary files go."""
    own, place = tmp_path / "own", tmp_path / "temporary"
    own.mkdir()
    place.mkdir()
    given = {name: value for case in BROKEN for name, value in settings_of(case, own).items()}
    given |= {f"DASK_DISTRIBUTED__{who}__PRELOAD": "nothing.here" for who in ("SCHEDULER", "NANNY", "WORKER")}
    client = start("--workers", "2", **given, TMPDIR=str(place))
    wait_for(lambda: stored(results) or client.poll() is not None)
    children = family(client.pid)[:-1]
    _, told = client.communicate()
    assert client.returncode == 0, told
    assert len(children) >= 2
    first, dashboard, crew, stored_in = lines(told)  # and nothing of what TensorFlow says as it loads
    assert re.fullmatch(r"mixing,.*: 4 members to train, 0 there already", first)
    assert re.fullmatch(r"Dask dashboard: http://127.0.0.1:\d+/status", dashboard)
    assert crew == "one member at a time on CPU, 2 workers"
    assert stored_in == f"stored in {results}/mixing"
    assert len(stored(results)) == 4
    assert list(place.iterdir()) == []
    wait_for(lambda: not any(map(lives, children)))


@pytest.mark.parametrize("cluster", [()], indirect=True, ids=["no worker"])  # none is reached
def test_settings_that_count_for_a_running_cluster_are_told_in_one_line(results, cluster, tmp_path):
    address, *_ = cluster
    command = [sys.executable, "-m", "betavae_workshop", "sweep", *SMALL, "--scheduler", address]
    for case, (_, message) in BROKEN.items():
        variables = {**os.environ, **settings_of(case, tmp_path)}
        done = subprocess.run(command, capture_output=True, text=True, env=variables)
        planned, told = lines(done.stderr)
        assert (done.returncode, planned[:6]) == (2, "mixing"), case
        assert re.match(f"betavae: .*{message}", told), case


@pytest.mark.parametrize("way", [["--jobs", "1"], ["--workers", "1"]])
def test_killing_the_client_leaves_whole_files_and_no_process(results, start, way):
    client = start("--realizations", "20", *way)
    wait_for(lambda: stored(results))
    children = family(client.pid)
    os.kill(client.pid, signal.SIGKILL)
    client.communicate()
    wait_for(lambda: not any(map(lives, children)))
    plan = survey.survey(small(20))
    assert len(plan.working) == len(stored(results)) >= 1
    writing.write(plan.missing[0], dict.fromkeys(SCALARS, 0.0), {})
    assert not list((results / "mixing").glob(".*")), "what a dead process left half-written is swept away"


def test_a_killed_training_process_ends_the_sweep_in_one_line(results, start):
    client = start("--realizations", "20", "--jobs", "1")
    wait_for(lambda: stored(results))
    max(family(client.pid)[:-1], key=lambda child: child.memory_info().rss).kill()
    _, told = client.communicate()
    assert client.returncode == 1, told
    assert told.splitlines()[-1].startswith("betavae: a training process was killed")
    assert "Traceback" not in told
    assert len(survey.survey(small(20)).working) == len(stored(results)) >= 1


def test_two_sweeps_racing_on_one_store_share_it(results, start):
    """They train some members twice, never a file in halves; both end well."""
    racers = [start("--jobs", "1") for _ in range(2)]
    for racer in racers:
        _, told = racer.communicate()
        assert racer.returncode == 0, told
        assert re.fullmatch(r"mixing,.*: \d members to train, \d there already", lines(told)[0])
        assert lines(told)[1:] == ["one member at a time on CPU, 1 worker", f"stored in {results}/mixing"]
    plan = survey.survey(small(2))
    assert (plan.missing, len(plan.working)) == ([], 4)
    assert len(list((results / "mixing").iterdir())) == 4


@pytest.mark.parametrize("cluster", [["CPU"]], indirect=True, ids=["one worker"])
def test_no_task_of_a_lost_scheduler_is_waited_for_be_its_result_on_its_way_or_submitted_since(cluster, monkeypatch):
    address, scheduler, _ = cluster
    monkeypatch.setattr(dask_cluster, "PATIENCE", 2)  # how long a client looks for its scheduler before it closes
    cloudpickle.register_pickle_by_value(sys.modules[__name__])
    with (
        Client(address, set_as_default=False) as known,
        pytest.raises(SweepError, match="the scheduler is gone"),
        dask_cluster.crew(address, None, lambda told: None) as [one, *_],
    ):
        futures = [one.submit(Heavy)]
        wait_for(lambda: known.run_on_scheduler(states) == ["memory"])
        scheduler.kill()
        with pytest.raises(ClosedClientError):
            while True:
                futures.append(one.submit(Heavy))
                time.sleep(0.001)
        assert not wait(futures).not_done
        futures[0].result()
