"""The trajectory microscope: a run's completions with every token coloured by its share of the gradient.

Without a script the page shows the foremost completions at the solved p; `theme/microscope.js` puts a slider for p and
all kept completions in their place. The script's mathematics is that of `pmpo.power_mean`; a test holds the two equal.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

from pmpo.report.axis import Axis
from pmpo.report.chart import Chart
from pmpo.report.escape import escape, script_json, visible
from pmpo.report.page import size
from pmpo.report.parts import Figure, Html, Section, Source, Table, Text
from pmpo.report.svg import number
from pmpo.report.trajectories import Trajectory, foremost, read_trajectories, spread_out

LONGEST = 200
"""Tokens of a completion that the page shows without a script, those around the largest share."""
_SENTENCES = 1500
"""Bytes of the legend and of what is said of the completions that are there."""
_EXPONENTS = [k / 10 for k in range(-40, 41)]
_INTRODUCTION = (
    "Tokens of single completions of the training, coloured by their share of the gradient: orange with a bar below is "
    "more than an equal share, blue with a bar above is less, full colour is four times as much or a quarter. p = 1 "
    "shares the gradient in proportion to the ratios, p = 0 equally, a negative p prefers tokens whose ratio fell."
)
_LEGEND = (
    '<p class="legend"><span class="token less" style="--heat:1">a quarter</span> '
    '<span class="token">an equal share</span> <span class="token" style="--heat:1">four times</span> '
    '<span class="token state-o">outside the trust region</span> '
    '<span class="token state-c">clipped</span> '
    '<span class="token state-m">not trained on</span></p>'
)


def microscope_section(
    folder: Path, budget: int, *, id: str = "microscope", title: str = "Trajectory microscope", level: int = 2,
    source: Source | None = None,
) -> Section | None:  # fmt: skip
    """The section of one run, as large as the budget allows: the foremost completions first, others evenly over time.

    A link to `#<id>-c<k>` opens the k-th of them.

    Args:
        folder: of the run.
        budget: bytes that the section may take of the page, as `page.size` counts them.
        id: unique on the page.
        source: the run's command and configuration.
    Returns: None for a run without token samples, or where the budget has no room for one completion.
    """
    trajectories = read_trajectories(folder)
    if not trajectories:
        return None
    picked = foremost(trajectories)
    static = {index: _static(trajectories[index], name) for index, name in picked.items()}
    figure = _figure(trajectories, picked, id, source or Source("", ""))
    script = resources.files("pmpo.report").joinpath("theme", "microscope.js").read_text(encoding="utf-8")
    fixed = size([Section(id, title, (Text((_INTRODUCTION,)), Html("".join(static.values())), figure))])
    shown = _within(trajectories, picked, budget - fixed - _SENTENCES)
    if not shown:
        return None
    data = {"completions": [_datum(trajectories[index], picked.get(index)) for index in shown]}
    left = len(trajectories) - len(shown)
    note = f"{len(shown)} completions of {len({trajectories[i].step for i in shown})} updates are on this page"
    note += f"; {left} more in tokens.jsonl were left out to keep it small." if left else "."
    anchors = "".join(f'<div id="{id}-c{place}">{static[i]}</div>' for place, i in enumerate(shown) if i in static)
    view = Html(f'{_LEGEND}<div class="microscope" data-section="{id}">{anchors}</div>')
    return Section(id, title, (Text((_INTRODUCTION, note)), view, figure), script, data, level)


def _within(trajectories: Sequence[Trajectory], picked: Mapping[int, str], room: int) -> list[int]:
    """The completions that there is room for: the foremost first, then the others in time."""
    chosen: list[int] = []
    for index in dict.fromkeys((*picked, *spread_out(len(trajectories)))):
        size = len(script_json(_datum(trajectories[index], picked.get(index))))
        if size <= room:
            chosen.append(index)
            room -= size
    return [*(i for i in picked if i in chosen), *sorted(i for i in chosen if i not in picked)]


def _datum(one: Trajectory, reason: str | None) -> dict[str, Any]:
    """A completion for the script, with texts as they are shown."""
    name = reason if reason is not None else str(one.row.get("picked", ""))
    label = f"{visible(name)} · update {one.step} · p {_three(one.exponent)} · A {_signed(one.row['advantage'])} · "
    return {
        **one.row,
        "tokens": [_shown(text) for text in one.row["tokens"]],
        "prompt": _shown(one.row.get("prompt", "")),
        "label": f"{label}{len(one.row['tokens'])} tokens",
        "group": "to look at first" if reason is not None else f"update {one.step}",
    }


def _static(one: Trajectory, reason: str) -> str:
    """A completion at the solved p, as markup."""
    shares = one.shares(one.exponent)
    heats = one.heats(one.exponent)
    start = max(0, min(shares.index(max(shares)) - LONGEST // 2, len(shares) - LONGEST))
    part = slice(start, start + LONGEST)
    tokens = "".join(
        f'<span class="token state-{escape(state)}{" less" * (heat < 0)}" style="--heat:{abs(heat):g}">'
        f"{escape(_shown(text))}</span>"
        for text, state, heat in zip(one.row["tokens"][part], one.row["state"][part], heats[part], strict=True)
    )
    if len(shares) > LONGEST:
        reason += f", {LONGEST} of its {len(shares)} tokens"
    told = (
        f"<b>{escape(reason)}</b> · update {one.step} · p {_three(one.exponent)} · A {_signed(one.row['advantage'])} · "
        f"f {_three(one.row['clip_fraction'])} · largest |log ratio| {_three(one.largest)} nats · largest share "
        f"{max(shares):.0%}"
    )
    return (
        f'<p>{told}</p><p class="prompt">{escape(_shown(one.row.get("prompt", "")))}</p><p class="tokens">{tokens}</p>'
    )


def _figure(trajectories: Sequence[Trajectory], picked: Mapping[int, str], id: str, source: Source) -> Figure:
    """nESS(p) of the foremost completions."""
    ones = {f"{name}, update {trajectories[index].step}": trajectories[index] for index, name in picked.items()}
    chart = Chart(Axis("exponent p", -4, 4), Axis("nESS(p), share of tokens", 0, 1), width=352)
    curves = [one.ess(_EXPONENTS) for one in ones.values()]
    for place, (one, curve) in enumerate(zip(ones.values(), curves, strict=True)):
        chart.curve(_EXPONENTS, curve, place)
        chart.dots([one.exponent], one.ess([one.exponent]), place)
    chart.legend(list(enumerate(ones)))
    solved = "; ".join(f"{name}: p {_three(one.exponent)}{_target(one)}" for name, one in ones.items())
    rows = tuple(zip(_EXPONENTS, *curves, strict=True))[:: len(_EXPONENTS) // 16]
    return Figure(
        f"{id}-ess",
        "Effective share of tokens against the exponent",
        chart.svg(),
        f"nESS as a function of p, with a dot at the solved p. {solved}.",
        Table(("p", *ones), rows),
        source,
        f"1 at p = 0, where all tokens share equally; it falls as fewer tokens carry the gradient. Dots: {solved}.",
    )


def _target(one: Trajectory) -> str:
    target = one.row.get("target_ess")
    return "" if target is None else f" for τ {_three(target)}"


def _three(value: float) -> str:
    return number(float(f"{value:.3g}")).replace("-", "−")


def _signed(value: float) -> str:
    return f"{value:+.2f}".replace("-", "−")


def _shown(text: Any) -> str:
    """A token's text: a new line also as a sign, so that it can be coloured, and a part of a character as a dot."""
    return visible(str(text)).replace("\t", "→\t").replace("\n", "↵\n") or "·"
