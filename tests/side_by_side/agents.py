"""Tools, environments and rollouts of one's own: several turns, with a model that acts as told."""

from pathlib import Path
from typing import Any

from datasets import Dataset

from side_by_side.case import Case, Script
from side_by_side.parts import acting, call, chat_model, chat_tokenizer, message_reward, questions

TURNS = {"max_completion_length": 96}


def multiply(a: int, b: int) -> int:
    """Multiply two numbers.

    Args:
        a: The first.
        b: The second.

    Returns:
        The product.
    """
    return a * b


async def add(a: int, b: int) -> int:
    """Add two numbers.

    Args:
        a: The first.
        b: The second.

    Returns:
        The sum.
    """
    return a + b


class Counter:
    """Counts; its reward is the count."""

    prompt: str | None = None

    def reset(self, **kwargs: Any) -> str | None:
        """Begin at 0."""
        self.count = 0
        return self.prompt

    def increment(self, step: int) -> int:
        """Add to the count.

        Args:
            step: How much.

        Returns:
            The count.
        """
        self.count += step
        return self.count


class Asking(Counter):
    """Gives its own question."""

    prompt = "count to 3"


class Scoring(Asking):
    """Knows what an episode was worth."""

    def get_reward(self) -> float:
        """The count, at most 1."""
        return min(1.0, self.count / 3)


class Echo:
    """Says it again, loud."""

    def reset(self, **kwargs: Any) -> str:
        """The question."""
        return "say it"

    def shout(self, text: str) -> str:
        """Shout.

        Args:
            text: What to shout.

        Returns:
            The text in capitals.
        """
        return text.upper()


class Silent:
    """Only fills in the prompt."""

    def reset(self, **kwargs: Any) -> str:
        """The question."""
        return "7+1="


class NoReset:
    """Not an environment."""


COUNTING = (call("increment", '{"step": 1}'), call("increment", '{"step": 2}'), call("decrement", '{"step": 2}'), "7x")
MULTIPLYING = (call("multiply", '{"a": 3, "b": 4}'), call("multiply", '{"a": 3, "c": 4}'), "I do not 7", "77")
ADDING = (call("add", '{"a": 3, "b": 4}'), "I do not 7", "77")
BOTH = (call("increment", '{"step": 1}'), call("shout", '{"text": "hi 7"}'), "77", "x7")


def _tools_were_called(trainer: Any) -> None:
    rates = [row["tools/call_frequency"] for row in trainer.state.log_history if "tools/call_frequency" in row]
    assert rates and max(rates) > 0, "no tool was called"


def _agent(
    name: str, source: str, says: tuple[str, ...] | None, data: Any = None, *, reward: Any = message_reward,
    quick: bool = False, more: dict[str, Any], **args: Any,
) -> Case:  # fmt: skip
    def build(folder: Path) -> Script:
        prepare = acting(*says) if says else None
        check = _tools_were_called if says else None
        rows = data() if callable(data) else data
        return Script({**TURNS, **args}, chat_model(), reward, rows, chat_tokenizer(), more, prepare, check=check)

    return Case(name, source, build, quick=quick)


def _environment(name: str, source: str, factory: Any, data: Any = None, says: Any = COUNTING, **args: Any) -> Case:
    return _agent(name, source, says, data, more={"environment_factory": factory}, **args)


def _routing() -> Dataset:
    return Dataset.from_dict({"environment": ["counter", "echo"] * 16})


def _routed_questions() -> Dataset:
    return questions(environment=["counter", "echo"] * 16)


TWO = {"counter": Asking, "echo": Echo}


def _rollout(prompts: Any, trainer: Any) -> dict[str, Any]:
    """Completions of random digits, as many as there are prompts, with a part that an environment wrote."""
    import torch

    tokenizer = trainer.processing_class
    ids = [tokenizer.encode(prompt, add_special_tokens=False) for prompt in prompts]
    made = [torch.randint(2, 12, (int(torch.randint(2, 6, ())),)).tolist() for _ in prompts]
    return {
        "prompt_ids": ids,
        "completion_ids": made,
        "logprobs": [[-1.0] * len(one) for one in made],
        "env_mask": [[1] * (len(one) - 1) + [0] for one in made],
        "won": [float(len(one) > 3) for one in made],
    }


def _won(completions: Any, won: Any, **kwargs: Any) -> list[float]:
    return list(won)


def _incomplete(prompts: Any, trainer: Any) -> dict[str, Any]:
    return {"prompt_ids": [[2]] * len(prompts), "completion_ids": [[3]] * len(prompts)}


ENV = "tests: test_train_with_environment"
CASES = [
    _agent("a tool", "tests: test_train_with_tools", MULTIPLYING, questions, more={"tools": [multiply]}, quick=True),
    _agent("an async tool", "tests: test_train_with_tools", ADDING, questions, more={"tools": [add]}),
    _agent("a tool, 2 turns at most", "docs: grpo_trainer.md", MULTIPLYING, questions, more={"tools": [multiply]},
           max_tool_calling_iterations=2),
    _agent("a tool, 4 updates a round, grpo", "-", MULTIPLYING, questions, more={"tools": [multiply]},
           loss_type="grpo", steps_per_generation=4, max_steps=4),
    _agent("malformed calls", "tests: test_train_with_malformed_tool_calls",
           ("<tool>{broken</tool>", call("multiply", '{"a": 3, "b": 4}'), "7"), questions, more={"tools": [multiply]}),
    _environment("environment without a data set", ENV + "_factory", Counter, max_steps=3, quick=True),
    _environment("environment whose reset() asks, with tools", "docs: grpo_trainer.md", Asking),
    _environment("environment whose reset() asks, without tools", ENV + "_owned_data", Silent, says=None),
    _environment("environment with a data set", "docs: openenv.md", Counter, questions),
    _environment("environment that owns the reward", ENV + "_owned_reward", Scoring, reward=None),
    _environment("environment with a reward beside ours",
                 "tests: test_environment_owned_reward_coexists_with_reward_funcs", Scoring, reward_weights=[0.5]),
    _environment("dict of environments, routing column alone", "tests: test_train_with_multiple_environments", TWO,
                 _routing, says=BOTH),
    _environment("dict of environments, routing beside prompts", "docs: grpo_trainer.md", TWO, _routed_questions,
                 says=BOTH),
    _environment("dict of environments, one owns its reward", "tests: test_environment_owned_reward_mixed_environments",
                 {"counter": Scoring, "echo": Echo}, _routing, says=BOTH),
    _environment("dict of environments without a data set", "tests: test_multiple_environments_without_dataset_raises",
                 TWO),
    _environment("an environment that is not in the dict", "tests: test_train_with_unknown_environment_raises",
                 {"counter": Counter}, _routing),
    _environment("environment without max_steps", "tests: test_environment_owned_data_requires_max_steps", Asking,
                 max_steps=-1),
    _environment("environment without reset()", "-", NoReset),
    Case("no data set and no environment", "tests: test_dataset_required_without_environment",
         lambda folder: Script(data=None)),
    Case("rollout_func with env_mask and a field for the reward", "docs: grpo_trainer.md",
         lambda folder: Script(reward=_won, more={"rollout_func": _rollout}), quick=True),
    Case("rollout_func without log-probabilities",
         "tests: test_generate_rollout_func_raises_when_required_keys_are_missing",
         lambda folder: Script(more={"rollout_func": _incomplete})),
]  # fmt: skip
