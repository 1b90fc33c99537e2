"""The page of one run: figures with their numbers, a diagnosis in words, and text from models as text."""

import json
import math
import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from hostile import TEXTS
from made_up import run_folder
from pmpo.comparison.results import DIVERGED, RunResult
from pmpo.report.page import page
from pmpo.report.parts import figures_in
from pmpo.report.run_data import RunData, read_run
from pmpo.report.run_drawing import View
from pmpo.report.run_figures import FIGURES, run_figures
from pmpo.report.run_page import run_sections
from pmpo.report.run_series import heat, series

RECORDED = Path(__file__).parents[1] / "engine"


def recorded(name):
    return [json.loads(line) for line in (RECORDED / f"{name}.jsonl").read_text().splitlines()]


def figures_of(rows, **changes):
    return {one.id.removeprefix("run-"): one for one in run_figures(View(RunData("run", rows, **changes)))}


def marks(figure, kind):
    """Elements of a colour class."""
    return [one for one in ElementTree.fromstring(figure.svg).iter() if one.get("class") == kind]


def test_a_run_has_its_figures_each_with_marks_numbers_and_a_source(tmp_path):
    sections = run_sections(run_folder(tmp_path / "mine"))
    assert [section.id for section in sections] == ["run", "run-diagnosis", "run-curves", "run-completions"]
    figures = {one.id.removeprefix("run-"): one for s in sections for one in figures_in(s.parts)}
    assert list(figures) == [name for name in FIGURES if name != "sampler"]
    for figure in figures.values():
        assert marks(figure, "c1") or marks(figure, "c2"), figure.id
        assert len(figure.table.rows) >= 30 and figure.source.command.startswith("pmpo train")
        assert re.fullmatch("[0-9a-f]{12}", figure.source.configuration)
        assert "update" in figure.description and "nan" not in figure.description
    assert len(page("Run", sections).encode()) < 250_000


def test_the_numbers_behind_a_figure_are_those_of_the_log():
    rows = recorded("run_default")
    table = figures_of(rows)["entropy"].table
    assert table.columns == ("optimiser step", "entropy")
    assert table.rows == tuple((row["step"], row["entropy"]) for row in rows)
    envelope = figures_of(rows)["log-ratios"].table
    assert envelope.rows[0] == (8, rows[0]["log_ratio/max"], rows[0]["log_ratio/min"])


def test_a_long_run_is_drawn_with_fewer_points_that_keep_its_extremes():
    rows = [{"step": k, "loss": 0.0, "entropy": k % 4, "log_ratio/max": k % 4, "log_ratio/min": -(k % 4)}
            for k in range(1, 1001)]  # fmt: skip
    figures = figures_of(rows)
    assert (
        len(figures["entropy"].table.rows) == 77 and "Each point stands for 13 log events." in figures["entropy"].note
    )
    assert {row[1] for row in figures["log-ratios"].table.rows} == {3.0}
    assert {row[2] for row in figures["log-ratios"].table.rows} == {-3.0}
    assert series(rows, "entropy", 4).values[0] == 1.5 and series(rows, "entropy", 4).steps[:2] == (4, 8)


def test_a_gap_stays_a_gap_and_a_number_alone_is_a_dot():
    """Ratios are null where no completion is active; rewards come with every eighth event only."""
    rows = [{"step": k, "loss": 0.0, "kl_old": None if k == 5 or k > 8 else 0.1 * k} for k in range(1, 11)]
    rows[9]["kl_old"] = 0.3
    for row in rows[::4]:
        row["reward"] = 0.5
    figures = figures_of(rows)
    lines = [one.get("d") for one in marks(figures["kl"], "c1") if one.get("fill") == "none"]
    assert len(lines) == 2, "1-4 and 6-8"
    assert [row[1] for row in figures["kl"].table.rows][4:6] == [None, 0.6]
    assert len(marks(figures["kl"], "c1")) == 2 + 1 + 2, "two lines, the dot at 10, and the legend's line and dot"
    assert len([one for one in marks(figures["reward"], "c1") if one.get("fill") == "none"]) == 1


def test_values_that_span_much_are_on_a_logarithmic_axis():
    rows = [{"step": k, "loss": 0.0, "entropy": 0.5 * 0.5**k, "grad_norm": 0.0 if k == 3 else 1.0} for k in range(10)]
    figures = figures_of(rows)
    assert "5e-4" in figures["entropy"].svg or "0.001" in figures["entropy"].svg
    assert "1e-" not in figures["gradient"].svg, "a logarithm has no place for 0"


def test_exponents_are_shades_whose_shares_add_up():
    rows = recorded("run_default")
    shades = heat(rows, "exponent/histogram", 40)
    assert shades.starts[0] == 0 and shades.ends[0] == 8 and len(shades.edges) == 21
    assert all(math.isclose(sum(column), 1.0) for column in shades.shares)
    counts = rows[0]["exponent/histogram"]["counts"]
    assert shades.shares[0][-1] == pytest.approx(counts[-1] / sum(counts))
    assert marks(figures_of(rows)["exponents"], "c1"), "drawn"
    plain = [{key: value for key, value in row.items() if key != "exponent/histogram"} for row in rows]
    assert "band" in figures_of(plain)["exponents"].note


def test_histograms_with_other_edges_are_spread_by_overlap():
    rows = [
        {"step": 1, "h": {"edges": [0.0, 0.5, 1.0], "counts": [4, 0]}},
        {"step": 2, "h": {"edges": [-1.0, 0.0, 1.0], "counts": [1, 1]}},
    ]
    shades = heat(rows, "h", 40, bins=4)
    assert shades.edges == (-1.0, -0.5, 0.0, 0.5, 1.0)
    assert shades.shares == ((0.0, 0.0, 1.0, 0.0), (0.25, 0.25, 0.25, 0.25))
    assert heat(rows, "h", 1, bins=4).shares == ((1 / 12, 1 / 12, 0.75, 1 / 12),)
    for broken in (None, 3, {"edges": [0, 1], "counts": []}, {"edges": [0.0, 1.0], "counts": [0]}):
        assert heat([{"step": 1, "h": broken}], "h", 40) is None


@pytest.mark.parametrize(
    ("kind", "symptom", "figure"),
    [
        ("entropy_collapse", "Entropy collapse", "entropy"),
        ("no_signal", "No learning signal", "signal"),
        ("truncated", "Truncated completions", "truncated"),
        ("exploding_ratios", "Exploding ratios", "log-ratios"),
    ],
)
def test_the_diagnosis_names_each_symptom_its_figure_and_what_to_try(tmp_path, kind, symptom, figure):
    _, diagnosis, curves, *_ = run_sections(run_folder(tmp_path / kind, kind), prefix="a")
    markup = diagnosis.parts[0].markup
    found = re.search(rf"<strong>{symptom}</strong> \(update (\d+)\)", markup)
    assert found and f'href="#a-{figure}"' in markup and "To try first: <strong>" in markup
    (shown,) = [one for one in curves.parts if one.id == f"a-{figure}"]
    assert f"found at update {found[1]}." in shown.note and marks(shown, "bad")
    linked = set(re.findall(r'href="#a-([\w-]+)"', markup))
    assert {one.id.removeprefix("a-") for one in curves.parts if marks(one, "bad")} == linked


def test_a_sound_run_says_so_and_has_no_marks(tmp_path):
    _, diagnosis, curves, *_ = run_sections(run_folder(tmp_path / "mine"))
    assert diagnosis.parts[0].markup == "<p>Nothing that keeps a run from learning shows in its 30 log events.</p>"
    assert not any(marks(figure, "bad") for figure in curves.parts)


def test_what_the_settings_say_is_in_the_diagnosis(tmp_path):
    folder = run_folder(tmp_path / "mine", top_p=0.9, use_vllm=True)
    markup = run_sections(folder)[1].parts[0].markup
    assert "<strong>Truncated sampling with a ratio correction</strong> (the settings)" in markup
    assert "#run-sampler" not in markup, "no link to a figure that the log has no numbers for"


def test_a_run_that_diverged_says_why(tmp_path):
    result = RunResult("grpo", {}, 0, DIVERGED, (), 240, message="The loss <b>is</b> NaN.")
    text = page("Run", run_sections(run_folder(tmp_path / "mine"), result=result))
    assert "This run diverged: The loss &lt;b&gt;is&lt;/b&gt; NaN." in text


def test_a_log_alone_is_enough(tmp_path):
    path = tmp_path / "metrics.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in recorded("run_collapsed")))
    text = page("Run", run_sections(path))
    assert "The log ends at update 96, and there is no summary of the run." in text and "no config.yaml" in text
    assert "Reward collapse" in text and "a lower learning_rate" in text


def test_half_written_files_beside_the_log_are_left_out(tmp_path):
    folder = run_folder(tmp_path / "mine")
    for name in ("summary.json", "config.yaml"):
        (folder / name).write_text('{"pass_at_1_before": [')
    with (folder / "held_out.jsonl").open("a") as file:
        file.write('{"step": 300, "val')
    run = read_run(folder)
    assert run.summary == {} == run.settings and run.source.configuration == ""
    assert page("Run", run_sections(folder))


def test_hostile_text_stays_text(tmp_path):
    folder = run_folder(tmp_path / "mine", hostile=True)
    settings = folder / "config.yaml"
    settings.write_text(settings.read_text() + "\nlearning_rate: </script><img src=x onerror=alert(1)>\n")
    text = page("Run", run_sections(folder))
    assert "<img" not in text and text.count("</script>") == text.count("<script")
    assert len(TEXTS) > 3 and "&lt;img src=x onerror=alert(1)&gt;" in text


def test_long_completions_are_cut(tmp_path):
    folder = run_folder(tmp_path / "mine")
    row = {"step": 0, "prompt": "1+1=", "completion": "x" * 5000, "status": "wrong", "reward": 0.0, "answer": "2"}
    (folder / "samples.jsonl").write_text("".join(json.dumps(row) + "\n" for _ in range(40)))
    (part,) = run_sections(folder)[-1].parts
    assert part.markup.count("<pre") == 8 and "(3800 characters more)" in part.markup
