"""The options of `pmpo train` that are neither TRL's nor the objective's: data, prompts, rewards and bookkeeping."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pmpo.foundation.errors import InputError
from pmpo.foundation.options import mapping_option
from pmpo.report.screen import STYLES
from pmpo.runs.data_arguments import DataArguments, described, option
from pmpo.tasks.tables import looks_like_a_path

ENGINES = ("trl", "verl")


@dataclass
class RunArguments(DataArguments):
    """Data, prompts, rewards and bookkeeping of one run. Units: lengths in tokens, sizes in problems."""

    eval_max_completion_length: int | None = option(
        None, "Longest held-out completion; by default max_completion_length."
    )
    eval_temperature: float = option(0.0, "Temperature of held-out completions; 0 is greedy.")
    eval_batch_size: int = option(64, "Held-out prompts generated together, per process.")
    pass_at_1_every: int = option(0, "Optimiser steps between held-out pass@1 measurements; 0: before and after only.")
    pass_at_1_target: float | None = option(
        None, "Held-out pass@1 that the run should reach; the end of the run says whether it did."
    )
    pass_reward: float = option(1.0, "A completion passes when its (first) reward is at least this.")
    prompt_template: str = option(
        "auto",
        "qwen_math, r1, plain, or chat (the tokenizer's own chat template); auto: that of the model's training, else "
        "chat where the tokenizer has one, else plain.",
    )
    system_prompt: str | None = option(None, "System text for the templates qwen_math and chat.")
    problem_suffix: str | None = option(None, "Text put after every problem, before the template is applied.")
    reward: list[str] | None = field(
        default=None,
        metadata=described(
            "math, choice, sql, a task's name, think_format, a reward of TRL's (accuracy_reward), module:function or "
            "path/to/file.py:function; several are added up (see reward_weights), and the first decides pass@1. By "
            "default the task's, else math; none with a reward model.",
            "reward_funcs",
        ),
    )
    reward_model_name_or_path: str | None = option(
        None, "A reward model, folder or hub id; of several rewards it is the first in reward_weights."
    )
    status_rewards: dict[str, Any] | str | None = field(
        default=None,
        metadata={
            "help": "What a grader's statuses are worth, as JSON: '{\"no_answer\": -0.5}'. By default correct is worth "
            "1; wrong, no_answer and unparsable 0; timeout, memory and error what wrong is worth where the "
            'completion is to blame ("wrong"), else no reward (null).'
        },
    )
    grader_options: dict[str, Any] | str | None = field(
        default=None,
        metadata={"help": 'Rules of the graders, on top of the task\'s: \'{"percent": "optional"}\' for math.'},
    )
    grader_timeout: float = option(5.0, "Seconds that grading one completion may take before it is ended.")
    max_unreadable_golds: float = option(0.0, "Share of reference answers, 0..1, that the grader may fail to read.")
    processor_kwargs: dict[str, Any] | str | None = field(
        default=None,
        metadata={"help": "Settings of the model's processor of pictures, as JSON: '{\"max_pixels\": 1003520}'."},
    )
    init_from_scratch: bool = option(
        False, "Train a small new Qwen2 with a tokenizer trained on the data set's text; no model is loaded."
    )
    scratch_hidden_size: int = option(128, "Width of the model made by init_from_scratch.")
    scratch_layers: int = option(3, "Its layers.")
    scratch_heads: int = option(4, "Its attention heads; must divide scratch_hidden_size.")
    scratch_vocab_size: int = option(
        2048, "Largest number of tokens of its tokenizer; below 260 for the characters of the data alone."
    )
    scratch_context: int = option(1024, "Its context, tokens.")
    scratch_picture_size: int = option(
        28, "For problems with pictures it is a LLaVA, which sees them scaled to squares of so many pixels; times 7."
    )
    engine: str = field(
        default="trl",
        metadata={
            "help": "What trains: trl (one process, or several through accelerate), or verl (a Ray cluster), for which "
            "all options are translated.",
            "choices": ENGINES,
        },
    )
    verl: list[str] | None = field(
        default=None,
        metadata={"help": "With engine verl: settings of verl's own that no option here says, as trainer.nnodes=2."},
    )
    num_processes: int | None = option(
        None,
        "Processes that the batch numbers are meant for; as a flag, `pmpo train` starts them. A run with another "
        "number is refused.",
    )
    accelerate_config: str | None = option(
        None,
        "Start the run through accelerate, with this configuration: a file, or one of TRL's (single_gpu, multi_gpu, "
        "zero1, zero2, zero3, fsdp1, fsdp2). Other options of `accelerate launch` may stand beside it.",
    )
    samples_to_keep: int = option(16, "Held-out problems whose completions go to samples.jsonl, before and after.")
    curves: bool = option(True, "Draw curves.png at the end.")
    dry_run: bool = option(False, "Resolve everything but the weights, print the plan, and stop.")
    progress: str = field(
        default="auto",
        metadata={
            "help": "auto (a live display on a terminal, else lines), live, lines or off.",
            "choices": STYLES,
        },
    )

    def __post_init__(self) -> None:
        if self.verl and self.engine != "verl":
            raise InputError(
                f"verl is {self.verl}, and the engine is {self.engine}: write engine: verl, or leave it out."
            )
        self.settle_data()
        self._settle_rewards()
        self.status_rewards = mapping_option("status_rewards", self.status_rewards)
        self.grader_options = mapping_option("grader_options", self.grader_options)
        self.processor_kwargs = mapping_option("processor_kwargs", self.processor_kwargs)
        self._check_numbers()

    @property
    def reward_names(self) -> list[str]:
        """Of the reward model and the functions, in the order of reward_weights."""
        model = [] if self.reward_model_name_or_path is None else [self.reward_model_name_or_path]
        return [*model, *(self.reward or [])]

    def _settle_rewards(self) -> None:
        if isinstance(self.reward, str):  # a YAML file may give one name without brackets
            self.reward = [self.reward]
        model = self.reward_model_name_or_path
        if model is not None and looks_like_a_path(model) and not Path(model).expanduser().is_dir():
            raise InputError(f"reward_model_name_or_path is {model!r}, and there is no such folder.")
        if self.reward is None:
            self.reward = [] if model is not None else [self.task or "math"]
        if self.eval_size is None:
            self.eval_size = 256 if self.reward else 0
        if self.eval_size and not self.reward:
            raise InputError(
                f"eval_size is {self.eval_size}, but a reward model decides no pass@1; name a reward function with "
                "reward, or write eval_size: 0."
            )

    def _check_numbers(self) -> None:
        for name in ("task_size", "eval_batch_size", "scratch_layers", "scratch_heads", "scratch_hidden_size"):
            if getattr(self, name) < 1:
                raise InputError(f"{name} is {getattr(self, name)}; write a number of at least 1.")
        if self.scratch_context < 1:
            raise InputError(f"scratch_context is {self.scratch_context}; write a number of tokens, at least 1.")
        if self.scratch_picture_size < 7 or self.scratch_picture_size % 7:
            raise InputError(
                f"scratch_picture_size is {self.scratch_picture_size}; write a multiple of 7 pixels, such as 28."
            )
        for name in ("eval_size", "pass_at_1_every", "samples_to_keep"):
            if getattr(self, name) < 0:
                raise InputError(f"{name} is {getattr(self, name)}; write 0 for none, or a positive number.")
        if not 0.0 <= self.max_unreadable_golds <= 1.0:
            raise InputError(f"max_unreadable_golds is {self.max_unreadable_golds}; write a share, 0..1.")
        if not 0.0 <= self.eval_temperature < float("inf"):
            raise InputError(f"eval_temperature is {self.eval_temperature}; write 0 (greedy) or a positive number.")
        if self.init_from_scratch and self.scratch_hidden_size % (2 * self.scratch_heads):
            raise InputError(
                f"scratch_hidden_size={self.scratch_hidden_size} cannot be cut into scratch_heads={self.scratch_heads} "
                f"heads of even width; write for example scratch_hidden_size={32 * self.scratch_heads}."
            )
