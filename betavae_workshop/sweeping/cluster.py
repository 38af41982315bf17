"""A Dask cluster as the crew of a sweep: one that runs already, or one started on this machine for the sweep.

Workers return results and write nothing; the client alone stores them. A lost worker's task goes to another; a lost
scheduler ends the sweep, and the next one trains only what is missing.
"""

import asyncio
import contextlib
import logging
import os
from collections.abc import Iterator
from concurrent.futures import CancelledError, Future

from betavae_core.errors import SweepError, UsageError, first_line
from betavae_core.results import train_live
from betavae_workshop.sweeping import crews

RETRIES = 3  # of a task that fails, or whose worker dies
PATIENCE = 20  # seconds, for a scheduler to answer
LOOK = 1.0  # seconds between looks at whether a client is still there
KINDS = ("GPU", "CPU")  # resources that workers may declare, each one for every task that they can take
SETTINGS = {  # of a cluster started here; one that runs already has its own
    "distributed.scheduler.allowed-failures": RETRIES,
    "distributed.scheduler.worker-ttl": "1 hour",  # a task that holds the GIL keeps its worker silent
    "distributed.admin.tick.limit": "1 hour",  # and that is no reason to warn
    "distributed.worker.memory.target": False,  # nothing here is Dask's to spill: the memory is TensorFlow's
    "distributed.worker.memory.spill": False,
    "distributed.worker.memory.pause": False,
    "distributed.worker.memory.terminate": 0.95,  # of a worker's share, so that one cannot take the machine down
}


@contextlib.contextmanager
def crew(scheduler: str | None, workers: int | None, report) -> Iterator[list[crews.Crew]]:
    """The workers of a Dask cluster, each training on one thread: one crew, or one for each resource they declare.

    UsageError if the address is none, or nothing answers there; SweepError if the scheduler is lost, or a task has
    killed one worker after another.

    Parameters
    ----------
    scheduler : address of a running cluster's scheduler, such as tcp://10.0.0.1:8786
    workers : in place of it, how many to start on this machine. They listen on 127.0.0.1, without a password: what
        reaches a Dask scheduler can run code there, so start none on a machine shared with people you do not trust
    report : called with the dashboard's address, and while there is no worker yet
    """
    with contextlib.ExitStack() as stack:
        logging.disable(logging.ERROR)  # what matters is raised, and told in one line
        stack.callback(logging.disable, logging.NOTSET)
        if workers:  # a cluster of ours: none of the user's own settings, which Dask reads as it loads
            stack.enter_context(crews.single_threaded())
            os.environ |= {"DASK_CONFIG": os.environ["HOME"], "DASK_ROOT_CONFIG": os.environ["HOME"]}
        dask, distributed = _loaded()
        if workers:
            dask.config.refresh(paths=[], env={})  # another one may have loaded it before
            stack.enter_context(dask.config.set(SETTINGS | {"temporary-directory": os.environ["TMPDIR"]}))
        client = stack.enter_context(_connected(distributed, scheduler, workers))
        report(f"Dask dashboard: {client.dashboard_link or 'none (bokeh is missing where the scheduler runs)'}")
        if not client.nthreads():
            report(f"waiting for a first worker at {client.scheduler.address}")
            client.wait_for_workers(1)
        try:
            yield _crews(client, report)
        except distributed.KilledWorker as error:
            raise SweepError(f"one worker after another died of a task, perhaps for want of memory ({error})") from None
        except (CancelledError, distributed.client.ClosedClientError, OSError) as error:
            if getattr(error, "errno", None):
                raise  # the disk's: what Dask says of the network carries no number
            raise SweepError(f"the scheduler is gone; {crews.GOES_ON}") from None


def _loaded() -> tuple:
    """Dask's two packages; UsageError if one is not installed, or if settings of the user's keep it from loading."""
    try:
        import dask.config
        import distributed.client
    except ImportError:
        raise UsageError(
            "Dask is not installed; `pip install distributed bokeh` brings it, and so does `make env`"
        ) from None
    except Exception as error:  # whatever its readers of YAML and of DASK_… raise
        raise UsageError(f"Dask's own settings cannot be read ({first_line(error)})") from None
    return dask, distributed


def _crews(client, report) -> list[crews.Crew]:
    """A crew of all workers; where some declare `KINDS` as their resources, a crew of each kind that is there."""

    def having(kind: str | None) -> list[dict]:
        there = client.scheduler_info(n_workers=-1).get("workers", {}).values()  # no key once the scheduler is lost
        return [worker for worker in there if kind is None or worker["resources"].get(kind)]

    def crew_of(kind: str | None) -> crews.Crew:
        resources = {kind: 1} if kind else None

        def submit(function, *arguments) -> Future:
            task = client.submit(function, *arguments, pure=False, retries=RETRIES, resources=resources)
            outcome: Future = Future()
            outcome.set_running_or_notify_cancel()
            client.loop.add_callback(_pass_on, client, task, outcome)
            return outcome

        return crews.Crew(submit, lambda device: max(1, sum(w["nthreads"] for w in having(kind))), packs=kind != "CPU")

    kinds = [kind for kind in KINDS if having(kind)]
    if idle := len(having(None)) - sum(len(having(kind)) for kind in kinds) if kinds else 0:
        report(f"{idle} of the workers declare neither {' nor '.join(KINDS)}, while others do: they get nothing to do")
    return [crew_of(kind) for kind in kinds or [None]]


async def _pass_on(client, task, outcome: Future) -> None:
    """Settle `outcome` as Dask's `task` ends, or as its client does, whatever ends it.

    Dask itself leaves two kinds of tasks pending for ever when the scheduler is lost: through its own executor those
    whose result is on its way, and those that are submitted while the client closes.
    """
    ending = asyncio.ensure_future(task)
    try:
        while not (await asyncio.wait([ending], timeout=LOOK))[0]:
            if client.status not in ("running", "connecting"):
                raise CancelledError
        outcome.set_result(ending.result())
    except BaseException as error:
        outcome.set_exception(error)
    finally:
        ending.cancel()


async def _answers(scheduler: str) -> None:
    """Connect once and part: a client that cannot connect takes as long again to end, and says so."""
    from distributed.comm.core import connect
    from distributed.security import Security

    comm = await connect(scheduler, timeout=PATIENCE, **Security().get_connection_args("client"))
    await comm.close()


@contextlib.contextmanager
def _connected(distributed, scheduler, workers):
    if workers:

        class Start(distributed.WorkerPlugin):  # in each worker, those that the nanny restarts included
            def setup(self, worker):
                train_live.start_worker()

        local = {"host": "127.0.0.1", "dashboard_address": "127.0.0.1:0", "silence_logs": logging.CRITICAL}
        local["local_directory"] = os.environ["TMPDIR"]  # which goes when this ends
        with (
            distributed.LocalCluster(n_workers=workers, threads_per_worker=1, **local) as cluster,
            distributed.Client(cluster, set_as_default=False) as client,
        ):
            client.register_plugin(Start())
            yield client
        return
    try:
        asyncio.run(_answers(scheduler))
        client = distributed.Client(scheduler, timeout=PATIENCE, set_as_default=False)
    except Exception as error:  # an address, a network, or settings of the user's: TLS, modules that are to be loaded
        raise UsageError(f"no Dask scheduler can be had at {scheduler!r} ({first_line(error)})") from None
    with client:
        yield client
