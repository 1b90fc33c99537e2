"""Which private names of TRL and transformers are used, in which form, by which file, and what for.

`tests/integrations/test_host.py` holds every row against the installed releases: a name that has moved fails there,
with its row as the message. The same test finds private names outside this package, and rows that nobody needs.
"""

from __future__ import annotations

from dataclasses import dataclass

ATTRIBUTE = "attribute"
TRAINER = "trl:GRPOTrainer"


@dataclass(frozen=True)
class HostName:
    """One private name.

    Attributes:
        name: as the host writes it.
        form: parameters of a method or function without `self`, "=" behind those with a default, "..." for any others;
            or "attribute".
        ours: the hook, property or function that stands for it; "" where a file below the adapter names it itself.
        users: files under src/pmpo that use `ours`.
        purpose: what for; completes "needed to".
        owner: module and name of the class that has it, or the module of a function.
    """

    name: str
    form: str
    ours: str
    users: tuple[str, ...]
    purpose: str
    owner: str = TRAINER

    def __str__(self) -> str:
        form = f" ({ATTRIBUTE})" if self.form == ATTRIBUTE else f"({self.form})"
        through = f" through `{self.ours}`" if self.ours else ""
        return f"{self.owner}.{self.name}{form}, needed{through} by {', '.join(self.users)} to {self.purpose}"


def _in_trl(*files: str) -> tuple[str, ...]:
    return tuple(f"integrations/trl/{file}.py" for file in files)


_LOOP = "model, epoch, train_dataloader, steps_in_epoch, ..., steps_trained_in_current_epoch"
_UPDATE = "tr_loss, grad_norm, model, trial, epoch, ignore_keys_for_eval, start_time, learning_rate="
_ONE_TURN = "prompt_ids, images, multimodal_fields, num_generations, has_tool_images="
_CONFIG = "transformers:PreTrainedConfig"
_UTILS = "trl.trainer.utils"
_KERNELS = "trl.kernels.chunked_logprob"

METHODS = (
    HostName("_generate_and_score_completions", "inputs", "make_round",
             _in_trl("advantages", "decoding", "loss", "passing", "picture_rows", "regimes"),
             "add a round's reward statistics, correct its advantages, know its log-probabilities, accept rows without "
             "pictures, keep the weights at its start"),
    HostName("_tokenize_prompts", "prompts", "tokenize_prompts",
             (*_in_trl("generating", "picture_rows", "preflight"), "runs/held_out.py"),
             "correct empty prompts and rows without pictures, measure prompts, ask held-out problems as in training"),
    HostName("_generate_single_turn", _ONE_TURN, "complete", _in_trl("decoding", "generating", "regimes"),
             "generate a round in pieces, by a loop of ours, and by old weights or with noise"),
    HostName("_calculate_rewards", "inputs, prompts, completions, completion_ids_list", "rewards_of",
             _in_trl("advantages", "rewarding"), "tolerate failing rewards, and keep the rewards of all processes"),
    HostName("_compute_loss", "model, inputs", "loss_of", _in_trl("loss"), "put the objective's policy term in"),
    HostName("_get_per_token_logps_and_entropies", "model, ..., pixel_values=, ...",
             "log_probs_of", _in_trl("decoding", "loss", "passing", "picture_rows"),
             "compute the loss on the log-probabilities of TRL's own forward pass, and none that sampling has given"),
    HostName("_get_train_sampler", "dataset=", "train_sampler", _in_trl("exact_resume"), "order rows by the epoch"),
    HostName("_run_epoch", _LOOP, "run_epoch", _in_trl("exact_resume", "skipping", "trainer"),
             "resume in the middle of a round, leave a complete run alone, and wait for no loss"),
    HostName("_maybe_log_save_evaluate", _UPDATE, "log_save_evaluate", _in_trl("measuring", "stopping"),
             "know the end of an update, and gather what is about to be logged"),
    HostName("_evaluate", "trial, ignore_keys_for_eval, skip_scheduler=", "evaluate_in_training", _in_trl("stopping"),
             "know that a stop came in an evaluation"),
    HostName("_finalize_training", "trial, num_train_samples, start_time", "finish_training",
             _in_trl("measuring", "saving"),
             "delete surplus checkpoints when their uploads are done, and gather what is logged last"),
    HostName("_get_output_dir", "trial", "output_folder", _in_trl("saving"), "write checkpoints into a staging folder"),
    HostName("_save_checkpoint", "model, trial", "write_checkpoint", _in_trl("saving", "stopping"),
             "seal and publish a checkpoint, and save at a stop"),
    HostName("_save", "output_dir=, state_dict=", "write_model", ("runs/trainer.py",),
             "keep the prompt's template with the model"),
    HostName("_save_rng_state", "output_dir", "write_random_states", _in_trl("exact_resume"),
             "save every process's part of the round"),
    HostName("_load_optimizer_and_scheduler", "checkpoint", "load_optimizer", _in_trl("exact_resume"),
             "load the round of a checkpoint"),
    HostName("_load_from_checkpoint", "resume_from_checkpoint, model=", "load_weights", _in_trl("renamed_weights"),
             "load weights that are saved under other names"),
    HostName("_load_best_model", "", "load_best_weights", _in_trl("renamed_weights"),
             "load weights that are saved under other names"),
    HostName("_push_from_checkpoint", "checkpoint_folder", "upload", _in_trl("pushing"),
             "upload a checkpoint when it is published"),
    HostName("_finish_current_push", "", "wait_for_upload", _in_trl("saving"),
             "replace or delete no checkpoint that is being uploaded"),
)  # fmt: skip

ATTRIBUTES = (
    HostName("_tokenizer", ATTRIBUTE, "text_tokenizer",
             (*_in_trl("generating", "settings", "skipping", "token_sampling"), "runs/held_out.py"),
             "decode and count tokens where processing_class is a processor"),
    HostName("_is_vlm", ATTRIBUTE, "reads_pictures", _in_trl("preflight"), "leave prompts with pictures unmeasured"),
    HostName("_multi_environment", ATTRIBUTE, "has_several_environments", _in_trl("preflight"),
             "check the column that names a row's environment"),
    HostName("_step", ATTRIBUTE, "round_step", _in_trl("exact_resume", "loss", "passing", "resuming", "update_mark"),
             "save and restore the position in a round"),
    HostName("_buffered_inputs", ATTRIBUTE, "round_buffer",
             _in_trl("exact_resume", "loss", "passing", "resuming", "update_mark"),
             "save and restore a round, count the tokens of an update, and know how long completions are"),
    HostName("_metrics", ATTRIBUTE, "metric_values",
             (*_in_trl("advantages", "exact_resume", "measuring", "rewarding", "saving", "skipping", "update_mark"),
              "runs/held_out.py"), "log metrics beside TRL's, and resume a log event under way"),
    HostName("_logs", ATTRIBUTE, "advantage_column", _in_trl("advantages"), "show corrected advantages in the table"),
    HostName("_pending_metrics", ATTRIBUTE, "drop_pending_metrics", _in_trl("update_mark"),
             "forget what rewards logged of a round that is stopped"),
    HostName("_pending_extra_logs", ATTRIBUTE, "drop_pending_metrics", _in_trl("update_mark"),
             "forget what rewards logged of a round that is stopped"),
    HostName("_tr_loss", ATTRIBUTE, "loss_since_log", _in_trl("exact_resume"), "resume a log event under way"),
    HostName("_globalstep_last_logged", ATTRIBUTE, "last_logged_step", _in_trl("exact_resume", "measuring"),
             "resume a log event under way, and gather what the next one says"),
    HostName("_total_loss_scalar", ATTRIBUTE, "set_loss_window", _in_trl("exact_resume"),
             "keep the loss of the summary that of this process"),
    HostName("_last_world_entropy", ATTRIBUTE, "counters", _in_trl("update_mark"), "restore the entropy controller"),
    HostName("_name", ATTRIBUTE, "", _in_trl("host/attributes"), "name the trainer on the model's card"),
    HostName("_tag_names", ATTRIBUTE, "", _in_trl("host/attributes"), "tag the model's card"),
    HostName("_paper", ATTRIBUTE, "", _in_trl("host/attributes"), "cite the paper on the model's card"),
    HostName("_wandb", ATTRIBUTE, "report_histogram", _in_trl("callbacks"), "log the exponents' histogram to W&B",
             "transformers.integrations:WandbCallback"),
    HostName("tb_writer", ATTRIBUTE, "report_histogram", _in_trl("callbacks"),
             "log the exponents' histogram to TensorBoard", "transformers.integrations:TensorBoardCallback"),
    HostName("_name_or_path", ATTRIBUTE, "facts_of", _in_trl("settings"),
             "compare models wherever their folders are", _CONFIG),
    HostName("_attn_implementation", ATTRIBUTE, "attention_of", _in_trl("settings"),
             "refuse to resume with another attention implementation", _CONFIG),
    HostName("_get_num_multimodal_tokens", "image_sizes=, ...", "", ("tasks/picture_prompts.py",),
             "count the tokens of a picture", "transformers:Qwen2VLProcessor"),
)  # fmt: skip

FUNCTIONS = (
    HostName("add_fused_lm_head", "model, temperature=, cast_lm_head_to_fp32=, ...", "own_heads",
             _in_trl("head/install"), "project log-probabilities as `logits_precision` says; replaced while TRL builds "
             "its trainer", "trl.trainer.grpo_trainer"),
    HostName("_ChunkedLogProbFunction", ATTRIBUTE, "own_heads", _in_trl("head/install"),
             "give models a head of ours, which has its name in their forward", _UTILS),
    HostName("_use_triton", "device", "own_heads", _in_trl("head/install"),
             "score only the tokens that count on CPUs as well", _UTILS),
    HostName("_use_triton", "device", "kernels_on", _in_trl("head/tiles"), "know where TRL's kernels run", _KERNELS),
    HostName("_forward_kernel", ATTRIBUTE, "FOLDS", _in_trl("head/tiles"), "fold a tile of logits on a GPU", _KERNELS),
    HostName("_backward_kernel", ATTRIBUTE, "FOLDS", _in_trl("head/tiles"), "turn a tile into its gradient on a GPU",
             _KERNELS),
    HostName("maybe_gather_lm_head_ctx", "params", "gathered", _in_trl("head/log_probs"),
             "have the whole head in the backward pass under ZeRO-3", _UTILS),
    HostName("RepeatSampler", "data_source, mini_repeat_count, batch_size=, repeat_count=, shuffle=, seed=",
             "RepeatSampler", _in_trl("exact_resume"), "order the rows of an epoch as TRL does, and resume in it",
             _UTILS),
    HostName("is_async_callable", "func", "is_async_callable", _in_trl("rewarding"),
             "know which rewards TRL will await", _UTILS),
    HostName("get_config_model_id", "config", "get_config_model_id", _in_trl("trainer"), "name the output folder",
             _UTILS),
    HostName("unwrap_model_for_generation", "model, accelerator, ...", "generating_model", ("runs/held_out.py",),
             "generate with a model that is wrapped or sharded for training", "trl.models.utils"),
    HostName("TRAINER_STATE_NAME", ATTRIBUTE, "TRAINER_STATE_NAME", _in_trl("resuming", "saving"),
             "write the trainer's state again with the best checkpoint's final name", "transformers.trainer"),
)  # fmt: skip

NAMES = (*METHODS, *ATTRIBUTES, *FUNCTIONS)

UNPROMISED = {
    "switch TRL's own policy term off":
        ("beta", "epsilon_high", "epsilon_low", "importance_sampling_level", "loss_type"),
    "weigh tokens as TRL's options say":
        ("get_high_entropy_mask", "get_off_policy_mask", "off_policy_mask_threshold", "top_entropy_quantile",
         "vllm_importance_sampling_correction"),
    "know which terms TRL adds to the loss":
        ("aux_loss_enabled", "use_adaptive_entropy"),
    "hand on the rows of a round, and cut padding off its micro-batches":
        ("data_collator", "pad_to_multiple_of"),
    "count completions, groups and updates":
        ("current_gradient_accumulation_steps", "num_generations", "num_generations_eval", "num_iterations"),
    "read and wrap the rewards":
        ("multi_objective_aggregation", "reward_func_names", "reward_funcs", "reward_weights", "scale_rewards"),
    "know how completions are made":
        ("chat_template_kwargs", "environment_factories", "is_deepspeed_enabled", "is_fsdp_enabled", "rollout_func",
         "tools", "use_transformers_continuous_batching", "use_vllm", "vllm_generation"),
    "save, restore and upload":
        ("current_flos", "entropy_coef", "hub_model_id", "push_in_progress", "ref_model"),
    "put callbacks in order":
        ("callback_handler",),
}  # fmt: skip
"""{purpose: public attributes and methods of the trainer that are in no documentation}; any file may use them."""

DOCUMENTED = frozenset((
    "accelerator", "add_callback", "args", "control", "end", "eval_dataset", "evaluate", "log", "lr_scheduler", "model",
    "model_wrapped", "optimizer", "processing_class", "remove_callback", "save_model", "state", "train",
    "train_dataset",
))  # fmt: skip
"""What transformers and TRL promise of a trainer: its arguments, and the attributes and methods of their pages."""
