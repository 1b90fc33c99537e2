"""How a micro-batch goes through the model: in one pass, or in several that leave out what nobody needs.

A pass is padded to its longest completion, so completions of like length belong together; and a completion with A = 0
has no gradient, so its tokens need no backward pass, which is two thirds of the work.

>>> for one in passes_of([2, 30, 3, 29], [True] * 4, prompt=4, most=4, overhead=8): print(one)
Pass(rows=(0, 2), width=3, gradient=True)
Pass(rows=(3, 1), width=30, gradient=True)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

BACKWARD = 2
"""Times a forward pass that its backward pass takes."""
_LENGTHS = 32
"""Lengths that are told apart: more of them cost more time to divide than they save."""


@dataclass(frozen=True)
class Pass:
    """Completions that go through the model together.

    Attributes:
        rows: of the micro-batch, by length.
        width: tokens of the longest completion; at least 1.
        gradient: whether a backward pass follows.
    """

    rows: tuple[int, ...]
    width: int
    gradient: bool

    def cost(self, prompt: int, overhead: int) -> int:
        """Tokens of a forward pass that it costs as much as."""
        return (len(self.rows) * (prompt + self.width) + overhead) * (1 + BACKWARD * self.gradient)


def passes_of(
    lengths: Sequence[int], has_gradient: Sequence[bool], prompt: int, most: int, overhead: int
) -> list[Pass]:
    """The passes, at most `most`, that take the fewest tokens; those with a gradient last, and at least one of them.

    Args:
        lengths: tokens of every completion.
        has_gradient: whether its advantage is not 0.
        prompt: tokens that the prompts are padded to.
        overhead: tokens that one pass more has to save.
    """
    whole = Pass(tuple(_by_length(range(len(lengths)), lengths)), max(1, *lengths, 1), True)
    if most == 1 or len(lengths) < 2:
        return [whole]
    needed = [row for row, needs in enumerate(has_gradient) if needs] or [whole.rows[0]]
    spared = sorted(set(range(len(lengths))) - set(needed))
    found = [[whole], *_divided(list(whole.rows), lengths, prompt, most, overhead, gradient=True)]
    if spared:
        with_gradient = _divided(needed, lengths, prompt, most - 1, overhead, gradient=True)
        without = _divided(spared, lengths, prompt, most - 1, overhead, gradient=False)
        found += [left + right for left in without for right in with_gradient if len(left) + len(right) <= most]
    return min(found, key=lambda passes: (sum(one.cost(prompt, overhead) for one in passes), len(passes)))


def _by_length(rows: Sequence[int], lengths: Sequence[int]) -> list[int]:
    return sorted(rows, key=lambda row: lengths[row])


def _divided(
    rows: Sequence[int], lengths: Sequence[int], prompt: int, most: int, overhead: int, gradient: bool
) -> list[list[Pass]]:
    """The cheapest division of rows into 1, 2, … `most` passes."""
    ordered = _by_length(rows, lengths)
    ends = [end for end in range(1, len(ordered)) if lengths[ordered[end]] > lengths[ordered[end - 1]]]
    ends = [*ends[:: -(-len(ends) // _LENGTHS) or 1], len(ordered)]  # where a pass may end
    best: list[tuple[int, list[Pass]]] = []  # by the place in `ends`, of the number of passes looked at last
    found = []
    for count in range(1, most + 1):
        longer: list[tuple[int, list[Pass]]] = []
        for place, end in enumerate(ends):
            starts = [(0, 0, [])] if count == 1 else [(ends[i], *best[i]) for i in range(place) if best[i][1]]
            options = []
            for start, before, passes in starts:
                last = Pass(tuple(ordered[start:end]), max(1, lengths[ordered[end - 1]]), gradient)
                options.append((before + last.cost(prompt, overhead), [*passes, last]))
            longer.append(min(options, key=lambda option: option[0], default=(0, [])))
        best = longer
        if best[-1][1]:
            found.append(best[-1][1])
    return found
