"""A few completions of an update, token by token: what the objective saw of each token and made of it.

One event, a line of `tokens.jsonl`, holds the update ("step") and its "completions", each with:

    picked             why it is in the sample, one of `REASONS`
    prompt             the end of its prompt, at most 200 characters
    tokens             the text that each token adds
    state              one letter a token: "i" within the trust region's bounds, "o" outside and left as it is, "c"
                       changed by the region, "m" not trained on (a tool's output)
    log_ratio          l, nats; 0 where `state` is "m" or the weight is 0
    clipped_log_ratio  c, nats; left out where all equal l
    slope              ∂c/∂l; left out where it is 0 on "c" and 1 elsewhere
    weight             ρ; left out where all are 1 (0 on "m")
    advantage, exponent, ess, power_mean, clip_fraction, clip_fraction_two_sided
                       A, p, nESS(p), M, f, f of the two-sided reading
    target_ess         τ, of a rule that has a target
    ess_over           "unclipped" where the rule solves p over l, else left out
    stopped            true where a sequence-level region clipped the whole completion, else left out
    omitted            [tokens before, tokens after] those kept of a long completion, else left out
"""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from pmpo.engine.token_texts import token_texts
from pmpo.objective.facts import ExponentFacts
from pmpo.objective.policy_loss import PolicyLoss
from pmpo.objective.presets import Objective

REASONS = SMALLEST_P, LARGEST_RATIO, CLIPPED, RANDOM = ("smallest p", "largest log ratio", "most clipped", "random")
PROMPT_CHARACTERS = 200
LONGEST = 2000
"""Tokens kept of one completion, those around its largest |l|."""
_DIGITS = 5


@dataclass(frozen=True)
class MicroBatch:
    """What a loss was computed from, and its result.

    Attributes:
        log_probs_BT: log π_θ, nats, a constant.
        prompt_ids_BP, prompt_mask_BP: prompts, padded.
        completion_ids_BT, completion_mask_BT: completions, padded; tool output counts as part of them.
    """

    result: PolicyLoss
    log_probs_BT: Tensor
    prompt_ids_BP: Tensor
    prompt_mask_BP: Tensor
    completion_ids_BT: Tensor
    completion_mask_BT: Tensor


class TokenSampler:
    """Keeps the micro-batches of the update under way, and describes a few of their completions when asked.

    It draws from a random generator of its own and changes no tensor: a run with it is the run without it, bit for bit.
    """

    def __init__(self, count: int, seed: int = 0) -> None:
        """`count`: completions an event, at least 1."""
        self.count, self._seed = count, seed
        self._step = -1
        self._batches: list[MicroBatch] = []

    def offer(self, step: int, batch: MicroBatch) -> None:
        """A micro-batch of update `step`; those of earlier updates are forgotten."""
        if step != self._step:
            self._step, self._batches = step, []
        self._batches.append(batch)

    def take(self, objective: Objective, decode: Callable[[Sequence[int]], str]) -> list[dict[str, Any]]:
        """The chosen completions of the newest update, as in this module's docstring; [] when none has a gradient.

        Args:
            decode: the tokenizer's; special tokens should show.
        """
        batches, self._batches = self._batches, []
        chosen = choose(batches, self.count, random.Random(f"{self._seed}-{self._step}"))
        return [describe(batches[batch], row, reason, objective, decode) for batch, row, reason in chosen]


def choose(batches: Sequence[MicroBatch], count: int, generator: random.Random) -> list[tuple[int, int, str]]:
    """(micro-batch, row, reason) of at most `count` completions with a gradient: the reasons in turn, each with the
    foremost completion that is not chosen yet. A reason that sets no completion apart is left out."""
    places, numbers = _numbers(batches)
    indices = list(range(len(places)))
    exponents, ratios, clipped = ([row[column] for row in numbers] for column in range(3))
    orders: dict[str, Iterator[int]] = {}
    if len(set(exponents)) > 1:
        orders[SMALLEST_P] = iter(sorted(indices, key=lambda i: exponents[i]))
    if any(ratios):
        orders[LARGEST_RATIO] = iter(sorted(indices, key=lambda i: -ratios[i]))
    if any(clipped):
        orders[CLIPPED] = iter(sorted((i for i in indices if clipped[i]), key=lambda i: -clipped[i]))
    orders[RANDOM] = iter(generator.sample(indices, len(indices)))
    chosen: dict[int, str] = {}
    while len(chosen) < min(count, len(places)):
        for reason, order in orders.items():
            index = next((i for i in order if i not in chosen), None)
            if index is not None and len(chosen) < count:
                chosen[index] = reason
    return [(*places[index], reason) for index, reason in chosen.items()]


def _numbers(batches: Sequence[MicroBatch]) -> tuple[list[tuple[int, int]], list[list[float]]]:
    """(micro-batch, row) and (p, largest |l|, f) of every completion that has a gradient and is finite."""
    places, numbers = [], []
    for index, batch in enumerate(batches):
        found = batch.result.diagnostics
        columns = torch.stack([found.exponent, found.max_abs_log_ratio, found.clip_fraction], dim=1)
        kept_B = found.active & ~found.nonfinite & columns.isfinite().all(dim=1)
        rows = kept_B.nonzero().flatten().tolist()
        places += [(index, row) for row in rows]
        numbers += columns[kept_B].tolist()
    return places, numbers


def describe(
    batch: MicroBatch, row: int, reason: str, objective: Objective, decode: Callable[[Sequence[int]], str]
) -> dict[str, Any]:
    """One completion as in this module's docstring."""
    facts, kept = _row(batch.result.facts, row), batch.completion_mask_BT[row].bool()
    places_N = kept.nonzero().flatten()
    window = _window(facts.log_ratios_BT[0, places_N])
    omitted = [window.start, len(places_N) - window.stop]
    places_N = places_N[window]
    ids = batch.completion_ids_BT[row, places_N].tolist()
    prompt = batch.prompt_ids_BP[row][batch.prompt_mask_BP[row].bool()][-PROMPT_CHARACTERS:].tolist()
    found = batch.result.diagnostics
    described = {
        "picked": reason,
        "prompt": decode(prompt)[-PROMPT_CHARACTERS:],
        "tokens": token_texts(ids, decode),
        **_tokens(facts, _slopes(facts, objective, batch.log_probs_BT[row : row + 1]), places_N),
        "advantage": _short(facts.advantages_B[0]),
        **{name: _short(getattr(found, name)[row]) for name in _OF_A_COMPLETION},
        **_target(facts, objective),
    }
    if _is_stopped(facts, objective, found.power_mean[row]):
        described["stopped"] = True
    if any(omitted):
        described["omitted"] = omitted
    return described


_OF_A_COMPLETION = ("exponent", "ess", "power_mean", "clip_fraction", "clip_fraction_two_sided")


def _row(facts: ExponentFacts, row: int) -> ExponentFacts:
    """The facts of one completion, B = 1."""
    tensors: dict[str, Any] = {
        field.name: value[row : row + 1]
        for field in dataclasses.fields(facts)
        if isinstance(value := getattr(facts, field.name), Tensor)
    }
    return dataclasses.replace(facts, **tensors)


def _window(log_ratios_N: Tensor) -> slice:
    """The tokens to keep, around the largest |l|."""
    count = len(log_ratios_N)
    if count <= LONGEST:
        return slice(0, count)
    start = min(max(0, int(log_ratios_N.abs().argmax()) - LONGEST // 2), count - LONGEST)
    return slice(start, start + LONGEST)


def _tokens(facts: ExponentFacts, slopes_BT: Tensor, places_N: Tensor) -> dict[str, Any]:
    """What there is of every token besides its text."""
    l_N, c_N, rho_N, mask_N, changed_N, outside_N = (
        values[0, places_N]
        for values in (
            facts.log_ratios_BT, facts.clipped_log_ratios_BT, facts.weights_BT, facts.mask_BT, facts.changed_BT,
            facts.outside_BT,
        )
    )  # fmt: skip
    flags = zip(mask_N.tolist(), changed_N.tolist(), outside_N.tolist(), strict=True)
    described: dict[str, Any] = {
        "state": "".join(
            "m" if not counts else "c" if changed else "o" if out else "i" for counts, changed, out in flags
        ),
        "log_ratio": [_short(value) for value in l_N],
    }
    if not torch.equal(c_N[mask_N], l_N[mask_N]):
        described["clipped_log_ratio"] = [_short(value) for value in c_N]
    slope_N = slopes_BT[0, places_N]
    if not torch.equal(slope_N[mask_N], (~changed_N[mask_N]).to(slope_N.dtype)):
        described["slope"] = [_short(value) for value in slope_N]
    if not torch.equal(rho_N[mask_N], torch.ones_like(rho_N[mask_N])):
        described["weight"] = [_short(value) for value in rho_N]
    return described


def _slopes(facts: ExponentFacts, objective: Objective, log_probs_BT: Tensor) -> Tensor:
    """∂c/∂l of every token, [1, T], by the trust region's own derivative."""
    region = objective.trust_region.of_tokens
    if region is None:
        return torch.ones_like(facts.log_ratios_BT)
    more = {"log_probs_BT": log_probs_BT} if region.sees_probabilities else {}
    with torch.enable_grad():
        l_BT = facts.log_ratios_BT.clone().requires_grad_()
        clipped_BT = region.apply(l_BT, facts.advantages_B, facts.batch, **more).log_ratios_BT
        return torch.autograd.grad(clipped_BT.sum(), l_BT)[0]


def _is_stopped(facts: ExponentFacts, objective: Objective, mean: Tensor) -> bool:
    """Whether the trust region clips the mean of the whole completion, so that none of its tokens has a gradient."""
    region = objective.trust_region.of_sequence
    if region is None:
        return False
    return bool(region.apply(mean.log().view(1, 1), facts.advantages_B, facts.batch).changed_BT)


def _target(facts: ExponentFacts, objective: Objective) -> dict[str, Any]:
    """τ of a rule that has one, and the log ratios that it is met over."""
    target_of = getattr(objective.exponent, "target_ess", None)
    if target_of is None:
        return {}
    with torch.no_grad():
        target = {"target_ess": _short(target_of(facts))}
        over = objective.exponent.solved_over(facts)  # type: ignore[attr-defined]
    return target if over is facts.clipped_log_ratios_BT else {**target, "ess_over": "unclipped"}


def _short(value: Any) -> float:
    """A number of a log: five significant digits."""
    return float(f"{float(value):.{_DIGITS}g}")
