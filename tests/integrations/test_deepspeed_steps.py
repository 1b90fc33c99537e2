"""What is made of a step that DeepSpeed has dealt with, by an engine's answers; tests/launchers has the real one."""

import math
from dataclasses import dataclass

import pytest
import torch

from pmpo.engine.nonfinite import NonFiniteLossError
from pmpo.integrations.trl.skipping import NonFiniteGuard, _MicroBatch
from support import config, loss_inputs, trainer


@dataclass
class Engine:
    norm: float | None
    applied: bool = True
    fp16: bool = False

    def get_global_grad_norm(self):
        return self.norm

    def was_step_applied(self):
        return self.applied

    def fp16_enabled(self):
        return self.fp16


@pytest.fixture
def after_a_step(tmp_path):
    """Calls the guard after a step of an engine, and gives the trainer."""
    one = trainer(config(output_dir=str(tmp_path), on_nonfinite="raise"))
    one.is_deepspeed_enabled, inputs = True, loss_inputs(rows=2)
    log_probs, nothing = inputs["old_per_token_logps"], torch.zeros(2, dtype=torch.bool)
    one._blamed = _MicroBatch(nothing, inputs, log_probs, log_probs.sum())

    def ask(engine):
        one.model_wrapped = engine
        NonFiniteGuard(one).on_pre_optimizer_step(one.args, one.state, one.control, optimizer=None)
        return one

    return ask


def test_a_finite_norm_or_none_is_no_reason_to_stop(after_a_step):
    for norm in (0.0, 3.0, torch.tensor(2.0), None):
        assert after_a_step(Engine(norm)).scaler_overflows == 0


@pytest.mark.parametrize("norm", [math.inf, math.nan, -1.0])
def test_what_is_not_finite_stops_the_run(after_a_step, norm):
    with pytest.raises(NonFiniteLossError, match=r"The weights are those of the last finite step.*max_grad_norm\.$"):
        after_a_step(Engine(norm, applied=False))
    with pytest.raises(NonFiniteLossError, match="DeepSpeed has made a step of it, so the weights are spoilt: resume"):
        after_a_step(Engine(norm, fp16=True))


def test_an_overflow_of_fp16_is_counted(after_a_step):
    one = after_a_step(Engine(math.inf, applied=False, fp16=True))
    assert one.scaler_overflows == 1 and one.metric_values["train"]["fp16/overflows"] == [1.0]
