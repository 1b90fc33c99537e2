"""The kinds of parts that an objective is made of: what each is called, and those that the library has."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, is_dataclass
from typing import Any

from pmpo.foundation.named import name_of
from pmpo.objective.decoupling import CORRECTIONS, Correction
from pmpo.objective.exponents import EXPONENTS, FixedExponent
from pmpo.objective.options import options_of
from pmpo.objective.region import TrustRegion
from pmpo.objective.target_maps import TARGET_MAPS
from pmpo.objective.trust_region import TRUST_REGIONS


@dataclass(frozen=True)
class Kind:
    """A kind of part.

    Attributes:
        what: what it is called in a sentence.
        key: under which a mapping has its name.
        known: those of the library by name.
        number: what a number alone means; None where it means nothing.
        base: what one must inherit from.
        optional: whether there may be none of it, which is written "none".
    """

    what: str
    key: str
    known: Mapping[str, type]
    number: Callable[[float], Any] | None = None
    base: type = object
    optional: bool = False

    def name(self, part: Any) -> str:
        """A part's name: the library's, or "package.module:Name" and "file.py:Name" of a user's class or function.

        Raises: InputError for what has no name (a lambda, anything made inside a function), with what to write instead.
        """
        known = next((name for name, cls in self.known.items() if cls is type(part)), None)
        return known or name_of(type(part) if is_instance(part) else part)

    def owners(self, names: Iterable[str]) -> list[str]:
        """The parts of the library that have all of these options."""
        return [name for name, cls in self.known.items() if {*names} <= options_of(cls).keys()]


KINDS: dict[str, Kind] = {
    "exponent": Kind("exponent rule", "rule", EXPONENTS, FixedExponent),
    "trust_region": Kind("trust region", "region", TRUST_REGIONS, base=TrustRegion),
    "correction": Kind("correction", "kind", CORRECTIONS, base=Correction, optional=True),
    "target": Kind("target map", "map", TARGET_MAPS, float),
}
"""The kinds of parts that have options of their own."""


def is_instance(part: Any) -> bool:
    """Whether it is an instance of a dataclass."""
    return is_dataclass(part) and not isinstance(part, type)
