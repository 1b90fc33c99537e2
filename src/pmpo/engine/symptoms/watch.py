"""Finds each symptom once, while a run goes on or when its log is read again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pmpo.engine.symptoms.catalogue import Symptom, settings_symptoms, symptoms
from pmpo.engine.symptoms.rows import EVENTS, FEWEST_EVENTS, Rows

_LOOKS = 400


class SymptomWatch:
    """Finds each symptom once, when it first shows.

    Attributes:
        of_settings: those that the settings alone show, known before the first update.
        found: these, and those of the log, oldest first; after a resumption also those of the earlier process.
    """

    def __init__(self, settings: Mapping[str, Any] | None = None) -> None:
        """`settings`: of the run, by TRL's names (`pmpo.engine.symptoms.configuration`)."""
        self._settings = dict(settings or {})
        self.of_settings = settings_symptoms(self._settings)
        self.begin([])

    def begin(self, rows: Rows) -> None:
        """Start over, with the log events of the run so far; what shows in them is not new."""
        self.found: list[Symptom] = list(self.of_settings)
        self._rows: list[Mapping[str, Any]] = []
        for row in rows:
            if "loss" in row:
                self.add(row)

    def add(self, row: Mapping[str, Any]) -> list[Symptom]:
        """Those that the next log event shows for the first time."""
        self._rows.append(row)
        return self._new(EVENTS)

    def look(self, rows: Rows) -> list[Symptom]:
        """Those that the log up to here shows for the first time."""
        self._rows = list(rows)
        return self._new(EVENTS)

    def finish(self) -> list[Symptom]:
        """Those that show in what a short run had, which has fewer events than a long one should wait for."""
        generations = sum("frac_reward_zero_std" in row for row in self._rows[-EVENTS * 100 :])
        return self._new(max(FEWEST_EVENTS, min(EVENTS, generations)))

    def _new(self, events: int) -> list[Symptom]:
        known = {symptom.name for symptom in self.found}
        new = [one for one in symptoms(self._rows, events, self._settings) if one.name not in known]
        self.found += new
        return new


def diagnose(rows: Rows, settings: Mapping[str, Any] | None = None) -> list[Symptom]:
    """What a watch would have found in a log, oldest first; a long one is looked at in about `_LOOKS` places.

    Args:
        rows: every log event of training, oldest first.
        settings: of the run, by TRL's names.
    """
    watch = SymptomWatch(settings)
    every = 1 + len(rows) // _LOOKS
    for end in [*range(every, len(rows), every), len(rows)] if rows else []:
        watch.look(rows[:end])
    watch.finish()
    return watch.found
