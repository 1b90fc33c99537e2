"""The optimiser and its learning rate. transformers moves the rate with every update, verl with every round."""

from __future__ import annotations

import json

from pmpo.foundation.errors import InputError
from pmpo.runs.verl_engine.job import Job, says
from pmpo.runs.verl_engine.overrides import ACTOR, Translation

_OPTIM = f"{ACTOR}.optim"
_SCHEDULES = {
    "constant": "constant",
    "constant_with_warmup": "constant",
    "cosine": "cosine",
    "cosine_with_min_lr": "cosine",
}
"""transformers' schedules that verl has."""
_MIN_RATES = ("min_lr_rate", "min_lr")


@says("learning_rate", "weight_decay", "max_grad_norm")
def plain(job: Job, to: Translation) -> None:
    options = job.options
    to.line("learning_rate", f"{_OPTIM}.lr", options.learning_rate)
    to.line("weight_decay", f"{_OPTIM}.weight_decay", options.weight_decay)
    # 0 clips nothing in transformers; verl clips to the bound that it is given.
    bound = options.max_grad_norm if options.max_grad_norm else 1e30
    to.line("max_grad_norm", f"{ACTOR}.grad_clip", bound)
    to.line("max_grad_norm", f"{_OPTIM}.clip_grad", bound)


@says("optim", "adam_beta1", "adam_beta2", "adam_epsilon")
def adam(job: Job, to: Translation) -> None:
    """Raises: InputError for another optimiser than AdamW."""
    options = job.options
    if options.optim not in ("adamw_torch", "adamw_torch_fused"):
        raise InputError(
            f"optim={options.optim} is transformers' name of an optimiser; under verl write optim: adamw_torch, or "
            f"name another with --verl {_OPTIM}.optimizer=… {_OPTIM}.optimizer_impl=…."
        )
    to.line("adam_beta1, adam_beta2", f"{_OPTIM}.betas", [options.adam_beta1, options.adam_beta2])
    to.line("adam_epsilon", f"{_OPTIM}.override_optimizer_config", {"eps": options.adam_epsilon})


@says("lr_scheduler_type", "lr_scheduler_kwargs")
def schedule(job: Job, to: Translation) -> None:
    """Raises: InputError for a schedule that verl does not have."""
    options = job.options
    name = str(options.lr_scheduler_type)
    if name not in _SCHEDULES:
        default = "" if "lr_scheduler_type" in options.said else " (the default)"
        raise InputError(
            f"lr_scheduler_type={name}{default} is no schedule of verl's; write lr_scheduler_type: constant, as the "
            f"papers have it, or {', '.join(one for one in _SCHEDULES if one != 'constant')}."
        )
    to.line("lr_scheduler_type", f"{_OPTIM}.lr_scheduler_type", _SCHEDULES[name])
    given = options.lr_scheduler_kwargs or {}
    given = json.loads(given) if isinstance(given, str) else dict(given)
    lowest = [given.pop(key, None) for key in _MIN_RATES] if name == "cosine_with_min_lr" else [None, None]
    if given:
        raise InputError(
            f"lr_scheduler_kwargs holds {', '.join(given)}, which verl's schedule does not take; drop it (min_lr_rate "
            "and min_lr go with cosine_with_min_lr)."
        )
    if lowest[1] is not None:
        lowest[0] = lowest[1] / options.learning_rate
    to.line("lr_scheduler_kwargs", f"{_OPTIM}.min_lr_ratio", float(lowest[0] or 0.0))
    if _SCHEDULES[name] == "cosine" and job.round.updates_per_round > 1:
        to.note("lr_scheduler_type: transformers moves the rate with every update, verl with every round")


@says("warmup_steps")
def warmup(job: Job, to: Translation) -> None:
    """Whole updates, or with a number below 1 a share of the run, as in transformers."""
    given = job.options.warmup_steps
    if not given:
        to.line("warmup_steps", f"{_OPTIM}.lr_warmup_steps", 0)
        return
    if given < 1:
        to.line("warmup_steps", f"{_OPTIM}.lr_warmup_steps", -1)
        to.line("warmup_steps", f"{_OPTIM}.lr_warmup_steps_ratio", float(given))
    else:
        to.line("warmup_steps", f"{_OPTIM}.lr_warmup_steps", job.in_rounds(given))
    to.note("warmup_steps: verl raises the rate once a round, from 0 in the first round, which moves nothing")
