"""Objectives that look at the ratios of a whole update: the same training however the update is cut up."""

import torch

from pmpo.objective.ratio_sums import ratio_sums
from support import config, parameters, trainer


def trained(accumulation, **changes):
    size = {"per_device_train_batch_size": 16 // accumulation, "gradient_accumulation_steps": accumulation}
    rounds = {"steps_per_generation": 2 * accumulation, "num_iterations": 2}
    one = trainer(config(objective="p3o", max_steps=4, **size, **rounds, **changes))
    one.train()
    return one


def test_accumulation_changes_nothing():
    whole, halves, quarters = trained(1), trained(2), trained(4)
    start = parameters(trainer(config()))
    assert (parameters(whole) - start).abs().max() > 1e-3
    # The gradient of a key's bias is 0 but for rounding, of which Adam makes steps.
    assert torch.allclose(parameters(whole), parameters(halves), atol=5e-6)
    assert torch.allclose(parameters(whole), parameters(quarters), atol=5e-6)
    assert torch.allclose(whole._ratio_sums[1], quarters._ratio_sums[1], rtol=1e-6)


def test_the_sums_are_those_of_the_update_that_is_made():
    """With the policy at the start of the update, over its own micro-batches."""
    one = trainer(config(objective="p3o", max_steps=3, gradient_accumulation_steps=2, steps_per_generation=6))
    seen, loss_of = [], one.loss_of

    def spy(model, inputs):
        loss = loss_of(model, inputs)
        with torch.no_grad():
            log_probs = one.log_probs_of(model, **one._pass_of(inputs))[0]
        sums = ratio_sums(log_probs, inputs["old_per_token_logps"], inputs["completion_mask"], one.policy_objective)
        seen.append((one._ratio_sums, sums))
        return loss

    one.loss_of = spy
    one.train()
    assert len(seen) == 6
    for first, second in zip(seen[::2], seen[1::2], strict=True):
        assert first[0] is second[0], "once an update"
        assert torch.allclose(first[0][1], first[1] + second[1], rtol=1e-6)
