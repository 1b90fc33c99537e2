"""Runs whose completions are recorded: the same whatever the number of processes, and so are batches and updates."""

import warnings

import torch
from torch.distributed.tensor import DTensor

from pmpo.integrations.trl import PMPOConfig, PMPOTrainer
from pmpo.objective.presets import OBJECTIVES
from support import config, trainer
from tiny import tiny_dataset

UPDATES = 6
COMPLETIONS = 16  # of one round, over all processes; an update trains on all of them, since rows are mixed by process
SETTINGS = {
    "num_generations": 4,
    "gradient_accumulation_steps": 2,
    "steps_per_generation": 2,
    "num_iterations": 2,  # the second update from a round has ratios other than 1
    "max_steps": UPDATES,
    "max_completion_length": 6,
    "learning_rate": 3e-3,
    "adam_epsilon": 1e-6,  # a gradient that is rounding alone makes no step
    "max_grad_norm": 0.1,  # less than the gradients have, so that clipping takes part
}


PRESETS = [{"name": name, "objective": name} for name in OBJECTIVES]
UNEVEN = {"rows": 23, "steps_per_generation": 1, "num_iterations": 1}
"""Five rounds of one micro-batch an epoch, and three prompts left over: its last update has one, not two."""
CASES = [*PRESETS, *({"name": f"uneven-{name}", "objective": name, **UNEVEN} for name in ("pmpo", "dapo"))]


class RecordedCompletions(PMPOTrainer):
    """`PMPOTrainer` with completions that are functions of the prompt and of the place in the whole round, drawn half a
    nat a token off the policy of the round, so that objectives clip, and weigh ratios that differ."""

    def make_round(self, rows):
        made = super().make_round(rows)
        if "old_per_token_logps" not in made:  # the round serves one update
            return made
        off = torch.randn(COMPLETIONS, SETTINGS["max_completion_length"], generator=torch.Generator().manual_seed(5))
        old_BT = made["old_per_token_logps"]
        own = off.chunk(self.accelerator.num_processes)[self.accelerator.process_index][:, : old_BT.shape[1]]
        return {**made, "old_per_token_logps": old_BT + 0.5 * own}

    def complete(self, prompt_ids, images, fields, num_generations, has_tool_images=False):
        first = self.accelerator.process_index * len(prompt_ids)
        made = [_completion(ids, first + row) for row, ids in enumerate(prompt_ids)]
        return [tokens for tokens, _ in made], [log_probs for _, log_probs in made]


def _completion(prompt, place):
    """Two to six tokens of 2..16 and log-probabilities that a sampler might have given them."""
    g = torch.Generator().manual_seed(1000 * place + sum(7**i * token for i, token in enumerate(prompt)) % 1000)
    length = int(torch.randint(2, 7, (), generator=g))
    tokens = torch.randint(2, 17, (length,), generator=g).tolist()
    return tokens, (-2.8 + 0.8 * torch.randn(length, generator=g)).tolist()


def recorded_run(folder, processes, objective, model, kind=RecordedCompletions, rows=32, **changes):
    """A trainer after `UPDATES` updates with an objective.

    Args:
        folder: for its output.
        processes: how many share a batch.
        model: a folder to load policy and reference from.
    """
    settings = {**SETTINGS, "objective": objective, **changes}
    share = COMPLETIONS // settings["steps_per_generation"] // processes
    settings["per_device_train_batch_size"] = share
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of rewards outside [0, 1] and others that other tests ask for
        args = config(PMPOConfig, output_dir=str(folder), **settings)
        one = trainer(args, cls=kind, model=str(model), train_dataset=tiny_dataset(rows))
        one.train()
    assert one.state.global_step == settings["max_steps"]
    return one


def whole_parameters(one):
    """[parameters] of a trainer's model however it is wrapped, gathered where it is sharded; every process calls it."""
    if one.is_deepspeed_enabled:
        import deepspeed

        parameters = list(one.model.parameters())
        with deepspeed.zero.GatheredParameters(parameters):
            return torch.cat([p.detach().flatten().clone() for p in parameters])
    gathered = (p.full_tensor() if isinstance(p, DTensor) else p for p in one.model.parameters())
    return torch.cat([p.detach().flatten() for p in gathered])


def wrapping(one):
    """How a trainer's model is spread: what must be asserted, since a launcher may quietly do something else.

    Returns: processes, the wrapper's class, the share of the parameters that this process holds, and ZeRO's stage.
    """
    held = sum(_held(p) for p in one.model.parameters())
    return {
        "processes": one.accelerator.num_processes,
        "wrapper": type(one.model_wrapped).__name__,
        "share": held / whole_parameters(one).numel(),
        "zero_stage": one.model_wrapped.zero_optimization_stage() if one.is_deepspeed_enabled else None,
    }


def _held(parameter):
    if isinstance(parameter, DTensor):
        return parameter.to_local().numel()
    return parameter.ds_tensor.numel() if hasattr(parameter, "ds_tensor") else parameter.numel()
