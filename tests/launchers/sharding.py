"""FSDP2 on the CPU, for tests: accelerate 1.15 takes an FSDP configuration there for DDP, without a word."""

from accelerate.state import AcceleratorState, DistributedType, PartialState


def shard_on_cpu() -> None:
    """From here on an FSDP configuration shards on processes of the CPU as it does on GPUs."""
    begin = AcceleratorState.__init__

    def begin_sharded(self, *args, fsdp_plugin=None, **kwargs):
        begin(self, *args, fsdp_plugin=fsdp_plugin, **kwargs)
        if fsdp_plugin is not None and self.distributed_type == DistributedType.MULTI_CPU:
            self.fsdp_plugin = fsdp_plugin
            self.distributed_type = PartialState._shared_state["distributed_type"] = DistributedType.FSDP

    AcceleratorState.__init__ = begin_sharded
