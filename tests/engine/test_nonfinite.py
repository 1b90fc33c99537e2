"""A step that is not finite: what is decided, said and kept."""

import json
import math

import pytest
import torch
from safetensors.torch import load_file
from torch.distributed.tensor import distribute_tensor

from pmpo.engine.nonfinite import decide, describe_batch, dump_batch, gradient_is_finite, weights_are_finite


@pytest.mark.parametrize(
    ("loss", "gradient", "choice", "scaler", "expected"),
    [
        (False, False, "skip", False, "step"),
        (False, False, "raise", True, "step"),
        (True, False, "skip", False, "skip"),
        (True, False, "raise", False, "raise"),
        (False, True, "skip", False, "skip"),
        (False, True, "raise", False, "raise"),
        (False, True, "raise", True, "overflow"),
        (False, True, "skip", True, "overflow"),
        (True, True, "skip", True, "skip"),
        (True, True, "raise", True, "raise"),
    ],
)
def test_what_becomes_of_a_step(loss, gradient, choice, scaler, expected):
    assert decide(loss, gradient, choice, lambda: scaler) == expected


def test_the_scaler_is_asked_only_where_the_gradient_is_in_question():
    def asked():
        raise AssertionError

    assert decide(False, False, "skip", asked) == "step" and decide(True, True, "skip", asked) == "skip"


def test_gradients_and_weights():
    layer = torch.nn.Linear(2, 2)
    assert gradient_is_finite(layer.parameters()).item(), "there is none yet"
    layer.weight.grad = torch.zeros(2, 2)
    assert gradient_is_finite(layer.parameters()).item() and weights_are_finite(layer)
    layer.weight.grad[0, 1] = math.inf
    assert not gradient_is_finite(layer.parameters()).item()
    layer.bias.requires_grad_(False)
    layer.bias[0] = math.nan
    assert weights_are_finite(layer), "what is not trained is not looked at"
    layer.bias.requires_grad_(True)
    assert not weights_are_finite(layer)


@pytest.fixture
def mesh():
    """One process as a group of its own."""
    torch.distributed.init_process_group("gloo", store=torch.distributed.HashStore(), rank=0, world_size=1)
    yield torch.distributed.device_mesh.init_device_mesh("cpu", (1,))
    torch.distributed.destroy_process_group()


def test_of_a_sharded_model_each_process_looks_at_its_own_part(mesh):
    """Plain tensors come out, which can be reduced, and stacked with those of weights that are not sharded."""
    layer = torch.nn.Linear(2, 2)
    layer.bias.grad = torch.zeros(2)
    weight = distribute_tensor(torch.zeros(2, 2), mesh)
    layer.weight = torch.nn.Parameter(weight)
    layer.weight.grad = weight.clone()
    assert type(gradient_is_finite(layer.parameters())) is torch.Tensor and gradient_is_finite(layer.parameters())
    assert weights_are_finite(layer)
    layer.weight.grad.to_local()[1, 1] = math.nan
    assert not gradient_is_finite(layer.parameters())
    layer.weight.detach().to_local()[0, 0] = math.inf
    assert not weights_are_finite(layer)


def test_zero_3_leaves_an_empty_parameter_with_its_shard_beside_it():
    layer = torch.nn.Linear(2, 2, bias=False)
    layer.weight.ds_tensor, layer.weight.data = torch.tensor([1.0, math.nan]), torch.empty(0)
    assert not weights_are_finite(layer)
    layer.weight.ds_tensor[1] = 0.0
    assert weights_are_finite(layer)


def test_a_batch_is_described_by_the_tokens_that_count():
    mask = torch.tensor([[1, 1, 0], [1, 0, 0]])
    log_probs = torch.tensor([[0.0, math.nan, math.nan], [1.0, math.inf, math.inf]])
    ratios = torch.tensor([[0.5, math.inf, 9.0], [-2.0, 9.0, 9.0]])
    assert describe_batch({"log_probs": log_probs, "ids": mask, "none": None}, mask, ratios) == (
        "1 of 3 numbers in log_probs are not finite; log ratios range from -2 to 0.5 nats; "
        "2 completions of 1 to 2 tokens"
    )
    assert describe_batch({"advantages": torch.tensor([math.nan, 1.0])}, mask, None).startswith("1 of 2 numbers in adv")


def test_a_batch_is_kept_for_people_and_programs(tmp_path):
    tensors = {"a": torch.arange(6.0).reshape(2, 3).T, "b": torch.ones(1, requires_grad=True)}
    folder = dump_batch(tmp_path / "x" / "nonfinite-3", tensors, {"step": 3, "what": "loss"})
    kept = load_file(folder / "batch.safetensors")
    assert all(torch.equal(kept[name], tensors[name].detach()) for name in tensors)
    assert json.loads((folder / "report.json").read_text()) == {"step": 3, "what": "loss"}
