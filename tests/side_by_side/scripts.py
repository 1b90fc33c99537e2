"""Scripts that change the configuration after it was made, parse it from flags, or derive a class from the trainer."""

import dataclasses
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from trl import TrlParser

from pmpo.integrations.trl.filled import said
from side_by_side.case import BASE, Case, Script
from tiny import tiny_dataset, tiny_tokenizer


def _amended(name: str, source: str, amend: Callable[[Any], Any], **args: Any) -> Case:
    return Case(name, source, lambda folder: Script(args, amend=amend))


def _set(**values: Any) -> Callable[[Any], Any]:
    """Attributes of the configuration set after it was made."""

    def amend(config: Any) -> Any:
        for name, value in values.items():
            setattr(config, name, value)
        return config

    return amend


def _replaced(**values: Any) -> Callable[[Any], Any]:
    """A copy by `dataclasses.replace`; what TRL fills in for each other must be taken back, with TRL's own too."""
    return lambda config: dataclasses.replace(config, generation_batch_size=None, **values)


def _parsed(flags: str) -> Callable[[Any], Any]:
    """The configuration from flags, as a script with TrlParser makes it."""

    def amend(config: Any) -> Any:
        kept = {**BASE, "output_dir": config.output_dir, "steps_per_generation": config.steps_per_generation}
        objective = said(getattr(config, "objective", None))
        named = {} if objective is None else {"objective": objective}
        words = [word for name, value in {**kept, **named}.items() for word in (f"--{name}", str(value))]
        (parsed,) = TrlParser((type(config),)).parse_args_and_config([*words, *flags.split()])
        return parsed

    return amend


def _derived(name: str, source: str, derive: Callable[[type], type], **args: Any) -> Case:
    return Case(name, source, lambda folder: Script(args, derive=derive))


def _own_rewards(kind: type) -> type:
    class Own(kind):
        def _calculate_rewards(self, *args: Any, **kwargs: Any) -> torch.Tensor:
            return 2.0 * super()._calculate_rewards(*args, **kwargs) + 1.0

    return Own


def _own_loss(kind: type) -> type:
    class Own(kind):
        def compute_loss(self, *args: Any, **kwargs: Any) -> torch.Tensor:
            return 0.5 * super().compute_loss(*args, **kwargs)

    return Own


def _own_advantages(kind: type) -> type:
    class Own(kind):
        def _generate_and_score_completions(self, inputs: Any) -> dict[str, Any]:
            made = super()._generate_and_score_completions(inputs)
            made["advantages"] = made["advantages"].clamp(min=0.0)
            return made

    return Own


def _own_log(kind: type) -> type:
    class Own(kind):
        def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
            super().log({**logs, "mine": 1.0}, start_time)

    return Own


def _evaluates(folder: Path) -> Script:
    def play(trainer: Any) -> None:
        first = trainer.evaluate()
        trainer.train()
        assert first.keys() & trainer.evaluate(tiny_dataset(4)).keys() >= {"eval_loss", "eval_reward"}, "no metrics"

    return Script({"per_device_eval_batch_size": 8}, more={"eval_dataset": tiny_dataset(8)}, play=play)


def _uses_the_model(folder: Path) -> Script:
    def check(trainer: Any) -> None:
        tokens = tiny_tokenizer()("1+2=", return_tensors="pt")
        made = trainer.model.eval().generate(**tokens, max_new_tokens=3, do_sample=False)
        logits = trainer.model(**tokens).logits
        assert made.shape[1] <= 7 and logits.isfinite().all(), "the trained model does not generate"

    return Script(check=check)


def _pickled(config: Any) -> Any:
    return pickle.loads(pickle.dumps(config))


CASES = [
    _amended("learning_rate set after construction", "-", _set(learning_rate=5e-3)),
    _amended("beta set after construction", "-", _set(beta=0.0)),
    _amended("scale_rewards set after construction", "-", _set(scale_rewards="none")),
    _amended("epsilon set after construction, 4 updates a round", "-", _set(epsilon=0.01, epsilon_high=0.01),
             loss_type="grpo", steps_per_generation=4, max_steps=4),
    _amended("dataclasses.replace: seed", "-", _replaced(seed=3)),
    _amended("dataclasses.replace: scale_rewards", "-", _replaced(scale_rewards="none")),
    _amended("dataclasses.replace: epsilon, 4 updates a round", "-", _replaced(epsilon=0.01),
             loss_type="grpo", steps_per_generation=4, max_steps=4),
    _amended("a pickled configuration", "-", _pickled),
    _amended("TrlParser", "examples/scripts/grpo_agent.py", _parsed("--temperature 0.9 --top_k 5")),
    _amended("TrlParser: epsilon, scale_rewards, weights", "docs: clis.md",
             _parsed("--epsilon 0.1 --epsilon_high 0.2 --scale_rewards none --reward_weights 2.0")),
    _amended("TrlParser: report_to of two", "docs: clis.md", _parsed("--report_to tensorboard none")),
    _derived("a subclass with other rewards", "-", _own_rewards),
    _derived("a subclass with another loss", "-", _own_loss),
    _derived("a subclass with other advantages", "-", _own_advantages),
    _derived("a subclass with another log", "-", _own_log),
    Case("evaluate(), train(), evaluate(another set)", "tests: test_evaluate_with_eval_dataset", _evaluates),
    Case("the model after training", "-", _uses_the_model),
]  # fmt: skip
