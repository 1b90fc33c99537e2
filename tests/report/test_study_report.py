"""The page of a study: what it says, that every run is on it, and that its links lead from the verdict to a run."""

import csv
import json
import re
from dataclasses import replace
from statistics import fmean

import pytest
from page_reader import Reader

from made_up import Shape, run_folder, study
from made_up import results as made_up_results
from pmpo.cli import main
from pmpo.comparison.estimate import Estimate
from pmpo.comparison.intervals import mean
from pmpo.comparison.results import CRASHED, DIVERGED, FINISHED, Point, RunResult
from pmpo.comparison.tables import against_best, improvement_matrix, paired_to_baseline, rollouts_to_target
from pmpo.foundation.errors import InputError
from pmpo.report.assembled import assembled
from pmpo.report.page import page, size
from pmpo.report.parts import Fold, figures_in
from pmpo.report.study_facts import read_study_facts
from pmpo.report.study_page import fitting, study_page
from pmpo.report.study_runs import details
from pmpo.report.study_verdict import interval, verdict


def run(objective: str, score: float, seed: int = 0, status: str = FINISHED, **settings) -> RunResult:
    curve = (Point(0, 0, 0.1), Point(40, 512, score / 2), Point(80, 1024, score))
    message = "The loss was not finite at step 40." if status == DIVERGED else ""
    return RunResult(objective, settings, seed, status, curve, 80, 512, configuration="ab", message=message)


def written(folder, runs, name="results.jsonl"):
    folder.mkdir(exist_ok=True)
    (folder / name).write_text("".join(json.dumps(one.to_row()) + "\n" for one in runs))
    return folder / name


def facts(tmp_path, runs, **changes):
    return read_study_facts([written(tmp_path / "study", runs)], **changes)


def spread(objective: str, middle: float, **settings) -> list[RunResult]:
    """Five seeds about a score."""
    return [run(objective, middle + 0.01 * (seed - 2), seed, **settings) for seed in range(5)]


def around(middle: float) -> Estimate:
    """The mean of `spread` with its interval."""
    return mean([one.score for one in spread("any", middle)])


def read(report) -> Reader:
    return Reader(page(report.title, report.sections, lead=report.lead))


# ---- the verdict ----------------------------------------------------------------------------------------------------


def test_a_lead_beyond_chance_is_said_with_its_interval(tmp_path):
    said = verdict(facts(tmp_path, [*spread("grpo", 0.4), *spread("gmpo", 0.6)]))
    assert said.sentence == (
        f"gmpo is ahead: the highest held-out score, {interval(around(0.6))}, +0.200 [+0.200, +0.200] against grpo "
        "(95 % intervals, 5 seeds)."
    )
    assert (said.objective, said.run.objective, said.run.seed) == ("gmpo", "gmpo", 2)


def test_a_lead_that_chance_can_make_is_none(tmp_path):
    wild = [run("gmpo", score, seed) for seed, score in enumerate((0.1, 0.9, 0.2, 0.9, 0.1))]
    said = verdict(facts(tmp_path, [*spread("grpo", 0.4), *wild])).sentence
    assert said.startswith("No objective is ahead by more than chance: gmpo has the highest held-out score, 0.440 [")


def test_a_lead_over_the_next_best_alone_is_none(tmp_path):
    """gmpo beats pmpo by the same on every seed; grpo's seeds scatter around a lower mean, and could as well win."""
    wild = [run("grpo", score, seed) for seed, score in enumerate((0.1, 0.9, 0.2, 0.9, 0.1))]
    said = verdict(facts(tmp_path, [*wild, *spread("pmpo", 0.55), *spread("gmpo", 0.56)])).sentence
    assert said.startswith("No objective is ahead by more than chance: gmpo has the highest held-out score, 0.560 [")
    assert "+0.010 [+0.010, +0.010] against pmpo and +0.120 [" in said


def test_the_verdict_over_regimes_counts_those_that_are_won(tmp_path):
    runs = [
        *spread("grpo", 0.4, learning_rate=1e-4, rollout_staleness=0),
        *spread("grpo", 0.5, learning_rate=1e-4, rollout_staleness=8),
        *spread("gmpo", 0.6, learning_rate=1e-4, rollout_staleness=0),
        *spread("gmpo", 0.45, learning_rate=1e-4, rollout_staleness=8),
    ]
    said = verdict(facts(tmp_path, runs)).sentence
    assert said.startswith("Over 2 regimes, gmpo is ahead: the highest held-out score, 0.525")
    assert (
        "+0.075" in said
        and "against grpo; it is first in 1 of them, in 1 by more than chance (95 % intervals, 5 seeds)" in said
    )


def test_the_verdict_names_the_baseline_and_the_seeds_that_chose_the_rates(tmp_path):
    runs = [
        one
        for name, middle in (("grpo", 0.4), ("gmpo", 0.5), ("pmpo", 0.6))
        for rate in (1e-4, 2e-4)
        for one in spread(name, middle - 500 * rate, learning_rate=rate)
    ]
    said = verdict(facts(tmp_path, runs)).sentence
    assert said.startswith("With each objective at its best learning rate, pmpo is ahead: the highest held-out score, ")
    assert "against gmpo and +0.200 [+0.200, +0.200] against grpo (95 % intervals, 4 seeds; 1 more chose the" in said


@pytest.mark.parametrize(
    ("runs", "said"),
    [
        (spread("grpo", 0.4), f"grpo reaches a held-out score of {interval(around(0.4))}, from 5 runs."),
        (
            [run("grpo", 0.4), run("gmpo", 0.5)],
            "gmpo has the highest held-out score, 0.500, +0.100 against the next best there; too few seeds for an",
        ),
        ([run("grpo", 0.5, learning_rate=1e-4)], "0.500 (learning rate 1e-4); too few seeds for an interval"),
        ([run("grpo", 0.4, status=CRASHED)], "No run of results has a score: all diverged or crashed."),
    ],
)  # fmt: skip
def test_studies_with_little_in_them_have_a_verdict(tmp_path, runs, said):
    assert said in verdict(facts(tmp_path, runs)).sentence


# ---- every run, and the way to it -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """A study with run folders, two learning rates and a run that diverged."""
    folder = study(tmp_path_factory.mktemp("made") / "small", Shape(seeds=2, rates=(2e-4, 8e-4), steps=80))
    return folder, read_study_facts([folder]), study_page(read_study_facts([folder]))


def test_every_run_is_a_dot_a_line_and_details_with_its_completions(small):
    _, found, report = small
    reader = read(report)
    ids = set(reader.ids())
    numbers = range(len(found.results))
    assert {f"r{n}" for n in numbers} | {f"d{n}" for n in numbers} <= ids
    assert len(ids) == len(reader.ids()) and reader.targets() <= ids
    dots = [a for t, a in reader.elements if t == "a" and (a.get("id") or "").startswith("d")]
    assert [dot["href"] for dot in dots] == [f"#r{dot['id'][1:]}" for dot in dots]
    assert reader.text["pre"].count("84+91+92=") >= 16  # prompts of the completions of each


def test_a_click_leads_from_the_verdict_to_the_dot_its_run_and_its_tokens(small):
    _, found, report = small
    n = found.number(verdict(found).run)
    markup = page(report.title, report.sections, lead=report.lead)
    lead = markup.split("<nav")[0]
    assert f'href="#d{n}"' in lead and f'href="#r{n}"' in lead
    details = markup.split(f'<details class="run" id="r{n}">')[1].split("</details>")[0]
    assert f'href="#run-r{n}"' in details and f'href="#run-r{n}-microscope"' in details
    assert {f"run-r{n}", f"run-r{n}-microscope"} <= {section.id for section in report.sections}


def test_a_run_that_broke_off_is_listed_with_its_message_and_hollow(small):
    _, found, report = small
    broken = [one for one in found.results if one.status != FINISHED]
    text = page(report.title, report.sections, lead=report.lead)
    assert broken and all(text.count(one.message) >= 2 for one in broken)
    n = found.number(broken[0])
    assert re.search(rf'<a href="#r{n}" id="d{n}"><path d="[^"]*" fill="none"/>', text)
    assert f"{len(broken)} diverged or crashed and count as 0" in text


def test_details_say_what_is_wrong_with_a_run_and_what_to_try(tmp_path):
    run_folder(tmp_path / "study" / "runs" / "sick", "truncated")
    (tmp_path / "study" / "runs" / "crashed").mkdir()
    rows = [replace(run("grpo", 0.2), folder="runs/sick"), replace(run("gmpo", 0.2), folder="runs/crashed")]
    found = facts(tmp_path, rows)
    healthy, sick = (details(found, one) for one in found.results)
    assert "<p>At update " in sick and "To try first: <strong>max_completion_length" in sick
    assert "To try first" not in healthy and "<svg" in healthy


def test_details_that_there_is_no_room_for_are_counted_and_the_runs_stay_listed(small):
    _, found, whole = small
    report = study_page(found, budget=130_000)
    text = page(report.title, report.sections, lead=report.lead)
    assert len(text.encode()) < 130_000 < len(page(whole.title, whole.sections, lead=whole.lead).encode())
    left = int(re.search(r"those of (\d+) were left out to keep the page under 1 MB", text)[1])
    assert text.count('<details class="run"') == len(found.results) - left > 0
    assert {f"r{n}" for n in range(len(found.results))} <= set(Reader(text).ids())


def test_figures_that_there_is_no_room_for_are_left_out_and_counted(small):
    section = max(small[2].sections, key=lambda one: len(list(figures_in(one.parts))))
    before = len(list(figures_in(section.parts)))
    assert fitting([section], 10**9) == [section]
    (cut,) = fitting([section], size([section]) // 2)
    after = len(list(figures_in(cut.parts)))
    assert 1 <= after < before
    assert cut.parts[-1].paragraphs[0].startswith(f"{before - after} figures of the sections above were left out")


# ---- the numbers are those of the tables ----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def regimes(tmp_path_factory):
    shape = Shape(seeds=3, rates=(2e-4, 8e-4), regimes=True, folders=False)
    path = written(tmp_path_factory.mktemp("made") / "regimes", made_up_results(shape))
    found = read_study_facts([path])
    return found, {figure.id: figure for s in study_page(found).sections for figure in figures_in(s.parts)}


def test_figures_hold_the_numbers_of_the_tables(regimes):
    found, figures = regimes
    matrix = improvement_matrix(found.results)
    told = {(row[0], row[1]): row[2:5] for row in figures["improvement"].table.rows}
    assert told == {pair: (e.value, e.low, e.high) for pair, e in matrix.probability.items()}
    first = found.results[0].settings
    pairs = {p.objective: p.difference.value for p in paired_to_baseline(found.results, "grpo") if p.settings == first}
    assert {row[0]: row[1] for row in figures["forest-cell-1"].table.rows} == pairs
    fresh = {row.objective: row.values for row in found.tuned if row.settings == found.grid[0].settings}
    told = {row[0]: row[1] for row in figures["forest-1"].table.rows}
    ahead = {name: fmean(values) - fmean(fresh["grpo"]) for name, values in fresh.items() if name != "grpo"}
    assert told == pytest.approx(ahead) and set(told) == {"gmpo", "pmpo", "signed"}
    best = verdict(found).objective
    told = {row[0]: row[2] for row in figures["best"].table.rows}
    assert sorted(told.values()) == sorted(row.improvement.value for row in against_best(found.results, best))
    winners = [cell.winner for cell in found.grid]
    assert [row[4] for row in figures["regimes"].table.rows if row[3] == 1] == winners
    assert figures["regimes"].svg.count("not run") == 3 * 3 - 5


def test_regimes_come_fresh_first_and_have_names(regimes):
    names = [regime.name for regime in regimes[0].regimes]
    assert names[0] == "fresh"
    assert set(names[1:]) == {"rollouts 2 rounds old", "rollouts 8 rounds old", "4 epochs", "sampler noise 0.5"}


def test_runs_that_never_reach_the_target_are_hollow_at_the_end_of_their_budget(tmp_path):
    found = facts(tmp_path, [*spread("grpo", 0.3), *spread("gmpo", 0.6)], target=0.5)
    figures = {figure.id: figure for s in study_page(found).sections for figure in figures_in(s.parts)}
    rows = {row[0]: row for row in figures["target-1"].table.rows}
    assert (rows["grpo"][2], rows["gmpo"][2]) == (0, 5)
    told = {row.objective: row.restricted_mean.value for row in rollouts_to_target(found.results, 0.5)}
    assert {name: row[7] for name, row in rows.items()} == told
    assert figures["target-1"].svg.count('fill="none"') == 5 and "not reached" in figures["target-1"].svg


def test_many_objectives_have_a_panel_each(tmp_path):
    names = [f"rule {k}" for k in range(9)]
    found = facts(tmp_path, [one for k, name in enumerate(names) for one in spread(name, 0.3 + 0.02 * k)])
    figures = [figure for s in study_page(found).sections for figure in figures_in(s.parts)]
    assert [f.title for f in figures if f.id.startswith("scores-")] == [f"Held-out score of {name}" for name in names]


# ---- where the runs come from ---------------------------------------------------------------------------------------


def test_several_files_are_one_study_and_the_newest_row_of_a_run_counts(tmp_path):
    one = written(tmp_path / "one", [run("grpo", 0.1), run("gmpo", 0.5)])
    other = written(tmp_path / "two", [run("grpo", 0.4), run("grpo", 0.3, seed=1)])
    found = read_study_facts([one, other])
    assert [(r.objective, r.seed, r.score) for r in found.results] == [
        ("gmpo", 0, 0.5),
        ("grpo", 0, 0.4),
        ("grpo", 1, 0.3),
    ]
    assert found.baseline == "grpo" and found.source.command == f"pmpo report {one} {other}"


def test_the_order_is_that_of_the_study_not_of_the_ends_of_its_runs(tmp_path):
    folder = tmp_path / "study"
    written(folder, [run("gmpo", 0.5, 1), run("grpo", 0.4, 1), run("gmpo", 0.5, 0), run("grpo", 0.4, 0)])
    (folder / "study.yaml").write_text(
        "name: mine\nobjectives: {grpo: grpo, gmpo: gmpo}\nbaseline: gmpo\ntarget: 0.3\n"
    )
    found = read_study_facts([folder])
    assert [(r.objective, r.seed) for r in found.results] == [("grpo", 0), ("grpo", 1), ("gmpo", 0), ("gmpo", 1)]
    assert (found.name, found.baseline, found.target, found.chosen_target) == ("mine", "gmpo", 0.3, False)


def test_the_hash_is_of_the_configurations_whatever_their_order(tmp_path):
    runs = spread("grpo", 0.4)
    hashes = [facts(tmp_path, order).source.configuration for order in (runs, runs[::-1])]
    assert hashes[0] == hashes[1] and re.fullmatch("[0-9a-f]{12}", hashes[0])
    assert facts(tmp_path, [replace(runs[0], configuration="cd"), *runs[1:]]).source.configuration != hashes[0]


def test_hostile_names_messages_and_completions_are_text(tmp_path):
    folder = study(tmp_path / "made", Shape(seeds=1, rates=(8e-4,), steps=80, hostile=True))
    reader = read(assembled([folder]))
    tags = [tag for tag, _ in reader.elements]
    assert "img" not in tags
    assert all(a.get("type") == "application/json" or not a for t, a in reader.elements if t == "script")
    assert not any(key.startswith("on") for _, attributes in reader.elements for key in attributes)


# ---- the command ----------------------------------------------------------------------------------------------------


def test_the_command_writes_the_page_and_its_figures(tmp_path, capsys):
    source = written(tmp_path / "study", [*spread("grpo", 0.4), *spread("gmpo", 0.6)])
    page_path, pictures = tmp_path / "page.html", tmp_path / "pictures"
    assert main(["report", str(source), "-o", str(page_path), "--figures", str(pictures), "--baseline", "gmpo"]) == 0
    assert capsys.readouterr().out.startswith(f"{page_path}, ")
    assert "Difference to gmpo" in page_path.read_text(encoding="utf-8")
    names = {path.stem for path in pictures.iterdir()}
    assert {"scores-1", "forest", "improvement", "target-1"} == names
    for name in names:
        assert (pictures / f"{name}.png").read_bytes().startswith(b"\x89PNG")
        assert (pictures / f"{name}.svg").read_text(encoding="utf-8").startswith("<svg ")
        rows = list(csv.reader((pictures / f"{name}.csv").open(encoding="utf-8")))
        assert len(rows) > 1 and len({len(row) for row in rows}) == 1


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["{none}"], "There is no {none}; give the folder of a run or of a study."),
        (["{empty}"], "holds no run yet"),
        (["{study}", "--baseline", "gmop"], "Unknown baseline 'gmop': did you mean 'gmpo'?"),
        (["{study}", "-o", "{none}/page.html"], "There is no folder {none} to write page.html to; make it first."),
        (["{folder}"], "holds no log"),
        ([], "The following arguments are required: RUN_OR_STUDY"),
    ],
)
def test_what_cannot_be_reported_is_said(tmp_path, capsys, words, said):
    places = {
        "none": tmp_path / "none",
        "empty": written(tmp_path / "empty", []),
        "study": written(tmp_path / "study", [run("grpo", 0.4), run("gmpo", 0.5)]),
        "folder": tmp_path,
    }
    output = [] if "-o" in words else ["-o", str(tmp_path / "page.html")]
    assert main(["report", *(word.format(**places) for word in words), *output]) == 2
    assert said.format(**places) in capsys.readouterr().err
    assert not (tmp_path / "page.html").exists()


def test_runs_beside_a_study_share_its_page(small):
    folder, found, _ = small
    own = folder / found.results[0].folder
    report = assembled([folder, own])
    assert report.title == "Study made up" and report.sections[0].id == "scores"
    assert "run-1" in {section.id for section in report.sections}
    alone = assembled([own, folder / found.results[1].folder])
    assert alone.title == "2 runs" and {"run-1", "run-2"} <= {section.id for section in alone.sections}
    with pytest.raises(InputError, match="2 runs do not fit on one page of 60,000 bytes; give fewer"):
        assembled([own, own], budget=60_000)
    assert not any(isinstance(part, Fold) and not part.parts for s in report.sections for part in s.parts)
