"""A number with its 95 % interval: what every table of a comparison holds."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

LEVEL = 0.95
"""Share of intervals that should hold the truth."""
Z = NormalDist().inv_cdf((1 + LEVEL) / 2)
"""Standard errors on either side of the value that a normal interval takes, 1.96."""


@dataclass(frozen=True)
class Estimate:
    """A value and the interval around it.

    Attributes:
        value: NaN where there is nothing to estimate it from.
        low, high: 95 % interval; -inf and inf where a single run shows no spread, NaN without a value.
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

    def __str__(self) -> str:
        if math.isnan(self.value):
            return "–"
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"


NOTHING = Estimate(math.nan, math.nan, math.nan, 0)
"""No runs."""
