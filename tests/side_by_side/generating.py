"""Sampling: what `generate` is told, stop strings, truncation, and the engines that are not installed."""

from pathlib import Path
from typing import Any

from side_by_side.case import Case, Script, switch
from side_by_side.parts import saved

PAGES = {"use_cuda_graph": False, "max_memory_percent": 0.02}
"""Little of the memory: by default the cache alone takes half of all there is, and minutes on a CPU."""
GENERATION = "tests: test_train_with_additional_generation_kwargs"


def _all_truncated(folder: Path) -> Script:
    """A model that never ends: every completion is cut."""

    def prepare(trainer: Any) -> None:
        trainer.generation_config.suppress_tokens = [trainer.processing_class.eos_token_id]

    return Script({"mask_truncated_completions": True}, prepare=prepare, still=True)


def _engine(name: str, source: str, **args: Any) -> Case:
    return Case(name, source, lambda folder: Script(args, saved(folder)), numbers=False)


CASES = [
    switch("temperature, top_p, top_k, min_p, repetition_penalty", GENERATION, temperature=0.8, top_p=0.9, top_k=5,
           min_p=0.01, repetition_penalty=1.1),
    switch("top_k=0", "docs: defaults", top_k=0),
    switch("generation_kwargs: stop strings", "docs: grpo_trainer.md", generation_kwargs={"stop_strings": ["7"]}),
    switch("generation_kwargs: lengths and penalties", "tests: test_train_with_generation_kwargs",
           generation_kwargs={"min_new_tokens": 2, "max_new_tokens": 4, "length_penalty": 0.9}),
    switch("generation_kwargs: bad words", "-", generation_kwargs={"bad_words_ids": [[3]]}, quick=True),
    switch("generation_kwargs as JSON", "docs: clis.md", generation_kwargs='{"max_new_tokens": 4}'),
    switch("cache_implementation='static'", "docs: grpo_trainer.md", cache_implementation="static"),
    switch("cache_implementation='offloaded'", "docs: grpo_trainer.md", cache_implementation="offloaded"),
    switch("mask_truncated_completions", "tests: test_train_with_mask_truncated_completions",
           mask_truncated_completions=True),
    Case("mask_truncated_completions, all truncated",
         "tests: test_train_with_mask_truncated_completions_all_masked", _all_truncated),
    switch("max_completion_length=1", "-", max_completion_length=1),
    switch("use_transformers_continuous_batching", "docs: grpo_trainer.md", use_transformers_continuous_batching=True,
           transformers_continuous_batching_config=PAGES),
    switch("use_transformers_paged", "docs: deprecated", use_transformers_paged=True,
           transformers_continuous_batching_config=PAGES),
    _engine("use_vllm (not installed)", "docs: vllm_integration.md", use_vllm=True),
    _engine("use_vllm, server", "docs: vllm_integration.md", use_vllm=True, vllm_mode="server",
            vllm_server_base_url="http://localhost:1"),
    _engine("vLLM: truncated importance sampling", "docs: paper_index.md", use_vllm=True,
            vllm_importance_sampling_correction=True, vllm_importance_sampling_mode="sequence_truncate",
            vllm_importance_sampling_clip_max=2.0),
    _engine("vLLM: masked importance sampling", "docs: paper_index.md", use_vllm=True,
            vllm_importance_sampling_mode="sequence_mask", vllm_importance_sampling_clip_max=2.0,
            vllm_importance_sampling_clip_min=0.5),
    _engine("vLLM: both clips wrong", "-", vllm_importance_sampling_clip_max=0.5,
            vllm_importance_sampling_clip_min=2.0),
    switch("vLLM's options without vLLM", "tests: test_train_vllm_structured_outputs",
           vllm_structured_outputs_regex=".*", vllm_enable_sleep_mode=True, vllm_gpu_memory_utilization=0.2,
           vllm_importance_sampling_cap=2.0),
    switch("ds3_gather_for_generation=False", "docs: reducing_memory_usage.md", ds3_gather_for_generation=False),
]  # fmt: skip
