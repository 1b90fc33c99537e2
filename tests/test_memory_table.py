"""The arithmetic of benchmarks/memory_table.py: hand-computed values, and a counted update."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "benchmarks"))

import memory_arithmetic as arithmetic
import memory_counted as counted
from scale_shapes import Model

SMALL = Model("", 2, 10, 40, 2, 1, 5, 20_000)


def test_the_models_have_their_published_parameters():
    found = {model.name: round(model.parameters / 1e9, 2) for model in arithmetic.MODELS}
    assert found == {"0.5B": 0.49, "1.5B": 1.54, "7B": 7.62, "14B": 14.77}


def test_the_heads_by_hand():
    tokens, rows, words = 5000, arithmetic.TOKENS, arithmetic.WORDS
    gradients = 4 * (tokens * 10 + 20_000 * 10)
    assert arithmetic.trl_head_bytes(SMALL, tokens) == 2 * 4096 * 32_768 + gradients
    assert arithmetic.own_head_bytes(SMALL, tokens) == 6 * rows * words + 6 * words * 10 + gradients
    assert arithmetic.own_head_bytes(SMALL, tokens, "float32") == 4 * rows * words + gradients
    all_logits = 4 * 100 * 20_000  # kept, being no larger than a tile
    assert arithmetic.own_head_bytes(SMALL, 100, "float32") == all_logits + 4 * (100 * 10 + 20_000 * 10)


@pytest.mark.parametrize("head", [counted.whole, counted.chunked])
@pytest.mark.parametrize("checkpoints", [False, True])
def test_an_update_holds_what_the_arithmetic_says(head, checkpoints):
    module = counted.built(counted.LONG)
    if checkpoints:
        counted.checkpointed(module)
    found = counted.peak(module, 2048, head)
    assert found == pytest.approx(counted.arithmetic(2048, checkpoints, head), rel=0.1)
    assert found != pytest.approx(counted.arithmetic(3072, checkpoints, head), rel=0.1)
