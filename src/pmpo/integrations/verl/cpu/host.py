"""The places of verl 0.9 that must know of a CPU: the one file here that names private parts of verl and torch."""

import functools
import os

import torch

from pmpo.foundation.errors import InputError

ROLLOUT_NAME = "pmpo_cpu"
"""`actor_rollout_ref.rollout.name` of the rollout on transformers' `generate`."""


def use_cpu() -> None:
    """Make this process's verl run on CPUs; called while `import verl` runs, and harmless when called again.

    Raises: InputError when another platform has been chosen.
    """
    from verl.plugin.platform import PlatformRegistry, get_platform

    from pmpo.integrations.verl.cpu.platform import PlatformCPU

    PlatformRegistry.register("cpu")(PlatformCPU)
    os.environ.setdefault("VERL_PLATFORM", "cpu")
    os.environ.setdefault("VERL_ENGINE_DEVICE", "cuda")  # the FSDP engine is registered for "cuda", and runs as it is
    if not isinstance(get_platform(), PlatformCPU):
        raise InputError(
            f"pmpo.integrations.verl.cpu runs verl on CPUs, and the platform here is {get_platform().vendor_name!r}. "
            "Unset VERL_PLATFORM or write VERL_PLATFORM=cpu; to use the accelerator, take pmpo.integrations.verl.cpu "
            "out of VERL_USE_EXTERNAL_MODULES."
        )
    _register_rollout()
    _name_the_process_group_once()
    _pin_nothing()


def _register_rollout() -> None:
    from verl.workers.rollout import base, replica

    home = "pmpo.integrations.verl.cpu.rollout"
    base._ROLLOUT_REGISTRY[ROLLOUT_NAME, "async"] = f"{home}.CPURollout"
    replica.RolloutReplicaRegistry.register(ROLLOUT_NAME, _replica_class)


def _replica_class() -> type:
    from pmpo.integrations.verl.cpu.rollout import CPUReplica

    return CPUReplica


def _name_the_process_group_once() -> None:
    """verl asks for "cpu:gloo,<device>:<backend>", and torch refuses one device twice."""
    from verl.utils import distributed

    start = distributed.initialize_global_process_group_ray
    if not isinstance(start, functools.partial):
        distributed.initialize_global_process_group_ray = functools.partial(start, backend="cpu:gloo")


def _pin_nothing() -> None:
    """Pinned memory speeds up copies to an accelerator; without one, torch refuses to pin."""
    torch.Tensor.pin_memory = lambda self, *_, **__: self  # type: ignore[method-assign]
