"""Under `accelerate launch`: recorded runs of objectives in turn; parameters after each, from the first process.

preset_worker.py FOLDER CASES.json writes FOLDER/<case>.pt = {"parameters", "wrapping"}; each case is
{"name", "objective", ...changes of the configuration}; "fault": "rank_local_mean" breaks the reward mean on purpose.
FOLDER/model is the model that all of them begin from.
"""

import contextlib
import io
import json
import sys
from pathlib import Path

import torch
import torch.distributed as dist

from recorded import RecordedCompletions, recorded_run, whole_parameters, wrapping
from sharding import shard_on_cpu


class RankLocalMean(RecordedCompletions):
    """The mistake that `gather` is there against: every process takes the mean of its own rewards."""

    def make_round(self, rows):
        made = super().make_round(rows)
        own = self._rewards.chunk(self.accelerator.num_processes)[self.accelerator.process_index]
        return {**made, "reward_mean": own.mean()}


KINDS = {None: RecordedCompletions, "rank_local_mean": RankLocalMean}


def run_cases(folder, cases) -> None:
    """In a process that has a rank already."""
    folder = Path(folder)
    for case in json.loads(Path(cases).read_text()):
        name, fault = case.pop("name"), case.pop("fault", None)
        with contextlib.redirect_stdout(io.StringIO()):  # the Trainer prints its logs
            one = recorded_run(folder / "runs" / name, 2, model=folder / "model", kind=KINDS[fault], **case)
        result = {"parameters": whole_parameters(one), "wrapping": wrapping(one)}
        if one.accelerator.is_main_process:
            torch.save(result, folder / f"{name}.pt")


def main() -> None:
    shard_on_cpu()
    run_cases(*sys.argv[1:])
    dist.barrier()
    dist.destroy_process_group()  # left open, its threads can abort the process as it exits


if __name__ == "__main__":  # doctest collection imports this file
    main()
