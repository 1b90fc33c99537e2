"""One call of a worker pool: requests sent ahead to several workers, answers, deadlines, deaths.

Requests wait in a worker's pipe so that it never idles, but each has its own clock, which starts when the answer before
it has come. When a worker is ended or dies, only the request at its head is judged; those behind it go to another.
"""

import json
import selectors
import sys
import time
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

from pmpo.grading.kinds import is_own
from pmpo.grading.processes.worker import OUT_OF_MEMORY
from pmpo.grading.processes.worker_process import WorkerProcess, name_of

START_LIMIT = 120.0
"""Seconds for a worker's imports, on a machine that may be busy; they count against no item."""
MARGIN = 0.95
"""Share of the limit after which a worker is ended, so that its owner has the grade within the limit."""
MOST_AHEAD = 16
_MOST_BYTES_AHEAD = 1 << 15
_QUICK = 0.01  # seconds; behind requests that take longer nothing is made to wait
_LOOK_EVERY = 0.1  # seconds between looks at how large the workers are
_MORE_MEMORY = "Is memory_bytes large enough for the grader's libraries (2**30 is)?"
_WARM = "warm"  # the token of the request that loads a grader; those of items are their row numbers


class Workers(Protocol):
    """What a batch needs of the pool."""

    size: int
    waiters: int

    def take(self, batch: "Batch", block: bool) -> WorkerProcess | None: ...

    def give_back(self, worker: WorkerProcess) -> None: ...


class Batch:
    """The requests of one call, until each is answered."""

    def __init__(self, pool: Workers, requests: Sequence[dict[str, Any]], limit: float) -> None:
        self.pool, self.requests, self.limit = pool, requests, limit
        self._open = deque(range(len(requests)))  # rows that no worker has
        self._answers: dict[int, dict[str, Any]] = {}
        self._crew: list[WorkerProcess] = []
        self._tried_again: set[int] = set()
        self._failed_starts = 0

    def run(self) -> list[dict[str, Any]]:
        """As `WorkerPool.run`."""
        with selectors.DefaultSelector() as self._selector:
            while len(self._answers) < len(self.requests):
                self._hire()
                for worker in self._crew.copy():
                    self._fill(worker)
                if any(worker.waiting for worker in self._crew):
                    self._wait()
                    self._end_overdue()
        return [self._answers[row] for row in range(len(self.requests))]

    def _hire(self) -> None:
        """Workers for what is open, as far as the pool has them; at least one."""
        while self._open and len(self._crew) < min(self.pool.size, len(self.requests) - len(self._answers)):
            worker = self.pool.take(self, block=not self._crew)
            if worker is None:
                return
            self._crew.append(worker)
            self._selector.register(worker.output, selectors.EVENT_READ, worker)

    def _dismiss(self, worker: WorkerProcess) -> None:
        self._crew.remove(worker)
        self._selector.unregister(worker.output)
        self.pool.give_back(worker)

    def _fill(self, worker: WorkerProcess) -> None:
        """Send requests ahead; dismiss a worker for which there are none, or that another thread waits for."""
        wanted_elsewhere = self.pool.waiters and worker is not self._crew[0]
        if not self._open or wanted_elsewhere:
            if not worker.waiting:
                self._dismiss(worker)
            return
        # Towards the end everyone gets less, so that nobody is left with a queue while the others have nothing.
        ahead = min(worker.ahead, 1 + len(self._open) // (2 * len(self._crew)))
        if worker.has_unsent or len(worker.waiting) > ahead // 2:
            return
        size = 0
        while self._open and len(worker.waiting) < ahead and size < _MOST_BYTES_AHEAD:
            size += self._send(worker, self._open.popleft())
        worker.pump_out()

    def _send(self, worker: WorkerProcess, row: int) -> int:
        request = self.requests[row]
        try:
            line = _line({**request, "limit": self.limit})
        except (TypeError, ValueError, RecursionError) as error:
            reason = f"The reference answer cannot be sent to the grader as JSON: {error}."
            self._answers[row] = {"status": "error", "reason": reason, "seconds": 0.0}
            return 0
        if (kind := request["kind"]) not in worker.warm:
            path = [str(Path(entry).absolute()) for entry in sys.path] if is_own(kind) else []
            worker.warm.add(kind)
            worker.send(_WARM, _line({"op": "warm", "kind": kind, "path": path, "limit": START_LIMIT}), START_LIMIT)
        worker.send(row, line, self.limit * MARGIN)
        return len(line)

    def _wait(self) -> None:
        """Until something comes, something can be sent, or something is overdue."""
        deadline = min(worker.deadline for worker in self._crew if worker.waiting)
        blocked = [worker for worker in self._crew if worker.has_unsent]
        for worker in blocked:
            self._selector.register(worker.input, selectors.EVENT_WRITE, worker)
        ready = self._selector.select(min(max(0.0, deadline - time.monotonic()), _LOOK_EVERY))
        for worker in blocked:
            self._selector.unregister(worker.input)
        for key, events in ready:
            if key.data not in self._crew:  # it ended a moment ago, and another file may have its number by now
                continue
            if events & selectors.EVENT_WRITE:
                key.data.pump_out()
            else:
                self._receive(key.data)
        if not ready:
            for worker in self._crew:
                worker.look()

    def _receive(self, worker: WorkerProcess) -> None:
        before, last = worker.began, False
        answers, ended = worker.receive()
        for token, answer in answers:
            last = answer.pop("last", False)
            if token is not _WARM:
                self._answers[token] = answer
            elif "status" in answer:
                # Python's "error return without exception set" while it imports is memory that ran out, too.
                short = answer["status"] == "memory" or "SystemError" in answer["reason"]
                hint = f" {_MORE_MEMORY}" if short else ""
                raise RuntimeError(f"A grading worker could not load its grader. {answer['reason']}{hint}")
            else:
                self._failed_starts = 0
        if last:
            self._retire(worker)
        elif ended:
            self._bury(worker)
        elif answers:
            quick = (worker.began - before) / len(answers) < _QUICK
            worker.ahead = min(2 * worker.ahead, MOST_AHEAD) if quick else 1

    def _end_overdue(self) -> None:
        for worker in self._crew.copy():
            if not self._is_overdue(worker):
                continue
            self._receive(worker)  # this thread may itself have been held up while the answer came
            if worker not in self._crew or not self._is_overdue(worker):
                continue
            reason = f"Grading took longer than its limit of {self.limit:g} s and was ended."
            self._judge(worker, {"status": "timeout", "reason": reason})

    def _is_overdue(self, worker: WorkerProcess) -> bool:
        return worker.deadline is not None and worker.deadline <= time.monotonic()

    def _bury(self, worker: WorkerProcess) -> None:
        """A worker has ended by itself. Whatever it had not taken cannot be the reason, and is tried once more."""
        code = worker.end()
        head = worker.waiting[0][0] if worker.waiting else None
        if head is not None and (worker.has_taken or head in self._tried_again):
            self._judge(worker, _death(code, worker))
            return
        self._tried_again.add(head)
        self._retire(worker)

    def _judge(self, worker: WorkerProcess, verdict: dict[str, Any]) -> None:
        """End the worker; the verdict is on the request at its head."""
        head, _ = worker.waiting.popleft()
        if head is _WARM:
            self._start_failed(verdict["reason"])
        else:
            self._answers[head] = verdict | {"seconds": time.monotonic() - worker.began}
        self._retire(worker)

    def _retire(self, worker: WorkerProcess) -> None:
        """End the worker; what still waits for it is open again."""
        worker.end()
        self._open.extendleft(token for token, _ in reversed(worker.waiting) if token is not _WARM)
        worker.waiting.clear()
        worker.is_unwanted = True
        self._dismiss(worker)

    def _start_failed(self, reason: str) -> None:
        self._failed_starts += 1
        if self._failed_starts > 1:
            raise RuntimeError(f"Two grading workers in turn ended while they started. {reason} {_MORE_MEMORY}")


def _line(request: dict[str, Any]) -> bytes:
    return json.dumps(request, default=_as_plain).encode() + b"\n"


def _as_plain(value: Any) -> Any:
    """Numbers and arrays of numpy and torch, as data sets have them."""
    if hasattr(value, "tolist"):
        return value.tolist()
    raise TypeError(f"a {type(value).__name__} is no text, number, list or dict")


def _death(code: int, worker: WorkerProcess) -> dict[str, Any]:
    if code == OUT_OF_MEMORY or (code < 0 and worker.largest_seen > worker.memory_bytes // 2):
        return {"status": "memory", "reason": f"Grading ran out of memory and its process ended ({name_of(code)})."}
    return {"status": "error", "reason": f"The grading process ended in the middle ({name_of(code)})."}
