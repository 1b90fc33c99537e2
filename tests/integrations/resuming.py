"""Runs resumed at several steps, beside the same run uninterrupted; on one process or on every rank of several."""

import shutil
from dataclasses import asdict, dataclass
from pathlib import Path

from accelerate import PartialState
from peft import LoraConfig

from pmpo.integrations.trl import PMPOConfig, PMPOTrainer
from support import config, parameters, trainer
from tiny import tiny_dataset

COMPLETIONS = 8  # of one forward pass, on all processes together
GENERATIONS = 4
SYNCED = {"beta": 0.1, "sync_ref_model": True, "ref_model_sync_steps": 2, "ref_model_mixup_alpha": 0.5}


@dataclass(frozen=True)
class Shape:
    """How updates, rounds (one generation and the updates from it) and epochs lie over each other."""

    steps_per_generation: int
    num_iterations: int = 1
    gradient_accumulation_steps: int = 1

    @property
    def rounds(self) -> int:
        """Per epoch; three where that leaves the epoch's last update one forward pass short."""
        return 3 if self.steps_per_generation % 2 else 2

    @property
    def rows(self) -> int:
        """Of the data set, prompts."""
        return self.rounds * self.steps_per_generation * COMPLETIONS // GENERATIONS

    @property
    def updates_per_epoch(self) -> int:
        passes = self.rounds * self.steps_per_generation * self.num_iterations
        return -(-passes // self.gradient_accumulation_steps)

    @property
    def steps(self) -> int:
        """Of the run: into the second round of the second epoch."""
        per_round = -(-self.steps_per_generation * self.num_iterations // self.gradient_accumulation_steps)
        return max(6, self.updates_per_epoch + per_round + 1)

    @property
    def kills(self) -> list[int]:
        """Steps to resume from: the first and the last, and those around the end of the epoch."""
        end = self.updates_per_epoch
        return sorted({1, 2, end - 1, end, end + 1, self.steps - 1} & set(range(1, self.steps)))


def lora():
    return {"peft_config": LoraConfig(r=2, target_modules=["q_proj"], task_type="CAUSAL_LM")}


def build(folder, shape, resume=None, classes=None, peft=False, model=None, eval_rows=0, **changes):
    """The trainer of a run in `folder`, not started; one that resumes saves no more checkpoints.

    Args:
        classes: configuration and trainer; ours when None.
        model: a folder to load it from; the tiny one of the tests when None.
        changes: of the configuration.
    """
    settings = {
        **asdict(shape),
        "output_dir": str(folder),
        "num_generations": GENERATIONS,
        "per_device_train_batch_size": COMPLETIONS // PartialState(cpu=True).num_processes,
        "save_strategy": "steps" if resume is None else "no",
        "save_steps": 1,
        "max_steps": shape.steps,
        "seed": 1,
        **changes,
    }
    configuration, kind = classes or (PMPOConfig, PMPOTrainer)
    options = lora() if peft else {}
    data = {"train_dataset": tiny_dataset(shape.rows), "eval_dataset": tiny_dataset(eval_rows) if eval_rows else None}
    return trainer(config(configuration, **settings), cls=kind, model=model, **data, **options)


def run(folder, shape, resume=None, **how):
    """The trainer after a run, from the start or a checkpoint (True: the newest); `how` is for `build`."""
    one = build(folder, shape, resume, **how)
    one.train(resume_from_checkpoint=resume if resume in (None, True) else str(resume))
    return one


def copied(checkpoint, folder):
    """A checkpoint alone in a run folder of its own, as a kill right after it leaves it; every rank calls this."""
    if PartialState(cpu=True).is_main_process:
        shutil.copytree(checkpoint, Path(folder) / Path(checkpoint).name)
    PartialState(cpu=True).wait_for_everyone()
    return Path(folder) / Path(checkpoint).name


def largest_difference(folder, shape, kills=None, **how):
    """max |Δw| between the run resumed from each of the steps `kills` and the uninterrupted one; on this rank.

    Args:
        kills: by default those of the shape.
    """
    folder = Path(folder)
    whole = run(folder / "whole", shape, **how)
    assert whole.state.epoch > 1, "the second epoch must be reached"
    found = 0.0
    for kill in shape.kills if kills is None else kills:
        checkpoint = copied(folder / "whole" / f"checkpoint-{kill}", folder / f"resumed-{kill}")
        resumed = run(checkpoint.parent, shape, checkpoint, **how)
        found = max(found, (parameters(resumed) - parameters(whole)).abs().max().item())
    PartialState(cpu=True).wait_for_everyone()
    if PartialState(cpu=True).is_main_process:
        shutil.rmtree(folder)
    return found
