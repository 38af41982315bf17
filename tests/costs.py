"""What the tests cost in processor time, by file: a table at the end of every run, summed over its workers.

Counted is the test worker itself and every process below it, those that still run included (a browser, a kernel, a
training process). What a test starts outlives it at times: a fixture's cost counts for the test that needs it first.
"""

import contextlib
import json
import os
from collections import Counter
from pathlib import Path

import psutil
import pytest

SHARE = 0.02  # of the suite: a test that costs more says why in its docstring
GATHERING = "reading the tests"


class Clock:
    """Processor time of this process and all below it, in seconds, since it was read last."""

    def __init__(self):
        self.last = 0.0

    def lap(self) -> float:
        """Seconds since the last lap; never negative, though what a killed process had used may be lost."""
        now = sum(os.times()[:4])
        for process in psutil.Process().children(recursive=True):
            with contextlib.suppress(psutil.Error):
                now += sum(process.cpu_times()[:4])
        spent, self.last = max(now - self.last, 0.0), now
        return spent


clock = Clock()


def pytest_collection_finish(session):
    """What it took to read the tests, which each worker does."""
    getattr(session.config, "workeroutput", {})["gathering"] = session.config.gathering = clock.lap()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """A test's report carries what it took, its fixtures' beginnings and ends included."""
    report = (yield).get_result()
    if report.when == "teardown":
        report.processor_seconds = clock.lap()


class Table:
    """What each test took, in the process that reports them all."""

    def __init__(self):
        self.spent = Counter()

    def pytest_runtest_logreport(self, report):
        self.spent[report.nodeid] += getattr(report, "processor_seconds", 0.0)

    def pytest_testnodedown(self, node):
        self.spent[GATHERING] += getattr(node, "workeroutput", {}).get("gathering", 0.0)

    def pytest_terminal_summary(self, terminalreporter, config):
        self.spent[GATHERING] += getattr(config, "gathering", 0.0)
        files, counts = Counter(), Counter()
        for test, seconds in self.spent.items():
            file = test.partition("::")[0]
            files[file] += seconds
            counts[file] += test != GATHERING
        whole = files.total() or 1.0
        terminalreporter.section("processor time by file")
        for file, seconds in files.most_common():
            terminalreporter.write_line(f"{seconds:8.1f} s {seconds / whole:6.1%} {counts[file] or '':>5}  {file}")
        terminalreporter.write_line(f"{whole:8.1f} s {1:6.0%} {counts.total():>5}  in all")
        suite = config.args_source == pytest.Config.ArgsSource.TESTPATHS  # none was named on the command line
        for test, seconds in self.spent.most_common() if suite else ():
            if seconds > SHARE * whole and test != GATHERING:
                terminalreporter.write_line(f"over {SHARE:.0%}: {seconds:.1f} s  {test}")
        if to := os.environ.get("COSTS"):
            Path(to).write_text(json.dumps(self.spent))


def pytest_configure(config):
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(Table(), "costs")
