"""Runs a function in a forked child, which may be killed, and tells how it ended.

A fork takes milliseconds where a new process would import torch for five seconds. The parent must have imported
everything and computed nothing: a child of a process with threads can stand still.
"""

import json
import os
import signal
import sys
import time
import traceback
from pathlib import Path

LONGEST = 120
"""Seconds after which a child is killed by its own alarm."""


def in_child(folder, function, *arguments, kill_after=None, since=None, **named):
    """Call the function in a child; what it prints goes to `<folder>.log`.

    Args:
        kill_after: seconds after which the child gets SIGKILL, counted from when the path `since` is there.
    Returns: {"signal": number}, {"raised": type, "message": text, "warnings": the error's
        notes}, or the function's own dict.
    """
    answer = Path(f"{folder}.json")
    answer.unlink(missing_ok=True)
    child = os.fork()
    if child == 0:
        signal.alarm(LONGEST)
        log = os.open(f"{folder}.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        os.dup2(log, 1)
        os.dup2(log, 2)
        _answer(answer, function, arguments, named)
        sys.stdout.flush()
        os._exit(0)
    status = _wait(child) if kill_after is None else _kill_later(child, kill_after, since)
    if os.WIFSIGNALED(status):
        return {"signal": os.WTERMSIG(status)}
    return json.loads(answer.read_text())


def _wait(child):
    return os.waitpid(child, 0)[1]


def _kill_later(child, seconds, since):
    deadline = None
    while deadline is None or time.monotonic() < deadline:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return status
        if deadline is None and since.exists():
            deadline = time.monotonic() + seconds
        time.sleep(0.001)
    os.kill(child, signal.SIGKILL)
    return _wait(child)


def _answer(path, function, arguments, named):
    try:
        result = function(*arguments, **named) or {}
    except BaseException as error:
        traceback.print_exc()
        told = "\n".join(getattr(error, "__notes__", [])).splitlines()
        result = {"raised": type(error).__name__, "message": " ".join(str(error).split()), "warnings": told}
    path.write_text(json.dumps(result))
