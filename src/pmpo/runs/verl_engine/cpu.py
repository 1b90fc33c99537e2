"""A run without a GPU: the platform and the rollout that exist for trying, and few processes."""

from __future__ import annotations

import os
from importlib.metadata import entry_points

from pmpo.runs.verl_engine.job import Job, says
from pmpo.runs.verl_engine.overrides import ACTOR, ROLLOUT, Translation

CPU_MODULE = "pmpo.integrations.verl.cpu"
PLUGIN = "pmpo.integrations.verl.plugin"
_EXTERNAL = "VERL_USE_EXTERNAL_MODULES"


@says("use_cpu")
def use_cpu(job: Job, to: Translation) -> None:
    modules = [name for name in os.environ.get(_EXTERNAL, "").split(",") if name]
    modules += [CPU_MODULE] if job.on_cpu else []
    if not entry_points(group="verl.plugins", name="pmpo"):  # pmpo is on the path and not installed
        modules.append(PLUGIN)
    if modules:
        to.environment[_EXTERNAL] = ",".join(dict.fromkeys(modules))
    if not job.on_cpu:
        return
    to.note("use_cpu: completions come from transformers' generate, slowly; for trying, not for real runs")
    to.environment |= {"OMP_NUM_THREADS": "1", "TQ_NUM_THREADS": "1"}
    ranks = job.options.world_size
    to.line("use_cpu", "trainer.device", "cpu")
    to.line("use_cpu", f"{ACTOR}.use_torch_compile", False)
    to.line("use_cpu", f"{ACTOR}.fsdp_config.use_torch_compile", False)
    to.line("use_cpu", f"{ROLLOUT}.agent.num_workers", 1)
    to.line("use_cpu", "reward.num_workers", 1)
    to.line("use_cpu", "transfer_queue.backend.SimpleStorage.num_data_storage_units", 1)
    # Ray's bookkeeping: as many "GPUs" as processes train, and CPUs enough for all actors.
    to.line("use_cpu", "+ray_kwargs.ray_init.num_gpus", ranks)
    to.line("use_cpu", "ray_kwargs.ray_init.num_cpus", 16)
    to.line("use_cpu", "+ray_kwargs.ray_init.include_dashboard", False)
