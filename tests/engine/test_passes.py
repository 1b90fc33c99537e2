"""How a micro-batch is divided into passes of the model."""

import itertools
import random

import pytest

from pmpo.engine.passes import passes_of


def cost(passes, prompt, overhead):
    """Tokens, counted by hand: three times with a gradient."""
    return sum((3 if gradient else 1) * (len(rows) * (prompt + width) + overhead) for rows, width, gradient in passes)


def every_division(lengths, needs, most):
    """All of at most `most` passes over consecutive completions of like length, with and without their classes."""
    order = sorted(range(len(lengths)), key=lambda row: lengths[row])

    def cuts(rows, gradient, parts):
        for places in itertools.combinations(range(1, len(rows)), parts - 1):
            ends = [*places, len(rows)]
            groups = [rows[start:end] for start, end in zip([0, *places], ends, strict=True)]
            yield [(group, max(1, max(lengths[row] for row in group)), gradient) for group in groups]

    for parts in range(1, min(most, len(order)) + 1):
        yield from cuts(order, True, parts)
    needed = [row for row in order if needs[row]]
    spared = [row for row in order if not needs[row]]
    for first, second in itertools.product(range(1, most), repeat=2):
        if needed and spared and first + second <= most:
            for left, right in itertools.product(cuts(spared, False, first), cuts(needed, True, second)):
                yield left + right


@pytest.mark.parametrize("seed", range(40))
def test_no_division_costs_less(seed):
    draw = random.Random(seed)
    count, most, prompt, overhead = draw.randint(1, 7), draw.randint(1, 4), draw.choice([0, 5]), draw.choice([0, 4, 40])
    lengths = [draw.randint(0, 30) for _ in range(count)]
    needs = [draw.random() < 0.6 for _ in range(count)]
    needs[draw.randrange(count)] = True
    found = passes_of(lengths, needs, prompt, most, overhead)
    least = min(cost(one, prompt, overhead) for one in every_division(lengths, needs, most))
    assert cost([(one.rows, one.width, one.gradient) for one in found], prompt, overhead) == least
    assert sorted(row for one in found for row in one.rows) == list(range(count)) and len(found) <= most
    assert all(max(1, *(lengths[row] for row in one.rows)) == one.width for one in found if len(one.rows) > 1)
    assert all(one.gradient for one in found for row in one.rows if needs[row])


def test_the_last_pass_has_a_gradient_though_no_completion_needs_one():
    found = passes_of([40, 3, 50, 50], [False] * 4, prompt=2, most=4, overhead=0)
    assert [one.gradient for one in found][-1] and sum(one.gradient for one in found) == 1
    assert found[-1].rows == (1,)


def test_a_pass_more_has_to_save_its_overhead():
    lengths, all_needed = [10] * 4 + [20] * 4, [True] * 8
    assert len(passes_of(lengths, all_needed, 0, 4, overhead=39)) == 2
    assert len(passes_of(lengths, all_needed, 0, 4, overhead=41)) == 1
    assert len(passes_of(lengths, all_needed, 0, 1, overhead=0)) == 1


def test_many_lengths_are_told_apart_as_well_as_need_be():
    """A thousand lengths: within a twentieth of the ideal that every one of four passes has its share of them."""
    lengths = list(range(1, 1001))
    found = passes_of(lengths, [True] * 1000, 0, 4, 0)
    ideal = sum(250 * width for width in (250, 500, 750, 1000))
    assert sum(len(one.rows) * one.width for one in found) < 1.05 * ideal


def test_completions_without_a_token():
    found = passes_of([0, 0], [True, False], prompt=3, most=4, overhead=0)
    assert [(one.rows, one.width, one.gradient) for one in found] == [((1,), 1, False), ((0,), 1, True)]
