"""One batch in verl's actor and in `pmpo.policy_loss`: loss, gradient and metrics, however the batch is split."""

import pytest

pytest.importorskip("verl", reason="verl is not installed here: make verl")


import pmpo
from engine import ACTOR, distance, expected, logged, overrides, run_ranks
from rounds import save_model

SPLITS = {
    "4 micro-batches": {"micro_batches": 4},
    "dynamic": {"tokens": 96},
    "padded": {"micro_batches": 2, "remove_padding": False},
}
CASES = {
    (preset, split): {"overrides": overrides(preset), "reference": bool(pmpo.objective(preset).kl_coef), **how}
    for preset in pmpo.OBJECTIVES
    for split, how in SPLITS.items()
}
CASES |= {
    ("gmpo", f"{k} micro-batches"): {"overrides": overrides("gmpo"), "micro_batches": k} for k in (1, 2, 8)
} | {
    (preset, "weights"): {"overrides": overrides(preset), "micro_batches": 2, "weights": True}
    for preset in ("grpo", "gmpo", "pmpo", "dapo")
} | {
    (preset, "entropy"): {
        "overrides": overrides(preset, f"{ACTOR}.entropy_coeff=0.5"), "micro_batches": 4, "entropy": True,
    }
    for preset in ("gmpo", "dapo")
}  # fmt: skip
THEIRS = {
    (loss, k): {"overrides": [f"{ACTOR}.policy_loss.loss_mode={loss}"], "micro_batches": k, "ours": False}
    for loss in ("vanilla", "geo_mean")
    for k in (1, 2, 4, 8)
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("engine")


@pytest.fixture(scope="module")
def seen(folder):
    """What verl's actor made of every case, with 1 and 2 ranks."""
    model = save_model(folder / "model")
    cases = {**CASES, **THEIRS}
    return {
        ranks: dict(zip(cases, run_ranks(folder, model, ranks, [*cases.values()]), strict=True)) for ranks in (1, 2)
    }


@pytest.fixture(scope="module")
def whole():
    """The same of the whole batch at once, by (preset, kind)."""
    kinds = {"weights": {"weights": True}, "entropy": {"entropy": 0.5}}
    names = {(preset, split if split in kinds else "") for preset, split in CASES}
    return {(preset, kind): expected(preset, **kinds.get(kind, {})) for preset, kind in names}


@pytest.mark.parametrize("ranks", [1, 2])
@pytest.mark.parametrize("case", CASES, ids="-".join)
def test_gradient_equals_that_of_the_whole_batch(seen, whole, case, ranks):
    preset, split = case
    wanted, _ = whole[preset, split if split in ("weights", "entropy") else ""]
    assert distance(seen[ranks][case]["gradient"], wanted) < 1e-6
    assert seen[ranks][case]["wrapper"].startswith("FSDP")


@pytest.mark.parametrize("ranks", [1, 2])
@pytest.mark.parametrize("case", CASES, ids="-".join)
def test_metrics_equal_those_of_the_whole_batch(seen, whole, case, ranks):
    preset, split = case
    _, wanted = whole[preset, split if split in ("weights", "entropy") else ""]
    found = logged(seen[ranks][case])
    kl = pmpo.objective(preset).kl_coef
    ours = {name: value for name, value in wanted.items() if not (kl and name == "policy_loss")}
    assert {name: found[name] for name in ours} == pytest.approx(ours, rel=2e-5, abs=2e-6, nan_ok=True)


def test_verl_s_geometric_mean_depends_on_the_split_and_ours_does_not(seen):
    """`geo_mean` ends in a mean over the micro-batch: its gradient grows with their number."""

    def norms(loss):
        return [seen[1][loss, k]["metrics"]["grad_norm"][0] for k in (1, 2, 4, 8)]

    theirs = norms("geo_mean")
    assert [norm / theirs[0] for norm in theirs] == pytest.approx([1, 2, 4, 8], rel=1e-4)
    assert norms("vanilla") == pytest.approx([norms("vanilla")[0]] * 4, rel=1e-5)
    ours = [seen[1]["gmpo", split]["metrics"]["grad_norm"][0] for split in [f"{k} micro-batches" for k in (1, 2, 8)]]
    assert ours == pytest.approx([ours[0]] * 3, rel=1e-5)
