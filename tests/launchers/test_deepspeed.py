"""DeepSpeed ZeRO-2 and ZeRO-3 on two processes of the CPU; `make cluster` has an environment with DeepSpeed."""

import shutil
from importlib.util import find_spec

import pytest

from launching import check_equal, check_wrapping, launch_cases, launch_scenarios, on_one_process
from recorded import CASES

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(find_spec("deepspeed") is None, reason="DeepSpeed is not installed: run `make cluster`"),
    pytest.mark.skipif(shutil.which("g++") is None, reason="DeepSpeed compiles an operation for the CPU with g++"),
]
KINDS = ("zero2", "zero3")


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return on_one_process(tmp_path_factory.mktemp("one"), CASES)


@pytest.mark.parametrize("kind", KINDS)
def test_every_preset_trains_as_on_one_process(kind, whole, tmp_path):
    check_equal(kind, whole, launch_cases(kind, tmp_path, CASES))


@pytest.mark.parametrize("kind", KINDS)
def test_guard_and_resumption(kind, tmp_path):
    found = launch_scenarios(kind, tmp_path, "gradient", "resumed", "reference", "default")
    for result in (*found["gradient"], *found["resumed"]):
        check_wrapping(kind, result)
    for gradient in found["gradient"]:
        assert "Non-finite gradient at optimiser step 1" in gradient["said"]
        assert "weights are those of the last finite step" in gradient["said"] and "skip" not in gradient["said"]
        assert gradient["saved"] == ["checkpoint-1"]
    assert [result["difference"] for result in found["resumed"]] == [0.0] * 2
    first, second = found["reference"]
    if kind == "zero2":
        assert first["difference"] == second["difference"] == 0.0 and not first["warned"]
    else:  # ZeRO-3's reference is not in the checkpoint
        assert first["warned"] and first["difference"] > 0.0
    for default in found["default"]:
        assert default["on_nonfinite"] == "raise" and "write on_nonfinite='raise'" in default["skip"]
