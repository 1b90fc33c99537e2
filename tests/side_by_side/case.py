"""A case: one script or switch of GRPOTrainer, written so that it runs with either trainer, and how it is judged."""

import math
import time
import traceback
import warnings
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
import trl
from transformers import PreTrainedTokenizerBase

import pmpo
from pmpo.integrations.trl import PMPOConfig, PMPOTrainer
from tiny import digit_reward, tiny_dataset, tiny_model, tiny_tokenizer

FLOAT32_HEAD = "ours computes the last projection in float32 (decision 0003)"
STEP_COUNTS = "ours divides by the tokens of the step, TRL by the generation's mean (decision 0003)"

BASE = {
    "per_device_train_batch_size": 8,
    "num_generations": 4,
    "max_completion_length": 6,
    "max_steps": 3,
    "learning_rate": 1e-2,
    "lr_scheduler_type": "constant",
    "logging_steps": 1,
    "report_to": "none",
    "use_cpu": True,
    "bf16": False,
    "gradient_checkpointing": False,
    "save_strategy": "no",
    "disable_tqdm": True,
}
"""What a script of the documentation becomes on one core of a CPU; each case changes some of it."""

SIDES = ("theirs", "ours", "member")
"""GRPOTrainer; PMPOTrainer with the script as it is; PMPOTrainer with the objective and TRL's defaults named."""


def _train(trainer: Any) -> None:
    trainer.train()


@dataclass
class Script:
    """One script. `more` are further arguments of the trainer; the data set `None` leaves it out.

    `prepare` gets the trainer before it starts, `play` runs it, and `check` raises AssertionError where a run that came
    to its end did not do what the script is for. `still` says that no training is meant; `around` surrounds it all.
    `amend` changes the configuration after it was made, and `derive` the class of the trainer.
    """

    args: dict[str, Any] = field(default_factory=dict)
    model: Any = None
    reward: Any = digit_reward
    data: Any = "default"
    tokenizer: PreTrainedTokenizerBase | str | None = "default"
    more: dict[str, Any] = field(default_factory=dict)
    prepare: Callable[[Any], None] | None = None
    play: Callable[[Any], Any] = _train
    check: Callable[[Any], None] | None = None
    still: bool = False
    around: Callable[[], AbstractContextManager[Any]] = nullcontext
    amend: Callable[[Any], Any] = lambda config: config
    derive: Callable[[type], type] = lambda kind: kind

    def trainer(self, side: str, folder: Path) -> Any:
        """The trainer of one side, as the script builds it."""
        config, kind = (trl.GRPOConfig, trl.GRPOTrainer) if side == "theirs" else (PMPOConfig, PMPOTrainer)
        args = {**BASE, "output_dir": str(folder), **self.args}
        args = args if side != "member" else as_member(args)
        named = {"processing_class": tiny_tokenizer() if self.tokenizer == "default" else self.tokenizer}
        if self.data is not None:
            named["train_dataset"] = tiny_dataset() if isinstance(self.data, str) else self.data
        if self.reward is not None:
            named["reward_funcs"] = self.reward
        model = tiny_model() if self.model is None else self.model
        trainer = self.derive(kind)(model, args=self.amend(config(**args)), **{**named, **self.more})
        if self.prepare is not None:
            self.prepare(trainer)
        return trainer


@dataclass(frozen=True)
class Case:
    """`build(folder)` makes the script anew for each side; `source` says which of TRL's own it stands for.

    `numbers`: whether the parameters at equal settings are compared, which needs a loss of the family; `differs` says
    why they must not be the same. `quick`: one of the few that the tests run.
    """

    name: str
    source: str
    build: Callable[[Path], Script]
    numbers: bool = True
    quick: bool = False
    differs: str = ""


def switch(
    name: str, source: str, *, numbers: bool = True, quick: bool = False, differs: str = "", **args: Any
) -> Case:
    """A case that is nothing but configuration: `args` over `BASE`."""
    return Case(name, source, lambda folder: Script(args), numbers, quick, differs)


def as_member(args: dict[str, Any]) -> dict[str, Any]:
    """The arguments of a GRPO script as those of the family's member, with every default of TRL written out.

    Raises: LookupError when the family has no such member.
    """
    args = dict(args)
    loss = args.pop("loss_type", "dapo")
    level = args.pop("importance_sampling_level", "token")
    member = "gspo" if (loss, level) == ("grpo", "sequence") else loss if level == "token" else f"{loss}, {level}"
    if member not in pmpo.OBJECTIVES:
        raise LookupError(f"no member for {member}")
    given = {"epsilon": 0.2, "scale_rewards": "group", "beta": 0.0, "use_bias_correction_kl": True}
    args = {**given, **args, "objective": member}
    if member == "sapo":
        del args["epsilon"]
    if args.get("steps_per_generation") is None and args.get("generation_batch_size") is None:
        args["steps_per_generation"] = args.get("gradient_accumulation_steps", 1)
    return args


def play(case: Case, side: str, folder: Path) -> dict[str, Any]:
    """Run one side of a case and tell what came of it.

    Returns: {"outcome": works | fails | refused | crashes | no member, "said": a sentence, "keys": logged names,
        "warnings": sentences, "seconds": ...}; the final parameters lie in `<folder>/parameters.pt`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    started, trainer = time.monotonic(), None
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            script = case.build(folder)
            with script.around():
                trainer = script.trainer(side, folder / "run")
                before = _parameters(trainer)
                script.play(trainer)
            found = _judged(script, trainer, before)
            torch.save(_parameters(trainer), folder / "parameters.pt")
        except LookupError as error:
            found = {"outcome": "no member", "said": str(error)} if str(error).startswith("no member") else _died(error)
        except Exception as error:
            found = _died(error)
    told = [str(one.message) for one in caught if issubclass(one.category, UserWarning)]
    keys = sorted({key for row in trainer.state.log_history for key in row}) if trainer is not None else []
    return {**found, "keys": keys, "warnings": list(dict.fromkeys(told)), "seconds": time.monotonic() - started}


def _parameters(trainer: Any) -> torch.Tensor:
    model = trainer.accelerator.unwrap_model(trainer.model)
    return torch.cat([p.detach().float().flatten().clone() for p in model.parameters() if not p.is_meta])


def _judged(script: Script, trainer: Any, before: torch.Tensor) -> dict[str, Any]:
    """Works when the weights moved (or were to stand still), all is finite and the script's own check holds."""
    after = _parameters(trainer)
    moved = (after - before).abs().max().item() if after.shape == before.shape else math.inf
    losses = [row["loss"] for row in trainer.state.log_history if "loss" in row]
    faults = []
    if not script.still and moved == 0.0:
        faults.append("no weight moved")
    if not after.isfinite().all() or not all(map(math.isfinite, losses)):
        faults.append("not finite")
    if not script.still and not losses:
        faults.append("no loss was logged")
    if script.check is not None:
        try:
            script.check(trainer)
        except AssertionError as error:
            faults.append(str(error) or f"check failed at {traceback.extract_tb(error.__traceback__)[-1].line}")
    return {"outcome": "fails" if faults else "works", "said": "; ".join(faults), "moved": moved}


def _died(error: Exception) -> dict[str, Any]:
    """Refused: a sentence that TRL, transformers or pmpo raises on purpose before the first step. Else it crashed."""
    frames = traceback.extract_tb(error.__traceback__)
    last = frames[-1]
    on_purpose = (last.line or "").lstrip().startswith("raise ") and any(
        f"/{package}/" in last.filename for package in ("trl", "pmpo", "transformers", "accelerate", "peft")
    )
    stepped = any(frame.name in ("training_step", "_inner_training_loop", "_run_epoch") for frame in frames)
    at = f"{Path(last.filename).name}:{last.lineno} in {last.name}"
    said = f"{type(error).__name__}: {' '.join(str(error).split())}"
    return {"outcome": "refused" if on_purpose and not stepped else "crashes", "said": said, "at": at}
