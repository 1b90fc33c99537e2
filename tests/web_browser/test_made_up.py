"""The made-up studies and runs are what they say, so that what a page shows of them means something."""

import pytest

from made_up import KINDS, run_folder, study
from pmpo.comparison.results import STATUSES, by_cell, read_results
from pmpo.comparison.study import read_study, run_key
from pmpo.engine.symptoms import symptoms
from pmpo.foundation.files import read_json_lines


@pytest.mark.parametrize("kind", KINDS)
def test_a_run_shows_its_symptom_and_none_of_the_others(kind, tmp_path):
    rows = [row for row in read_json_lines(run_folder(tmp_path, kind) / "metrics.jsonl") if "loss" in row]
    names = [symptom.name for symptom in symptoms(rows)]
    if kind == "healthy":
        assert names == []
    else:
        assert set(names) & set(KINDS) == {kind}


def test_a_study_can_be_gone_on_with(tmp_path):
    told = read_study(study(tmp_path, regimes=True, hostile=True, folders=False) / "study.yaml")
    planned = {run_key(run.objective, run.settings, run.seed) for run in told.runs()}
    found = read_results(tmp_path / "results.jsonl")
    assert {run_key(one.objective, one.settings, one.seed) for one in found} == planned


def test_a_study_has_every_status_and_a_folder_for_every_run(tmp_path):
    found = read_results(study(tmp_path, seeds=4, rates=(1e-4, 8e-4)) / "results.jsonl")
    assert {result.status for result in found} == set(STATUSES)
    assert len(found) == 2 * 4 * 4 == len({result.folder for result in found})
    for result in found:
        assert [row["step"] for row in read_json_lines(tmp_path / result.folder / "held_out.jsonl")] == [
            point.step for point in result.curve
        ]


def test_the_regimes_are_cells_of_results_alone_and_are_written_again_alike(tmp_path):
    written = [study(tmp_path / name, regimes=True) / "results.jsonl" for name in "ab"]
    assert len(by_cell(read_results(written[0]))) == 20
    assert written[0].read_bytes() == written[1].read_bytes()
    assert sorted(path.name for path in (tmp_path / "a").iterdir()) == ["results.jsonl", "study.yaml"]
