"""What `import verl` loads: losses, advantages and the trainer, by their names in verl's configuration.

verl loads its plugins first of all, in every process. So this module registers nothing at once: it leaves word what to
do when the parts of verl that it adds to are imported, which costs processes without them nothing. verl says at the
level DEBUG alone that a plugin failed; what fails here is said aloud, and what fails later stops the import.
"""

from __future__ import annotations

import logging
from types import ModuleType

_log = logging.getLogger("pmpo.verl")

try:
    import wrapt
except ImportError as missing:
    _log.error("pmpo's plugin for verl needs wrapt (%s): pip install 'pmpo[verl]'. loss_mode=pmpo is unknown.", missing)
    raise


@wrapt.when_imported("verl.trainer.ppo.core_algos")
def register_losses(algorithms: ModuleType) -> None:
    """Losses as policy_loss.loss_mode=pmpo or pmpo/NAME, advantages as algorithm.adv_estimator=pmpo/NAME."""
    from pmpo.integrations.verl.advantages import estimator
    from pmpo.integrations.verl.chosen import ESTIMATORS, MODES
    from pmpo.integrations.verl.loss import objective_policy_loss

    for mode in MODES:
        taken = algorithms.POLICY_LOSS_REGISTRY.get(mode, objective_policy_loss)
        if taken is not objective_policy_loss:
            raise ImportError(f"loss_mode={mode} is registered already, by {taken.__module__}: remove one of both.")
        algorithms.register_policy_loss(mode)(objective_policy_loss)
    for name, kind in ESTIMATORS.items():
        if name not in algorithms.ADV_ESTIMATOR_REGISTRY:
            algorithms.register_adv_est(name)(estimator(kind))


@wrapt.when_imported("verl.trainer.ppo.v1")
def register_trainers(_: ModuleType) -> None:
    """The trainer as trainer.v1.trainer_mode=pmpo."""
    from pmpo.integrations.verl import trainer

    _ = trainer


@wrapt.when_imported("verl.utils.config")
def check_at_start(config: ModuleType) -> None:
    """What cannot work is refused with verl's own checks, before Ray starts."""

    @wrapt.patch_function_wrapper(config, "validate_config")
    def checked(validate, _instance, args, kwargs):  # type: ignore[no-untyped-def]
        from pmpo.integrations.verl.checks import check_config

        check_config(kwargs.get("config", args[0] if args else None))
        return validate(*args, **kwargs)
