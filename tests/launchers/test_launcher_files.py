"""recipes/accelerate: accelerate reads every file, and what the tests of two processes run is what they say."""

from pathlib import Path

import pytest
import yaml
from accelerate.commands.config import load_config_from_file

from pmpo.cli import train

HERE = Path(__file__).parent
RECIPES = sorted((HERE.parents[1] / "recipes" / "accelerate").glob("*.yaml"))
OF_THE_DEVICE = {"mixed_precision", "num_processes", "rdzv_backend", "use_cpu"}
OF_LOADING = {"fsdp_cpu_ram_efficient_loading", "zero3_init_flag"}  # on the GPU, models too large for one process


def settings(path):
    """(those of the launcher, those of FSDP or DeepSpeed), without what differs between GPUs and the tests' CPU."""
    data = yaml.safe_load(path.read_text())
    inner = {**data.pop("fsdp_config", {}), **data.pop("deepspeed_config", {})}
    kept = {key: value for key, value in data.items() if key not in OF_THE_DEVICE}
    return kept, {key: value for key, value in inner.items() if key not in OF_LOADING}


def test_one_for_each_way_to_spread_a_model():
    assert [path.stem for path in RECIPES] == ["ddp", "fsdp2", "zero2", "zero3"]


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_a_recipe_is_read_by_accelerate_and_tested_on_the_cpu(path):
    read = load_config_from_file(str(path))
    assert (read.num_processes, read.num_machines, read.mixed_precision, read.use_cpu) == (8, 1, "bf16", False)
    assert settings(path) == settings(HERE / "configs" / path.name)


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_pmpo_train_takes_it(path, monkeypatch):
    calls = []
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    monkeypatch.setattr("accelerate.commands.launch.launch_command", lambda arguments: calls.append(vars(arguments)))
    assert train.main(["--task", "sums", "--accelerate_config", str(path)]) == 0
    assert calls[0]["config_file"] == str(path)
