"""The family as a list of what there is, read off the presets, the parts and their docstrings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, is_dataclass
from typing import Any

from pmpo.foundation.spec import Spec
from pmpo.objective.advantages import ADVANTAGES
from pmpo.objective.decoupling import OLD_POLICIES
from pmpo.objective.kinds import KINDS, Kind
from pmpo.objective.options import REQUIRED, Option, options_of, summary_of
from pmpo.objective.presets import OBJECTIVES
from pmpo.objective.spec import text_of
from pmpo.objective.weighting import SEQUENCE_WEIGHTS


@dataclass(frozen=True)
class Entry:
    """One line of a list: a part, or an option of the part above it.

    Attributes:
        name: as it is written.
        takes: what an option may be; "" for a part.
        default: of an option, as it is written; "" for a part, and where it must be given.
        meaning: a sentence.
        is_option: whether it belongs to the part above.
    """

    name: str
    takes: str
    default: str
    meaning: str
    is_option: bool = False


def presets() -> list[tuple[str, ...]]:
    """(name, advantage, trust region, exponent, sequence weight, KL coefficient) of every published objective."""
    return [
        (
            name,
            one.advantage,
            text_of(KINDS["trust_region"], one.trust_region),
            text_of(KINDS["exponent"], one.exponent),
            one.sequence_weight,
            f"{one.kl_coef:g}",
        )
        for name, one in OBJECTIVES.items()
    ]


def parts(kind: Kind) -> Iterator[Entry]:
    """Every part of a kind, each followed by its options."""
    for name, cls in kind.known.items():
        yield from part(name, cls)


def part(name: str, cls: Any) -> Iterator[Entry]:
    """One part, a dataclass with its options or a function, which has none."""
    yield Entry(name, "", "", summary_of(cls))
    for option in options_of(cls).values() if isinstance(cls, type) and is_dataclass(cls) else ():
        yield Entry(option.name, takes(option), _default(option), option.meaning, is_option=True)


def takes(option: Option) -> str:
    """What an option may be, with the parts that it may name."""
    if option.part is None:
        return option.takes
    names = [*KINDS[option.part].known, *([] if KINDS[option.part].number is None else ["a number"])]
    return " or ".join(names)


def choices() -> Mapping[str, Mapping[str, str]]:
    """Parts without options: {field of an objective: {name: equation or meaning}}."""
    return {"sequence_weight": SEQUENCE_WEIGHTS, "advantage": ADVANTAGES, "old_policy": OLD_POLICIES}


def _default(option: Option) -> str:
    if option.default is REQUIRED:
        return ""
    if option.part is not None:
        return text_of(KINDS[option.part], option.default)
    return str(Spec("", {"": option.default})).partition("=")[2]
