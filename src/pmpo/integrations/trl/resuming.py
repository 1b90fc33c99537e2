"""The part of `PMPOTrainer` that chooses the checkpoint to resume from, or refuses to begin over another run."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pmpo.engine import checkpoints
from pmpo.engine.drift import check_drift
from pmpo.foundation.errors import InputError
from pmpo.integrations.trl.host.parts import TRAINER_STATE_NAME
from pmpo.integrations.trl.saving import WholeCheckpoints
from pmpo.integrations.trl.settings import WARNED
from pmpo.objective.presets import completed

_INEXACT = (
    "Resumed with ignore_data_skip=True: the round under way is given up and the prompts come in their order from the "
    "beginning, so those of the epoch so far are trained on again and the weights will not be those of a run that was "
    "not interrupted. Leave it out to resume exactly; going on to the place reads no row of a data set with a length."
)


class ResumesRuns(WholeCheckpoints):
    """TRL's trainer that resumes from a checkpoint that is whole and of the same run."""

    _began = False

    def train(self, resume_from_checkpoint: str | bool | None = None, *positional: Any, **kwargs: Any) -> Any:
        """As TRL's; `True` takes the newest sound checkpoint and warns of those it passed over.

        Raises: InputError when the checkpoint is damaged, when none is sound, when settings that decide the weights
            have changed since (`args.allow_change` names those that may), or when a new run finds those of another
            (`args.overwrite_output_dir` moves them away, as does a second call of this trainer's).
        """
        if resume_from_checkpoint:
            resume_from_checkpoint = self._choose(resume_from_checkpoint)
            if self.accelerator.is_main_process:
                checkpoints.clear_staging(self.run_folder())
            if self.args.ignore_data_skip:
                warnings.warn(_INEXACT, stacklevel=3)
        else:
            self._set_other_run_aside()
        self._began = True
        return super().train(resume_from_checkpoint or None, *positional, **kwargs)

    def _choose(self, wanted: str | bool) -> str:
        run = self.run_folder()
        if wanted is True:
            found, skipped = checkpoints.newest_sound(run) if run.is_dir() else (None, [])
            for damaged in skipped:
                warnings.warn(f"Not resumed from: {damaged}.", stacklevel=4)
            if found is None:
                why = "; ".join(str(damaged) for damaged in skipped) or "it holds no checkpoint"
                raise InputError(f"There is no sound checkpoint to resume from in {run}: {why}.")
            self._check(found)
            return str(found.folder)
        chosen = Path(str(wanted))
        if not chosen.is_dir():
            raise InputError(f"There is no checkpoint folder {chosen} to resume from.")
        if _is_of_another_trainer(chosen):
            warnings.warn(f"{chosen} has no {checkpoints.MANIFEST}: resumed as TRL does, unchecked.", stacklevel=4)
        else:
            self._check(checkpoints.verify(chosen))
        return str(chosen)

    def _set_other_run_aside(self) -> None:
        """Two runs in one folder: rotation and resumption would take the older one's checkpoints for this one's."""
        run = self.run_folder()
        found = checkpoints.checkpoints(run) if run.is_dir() else []
        self.accelerator.wait_for_everyone()  # all have looked
        if found and not (self._began or self.args.overwrite_output_dir):
            raise InputError(
                f"The folder {run} holds a run with checkpoints ({found[-1].name}). Continue it with "
                "train(resume_from_checkpoint=True), or begin again with PMPOConfig(overwrite_output_dir=True), which "
                f"moves it to {run}/earlier-1, or with another output_dir."
            )
        if found and self.accelerator.is_main_process:
            aside = checkpoints.set_aside(run, [path.name for path in found])
            warnings.warn(f"The checkpoints of the run before this one are now in {aside}.", stacklevel=4)
        self.accelerator.wait_for_everyone()
        if self._began:  # weights and optimizer stay as they are, as in TRL; steps, rounds and counts begin again
            self.round_step, self.round_buffer, self._published = 0, None, None
            self._windows.clear()
            self.skipped_steps = self.scaler_overflows = self.nonfinite_in_a_row = self.failed_saves = 0

    def _check(self, found: checkpoints.Verification) -> None:
        checkpoints.require_sound(found)
        allowed, then = self.args.allow_change or [], dict(found.facts["settings"])
        if isinstance(then.get("objective"), Mapping):
            then["objective"] = completed(then["objective"])
        for sentence in check_drift(then, self.settings(), WARNED, allowed, str(found.folder)):
            warnings.warn(f"Resumed with a changed setting: {sentence}.", stacklevel=5)


def _is_of_another_trainer(folder: Path) -> bool:
    """Whether a folder without a manifest is TRL's own checkpoint, and not one of ours that lost it."""
    ours = (folder / checkpoints.MANIFEST).exists() or any(folder.glob("generation-*.pt"))
    return not ours and (folder / TRAINER_STATE_NAME).exists()
