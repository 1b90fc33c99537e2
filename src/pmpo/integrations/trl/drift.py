"""What may not change between a run and its resumption, and how a change is told.

A resumed run with another seed, data set, model or generation setting is another run under the old one's name. Its
settings are therefore in every checkpoint's manifest and are compared when it is taken up.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pmpo.tasks.errors import InputError, nearest

if TYPE_CHECKING:
    from pmpo.integrations.trl.trainer import PMPOTrainer

_HARMLESS = (
    "output_dir", "run_name", "project", "trackio", "report_to", "disable_tqdm", "log_", "logging", "save_", "hub",
    "push_to_hub", "eval", "per_device_eval", "do_", "resume_from", "allow_change", "on_save_error", "on_nonfinite",
    "max_nonfinite", "dataloader_num_workers", "dataloader_prefetch", "dataloader_persistent", "dataloader_pin",
    "torch_empty_cache", "local_rank", "ddp_timeout", "skip_memory_metrics", "num_completions_to_print",
    "include_num_input", "load_best", "metric_for", "greater_is", "restore_callback", "use_liger", "tf32",
    "vllm_server", "vllm_gpu_memory", "_n_gpu", "past_index", "ignore_data_skip", "prediction_loss", "debug",
    "chat_template_path", "train_sampling_strategy_", "overwrite_output",
    "generation_batch_size",  # the product of others, which are compared
)  # fmt: skip
"""Beginnings of the names of arguments that do not change the weights that come out."""

_LENGTH = ("max_steps", "num_train_epochs")
"""A run may be made longer or shorter; that is told, since schedules of the learning rate or of p stretch with it."""


def settings_of(trainer: PMPOTrainer) -> dict[str, Any]:
    """Every setting that decides which weights come out, JSON-able: arguments, model, data, number of processes."""
    arguments = {k: v for k, v in trainer.args.to_dict().items() if not k.startswith(_HARMLESS)}
    settings = {
        **arguments,
        "objective": trainer.policy_objective.describe(),
        "processes": trainer.accelerator.num_processes,
        "model": _model(trainer.model),
        "dataset": data_fingerprint(trainer.train_dataset),
        "reward_functions": list(trainer.reward_func_names),
    }
    if trainer.tools:  # their descriptions are in the prompts
        settings["tools"] = [tool.__name__ for tool in trainer.tools]
    if trainer.environment_factories is not None:
        settings["environments"] = [name or "environment" for name in trainer.environment_factories]
    return json.loads(json.dumps(settings, default=str, sort_keys=True))


def _model(model: Any) -> dict[str, Any]:
    config = model.config.to_dict()
    names = ("model_type", "vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size")
    name = str(getattr(model.config, "_name_or_path", ""))
    return {
        "name": None if os.path.isdir(name) else name,  # a folder may have been moved; what it holds is checked below
        **{name: config[name] for name in names if name in config},
        "trainable": sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad),
    }


def data_fingerprint(dataset: Any) -> str | None:
    """A hash of all rows, the same for the same rows; None for a stream, whose rows are not known beforehand."""
    if dataset is None or not hasattr(dataset, "__len__"):
        return None
    digest = hashlib.sha256(str(len(dataset)).encode())
    for row in dataset:
        digest.update(json.dumps(row, sort_keys=True, default=str).encode())
    return digest.hexdigest()[:16]


def changes(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """{name: (then, now)} of the settings that differ."""
    names = sorted(set(old) | set(new))
    return {name: (old.get(name), new.get(name)) for name in names if old.get(name) != new.get(name)}


def check_drift(old: Mapping[str, Any], new: Mapping[str, Any], allowed: Sequence[str], checkpoint: str) -> list[str]:
    """Refuse settings that differ from the checkpoint's.

    Args:
        allowed: names of settings that may differ; "all" allows any.
    Returns: a sentence for each difference that was allowed.
    Raises: InputError that shows every other difference, and for an allowed name that is no setting.
    """
    for name in allowed:
        if name != "all" and name not in new and name not in old:
            raise InputError(f"allow_change names {name!r}, which is no setting of a run.{nearest(name, new)}")
    found = changes(old, new)
    free = (*allowed, *_LENGTH)
    refused = {name: pair for name, pair in found.items() if name not in free and "all" not in allowed}
    if refused:
        shown = "; ".join(f"{name} was {_short(then)} and is {_short(now)}" for name, (then, now) in refused.items())
        raise InputError(
            f"The run to resume from {checkpoint} had other settings: {shown}. Resumed like this it would be another "
            f"run under the same name: set them back, or write --allow_change {' '.join(refused)}."
        )
    return [f"{name} was {_short(then)} and is {_short(now)}" for name, (then, now) in found.items()]


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 80 else f"{text[:79]}…"
