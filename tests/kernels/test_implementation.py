"""Which implementation is chosen, and why."""

import importlib.util

import pytest
import torch

import pmpo
from loss_calls import batch_of, called, of_preset
from pmpo.foundation.errors import InputError
from pmpo.kernels import build
from pmpo.kernels.plan import CannotFuseError


def half_of_clip(facts):
    return 1.0 - facts.clip_fraction("two_sided") / 2


def root(clip_fraction_B):
    return clip_fraction_B.sqrt()


class Narrow(pmpo.RatioClip):
    """Bounds of its own, the min rule."""

    def bounds(self, batch):
        return 0.01, 0.01


class Odd(pmpo.RatioClip):
    """A map of its own."""

    def apply(self, log_ratios_BT, advantages_B, batch):
        return super().apply(log_ratios_BT, advantages_B, batch)


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """A machine on which nothing was compiled yet."""
    monkeypatch.setenv("PMPO_CACHE", str(tmp_path / "cache"))
    build.library.cache_clear()
    yield tmp_path
    build.library.cache_clear()


def test_every_preset_is_fused_here():
    for name in pmpo.OBJECTIVES:
        chosen = pmpo.choose(of_preset(name))
        assert chosen.name == "fused" and "C++ on the CPU" in str(chosen)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"exponent": half_of_clip}, "exponent rule half_of_clip looks at tokens"),
        ({"trust_region": Odd()}, "trust region Odd maps log ratios by a rule of its own"),
        ({"exponent": pmpo.ClipAwareESS(target=root)}, "target map root is none of the library's"),
    ],
)
def test_parts_of_ones_own_go_to_the_reference_and_say_so(changes, reason):
    objective = pmpo.objective("pmpo", **changes)
    chosen = pmpo.choose(objective)
    assert (chosen.name, chosen.reason) == ("reference", reason)
    with pytest.raises(InputError, match=f"'fused' cannot compute pmpo on cpu: {reason}. Write auto or reference"):
        pmpo.choose(objective, "fused")
    found, expected = (called(each, objective, batch_of(1, torch.float64))[0] for each in ("auto", "reference"))
    assert torch.equal(found.loss, expected.loss)


def test_bounds_of_ones_own_under_the_min_rule_are_fused():
    objective = pmpo.objective("grpo", trust_region=Narrow())
    found, expected = (called(each, objective, batch_of(1, torch.float64)) for each in ("fused", "reference"))
    assert torch.allclose(found[0].loss, expected[0].loss, rtol=1e-13)
    assert torch.equal(found[0].diagnostics.clip_fraction, expected[0].diagnostics.clip_fraction)


def test_unknown_names_and_devices():
    with pytest.raises(InputError, match=r"implementation 'fussed'.*fused"):
        pmpo.choose(pmpo.OBJECTIVES["grpo"], "fussed")
    if importlib.util.find_spec("triton") is None:
        chosen = pmpo.choose(pmpo.OBJECTIVES["grpo"], "auto", "cuda")
        assert chosen.name == "reference" and "needs Triton, which is not installed" in chosen.reason
    assert pmpo.choose(pmpo.OBJECTIVES["grpo"], "auto", "meta").reason == "there is no kernel for meta"


@pytest.mark.parametrize(
    ("compiler", "reason"), [("/nowhere/cc", "/nowhere/cc could not be run"), ("false", "false failed")]
)
def test_without_a_working_compiler_auto_is_the_reference(machine, monkeypatch, compiler, reason):
    monkeypatch.setenv("CXX", compiler)
    assert reason in str(pmpo.choose(pmpo.OBJECTIVES["pmpo"]))
    with pytest.raises(InputError, match=reason):
        pmpo.choose(pmpo.OBJECTIVES["pmpo"], "fused")


def test_without_any_compiler(machine, monkeypatch):
    monkeypatch.delenv("CXX", raising=False)
    monkeypatch.setenv("PATH", str(machine))
    with pytest.raises(
        CannotFuseError, match=r"no C\+\+ compiler was found \(install g\+\+ or clang\+\+, or name one in CXX"
    ):
        build.library()


def test_a_cache_that_cannot_be_written(machine, monkeypatch):
    (machine / "file").write_text("in the way")
    monkeypatch.setenv("PMPO_CACHE", str(machine / "file"))
    with pytest.raises(CannotFuseError, match=r"cannot be kept in .*file"):
        build.library()


def test_it_is_compiled_once_and_leaves_nothing_else(machine):
    build.library()
    kept = list((machine / "cache" / "kernels").iterdir())
    assert [path.suffix for path in kept] == [".so"]
    written = kept[0].stat().st_mtime_ns
    build.library.cache_clear()
    build.library()
    assert kept[0].stat().st_mtime_ns == written
