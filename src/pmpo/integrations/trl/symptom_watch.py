"""Looks at every log event for symptoms of a run that does not learn, and warns of each once."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

from transformers import TrainerCallback

from pmpo.engine.symptoms import Symptom, SymptomWatch


class SymptomCallback(TrainerCallback):
    """Warns of each symptom when it first shows, and adds `warnings/<name>` to that log event; it must come before the
    callbacks that write events down.

    Attributes:
        of_settings: those that the settings alone show, which whoever builds the trainer warns of.
    """

    def __init__(self, main_process: bool, settings: Mapping[str, Any]) -> None:
        """`main_process`: the others find the same and say nothing. `settings`: the trainer's, by TRL's names."""
        self.main_process = main_process
        self._watch = SymptomWatch(settings)
        self.of_settings = self._watch.of_settings

    @property
    def found(self) -> list[Symptom]:
        """Oldest first; after a resumption also those of the earlier process."""
        return self._watch.found

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """The log is all that symptoms depend on, so those of the run so far are found again, without a word."""
        self._watch.begin(state.log_history if state.global_step else [])

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, Any] | None = None, **kwargs: Any) -> None:
        if logs is not None and "loss" in logs:
            new = self._watch.add({**logs, "step": state.global_step})
            logs.update({f"warnings/{symptom.name}": 1.0 for symptom in new})
            self._warn(new)

    def on_train_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self._warn(self._watch.finish())

    def _warn(self, new: list[Symptom]) -> None:
        for symptom in new if self.main_process else []:
            warnings.warn(f"Update {symptom.step}: {symptom.sentence}", stacklevel=2)
