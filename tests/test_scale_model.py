"""The cost model of benchmarks/: hand-computed values, and counts of small real updates."""

import sys
from dataclasses import replace
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "benchmarks"))

import scale_counted as counted
import scale_memory as memory
import scale_paper as paper
import scale_sharded as sharded
import scale_time as seconds
from scale_shapes import Hardware, Layout, Model, Run, busiest, forward_flops, lengths, update_flops

PAGE = Path(__file__).resolve().parent.parent / "docs" / "measured" / "scale.md"
SEVEN, THIRTY_TWO = paper.MODELS
ROUND_OF_ALL, EIGHT = Run(), Layout(8, 8)
ROUND = Hardware("round numbers", 80e9, 1e15, 1e12, 400e9, 50e9, 50e9)
FREE = seconds.Chosen(1.0, 1.0, 1.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0)
"""Published rates reached, nothing waits, nothing overlaps."""


def plan(model: Model = SEVEN, run: Run = ROUND_OF_ALL, layout: Layout = EIGHT) -> seconds.Plan:
    return seconds.Plan(model, ROUND, run, layout, FREE)


# ---- by hand --------------------------------------------------------------------------------------------------------


def test_shapes_have_the_published_numbers_of_parameters():
    assert (SEVEN.parameters, THIRTY_TWO.parameters) == (7_615_616_512, 32_763_876_352)
    tied = replace(SEVEN, tied=True)
    assert SEVEN.parameters - tied.parameters == SEVEN.head == 3584 * 152_064
    assert SEVEN.kv_bytes == 28 * 2 * 512 * 2


def test_flops_of_a_small_model():
    model = Model("", layers=2, hidden=4, intermediate=8, heads=2, kv_heads=1, head_dim=2, vocabulary=10)
    layer = 4 * 4 + 2 * 4 * 2 + 4 * 4 + 3 * 4 * 8
    assert forward_flops(model, 3, 5) == 3 * (2 * (2 * layer + 40) + 2 * 4 * 4 * 5)
    again = 3 * 2 * (2 * (layer - 32) + 4 * 4 * 5 / 2 * 2)
    assert update_flops(model, 3, 5) == 3 * forward_flops(model, 3, 5) + again
    assert update_flops(model, 3, 5, checkpointing=False) == 3 * forward_flops(model, 3, 5)


def test_lengths_have_their_mean_and_their_limit():
    found = lengths(Run(mean_length=1000, max_length=3000), 4000)
    assert sum(found) / len(found) == pytest.approx(1000, rel=2e-3)
    assert found[0] == 3000 and list(found) == sorted(found, reverse=True)
    assert lengths(Run(mean_length=7, max_length=7), 3) == (7, 7, 7)


def test_the_busiest_rank():
    run = Run(prompt_length=1, mean_length=9, max_length=9)
    assert busiest(run, 5, 2) == (30, 5)
    assert busiest(run, 5, 64) == (10, 5)


def test_training_state_is_sixteen_bytes_a_parameter_over_ranks():
    assert sum(memory.state_bytes(SEVEN, 1).values()) == 16 * 7_615_616_512
    assert sum(memory.state_bytes(SEVEN, 8).values()) == 2 * 7_615_616_512
    assert memory.padded((10, 3), 4) == 36


def test_logits_and_cache():
    assert memory.logits_bytes(SEVEN, 1000) == 1000 * 152_064 * 12
    assert memory.logits_bytes(SEVEN, 1000, 100) == memory.logits_bytes(SEVEN, 100)
    assert memory.kv_bytes(SEVEN, 2) == SEVEN.kv_bytes / 2
    assert memory.kv_bytes(SEVEN, 7) == SEVEN.kv_bytes / 4  # it has 4 KV heads


def test_what_fits():
    fits = memory.fits
    assert fits(SEVEN, paper.H100, Run(), Layout(8, 8))
    assert not fits(SEVEN, paper.H100, Run(), Layout(8, 8, rollout_tp=8))  # 28 heads
    assert not fits(THIRTY_TWO, paper.H100, Run(), Layout(8, 8, 8, 8, offload=True))
    assert fits(THIRTY_TWO, paper.H100, Run(), Layout(16, 16, 8))
    long = replace(Run(), max_length=32_768, chunk_tokens=0)
    assert not fits(SEVEN, paper.H100, long, Layout(8, 8)) and fits(
        SEVEN, paper.H100, replace(long, chunk_tokens=512), Layout(8, 8)
    )


@pytest.mark.parametrize(
    ("ranks", "between", "expected"),
    [
        (1, 50e9, 0.0),
        (8, 50e9, 8e9 * 7 / 8 / 400e9),
        (16, 50e9, 8e9 * 15 / 16 / 400e9),
        (16, 10e9, 8e9 * 1 / 2 / (8 * 10e9)),
    ],
)
def test_rings_are_as_slow_as_their_slowest_link(ranks, between, expected):
    linked = replace(plan(), hardware=replace(ROUND, link_between=between))
    assert seconds.ring_seconds(8e9, 1, ranks, linked) == pytest.approx(expected)


def test_rings_wait_at_every_hop():
    waiting = replace(plan(), chosen=replace(FREE, hop_inside=1.0, hop_between=100.0))
    assert seconds.ring_seconds(0.0, 3, 16, waiting) == 3 * (14 + 100)


def test_copies_of_the_state_reduce_their_gradients():
    assert seconds.replica_seconds(plan()) == 0.0
    sent = 2 * 3 / 4 * 4 * SEVEN.parameters / 8
    assert seconds.replica_seconds(plan(layout=Layout(32, 8))) == pytest.approx(sent / 50e9)


def test_the_sampler_has_the_memory_that_masters_and_adam_leave():
    offloaded = 72e9 - 2 * SEVEN.parameters - 4e9
    assert memory.kv_room(SEVEN, ROUND, Layout(8, 8, offload=True)) == pytest.approx(offloaded)
    assert memory.kv_room(SEVEN, ROUND, EIGHT) == pytest.approx(offloaded - 12 * SEVEN.parameters / 8)


def test_a_decoding_step_reads_the_weights_and_the_cache():
    weights = 2 * (SEVEN.parameters - SEVEN.head - 28 * (4608 + 2 * 3584) - 3584)
    assert seconds.decode_step_seconds(plan(), 0, 0) == pytest.approx(weights / 1e12)
    with_cache = seconds.decode_step_seconds(plan(), 10, 1000)
    assert with_cache == pytest.approx((weights + 10_000 * SEVEN.kv_bytes) / 1e12)
    many = seconds.decode_step_seconds(plan(), 4000, 0)
    assert many == pytest.approx(4000 * weights / 1e15)  # bound by FLOPs, 2 for two bytes


def test_a_rollout_of_equal_lengths_is_steps_and_prefill():
    run = Run(prompts=8, group=1, prompt_length=100, mean_length=50, max_length=50)
    prefill = forward_flops(SEVEN, 100, 50) / 1e15
    expected = prefill + 50 * seconds.decode_step_seconds(plan(), 1, 125)
    assert seconds.rollout_seconds(plan(run=run)) == pytest.approx(expected)


def test_completions_without_room_for_their_cache_wait():
    run = Run(prompts=80, group=1, prompt_length=10, mean_length=500, max_length=500)
    taken = memory.USABLE * ROUND.memory - memory.kv_room(SEVEN, ROUND, EIGHT)
    ten = replace(ROUND, memory=(taken + 10.5 * SEVEN.kv_bytes * 510) / memory.USABLE)
    twenty_each = replace(plan(run=replace(run, prompts=160)), hardware=ten)
    assert seconds.rollout_seconds(twenty_each) == pytest.approx(2 * seconds.rollout_seconds(plan(run=run)), rel=1e-3)


def test_a_pass_is_computation_and_what_of_communication_shows():
    run = Run(prompts=8, group=1, prompt_length=100, mean_length=50, max_length=50, updates=1)
    one = seconds.pass_seconds(plan(run=run), 8, backward=True)
    compute = update_flops(SEVEN, 150, 75) / 1e15
    sent = seconds.collective_bytes(SEVEN, 8)
    expected = compute + (sent["all-gather"] + sent["reduce-scatter"]) * 7 / 8 / 400e9
    assert one == pytest.approx(expected)
    hidden = replace(plan(run=run), chosen=replace(FREE, overlap=1.0))
    assert seconds.pass_seconds(hidden, 8, backward=True) == pytest.approx(max(compute, expected - compute))


# ---- the whole ------------------------------------------------------------------------------------------------------


def test_more_gpus_for_the_same_batch_end_at_the_longest_completion():
    small, large = (paper.point(SEVEN, Run(), gpus) for gpus in (64, 1024))
    alone = 3000 * seconds.decode_step_seconds(large.plan, 1, 0)
    assert alone < large.seconds["rollout"] < small.seconds["rollout"] < 1.1 * large.seconds["rollout"]
    assert large.speed / 1024 < 0.1 * small.speed / 64
    grown = paper.point(SEVEN, replace(Run(), prompts=128 * 8), 64)
    assert grown.speed / 64 == pytest.approx(paper.point(SEVEN, Run(), 8).speed / 8, rel=0.05)


def test_extra_passes_cost_a_forward_pass():
    with_all = seconds.round_seconds(plan(run=Run(reference=True, extra_pass=True)))
    assert with_all["reference"] == with_all["old log-probabilities"] > 0
    share = with_all[seconds.EXTRA] / with_all["update"]
    assert 0.2 < share < 0.35
    kept, moved = (seconds.round_seconds(plan(layout=Layout(8, 8, offload=o))) for o in (False, True))
    extra = moved["weights to the sampler"] - kept["weights to the sampler"]
    assert extra == pytest.approx(2 * 12 * SEVEN.parameters / 8 / 50e9)


def test_the_page_is_what_the_model_says():
    page = PAGE.read_text(encoding="utf-8")
    run = paper.RUNS["3,000 new tokens"]
    for table in (paper.memory_table(SEVEN, run), paper.time_table(paper.scaling(SEVEN, run, weak=False))):
        assert "\n".join(table) in page


# ---- counted --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("model", "ranks"), [(counted.SMALL, 1), (counted.SMALL, 2), (counted.ODD, 8)])
def test_fsdp_sends_and_holds_what_the_model_says(model, ranks):
    with sharded.fake_ranks(ranks):
        found = sharded.sharded_update(model, ranks)
    rows = sharded.collective_rows(model, ranks, found)
    assert len(rows) == (3 if ranks == 1 else 8) and {row.ratio for row in rows} == {1.0}


def test_flops_and_activations_are_those_of_a_real_model():
    rows = counted.flop_rows(counted.SMALL) + counted.activation_rows(counted.SMALL)
    assert {row.what: row.ratio for row in rows if row.ratio != 1.0} == {}


def test_the_peak_of_the_logits():
    assert all(1.0 <= row.ratio < 1.05 for row in counted.logit_rows())


def test_the_loss_is_counted_by_token():
    (operations, moved), (more, of_more) = (counted.loss_traffic("grpo", 8, length) for length in (64, 256))
    assert operations == more > 50
    assert of_more == pytest.approx(moved, rel=0.1)
