"""Runs side by side, each in a process of its own that is forked from a warm one.

The process that every run is forked from has imported TRL once (`preload`), which takes eight seconds; a fork takes
milliseconds, shares nothing that a run writes, and may be killed. A worker ends by itself as soon as the study's
process is gone, however it ended.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import sys
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any

from pmpo.comparison.results import CRASHED, RunResult
from pmpo.comparison.study import PlannedRun
from pmpo.foundation.errors import InputError, shortened
from pmpo.foundation.locks import locked
from pmpo.runs.studies.folder import ended, write_result

LOG = "log.txt"
"""What a run says, in its folder."""
_ATTEMPTS = 2
"""A run whose process was killed from outside begins again once; killed twice, it counts as crashed."""
_GRACE = 300.0
"""Seconds that runs have for an orderly end when the study is stopped."""
_NOT_KNOWN = 255
"""What multiprocessing says of the end of a process when the one that it was forked from is gone too."""
_TICK = 0.5
"""Seconds between two looks at the display."""


@dataclass(frozen=True)
class Task:
    """One run to be made.

    Attributes:
        folder: where it writes; `name` of it in the study's folder stands in the result.
        more: what the function that makes it wants beside it.
    """

    run: PlannedRun
    folder: Path
    more: Any = None


MakeRun = Callable[[Task], RunResult | None]
"""Makes a run and returns its result; None when it was stopped in order, to go on another time. It must be found by its
name in a module: it is called in another process."""


@dataclass
class _Worker:
    task: Task
    process: Any
    attempt: int
    started: float


def warm_context(preload: Iterable[str]) -> Any:
    """A context for `run_side_by_side` whose processes have these modules loaded."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(list(preload))
    return context


def run_side_by_side(
    tasks: Iterable[Task], make: MakeRun, jobs: int, context: Any, look: Callable[[list[float]], None] | None = None
) -> Iterator[tuple[Task, RunResult]]:
    """Every run's result, as they end; a process that ends without one gives a result with the status crashed.

    Args:
        jobs: processes at a time.
        context: of `multiprocessing`.
        look: called about twice a second with the seconds that the runs under way have taken.
    """
    waiting = deque((task, 1) for task in tasks)
    workers: list[_Worker] = []
    try:
        while waiting or workers:
            while waiting and len(workers) < jobs:
                workers.append(_start(*waiting.popleft(), make, context))
            wait([worker.process.sentinel for worker in workers], timeout=_TICK if look else None)
            if look is not None:
                look([time.monotonic() - worker.started for worker in workers])
            for worker in [one for one in workers if one.process.exitcode is not None]:
                workers.remove(worker)
                result = ended(worker.task.folder)
                if result is None and _killed(worker) and worker.attempt < _ATTEMPTS:
                    waiting.appendleft((worker.task, worker.attempt + 1))
                    continue
                yield worker.task, result if result is not None else _crashed(worker)
    finally:
        _stop(workers)


def in_worker(function: Callable[..., Any], *arguments: Any, context: Any) -> Any:
    """What a function returns when it is called in a process of the context.

    Raises: InputError when it does; RuntimeError when its process ends without an answer.
    """
    here, there = context.Pipe(duplex=False)
    process = context.Process(target=_answer, args=(there, function, arguments))
    process.start()
    there.close()
    try:
        kind, value = here.recv()
    except EOFError:
        process.join()
        raise RuntimeError(f"{function.__name__} failed in its process; what it said stands above.") from None
    process.join()
    if kind == "refused":
        raise InputError(value)
    return value


def _answer(there: Any, function: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    _end_with_the_study()
    try:
        there.send(("done", function(*arguments)))
    except InputError as error:
        there.send(("refused", str(error)))


def _start(task: Task, attempt: int, make: MakeRun, context: Any) -> _Worker:
    process = context.Process(target=_work, args=(task, make), name=task.run.name)
    process.start()
    return _Worker(task, process, attempt, time.monotonic())


def _killed(worker: _Worker) -> bool:
    """Whether a person or the system has ended the process, and not a fault in it."""
    return worker.process.exitcode in (-9, -15, _NOT_KNOWN)


def _crashed(worker: _Worker) -> RunResult:
    code = worker.process.exitcode
    how = f"was killed {worker.attempt} times" if _killed(worker) else f"ended with status {code}"
    return crashed(worker.task, f"Its process {how}; see {LOG} in its folder.", time.monotonic() - worker.started)


def crashed(task: Task, message: str, seconds: float) -> RunResult:
    """The result of a run that came to no end of its own; written down in its folder as well."""
    run = task.run
    result = RunResult(
        objective=run.objective,
        settings=dict(run.settings),
        seed=run.seed,
        status=CRASHED,
        curve=(),
        steps=0,
        wall_seconds=round(seconds, 1),
        folder=f"runs/{run.name}",
        configuration=run.configuration,
        message=message,
    )
    write_result(task.folder, result)
    return result


def _stop(workers: list[_Worker]) -> None:
    """Ask the runs under way to end, which saves what they have done, and end those that do not."""
    for worker in workers:
        worker.process.terminate()
    deadline = time.monotonic() + _GRACE
    for worker in workers:
        with contextlib.suppress(KeyboardInterrupt):  # a second Ctrl-C: do not wait
            worker.process.join(max(0.0, deadline - time.monotonic()))
        if worker.process.exitcode is None:
            worker.process.kill()
            worker.process.join()


# ---- in the worker's process ----------------------------------------------------------------------------------------


def _work(task: Task, make: MakeRun) -> None:
    os.setsid()  # Ctrl-C in a terminal is for the study, which then stops its workers in order
    _end_with_the_study()
    task.folder.mkdir(parents=True, exist_ok=True)
    _write_to(task.folder / LOG)
    started = time.monotonic()
    try:
        _wait_until_free(task.folder)
        if ended(task.folder) is None:
            result = make(task)
            if result is not None:
                write_result(task.folder, result)
    except Exception as error:
        traceback.print_exc()
        crashed(task, f"{type(error).__name__}: {_one_line(error)}", time.monotonic() - started)
    sys.stdout.flush()
    sys.stderr.flush()
    # No clean-up of what libraries hold: a destructor that hangs or fails would make another end of a run that is done.
    os._exit(0)


def _end_with_the_study() -> None:
    """Ends this process when the one that began the study is gone, or the one it was forked from, which tells of its
    end: nothing may write on in a folder that the next one takes over."""
    study, forked_from = multiprocessing.parent_process(), os.getppid()

    def watch() -> None:
        while os.getppid() == forked_from and not wait([study.sentinel], timeout=1.0):
            pass
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _wait_until_free(folder: Path, longest: float = 120.0) -> None:
    """Until the worker of a study that was killed is gone."""
    deadline = time.monotonic() + longest
    while True:
        try:
            with locked(folder):
                return
        except InputError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def _write_to(path: Path) -> None:
    """Send what this process prints to a file."""
    log = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.close(log)
    sys.stdout, sys.stderr = (os.fdopen(fd, "w", buffering=1, closefd=False, encoding="utf-8") for fd in (1, 2))


def _one_line(error: BaseException) -> str:
    return shortened(" ".join(str(error).split()), 500)
