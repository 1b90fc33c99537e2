"""What a run knows without its trainer loads without one: `pmpo train --help` and reports stay fast."""

import subprocess
import sys

LIGHT = (
    "arguments", "base_model", "batch_arithmetic", "data", "folder", "measurement", "mixture", "model", "offered",
    "option_types", "picture_data", "run_arguments", "scratch", "scratch_vision", "settings", "summary", "verdict",
)  # fmt: skip
HEAVY = ("trl", "transformers", "datasets", "accelerate")


def loaded_by(names):
    code = f"import sys, {', '.join(f'pmpo.runs.{name}' for name in names)}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return {name for name in done.stdout.split() if name in HEAVY}


def test_data_model_folder_and_numbers_of_a_run_load_no_trainer():
    assert loaded_by(LIGHT) == set()


def test_the_check_can_fail():
    assert "transformers" in loaded_by(["signals"])
