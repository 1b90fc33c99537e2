"""The runs of a study: all in a list, those that broke off with their messages, and details of as many as there is
room for."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Sequence

from pmpo.comparison.results import FINISHED, RunResult
from pmpo.comparison.tables import RATE
from pmpo.foundation.errors import InputError, shortened
from pmpo.report.axis import Axis
from pmpo.report.chart import Chart
from pmpo.report.escape import escape
from pmpo.report.parts import Html, Link, Table
from pmpo.report.run_data import RunData, read_run
from pmpo.report.study_facts import StudyFacts, cell_name, regime_key
from pmpo.report.study_scores import dot_name
from pmpo.report.svg import number

_COMPLETION = 600
"""Characters of a completion that a run's details show."""


def broken_table(facts: StudyFacts) -> Table | None:
    """Every run that diverged or crashed, with its message; None without one."""
    rows = [
        (Link(run.objective, f"#r{facts.number(run)}"), cell_name(facts, run.settings), run.seed, run.status,
         run.curve[-1].step if run.curve else None, shortened(run.message, 300))
        for run in facts.results if run.status != FINISHED
    ]  # fmt: skip
    columns = ("objective", "settings", "seed", "status", "last measured at step", "message")
    return Table(columns, tuple(rows), "Runs that diverged or crashed") if rows else None


def list_of_runs(facts: StudyFacts, detailed: Collection[int]) -> Html:
    """Every run: one folded table a regime, a line an objective and learning rate, an entry a seed."""
    return Html("".join(_listed(facts, regime.key, regime.name, detailed) for regime in facts.regimes))


def _listed(facts: StudyFacts, key: object, name: str, detailed: Collection[int]) -> str:
    lines: dict[tuple[str, float | None], list[RunResult]] = {}
    for run in facts.results:
        if regime_key(run.settings) == key:
            rate = float(run.settings[RATE]) if RATE in run.settings else None
            lines.setdefault((run.objective, rate), []).append(run)
    runs = [run for line in lines.values() for run in line]
    broken = sum(run.status != FINISHED for run in runs)
    title = f"{name[0].upper()}{name[1:]}: {len(runs)} runs" + (f", {broken} diverged or crashed" if broken else "")
    head = "".join(
        f'<th scope="col">{text}' for text in ("objective", "learning rate", "runs: seed and score", "minutes")
    )
    # End tags that HTML lets one leave out are left out: there may be thousands of runs.
    body = "".join(
        f"<tr><td>{escape(shortened(label, 60))}<td>{'–' if rate is None else number(rate)}"
        f"<td>{' '.join(_entry(facts, run, detailed) for run in line)}"
        f"<td class=n>{sum(run.wall_seconds for run in line) / 60:.1f}"
        for (label, rate), line in lines.items()
    )
    return (
        f'<details class="fold"><summary>{escape(title)}</summary><div class="wide" role="group" tabindex="0" '
        f'aria-label="{escape(title)}"><table class="runs"><thead><tr>{head}</thead><tbody>{body}</table></div>'
        "</details>"
    )


def _entry(facts: StudyFacts, run: RunResult, detailed: Collection[int]) -> str:
    """One run of a line; one without details has its place here."""
    n = facts.number(run)
    text = f"{run.seed}: {f'{run.score:.3f}' if run.status == FINISHED else run.status}"
    if n in detailed:
        return f"<a href=#r{n}>{text}</a>"
    return f"<a id=r{n} href=#d{n}>{text}</a>" if n in facts.followed else f"<span>{text}</span>"


def first_to_show(facts: StudyFacts, chosen: RunResult | None) -> list[RunResult]:
    """The runs in the order in which details of them matter: the verdict's, broken ones, those at the best learning
    rates, the rest."""
    best = {(row.objective, facts.regime(row.settings).key): row.rate for row in facts.tuned}

    def rank(run: RunResult) -> int:
        if run is chosen:
            return 0
        if run.status != FINISHED:
            return 1
        rate = best.get((run.objective, facts.regime(run.settings).key))
        return 2 if run.settings.get(RATE) in (None, rate) else 3

    return sorted(facts.results, key=rank)


def details(facts: StudyFacts, run: RunResult, more: Sequence[tuple[str, str]] = ()) -> str:
    """One run: its curve, what is wrong with it, completions, and the command that makes it again.

    Args:
        more: (id of a section of the page, what it shows) about this run.
    """
    n = facts.number(run)
    found = _folder(facts, run)
    inside = [_curve(facts, run), *_warnings(run, found), *_completions(found)]
    dot = [(f"d{n}", "Its dot")] if n in facts.followed else []
    links = [f'<a href="#{target}">{escape(text)}</a>' for target, text in [*dot, *more]]
    made = f"<code>{escape(run.command)}</code>" if run.command else ""
    made += f" · configuration <code>{escape(run.configuration)}</code>" if run.configuration else ""
    made += f" · folder <code>{escape(run.folder)}</code>" if run.folder else ""
    return (
        f'<details class="run" id="r{n}"><summary>{escape(dot_name(facts, run))}</summary>{"".join(inside)}'
        f'<p>{" · ".join(links)}</p><p class="source">{made.removeprefix(" · ")}</p></details>'
    )


def _folder(facts: StudyFacts, run: RunResult) -> RunData | None:
    """What the run's folder holds; None without one, or without a log in it, as of a run that crashed at once."""
    try:
        return read_run(facts.folder / run.folder) if run.folder else None
    except InputError:
        return None


def _curve(facts: StudyFacts, run: RunResult) -> str:
    """The held-out scores as a small chart, named by its numbers."""
    points = [point for point in run.curve if math.isfinite(point.score)]
    if not points:
        return "<p>It was never measured.</p>"
    steps, scores = [float(point.step) for point in points], [point.score for point in points]
    most = max((point.score for one in facts.results for point in one.curve if math.isfinite(point.score)), default=1.0)
    chart = Chart(Axis("update", 0.0, max(run.steps, steps[-1], 1.0)), Axis("", 0.0, most or 1.0), height=150)
    chart.curve(steps, scores, facts.index(run.objective))
    chart.dots(steps, scores, facts.index(run.objective), size=3)
    said = ", ".join(f"{point.score:.3f} at update {point.step}" for point in points)
    named = f' role="img" aria-label="{escape(facts.score)}: {escape(said)}">'
    return f"<p>{escape(facts.score.capitalize())}</p>{chart.svg().replace('>', named, 1)}"


def _warnings(run: RunResult, found: RunData | None) -> Iterator[str]:
    if run.message:
        yield f"<p><strong>{escape(run.status)}</strong>: {escape(shortened(run.message, 1000))}</p>"
    for one in found.symptoms if found else ():
        when = f"At update {one.step}" if one.step else "By its settings"
        yield f"<p>{when}: {escape(one.sentence)} To try first: <strong>{escape(one.setting)}</strong>.</p>"


def _completions(found: RunData | None) -> Iterator[str]:
    """One completion with the highest and one with the lowest reward of the last measurement."""
    rows = found.samples if found else []
    last = [row for row in rows if row.get("step") == rows[-1].get("step")]
    last.sort(key=lambda row: row.get("reward") or 0.0)
    for row in [last[-1], last[0]] if len(last) > 1 else last:
        told = f"{row.get('status', '')}, reward {row.get('reward')}, answer {shortened(str(row.get('answer')), 80)}"
        prompt = escape(shortened(str(row.get("prompt")), _COMPLETION))
        completion = escape(shortened(str(row.get("completion")), _COMPLETION))
        yield f"<p>Completion at update {row['step']}: {escape(told)}</p><pre>{prompt}<b>{completion}</b></pre>"
