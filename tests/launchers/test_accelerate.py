"""`accelerate launch` with two processes, DDP and FSDP2: the numbers of one process, guards and resumption."""

from itertools import combinations

import pytest

from launching import TOLERANCE, check_equal, check_wrapping, difference, launch_cases, launch_scenarios, on_one_process
from recorded import CASES

pytestmark = pytest.mark.long
KINDS = ("ddp", "fsdp2")
FAULT = {"name": "fault", "objective": "apmpo", "fault": "rank_local_mean"}


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return on_one_process(tmp_path_factory.mktemp("one"), CASES)


def test_no_two_presets_train_alike(whole):
    """Else a parameter that does nothing in these runs would be in all of them."""
    for (one, first), (two, second) in combinations(whole.items(), 2):
        assert difference(first, second) > 10 * TOLERANCE, (one, two)


@pytest.mark.parametrize("kind", KINDS)
def test_every_preset_trains_as_on_one_process(kind, whole, tmp_path):
    """And a mean of the rewards that each process takes of its own does not."""
    found = launch_cases(kind, tmp_path, [*CASES, FAULT])
    fault = found.pop("fault")
    check_wrapping(kind, fault["wrapping"])
    assert difference(fault["parameters"], whole["apmpo"]) > 100 * TOLERANCE
    check_equal(kind, whole, found)


@pytest.mark.parametrize("kind", KINDS)
def test_guards_and_resumption(kind, tmp_path):
    regime = ("regime",) if kind == "fsdp2" else ()
    found = launch_scenarios(kind, tmp_path, "skipped", "gradient", "resumed", "reference", *regime)
    for name in ("skipped", "gradient", "resumed"):
        for result in found[name]:
            check_wrapping(kind, result)
    for skipped in found["skipped"]:
        assert skipped["moved"] == [True, False, True, True] and skipped["skipped"] == 1 and skipped["finite"]
    for gradient in found["gradient"]:
        assert "Non-finite gradient at optimiser step 1" in gradient["said"]
        assert "or write on_nonfinite: skip." in gradient["said"] and gradient["saved"] == ["checkpoint-1"]
    assert [result["difference"] for result in (*found["resumed"], *found["reference"])] == [0.0] * 4
    assert all(result["runs"] == 3 for result in found["resumed"])
    for result in found.get("regime", []):
        assert "remove the two, or launch with DDP" in result["said"]
