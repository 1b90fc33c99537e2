"""The made-up studies and runs are what they say, so that what a page shows of them means something."""

import pytest

from made_up import KINDS, run_folder, study
from pmpo.comparison.results import STATUSES, by_cell, read_results
from pmpo.engine.symptoms import symptoms
from pmpo.foundation.files import read_json_lines


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "exploding"])
def test_a_run_shows_its_symptom_and_no_other(kind, tmp_path):
    rows = [row for row in read_json_lines(run_folder(tmp_path, kind) / "metrics.jsonl") if "loss" in row]
    assert [symptom.name for symptom in symptoms(rows)] == [name for name in [kind] if name != "healthy"]


def test_a_study_has_every_status_and_a_folder_for_every_run(tmp_path):
    found = read_results(study(tmp_path, seeds=4, hostile=True) / "results.jsonl")
    assert {result.status for result in found} == set(STATUSES)
    assert len(found) == 4 * 4 * 4 == len({result.folder for result in found})
    for result in found:
        assert [row["step"] for row in read_json_lines(tmp_path / result.folder / "held_out.jsonl")] == [
            point.step for point in result.curve
        ]


def test_the_regimes_are_cells_of_results_alone_and_are_written_again_alike(tmp_path):
    written = [study(tmp_path / name, regimes=True) / "results.jsonl" for name in "ab"]
    assert len(by_cell(read_results(written[0]))) == 20
    assert written[0].read_bytes() == written[1].read_bytes()
    assert sorted(path.name for path in (tmp_path / "a").iterdir()) == ["results.jsonl", "study.yaml"]
