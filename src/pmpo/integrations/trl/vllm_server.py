"""What a vLLM server must report for an objective that compares the trainer's log-probabilities with the sampler's."""

from __future__ import annotations

from pmpo.integrations.trl.host.hooks import HostTrainer
from pmpo.objective.presets import Objective


def check_server_log_probs(trainer: HostTrainer, objective: Objective) -> None:
    """Refuse a server whose log-probabilities are not those that completions are drawn by.

    TRL warns where its own correction uses them, and says nothing where ours does. Unscaled ones are right at
    temperature 1.

    Raises: ValueError with what to start the server with.
    """
    args = trainer.args
    if not (args.use_vllm and args.vllm_mode == "server" and objective.uses_sampler):
        return
    if not trainer.accelerator.is_main_process:  # it alone speaks to the server
        return
    mode = trainer.vllm_generation.vllm_client.get_server_info()["model_config"]["logprobs_mode"]
    if mode == "processed_logprobs" or (mode == "raw_logprobs" and args.temperature == 1.0):
        return
    raise ValueError(
        f"The vLLM server reports {mode} (--logprobs-mode), which are not the log-probabilities that completions are "
        f"drawn by at temperature {args.temperature}, and the objective {objective.name} uses them (correction, "
        "old_policy): start the server with --logprobs-mode processed_logprobs, as `trl vllm-serve` does."
    )
