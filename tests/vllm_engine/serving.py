"""Processes around a real vLLM on CPUs: the environment that they need, TRL's server, and the worker that trains."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gloo_transfer

HERE = Path(__file__).parent
SETTINGS = {
    "VLLM_CPU_KVCACHE_SPACE": "1",  # GiB
    "VLLM_CPU_OMP_THREADS_BIND": "nobind",
    "VLLM_HOST_IP": "127.0.0.1",
    "VLLM_LOGGING_LEVEL": "WARNING",
    "VLLM_NO_USAGE_STATS": "1",
    "TORCHDYNAMO_DISABLE": "1",  # for tiny models compiling takes longer than everything else
    "HF_HUB_OFFLINE": "1",
    "OMP_NUM_THREADS": "1",
}
_PATIENCE = 600.0  # seconds until a server answers; some 40 on two idle cores


def environment(folder: Path) -> dict[str, str]:
    """That of every vLLM process; `folder` takes the plugin with the stand-in for NCCL."""
    paths = [gloo_transfer.plugin_folder(folder), str(HERE), str(HERE.parent), str(HERE.parent / "integrations")]
    own = os.environ.get("PYTHONPATH")
    return {**os.environ, **SETTINGS, "PYTHONPATH": os.pathsep.join([*paths, *([own] if own else [])])}


def free_port() -> int:
    """A port of this machine that nobody listens on now."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


@contextlib.contextmanager
def served(model: Path, folder: Path, environ: dict[str, str]) -> Iterator[str]:
    """The address of `trl vllm-serve` with `model` in float32, stopped afterwards; its log is folder/server.log."""
    port = free_port()
    transfer = json.dumps({"backend": gloo_transfer.BACKEND})
    command = [str(Path(sys.executable).parent / "trl"), "vllm-serve", "--model", str(model), "--dtype", "float32"]
    command += ["--host", "127.0.0.1", "--port", str(port), "--enforce_eager", "true", "--max_model_len", "64"]
    log = folder / "server.log"
    with log.open("w") as file:
        server = subprocess.Popen(
            [*command, "--weight-transfer-config", transfer],
            env=environ, stdout=file, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
    try:
        _wait(server, port, log)
        yield f"http://127.0.0.1:{port}"
    finally:
        _stop(server)


def _wait(server: subprocess.Popen, port: int, log: Path) -> None:
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        if server.poll() is not None:
            break
        time.sleep(0.5)
    raise AssertionError(f"the server did not come up:\n{log.read_text()[-3000:]}")


def _stop(server: subprocess.Popen) -> None:
    """The whole group: the engine and its workers are processes of their own."""
    for kind in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(server.pid, kind)
        with contextlib.suppress(subprocess.TimeoutExpired):
            server.wait(timeout=20)


def run(command: list[Any], environ: dict[str, str], seconds: float = 900.0) -> str:
    """What a command printed; it must succeed."""
    done = subprocess.run([*map(str, command)], env=environ, capture_output=True, text=True, timeout=seconds)
    assert done.returncode == 0, (done.stdout + done.stderr)[-5000:]
    return done.stdout


def trained(mode: str, model: Path, folder: Path, environ: dict[str, str], *address: str) -> dict[str, Any]:
    """What `train_worker` found, by name."""
    result = folder / f"{mode}.json"
    run([sys.executable, HERE / "train_worker.py", mode, model, result, *address], environ)
    return json.loads(result.read_text())
