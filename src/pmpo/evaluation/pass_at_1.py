"""Pass@1 of a causal language model on a list of problems: generate, grade, average.

Meant to be called before, during and after training: it leaves the model's mode and the random state as it
found them, so that a run with evaluations takes the same steps as a run without.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

Grade = Callable[[list[str]], Sequence[float | None]]
"""Grades one completion per problem, in their order: 0..1, or None for one that could not be graded."""


@dataclass(frozen=True)
class PassAt1:
    """Result of `pass_at_1`.

    Attributes:
        value: mean grade of the completions that could be graded, 0..1; NaN when none could.
        standard_error: of `value` as an estimate over problems; NaN with fewer than two graded problems.
        n_problems: how many prompts there were.
        samples: completions per prompt.
        n_ungraded: completions whose grade was None. They are left out of `value`; quote this number with it.
        completions: [samples][n_problems] generated text, without special tokens.
        grades: [samples][n_problems] as the grader gave them.
    """

    value: float
    standard_error: float
    n_problems: int
    samples: int
    n_ungraded: int
    completions: list[list[str]]
    grades: list[list[float | None]]

    def __str__(self) -> str:
        """Such as "0.212 ± 0.018 (500 problems, 1 sample each)"."""
        each = "1 sample" if self.samples == 1 else f"{self.samples} samples"
        ungraded = f", {self.n_ungraded} completions not graded" if self.n_ungraded else ""
        value = f"{self.value:.3f} ± {self.standard_error:.3f}"
        return f"{value} ({self.n_problems} problems, {each} each{ungraded})"


def pass_at_1(
    model: "PreTrainedModel",
    tokenizer: "PreTrainedTokenizerBase",
    prompts: Sequence[str],
    grade: Grade,
    *,
    max_new_tokens: int,
    temperature: float = 0.0,
    batch_size: int = 64,
    samples: int = 1,
    seed: int = 0,
) -> PassAt1:
    """Share of problems that one completion solves, averaged over `samples` completions of every problem.

    Args:
        model: any causal language model with `generate`, on its device. A model that a trainer has wrapped is
            unwrapped by the caller.
        tokenizer: the model's; padding happens on the left, whatever side it is set to.
        prompts: the problems as the model reads them, chat template already applied.
        grade: called `samples` times with one completion per prompt, in the order of `prompts`.
        max_new_tokens: longest completion, tokens.
        temperature: 0 decodes greedily, more samples from the whole distribution (no top-k, no top-p).
        batch_size: prompts generated together; another one can change sampled results.
        samples: completions per prompt; more than 1 needs a temperature.
        seed: of the sampling.
    Raises: ValueError when an argument is out of range, the tokenizer has neither padding nor end-of-sequence
        token, or `grade` returns a wrong number of grades or a grade outside 0..1.
    """
    _check_arguments(prompts, max_new_tokens, temperature, batch_size, samples)
    completions = []
    with _undisturbed(model, seed):
        for _ in range(samples):
            texts: list[str] = []
            for start in range(0, len(prompts), batch_size):
                batch = list(prompts[start : start + batch_size])
                texts += _generate(model, tokenizer, batch, max_new_tokens, temperature)
            completions.append(texts)
    grades = [_checked_grades(grade(list(texts)), len(prompts)) for texts in completions]
    return _summary(completions, grades)


def _check_arguments(
    prompts: Sequence[str], max_new_tokens: int, temperature: float, batch_size: int, samples: int
) -> None:
    if isinstance(prompts, str) or not prompts:
        raise ValueError(f"prompts must be a list with at least one prompt, got {prompts!r}.")
    for name, number in {
        "max_new_tokens": max_new_tokens,
        "batch_size": batch_size,
        "samples": samples,
    }.items():
        if number < 1:
            raise ValueError(f"{name} must be at least 1, got {number}.")
    if not 0.0 <= temperature < math.inf:
        raise ValueError(f"temperature must be 0 (greedy) or positive, got {temperature}.")
    if samples > 1 and temperature == 0.0:
        raise ValueError(
            f"{samples} greedy completions of a prompt are all the same; write samples=1, or temperature=1.0."
        )


@contextmanager
def _undisturbed(model: "PreTrainedModel", seed: int) -> Iterator[None]:
    """Evaluation mode and a random state of its own; afterwards the modes and torch's states are back."""
    # Module by module, since a model in training can hold modules that were frozen in evaluation mode.
    modes = [(module, module.training) for module in model.modules()]
    # fork_rng covers the CPU and, named here, every CUDA device, since seeding reaches them all; not Apple's.
    apple_state = torch.mps.get_rng_state() if model.device.type == "mps" else None
    with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
        torch.manual_seed(seed)
        model.eval()
        try:
            yield
        finally:
            for module, training in modes:
                module.training = training
            if apple_state is not None:
                torch.mps.set_rng_state(apple_state)


@torch.no_grad()
def _generate(
    model: "PreTrainedModel",
    tokenizer: "PreTrainedTokenizerBase",
    prompts: list[str],
    max_new_tokens: int,
    temperature: float,
) -> list[str]:
    """One completion of each prompt, decoded without special tokens."""
    from transformers import GenerationConfig

    end = model.generation_config.eos_token_id
    end = tokenizer.eos_token_id if end is None else end
    pad = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else tokenizer.eos_token_id
    if pad is None:
        raise ValueError(
            "The tokenizer has neither a padding nor an end-of-sequence token, so prompts cannot be batched; "
            "set tokenizer.pad_token."
        )
    encoded = [tokenizer(prompt)["input_ids"] for prompt in prompts]
    width = max(map(len, encoded))
    # Padded by hand: the tokenizer's own padding needs its padding token and side changed and put back.
    ids_BT = torch.tensor([[pad] * (width - len(ids)) + ids for ids in encoded], device=model.device)
    mask_BT = torch.tensor([[0] * (width - len(ids)) + [1] * len(ids) for ids in encoded], device=model.device)
    sampling = {"do_sample": True, "temperature": temperature, "top_k": 0, "top_p": 1.0}
    config = GenerationConfig(
        max_new_tokens=max_new_tokens,
        pad_token_id=pad,
        eos_token_id=end,
        # Left unset, these would come from the model's own generation settings, which trainers change.
        use_cache=True,
        repetition_penalty=1.0,
        **(sampling if temperature > 0 else {"do_sample": False}),
    )
    output_BT = model.generate(ids_BT, attention_mask=mask_BT, generation_config=config)
    return tokenizer.batch_decode(output_BT[:, width:], skip_special_tokens=True)


def _checked_grades(grades: Sequence[float | None], n_problems: int) -> list[float | None]:
    grades = list(grades)
    if len(grades) != n_problems:
        raise ValueError(
            f"grade returned {len(grades)} grades for {n_problems} completions; return one grade for each, "
            "None where a completion could not be graded."
        )
    for index, value in enumerate(grades):
        if value is not None and not 0.0 <= value <= 1.0:
            raise ValueError(f"Grades lie in 0..1, but completion {index} got {value}; rescale what grade returns.")
    return grades


def _summary(completions: list[list[str]], grades: list[list[float | None]]) -> PassAt1:
    graded = [value for row in grades for value in row if value is not None]
    value = sum(graded) / len(graded) if graded else math.nan
    # Samples of one problem are not independent, so the error is taken over the problems' means.
    means = []
    for of_problem in zip(*grades, strict=True):
        counted = [value for value in of_problem if value is not None]
        if counted:
            means.append(sum(counted) / len(counted))
    error = math.nan
    if len(means) > 1:
        center = sum(means) / len(means)
        error = math.sqrt(sum((mean - center) ** 2 for mean in means) / (len(means) - 1) / len(means))
    return PassAt1(
        value=value,
        standard_error=error,
        n_problems=len(grades[0]),
        samples=len(grades),
        n_ungraded=sum(grade is None for row in grades for grade in row),
        completions=completions,
        grades=grades,
    )
