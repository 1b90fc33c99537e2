"""The part of `PMPOTrainer` that hands on rows of the data set as they are.

accelerate looks through every value of a batch for tensors to move, and a round is a batch of hundreds of rows of text,
which TRL's loader hands over again for each of its updates.
"""

from __future__ import annotations

from typing import Any

from datasets import Dataset

from pmpo.integrations.trl.host.hooks import HostTrainer


class Rows(list[dict[str, Any]]):
    """Rows of a data set; on every device already."""

    def to(self, *args: Any, **kwargs: Any) -> Rows:
        return self


class KeepsRows(HostTrainer):
    """TRL's trainer, whose batches are `Rows`."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        cut_up = self.accelerator.dispatch_batches or self.accelerator.split_batches
        if isinstance(self.train_dataset, Dataset) and not cut_up:  # a stream's batches are cut up for the processes
            self.data_collator = Rows
