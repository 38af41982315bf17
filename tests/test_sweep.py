"""Real training in real spawned processes: the smoke profile, of twenty images instead of a hundred."""

import contextlib
import json
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from betavae_core.errors import SweepError
from betavae_core.results import planning, record, store, sweep, train_member
from betavae_core.results.members import Member, Specification
from betavae_core.theory.terms import SCALARS
from betavae_workshop import cli
from betavae_workshop.commands import following
from betavae_workshop.sweeping import crews, publishing, running, survey, writing
from tests.conftest import betavae, heed_interrupts, lines, without

REMEMBERED = json.loads((Path(__file__).parent / "remembered_members.json").read_text())
SMOKE = ["mixing", "--profile", "smoke", "--samples", "20"]
SAME_NUMERICS = 0.02  # relative, and in nats: other processors sum in another order, twenty steps amplify it little


def small(**wanted):
    """Members of what SMOKE trains."""
    return planning.plan("mixing", "smoke", samples=20, **wanted)


@pytest.mark.slow
def test_a_sweep_runs_what_is_missing_and_the_worker_count_decides_nothing(results, crew, monkeypatch, tmp_path):
    members = small()
    assert len(list(running.run(members[1:], crews.here(2)))) == 3
    assert survey.survey(members).missing == members[:1]
    assert [m for m, _ in running.run(survey.survey(members).missing, crew)] == members[:1]
    plan = survey.survey(members)
    assert (plan.missing, plan.working, plan.diverged) == ([], members, [])
    first = {m.key: store.read(m).attrs["checksum"] for m in members}
    monkeypatch.setenv("BETAVAE_RESULTS", str(tmp_path / "again"))
    list(running.run(members[::-1], crew))
    assert {m.key: store.read(m).attrs["checksum"] for m in members} == first
    dataset = sweep.load("mixing", profile="smoke", samples=20)
    assert dict(dataset.sizes)["beta"] == 2
    assert np.isfinite(dataset.tie).all()


PACKED = 1e-3  # relative: float32 sums in another order, forty steps on


@pytest.mark.slow
@pytest.mark.parametrize(("pack", "xla"), [(4, False), (4, True)])
def test_a_pack_gives_each_member_its_own_numbers(pack, xla):
    """As a GPU trains them: several β and realizations at once, one of them diverging beside sound ones."""
    specification = Specification("localisation", samples=100, epochs=40)
    members = [Member(specification, float(1 + i), i % 3) for i in range(pack - 1)]
    members.append(Member(specification, 1e30, 1))  # float32 overflows
    together = train_member.trained(members, xla)[2]
    [(alone, _)] = train_member.trained(members[1:2])[2]
    assert np.isnan(together[-1][0]["tie"])
    assert together[1][1]["pack"] == pack
    assert set(together[1][0]) == set(alone)
    for name in ("objective", "reconstruction_heldout", "kl_prior", "tie", "tie_raw"):
        assert together[1][0][name] == pytest.approx(alone[name], rel=PACKED), name


def test_a_packed_sweep_stores_single_members(results, crew):
    members = small()
    told = []
    done = list(running.run(members, crew, pack=3, report=told.append))
    assert [m for m, _ in done] == members
    assert [p["pack"] for _, p in done] == [3, 3, 3, 1]
    assert told == ["3 members together on CPU, 1 worker"]
    assert survey.survey(members).working == members


def test_closing_early_stores_the_whole_pack_in_hand(results, crew):
    members = small()[:3]
    going = running.run(members, crew, pack=3)
    assert next(going)[0] == members[0]
    going.close()
    assert survey.survey(members).working == members


def test_a_crew_has_as_many_tasks_in_hand_as_it_counts(results):
    """Never one more, which an interrupted sweep would wait for."""
    now, most = [], []

    def task(members, keys, xla):
        now.append(members)
        most.append(len(now))
        time.sleep(0.1)
        now.remove(members)
        return [(dict.fromkeys(SCALARS, 1.0), {}) for _ in members]

    members = small(realizations=3)
    with ThreadPoolExecutor(len(members)) as pool:
        few = crews.Crew(
            lambda work_on, *rest: pool.submit(task if work_on is crews.task else work_on, *rest), lambda _: 2
        )
        assert {member for member, _ in running.run(members, contextlib.nullcontext([few]))} == set(members)
    assert max(most) == 2


def test_the_pack_is_halved_until_it_fits():
    assert crews.largest(lambda count: count <= 100, 512) == 64
    assert crews.largest(lambda count: True, 300) == 300
    assert crews.largest(lambda count: False, 300) == 0


@pytest.mark.parametrize("optimiser", ["adam", "soap"])
def test_memory_is_tried_with_the_optimiser_that_will_train(optimiser, monkeypatch):
    used, fit = [], train_member.fit
    monkeypatch.setattr(train_member, "fit", lambda spec, *rest: used.append(spec) or fit(spec, *rest))
    assert crews.fits(Specification("mixing", samples=20, optimiser=optimiser), 2, xla=False)
    assert [(spec.optimiser, spec.epochs) for spec in used] == [(optimiser, 2)]


@pytest.mark.slow
def test_a_diverged_member_is_recorded(results, crew):
    wild = Member(Specification("mixing", samples=50, epochs=60, learning_rate=1e6), 1.0, 0)
    list(running.run([wild], crew))
    assert survey.survey([wild]).diverged == [wild]
    assert np.isnan(store.collect([wild]).tie).all()


@pytest.fixture
def lacking(results):
    """Four stored members without a term that was defined later."""
    members, latents = small(), dict.fromkeys(("latent_mean", "latent_std"), np.ones((2, 2)))
    for each in members:
        writing.write(each, dict.fromkeys(SCALARS, 1.0) | latents, {})
        found = store.read(each).drop_vars("tie")
        writing.save(found.assign_attrs(checksum=record.checksum(found)), store.path(each))
    return members


def test_a_network_that_diverges_when_it_is_trained_again_is_left_alone(lacking, monkeypatch):
    known = {each.key: 2.0 for each in lacking[:3]}
    monkeypatch.setattr(crews, "task", lambda _, keys, xla: [(dict.fromkeys(SCALARS, known.get(*keys, np.nan)), {})])
    with ThreadPoolExecutor(1) as pool:
        here = contextlib.nullcontext([crews.Crew(pool.submit, lambda _: 1)])
        monkeypatch.setattr(crews, "here", lambda jobs: here)
        result = CliRunner().invoke(cli.main, ["evaluate", *SMOKE])
    assert result.stdout == "mixing,samples=20,epochs=20: filled in for 3; their known terms come out within 1 nats\n"
    assert (
        lines(result.stderr)[-1]
        == "mixing,samples=20,epochs=20: 1 diverged when trained again, and are left as they are"
    )
    assert publishing.lacking(lacking) == lacking[3:]
    assert "tie" not in store.read(lacking[3])


def test_an_interrupted_evaluation_counts_what_it_has_filled_in(lacking, monkeypatch):
    def fill_in(members, gaps, crew):
        gaps += publishing.complete({members[0]: dict.fromkeys(SCALARS, 1.0)})
        yield members[0], {}
        raise KeyboardInterrupt

    monkeypatch.setattr(publishing, "fill_in", fill_in)
    result = CliRunner().invoke(cli.main, ["evaluate", *SMOKE])
    assert result.exit_code == 130
    assert lines(result.stderr)[-1] == "interrupted: 1 of 4 are done; the same command goes on from there"


def test_a_worker_with_other_digits_is_refused(results):
    members = small()[:1]
    with pytest.raises(SweepError, match="a worker has other digits"):
        crews.task(members, ["0" * 64], xla=False)


@pytest.mark.slow
def test_threads_of_one_worker_do_not_share_a_trainer(results):
    members = small()
    with ThreadPoolExecutor(3) as pool:
        threads = [pool.submit(crews.task, [member], [member.key], False) for member in members]
        together = [thread.result()[0][0] for thread in threads]
    for member, values in zip(members, together, strict=True):
        [(alone, _)] = train_member.trained([member])[2]
        assert values["tie"] == pytest.approx(alone["tie"], rel=PACKED)


def test_another_start_trains_other_weights_on_the_same_images():
    members = [Member(Specification("mixing", samples=20, epochs=2, start=start), 1.0, 3) for start in (0, 1)]
    fitted = [train_member.fitted([member]) for member in members]
    (one, [(images, _)], _), (other, [(same, _)], _) = fitted
    np.testing.assert_array_equal(images.standardised, same.standardised)
    assert abs(one.kernels[0] - other.kernels[0]).max() > 0.01


@pytest.mark.parametrize("experiment", REMEMBERED)
def test_remembered_members_come_out_the_same(experiment):
    """A silent change of numerics is caught: short members, re-trained and compared with committed numbers."""
    [(values, _)] = train_member.trained([Member(Specification(experiment, samples=100, epochs=20), 2.0, 1)])[2]
    for name, expected in REMEMBERED[experiment].items():
        assert values[name] == pytest.approx(expected, rel=SAME_NUMERICS, abs=SAME_NUMERICS), name


def test_explain_runs_nothing_and_loads_no_tensorflow(results):
    done = without("tensorflow", "sweep", "mixing", "--explain", "--beta", "3", "--realizations", "2")
    assert done.returncode == 0, done.stderr
    assert done.stdout == "beta 3: in no store, realizations 0 to 1\n"
    assert not results.exists()


def test_a_sweep_says_what_diverged_and_status_what_no_profile_asks_for(results, crew, monkeypatch):
    monkeypatch.setattr(crews, "here", lambda jobs: crew)
    smoke = ["sweep", "mixing", "--profile", "smoke", "--realizations", "1"]
    wild = [*smoke, "--learning-rate", "1e30", "--beta", "1,3"]
    first = CliRunner().invoke(cli.main, wild)
    assert "training diverged in 2 of 2, at beta 1, 3\n" in first.stderr
    assert "0 members to train, 2 there already, 2 of them diverged" in CliRunner().invoke(cli.main, wild).stderr
    [sound] = planning.plan("mixing", "smoke", betas=[3.0], realizations=1)
    writing.write(sound, dict.fromkeys(SCALARS, 1.0), {})
    assert (
        CliRunner().invoke(cli.main, [*smoke, "--beta", "3"]).stderr.endswith("0 members to train, 1 there already\n")
    )
    told = CliRunner().invoke(cli.main, ["status", "mixing", "--profile", "smoke"]).stdout
    assert told.splitlines()[-1] == "  beta 3           1 that profile smoke does not ask for"


def test_status_counts_by_beta_and_store(results):
    done = betavae("status")
    assert done.returncode == 0, done.stderr
    assert "mixing: " in done.stdout
    assert "  beta 0.1 " in done.stdout


def test_what_is_in_hand_when_drawing_is_interrupted_is_kept(monkeypatch):
    """The second task is in hand at the interrupt, and ends once the third is cancelled: no speed decides that."""
    begun, futures = threading.Event(), []

    def work(i):
        if i == 1:
            begun.set()
            for _ in range(1000):  # ten seconds, should it never be
                if futures and futures[2].cancelled():
                    break
                time.sleep(0.01)
        return i

    def interrupted(tasks):
        monkeypatch.undo()
        futures.extend(tasks)
        futures[0].result()
        yield futures[0]
        begun.wait(30)
        raise KeyboardInterrupt

    monkeypatch.setattr(crews, "as_completed", interrupted)
    with ThreadPoolExecutor(1) as pool:
        here, found = contextlib.nullcontext([crews.Crew(pool.submit, lambda _: 1)]), []
        with pytest.raises(KeyboardInterrupt):
            for wanted, result in crews.each_done(here, work, {i: (i,) for i in range(9)}):
                found.append((wanted, result))
    assert found == [(0, 0), (1, 1)]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_second_interrupt_ends_at_once(number, capsys):
    def training():
        try:
            signal.raise_signal(number)
            yield
        finally:
            heeded.append(signal.getsignal(number))

    heeded, before = [], signal.getsignal(number)
    with pytest.raises(SystemExit, match="130"):
        following.with_progress(training(), [0], lambda members: members)
    assert heeded == [signal.SIG_DFL] and signal.getsignal(number) == before
    assert "interrupted; what is in hand is finished and kept (Ctrl-C again drops it)" in capsys.readouterr().err


@pytest.mark.slow
def test_interrupting_finishes_the_members_in_hand_and_resumes(results):
    words = [sys.executable, "-m", "betavae_workshop", "sweep", *SMOKE, "--epochs", "150"]
    words += ["--realizations", "6", "--jobs", "1"]
    first = subprocess.Popen(words, stderr=subprocess.PIPE, text=True, preexec_fn=heed_interrupts)
    folder = results / "mixing"
    while not list(folder.glob("*.nc")) and first.poll() is None:
        time.sleep(0.1)
    first.send_signal(signal.SIGINT)
    _, told = first.communicate()
    assert first.returncode == 130
    assert told.count("interrupted; what is in hand is finished and kept (Ctrl-C again drops it)") == 1
    assert "Traceback" not in told
    kept = len(list(folder.glob("*.nc")))
    assert 1 <= kept < 12
    assert lines(told)[-1] == f"interrupted: {kept} of 12 are done; the same command goes on from there"
    assert list(folder.glob(".*")) == []
    members = small(realizations=6, epochs=150)
    assert len(survey.survey(members).missing) == 12 - kept


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 100 KiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=100k", "tmpfs", folder], capture_output=True).returncode:
        pytest.skip("mounting a file system takes root")
    yield folder
    subprocess.run(["umount", folder], check=True)


@pytest.mark.slow
def test_a_full_disk_gets_one_line_and_leaves_whole_members(small_disk, monkeypatch):
    monkeypatch.setenv("BETAVAE_RESULTS", str(small_disk))
    done = betavae("sweep", "mixing", "--profile", "smoke", "--realizations", "3", "--jobs", "1")
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith("betavae: [Errno 28] No space left on device")
    assert "Traceback" not in done.stderr
    plan = survey.survey(planning.plan("mixing", "smoke", realizations=3))
    assert len(plan.working) >= 1
    assert len(list((small_disk / "mixing").iterdir())) == len(plan.working)


def test_missing_digits_and_an_unwritable_store_get_one_line(results, tmp_path):
    done = betavae("sweep", "mixing", "--profile", "smoke", BETAVAE_DIGITS=str(tmp_path / "none.npz"))
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "no MNIST digits at" in done.stderr
    (tmp_path / "file").write_text("")
    done = betavae("sweep", "mixing", "--profile", "smoke", BETAVAE_RESULTS=str(tmp_path / "file" / "results"))
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "Not a directory" in done.stderr


@pytest.mark.slow
def test_a_read_only_store_gets_one_line_before_anything_is_trained(small_disk, monkeypatch):
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    monkeypatch.setenv("BETAVAE_RESULTS", str(small_disk))
    for folder in (small_disk, small_disk / "deeper"):
        monkeypatch.setenv("BETAVAE_RESULTS", str(folder))
        done = betavae("sweep", "mixing", "--profile", "smoke")
        assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr
        assert "Read-only file system" in done.stderr
