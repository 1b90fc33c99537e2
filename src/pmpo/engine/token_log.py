"""tokens.jsonl: the token samples of a run in a file that never grows beyond a bound."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pmpo.engine.metrics_log import MetricsLog
from pmpo.foundation.files import write_whole

LIMIT = 2_000_000
"""Bytes of a run's file."""
EVENTS_AT_LEAST = 4
"""Events of the largest size that find room; a larger one loses completions."""


class TokenLog(MetricsLog):
    """Appends samples as `MetricsLog` does; when the file is full, every second one of them goes, the newest stays.

    So older events lie further apart than newer ones. A sample that cannot be written is left out.
    """

    def __init__(self, path: Path, limit: int = LIMIT) -> None:
        super().__init__(path)
        self._limit = limit

    def append(self, step: int, numbers: Mapping[str, Any]) -> OSError | None:
        """One event, with "completions" among its `numbers`.

        Returns: why it could not be written; else None.
        """
        kept = list(numbers["completions"])
        while len(kept) > 1 and len(json.dumps(kept)) > self._limit // EVENTS_AT_LEAST:
            kept.pop()
        problem = super().append(step, {**numbers, "completions": kept})
        self._unwritten = []
        if problem is None:
            try:
                self._thin()
            except OSError as error:
                return error
        return problem

    def _thin(self) -> None:
        if self.path.stat().st_size <= self._limit:
            return
        lines = self.path.read_text(encoding="utf-8").splitlines(keepends=True)  # JSON of ASCII alone
        while len(lines) > 1 and sum(map(len, lines)) > self._limit:
            lines = [*lines[:-1:2], lines[-1]] if len(lines) > 2 else lines[-1:]
        write_whole(self.path, "".join(lines))
