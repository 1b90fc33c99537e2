"""Worker processes that can be killed: each request has a wall-clock limit, and a worker that overruns it is ended.

A worker is a program that prints {"ready": true} and then answers one JSON line with one JSON line. Nothing here uses
signals or timers of our own process, so it works from any thread.
"""

import atexit
import contextlib
import json
import os
import queue
import selectors
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

Status = Literal["done", "timeout", "crashed", "error"]
_START_LIMIT = 120.0  # seconds for the worker's imports, on a machine that may be busy


@dataclass(frozen=True)
class Outcome:
    """What became of one request: `status`, the worker's `reply` when it is "done", and a sentence about it
    otherwise."""

    status: Status
    reply: dict[str, Any] | None = None
    detail: str = ""


class _Worker:
    """One process; start, ask, kill."""

    def __init__(self, program: Path) -> None:
        # -P keeps the program's own folder off sys.path; fresh memory, no fork: torch's threads do not survive a fork.
        self.process = subprocess.Popen(
            [sys.executable, "-P", str(program)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        self._buffer = b""
        line = self._read_line(time.monotonic() + _START_LIMIT)
        greeting = json.loads(line) if line else {"error": "it ended or hung while it started"}
        if not greeting.get("ready"):
            self.kill()
            raise RuntimeError(f"The worker {program.name} did not start: {greeting.get('error')}.")

    def ask(self, request: dict[str, Any], limit: float) -> Outcome:
        try:
            self.process.stdin.write(json.dumps(request).encode() + b"\n")
            self.process.stdin.flush()
            line = self._read_line(time.monotonic() + limit)
        except OSError:  # the process ended between two requests
            line = b""
        if line is None:
            return Outcome("timeout", detail=f"took more than {limit:g} s")
        if not line:
            return Outcome("crashed", detail="the worker process ended")
        reply = json.loads(line)
        return Outcome("error", detail=reply["error"]) if "error" in reply else Outcome("done", reply)

    def _read_line(self, deadline: float) -> bytes | None:
        """The next line; None when the deadline passes, b"" when the process closed its output."""
        with selectors.DefaultSelector() as selector:
            selector.register(self.process.stdout, selectors.EVENT_READ)
            while b"\n" not in self._buffer:
                remaining = deadline - time.monotonic()
                if remaining <= 0 or not selector.select(remaining):
                    return None
                chunk = os.read(self.process.stdout.fileno(), 65536)
                if not chunk:
                    return b""
                self._buffer += chunk
        line, _, self._buffer = self._buffer.partition(b"\n")
        return line

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()  # without this the dead process stays in the table as a zombie
        self.process.stdout.close()
        with contextlib.suppress(OSError):  # closing flushes, and the reader is gone
            self.process.stdin.close()


class WorkerPool:
    """A few persistent workers for one program, started when first needed, ended at exit. Safe to use from many
    threads."""

    def __init__(self, program: Path, size: int = 2) -> None:
        """`program`: path of the worker's Python file; `size`: number of processes, at least 1."""
        self.program, self.size = program, size
        self._free: queue.LifoQueue[_Worker | None] = queue.LifoQueue()
        for _ in range(size):
            self._free.put(None)  # a seat whose process is yet to be started
        self._living: set[_Worker] = set()
        self._lock = threading.Lock()
        atexit.register(self.close)

    def ask(self, request: dict[str, Any], limit: float) -> Outcome:
        """One request, answered within `limit` seconds of wall clock from when a worker takes it, or "timeout"."""
        worker = self._free.get()
        try:
            if worker is None or worker.process.poll() is not None:
                self._retire(worker)
                worker = self._start()
            outcome = worker.ask({**request, "limit": limit}, limit)
            if outcome.status in ("timeout", "crashed"):
                self._retire(worker)
                worker = None
            return outcome
        except BaseException:
            self._retire(worker)  # an interrupted exchange leaves half a line behind
            worker = None
            raise
        finally:
            self._free.put(worker)

    def ask_all(self, requests: Sequence[dict[str, Any]], limit: float) -> list[Outcome]:
        """All requests, spread over the workers; outcomes in the order of the requests, a limit for each."""
        with ThreadPoolExecutor(max_workers=self.size, thread_name_prefix="pmpo-grade") as threads:
            return list(threads.map(lambda request: self.ask(request, limit), requests))

    def process_ids(self) -> list[int]:
        """The process ids of the workers that are alive now."""
        with self._lock:
            return sorted(worker.process.pid for worker in self._living)

    def close(self) -> None:
        """End every worker. The pool stays usable: the next request starts new ones."""
        with self._lock:
            living, self._living = self._living, set()
        for worker in living:
            worker.kill()

    def _start(self) -> _Worker:
        worker = _Worker(self.program)
        with self._lock:
            self._living.add(worker)
        return worker

    def _retire(self, worker: _Worker | None) -> None:
        if worker is not None:
            with self._lock:
                self._living.discard(worker)
            worker.kill()
