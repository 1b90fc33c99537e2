"""verl's platform "cpu": torch.cpu with answers to the questions that verl asks an accelerator."""

import contextlib
import functools
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import torch
from verl.plugin.platform import PlatformBase


class PlatformCPU(PlatformBase):
    """A CPU under the name of Ray's resource "GPU": with `ray_init.num_gpus=2` two workers share the cores."""

    device_name = "cpu"
    vendor_name = "cpu"

    @functools.cached_property
    def device_module(self) -> ModuleType:
        return cpu_module()

    def is_available(self) -> bool:
        return True

    def current_device(self) -> str:
        # Not the index 0: `tensor.to(0)` would be a GPU.
        return "cpu"

    def device_count(self) -> int:
        return 1

    def set_device(self, device_index: int) -> None:
        pass

    def synchronize(self, device_index: int | None = None) -> None:
        pass

    def manual_seed(self, seed: int) -> None:
        torch.manual_seed(seed)

    def manual_seed_all(self, seed: int) -> None:
        torch.manual_seed(seed)

    def set_allocator_settings(self, settings: str) -> None:
        pass

    def empty_cache(self) -> None:
        pass

    def get_device_capability(self, device_index: int = 0) -> tuple[None, None]:
        return None, None

    def communication_backend_name(self) -> str:
        return "gloo"

    def visible_devices_envvar(self) -> str:
        return "CUDA_VISIBLE_DEVICES"

    def ray_resource_name(self) -> str:
        return "GPU"

    def ray_noset_envvars(self) -> list[str]:
        return ["RAY_EXPERIMENTAL_NOSET_CUDA_VISIBLE_DEVICES"]

    def is_ipc_supported(self) -> bool:
        return False

    @contextlib.contextmanager
    def nvtx_range(self, msg: str) -> Iterator[None]:
        yield

    def profiler_start(self) -> None:
        pass

    def profiler_stop(self) -> None:
        pass

    def cudart(self) -> None:
        return None


def cpu_module() -> ModuleType:
    """torch.cpu, and what verl calls on `torch.cuda` besides: no memory of a device is ever in use.

    A module of its own, so that torch.cpu stays as it is.
    """
    module = ModuleType("pmpo_cpu")
    nothing: Callable[..., Any] = lambda *_, **__: None  # noqa: E731
    names = ("set_device", "empty_cache", "ipc_collect", "reset_peak_memory_stats", "reset_accumulated_memory_stats")
    answers = dict.fromkeys((*names, "set_per_process_memory_fraction"), nothing)
    sizes = ("memory_allocated", "memory_reserved", "max_memory_allocated", "max_memory_reserved")
    answers |= dict.fromkeys(sizes, lambda *_: 0)
    answers |= {
        "mem_get_info": lambda *_: (0, 0),
        "get_device_name": lambda *_: "CPU",
        "get_rng_state": torch.get_rng_state,
        "set_rng_state": torch.set_rng_state,
        "manual_seed": torch.manual_seed,
        "manual_seed_all": torch.manual_seed,
        "__getattr__": lambda name: getattr(torch.cpu, name),
    }
    vars(module).update(answers)
    return module
