"""Symptoms of a run that does not learn, found in its log events alone."""

import json
import re
from pathlib import Path

import pytest

from pmpo.engine.symptoms import EVENTS, FEWEST_EVENTS, KINDS, SymptomWatch, diagnose, symptoms

HERE = Path(__file__).parent
HEALTHY = {
    "loss": -0.1,
    "grad_norm": 0.5,
    "entropy": 0.6,
    "active_completions": 0.7,
    "reward": 0.4,
    "frac_reward_zero_std": 0.3,
    "completions/clipped_ratio": 0.1,
    "completions/mean_length": 200.0,
    "log_ratio/max": 1.2,
    "log_ratio/min": -1.5,
    "kl_old": 0.003,
    "clip_fraction/one_sided": 0.01,
    "clip_fraction/two_sided": 0.6,
    "ess/mean": 0.99,
    "kl": 0.05,
}


def events(count, start=None, **changes):
    """A run whose first event is healthy but for `start`, and whose others have `changes`."""
    rows = [{**HEALTHY, **(start or {}), "step": 0}]
    return rows + [{**HEALTHY, **changes, "step": step} for step in range(1, count)]


def course(**numbers):
    """A run in which some metrics take the given values, one an event."""
    count = len(next(iter(numbers.values())))
    return [
        {**HEALTHY, "step": step, **{name: values[step] for name, values in numbers.items()}} for step in range(count)
    ]


def names(rows, last=EVENTS):
    return [symptom.name for symptom in symptoms(rows, last)]


def recorded(name):
    """Log events of a run of the built-in demonstration, four digits each."""
    return [json.loads(line) for line in (HERE / f"{name}.jsonl").read_text().splitlines()]


def test_a_healthy_run_has_none():
    assert names(events(50)) == [] and names([]) == []


def test_the_built_in_demonstration_has_none_at_any_point_of_it():
    assert diagnose(recorded("run_default")) == []


def test_a_run_that_collapsed_is_told_its_cause_first():
    """The demonstration with SAPO's gate at a learning rate of 4e-4, which solved 19% before it and 3% after."""
    found = diagnose(recorded("run_collapsed"), {"learning_rate": 4e-4})
    assert [(one.name, one.step) for one in found] == [("exploding_ratios", 40), ("reward_collapse", 48)]
    assert {one.setting for one in found} == {"learning_rate=0.0002 (now 0.0004)"}
    assert "from the one whose samples it learns from" in found[0].sentence and "0.182 at its best" in found[1].sentence


@pytest.mark.parametrize(
    ("name", "start", "changes", "said"),
    [
        ("no_rewards", {}, {"reward": None, "frac_reward_zero_std": 0.0}, "No completion got a reward in the last 5"),
        (
            "no_signal",
            {"reward": 0.0},
            {"reward": 0.0, "frac_reward_zero_std": 1.0, "grad_norm": 0.0},
            "every reward was 0. Either the model solves none of the problems .* cuts them off \\(10% of the compl",
        ),
        (
            "no_signal",
            {"reward": 0.5},
            {"reward": 0.5, "frac_reward_zero_std": 1.0},
            "all completions of 100% of the prompts got the same reward, 0.5 on average and 0.5 at the start",
        ),
        (
            "saturated",
            {"reward": 0.19},
            {"reward": 0.9, "frac_reward_zero_std": 0.99},
            "it rose from 0.19 to 0.9, .* all completions of 99% of the prompts got the same one",
        ),
        ("few_signals", {}, {"frac_reward_zero_std": 0.9}, "completions of 90% of the prompts .* 10% of the batch"),
        ("truncated", {}, {"completions/clipped_ratio": 0.8}, "80% of the completions .* max_completion_length"),
        ("short_completions", {}, {"completions/mean_length": 9.0}, "shrunk from 47.2 to 9 tokens.*stop early"),
        ("dead_gradients", {}, {"grad_norm": 0.0}, "gradient was 0 in the last 5 log events although rewards differ"),
        (
            "dead_gradients",
            {},
            {"grad_norm": 0.0, "active_completions": 0.0},
            "although rewards differ, .* every advantage is 0",
        ),
        ("exploding_ratios", {}, {"log_ratio/max": 4.5}, "moved log ratios of 4.5 nats away"),
        ("exploding_ratios", {}, {"log_ratio/min": -7.0}, "moved log ratios of 7 nats away"),
        ("exploding_ratios", {}, {"kl_old": 0.15}, "in the last 5 log events the policy moved 0.15 nats per token"),
        ("mostly_clipped", {}, {"clip_fraction/one_sided": 0.75}, "trust region clips 75% of what is learned from"),
        ("few_tokens", {}, {"ess/mean": 0.2}, "20% of a completion on average"),
        ("equal_ratios", {}, {"log_ratio/max": 0.01, "log_ratio/min": -0.02}, "further from 0 than 0.02 nats"),
        ("far_from_reference", {}, {"kl": 3.0}, "3 nats per token away from the reference"),
    ],
)
def test_each_names_its_number_and_cause(name, start, changes, said):
    rows = events(EVENTS + 1, start, **changes)
    assert names(rows) == [name] and names(rows[: EVENTS - 1]) == []
    (symptom,) = symptoms(rows)
    assert symptom.step == EVENTS and symptom.setting and symptom.title == KINDS[name].title
    assert re.search(said, symptom.sentence), symptom.sentence


JUST_RIGHT = [
    {"frac_reward_zero_std": 0.79},
    {"completions/clipped_ratio": 0.49},
    {"completions/mean_length": 51.0},
    {"completions/mean_length": 9.0, "reward": 0.6},  # shorter and better
    {"log_ratio/max": 3.9, "log_ratio/min": -3.9, "kl_old": 0.09},
    {"clip_fraction/one_sided": 0.6},
    {"ess/mean": 0.26},
    {"log_ratio/max": 0.05, "log_ratio/min": -0.01},
    {"kl": 0.9},
    {"reward": 0.21},
    {"grad_norm": 4.9},
    {"nonfinite/skipped_steps": 1.0},
]


@pytest.mark.parametrize("changes", JUST_RIGHT, ids=lambda changes: ",".join(changes))
def test_what_is_not_yet_wrong_is_none(changes):
    assert names(events(6 * EVENTS, **changes)) == []


def test_an_entropy_that_collapses():
    entropies = [6.2] * 5 + [1.0, 0.1] + [0.003] * 5
    rows = [{**HEALTHY, "entropy": value, "step": step} for step, value in enumerate(entropies)]
    assert names(rows[:-2]) == []
    (symptom,) = symptoms(rows)
    assert symptom.name == "entropy_collapse" and "from 6.2 to 0.003 nats per token" in symptom.sentence


def test_a_low_entropy_from_the_start_is_none_and_neither_is_a_fall_to_a_usual_one():
    assert names(events(20, entropy=0.01, start={"entropy": 0.01})) == []
    assert names(events(40, entropy=0.1, start={"entropy": 6.0})) == []


def test_an_entropy_that_explodes_is_one_where_the_reward_falls_with_it():
    entropies, falling = [0.3] * 10 + [1.2] * 5, [0.4] * 10 + [0.25] * 5
    assert names(course(entropy=entropies, reward=falling)) == ["entropy_explosion"]
    (symptom,) = symptoms(course(entropy=entropies, reward=falling))
    assert "from 0.3 to 1.2 nats per token while the reward fell from 0.4 to 0.25" in symptom.sentence
    assert names(course(entropy=entropies, reward=[0.4] * 10 + [0.45] * 5)) == []
    assert names(course(entropy=[0.3] * 10 + [0.79] * 5, reward=falling)) == []


def test_gradients_that_explode_are_held_against_what_they_were():
    rows = course(grad_norm=[0.4, 0.6] * 6 + [9.0, 1.0, 8.0, 7.0, 30.0])
    assert names(rows) == ["exploding_gradients"] and "from 0.5 to 8" in symptoms(rows)[0].sentence
    assert names(course(grad_norm=[0.4, 0.6] * 6 + [0.5, 90.0, 0.5, 0.6, 90.0])) == []


def test_a_reward_that_collapses():
    rows = course(reward=[0.2, 0.3, 0.4, 0.5, 0.6, 0.6, 0.6, 0.3, 0.1, 0.0, 0.0, 0.0])
    assert names(rows[:10]) == [] and names(rows) == ["reward_collapse"]
    said = symptoms(rows)[0].sentence
    assert "0.08 on average in the last 5 log events with a generation, and 0.54 at its best" in said


def test_noise_is_no_collapse():
    """Rewards of a few completions an event: halves of what they were come and go."""
    noisy = [0.5, 0.1, 0.6, 0.2, 0.4, 0.7, 0.1, 0.5, 0.6, 0.3, 0.1, 0.2, 0.1, 0.3, 0.1]
    assert names(course(reward=noisy)) == []
    negative = course(reward=[-1.0] * 6 + [-1.4] * 6)
    assert names(negative) == [] and names(course(reward=[-1.0] * 6 + [-1.6] * 6)) == ["reward_collapse"]


def test_a_reward_that_is_gone_is_a_collapse_and_not_a_task_that_is_too_hard():
    rows = course(reward=[0.4] * 8 + [0.0] * 5, frac_reward_zero_std=[0.3] * 8 + [1.0] * 5)
    assert names(rows) == ["reward_collapse"]


def test_a_held_out_score_that_falls_while_the_reward_holds():
    scores = [None, 0.5, None, 0.6, None, 0.62, None, 0.4, None, 0.35, None, None]
    rows = course(reward=[0.4 + 0.01 * step for step in range(12)])
    for row, score in zip(rows, scores, strict=True):
        if score is not None:
            row["held_out/pass_at_1"] = score
    assert names(rows) == ["held_out_falls"] and "from 0.62 to 0.35" in symptoms(rows)[0].sentence
    assert names(rows[:9]) == [], "one low measurement is none"
    falling = [{**row, "reward": 0.5 - 0.02 * row["step"]} for row in rows]
    assert names(falling) == [], "both fall: that is no matter of the held-out problems"


def test_one_event_is_enough_where_all_tokens_moved():
    assert names(course(kl_old=[0.4])) == ["exploding_ratios"] and names(course(kl_old=[0.2])) == []
    assert names(course(kl_old=[None], **{"log_ratio/max": [None]})) == []


def test_updates_that_are_skipped_are_counted_against_all():
    rows = course(**{"nonfinite/skipped_steps": [0.0] * 30 + [4.0] * 30 + [6.0] * 40})
    assert names(rows[:60]) == [], "four are few"
    assert names(rows[:61]) == ["skipped_updates"] and "6 of 60 updates were skipped" in symptoms(rows[:61])[0].sentence
    assert names([{**row, "step": 4 * row["step"]} for row in rows]) == [], "6 of 396 are few"


def test_settings_make_what_to_try_a_number():
    rows = events(EVENTS, **{"completions/clipped_ratio": 0.8})
    (symptom,) = symptoms(rows, settings={"max_completion_length": 24})
    assert symptom.setting == "max_completion_length=48 (now 24)"
    assert symptoms(rows)[0].setting == "a higher max_completion_length"


def test_events_without_a_generation_are_passed_over():
    """With eight updates a round, rewards come with every eighth event."""
    rows = []
    for step, row in enumerate(events(6, {"reward": 0.0}, reward=0.0, frac_reward_zero_std=1.0)):
        rows.append({**row, "step": 8 * step})
        rows += [{"loss": 0.0, "grad_norm": 0.0, "entropy": 0.6, "step": 8 * step + k} for k in range(1, 8)]
    assert names(rows) == ["no_signal"] and names(rows[:40]) == []


def test_a_short_run_is_judged_by_fewer_events():
    rows = events(FEWEST_EVENTS, {"reward": 0.0, "frac_reward_zero_std": 1.0}, reward=0.0, frac_reward_zero_std=1.0)
    assert names(rows) == [] and names(rows, FEWEST_EVENTS) == ["no_signal"]


def test_a_watch_finds_each_once_and_knows_those_of_an_earlier_process():
    rows = events(2 * EVENTS, {"reward": 0.0}, reward=0.0, frac_reward_zero_std=1.0)
    watch = SymptomWatch()
    watch.begin([])
    new = [watch.add(row) for row in rows]
    assert [symptom.name for step in new for symptom in step] == ["no_signal"] == [one.name for one in watch.found]
    assert watch.found[0].step == EVENTS and watch.finish() == []
    again = SymptomWatch()
    again.begin([*rows, {"eval_loss": 0.0}])
    assert again.found == watch.found and again.add(rows[-1]) == []
    short = SymptomWatch()
    short.begin(rows[1 : FEWEST_EVENTS + 1])
    assert short.found == [] and [symptom.name for symptom in short.finish()] == ["no_signal"]


def test_a_log_that_is_read_again_says_what_the_watch_said():
    rows = course(**{"log_ratio/max": [1.0] * 20 + [6.0] * 10, "entropy": [0.6] * 25 + [0.001] * 5})
    watch = SymptomWatch()
    watch.begin(rows)
    assert diagnose(rows) == watch.found and [one.step for one in watch.found] == [22, 29]
    long = course(**{"log_ratio/max": [1.0] * 3000 + [6.0] * 1000})
    (symptom,) = diagnose(long)
    assert 3000 < symptom.step < 3020
    assert diagnose([]) == []
