"""Under `accelerate launch`: one scenario, and what came of it on every process, in FOLDER/<scenario>-<rank>.json.

scenario_worker.py FOLDER SCENARIO...
"""

import contextlib
import io
import json
import math
import sys
import warnings
from pathlib import Path

import torch
import torch.distributed as dist
from accelerate import PartialState

import resuming
from pmpo.engine.nonfinite import NonFiniteLossError
from recorded import RecordedCompletions, recorded_run, whole_parameters, wrapping
from resuming import Shape
from sharding import shard_on_cpu
from support import config


class OneSpoilsTheSecondUpdate(RecordedCompletions):
    """The last process has an old log-probability of NaN in the first of the two micro-batches of update 2."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.passes, self.seen = 0, []

    def loss_of(self, model, inputs):
        self.passes += 1
        if self.passes % 2:
            self.seen.append(whole_parameters(self))
        if self.passes == 3 and self.accelerator.is_last_process:
            old = inputs["old_per_token_logps"].clone()
            old[0, 0] = math.nan
            inputs = {**inputs, "old_per_token_logps": old}
        return super().loss_of(model, inputs)


def skipped(folder):
    one = recorded_run(folder / "skipped", 2, "pmpo", folder / "model", kind=OneSpoilsTheSecondUpdate, max_steps=4)
    ends = [*one.seen[1:], whole_parameters(one)]
    moved = [not before.equal(after) for before, after in zip(one.seen, ends, strict=True)]
    return {"moved": moved, "skipped": one.skipped_steps, "finite": bool(ends[-1].isfinite().all()), **wrapping(one)}


class OneSpoilsTheSecondGradient(RecordedCompletions):
    """The last process has a finite loss and gradients that are not, in update 2."""

    def loss_of(self, model, inputs):
        loss = super().loss_of(model, inputs)
        if self.state.global_step == 1 and self.accelerator.is_last_process:
            loss.register_hook(lambda gradient: gradient * math.inf)
        return loss


def gradient(folder):
    """What the guard says of a gradient that is not finite; "" where it says nothing."""
    seen, kind = [], OneSpoilsTheSecondGradient

    class Remembered(kind):
        def __init__(self, *args, **kwargs):
            super().__init__(*args, **kwargs)
            seen.append(self)

    said = ""
    try:
        recorded_run(folder / "gradient", 2, "pmpo", folder / "model", kind=Remembered, max_steps=4, save_steps=1,
                     save_strategy="steps", on_nonfinite="raise")  # fmt: skip
    except NonFiniteLossError as error:
        said = " ".join([str(error), *error.__notes__])
    saved = sorted(path.name for path in (folder / "gradient").glob("checkpoint-*"))
    return {"said": said, "saved": saved, **wrapping(seen[0])}


def resumed(folder):
    """Real generation, resumed in the middle of a round and after its end."""
    resuming.parameters = whole_parameters
    resuming.build = _built(resuming.build, built := [])
    difference = resuming.largest_difference(folder / "resumed", Shape(4), kills=(3, 5))
    return {"difference": difference, "runs": len(built), **wrapping(built[-1])}


def reference(folder):
    """The same with a reference model that moves."""
    resuming.parameters = whole_parameters
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        how = {"model": str(folder / "model"), **resuming.SYNCED}
        difference = resuming.largest_difference(folder / "reference", Shape(4), kills=(3,), **how)
    return {"difference": difference, "warned": "is that of the beginning" in " ".join(str(w.message) for w in caught)}


def regime(folder):
    """Whether old rollouts, which need whole weights, are refused."""
    try:
        recorded_run(folder / "regime", 2, "pmpo", folder / "model", rollout_staleness=1)
    except ValueError as error:
        return {"said": str(error)}
    return {"said": ""}


def default(folder):
    """What becomes of on_nonfinite where it is not given, and where it is skip, which only DeepSpeed refuses."""
    where = {"output_dir": str(folder / "default")}
    try:
        config(on_nonfinite="skip", **where)
    except ValueError as error:
        return {"on_nonfinite": config(**where).on_nonfinite, "skip": str(error)}
    return {"on_nonfinite": config(**where).on_nonfinite, "skip": ""}


def _built(build, into):
    def remembered(*args, **kwargs):
        into.append(build(*args, **kwargs))
        return into[-1]

    return remembered


SCENARIOS = {function.__name__: function for function in (skipped, gradient, resumed, reference, regime, default)}


def main() -> None:
    folder = Path(sys.argv[1])
    shard_on_cpu()
    for name in sys.argv[2:]:
        with contextlib.redirect_stdout(io.StringIO()):  # the Trainer prints its logs
            result = SCENARIOS[name](folder)
        (folder / f"{name}-{PartialState().process_index}.json").write_text(json.dumps(result))
        print(name, result, file=sys.stderr, flush=True)
    dist.barrier()
    dist.destroy_process_group()  # left open, its threads can abort the process as it exits


if __name__ == "__main__":  # doctest collection imports this file
    torch.set_num_threads(1)
    main()
