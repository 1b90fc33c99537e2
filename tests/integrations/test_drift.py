"""What may differ between a run and its resumption is named field by field."""

import dataclasses
import shutil

import pytest
import torch
from peft import LoraConfig

from pmpo.engine.drift import check_drift
from pmpo.foundation.errors import InputError
from pmpo.integrations.trl import PMPOConfig
from pmpo.integrations.trl.settings import HARMLESS, WARNED, settings_of
from support import config, parameters, trainer
from tiny import tiny_model

_DECISIVE = """
    per_device_train_batch_size learning_rate lr_scheduler_type lr_scheduler_kwargs warmup_steps optim optim_args
    weight_decay adam_beta1 adam_beta2 adam_epsilon optim_target_modules gradient_accumulation_steps
    average_tokens_across_devices max_grad_norm label_smoothing_factor bf16 fp16 tf32 torch_compile
    torch_compile_backend torch_compile_mode use_liger_kernel liger_kernel_config use_cache neftune_noise_alpha
    auto_find_batch_size full_determinism seed data_seed use_cpu accelerator_config parallelism_config
    dataloader_drop_last dataloader_in_order remove_unused_columns label_names train_sampling_strategy
    length_column_name ddp_find_unused_parameters ddp_bucket_cap_mb ddp_broadcast_buffers ddp_static_graph ddp_backend
    fsdp fsdp_config deepspeed model_init_kwargs router_aux_loss_coef disable_dropout cast_lm_head_to_fp32
    num_generations max_completion_length ds3_gather_for_generation shuffle_dataset pad_to_multiple_of
    rollout_staleness sampler_noise
    steps_per_generation temperature top_p top_k min_p generation_kwargs chat_template_kwargs repetition_penalty
    cache_implementation use_vllm vllm_mode vllm_model_impl vllm_structured_outputs_regex vllm_max_model_length
    vllm_tensor_parallel_size beta num_iterations epsilon delta epsilon_high sapo_temperature_neg sapo_temperature_pos
    vespo_k_pos vespo_lambda_pos vespo_k_neg vespo_lambda_neg importance_sampling_level reward_weights
    multi_objective_aggregation scale_rewards loss_type mask_truncated_completions sync_ref_model
    ref_model_mixup_alpha ref_model_sync_steps top_entropy_quantile entropy_coef use_adaptive_entropy entropy_coef_min
    entropy_coef_max entropy_coef_delta entropy_target max_tool_calling_iterations vllm_importance_sampling_correction
    vllm_importance_sampling_mode vllm_importance_sampling_clip_max vllm_importance_sampling_clip_min
    off_policy_mask_threshold use_bias_correction_kl use_transformers_continuous_batching
    transformers_continuous_batching_config use_transformers_paged vllm_importance_sampling_cap objective exponent
    trust_region sequence_weight advantage correction old_policy reward_timeout generation_chunk_size
    logits_precision
"""
DECISIVE = frozenset(_DECISIVE.split())


def test_every_field_of_the_configuration_is_classified():
    """A new field of TRL's or of ours belongs into HARMLESS, WARNED or the list above, by what it does to weights."""
    fields = {field.name for field in dataclasses.fields(PMPOConfig)}
    unclassified = sorted(fields - HARMLESS - WARNED - DECISIVE)
    assert unclassified == [] and sorted((HARMLESS | WARNED | DECISIVE) - fields) == []
    assert not (HARMLESS & WARNED or HARMLESS & DECISIVE or WARNED & DECISIVE)


def test_harmless_fields_are_in_no_manifest_and_all_others_are():
    found = settings_of(trainer())
    assert not HARMLESS & set(found) and set(found) >= WARNED | DECISIVE


def test_what_may_change_is_warned_of_and_what_decides_is_refused():
    old, new = (
        {"eval_steps": 2, "tf32": False, "log_ratio_low": 0.4},
        {"eval_steps": 4, "tf32": True, "log_ratio_low": 0.2},
    )
    with pytest.raises(InputError, match=r"log_ratio_low was 0\.4 and is 0\.2; tf32 was false .* log_ratio_low tf32"):
        check_drift(old, new, WARNED, [], "checkpoint-3")
    assert "eval_steps was 2 and is 4" in check_drift(old, new, WARNED, ["log_ratio_low", "tf32"], "checkpoint-3")


LORA = {"r": 2, "lora_alpha": 4, "target_modules": ["q_proj", "v_proj"], "task_type": "CAUSAL_LM"}


@pytest.fixture(scope="module")
def adapted(tmp_path_factory):
    folder = tmp_path_factory.mktemp("adapted")
    build(folder, max_steps=1).train()
    return folder


def build(folder, lora=None, model=None, **changes):
    settings = {"save_strategy": "steps", "save_steps": 1, "max_steps": 2, "output_dir": str(folder), **changes}
    adapter = LoraConfig(**{**LORA, **(lora or {})})
    return trainer(config(**settings), model=model, peft_config=adapter)


@pytest.mark.parametrize(
    ("lora", "shown"),
    [
        ({"lora_alpha": 8}, r"peft\.lora_alpha was 4 and is 8"),
        ({"use_rslora": True}, r"peft\.use_rslora was false and is true"),
        ({"lora_dropout": 0.5}, r"peft\.lora_dropout was 0\.0 and is 0\.5"),
        ({"init_lora_weights": "gaussian"}, r"peft\.init_lora_weights was true and is \"gaussian\""),
        ({"r": 4}, r"model\.trainable was \d+ and is \d+; peft\.r was 2 and is 4"),
        ({"target_modules": ["v_proj"]}, r"peft\.target_modules was \[\"q_proj\", \"v_proj\"\] and is \[\"v_proj\"\]"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_another_adapter_is_refused(adapted, lora, shown):
    with pytest.raises(InputError, match=shown):
        build(adapted, lora).train(resume_from_checkpoint=True)


def test_the_same_adapter_resumes_and_none_is_shown_as_one_difference(adapted, tmp_path):
    run = shutil.copytree(adapted, tmp_path / "run")
    build(run, {"target_modules": ["v_proj", "q_proj"]}).train(resume_from_checkpoint=True)
    without = trainer(config(output_dir=str(adapted), max_steps=2))
    with pytest.raises(InputError, match=r"model\.trainable was .*; peft was \"LORA\" and is null\. Resumed"):
        without.train(resume_from_checkpoint=True)


def test_model_tokenizer_and_optimizers_are_settings():
    plain = settings_of(trainer())

    def differing(**kwargs):
        other = settings_of(trainer(**kwargs))
        return {name for name in set(plain) | set(other) if plain.get(name) != other.get(name)}

    assert differing() == set()
    assert differing(model=tiny_model(attention_dropout=0.1)) == {"model.attention_dropout"}
    assert differing(model=tiny_model(dtype=torch.bfloat16)) == {"model.dtype", "model.trainable_dtype"}
    model = tiny_model()
    assert differing(model=model, optimizers=(torch.optim.SGD(model.parameters(), 0.1), None)) == {"optimizers"}
    templated = trainer()
    templated.processing_class.chat_template = "{{ messages }}"
    found = settings_of(templated)
    assert found["tokenizer"] != plain["tokenizer"] and found["tokenizer"]["size"] == 17


def test_ignore_data_skip_begins_the_epoch_anew_and_says_what_that_costs(tmp_path):
    """In the middle of a round: TRL's round is given up, and the rest of the run goes in whole rounds."""
    settings = {"save_strategy": "steps", "save_steps": 1, "max_steps": 3, "steps_per_generation": 4}
    trainer(config(output_dir=str(tmp_path), **settings)).train()
    again = trainer(config(output_dir=str(tmp_path), **{**settings, "max_steps": 5, "ignore_data_skip": True}))
    seen = []
    generate = again._generate_and_score_completions
    again._generate_and_score_completions = lambda rows: seen.append([row["prompt"] for row in rows]) or generate(rows)
    with pytest.warns(UserWarning, match=r"ignore_data_skip=True: the round under way is given up .* Leave it out"):
        again.train(resume_from_checkpoint=str(tmp_path / "checkpoint-3"))
    assert again.state.global_step == 5 and parameters(again).isfinite().all()
    assert len(seen) == 1, "steps 4 and 5 are the first two of a round from the epoch's beginning"
