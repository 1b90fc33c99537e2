"""A few completions token by token: what is kept of them is what the loss did, and keeping it changes nothing."""

import dataclasses
import random

import pytest
import torch

import pmpo
from pmpo.engine import token_sample
from pmpo.engine.token_sample import (
    CLIPPED,
    LARGEST_RATIO,
    RANDOM,
    SMALLEST_P,
    MicroBatch,
    TokenSampler,
    choose,
    describe,
)
from pmpo.engine.token_texts import token_texts
from pmpo.objective.power_mean import token_weights


def batch(objective, rows=6, width=9, seed=0, advantages=None, loss_weights=None, spread=0.5):
    """A micro-batch with differentiable log-probabilities, which come back with it."""
    g = torch.Generator().manual_seed(seed)
    log_probs = torch.randn(rows, width, generator=g, dtype=torch.float64).mul(spread).requires_grad_()
    mask = torch.arange(width) < torch.randint(3, width + 1, (rows, 1), generator=g)
    advantages = torch.randn(rows, generator=g) if advantages is None else torch.tensor(advantages)
    old = torch.full_like(log_probs, -2.0)
    result = pmpo.policy_loss(
        log_probs + old, old, advantages, mask, objective, pmpo.BatchContext(progress=0.2), loss_weights=loss_weights
    )
    ids = torch.arange(rows * width).view(rows, width)
    prompts = torch.full((rows, 2), -1), torch.tensor([[0, 1]] * rows)
    return MicroBatch(result, log_probs.detach() - 2.0, *prompts, ids, mask), log_probs


def words(ids):
    return "".join(f" {i}" for i in ids)


def shares(one, log_ratios=None):
    """Of the gradient at the solved p, from what is kept."""
    c = torch.tensor([one.get("clipped_log_ratio", one["log_ratio"])], dtype=torch.float64)
    rho = torch.tensor([one.get("weight", [float(s != "m") for s in one["state"]])], dtype=torch.float64)
    slope = torch.tensor([one.get("slope", [float(s != "c") for s in one["state"]])], dtype=torch.float64)
    return (token_weights(c, rho > 0, one["exponent"], weights=rho) * slope)[0]


@pytest.mark.parametrize("name", ["grpo", "gmpo", "pmpo", "sapo", "cispo", "dppo", "dppo_kl", "holder_two_level"])
@pytest.mark.parametrize("weighted", [False, True])
def test_what_is_kept_gives_the_gradient_of_the_loss(name, weighted):
    objective = pmpo.objective(name, max_completion_length=9 if name.startswith("dppo") else None)
    weights = torch.rand(6, 9, generator=torch.Generator().manual_seed(3)) + 0.2 if weighted else None
    made, log_probs = batch(objective, loss_weights=weights)
    made.result.loss.backward()
    for row in range(6):
        one = describe(made, row, RANDOM, objective, words)
        gradient = log_probs.grad[row, : len(one["tokens"])]
        expected = shares(one) * (not one.get("stopped", False))
        assert gradient.any() == expected.any()
        if gradient.any():
            torch.testing.assert_close(gradient / gradient.sum(), expected / expected.sum(), atol=1e-4, rtol=1e-3)
    assert weighted == ("weight" in one)


def test_a_completion_is_described_by_what_the_loss_says_of_it():
    objective = pmpo.objective("pmpo")
    made, _ = batch(objective, advantages=[1.0, -1.0, 0.5, -0.5, 0.0, 2.0])
    found = made.result.diagnostics
    one = describe(made, 1, SMALLEST_P, objective, words)
    count = int(made.completion_mask_BT[1].sum())
    assert (
        one["picked"] == SMALLEST_P and one["prompt"] == " -1" and one["tokens"] == [f" {9 + t}" for t in range(count)]
    )
    assert one["exponent"] == pytest.approx(found.exponent[1].item(), rel=1e-4)
    assert one["clip_fraction_two_sided"] == pytest.approx(found.clip_fraction_two_sided[1].item(), rel=1e-4)
    for letter, ratio in zip(one["state"], one["log_ratio"], strict=True):
        assert letter == ("c" if ratio < -0.4 else "o" if ratio > 0.4 else "i")
    g = min(1.0, one["clip_fraction_two_sided"] / 0.1)
    e = pmpo.normalized_ess(made.result.facts.clipped_log_ratios_BT, made.completion_mask_BT, 1.0)[1].item()
    assert one["target_ess"] == pytest.approx(e + (1 - e) * g, rel=1e-4)


def test_a_tool_s_tokens_are_shown_and_have_no_part():
    objective = pmpo.objective("gmpo")
    made, _ = batch(objective, rows=2, advantages=[1.0, -1.0])
    counted = made.completion_mask_BT.clone()
    counted[:, 1] = False
    log_probs = torch.zeros(2, 9)
    log_probs[:, 1] = 99.0
    result = pmpo.policy_loss(log_probs, torch.zeros(2, 9), torch.tensor([1.0, -1.0]), counted, objective)
    one = describe(dataclasses.replace(made, result=result), 0, RANDOM, objective, words)
    assert one["state"][:3] == "imi" and one["log_ratio"][1] == 0.0 and "weight" not in one


def test_a_sequence_level_region_stops_a_completion_as_a_whole():
    objective = pmpo.objective("gspo")
    made, _ = batch(objective, advantages=[1.0] * 6)
    kept = [describe(made, row, RANDOM, objective, words) for row in range(6)]
    assert [one.get("stopped", False) for one in kept] == [one["power_mean"] > 1.0004 for one in kept]
    assert len({one.get("stopped", False) for one in kept}) == 2


def test_a_gradient_that_fades_is_kept_as_a_slope():
    objective = pmpo.objective("sapo")
    one = describe(batch(objective, spread=2.0)[0], 0, RANDOM, objective, words)
    assert set(one["state"]) == {"i"} and len({round(value, 3) for value in one["slope"]}) > 2
    assert "slope" not in describe(
        batch(pmpo.objective("grpo"), spread=2.0)[0], 0, RANDOM, pmpo.objective("grpo"), words
    )


def test_the_reasons_take_turns_and_no_completion_comes_twice():
    objective = pmpo.objective("pmpo")
    two = [batch(objective, seed=seed, spread=0.25)[0] for seed in range(2)]
    chosen = choose(two, 4, random.Random(0))
    assert [reason for _, _, reason in chosen] == [SMALLEST_P, LARGEST_RATIO, CLIPPED, RANDOM]
    assert len({(b, row) for b, row, _ in chosen}) == 4
    p = torch.cat([one.result.diagnostics.exponent for one in two])
    b, row, _ = chosen[0]
    assert p[6 * b + row] == p.min()
    assert len(choose(two, 99, random.Random(0))) == 12, "all there are"


def test_a_reason_that_sets_nothing_apart_is_left_out():
    objective = pmpo.objective("grpo")
    fresh, _ = batch(objective, spread=0.0)
    assert {reason for _, _, reason in choose([fresh], 4, random.Random(0))} == {RANDOM}


def test_completions_without_a_gradient_or_with_nan_are_left_out():
    objective = pmpo.objective("grpo")
    made, _ = batch(objective, rows=3, advantages=[0.0, float("nan"), 1.0])
    assert [row for _, row, _ in choose([made], 4, random.Random(0))] == [2]
    assert choose([batch(objective, rows=2, advantages=[0.0, 0.0])[0]], 4, random.Random(0)) == []


def test_the_sampler_keeps_the_newest_update_alone_and_draws_no_random_number():
    objective = pmpo.objective("pmpo")
    random.seed(1), torch.manual_seed(1)
    before = random.getstate(), torch.get_rng_state()
    sampler = TokenSampler(2, seed=3)
    sampler.offer(7, batch(objective, rows=3)[0])
    sampler.offer(8, batch(objective, rows=2, seed=1)[0])
    sampler.offer(8, batch(objective, rows=2, seed=2)[0])
    first = sampler.take(objective, words)
    assert len(first) == 2 and sampler.take(objective, words) == []
    assert random.getstate() == before[0] and torch.equal(torch.get_rng_state(), before[1])


def test_of_a_long_completion_the_tokens_around_its_largest_ratio_are_kept(monkeypatch):
    monkeypatch.setattr(token_sample, "LONGEST", 5)
    objective = pmpo.objective("grpo")
    log_probs = torch.zeros(1, 20)
    log_probs[0, 15] = 1.0
    result = pmpo.policy_loss(log_probs, torch.zeros(1, 20), torch.tensor([1.0]), torch.ones(1, 20), objective)
    made = MicroBatch(
        result, log_probs, torch.zeros(1, 1), torch.zeros(1, 1), torch.arange(20)[None], torch.ones(1, 20)
    )
    one = describe(made, 0, RANDOM, objective, words)
    assert (
        one["tokens"] == [f" {t}" for t in (13, 14, 15, 16, 17)] and one["omitted"] == [13, 2] and one["prompt"] == ""
    )


def test_the_texts_of_tokens_are_the_text_of_the_completion():
    text, sign = "Zażółć ".encode(), "🧮".encode()
    pieces = {0: text[:3], 1: text[3:], 2: sign[:3], 3: sign[3:], 4: b" a"}

    def decode(ids):  # as SentencePiece's, which drop a space at the beginning
        return b"".join(pieces[i] for i in ids).decode(errors="replace").removeprefix(" ")

    ids = [0, 1, 4, 2, 3, 4]
    assert token_texts(ids, decode) == ["", "Zażółć ", " a", "", "🧮", " a"]
    assert "".join(token_texts(ids, decode)) == decode(ids)
    broken = [2] * 30
    assert "".join(token_texts(broken, decode)) == decode(broken), "half characters that nothing completes"
    assert token_texts([], decode) == []
