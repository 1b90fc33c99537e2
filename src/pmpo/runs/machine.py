"""What the machine decides where nobody says it."""

from typing import Any


def machine_defaults() -> dict[str, Any]:
    """TRL's default of bfloat16 stops with an error on a machine without an accelerator, and is slow on a laptop's."""
    import torch

    accelerator = torch.accelerator.current_accelerator() if torch.accelerator.is_available() else None
    if accelerator is None:
        return {"use_cpu": True, "bf16": False}
    return {"bf16": False} if accelerator.type == "mps" else {}
