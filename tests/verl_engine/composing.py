"""verl's configuration after the lines that a run becomes."""

from pathlib import Path

from hydra import compose
from verl.trainer.ppo.utils import need_critic, need_reference_policy
from verl.utils.config import validate_config

from pmpo.integrations.verl.checks import check_config
from pmpo.runs.verl_engine.job import Facts, Job
from pmpo.runs.verl_engine.settings import parse_for_verl
from pmpo.runs.verl_engine.translate import translate

KNOWN = {"train_problems": 8192, "held_out_problems": 256, "longest_prompt": 100}


def composed(words, *, cpu, **facts):
    """The job and its configuration, which verl's checks and ours have passed.

    Args:
        words: of `pmpo train`.
        cpu: whether it runs without a GPU.
        facts: of the job, instead of `KNOWN`.
    """
    settings = parse_for_verl(["--engine", "verl", "--use_cpu", str(cpu), *words])
    job = Job(settings, Facts(Path("/runs/x/verl"), "/models/m", **{**KNOWN, **facts}))
    return job, check(compose("ppo_trainer", translate(job).lines()))


def check(config):
    """The configuration, once both checks have passed."""
    check_config(config)
    validate_config(config, need_reference_policy(config), need_critic(config))
    return config
