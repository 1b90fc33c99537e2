"""The table at the end of an evaluation."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console

_ODD = ("no_answer", "unparsable", "timeout", "memory", "error")


def show(
    console: "Console",
    results: Mapping[str, Any],
    published: Sequence[Mapping[str, Any]] = (),
    caveats: Sequence[str] = (),
) -> None:
    """Print every benchmark with its metrics, their average, and published rows.

    Args:
        results: the content of results.json.
        published: rows {"model", "method", "benchmarks": {name: share}, "average"} to set beside.
        caveats: sentences printed below.
    """
    sampling = results["sampling"]
    drawn = f"n = {sampling['n']}, temperature {sampling['temperature']:g}, top-p {sampling['top_p']:g}"
    how = "greedy" if sampling["temperature"] == 0 else drawn
    name, template = results["model"]["name"], results["prompt"]["template"]
    console.print(f"{name}\n{how}, template {template}", highlight=False, markup=False, style="bold", soft_wrap=True)
    console.print(_measured(results))
    console.print(_habits(results))
    if published:
        console.print(_beside(results, published))
    for sentence in caveats:
        console.print(sentence, highlight=False, markup=False)


def _table(title: str, *columns: str) -> Any:
    from rich.table import Table

    table = Table(title=title, title_justify="left", title_style="bold")
    table.add_column(columns[0], overflow="fold")
    for name in columns[1:]:
        table.add_column(name, justify="right")
    return table


def _measured(results: Mapping[str, Any]) -> Any:
    metrics = _metrics(results["average"])
    table = _table("percent, and 95 % intervals", "benchmark", *metrics)
    for name, entry in results["benchmarks"].items():
        table.add_row(name, *(_cell(_metric(entry, metric)) for metric in metrics))
    if len(results["benchmarks"]) > 1:
        table.add_section()
        table.add_row("average", *(_cell(_metric(results["average"], metric)) for metric in metrics), style="bold")
    return table


def _habits(results: Mapping[str, Any]) -> Any:
    table = _table("completions", "benchmark", "problems", "mean tokens", "cut off", "not read or not graded")
    for name, entry in results["benchmarks"].items():
        tokens, truncated = entry["response_tokens"], entry["truncated"]
        odd = [f"{entry['statuses'][status]} {status}" for status in _ODD if entry["statuses"][status]]
        mean = "-" if tokens is None else f"{tokens['mean']:.0f}"
        cut = "-" if truncated is None else f"{100 * truncated:.1f} %"
        table.add_row(name, str(entry["n_problems"]), mean, cut, ", ".join(odd) or "-")
    return table


def _metrics(entry: Mapping[str, Any]) -> list[str]:
    names = ["pass@1", *(f"pass@{k}" for k in entry["pass@k"] if k != "1")]
    return [*names, "maj@n"] if "maj@n" in entry else names


def _metric(entry: Mapping[str, Any], name: str) -> Mapping[str, Any] | None:
    if name == "pass@1":
        return {"value": entry["pass@1"], "ci95": entry["ci95"]}
    return entry["maj@n"] if name == "maj@n" else entry["pass@k"][name.removeprefix("pass@")]


def _cell(measured: Mapping[str, Any] | None) -> str:
    if measured is None:
        return "-"
    low, high = measured["ci95"]
    return f"{100 * measured['value']:.1f}\n{100 * low:.1f}–{100 * high:.1f}"


_NARROW = {"minerva_math": "minerva", "olympiadbench": "olympiad"}  # for 80 columns


def _beside(results: Mapping[str, Any], published: Sequence[Mapping[str, Any]]) -> Any:
    """Pass@1 of this measurement and of the papers on the benchmarks that both have."""
    measured = results["benchmarks"]
    every = list(published[0]["benchmarks"])
    names = [name for name in every if name in measured]
    table = _table("pass@1 beside published rows, percent", "", *(_NARROW.get(name, name) for name in names), "average")
    here = [measured[name]["pass@1"] for name in names]
    table.add_row("measured here", *_percents([*here, _mean(here)]), style="bold")
    model = None
    for row in published:
        if row["model"] != model:
            model = row["model"]
            table.add_section()
            table.add_row(model, style="italic")
        shares = [row["benchmarks"][name] for name in names]
        # As printed where all benchmarks were evaluated: the papers round after averaging.
        average = row["average"] if names == every else _mean(shares)
        table.add_row(f" {row['method']}", *_percents([*shares, average]))
    return table


def _mean(shares: Sequence[float]) -> float:
    return sum(shares) / len(shares)


def _percents(shares: Sequence[float]) -> list[str]:
    return [f"{100 * share:.1f}" for share in shares]
