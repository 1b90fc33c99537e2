"""What a configuration says of its objective, apart from the configuration."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, fields
from typing import Any

from pmpo.foundation.errors import InputError
from pmpo.integrations.trl.filled import said
from pmpo.objective.kinds import KINDS
from pmpo.objective.presets import Objective
from pmpo.objective.spec import written

Data = str | Mapping[str, Any]

PARTS = ("exponent", "trust_region", "sequence_weight", "advantage", "correction", "old_policy")
"""Fields that change a part of `objective`."""


@dataclass(frozen=True)
class ObjectiveFields:
    """Fields of `PMPOConfig`, as the user said them; None where nothing was said. Parts are data (see `written`).

    The first seven, β and L_max are the family's own; the others are TRL's spellings.
    """

    objective: Data | None = None
    exponent: Data | float | None = None
    trust_region: Data | None = None
    sequence_weight: str | None = None
    advantage: str | None = None
    correction: Data | None = None
    old_policy: str | None = None
    max_completion_length: int | None = None
    beta: float | None = None
    use_bias_correction_kl: bool | None = None
    scale_rewards: str | bool | None = None
    epsilon: float | None = None
    epsilon_high: float | None = None
    delta: float | None = None
    sapo_temperature_pos: float | None = None
    sapo_temperature_neg: float | None = None
    loss_type: str | None = None
    importance_sampling_level: str | None = None

    @classmethod
    def of(cls, args: object) -> ObjectiveFields:
        """The fields of a configuration.

        Raises: InputError for an objective or a part that has no name and no data, such as a lambda.
        """
        values = {field.name: said(getattr(args, field.name)) for field in fields(cls)}
        if isinstance(values["objective"], Objective):
            values["objective"] = values["objective"].to_mapping()
        for name in [part for part in PARTS if part in KINDS]:
            with naming(name):
                values[name] = written(KINDS[name], values[name])
        return cls(**values)

    @property
    def names_no_objective(self) -> bool:
        """Whether nothing is said of which objective and which trust region it is."""
        chosen = (self.objective, self.trust_region, self.loss_type, self.importance_sampling_level)
        return chosen == (None,) * 4


@contextmanager
def naming(field: str) -> Iterator[None]:
    """Puts the field's name in front of what is wrong with its value."""
    try:
        yield
    except InputError as error:
        raise InputError(f"{field}: {error}") from error
