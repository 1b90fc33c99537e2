"""The rollout's server: a Ray actor that gathers the requests that wait and completes them with one `generate`."""

import asyncio
from collections import Counter
from collections.abc import Mapping
from typing import Any

import torch
from transformers import AutoModelForCausalLM, GenerationConfig
from verl.utils.torch_dtypes import PrecisionType
from verl.workers.config import HFModelConfig, RolloutConfig
from verl.workers.rollout.replica import TokenOutput

from pmpo.foundation.errors import InputError
from pmpo.integrations.verl.cpu.options import check_request, check_rollout, engine_options
from pmpo.integrations.verl.cpu.recorded import RecordedCompletions
from pmpo.integrations.verl.cpu.sampling import Completion, Distribution, Request, complete, seed_of

_GATHERING = 0.02
"""Seconds without a new request after which those that wait are completed."""


class CPURolloutServer:
    """Completes prompts for every rank and every agent loop; there is one for a run.

    A completion depends on rollout.seed, the number of updates behind the weights, the prompt, and how often that
    prompt was asked for since: not on timing, but for the rounding of a batch of another shape.
    """

    def __init__(self, config: RolloutConfig, model_config: HFModelConfig) -> None:
        """Raises: InputError for settings that would not be honoured."""
        check_rollout(config, model_config.lora_rank, model_config.lora.get("merge", False))
        recorded = engine_options(config).get("recorded")
        self.config = config
        self.recorded = RecordedCompletions(recorded) if recorded else None
        self.model = AutoModelForCausalLM.from_pretrained(
            model_config.local_path,
            config=model_config.hf_config,
            dtype=PrecisionType.to_dtype(config.dtype),
            attn_implementation="sdpa",
            trust_remote_code=model_config.trust_remote_code,
        ).eval()
        self.ends, self.pad = _special_tokens(model_config)
        # The model's own defaults (a penalty, top_k) would be added to what verl asks for.
        self.model.generation_config = GenerationConfig()
        self.longest = config.max_model_len or self.model.config.max_position_embeddings
        self.updates: int | None = None
        self.asked: Counter[tuple[Any, ...]] = Counter()
        self.waiting: list[tuple[Distribution, Request, asyncio.Future[Completion]]] = []
        self.serving: asyncio.Task[None] | None = None
        self.failure: Exception | None = None

    async def generate(
        self, request_id: str, prompt_ids: list[int], sampling_params: dict[str, Any], **media: Any
    ) -> TokenOutput:
        """verl's request for one completion."""
        try:
            distribution, request = self._request(list(prompt_ids), sampling_params, media)
            done: asyncio.Future[Completion] = asyncio.get_running_loop().create_future()
            self.waiting.append((distribution, request, done))
            if self.serving is None or self.serving.done():
                self.serving = asyncio.create_task(self._serve())
            completion = await done
        except Exception as error:
            # verl logs a rollout that failed and trains on without it: `update_weights` ends the run.
            self.failure = self.failure or error
            raise
        return TokenOutput(
            token_ids=completion.tokens,
            log_probs=completion.log_probs if sampling_params.get("logprobs") else None,
            stop_reason="completed",
            extra_fields={"global_steps": self.updates},
        )

    async def update_weights(self, weights: Mapping[str, torch.Tensor], updates: int | None) -> None:
        """Take the weights behind `updates` updates.

        Raises: what failed since the last call; InputError when the names are not those of the model.
        """
        if self.failure is not None:
            raise self.failure
        missing, unexpected = self.model.load_state_dict(weights, strict=False)
        tied = set(self.model.all_tied_weights_keys)
        if unexpected or set(missing) - tied:
            raise InputError(
                f"The trained weights do not fit the rollout's model: {[*unexpected, *(set(missing) - tied)][:5]}."
            )
        self.model.tie_weights()
        self.updates = updates
        self.asked.clear()

    def _request(self, prompt: list[int], sampling: Mapping[str, Any], media: Mapping[str, Any]) -> Any:
        check_request(sampling, media)
        room = self.longest - len(prompt)
        if room < 1:
            raise InputError(
                f"A prompt of {len(prompt)} tokens leaves no room in {self.longest} tokens; raise "
                "actor_rollout_ref.rollout.max_model_len or lower data.max_prompt_length."
            )
        distribution = Distribution(
            **{key: sampling[key] for key in ("temperature", "top_p", "top_k") if key in sampling}
        )
        most = sampling.get("max_tokens", sampling.get("max_new_tokens", self.config.response_length))
        place = (distribution, *prompt)
        self.asked[place] += 1
        seed = seed_of(self.config.seed, self.updates, distribution, prompt, self.asked[place])
        forced = self.recorded.next(prompt) if self.recorded else None
        return distribution, Request(prompt, max(1, min(most, room)), seed, forced)

    async def _serve(self) -> None:
        while self.waiting:
            seen = 0
            while seen < len(self.waiting) < self.config.max_num_seqs:
                seen = len(self.waiting)
                await asyncio.sleep(_GATHERING)
            distribution = self.waiting[0][0]
            batch = [item for item in self.waiting if item[0] == distribution][: self.config.max_num_seqs]
            self.waiting = [item for item in self.waiting if item not in batch]
            try:
                requests = [request for _, request, _ in batch]
                made = await asyncio.to_thread(complete, self.model, requests, distribution, self.pad, self.ends)
            except Exception as error:
                for *_, done in batch:
                    done.set_exception(error)
                continue
            for (*_, done), completion in zip(batch, made, strict=True):
                done.set_result(completion)


def _special_tokens(model_config: HFModelConfig) -> tuple[list[int], int]:
    """The ids that end a completion, of the tokenizer and the model's generation config, and the one that pads."""
    tokenizer = model_config.tokenizer
    given = getattr(model_config.generation_config, "eos_token_id", None)
    ends = [*(given if isinstance(given, list) else [given]), tokenizer.eos_token_id]
    ends = list(dict.fromkeys(end for end in ends if end is not None))
    return ends, tokenizer.pad_token_id if tokenizer.pad_token_id is not None else ends[0]
