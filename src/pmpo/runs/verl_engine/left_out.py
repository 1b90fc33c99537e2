"""Options without a line in verl's configuration: done around verl, decided by verl, or refused."""

from __future__ import annotations

from pmpo.foundation.errors import InputError, shortened
from pmpo.runs.verl_engine.job import Job
from pmpo.runs.verl_engine.overrides import Translation

DONE_HERE = (
    "task", "dataset", "datasets", "test_split_size", "dataset_streaming", "task_size", "dataset_config",
    "dataset_split", "problem_column", "answer_column", "eval_dataset", "eval_dataset_split", "split_seed",
    "prompt_template", "system_prompt", "problem_suffix", "max_unreadable_golds", "pass_at_1_target",
    "scratch_hidden_size", "scratch_layers", "scratch_heads", "scratch_vocab_size", "scratch_context",
    "scratch_picture_size", "curves", "dry_run", "progress", "engine", "verl", "overwrite_output_dir",
)  # fmt: skip
"""Read by what prepares the run, watches it and sums it up, as under TRL."""

DECIDED_BY_VERL = {
    "eval_batch_size": "verl's rollout batches held-out prompts itself",
    "generation_chunk_size": "verl's rollout batches requests itself",
    "decoding_loop": "verl's rollout engine samples",
    "passes_per_micro_batch": "verl removes padding and balances micro-batches itself (use_remove_padding)",
    "recompute_old_log_probs": "verl computes them by a pass of its own",
    "token_samples": "tokens.jsonl is TRL's alone",
    "on_save_error": "verl stops at a checkpoint that cannot be written",
    "max_failed_rewards": "a reward function that raises ends the run",
    "reward_timeout": "graders have their own, grader_timeout; other functions run as long as they run",
    "dataloader_pin_memory": "verl's loader decides",
    "dataloader_persistent_workers": "verl's loader decides",
    "dataloader_prefetch_factor": "verl's loader decides",
    "dataloader_multiprocessing_context": "verl's loader decides",
    "dataloader_in_order": "verl's loader decides",
    "disable_tqdm": "verl's output goes to a file",
    "log_level": "verl's output goes to a file",
    "log_level_replica": "verl's output goes to a file",
    "logging_first_step": "every round is logged",
    "logging_nan_inf_filter": "every round is logged as it is",
    "log_on_each_node": "the driver logs",
    "include_num_input_tokens_seen": "tokens are always counted",
    "log_completions": "held-out completions are always kept",
    "log_unique_prompts": "held-out completions are always kept",
    "num_completions_to_print": "held-out completions are always kept",
    "log_multimodal": "held-out completions are always kept",
    "gradient_checkpointing_kwargs": "verl checkpoints without reentrance",
    "activation_checkpointing_kwargs": "verl checkpoints without reentrance",
    "tf32": "verl leaves it to torch",
    "pad_to_multiple_of": "verl pads as its engine needs",
    "ds3_gather_for_generation": "it is DeepSpeed's",
    "average_tokens_across_devices": "the objective counts tokens over all ranks in any case",
    "lora_task_type": "adapters are of causal language models",
    "remove_unused_columns": "rewards get the row's reference and extra_info",
    "torch_empty_cache_steps": "verl empties its cache between phases",
    "skip_memory_metrics": "verl logs memory by itself",
    "ddp_timeout": "verl's is actor_rollout_ref.nccl_timeout",
    "save_on_each_node": "verl's ranks save their own parts",
    "per_device_eval_batch_size": "held-out problems are measured by pass_at_1_every",
    "num_generations_eval": "held-out problems get one completion each",
    "bf16_full_eval": "verl samples in rollout.dtype",
    "fp16_full_eval": "verl samples in rollout.dtype",
    "vllm_server_timeout": "verl waits for its servers itself",
}
"""Settings of TRL's process that change no number of the training; noted when they are given."""

_TRL_ONLY = "drop it, or use --engine trl"
_PROCESSES = "verl starts and shards its processes itself: drop it; num_processes is the number of GPUs"
_HUB = "verl pushes nothing to the hub: drop it, and push the run's model/ at the end"
_EVALUATION = "held-out problems are measured by eval_size and pass_at_1_every: drop it"
_ENTROPY = "verl's entropy bonus has one constant coefficient: write entropy_coef alone"
_GENERATE = "verl samples with an engine of its own, whose settings are lines of --verl actor_rollout_ref.rollout.…"
_SERVER = "verl starts its own servers: drop it"
_QUANTISED = "verl trains whole weights: drop it"
_ADAPTERS = "verl's adapters are plain LoRA: drop it"
REFUSED = {
    "model_revision": "verl takes no revision: download it, and give the folder as model_name_or_path",
    "model_init_kwargs": "give fields of the model's configuration as --verl "
                         "+actor_rollout_ref.model.override_config.NAME=VALUE",
    "reward_model_name_or_path": "verl serves reward models itself: --verl reward.reward_model.enable=True "
                                 "reward.reward_model.model_path=…, with a reward function that asks it",
    "multi_objective_aggregation": "verl gets one reward a completion, so rewards are summed first: write "
                                   "sum_then_normalize",
    "processor_kwargs": "save the processor with these settings, and give its folder as model_name_or_path",
    "mask_truncated_completions": f"verl counts the tokens of completions that were cut off: {_TRL_ONLY}",
    "top_entropy_quantile": f"verl weighs no tokens by entropy: {_TRL_ONLY}",
    "off_policy_mask_threshold": "write correction: mask, which both engines have",
    "sync_ref_model": f"verl's reference stays what it was: {_TRL_ONLY}",
    "ref_model_mixup_alpha": f"verl's reference stays what it was: {_TRL_ONLY}",
    "ref_model_sync_steps": f"verl's reference stays what it was: {_TRL_ONLY}",
    "router_aux_loss_coef": "give it as --verl +actor_rollout_ref.model.override_config.router_aux_loss_coef=…",
    "cast_lm_head_to_fp32": f"verl computes the head in the model's numbers: {_TRL_ONLY}",
    "logits_precision": f"verl computes the head in the model's numbers: {_TRL_ONLY}",
    "disable_dropout": "give fields of the model's configuration as --verl "
                       "+actor_rollout_ref.model.override_config.attention_dropout=0",
    "rollout_staleness": f"verl generates for the next round alone under our trainer: {_TRL_ONLY}",
    "sampler_noise": f"it imitates what vLLM in verl is: {_TRL_ONLY}",
    "max_nonfinite_steps": f"verl leaves out every update that is not finite: {_TRL_ONLY}",
    "allow_change": "verl checks no settings when it resumes; what changed in the objective is reported",
    "optim_args": "name optimisers as --verl actor_rollout_ref.actor.optim.optimizer=…",
    "optim_target_modules": "name optimisers as --verl actor_rollout_ref.actor.optim.optimizer=…",
    "label_smoothing_factor": _TRL_ONLY,
    "neftune_noise_alpha": _TRL_ONLY,
    "torch_compile": "verl compiles parts of its own: --verl actor_rollout_ref.actor.use_torch_compile=True",
    "torch_compile_backend": "verl compiles parts of its own",
    "torch_compile_mode": "verl compiles parts of its own",
    "liger_kernel_config": "verl takes use_liger_kernel alone",
    "auto_find_batch_size": "--verl actor_rollout_ref.actor.use_dynamic_bsz=True fits micro-batches to tokens",
    "train_sampling_strategy": "verl draws at random, or in order with shuffle_dataset: false",
    "dataloader_drop_last": "verl always trains full rounds: drop it",
    "debug": _TRL_ONLY,
    "enable_jit_checkpoint": "set save_steps",
    "load_best_model_at_end": "verl keeps no best checkpoint: drop it",
    "metric_for_best_model": "verl keeps no best checkpoint: drop it",
    "greater_is_better": "verl keeps no best checkpoint: drop it",
    "ignore_data_skip": "verl resumes where its loader was: drop it",
    "restore_callback_states_from_checkpoint": "verl has no callbacks of transformers: drop it",
    "max_tool_calling_iterations": "verl's tools are --verl actor_rollout_ref.rollout.multi_turn.…",
    "repetition_penalty": f"verl penalises no token: {_TRL_ONLY}",
    "min_p": f"verl's rollouts take no min_p: {_TRL_ONLY}",
    "vllm_structured_outputs_regex": _GENERATE,
    **dict.fromkeys(("vespo_k_pos", "vespo_lambda_pos", "vespo_k_neg", "vespo_lambda_neg"),
                    "it belongs to a loss outside the family: drop it"),
    **dict.fromkeys(("use_adaptive_entropy", "entropy_coef_min", "entropy_coef_max", "entropy_coef_delta",
                     "entropy_target"), _ENTROPY),
    **dict.fromkeys(("generation_kwargs", "cache_implementation", "use_transformers_continuous_batching",
                     "transformers_continuous_batching_config", "use_transformers_paged", "use_cache"), _GENERATE),
    **dict.fromkeys(("vllm_server_base_url", "vllm_server_host", "vllm_server_port", "vllm_group_port"), _SERVER),
    **dict.fromkeys(("accelerate_config", "accelerator_config", "parallelism_config", "fsdp", "fsdp_config",
                     "deepspeed", "ddp_find_unused_parameters", "ddp_bucket_cap_mb", "ddp_broadcast_buffers",
                     "ddp_static_graph", "ddp_backend", "local_rank"), _PROCESSES),
    **dict.fromkeys(("push_to_hub", "hub_token", "hub_private_repo", "hub_model_id", "hub_strategy", "hub_always_push",
                     "hub_revision", "log_completions_hub_repo", "trackio_space_id", "trackio_bucket_id",
                     "trackio_static_space_id"), _HUB),
    **dict.fromkeys(("eval_strategy", "eval_steps", "eval_delay", "prediction_loss_only", "eval_on_start",
                     "eval_do_concat_batches", "eval_use_gather_object", "eval_accumulation_steps",
                     "include_for_metrics", "batch_eval_metrics", "do_train", "do_eval", "do_predict", "label_names",
                     "length_column_name"), _EVALUATION),
    **dict.fromkeys(("load_in_8bit", "load_in_4bit", "bnb_4bit_quant_type", "use_bnb_nested_quant",
                     "bnb_4bit_quant_storage"), _QUANTISED),
    **dict.fromkeys(("lora_target_parameters", "lora_modules_to_save", "use_rslora", "use_dora"), _ADAPTERS),
}  # fmt: skip
"""Options whose meaning verl does not have, and what to do instead."""


def leave_out(job: Job, defaults: dict[str, object], to: Translation) -> None:
    """Refuse what has no counterpart, and note what verl decides, where another value than the default was given.

    Raises: InputError with the option, its value, and what to do.
    """
    for name in sorted(job.options.said):
        value = getattr(job.options, name)
        if value == defaults.get(name):
            continue
        if name in REFUSED:
            shown = shortened(repr(value))
            raise InputError(f"{name}={shown} has no counterpart under verl: {REFUSED[name]}.")
        if name in DECIDED_BY_VERL:
            to.note(f"{name}: {DECIDED_BY_VERL[name]}")
