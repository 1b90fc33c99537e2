"""Models: adapters, number formats, memory savers, mixtures of experts, the reference model."""

from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, PrefixTuningConfig, get_peft_model

from side_by_side.case import FLOAT32_HEAD, Case, Script, switch
from side_by_side.parts import moe_model, saved
from tiny import tiny_model

TARGETS = ["q_proj", "v_proj"]


def _lora(**changes: Any) -> LoraConfig:
    return LoraConfig(**{"r": 4, "target_modules": TARGETS, "task_type": "CAUSAL_LM", **changes})


def _peft(name: str, source: str, peft: Any = _lora, *, quick: bool = False, **args: Any) -> Case:
    return Case(name, source, lambda folder: Script(args, more={"peft_config": peft()}), quick=quick)


def _model(name: str, source: str, model: Any, *, differs: str = "", **args: Any) -> Case:
    return Case(name, source, lambda folder: Script(args, model()), differs=differs)


def _path(
    name: str, source: str, *, tokenizer: Any = "default", quick: bool = False, differs: str = "", **args: Any
) -> Case:
    """The model by its path, as from the hub; the tokenizer None is loaded with it."""

    def build(folder: Path) -> Script:
        return Script(args, saved(folder), tokenizer=tokenizer)

    return Case(name, source, build, quick=quick, differs=differs)


def _loaded(folder: Path) -> Script:
    return Script({"beta": 0.1}, type(tiny_model()).from_pretrained(saved(folder)))


def _peft_model(folder: Path) -> Script:
    return Script(model=get_peft_model(tiny_model(), _lora()))


def _moe_lora() -> LoraConfig:
    return _lora(target_modules=["q_proj", "v_proj"])


def _moe_peft(folder: Path) -> Script:
    return Script({"router_aux_loss_coef": 0.01}, moe_model(), more={"peft_config": _moe_lora()})


def _half() -> Any:
    return tiny_model(dtype=torch.bfloat16)


def _prefix() -> PrefixTuningConfig:
    return PrefixTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=4)


SYNC = {"sync_ref_model": True, "ref_model_sync_steps": 2, "ref_model_mixup_alpha": 0.6}
CASES = [
    _path("beta, the model by its path", "tests: test_train_beta_non_zero", beta=0.1, quick=True),
    _path("beta without the correction of its bias", "tests: test_train_with_bias_correction_kl", beta=0.1,
          use_bias_correction_kl=False),
    _path("beta with the correction of its bias, 4 updates a round", "docs: paper_index.md", beta=0.1,
          use_bias_correction_kl=True, steps_per_generation=4, max_steps=4, loss_type="grpo"),
    Case("beta, the model as an object", "-", _loaded),
    _model("beta with a model that was never saved", "-", tiny_model, beta=0.1),
    _path("sync_ref_model", "tests: test_train_with_sync_ref_model", beta=0.1, **SYNC),
    switch("sync_ref_model without beta", "-", **SYNC),
    _peft("sync_ref_model with LoRA", "-", beta=0.1, **SYNC),
    _path("the tokenizer left out", "docs: quickstart", tokenizer=None),
    _path("model_init_kwargs dtype='bfloat16'", "docs: grpo_trainer.md", model_init_kwargs={"dtype": "bfloat16"},
          differs=FLOAT32_HEAD),
    _path("model_init_kwargs dtype='float32', attention", "docs: grpo_trainer.md",
          model_init_kwargs={"dtype": "float32", "attn_implementation": "eager"}),
    _path("model_init_kwargs as JSON", "docs: clis.md", model_init_kwargs='{"dtype": "float32"}'),
    _path("model_init_kwargs use_kernels", "docs: kernels_hub.md", model_init_kwargs={"use_kernels": True}),
    _path("trust_remote_code", "tests: test_trust_remote_code", trust_remote_code=True),
    switch("model_init_kwargs of a model that is there", "-", model_init_kwargs={"dtype": "float32"}),
    _peft("LoRA", "tests: test_train_peft_config", quick=True),
    Case("a PEFT model", "tests: test_train_peft_model", _peft_model),
    _peft("LoRA with beta", "docs: peft_integration.md", beta=0.1),
    _peft("LoRA with gradient checkpointing", "tests: test_train_peft_with_gradient_checkpointing",
          gradient_checkpointing=True),
    _peft("LoRA on the head", "-", lambda: _lora(target_modules=["q_proj", "lm_head"])),
    _peft("LoRA with the head among modules_to_save", "-", lambda: _lora(modules_to_save=["lm_head"])),
    _peft("DoRA and rsLoRA", "docs: peft_integration.md", lambda: _lora(use_dora=True, use_rslora=True)),
    _peft("prefix tuning", "-", _prefix),
    Case("LoRA on a mixture of experts", "tests: test_train_moe_peft_model", _moe_peft),
    switch("bf16=True", "docs: defaults", bf16=True, differs=FLOAT32_HEAD),
    _model("weights in bfloat16", "-", _half, differs=FLOAT32_HEAD),
    _model("weights in bfloat16, bf16=True", "docs: defaults", _half, bf16=True, differs=FLOAT32_HEAD),
    switch("fp16=True", "docs: transformers", fp16=True, bf16=False),
    switch("gradient checkpointing", "docs: defaults", gradient_checkpointing=True),
    switch("gradient checkpointing, reentrant", "docs: transformers", gradient_checkpointing=True,
           gradient_checkpointing_kwargs={"use_reentrant": True}),
    switch("cast_lm_head_to_fp32", "tests: test_train_with_cast_lm_head_to_fp32", cast_lm_head_to_fp32=True),
    _model("cast_lm_head_to_fp32, bfloat16 weights", "tests: test_train_with_cast_lm_head_to_fp32", _half,
           cast_lm_head_to_fp32=True),
    _model("cast_lm_head_to_fp32, tied embeddings", "tests: test_train_with_cast_lm_head_to_fp32",
           lambda: tiny_model(tie_word_embeddings=True), cast_lm_head_to_fp32=True),
    _model("tied embeddings", "-", lambda: tiny_model(tie_word_embeddings=True)),
    _model("a mixture of experts", "tests: test_train (tiny Qwen3 MoE)", moe_model),
    _model("router_aux_loss_coef", "docs: grpo_trainer.md", moe_model, router_aux_loss_coef=0.5),
    switch("router_aux_loss_coef of a model without experts", "-", router_aux_loss_coef=0.5),
    _model("disable_dropout", "docs: grpo_trainer.md", lambda: tiny_model(attention_dropout=0.5),
           disable_dropout=True),
    _model("dropout", "-", lambda: tiny_model(attention_dropout=0.5)),
    switch("use_liger_kernel (not installed)", "docs: liger_kernel_integration.md", use_liger_kernel=True),
    switch("torch_compile", "docs: transformers", torch_compile=True, torch_compile_backend="eager"),
    switch("deepspeed (not installed)", "docs: deepspeed_integration.md", deepspeed="zero2.json"),
    switch("neftune_noise_alpha", "docs: transformers", neftune_noise_alpha=5.0),
]  # fmt: skip
