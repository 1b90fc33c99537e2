"""Sampling completions with less around the model than transformers' own loop, and the tokens that it would draw.

transformers' `generate` prepares everything, checks and all, and hands over to `sample_loop` by its `custom_generate`.
What differs from its own loop:

- Prompts that stand next to each other and are equal go through the model once.
- Keys and values are written into room kept for them (`decoding_cache`), not concatenated anew for every token.
- Completions that ended are dropped as soon as they are half of those in play.
- The log-probability of every token drawn is kept where it is asked for.

Random numbers are drawn as there, for all rows at every token, so one seed gives the same tokens (and leaves the same
random state) unless two probabilities tie within rounding. What the loop does not know is left to transformers' own.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from pmpo.engine.decoding_cache import Room, room_like

_ROWWISE = (
    "TemperatureLogitsWarper", "TopKLogitsWarper", "TopPLogitsWarper", "MinPLogitsWarper", "TypicalLogitsWarper",
    "EpsilonLogitsWarper", "EtaLogitsWarper", "NoRepeatNGramLogitsProcessor",
    "SuppressTokensLogitsProcessor", "NoBadWordsLogitsProcessor", "MinLengthLogitsProcessor",
    "MinNewTokensLengthLogitsProcessor", "InfNanRemoveLogitsProcessor",
)  # fmt: skip
"""transformers' processors of logits that treat every row by itself, whatever rows stand beside it."""
_INPUTS = {"attention_mask", "position_ids", "logits_to_keep", "past_key_values", "use_cache"}
_STOP_EVERY = 16
"""Tokens between two looks at which rows go on, on a device that the host would have to wait for."""


class UnknownOptionError(Exception):
    """What this loop does not know, as the rest of a sentence; nothing has been drawn yet."""


class Decoder:
    """Stands in for a model's `generate`.

    Args:
        model: any model with `generate`.
        temperature: by which logits are divided for `log_probs`; None keeps none.

    Attributes:
        log_probs: of the tokens of the newest call, nats, [B, T] from the whole distribution at that temperature,
            whatever top_p and the like cut off; undefined after the end token. None where transformers' loop drew.
        reason: why the newest call was left to transformers' loop, as the rest of a sentence; None when it was not.
    """

    def __init__(self, model: Any, temperature: float | None = None) -> None:
        self.model, self.temperature = model, temperature
        self.log_probs: Tensor | None = None
        self.reason: str | None = None
        self._generate: Any = model.generate

    def __call__(self, input_ids: Tensor, **inputs: Any) -> Tensor:
        """As the model's `generate`: prompts and completions, [B, P + T]."""
        drawn: list[Tensor] | None = None if self.temperature is None else []
        self.log_probs, self.reason = None, _unknown_model(self.model, inputs)
        if self.reason is None:
            loop = functools.partial(_sample, self.temperature, drawn)
            try:
                made: Tensor = self._generate(
                    input_ids=input_ids, **inputs, custom_generate=_with_usual_signature(loop)
                )
            except UnknownOptionError as unknown:
                self.reason = str(unknown)
            else:
                self.log_probs = torch.stack(drawn, dim=1) if drawn else None
                return made
        left: Tensor = self._generate(input_ids=input_ids, **inputs)
        return left


def _with_usual_signature(loop: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """`generate` takes every parameter of another name than its own loop's for an option of the user's."""

    def sample(
        model: Any,
        input_ids: Tensor,
        logits_processor: Any,
        stopping_criteria: Any,
        generation_config: Any,
        **model_kwargs: Any,
    ) -> Tensor:
        return loop(model, input_ids, logits_processor, stopping_criteria, generation_config, model_kwargs)

    return sample


@torch.no_grad()
def _sample(
    temperature: float | None,
    drawn: list[Tensor] | None,
    model: Any,
    ids_BP: Tensor,
    processors: Sequence[Any],
    criteria: Any,
    config: Any,
    inputs: dict[str, Any],
) -> Tensor:
    """The loop over tokens.

    Args:
        temperature, drawn: see `Decoder`; the log-probabilities [B] of every step are appended to `drawn`.
        processors, criteria, config, inputs: as `generate` prepared them.
    """
    _refuse_unknown(processors, config, inputs)
    rows = _Rows(model, ids_BP, inputs, criteria.max_length)
    logits_AV = rows.prefill()
    pad, ends = config.pad_token_id, any(hasattr(criterion, "eos_token_id") for criterion in criteria)
    looks_every = 1 if ids_BP.device.type == "cpu" else _STOP_EVERY
    while True:
        scores_AV = logits_AV.clone() if len(processors) else logits_AV
        for processor in processors:
            scores_AV = processor(rows.ids[rows.kept, : rows.length], scores_AV)
        tokens_A = rows.draw(scores_AV) if config.do_sample else scores_AV.argmax(dim=-1)
        if drawn is not None and temperature is not None:
            log_probs_A = (logits_AV / temperature).log_softmax(dim=-1).gather(1, tokens_A.unsqueeze(1)).squeeze(1)
            drawn.append(rows.of_all(log_probs_A, 0.0))
        rows.append(torch.where(rows.going[rows.kept], tokens_A, pad) if ends else tokens_A, pad)
        rows.going &= ~criteria(rows.ids[:, : rows.length], None)
        last = rows.length >= rows.longest
        if (last or rows.steps % looks_every == 0) and rows.drop_ended(last):
            return rows.ids[:, : rows.length]
        logits_AV = rows.forward()


class _Rows:
    """The completions under way: ids, cache, and which of them go on.

    Attributes:
        ids: [B, longest], of which `length` columns are written.
        going: [B] bool.
        kept: rows that the cache holds, as an index of the others; A of them.
        steps: tokens drawn.
    """

    def __init__(self, model: Any, ids_BP: Tensor, inputs: dict[str, Any], longest: int) -> None:
        count, self.width = ids_BP.shape
        self.model, self.longest, self.length, self.steps = model, longest, self.width, 0
        self.ids = ids_BP.new_empty(count, longest)
        self.ids[:, : self.width] = ids_BP
        self.going = torch.ones(count, dtype=torch.bool, device=ids_BP.device)
        self.kept: Any = slice(None)
        mask, positions = inputs.get("attention_mask"), inputs.get("position_ids")
        self._mask: Tensor = torch.ones_like(ids_BP) if mask is None else mask
        self._positions: Tensor = (self._mask.cumsum(dim=1) - 1).clamp(min=0) if positions is None else positions
        self._more = {name: inputs[name] for name in ("logits_to_keep",) if name in inputs}
        self._cache = room_like(inputs["past_key_values"])

    def prefill(self) -> Tensor:
        """Logits [B, V] of the first token, float32: one pass of the different prompts."""
        prompts_BP = self.ids[:, : self.width]
        columns = torch.cat([prompts_BP, self._mask.to(prompts_BP.dtype), self._positions.to(prompts_BP.dtype)], dim=1)
        different, own_B = torch.unique_consecutive(columns, dim=0, return_inverse=True)
        ids, mask, positions = different.split(self.width, dim=1)
        logits = self._logits(ids, mask, positions)
        for layer in self._layers():
            layer.take(own_B)
        self._positions = self._positions[:, -1:]
        self._mask = torch.nn.functional.pad(self._mask, (0, self.longest - self.width), value=1)
        return logits[own_B]

    def forward(self) -> Tensor:
        """Logits [A, V] of the next token."""
        ids = self.ids[self.kept, self.length - 1 : self.length]
        return self._logits(ids, self._mask[self.kept, : self.length], self._positions[self.kept] + self.steps)

    def _logits(self, ids: Tensor, mask: Tensor, positions: Tensor) -> Tensor:
        output = self.model(
            input_ids=ids,
            attention_mask=mask,
            position_ids=positions,
            past_key_values=self._cache,
            use_cache=True,
            return_dict=True,
            **self._more,
        )
        logits: Tensor = output.logits[:, -1].float()
        return logits

    def draw(self, scores_AV: Tensor) -> Tensor:
        """One token a row; random numbers are drawn for the rows that were dropped as well."""
        probs_AV = scores_AV.softmax(dim=-1)
        if isinstance(self.kept, slice):
            return torch.multinomial(probs_AV, num_samples=1).squeeze(1)
        probs_BV = probs_AV.new_ones(len(self.ids), probs_AV.shape[1])
        probs_BV[self.kept] = probs_AV
        return torch.multinomial(probs_BV, num_samples=1).squeeze(1)[self.kept]

    def of_all(self, values_A: Tensor, other: float) -> Tensor:
        """[B], with `other` for the rows that were dropped."""
        if isinstance(self.kept, slice):
            return values_A
        values_B = values_A.new_full((len(self.ids),), other)
        values_B[self.kept] = values_A
        return values_B

    def append(self, tokens_A: Tensor, pad: Any) -> None:
        if not isinstance(self.kept, slice):
            self.ids[:, self.length] = 0 if pad is None else pad
        self.ids[self.kept, self.length] = tokens_A
        self.length += 1
        self.steps += 1

    def drop_ended(self, last: bool) -> bool:
        """Forget the rows that ended once they are half of those kept; whether nothing is left to do."""
        count = 0 if last else int(self.going.sum())
        if count == 0:
            return True
        rows = len(self.ids) if isinstance(self.kept, slice) else len(self.kept)
        if 2 * count <= rows:
            going = self.going.nonzero().squeeze(1)
            places = going if isinstance(self.kept, slice) else torch.isin(self.kept, going).nonzero().squeeze(1)
            for layer in self._layers():
                layer.take(places)
            self.kept = going
        return False

    def _layers(self) -> list[Room]:
        layers: list[Room] = self._cache.layers
        return layers


def _unknown_model(model: Any, inputs: dict[str, Any]) -> str | None:
    """Why a model, or what it is given beside tokens, is left to transformers' loop; None where it is not."""
    from transformers import GenerationMixin

    bare = model.get_base_model() if hasattr(model, "get_base_model") else model
    if not issubclass(type(bare), GenerationMixin):  # isinstance would narrow its type
        return f"{type(bare).__name__} generates in a way of its own"
    config = bare.config
    pictures = sorted(set(inputs) - {"attention_mask", "generation_config"})
    rope = getattr(config, "rope_parameters", None) or {}
    if pictures:
        return f"the model is given {', '.join(pictures)}"
    if config.is_encoder_decoder or config.get_text_config() is not config:
        return f"{type(bare).__name__} is not a model of text alone"
    if any(getattr(one, "is_prompt_learning", False) for one in getattr(model, "peft_config", {}).values()):
        return "the adapter learns a prompt"
    if type(bare).prepare_inputs_for_generation is not GenerationMixin.prepare_inputs_for_generation:
        return f"{type(bare).__name__} prepares its inputs in its own way"
    if not {"attention_mask", "position_ids", "past_key_values"} <= set(inspect.signature(bare.forward).parameters):
        return f"{type(bare).__name__} takes no position_ids"
    if rope.get("rope_type") in ("dynamic", "longrope"):
        return f"its rotary positions ({rope['rope_type']}) depend on the longest sequence beside them"
    return None


def _refuse_unknown(processors: Sequence[Any], config: Any, inputs: dict[str, Any]) -> None:
    """Raise `UnknownOptionError` for what `generate` prepared and this loop does not know."""
    mode = {"synced_gpus": inputs.pop("synced_gpus", False), "streamer": inputs.pop("streamer", None)}
    given = [name for name, value in mode.items() if value]
    given += sorted(name for name, value in inputs.items() if name not in _INPUTS and value is not None)
    for name in ("return_dict_in_generate", "prefill_chunk_size", "compile_config", "is_assistant"):
        if getattr(config, name, None):
            given.append(name)
    if (config.num_beams or 1) > 1:
        given.append("num_beams")
    given += [name for one in processors if (name := type(one).__name__) not in _ROWWISE]
    if not inputs.get("use_cache", True):
        given.append("use_cache=False")
    if given:
        raise UnknownOptionError(f"it is asked for {', '.join(given)}")
    if room_like(inputs.get("past_key_values")) is None:
        raise UnknownOptionError("the model's cache is not one of full attention in every layer")
