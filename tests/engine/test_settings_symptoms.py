"""Symptoms that the settings of a run show before its first update."""

import pytest

import pmpo
from pmpo.engine.symptoms import KINDS, SymptomWatch, settings_symptoms, symptoms
from pmpo.integrations.trl.settings import HARMLESS

SOUND = {
    "steps_per_generation": 8, "num_iterations": 1, "gradient_accumulation_steps": 1, "top_p": 1.0, "top_k": 0,
    "min_p": None, "repetition_penalty": 1.0, "use_vllm": False, "objective": pmpo.objective("pmpo").to_mapping(),
    "vllm_importance_sampling_correction": True, "off_policy_mask_threshold": None, "generation_kwargs": None,
}  # fmt: skip
CORRECTED = {**SOUND["objective"], "correction": {"correction": "truncate", "ratio_max": 2.0}}
AT_SAMPLER = {**SOUND["objective"], "old_policy": "sampler"}


def found(**changes):
    return [symptom.name for symptom in settings_symptoms({**SOUND, **changes})]


def test_sound_settings_have_none_and_neither_have_unknown_ones():
    assert found() == [] and settings_symptoms({}) == []
    assert found(rollout_staleness=0, sampler_noise=0.0, use_vllm=True) == []


@pytest.mark.parametrize(
    ("changes", "name", "said", "setting"),
    [
        (
            {"steps_per_generation": 4, "gradient_accumulation_steps": 4},
            "one_update",
            "one update per generation (steps_per_generation=4, num_iterations=1, gradient_accumulation_steps=4)",
            "steps_per_generation=32 (now 4)",
        ),
        (
            {"use_vllm": True, "top_p": 0.95},
            "truncated_sampling",
            "sampled with top_p=0.95, and their ratios to the sampler are used",
            "top_p=1.0",
        ),
        (
            {
                "objective": CORRECTED,
                "top_k": 50,
                "generation_kwargs": {"repetition_penalty": 1.1},
                "sampler_noise": 0.5,
            },
            "truncated_sampling",
            "sampled with top_k=50, repetition_penalty=1.1, and their ratios to the sampler are used: the sampler's "
            "log-probabilities are those before that",
            "top_k=0, repetition_penalty=1.0",
        ),
        ({"objective": AT_SAMPLER, "min_p": 0.1, "use_vllm": True}, "truncated_sampling", "min_p=0.1", "min_p=0.0"),
        (
            {"rollout_staleness": 8},
            "uncorrected_rollouts",
            "(rollouts are 8 rounds old), and nothing corrects",
            "correction=truncate:ratio_max=2",
        ),
        (
            {"sampler_noise": 0.5, "rollout_staleness": 2},
            "uncorrected_rollouts",
            "(rollouts are 2 rounds old; the sampler's logits carry noise of 0.5)",
            "correction=truncate:ratio_max=2",
        ),
        (
            {"use_vllm": True, "vllm_importance_sampling_correction": False},
            "uncorrected_rollouts",
            "(vLLM samples, whose probabilities differ from the trainer's)",
            "vllm_importance_sampling_correction=true",
        ),
    ],
)
def test_each_names_the_settings_and_what_to_write(changes, name, said, setting):
    (symptom,) = settings_symptoms({**SOUND, **changes})
    assert (symptom.name, symptom.step, symptom.setting) == (name, 0, setting)
    assert said in symptom.sentence, symptom.sentence


@pytest.mark.parametrize(
    "changes",
    [
        {"top_p": 0.95},  # no ratio to the sampler
        {"top_p": 0.95, "objective": AT_SAMPLER},  # which is the policy at the start of the round
        {"rollout_staleness": 8, "objective": CORRECTED},
        {"rollout_staleness": 8, "correction": "truncate:ratio_max=2"},
        {"sampler_noise": 0.5, "objective": AT_SAMPLER},
        {"sampler_noise": 0.5, "old_policy": "sampler"},
        {"rollout_staleness": 2, "off_policy_mask_threshold": 0.5},
        {"steps_per_generation": 1, "objective": AT_SAMPLER, "sampler_noise": 0.5},  # ratios are those to the sampler
        {"steps_per_generation": 1, "num_iterations": 4},
    ],
)
def test_what_is_corrected_for_is_none(changes):
    assert found(**changes) == []


def test_a_trust_region_at_the_sampler_is_no_way_out_where_that_is_the_start_of_the_round():
    assert found(steps_per_generation=1, objective=AT_SAMPLER) == ["one_update"]


def test_the_members_that_are_centred_at_the_sampler_need_no_correction():
    for name in ("p3o", "dppo"):
        mapping = pmpo.objective(name).to_mapping()
        assert found(rollout_staleness=8, objective=mapping) == [], name
    assert found(rollout_staleness=8, objective=pmpo.objective("gmpo").to_mapping()) == ["uncorrected_rollouts"]
    corrected = pmpo.objective("gmpo", correction="truncate:ratio_max=2").to_mapping()
    assert found(rollout_staleness=8, objective=corrected) == []


def test_no_correction_by_name_is_none():
    assert found(rollout_staleness=2, correction="none") == ["uncorrected_rollouts"]


def test_a_watch_knows_them_before_the_first_event_and_after_a_resumption():
    watch = SymptomWatch({**SOUND, "steps_per_generation": 1})
    assert [one.name for one in watch.of_settings] == ["one_update"] == [one.name for one in watch.found]
    watch.begin([{"loss": 0.0, "step": 1, "log_ratio/max": 0.0, "log_ratio/min": 0.0}] * 6)
    assert [one.name for one in watch.found] == ["one_update"], "the ratios of 1 that it makes are no news"
    assert watch.finish() == []


def test_ratios_of_one_are_news_where_there_are_more_updates():
    rows = [{"loss": 0.0, "step": step, "log_ratio/max": 0.0, "log_ratio/min": 0.0} for step in range(6)]
    assert [one.name for one in symptoms(rows, settings=SOUND)] == ["equal_ratios"]


def test_every_kind_is_found_in_one_way_and_by_settings_that_decide_the_run():
    assert all((kind.find is None) != (kind.find_in_settings is None) for kind in KINDS.values())
    assert not {"top_p", "use_vllm", "steps_per_generation", "off_policy_mask_threshold"} & HARMLESS
