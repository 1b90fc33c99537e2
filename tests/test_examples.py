"""The examples run and show what they say."""

import importlib.util
from pathlib import Path

import pytest

from tiny import tiny_model, tiny_tokenizer

EXAMPLES = Path(__file__).parent.parent / "examples"


def load(name):
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_custom_exponent():
    result = load("custom_exponent").main()
    assert result.diagnostics.exponent.tolist() == pytest.approx([1.0, -1.0])
    assert result.loss.requires_grad


def test_train_with_trl(tmp_path):
    tiny_model().save_pretrained(tmp_path / "model")
    tiny_tokenizer().save_pretrained(tmp_path / "model")
    small = {"max_steps": 2, "use_cpu": True, "bf16": False, "report_to": "none", "save_strategy": "no"}
    trainer = load("train_with_trl").main(str(tmp_path / "model"), str(tmp_path / "run"), **small)
    assert trainer.state.global_step == 2 and (tmp_path / "run" / "metrics.jsonl").exists()
