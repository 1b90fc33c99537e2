"""The picture of a study: that every kind of study has one."""

import pytest

from pmpo.comparison.results import DIVERGED, FINISHED, Point, RunResult
from pmpo.comparison.study import study_from
from pmpo.report.study_curves import draw_study_curves


@pytest.mark.parametrize("cells", [1, 30])
def test_a_picture_of_few_and_of_many_cells(tmp_path, cells):
    rates = [i * 1e-5 for i in range(1, cells + 1)]
    study = study_from({"objectives": ["grpo", "pmpo"], "settings": {"learning_rate": rates}, "seeds": [0, 1]})
    results = [
        RunResult(run.objective, run.settings, run.seed, status, (Point(0, 0, 0.1), Point(8, 64, score)), 8)
        for run in study.runs()
        for status, score in [(FINISHED, 0.5) if run.seed or run.objective == "pmpo" else (DIVERGED, float("nan"))]
    ]
    path = draw_study_curves(tmp_path / "curves.png", study, results)
    assert path.read_bytes().startswith(b"\x89PNG") and path.stat().st_size > 10_000
