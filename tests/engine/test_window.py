"""The window of a log event: over ranks and micro-batches, however completions lie in them."""

import pytest
import torch

import pmpo
from pmpo.engine.window import Window

SHARES = [slice(0, 2), slice(2, 5), slice(5, 8)]
"""Completions of three ranks."""


def batch():
    draw = torch.Generator().manual_seed(3)
    log_probs = -torch.rand(8, 6, generator=draw, dtype=torch.float64)
    old = log_probs + 0.8 * torch.randn(8, 6, generator=draw, dtype=torch.float64)
    advantages = torch.tensor([1.0, -1.0, 0.0, 2.0, -0.5, 0.0, 1.5, -2.0], dtype=torch.float64)
    mask = torch.arange(6)[None, :] < torch.tensor([6, 3, 5, 1, 6, 2, 4, 6])[:, None]
    ref = log_probs + 0.1 * torch.randn(8, 6, generator=draw, dtype=torch.float64)
    return log_probs, old, advantages, mask, ref


def losses(parts, sequences):
    """The result and the mask of each part of the batch, normalised by the whole of it, or each by itself."""
    log_probs, old, advantages, mask, ref = batch()
    objective = pmpo.objective("pmpo", kl_coef=0.1)
    context = pmpo.BatchContext(num_sequences=sequences)
    return [
        (
            pmpo.policy_loss(
                log_probs[part], old[part], advantages[part], mask[part], objective, context, ref_log_probs=ref[part]
            ),
            mask[part],
        )
        for part in parts
    ]


@pytest.mark.parametrize("training", [True, False])
def test_the_numbers_are_those_of_all_completions_however_they_are_shared_out(training):
    whole, sequences = Window(), 8 if training else None
    ((result, mask),) = losses([slice(0, 8)], sequences)
    entropies = torch.rand(8, 6, generator=torch.Generator().manual_seed(4))
    whole.defer(result, mask, 1.0 if training else None, entropies)
    whole.settle()
    share = 1.0 / len(SHARES) if training else None
    results = losses(SHARES, sequences)

    given = []  # ranks take turns: what each gave is recorded first, and given to all in the second round
    for each in (lambda table: given.append(table) or table, lambda table: torch.cat(given)):
        for part, (result, mask) in zip(SHARES, results, strict=True):
            one = Window()
            one.defer(result, mask, share, entropies[part])
            one.settle(each)
            if len(given) == len(SHARES) and one._rows == 8:  # every rank's window is the same
                assert one.metrics() == pytest.approx(whole.metrics(), rel=1e-6)
                assert (one.kl, one.entropy) == pytest.approx((whole.kl, whole.entropy))
    assert one._rows == 8

    in_turn, gathers = Window(), []  # the same completions as micro-batches of one process
    for part, (result, mask) in zip(SHARES, results, strict=True):
        in_turn.defer(result, mask, share, entropies[part])
    assert in_turn.metrics() == {}, "nothing is computed before it is settled"
    in_turn.settle(lambda table: gathers.append(len(table)) or table)
    assert gathers == [8], "all micro-batches are gathered at once"
    assert in_turn.metrics() == pytest.approx(whole.metrics(), rel=1e-6)
    assert sorted(in_turn.exponents) == sorted(whole.exponents) and len(whole.exponents) == 6
    _, _, _, mask, _ = batch()
    assert whole.entropy == pytest.approx((entropies[mask].mean()).item()) and whole.kl > 0.0
    means = [entropies[part][mask[part]].mean().item() for part in SHARES]
    assert in_turn.entropy == pytest.approx(sum(means) / len(means)), "TRL's mean is one of micro-batches"


def test_what_is_not_settled_outlives_a_log_event_and_a_checkpoint():
    window, results = Window(), losses(SHARES, 8)
    window.add_result(*results[0], 1.0 / 3)
    window.defer(*results[1], 1.0 / 3)
    first = window.pop_settled().metrics()
    again = Window()
    again.load(window.state())
    alone = Window()
    alone.add_result(*results[1], 1.0 / 3)
    for one in (window, again):
        assert one.metrics() == {} and first != {}
        one.settle()
        assert one.metrics() == alone.metrics()


def test_a_window_that_nobody_logs_says_when_it_is_full():
    window, (part,) = Window(), losses([slice(0, 8)], 8)
    count = 0
    while not window.is_full:
        window.defer(*part, 1.0)
        count += 1
    window.settle()
    assert count == 256 and not window.is_full and window._rows == 8 * 256


def test_the_loss_of_a_window_is_the_mean_of_its_steps():
    window = Window()
    for result, mask in losses(SHARES, 8) + losses(SHARES, 8):
        window.add_result(result, mask, 1.0 / len(SHARES))
    ((whole, _),) = losses([slice(0, 8)], 8)
    assert window.metrics()["policy_loss"] == pytest.approx(whole.loss.item())
