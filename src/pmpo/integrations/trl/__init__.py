"""TRL adapter: `PMPOConfig(GRPOConfig)` and `PMPOTrainer(GRPOTrainer)`, for TRL 1.16."""

from pmpo.integrations.trl.config import PMPOConfig
from pmpo.integrations.trl.trainer import NonFiniteLossError, PMPOTrainer

__all__ = ["NonFiniteLossError", "PMPOConfig", "PMPOTrainer"]
