"""The options that `PMPOConfig` has beside GRPOConfig's or with another default, each with its help."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from pmpo.objective.presets import OBJECTIVES


def _option(default: Any, text: str) -> Any:
    return field(default=default, metadata={"help": text})


@dataclass
class PMPOOptions:
    """Fields of `PMPOConfig`; None is filled in there."""

    objective: dict[str, Any] | str | None = field(
        default=None,
        metadata={
            "help": f"Objective: {', '.join(OBJECTIVES)}, or a mapping {{name: grpo, exponent: 0.5}}. Default: pmpo."
        },
    )
    exponent: float | str | dict[str, Any] | None = field(
        default=None,
        metadata={
            "help": "Exponent p: a number, or a rule with its options, as clip_aware_ess:saturation=0.1 or {rule: "
            "scheduled, end: -1}; one of your own as package.module:Name or file.py:Name. Default: the objective's."
        },
    )
    trust_region: dict[str, Any] | str | None = field(
        default=None,
        metadata={
            "help": "Trust region with its options, as log_ratio:log_ratio_low=0.3,log_ratio_high=0.5 or {region: "
            "ratio, ratio_high: 0.28}; one of your own as package.module:Name. Default: the objective's."
        },
    )
    sequence_weight: str | None = _option(
        None, "Weight of a completion: sequence (1/N), token (n/Σn), constant (n/(N·max_completion_length))."
    )
    advantage: str | None = _option(None, "grpo, dr_grpo, rloo, batch or maxrl. Default: the objective's.")
    correction: dict[str, Any] | str | None = field(
        default=None,
        metadata={
            "help": "Correction for samples that are not from the policy at the start of the round, as truncate:"
            "ratio_max=2 or {kind: mask, level: sequence, ratio_max: 3}; none for none. Default: the objective's."
        },
    )
    old_policy: str | None = _option(
        None,
        "What ratios and their trust region are centred at: start (the policy at the start of the round) or sampler "
        "(the policy that drew the completion). Default: the objective's.",
    )
    epsilon: float | None = _option(None, "Lower bound of a ratio trust region: ratios above 1 - epsilon.")
    epsilon_high: float | None = _option(
        None,
        "Upper bound: ratios below 1 + epsilon_high (default: epsilon); of pass_through (CISPO) the largest ratio (5).",
    )
    delta: float | None = _option(None, "Dual clip: the largest ratio a token may reach where the advantage is < 0.")
    on_nonfinite: str | None = _option(
        None,
        "A NaN or infinite loss or gradient: skip the step and count it, or raise. Default: skip; raise with "
        "DeepSpeed, which takes the step itself. The overflows that fp16's gradient scaler answers are only counted.",
    )
    max_nonfinite_steps: int = _option(5, "Skipped steps in a row after which the run stops and shows the batch.")
    max_failed_rewards: float = _option(
        0.1,
        "Share, 0..1, of its last 20 batches on which a reward function may fail, also when it is called again, before "
        "the run stops; such a batch has no rewards from it. One that has never worked stops the run at once. 1 never "
        "stops it.",
    )
    reward_timeout: float | None = _option(
        None,
        "Seconds that one call of a Python reward function may take before it counts as failed; default: for ever. "
        "The function then runs in a thread, which is given up and not stopped; graders in processes, such "
        "as those of pmpo.tasks, have limits of their own and are not touched.",
    )
    rollout_staleness: int = _option(
        0,
        "Reproduces asynchronous generation, to compare objectives, and makes a run worse: rounds are sampled with the "
        "weights of so many rounds ago, which are kept in main memory.",
    )
    sampler_noise: float = _option(
        0.0,
        "Reproduces a sampler that is not the trained model (another engine, FP8, routing of experts), and makes a run "
        "worse: the standard deviation, nats, of Gaussian noise on the sampler's logits.",
    )
    generation_chunk_size: int | None = _option(
        None,
        "Completions of a text that a process generates at once with transformers' generate; 0: the whole round. "
        "Default: what GRPOTrainer would, per_device_train_batch_size x gradient_accumulation_steps, or the whole "
        "round where its size is given.",
    )
    implementation: str = _option(
        "auto",
        "What computes the policy loss: reference (torch's own operations, any objective), fused (one pass in C++ on "
        "the CPU, in Triton on CUDA; refused where it cannot be), or auto: fused where it can be. The trainer's "
        "`implementation` says which it is, and why.",
    )
    decoding_loop: str = _option(
        "auto",
        "What draws tokens where transformers would: auto, a loop that draws the same tokens in less time (the prompt "
        "of a group passes through the model once, ended completions are dropped), and transformers' own, with a "
        "warning, for models and options that it does not know; or transformers, always its own.",
    )
    recompute_old_log_probs: bool = _option(
        False,
        "Compute the log-probabilities at the start of a round by another pass of the model also where sampling has "
        "given them: in float32, of completions of one turn drawn by the loop of decoding_loop auto.",
    )
    passes_per_micro_batch: int = _option(
        4,
        "Passes of the model, at most, that a micro-batch goes through it in: completions of like length together, "
        "without the padding of longer ones, and those of advantage 0 without a backward pass. 1: all in one, as with "
        "GRPOTrainer; so with FSDP, DeepSpeed, pictures, dropout, entropy bonus and torch_compile.",
    )
    logits_precision: str | None = _option(
        None,
        "Products behind log-probabilities: float32; bf16x3 (float32 numbers as sums of two bfloat16 ones) and bf16 "
        "(rounded to bfloat16), both summed in float32; host, TRL's own, whose logits have 16 bits. Default: bf16x3 on "
        "CUDA from compute capability 8.0, which keeps ratios within 1e-3 nats, and float32 elsewhere.",
    )
    token_samples: int = _option(
        4,
        "Completions of the update behind each log event that go to tokens.jsonl token by token, of the first process, "
        "for `pmpo report`: at most 2 MB a run. 0 keeps none.",
    )
    on_save_error: str = _option(
        "stop", "A checkpoint that cannot be written (a full disk): stop the run, or continue without it."
    )
    overwrite_output_dir: bool = _option(
        False,
        "Begin again in a folder that holds a run, which is moved to earlier-1 in it; nothing is deleted. Without "
        "effect where a run is resumed.",
    )
    allow_change: list[str] | None = field(
        default=None,
        metadata={"help": "Settings that may differ from the checkpoint's when resuming, by name; all allows any."},
    )
    beta: float | None = _option(None, "KL coefficient towards the reference model. Default: the objective's.")
    scale_rewards: str | None = _option(None, "TRL's spelling of `advantage`: group, none or batch.")
    sapo_temperature_pos: float | None = _option(
        None, "soft_gate (SAPO): temperature where the advantage is > 0 (1.0)."
    )
    sapo_temperature_neg: float | None = _option(None, "soft_gate: temperature where it is not (1.05).")
    use_bias_correction_kl: bool | None = _option(
        None, "Multiply the KL of a token by its importance ratio. Default: the objective's (false)."
    )
    loss_type: str | None = _option(
        None,
        "TRL's name of a loss, for the objective that TRL computes: grpo, dr_grpo, dapo, bnpo, luspo, cispo, sapo.",
    )
    importance_sampling_level: str | None = _option(
        None, "TRL's word for where the ratio is taken: token, or sequence (GSPO)."
    )
