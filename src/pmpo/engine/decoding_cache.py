"""A cache of keys and values with room for the tokens to come."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

BLOCK = 128
"""Tokens that room is made for at once: less than a block is wasted, and the whole is copied once a block."""


class Room:
    """A layer of transformers' `Cache`: what its `DynamicLayer` holds, without a copy of all of it for every token."""

    is_compileable = is_sliding = is_croppable = False
    supports_early_init = False
    is_initialized = True

    def __init__(self) -> None:
        self.used = 0
        self._keys: Tensor | None = None
        self._values: Tensor | None = None

    def update(self, keys: Tensor, values: Tensor, *args: Any, **kwargs: Any) -> tuple[Tensor, Tensor]:
        """Append [rows, heads, tokens, width]; returns all there is."""
        end = self.used + keys.shape[2]
        if self._keys is None or self._values is None:
            self._keys, self._values, self.used = keys, values, end
            return keys, values
        if end > self._keys.shape[2]:
            rows = torch.arange(len(self._keys), device=self._keys.device)
            self._keys, self._values = (_with_room(kept, self.used, rows) for kept in (self._keys, self._values))
        self._keys[:, :, self.used : end] = keys
        self._values[:, :, self.used : end] = values
        self.used = end
        return self._keys[:, :, :end], self._values[:, :, :end]

    def take(self, rows: Tensor) -> None:
        """Keep these rows, in this order; one may come several times."""
        if self._keys is not None and self._values is not None:
            self._keys, self._values = (_with_room(kept, self.used, rows) for kept in (self._keys, self._values))

    def get_seq_length(self) -> int:
        return self.used

    def get_max_length(self) -> int:
        return -1

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        return self.used + query_length, 0


def _with_room(kept: Tensor, used: int, rows: Tensor) -> Tensor:
    """The rows of `kept`, with room for at least one token, and at most a block, behind the `used` ones."""
    width = (used // BLOCK + 1) * BLOCK
    made = kept.new_empty(len(rows), kept.shape[1], width, kept.shape[3])
    made[:, :, :used] = kept[:, :, :used].index_select(0, rows)
    return made


def room_like(cache: Any) -> Any:
    """An empty cache of as many layers; None where the given one is not of full attention in every layer."""
    import transformers
    from transformers import Cache, DynamicCache, DynamicLayer

    plain = type(cache) is DynamicCache and cache.get_seq_length() == 0 and not cache.offloading
    if not plain or not cache.layers or any(type(layer) is not DynamicLayer for layer in cache.layers):
        return None
    layer: Any = transformers.CacheLayerMixin  # type: ignore[attr-defined]
    layer.register(Room)  # a cache asks its layers for their class
    rooms: list[Any] = [Room() for _ in cache.layers]
    return Cache(layers=rooms)
