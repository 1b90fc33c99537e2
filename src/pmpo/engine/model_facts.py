"""What is to be remembered of a model, its adapter, its tokenizer and its optimiser, so that another one is noticed."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from typing import Any

import torch

_NOT_OF_THE_MODEL = frozenset((
    "transformers_version", "architectures", "dtype", "use_cache", "id2label", "label2id",
    "problem_type", "return_dict", "output_hidden_states", "output_attentions", "pad_token_id", "bos_token_id",
    "eos_token_id", "chunk_size_feed_forward",
))  # fmt: skip
_NOT_OF_THE_ADAPTER = frozenset(
    ("peft_version", "base_model_name_or_path", "revision", "inference_mode", "auto_mapping")
)


def model_facts(
    model: torch.nn.Module, config: Mapping[str, Any], source: str, attention: str | None
) -> dict[str, Any]:
    """A model's name, configuration, size and types.

    Args:
        model: for its size and types.
        config: its configuration as it is saved, without the folder or name that it was loaded from.
        source: where it was loaded from; "" where that is unknown.
        attention: the implementation of its attention.
    Returns: {"model": its source, None where that is a folder (which may have been moved), "model.<field>": value}.
    """
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    return {
        "model": None if os.path.isdir(source) else source,
        **{f"model.{key}": value for key, value in config.items() if key not in _NOT_OF_THE_MODEL},
        # ZeRO-3 leaves an empty parameter, with the number that there were
        "model.trainable": sum(getattr(parameter, "ds_numel", parameter.numel()) for parameter in trained),
        "model.dtype": sorted({str(parameter.dtype) for parameter in model.parameters()}),
        "model.trainable_dtype": sorted({str(parameter.dtype) for parameter in trained}),
        "model.attn_implementation": attention,
    }


def adapter_facts(adapters: Mapping[str, Any]) -> dict[str, Any]:
    """Settings of PEFT's adapters, {} without one; that of the usual single one is called peft.lora_alpha and so on.

    Args:
        adapters: their configurations by name, such as a model's `peft_config`.
    """
    found: dict[str, Any] = {}
    for name, config in adapters.items():
        prefix = "peft" if name == "default" else f"peft.{name}"
        found[prefix] = config.peft_type
        found |= {f"{prefix}.{k}": v for k, v in config.to_dict().items() if k not in _NOT_OF_THE_ADAPTER}
    return found


def tokenizer_facts(tokenizer: Any, chat_template: Any = None) -> dict[str, Any]:
    """A tokenizer's size, the ids of its ends, and a hash of the chat template.

    Args:
        chat_template: of a processor around it; None takes the tokenizer's own.
    """
    template = chat_template or getattr(tokenizer, "chat_template", None)
    text = json.dumps(template, sort_keys=True)
    return {
        "size": len(tokenizer),
        "eos": tokenizer.eos_token_id,
        "pad": tokenizer.pad_token_id,
        "chat_template": hashlib.sha256(text.encode()).hexdigest()[:16] if template else None,
    }


def optimizer_facts(optimizer: torch.optim.Optimizer | None, scheduler: Any) -> list[Any]:
    """What an optimiser and a scheduler are; [] without either."""
    numbers = (int, float, str, tuple, type(None))
    given: Sequence[Any] = (optimizer, scheduler)
    return [
        [type(one).__name__, {k: v for k, v in getattr(one, "defaults", {}).items() if isinstance(v, numbers)}]
        for one in given
        if one is not None
    ]
