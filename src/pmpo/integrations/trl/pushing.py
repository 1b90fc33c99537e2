"""The part of `PMPOTrainer` that uploads checkpoints: those that are whole, and never one that is being deleted."""

from __future__ import annotations

import warnings
from pathlib import Path

from trl import GRPOTrainer


class PushesPublished(GRPOTrainer):
    """TRL's trainer with uploads after a checkpoint has its name instead of in the middle of its writing.

    What is uploaded, and when one upload is left out for another, is transformers' own code. Its patterns leave out
    names with `_` at the front, of which the folder of unfinished checkpoints is one.
    """

    _saving = False
    _pushed: tuple[Path, ...] = ()

    def _push_from_checkpoint(self, checkpoint_folder: str) -> None:
        if self._saving:  # Trainer asks for it before the checkpoint is sealed; `_push` follows
            return
        self._pushed = (*self._in_push(), Path(checkpoint_folder))
        super()._push_from_checkpoint(checkpoint_folder)

    def _push(self, published: Path) -> None:
        """Upload as `args.hub_strategy` says. What cannot be read or copied for it is no reason to end a run."""
        if not self.args.push_to_hub:
            return
        try:
            self._push_from_checkpoint(str(published))
        except OSError as error:
            warnings.warn(f"{published} could not be pushed to {self.hub_model_id}: {error}.", stacklevel=2)

    def _in_push(self) -> tuple[Path, ...]:
        """Checkpoints whose upload may be under way."""
        push = getattr(self, "push_in_progress", None)
        return () if push is None or push.is_done() else self._pushed
