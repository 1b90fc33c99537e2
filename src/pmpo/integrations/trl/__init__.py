"""TRL adapter: `PMPOConfig(GRPOConfig)` and `PMPOTrainer(GRPOTrainer)`, for TRL 1.16.

Both load when they are first used, and TRL with them: what a round is, and what the fields of an objective mean, is
read without it.
"""

from pmpo.engine.nonfinite import NonFiniteLossError
from pmpo.foundation.lazy import lazy_names

_HOMES = {"PMPOConfig": "config", "PMPOTrainer": "trainer"}

__all__ = sorted({"NonFiniteLossError": NonFiniteLossError, **_HOMES})
__getattr__, __dir__ = lazy_names(__name__, _HOMES)
