"""A number with its 95 % interval: what every table of a comparison holds."""

from __future__ import annotations

import math
from dataclasses import dataclass

LEVEL = 0.95
"""Share of intervals that should hold the truth."""


@dataclass(frozen=True)
class Estimate:
    """A value and the interval around it.

    Attributes:
        value: NaN where there is nothing to estimate it from.
        low, high: 95 % interval; -inf and inf (or the ends of the value's range) where too few runs show no spread.
        n: runs, or pairs of runs, behind it.
    """

    value: float
    low: float
    high: float
    n: int

    @property
    def sign(self) -> int:
        """1 when all of the interval is above 0, -1 when all of it is below, else 0: undecided."""
        return int(self.low > 0) - int(self.high < 0)

    def within(self, lowest: float, highest: float) -> Estimate:
        """With an interval that stays in the value's range."""
        low, high = max(self.low, lowest), min(self.high, highest)
        return Estimate(self.value, low, high, self.n)

    def __str__(self) -> str:
        if math.isnan(self.value):
            return "–"
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"


NOTHING = Estimate(math.nan, math.nan, math.nan, 0)
"""No runs."""
