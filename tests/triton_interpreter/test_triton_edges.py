"""The Triton kernel at the edges: extremes, garbage, dtypes, strides, and what it refuses."""

import os
import subprocess
import sys

import pytest
import torch

pytest.importorskip(
    "triton", reason="Triton is not installed: `pip install triton` (Linux); it runs here without a GPU"
)

import pmpo
from pmpo.kernels import triton_launch
from pmpo.kernels.plan import CannotFuseError, plan_of
from triton_calls import CONTEXT, assert_close, fused, reference, rows_of

PMPO = pmpo.objective("pmpo", kl_coef=0.1)
INFINITE = float("inf")


def one_each(values, dtype=torch.float64, **changes):
    """A completion for every value, the log ratio of whose third token it is."""
    batch = rows_of(9, rows=1, dtype=dtype, reference=True)
    batch = {name: each.repeat(len(values), *[1] * (each.dim() - 1)) for name, each in batch.items()}
    batch["mask"][:] = True
    batch["new"], batch["reference"] = batch["old"] + 0.1, batch["old"] + 0.05
    batch["new"][:, 2] = batch["old"][:, 2] + torch.tensor(values, dtype=dtype)
    return batch | changes


@pytest.mark.parametrize("sign", [1.0, -1.0])
@pytest.mark.parametrize("name", ["grpo", "pmpo", "sapo", "dppo", "dppo_kl", "holderpo", "cispo"])
def test_extreme_log_ratios(name, sign):
    """Beyond ±80 nats the value stays and the gradient is 0; at exactly ±80 it flows."""
    batch = one_each([50.0, 80.0, -80.0, 1000.0, -1000.0])
    batch["new"][:, 2] = batch["new"][:, 2] - batch["old"][:, 2]
    batch["old"][:, 2], batch["new"][:, 2] = 0.0, batch["new"][:, 2].round()
    batch["advantages"] = sign * batch["advantages"].abs()
    objective = pmpo.objective(name, max_completion_length=9, kl_coef=0.0, exponent=0.7 if name == "holderpo" else None
                               or pmpo.OBJECTIVES[name].exponent)  # fmt: skip
    got, (_, gradient_BT, _) = fused(objective, batch), reference(objective, batch)
    scale_B1 = gradient_BT.abs().amax(dim=1, keepdim=True).clamp(min=1e-300)
    torch.testing.assert_close(got.gradient_BT.cpu() / scale_B1, gradient_BT / scale_B1, rtol=1e-9, atol=1e-11)
    if name != "sapo":  # at −80 nats the reference's gate rounds e^−80 away
        assert torch.equal(got.gradient_BT.cpu() == 0.0, gradient_BT == 0.0)


def test_extreme_distances_of_the_reference_model():
    for corrected in (False, True):
        objective = pmpo.objective("gmpo", kl_coef=0.1, kl_bias_correction=corrected)
        batch = one_each([0.1] * 4)
        batch["reference"][:, 2] = batch["new"][:, 2] + torch.tensor([79.0, 200.0, -1000.0, 80.0], dtype=torch.float64)
        got, (_, gradient_BT, diagnostics) = fused(objective, batch), reference(objective, batch)
        torch.testing.assert_close(got.diagnostics[9].cpu(), diagnostics.kl_ref, rtol=1e-11, atol=0.0)
        torch.testing.assert_close(got.gradient_BT.cpu(), gradient_BT, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("garbage", [torch.nan, INFINITE, -INFINITE])
def test_masked_places_change_nothing(garbage):
    batch = rows_of(21, weights=True, reference=True)
    clean = {name: torch.where(batch["mask"], each, 0.0) for name, each in batch.items() if each.dim() == 2}
    dirty = {name: torch.where(batch["mask"], each, garbage) for name, each in clean.items()}
    clean, dirty = ({**batch, **each, "mask": batch["mask"]} for each in (clean, dirty))
    for one, other in zip(fused(PMPO, clean), fused(PMPO, dirty), strict=True):
        assert torch.equal(one, other)


def test_numbers_that_are_not_finite_mark_their_completion_and_no_other():
    """NaN is in the loss and flagged; an infinite log ratio is saturated, and flagged."""
    batch = one_each([torch.nan, INFINITE, -INFINITE, 0.3, 0.3, 0.3, 0.3, torch.nan])
    batch["weights"] = torch.ones_like(batch["new"])
    batch["weights"][4, 1], batch["reference"][5, 1] = torch.nan, INFINITE
    batch["advantages"] = batch["advantages"].clone()
    batch["advantages"][6], batch["advantages"][7] = torch.nan, 0.0
    (got, (_, gradient_BT, diagnostics)) = fused(PMPO, batch), reference(PMPO, batch)
    assert got.nonfinite.tolist() == [True, True, True, False, True, True, True, True]
    assert torch.equal(got.nonfinite.cpu(), diagnostics.nonfinite) and torch.equal(got.active.cpu(), diagnostics.active)
    alone = [reference(PMPO, {name: each[row : row + 1] for name, each in batch.items()})[0] for row in range(8)]
    torch.testing.assert_close(got.losses_B.cpu(), torch.stack(alone), rtol=1e-9, atol=1e-12, equal_nan=True)
    assert [row for row in range(8) if got.losses_B[row].isnan()] == [0, 4, 6, 7]
    torch.testing.assert_close(got.gradient_BT.cpu(), gradient_BT, rtol=1e-9, atol=1e-12, equal_nan=True)
    for place in range(5, 8):  # largest |l|, largest and smallest l
        expected = getattr(diagnostics, triton_launch.DIAGNOSTICS[place])
        torch.testing.assert_close(got.diagnostics[place].cpu(), expected, equal_nan=True)


def test_completions_without_weight():
    batch = rows_of(9, rows=3, weights=True)
    batch["weights"][0], batch["mask"][1] = 0.0, False
    batch["weights"][2] *= 1e-30
    got = assert_close(pmpo.objective("pmpo"), batch, 1e-11)
    assert got.active.tolist() == [False, False, True]


def test_every_element_of_every_output_is_written(monkeypatch):
    real = torch.empty

    def poisoned(*args, **kwargs):
        made = real(*args, **kwargs)
        return made.fill_(torch.nan if made.is_floating_point() else 255)

    batch = rows_of(37, reference=True)
    expected = fused(PMPO, batch)
    monkeypatch.setattr(torch, "empty", poisoned)
    for one, other in zip(fused(PMPO, batch), expected, strict=True):
        assert torch.equal(one, other)


def test_a_completion_does_not_depend_on_its_neighbours_and_parts_sum_to_the_whole():
    batch = rows_of(33, rows=3, reference=True)
    whole = fused(PMPO, batch)
    parts = [fused(PMPO, {name: each[row : row + 1] for name, each in batch.items()}) for row in range(3)]
    assert torch.equal(whole.losses_B, torch.cat([part.losses_B for part in parts]))
    assert torch.equal(whole.gradient_BT, torch.cat([part.gradient_BT for part in parts]))
    assert torch.equal(whole.diagnostics, torch.cat([part.diagnostics for part in parts], dim=1))


def test_padding_changes_nothing():
    batch = rows_of(33, rows=2)
    wider = {name: torch.nn.functional.pad(each, (0, 60)) if each.dim() == 2 else each for name, each in batch.items()}
    narrow, wide = fused(pmpo.objective("pmpo"), batch), fused(pmpo.objective("pmpo"), wider)
    torch.testing.assert_close(narrow.losses_B, wide.losses_B, rtol=1e-13, atol=1e-13)
    torch.testing.assert_close(narrow.gradient_BT, wide.gradient_BT[:, :33], rtol=1e-12, atol=1e-14)


def test_strides():
    batch = rows_of(24, rows=2, weights=True, reference=True)
    apart = {
        name: torch.stack([each, each.flip(0)], dim=1)[:, 0] if each.dim() == 2 else each
        for name, each in batch.items()
    }
    across = {name: each.t().contiguous().t() if each.dim() == 2 else each for name, each in batch.items()}
    spread = batch | {"weights": batch["weights"][:, 1:2].expand(-1, 24)}
    assert apart["new"].stride() == (48, 1) and across["new"].stride() == (1, 2)
    for other in (apart, across):
        assert torch.equal(fused(PMPO, batch).gradient_BT, fused(PMPO, other).gradient_BT)
    assert_close(PMPO, spread, 1e-11)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_16_bits(dtype):
    """Read as they are, computed in float32; the gradient in the type of the log probabilities."""
    batch = rows_of(33, rows=2, dtype=dtype)
    batch["old"], batch["advantages"] = batch["old"].float(), batch["advantages"].float()
    got, (loss, gradient_BT, _) = fused(pmpo.objective("pmpo"), batch), reference(pmpo.objective("pmpo"), batch)
    assert got.gradient_BT.dtype == dtype and got.losses_B.dtype == torch.float32
    torch.testing.assert_close(got.losses_B.sum().cpu(), loss, rtol=1e-6, atol=1e-7)
    torch.testing.assert_close(got.gradient_BT.cpu(), gradient_BT, rtol=torch.finfo(dtype).eps, atol=1e-7)


def test_a_gradient_beyond_16_bits_is_their_largest_number():
    batch = rows_of(5, rows=2, dtype=torch.float16)
    batch["advantages"] = torch.tensor([1e9, -1e9])
    got = fused(pmpo.objective("gspo", trust_region="none"), batch).gradient_BT
    assert got.abs().max() == 65504.0 and got.isfinite().all()


def test_no_completions_and_no_tokens():
    batch = rows_of(5, rows=2)
    none = {name: each[:0] for name, each in batch.items()}
    assert fused(PMPO, none).gradient_BT.shape == (0, 5)
    empty = {name: each[:, :0] if each.dim() == 2 else each for name, each in batch.items()}
    got = fused(pmpo.objective("pmpo"), empty)
    assert got.losses_B.tolist() == [0.0, 0.0] and got.diagnostics[4].tolist() == [1.0, 1.0]


def test_completions_too_long_are_refused_with_the_number():
    values_BT = torch.zeros(1, 32769)
    with pytest.raises(CannotFuseError, match=r"32769 tokens .* up to 32768"):
        triton_launch.run(plan_of(PMPO), [0.0] * 15, values_BT, values_BT, values_BT.bool(), torch.ones(1))


def test_an_exponent_that_does_not_fit_the_plan_is_refused():
    batch = rows_of(5, rows=2)
    with pytest.raises(ValueError, match="None where p is solved"):
        triton_launch.run(
            plan_of(PMPO), [0.0] * 15, batch["new"], batch["old"], batch["mask"], batch["advantages"], torch.ones(2)
        )


def test_facts_of_the_batch_on_the_device_are_not_read_back():
    """A stand-in for a tensor on a GPU, whose numbers the host must not see: the meta device has none."""
    late = torch.tensor(0.5, device="meta")
    numbers = triton_launch._on_device([1.0, late, torch.tensor(2.0)], torch.device("meta"))
    assert numbers.shape == (3,) and numbers.device.type == "meta"


def test_a_cpu_without_the_interpreter_is_refused():
    code = (
        "import torch\nfrom pmpo.kernels.triton_launch import run\n"
        "from pmpo.kernels.plan import plan_of, CannotFuseError\n"
        "import pmpo\nx = torch.zeros(1, 3)\n"
        "try: run(plan_of(pmpo.objective('pmpo')), [0.0] * 15, x, x, x.bool(), torch.ones(1))\n"
        "except CannotFuseError as error: print(error)"
    )
    said = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, "TRITON_INTERPRET": "0"}, capture_output=True, text=True
    )
    assert "runs on a GPU, and the log probabilities are on cpu" in said.stdout, said.stderr


def test_the_context_of_these_tests_is_a_part_of_a_step():
    assert CONTEXT.num_sequences == 12, "so that ω is not that of the call"
