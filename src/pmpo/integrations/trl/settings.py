"""The settings that a resumption is compared by: which arguments decide the weights, and what beside them does.

Every field of `PMPOConfig` is in `HARMLESS`, in `WARNED` or in neither, which a test goes through by name, so that a
new field of TRL's has to be looked at.
"""

from __future__ import annotations

from typing import Any

from pmpo.engine.fingerprint import data_fingerprint
from pmpo.engine.model_facts import adapter_facts, model_facts, tokenizer_facts
from pmpo.engine.settings import RunSettings
from pmpo.integrations.trl.host.parts import attention_of, facts_of

HARMLESS = frozenset((
    # where it goes and what is logged of it
    "output_dir", "overwrite_output_dir", "run_name", "project", "report_to", "disable_tqdm", "debug",
    "skip_memory_metrics",
    "trackio_space_id", "trackio_bucket_id", "trackio_static_space_id", "log_level", "log_level_replica",
    "log_on_each_node", "logging_strategy", "logging_steps", "logging_first_step", "logging_nan_inf_filter",
    "include_num_input_tokens_seen", "log_completions", "log_multimodal", "log_unique_prompts",
    "log_completions_hub_repo", "num_completions_to_print", "token_samples",
    # checkpoints, and how a run is resumed
    "save_strategy", "save_steps", "save_total_limit", "save_only_model", "save_on_each_node", "enable_jit_checkpoint",
    "on_save_error", "push_to_hub", "hub_token", "hub_private_repo", "hub_model_id", "hub_strategy", "hub_always_push",
    "hub_revision", "resume_from_checkpoint", "restore_callback_states_from_checkpoint", "allow_change",
    "ignore_data_skip",  # has a warning of its own
    # when a run that cannot go on ends
    "on_nonfinite", "max_nonfinite_steps", "max_failed_rewards",
    # how an evaluation is computed that gives the same numbers
    "do_train", "do_eval", "do_predict", "prediction_loss_only", "eval_do_concat_batches", "eval_use_gather_object",
    "eval_accumulation_steps", "include_for_metrics", "batch_eval_metrics",
    # machinery
    "dataloader_num_workers", "dataloader_pin_memory", "dataloader_persistent_workers", "dataloader_prefetch_factor",
    "dataloader_multiprocessing_context", "torch_empty_cache_steps", "local_rank", "ddp_timeout", "trust_remote_code",
    "vllm_server_base_url", "vllm_server_host", "vllm_server_port", "vllm_server_timeout", "vllm_group_port",
    "vllm_gpu_memory_utilization", "vllm_enable_sleep_mode",
    "generation_batch_size",  # the product of others, which are compared
))  # fmt: skip
"""Arguments that do not change the weights that come out."""

WARNED = frozenset((
    # a run may be made longer or shorter; schedules of the learning rate or of p stretch with it
    "max_steps", "num_train_epochs",
    # an evaluation draws from the random numbers that the next generation draws from
    "eval_strategy", "eval_steps", "eval_delay", "eval_on_start", "per_device_eval_batch_size", "num_generations_eval",
    "bf16_full_eval", "fp16_full_eval",
    # another one of the same checkpoints comes out
    "load_best_model_at_end", "metric_for_best_model", "greater_is_better",
    # the same computation again; bit for bit where the kernels are
    "gradient_checkpointing", "gradient_checkpointing_kwargs", "activation_checkpointing",
    "activation_checkpointing_kwargs", "decoding_loop", "implementation", "passes_per_micro_batch",
    "recompute_old_log_probs",
))  # fmt: skip
"""Arguments that may change without permission, with a warning of what was and is: still the same experiment."""


def facts_of_model(model: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """What is compared of a model, and of its adapters. Before it is wrapped: FSDP2 and DeepSpeed change its dtype."""
    config = model.config
    facts = model_facts(model, facts_of(config), config.name_or_path or "", attention_of(config))
    return facts, adapter_facts(getattr(model, "peft_config", {}))


def settings_of(trainer: Any) -> dict[str, Any]:
    """Every setting that decides which weights come out of a trainer, in types that JSON has."""
    more = {}
    if trainer.tools:  # their descriptions are in the prompts
        more["tools"] = [tool.__name__ for tool in trainer.tools]
    if trainer.environment_factories is not None:
        more["environments"] = [name or "environment" for name in trainer.environment_factories]
    return RunSettings(
        arguments={
            **{name: value for name, value in trainer.args.to_dict().items() if name not in HARMLESS},
            "implementation": trainer.implementation.name,  # what auto came to
        },
        objective=trainer.policy_objective.to_mapping(),
        processes=trainer.accelerator.num_processes,
        model=trainer.given_model,
        adapter=trainer.given_adapter,
        tokenizer=tokenizer_facts(trainer.text_tokenizer, getattr(trainer.processing_class, "chat_template", None)),
        optimizers=trainer.given_optimizers,
        dataset=data_fingerprint(trainer.train_dataset),
        rewards=trainer.reward_func_names,
        more=more,
    ).record()
