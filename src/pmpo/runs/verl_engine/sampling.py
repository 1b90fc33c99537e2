"""How completions are drawn, in training and on held-out problems."""

from __future__ import annotations

from pmpo.foundation.errors import InputError
from pmpo.runs.lengths import eval_length
from pmpo.runs.verl_engine.job import Job, says
from pmpo.runs.verl_engine.overrides import ROLLOUT, Translation, own_value

CPU_ROLLOUT = "pmpo_cpu"


@says("temperature", "top_p", "top_k")
def distribution(job: Job, to: Translation) -> None:
    options = job.options
    to.line("temperature", f"{ROLLOUT}.temperature", options.temperature)
    to.line("top_p", f"{ROLLOUT}.top_p", options.top_p)
    to.line("top_k", f"{ROLLOUT}.top_k", options.top_k or -1)  # 0 is off in TRL, -1 in verl


@says("max_completion_length")
def lengths(job: Job, to: Translation) -> None:
    longest = job.options.max_completion_length
    to.line("max_completion_length", "data.max_response_length", longest)
    prompt = job.facts.longest_prompt
    if prompt is None and job.facts.context is not None:
        prompt = job.facts.context - longest
    if prompt is not None:
        to.line("the longest prompt", "data.max_prompt_length", prompt)
    to.line("the longest prompt", "data.truncation", "error")


@says("eval_temperature", "eval_max_completion_length")
def held_out(job: Job, to: Translation) -> None:
    """Raises: InputError for another limit than in training: verl has one for both."""
    run, longest = job.run, job.options.max_completion_length
    if eval_length(job.settings) != longest:
        raise InputError(
            f"eval_max_completion_length={run.eval_max_completion_length} and max_completion_length={longest}: verl "
            "has one limit for both; leave eval_max_completion_length out."
        )
    greedy = run.eval_temperature == 0
    to.line("eval_temperature", f"{ROLLOUT}.val_kwargs.do_sample", not greedy)
    to.line("eval_temperature", f"{ROLLOUT}.val_kwargs.temperature", run.eval_temperature)
    to.line("held-out problems", f"{ROLLOUT}.val_kwargs.n", 1)


@says("use_vllm", "vllm_mode")
def sampler(job: Job, to: Translation) -> None:
    """Raises: InputError for a sampler that verl would not use."""
    options = job.options
    named = own_value(job.run.verl, f"{ROLLOUT}.name", "")
    if job.on_cpu:
        if options.use_vllm:
            raise InputError(
                "use_vllm is true, and a run on a CPU samples with transformers; drop use_vllm or use_cpu."
            )
        if not named:
            to.line("use_cpu", f"{ROLLOUT}.name", CPU_ROLLOUT)
        return
    if options.use_vllm and options.vllm_mode != "colocate":
        raise InputError(
            f"vllm_mode={options.vllm_mode} is a server that TRL talks to; verl starts its own beside the trainer: "
            "write vllm_mode: colocate."
        )
    if named:
        return
    if "use_vllm" in options.said and not options.use_vllm:
        raise InputError(
            "use_vllm is false, and on GPUs verl samples with an engine of its own: write use_vllm: true, or --verl "
            f"{ROLLOUT}.name=sglang."
        )
    to.line("use_vllm", f"{ROLLOUT}.name", "vllm")
    if not options.use_vllm:
        to.note("use_vllm: verl always samples with vLLM (or SGLang) on GPUs, which TRL does only when told to")


@says(
    "vllm_gpu_memory_utilization",
    "vllm_tensor_parallel_size",
    "vllm_max_model_length",
    "vllm_enable_sleep_mode",
    "vllm_model_impl",
)
def vllm(job: Job, to: Translation) -> None:
    options = job.options
    parallel = 1 if job.on_cpu else options.vllm_tensor_parallel_size
    to.line("vllm_tensor_parallel_size", f"{ROLLOUT}.tensor_model_parallel_size", parallel)
    if job.on_cpu:
        return
    to.line("vllm_gpu_memory_utilization", f"{ROLLOUT}.gpu_memory_utilization", options.vllm_gpu_memory_utilization)
    to.line("vllm_enable_sleep_mode", f"{ROLLOUT}.free_cache_engine", options.vllm_enable_sleep_mode)
    if options.vllm_max_model_length is not None:
        to.line("vllm_max_model_length", f"{ROLLOUT}.max_model_len", options.vllm_max_model_length)
    if options.vllm_model_impl != "vllm":
        to.line("vllm_model_impl", f"+{ROLLOUT}.engine_kwargs.vllm.model_impl", options.vllm_model_impl)


@says("chat_template_kwargs")
def chat_template(job: Job, to: Translation) -> None:
    if job.facts.chat_template is not None:
        to.line("prompt_template", "actor_rollout_ref.model.custom_chat_template", job.facts.chat_template)
    for name, value in (job.options.chat_template_kwargs or {}).items():
        to.line("chat_template_kwargs", f"+data.apply_chat_template_kwargs.{name}", value)
