"""The picture and the table of an evaluation, from a results.json."""

import io

import matplotlib.image
import pytest
from rich.console import Console

from pmpo.report.evaluation import draw_evaluation
from pmpo.report.evaluation_table import show

STATUSES = {"correct": 6, "wrong": 2, "no_answer": 1, "unparsable": 0, "timeout": 1, "memory": 0, "error": 0}
ROWS = [
    {"model": "M", "method": "GRPO", "benchmarks": {"aime24": 0.4, "amc": 0.6}, "average": 0.51},
    {"model": "M", "method": "PMPO", "benchmarks": {"aime24": 0.5, "amc": 0.7}, "average": 0.61},
]


def entry(value: float, ks=(1,), tokens=True):
    made = {
        "pass@1": value,
        "ci95": [value - 0.1, value + 0.05],
        "pass@k": {str(k): {"value": value, "ci95": [value - 0.1, value + 0.05]} for k in ks},
        "n_problems": 10,
        "n_samples": ks[-1],
        "statuses": STATUSES,
        "response_tokens": {"mean": 50.0, "min": 1, "p5": 5, "p50": 40, "p95": 90, "max": 99} if tokens else None,
        "truncated": 0.125 if tokens else None,
    }
    if ks[-1] > 1:
        made["maj@n"] = {"value": 0.625, "ci95": [0.5, 0.75]}
    return made


def results(ks=(1,), tokens=True, names=("aime24", "amc")):
    return {
        "benchmarks": {name: entry(0.3, ks, tokens) for name in names},
        "average": entry(0.3, ks),
        "model": {"name": "runs/x/model"},
        "sampling": {"n": ks[-1], "temperature": 0.6 if ks[-1] > 1 else 0, "top_p": 0.95, "max_new_tokens": 100},
        "prompt": {"template": "qwen_math"},
        "limit": None,
    }


@pytest.mark.parametrize("ks", [(1,), (1, 4, 16)])
@pytest.mark.parametrize("rows", [[], ROWS])
@pytest.mark.parametrize("tokens", [True, False])
def test_the_picture_is_drawn(tmp_path, ks, rows, tokens):
    path = draw_evaluation(tmp_path / "results.png", results(ks, tokens), rows)
    image = matplotlib.image.imread(path)
    assert image.shape[0] > 600 and image.shape[1] > 1200
    assert image[..., :3].std() > 0.1
    assert [p.name for p in tmp_path.iterdir()] == ["results.png"]


def panels(monkeypatch, given, rows=()):
    """The axes of the picture, kept from being written."""
    from matplotlib.figure import Figure

    kept = []
    monkeypatch.setattr(Figure, "savefig", lambda self, path, **kwargs: (kept.append(self), path.write_bytes(b"")))
    from pathlib import Path
    from tempfile import TemporaryDirectory

    with TemporaryDirectory() as folder:
        draw_evaluation(Path(folder) / "x.png", given, rows)
    return kept[0].axes


def test_bars_intervals_and_markers_are_where_the_numbers_are(monkeypatch):
    accuracy = panels(monkeypatch, results(), ROWS)[0]
    assert [bar.get_height() for bar in accuracy.patches] == pytest.approx([30.0] * 3)
    ends = [tuple(segment[:, 1]) for line in accuracy.collections for segment in line.get_segments()]
    assert ends == [pytest.approx((20.0, 35.0))] * 3
    labels = {line.get_label(): list(line.get_ydata()) for line in accuracy.lines}
    assert labels["M, PMPO (published)"] == pytest.approx([50.0, 70.0, 61.0])
    assert [text.get_text() for text in accuracy.get_xticklabels()] == ["aime24", "amc", "average"]


def test_no_published_average_beside_other_benchmarks(monkeypatch):
    accuracy = panels(monkeypatch, results(names=("aime24", "gsm8k")), ROWS)[0]
    labels = {line.get_label(): list(line.get_ydata()) for line in accuracy.lines}
    assert labels["M, PMPO (published)"] == pytest.approx([50.0])


def text_of(given, rows=(), caveats=(), width=80) -> str:
    out = io.StringIO()
    show(Console(file=out, width=width), given, rows, caveats)
    return out.getvalue()


def test_the_table_fits_80_columns_and_says_everything():
    text = text_of(results((1, 4, 16)), ROWS, ["The settings differ [here]."])
    assert max(map(len, text.splitlines())) <= 80 and "…" not in text
    for words in ("pass@16", "maj@n", "30.0", "20.0–35.0", "62.5", "12.5 %", "1 no_answer, 1 timeout", "PMPO"):
        assert words in text
    assert "51.0" in text and "The settings differ [here]." in text and "n = 16, temperature 0.6" in text


def test_averages_of_published_rows_are_over_the_benchmarks_that_both_have():
    text = text_of(results(names=("amc",)), ROWS)
    row = next(line for line in text.splitlines() if "PMPO" in line)
    assert "70.0" in row and "61.0" not in row


def test_unknown_lengths_and_votes_are_a_dash():
    given = results((1, 4), tokens=False, names=("amc",))
    given["benchmarks"]["amc"]["maj@n"] = None
    rows = [line for line in text_of(given).splitlines() if line.startswith("│ amc")]
    assert all(" - " in row for row in rows) and len(rows) == 2
