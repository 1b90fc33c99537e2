"""Disks that get full: a small file system where one may be mounted, and a limit on the size of files anywhere.

The disk gets full at an update, by a file that takes what is left but `room`, and there is room again at another one or
when the run has ended.
"""

import os
import resource
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from transformers import TrainerCallback

from forked import in_child
from scenario import train

_BALLAST = "ballast"
_MOUNT = ("mount", "-t", "tmpfs", "-o", "size=2m", "none")


@dataclass(frozen=True)
class Shortage:
    """From the end of update `full_at` there are `room` KB left (or files of at most `file_limit` KB) until the end of
    update `free_at`; None: until the run is over."""

    name: str
    full_at: int
    says: str
    on_save_error: str = "stop"
    free_at: int | None = None
    room: int = 0
    file_limit: int | None = None
    in_trl: bool = True


SHORTAGES = [
    Shortage("no room for model.safetensors, on_save_error stop", 5, "checkpoint-6 could not be written", room=8),
    Shortage("no room for optimizer.pt, on_save_error stop", 5, "checkpoint-6 could not be written", room=48),
    Shortage("no room for the last files, on_save_error stop", 5, "checkpoint-6 could not be written", room=120),
    Shortage("no room from update 5 to 8, on_save_error continue", 5, "checkpoint-6 could not be written",
             "continue", free_at=8, room=40, in_trl=False),
    Shortage("no room at all, not even for metrics.jsonl, on_save_error stop", 4,
             "A line of metrics.jsonl could not be written", room=0),
    Shortage("no room at all from update 4 to 8, on_save_error continue", 4,
             "A line of metrics.jsonl could not be written", "continue", free_at=8, room=0, in_trl=False),
    Shortage("file size limit, on_save_error stop", 5, "checkpoint-6 could not be written", file_limit=32),
    Shortage("file size limit, on_save_error continue", 5, "checkpoint-6 could not be written", "continue",
             free_at=8, file_limit=32, in_trl=False),
]  # fmt: skip


def possible(shortage: Shortage) -> bool:
    """Whether this machine can play it: few let a test mount a file system."""
    return shortage.file_limit is not None or _may_mount()


@cache
def _may_mount() -> bool:
    if os.geteuid() != 0:
        return False
    with tempfile.TemporaryDirectory() as folder:
        if subprocess.run([*_MOUNT, folder], capture_output=True).returncode:
            return False
        subprocess.run(["umount", folder], check=True)
        return True


class _Filler(TrainerCallback):
    def __init__(self, shortage: Shortage, disk: Path) -> None:
        self.shortage, self.disk = shortage, disk

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if state.global_step == self.shortage.full_at:
            self.fill()
        if state.global_step == self.shortage.free_at:
            make_room(self.disk)

    def fill(self) -> None:
        limit = self.shortage.file_limit
        if limit is not None:
            hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit * 1024, hard))
            return
        free = os.statvfs(self.disk)
        with (self.disk / _BALLAST).open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, free.f_bavail * free.f_frsize - self.shortage.room * 1024)


def make_room(disk: Path) -> None:
    """Take back what `_Filler` did."""
    (disk / _BALLAST).unlink(missing_ok=True)
    hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))


@contextmanager
def _disk(path: Path, shortage: Shortage) -> Iterator[None]:
    path.mkdir()
    if shortage.file_limit is not None:
        yield
        return
    subprocess.run([*_MOUNT, str(path)], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", str(path)], check=True)


def play(shortage: Shortage, judge: Callable, kind: str, run: Path, whole: Path) -> Any:
    """Play the shortage through: for "stop", resume after there is room again."""
    disk = run.parent / "disk"
    with _disk(disk, shortage):
        run = disk / "run"
        log = disk.parent / "run"
        changes = {"on_save_error": shortage.on_save_error} if kind == "pmpo" else {}
        filler = _Filler(shortage, disk)
        first = in_child(log, train, kind, run, callback=filler, **changes)
        make_room(disk)
        told = [first.get("message", ""), *first.get("warnings", ())]
        faults = []
        if kind == "pmpo":
            faults = _faults(shortage, first, " ".join(told))
        said = next((f"{first.get('raised', 'warned')}: {text}" for text in told if "could not" in text), told[0])
        ended = first if "raised" not in first else in_child(log, train, kind, run, True, **changes)
        found = judge(kind, shortage.name, run, whole, ended, said)
        message = said if found.message in ("", said) else f"{said}; then: {found.message}"
        return type(found)(found.case, found.outcome, message, (*found.faults, *faults))


def _faults(shortage: Shortage, first: dict, told: str) -> list[str]:
    """What the run that met the full disk failed to say or do."""
    faults = []
    if (first.get("raised") == "CheckpointError") != (shortage.on_save_error == "stop"):
        faults.append(f"on_save_error {shortage.on_save_error}, but {first.get('raised', 'it went on')}")
    for sentence in (shortage.says, "the disk is full", "MB are free there", "newest whole checkpoint is"):
        if sentence not in told:
            faults.append(f"it did not say {sentence!r}")
    return faults
