"""Stands in for vLLM's packing of weights on CPUs, in tests only: layers keep their weights as they were loaded.

vLLM's CPU backend packs a linear layer's weights for oneDNN when the model is loaded, and leaves an empty parameter.
TRL's colocate mode then cannot write into it ("'Parameter' object has no attribute 'weight_loader'"); on GPUs nothing
is packed. A server is not concerned: its weight transfer goes through vLLM's reloading of layers, which packs anew.
"""


def keep_weights_loadable() -> None:
    """Let vLLM multiply with unpacked weights in this process, as on GPUs; before the engine is made."""
    import torch
    from vllm.model_executor.layers import utils

    def unpacked(layer, remove_weight):
        layer.cpu_linear = torch.nn.functional.linear

    utils.dispatch_cpu_unquantized_gemm = unpacked
