"""What is shown of a study while it goes on."""

import io

import pytest
from rich.console import Console

from pmpo.comparison.results import DIVERGED, FINISHED, Point, RunResult
from pmpo.runs.studies.display import StudyDisplay, _left


@pytest.mark.parametrize("style", ["live", "lines", "off"])
def test_a_line_a_run_and_on_a_terminal_a_bar(style):
    text = io.StringIO()
    display = StudyDisplay(Console(file=text, force_terminal=style == "live", width=100), style)
    display.begin(2, 3)
    display.look([1.0], None)
    curve = (Point(8, 64, 0.25),)
    display.ended(RunResult("grpo", {"learning_rate": 4e-4}, 0, FINISHED, curve, 8, wall_seconds=61.2), 600.0)
    display.look([1.0, 2.0], 600.0)
    display.ended(RunResult("pmpo", {}, 1, DIVERGED, (), 8, message="The loss of [update] 3 is NaN."), 0.0)
    display.close()
    display.close()
    said = text.getvalue()
    if style == "off":
        assert said == ""
        return
    assert "2 runs to be made, 3 are there" in said
    assert "1/2  grpo  learning_rate 0.0004  seed 0: 0.250  (61 s; 10 min left)" in said
    assert "2/2  pmpo  seed 1: diverged" in said and "The loss of [update] 3 is NaN." in said
    assert ("under way" in said) == (style == "live")


def test_the_time_left_is_as_fine_as_it_is_known():
    assert [_left(s) for s in (None, 49.0, 600.0, 9000.0)] == [
        "time left unknown", "50 s left", "10 min left", "2 h 30 min left",
    ]  # fmt: skip
