"""What of verl this adapter touches besides its documented registries, in one place; tested with verl 0.9.1.

Not imported with the plugin: it needs the trainer's modules, which not every process of a run loads.
"""

from __future__ import annotations

from typing import Any

from tensordict import TensorDict
from verl.utils import tensordict_utils as tu
from verl.utils.metric import AggregationType, Metric

PADDING_UID = "pad"
"""How the `uid` begins of the rows that verl adds until a batch divides by ranks and mini-batches."""

__all__ = ["PADDING_UID", "AggregationType", "Metric", "is_padding", "non_tensor", "padded", "put_non_tensor"]


def is_padding(uid: Any) -> bool:
    """Whether a row is one of those that verl adds; prompts have a UUID for their `uid`."""
    return isinstance(uid, str) and uid.startswith(PADDING_UID)


def non_tensor(data: TensorDict, name: str, default: Any = None) -> Any:
    """An entry of a batch that is no tensor, unwrapped."""
    return tu.get(data, name, default)


def put_non_tensor(data: TensorDict, **entries: Any) -> None:
    """Write entries that are no tensors into a batch."""
    tu.assign_non_tensor(data, **entries)


def padded(data: TensorDict, name: str) -> Any:
    """A nested entry of a batch as a padded tensor, [B, T]; None where there is none."""
    return data.select(name).to_padded_tensor()[name] if name in set(data.keys()) else None
