"""verl's questions to an accelerator have answers on a CPU."""

import pytest
import torch

pytest.importorskip("verl", reason="verl is not installed here: make verl")

import verl  # noqa: F401
from verl.plugin.platform import get_platform
from verl.utils import distributed
from verl.utils.device import get_device_id, get_torch_device
from verl.utils.memory_utils import aggressive_empty_cache
from verl.utils.profiler.performance import log_gpu_memory_usage

from pmpo.foundation.errors import InputError
from pmpo.integrations.verl.cpu.host import use_cpu
from pmpo.integrations.verl.cpu.platform import PlatformCPU


def test_the_platform_is_ours_and_torch_cpu_untouched():
    assert isinstance(get_platform(), PlatformCPU)
    assert torch.zeros(2).to(get_device_id()).device.type == "cpu"
    assert get_torch_device().is_available() and get_torch_device().max_memory_allocated() == 0
    assert not hasattr(torch.cpu, "max_memory_allocated")
    log_gpu_memory_usage("here")
    aggressive_empty_cache(force_sync=True)


def test_a_tensor_is_pinned_to_itself():
    tensor = torch.zeros(2)
    assert tensor.pin_memory() is tensor


def test_one_device_is_named_once(tmp_path, monkeypatch):
    monkeypatch.setenv("DIST_INIT_METHOD", f"file://{tmp_path / 'store'}")
    distributed.initialize_global_process_group_ray()
    try:
        total = torch.ones(1)
        torch.distributed.all_reduce(total)
        assert torch.distributed.get_backend() == "cpu:gloo" and total == 1
    finally:
        torch.distributed.destroy_process_group()


def test_another_platform_is_named(monkeypatch):
    class Other:
        vendor_name = "nvidia"

    use_cpu()  # again, without harm
    monkeypatch.setattr("verl.plugin.platform.get_platform", Other)
    with pytest.raises(InputError, match=r"platform here is 'nvidia'.*VERL_PLATFORM=cpu"):
        use_cpu()
