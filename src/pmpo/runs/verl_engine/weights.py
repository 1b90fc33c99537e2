"""The model: where it is, in which numbers it computes, what of it is trained."""

from __future__ import annotations

from pmpo.foundation.errors import InputError
from pmpo.runs.verl_engine.job import Job, says
from pmpo.runs.verl_engine.overrides import ACTOR, MODEL, REFERENCE, ROLLOUT, Translation

_SHORT = {"float32": "fp32", "bfloat16": "bf16", "float16": "fp16"}


@says("model_name_or_path", "trust_remote_code", "init_from_scratch")
def model(job: Job, to: Translation) -> None:
    to.line("model_name_or_path", f"{MODEL}.path", job.facts.model)
    if job.facts.tokenizer is not None:
        to.line("model_name_or_path", f"{MODEL}.tokenizer_path", job.facts.tokenizer)
    if job.options.trust_remote_code:
        to.line("trust_remote_code", f"{MODEL}.trust_remote_code", True)
        to.line("trust_remote_code", "data.trust_remote_code", True)
    to.line("engine", f"{ACTOR}.strategy", "fsdp2")


@says("dtype", "bf16", "fp16")
def numbers(job: Job, to: Translation) -> None:
    """Raises: InputError for a type of weights that is none."""
    options = job.options
    weights = "float32" if options.dtype in (None, "auto") else str(options.dtype)
    if weights not in _SHORT:
        raise InputError(f"dtype is {options.dtype!r}; under verl write {', '.join(_SHORT)}.")
    computed = "float16" if options.fp16 else "bfloat16" if options.bf16 or weights == "bfloat16" else weights
    sections = [ACTOR, REFERENCE] if options.resolved_objective.kl_coef else [ACTOR]
    for section in sections:
        to.line("dtype", f"{section}.fsdp_config.model_dtype", _SHORT[weights])
        to.line("bf16, fp16", f"{section}.fsdp_config.dtype", computed)
        if computed != "bfloat16":  # which is verl's own way
            short = _SHORT[computed]
            mixed = {"param_dtype": short, "reduce_dtype": "fp32", "buffer_dtype": "fp32"}
            to.line("bf16, fp16", f"+{section}.fsdp_config.mixed_precision", mixed)
    to.line("bf16, fp16", f"{ROLLOUT}.dtype", computed)


@says("attn_implementation")
def attention(job: Job, to: Translation) -> None:
    """Padding is left out where FlashAttention takes sequences of any length next to each other."""
    given = job.options.attn_implementation
    name = given or "sdpa"
    packed = name.startswith("flash_attention")
    to.line("attn_implementation", f"+{MODEL}.override_config.attn_implementation", name)
    to.line("attn_implementation", f"{MODEL}.use_remove_padding", packed)
    if given is None and not job.on_cpu:
        to.note(
            "attn_implementation: sdpa as under TRL, with padding; flash_attention_2 leaves the padding out and is "
            "verl's own default"
        )


@says("activation_checkpointing", "gradient_checkpointing", "use_liger_kernel")
def memory(job: Job, to: Translation) -> None:
    options = job.options
    on = (
        options.gradient_checkpointing if options.activation_checkpointing is None else options.activation_checkpointing
    )
    to.line("activation_checkpointing", f"{MODEL}.enable_gradient_checkpointing", bool(on))
    to.line("use_liger_kernel", f"{MODEL}.use_liger", bool(options.use_liger_kernel))


@says("use_peft", "lora_r", "lora_alpha", "lora_dropout", "lora_target_modules")
def lora(job: Job, to: Translation) -> None:
    """Raises: InputError for adapters that verl makes in another way."""
    options = job.options
    if not options.use_peft:
        return
    if options.lora_dropout:
        default = "" if "lora_dropout" in options.said else " (the default)"
        raise InputError(
            f"lora_dropout={options.lora_dropout}{default}: verl's adapters have no dropout; write lora_dropout: 0."
        )
    if not options.lora_target_modules:
        raise InputError(
            "lora_target_modules is not given: PEFT then chooses by the model, verl takes all linear layers; write "
            "lora_target_modules: [all-linear], or their names."
        )
    names = list(options.lora_target_modules)
    to.line("lora_r", f"{MODEL}.lora_rank", options.lora_r)
    to.line("lora_alpha", f"{MODEL}.lora_alpha", options.lora_alpha)
    to.line("lora_target_modules", f"{MODEL}.target_modules", names[0] if len(names) == 1 else names)
    if job.on_cpu:
        to.line("use_peft", f"{MODEL}.lora.merge", True)  # the rollout takes whole weights
