"""benchmarks/triton_gpu.py runs, as far as it can without a GPU."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip(
    "triton", reason="Triton is not installed: `pip install triton` (Linux); it runs here without a GPU"
)
torch = pytest.importorskip("torch")

SCRIPT = Path(__file__).parent.parent.parent / "benchmarks" / "triton_gpu.py"


def run(*arguments):
    return subprocess.run([sys.executable, str(SCRIPT), *arguments], capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_it_writes_times_and_errors_of_every_contender(tmp_path):
    done = run("--interpret", "--lengths", "40", "--presets", "grpo", "--output", str(tmp_path / "gpu.json"))
    assert done.returncode == 0, done.stderr
    found = json.loads((tmp_path / "gpu.json").read_text())
    assert {(row["what"], row["dtype"]) for row in found["speed"]} >= {
        (what, dtype) for what in ("copy", "fused", "reference") for dtype in ("float32", "bfloat16")
    }
    assert {row["bytes"] for row in found["speed"]} == {2 * 40 * 13, 2 * 40 * 7}, "3 values and a byte a token"
    assert all(error < 20.0 for row in found["errors"] for error in row["fused"].values())
    assert "| grpo | fused |" in done.stdout and "no times" in (tmp_path / "gpu.md").read_text()


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU, and it would be measured")
def test_without_a_gpu_it_says_so():
    done = run()
    assert done.returncode == 1 and "No GPU here" in done.stderr and "--interpret" in done.stderr
