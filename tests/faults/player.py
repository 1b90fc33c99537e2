"""Starts the warm process and plays cases in it, one after another."""

import json
import subprocess
import sys
from pathlib import Path
from types import TracebackType

_WARM = Path(__file__).parent / "warm.py"


class Player:
    """`Player("pmpo", folder).play(name)` gives the outcome of a case as a dict; a context manager."""

    def __init__(self, kind: str, folder: Path) -> None:
        self._log = (folder / f"{kind}.log").open("w")
        self._process = subprocess.Popen(
            [sys.executable, str(_WARM), kind, str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
        )

    def play(self, name: str) -> dict:
        """The outcome of the case `name`. Raises: RuntimeError with the process's last words when it broke."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(f"{name}\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"The process that plays cases ended:\n{Path(self._log.name).read_text()[-3000:]}")
        return json.loads(line)

    def __enter__(self) -> "Player":
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._process.communicate()  # closes its stdin, at which it ends
        self._log.close()
