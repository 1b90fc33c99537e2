"""Data files, rewards, seeds, measurements, logs and checkpoints."""

from __future__ import annotations

from pmpo.foundation.errors import InputError
from pmpo.runs.exporting import HELD_OUT_FILE, TRAIN_FILE
from pmpo.runs.verl_engine.job import Job, says
from pmpo.runs.verl_engine.overrides import ACTOR, REFERENCE, ROLLOUT, Translation

REWARDS = "pkg://pmpo.integrations.verl.rewards"
TRACKERS = ("wandb", "mlflow", "swanlab", "tensorboard", "clearml", "trackio")
"""Names of report_to that are verl's as well."""
CHECKPOINTS, VALIDATION, METRICS = "checkpoints", "validation", "metrics.jsonl"
"""In the folder `verl` of the run."""


@says("shuffle_dataset", "seed", "data_seed", "dataloader_num_workers", "full_determinism")
def order(job: Job, to: Translation) -> None:
    """The order of problems is drawn by another generator than TRL's: the same seed gives another order."""
    options = job.options
    to.line("shuffle_dataset", "data.shuffle", options.shuffle_dataset)
    to.line("data_seed", "data.seed", options.seed if options.data_seed is None else options.data_seed)
    to.line("dataloader_num_workers", "data.dataloader_num_workers", options.dataloader_num_workers)
    sections = [ACTOR, REFERENCE] if options.resolved_objective.kl_coef else [ACTOR]
    for section in sections:
        to.line("seed", f"{section}.fsdp_config.seed", options.seed)
    to.line("seed", f"{ACTOR}.data_loader_seed", options.seed)
    to.line("seed", f"{ROLLOUT}.seed", options.seed)
    if options.full_determinism:
        to.line("full_determinism", f"{ROLLOUT}.full_determinism", True)
        to.line("full_determinism", f"{ACTOR}.fsdp_config.full_determinism", True)


@says("reward", "reward_weights", "status_rewards", "grader_options", "grader_timeout", "pass_reward")
def rewards(job: Job, to: Translation) -> None:
    """The reward function reads these from its keywords."""
    run, weights = job.run, job.options.reward_weights
    names = list(run.reward or [])
    if weights is not None and len(weights) != len(names):
        raise InputError(f"reward_weights has {len(weights)} numbers for {len(names)} rewards ({', '.join(names)}).")
    to.line("reward", "reward.custom_reward_function.path", REWARDS)
    keywords = {
        "rewards": names,
        "weights": None if weights is None else list(weights),
        "task": run.task,
        "status_rewards": run.status_rewards or None,
        "grader_options": run.grader_options or None,
        "grader_timeout": run.grader_timeout,
        "pass_reward": run.pass_reward,
        "missing": float("nan"),  # without a reward, as in TRL: such a completion takes no part in its group
    }
    for name, value in keywords.items():
        if value is not None:
            to.line(_SOURCES.get(name, name), f"+reward.custom_reward_function.reward_kwargs.{name}", value)


_SOURCES = {"rewards": "reward", "weights": "reward_weights", "missing": "status_rewards"}


@says("pass_at_1_every", "eval_size", "samples_to_keep")
def measured(job: Job, to: Translation) -> None:
    folder, every = job.facts.folder, job.run.pass_at_1_every
    to.line("dataset", "data.train_files", str(folder / TRAIN_FILE))
    held_out = job.facts.held_out_problems != 0
    # verl reads a validation file in any case.
    to.line("eval_dataset", "data.val_files", str(folder / (HELD_OUT_FILE if held_out else TRAIN_FILE)))
    to.line("eval_size", "trainer.val_before_train", held_out)
    if not held_out:
        to.line("eval_size", "trainer.test_freq", -1)
        return
    rounds = job.in_rounds(every) if every else job.rounds
    if every % job.round.updates_per_round:
        to.note(f"pass_at_1_every: {every} updates are no whole number of rounds; measured every {rounds} rounds")
    to.line("pass_at_1_every", "trainer.test_freq", rounds or 1_000_000)
    to.line("samples_to_keep", "trainer.validation_data_dir", str(folder / VALIDATION))


@says("report_to", "run_name", "project", "logging_steps", "logging_strategy")
def logs(job: Job, to: Translation) -> None:
    """Raises: InputError for a tracker that verl does not know."""
    options = job.options
    names = options.report_to if isinstance(options.report_to, list) else [options.report_to]
    names = [name for name in names if name not in (None, "none")]
    for name in names:
        if name not in TRACKERS:
            raise InputError(f"report_to={name}: verl has no such tracker; write {', '.join(TRACKERS)}, or none.")
    to.line("report_to", "trainer.logger", ["console", "file", *names])
    to.environment["VERL_FILE_LOGGER_PATH"] = str(job.facts.folder / METRICS)
    to.line("project", "trainer.project_name", options.project)
    to.line("run_name", "trainer.experiment_name", options.run_name or job.facts.folder.parent.name)
    if options.logging_steps != job.round.updates_per_round:
        to.note(f"logging_steps: verl logs every round, {job.round.updates_per_round} updates")


@says("output_dir", "save_strategy", "save_steps", "save_total_limit", "save_only_model")
def checkpoints(job: Job, to: Translation) -> None:
    """The last checkpoint is always saved, since the final model comes out of it."""
    options, folder = job.options, job.facts.folder
    to.line("output_dir", "trainer.default_local_dir", str(folder / CHECKPOINTS))
    strategy = str(options.save_strategy)
    if strategy == "best":
        raise InputError("save_strategy=best: verl keeps no best checkpoint; write save_strategy: steps.")
    last = job.rounds or 1_000_000
    every = last
    if strategy == "epoch" and job.facts.train_problems:
        every = max(1, job.facts.train_problems // job.round.prompts_per_round)
    if strategy == "steps":
        share = options.save_steps < 1  # of the run, as in transformers
        given = options.save_steps * (last * job.round.updates_per_round if share else 1)
        every = job.in_rounds(given)
        if given % job.round.updates_per_round and every < last:
            to.note(f"save_steps: {given:g} updates are no whole number of rounds; saved every {every} rounds")
    to.line("save_steps", "trainer.save_freq", min(every, last))
    whole = strategy != "no" and not options.save_only_model
    # hf_model: the weights as transformers reads them, which become the run's model/.
    contents = ["model", "optimizer", "extra", "hf_model"] if whole else ["model", "hf_model"]
    to.line("save_only_model", f"{ACTOR}.checkpoint.save_contents", contents)
    if options.save_total_limit is not None:
        to.line("save_total_limit", "trainer.max_actor_ckpt_to_keep", options.save_total_limit)


@says("resume_from_checkpoint")
def resume(job: Job, to: Translation) -> None:
    point = job.facts.resume
    mode = "auto" if point is True else "disable" if point is None else "resume_path"
    to.line("resume_from_checkpoint", "trainer.resume_mode", mode)
    if isinstance(point, str):
        to.line("resume_from_checkpoint", "trainer.resume_from_path", point)
