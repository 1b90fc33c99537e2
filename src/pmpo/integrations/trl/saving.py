"""The part of `PMPOTrainer` that writes checkpoints: whole or not at all."""

from __future__ import annotations

import os
import shutil
import warnings
from pathlib import Path
from typing import Any

from safetensors import SafetensorError

from pmpo.engine import checkpoints
from pmpo.engine.model_facts import optimizer_facts
from pmpo.engine.nonfinite import NonFiniteLossError, weights_are_finite
from pmpo.foundation.disk import full_disk
from pmpo.foundation.errors import InputError
from pmpo.foundation.files import plain
from pmpo.foundation.versions import library_versions
from pmpo.integrations.trl.exact_resume import ResumesRounds
from pmpo.integrations.trl.host.parts import TRAINER_STATE_NAME
from pmpo.integrations.trl.pushing import PushesPublished
from pmpo.integrations.trl.settings import facts_of_model, settings_of


class CheckpointError(InputError):
    """A checkpoint could not be written. The newest one before it is untouched."""


class WholeCheckpoints(ResumesRounds, PushesPublished):
    """TRL's trainer with checkpoints that are whole or absent.

    Every process writes into `<run>/_saving`; the first one seals and publishes (see `checkpoints`). A failed save
    leaves nothing behind and ends the run or is logged, as `args.on_save_error` says; all processes take the same way.
    """

    _published: Path | None = None
    _run_settings: dict[str, Any] | None = None
    failed_saves = 0

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.given_optimizers = optimizer_facts(self.optimizer, self.lr_scheduler)
        self.given_model, self.given_adapter = facts_of_model(self.model)

    def output_folder(self, trial: Any = None) -> str:
        folder = super().output_folder(trial)
        return os.path.join(folder, checkpoints.SAVING) if self._saving else folder

    def run_folder(self, trial: Any = None) -> Path:
        """Where checkpoints are in the end; `output_folder` is where they are written."""
        return Path(super().output_folder(trial))

    def settings(self) -> dict[str, Any]:
        """What `settings_of` says of this run; computed once, since it reads the whole data set."""
        if self._run_settings is None:
            self._run_settings = settings_of(self)
        return self._run_settings

    def write_checkpoint(self, model: Any, trial: Any = None) -> None:
        """As TRL's, but whole or not at all.

        Raises: NonFiniteLossError when the weights are not finite; CheckpointError when it could not be written and
            `args.on_save_error` is stop.
        """
        run = self.run_folder(trial)
        name = f"checkpoint-{self.state.global_step}"
        if self.on_any_process(not weights_are_finite(self.model)):
            raise NonFiniteLossError(
                f"The weights are not finite at step {self.state.global_step}, so {name} was not written; resume from "
                "the newest checkpoint with a lower learning_rate."
            )
        self._name_best(run)
        # What callbacks have put there may be nothing that JSON has, and trainer_state.json could not be written.
        self.state.log_history = plain(self.state.log_history, finite=False)
        self.state.best_metric = plain(self.state.best_metric, finite=False)
        if self.accelerator.is_main_process:
            checkpoints.clear_staging(run)
        self.accelerator.wait_for_everyone()
        problem: Exception | None = None
        self._saving = True
        try:
            super().write_checkpoint(model, trial)
        except (OSError, SafetensorError, RuntimeError) as error:
            if not _is_about_writing(error):
                raise
            problem = error
        finally:
            self._saving = False
        if not self.on_any_process(problem is not None):
            problem = self._seal_and_publish(run, name)
        if self.on_any_process(problem is not None):
            self._give_up_checkpoint(run, name, problem)
        else:
            self._push_published(run / name)

    def _name_best(self, run: Path) -> None:
        """Trainer looks for the best checkpoint in the folder it saves into, where the older ones are not."""
        if self.state.best_global_step:
            best = run / f"checkpoint-{self.state.best_global_step}"
            if best.exists() or self.state.best_global_step == self.state.global_step:
                self.state.best_model_checkpoint = str(best)

    def _seal_and_publish(self, run: Path, name: str) -> Exception | None:
        if not self.accelerator.is_main_process:
            return None
        staged = run / checkpoints.SAVING / name
        try:
            if self.state.best_global_step == self.state.global_step:  # Trainer has named the staged one
                self._name_best(run)
                self.state.save_to_json(str(staged / TRAINER_STATE_NAME))
            facts = {"step": self.state.global_step, "processes": self.accelerator.num_processes}
            checkpoints.seal(staged, {**facts, "versions": library_versions(), "settings": self.settings()})
            if run / name in self._in_push():
                self.wait_for_upload()
            checkpoints.publish(staged, run / name)
        except OSError as error:
            return error
        self._published = run / name
        self._rotate(self._published)
        return None

    def _rotate(self, newest: Path) -> None:
        """Delete the checkpoints beyond the limit, but for those that are being uploaded: the next one takes them."""
        keep = (newest, self.state.best_model_checkpoint, *self._in_push())
        try:
            checkpoints.rotate(newest.parent, self.args.save_total_limit, keep)
            checkpoints.clear_staging(newest.parent)
        except OSError as error:
            warnings.warn(f"Older checkpoints in {newest.parent} could not be deleted: {_reason(error)}.", stacklevel=3)

    def finish_training(self, *args: Any, **kwargs: Any) -> Any:
        self.wait_for_upload()
        if self._published is not None and self.accelerator.is_main_process:
            self._rotate(self._published)
        return super().finish_training(*args, **kwargs)

    def _give_up_checkpoint(self, run: Path, name: str, problem: Exception | None) -> None:
        if self.accelerator.is_main_process:
            checkpoints.clear_staging(run)
        self.failed_saves += 1
        message = _unwritten(run, name, problem)
        if self.args.on_save_error == "stop":
            raise CheckpointError(
                f"{message} Make room and resume from there, or write on_save_error: continue to train on without it."
            )
        self.metric_values["train"]["checkpoint/failed_saves"] = [float(self.failed_saves)]
        warnings.warn(f"{message} The run goes on (on_save_error: continue).", stacklevel=2)

    def warn_of_unwritten_log(self, problem: OSError) -> None:
        """Called once when metrics.jsonl cannot be written; the checkpoint after it stops the run, or does not."""
        message = _unwritten(self.run_folder(), "A line of metrics.jsonl", problem)
        warnings.warn(f"{message} The run goes on, and its lines are kept until there is room.", stacklevel=2)


def _unwritten(run: Path, name: str, problem: Exception | None) -> str:
    """What could not be written and why, how much room there is, and the newest whole checkpoint."""
    sound, _ = checkpoints.newest_sound(run) if run.is_dir() else (None, [])
    reason = _reason(problem) if problem is not None else "another process could not write its part"
    last = f"The newest whole checkpoint is {sound.folder}" if sound is not None else "There is no whole checkpoint"
    free = f"{shutil.disk_usage(run).free / 1e6:.1f} MB are free there" if run.is_dir() else "the folder is gone"
    return f"{name} could not be written to {run}: {reason} ({free}). {last}."


def _is_about_writing(error: Exception) -> bool:
    """A full disk, a lost mount, a missing permission; torch and safetensors wrap those in types of their own."""
    return isinstance(error, OSError) or full_disk(error) is not None or any(w in str(error) for w in ("write", "I/O"))


def _reason(error: Exception) -> str:
    return full_disk(error) or " ".join(str(error).split())[:200]
