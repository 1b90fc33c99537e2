"""What the rollout on transformers' `generate` cannot do, refused before anything is generated."""

from collections.abc import Mapping
from typing import Any

from pmpo.foundation.errors import InputError, unknown_name

ROLLOUT_NAME = "pmpo_cpu"
"""`actor_rollout_ref.rollout.name` of the rollout on transformers' `generate`."""
OPTIONS = ("recorded",)
"""Keys under `rollout.engine_kwargs.pmpo_cpu`."""
_ROLLOUT = "actor_rollout_ref.rollout"
# key: (the value it must have, what it is for)
_ONLY: dict[str, tuple[Any, str]] = {
    "tensor_model_parallel_size": (1, "one process generates for all ranks"),
    "data_parallel_size": (1, "one process generates for all ranks"),
    "pipeline_model_parallel_size": (1, "one process generates for all ranks"),
    "quantization": (None, "weights are kept in rollout.dtype"),
    "enable_rollout_routing_replay": (False, "the experts that a token took are not recorded"),
    "logprobs_mode": ("processed_logprobs", "log-probabilities are those of the distribution sampled from"),
    "ignore_eos": (False, "a completion ends with its end token"),
    "repetition_penalty": (1.0, "no token is penalised"),
}


def check_rollout(config: Any, lora_rank: int = 0, lora_merged: bool = False) -> None:
    """Refuse settings of verl's RolloutConfig that would not be honoured.

    Raises: InputError naming the key, its value, and the value to write.
    """
    for key, (wanted, reason) in _ONLY.items():
        value = config.get(key, wanted)
        if value != wanted:
            written = "null" if wanted is None else wanted
            raise InputError(
                f"{_ROLLOUT}.{key}={value}: the rollout {ROLLOUT_NAME!r} cannot do that ({reason}). "
                f"Write {_ROLLOUT}.{key}={written}, or use a GPU rollout such as vllm."
            )
    mtp = config.get("mtp", None)
    if mtp is not None and mtp.get("enable_rollout", False) and mtp.get("enable", False):
        raise InputError(
            f"The rollout {ROLLOUT_NAME!r} drafts no tokens; write actor_rollout_ref.model.mtp.enable=False."
        )
    if lora_rank > 0 and not lora_merged:
        raise InputError(
            f"The rollout {ROLLOUT_NAME!r} takes whole weights, and a LoRA adapter of rank {lora_rank} would come "
            "alone; write actor_rollout_ref.model.lora.merge=True."
        )
    for key in engine_options(config):
        if key not in OPTIONS:
            raise InputError(unknown_name(f"option of {_ROLLOUT}.engine_kwargs.{ROLLOUT_NAME}", key, OPTIONS))


def engine_options(config: Any) -> Mapping[str, Any]:
    """The mapping under `rollout.engine_kwargs.pmpo_cpu`; {} where there is none."""
    return (config.get("engine_kwargs", None) or {}).get(ROLLOUT_NAME, None) or {}


def check_request(sampling: Mapping[str, Any], media: Mapping[str, Any]) -> None:
    """Refuse what a single request asks for and would not get.

    Args:
        sampling: verl's sampling parameters of the request.
        media: images, videos, sounds and other keywords of the request; None where there are none.
    """
    known = {"temperature", "top_p", "top_k", "logprobs", "repetition_penalty", "max_tokens", "max_new_tokens"}
    for key in sampling:
        if key not in known:
            raise InputError(unknown_name(f"sampling parameter of the rollout {ROLLOUT_NAME!r}", key, known))
    if sampling.get("repetition_penalty", 1.0) != 1.0:
        raise InputError(
            f"repetition_penalty={sampling['repetition_penalty']}: the rollout {ROLLOUT_NAME!r} penalises no token; "
            "write repetition_penalty=1.0."
        )
    given = [key for key, value in media.items() if value is not None]
    if given:
        raise InputError(f"The rollout {ROLLOUT_NAME!r} generates from text alone, and got {', '.join(given)}.")
