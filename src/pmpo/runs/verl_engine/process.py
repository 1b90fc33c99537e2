"""main_ppo as a process of its own, with its Ray cluster, and nothing of either left behind."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import Any

from pmpo.foundation.errors import InputError

_PATIENCE = 20.0
"""Seconds from asking main_ppo to end until it is ended."""


def check_installed() -> None:
    """Raises: InputError where verl is not installed."""
    if importlib.util.find_spec("verl") is None:
        raise InputError(
            "verl is not installed here: pip install 'pmpo[verl]' in an environment of its own (verl asks for "
            "transformers < 5.11, TRL for newer ones), and give the same command there. --dry_run works anywhere."
        )


class SignalledError(Exception):
    """Ctrl-C or SIGTERM came; `number` is the signal's."""

    def __init__(self, number: int) -> None:
        self.number = number
        super().__init__(signal.Signals(number).name)


@contextlib.contextmanager
def signals_raise() -> Iterator[None]:
    """SIGINT and SIGTERM as `SignalledError`, so that what was started is ended in order."""

    def signalled(number: int, frame: FrameType | None) -> None:
        for each in before:  # a second one ends the process at once
            signal.signal(each, signal.SIG_DFL)
        raise SignalledError(number)

    before: dict[int, Any] = {}
    if threading.current_thread() is threading.main_thread():  # elsewhere Python allows no handlers
        before |= {number: signal.signal(number, signalled) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def started(command: Sequence[str], environment: Mapping[str, str], output: Path) -> Iterator[subprocess.Popen[bytes]]:
    """The process, its output in a file. It and its Ray are gone at the end, unless it joined a cluster that was there
    (RAY_ADDRESS), whose jobs Ray ends with their driver."""
    variables = {"HYDRA_FULL_ERROR": "1", "RAY_DEDUP_LOGS": "0", **os.environ, **environment}
    ray_folder = None
    if "RAY_ADDRESS" not in variables and "RAY_TMPDIR" not in variables:
        # Short: Ray puts sockets there, whose names have at most 107 characters.
        ray_folder = Path(tempfile.mkdtemp(prefix="r", dir="/tmp"))
        variables["RAY_TMPDIR"] = str(ray_folder)
    with output.open("ab") as file:
        process = subprocess.Popen(
            command, env=variables, stdout=file, stderr=subprocess.STDOUT, start_new_session=True
        )
        try:
            yield process
        finally:
            _end(process)
            if ray_folder is not None:
                end_ray(ray_folder)


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGINT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_PATIENCE)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def end_ray(ray_folder: Path) -> None:
    """Kill each process that was started with this folder of Ray's, and remove the folder."""
    for _ in range(3):  # a process that dies may just have started another
        pids = _processes_of(ray_folder)
        for pid in pids:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        if not pids:
            break
        time.sleep(0.2)
    shutil.rmtree(ray_folder, ignore_errors=True)


def _processes_of(ray_folder: Path) -> list[int]:
    """Ids of the processes whose environment names this Ray folder; [] where there is no /proc."""
    mark, found = f"RAY_TMPDIR={ray_folder}\0".encode(), []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if int(entry.name) != os.getpid() and mark in (entry / "environ").read_bytes() + b"\0":
                found.append(int(entry.name))
        except OSError:
            continue
    return found


def last_error(output: Path) -> str:
    """The line that says why main_ppo ended."""
    lines = [line.strip() for line in output.read_text(encoding="utf-8", errors="replace").splitlines()]
    named = [line for line in lines if "Error" in line.partition(":")[0] and ": " in line]
    return (named or [line for line in lines if line] or ["it wrote nothing"])[-1][:500]
