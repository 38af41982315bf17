"""Execute one chapter in this process, which is one of `processes`: text notebook → papermill → executed notebook."""

import json
import os
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

from betavae_core import paths
from betavae_core.errors import BuildError, UsageError, first_line
from betavae_core.paths import BUILD
from betavae_workshop import environment, pipes
from betavae_workshop.building import chapters, execution, processes
from betavae_workshop.building.processes import Job

STARTS = 3  # of a kernel, at most


def main() -> None:
    """Take a job from standard input and say through the pipe how it ended; nothing if this process is at fault."""
    with pipes.answer() as answer:
        *job, stage = json.loads(sys.stdin.readline())
        threading.Thread(target=_end_with_the_build, args=[_partial(job[0])], daemon=True).start()
        try:
            told = True, execute(Job(*job), Path(stage))
        except (BuildError, UsageError) as error:  # of a chapter that was edited meanwhile, for one
            told = False, str(error)
        except OSError as error:  # a full disk, for one
            told = False, f"chapter {job[0]} failed: {first_line(error)}"
        json.dump(told, answer)


def _end_with_the_build(partial: Path) -> None:
    """When standard input ends the build has: end the kernel, and this process with it."""
    import psutil

    os.read(0, 1)
    for process in psutil.Process().children(recursive=True):
        process.kill()
    partial.unlink(missing_ok=True)
    os._exit(1)


def _partial(chapter: str) -> Path:
    """Where a chapter lies as far as it has come; it stays there if it fails."""
    return BUILD / "failed" / f"{chapter}.ipynb"


def execute(job: Job, stage: Path) -> str:
    """Execute a chapter into the stage and return what to say of it; if it fails the last good one stays."""
    started = time.perf_counter()
    done = _run(job.chapter, chapters.notebook(job.chapter), job.values)
    seconds = time.perf_counter() - started
    same = execution.digest_of(job.chapter, job.values, stage) == job.digest  # as when the job was made
    execution.keep(job if same else job._replace(digest=""), done, seconds, stage)
    return f"executed in {seconds:.1f} s{'' if same else '; what it is made of was changed meanwhile'}"


def _run(chapter: str, source, values: dict):
    import nbclient.exceptions
    import papermill

    partial = _partial(chapter)
    partial.parent.mkdir(parents=True, exist_ok=True)
    kept, log = f"(partial notebook: {partial.relative_to(paths.ROOT)})", processes.LOG.relative_to(paths.ROOT)
    try:
        done = _with_a_kernel(lambda settings: papermill.execute_notebook(source, str(partial), values, **settings))
    except papermill.PapermillExecutionError as error:
        what = f"{error.ename}: {error.evalue.strip() or _last_written(partial)}".splitlines()[0]
        raise BuildError(f"chapter {chapter} failed in cell {error.exec_count}: {what} {kept}") from None
    except nbclient.exceptions.DeadKernelError:
        cause = f"the kernel was killed, perhaps for want of memory; see {log}"
        raise BuildError(f"chapter {chapter} failed in cell {_begun(partial)}: {cause} {kept}") from None
    except RuntimeError as error:
        raise BuildError(f"chapter {chapter} failed: {first_line(error)}; see {log}") from None
    partial.unlink()
    return _tidied(chapter, done)


def _with_a_kernel(execute: Callable):
    """What `execute` returns, given settings of papermill; anew, if the kernel died before it answered.

    It is told free ports, and another program may take one of them before it does: two kernels that start at once.
    """
    import nbclient.exceptions

    settings = {"kernel_name": "python3", "progress_bar": False, "cwd": str(paths.ROOT)}
    settings["kernel_manager_class"] = _own_kernel()
    for left in reversed(range(STARTS)):
        try:
            return execute(settings)
        except nbclient.exceptions.DeadKernelError:
            raise  # it died later
        except RuntimeError:
            if not left:
                raise


def _own_kernel() -> type:
    """Who starts kernels: this interpreter's own, whatever `python3` is among those installed for its user."""
    from ipykernel.kernelspec import RESOURCES, get_kernel_dict
    from jupyter_client.kernelspec import KernelSpec
    from jupyter_client.manager import AsyncKernelManager

    class OwnKernel(AsyncKernelManager):
        first = f"--IPKernelApp.exec_lines=__import__('gc').set_threshold{environment.SELDOM}"
        kernel_spec = KernelSpec(resource_dir=RESOURCES, **get_kernel_dict([first]))

    return OwnKernel


def _code_cells(partial: Path) -> list[dict]:
    return [c for c in json.loads(partial.read_text(encoding="utf-8"))["cells"] if c["cell_type"] == "code"]


def _begun(partial: Path) -> int:
    """How many code cells of a partial notebook were begun: the number of the one in which it ended."""
    return sum(bool(cell["metadata"]["papermill"].get("start_time")) for cell in _code_cells(partial))


def _last_written(partial: Path) -> str:
    """The last line on standard error, where IPython tells of a line of its own that fails."""
    errors = [o for cell in _code_cells(partial) for o in cell["outputs"] if o.get("name") == "stderr"]
    return "".join("".join(output["text"]) for output in errors).strip().rpartition("\n")[2]


def _tidied(chapter: str, done):
    """The executed notebook without what differs from run to run, and with the injected cell hidden like its model."""
    tags = next((c.metadata.tags for c in done.cells if "parameters" in c.metadata.get("tags", [])), [])
    done.metadata.pop("papermill", None)
    for i, cell in enumerate(done.cells):
        cell.id = f"{chapter}-{i}"
        cell.metadata.pop("papermill", None)
        cell.metadata.pop("execution", None)
        if "injected-parameters" in cell.metadata.get("tags", []):
            cell.metadata.tags += [tag for tag in tags if tag != "parameters"]
        if cell.cell_type == "code":
            cell.outputs = [o for o in cell.outputs if o.get("name") != "stderr"]
    return done


if __name__ == "__main__":
    main()
