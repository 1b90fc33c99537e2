"""The part of `PMPOTrainer` that reads the rows of a round once and hands them on as they are.

TRL's loader fetches the rows of a round again for each of its updates, pictures and all, and needs those of the first.
accelerate then looks through every value of every row for tensors to move.
"""

from __future__ import annotations

import copy
from typing import Any

from datasets import Dataset

from pmpo.integrations.trl.host.hooks import HostTrainer


class Rows(list[dict[str, Any]]):
    """Rows of a data set; on every device already."""

    def to(self, *args: Any, **kwargs: Any) -> Rows:
        return self


class RepeatedRows(Dataset):
    """A data set whose rows are asked for several times in a row, and read the first time.

    Attributes:
        times: how often; then they are read again, as whoever had them may have changed what is in them.
    """

    times = 1
    _keys: list[int] | None = None
    _given = 0

    @classmethod
    def of(cls, dataset: Dataset, times: int) -> RepeatedRows:
        """A view of `dataset`."""
        same = copy.copy(dataset)
        same.__class__, same.times = cls, times
        return same

    def __getitems__(self, keys: list[int]) -> list[dict[str, Any]]:
        if keys != self._keys or self._given == self.times:
            self._keys, self._rows, self._given = list(keys), super().__getitems__(keys), 0
        self._given += 1
        return [dict(row) for row in self._rows]


class KeepsRows(HostTrainer):
    """TRL's trainer, whose batches are `Rows`."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        cut_up = self.accelerator.dispatch_batches or self.accelerator.split_batches
        if isinstance(self.train_dataset, Dataset):
            self.train_dataset = RepeatedRows.of(
                self.train_dataset, self.args.steps_per_generation * self.num_iterations
            )
            if not cut_up:  # a stream's batches are cut up for the processes
                self.data_collator = Rows
