"""Killed, damaged or out of disk: a resumed run ends with the undisturbed run's weights, bit for bit.

Beside the weights every case checks that metrics.jsonl has every update once, that nothing is left behind, and that the
last checkpoint is sound; a damaged checkpoint must be named with its damage and refused when asked for.
"""

import pytest

from cases import CASES
from damages import DAMAGES
from kill_points import KILL_POINTS, MOMENTS


def _all():
    return [pytest.param(c.name, id=c.name, marks=() if c.quick else pytest.mark.all_faults) for c in CASES.values()]


@pytest.mark.parametrize("name", _all())
def test_the_run_survives(player, record_property, name):
    found = player.play(name)
    for key, value in (("fault", name), ("outcome", found["outcome"]), ("message", found["message"])):
        record_property(key, value)
    assert found["outcome"] in ("exact", "exact, begun anew") and not found["faults"], found


def test_there_are_as_many_faults_as_promised():
    assert len(KILL_POINTS) + len(MOMENTS) >= 40 and len(DAMAGES) >= 15
    assert sum(case.quick for case in CASES.values()) == 12
    assert len(CASES) >= len(KILL_POINTS) + len(MOMENTS) + len(DAMAGES), "every case has a name of its own"
