"""Problems from a file, a saved data set or the hub, as one table with the columns `prompt` and `answer`."""

import csv
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pmpo.tasks.errors import InputError, nearest

if TYPE_CHECKING:
    from datasets import Dataset

SUFFIXES = (".jsonl", ".json", ".parquet", ".csv")
_RESERVED = ("prompts", "completions", "completion_ids", "trainer_state", "log_extra", "log_metric")
"""Names that TRL passes to reward functions itself; a data set's own column would collide with them."""


class HubUnreachableError(InputError):
    """A data set of the hub could not be fetched. A dry run reports it and goes on; a real run stops."""


@dataclass(frozen=True)
class ProblemSource:
    """Where problems come from and which columns hold them.

    Attributes:
        location: a file (.jsonl, .json, .parquet, .csv), a folder written by `Dataset.save_to_disk`, or a hub id
            "owner/name".
        config: the hub data set's configuration ("main"), or None.
        split: the split to take from a hub data set or a saved `DatasetDict`; single files have none.
        problem_column: the column with the problem's text.
        answer_column: the column with the reference answer (text, number, or a list of accepted forms); None when the
            reward function needs none.
    """

    location: str
    config: str | None = None
    split: str = "train"
    problem_column: str = "problem"
    answer_column: str | None = "answer"


def load_problems(source: ProblemSource) -> "Dataset":
    """The problems of `source`, one row each, in the source's order.

    Returns: a `datasets.Dataset` with `prompt` (the problem's text, not yet in any template), `answer` (unless
        `answer_column` is None) and every other column of the source. A column whose name TRL or this function needs
        for itself is kept as `source_<name>`.
    Raises: InputError when there is nothing at the location, a column is missing, the data set is empty, or rows lack a
        problem or an answer; HubUnreachableError when a hub data set cannot be fetched.
    """
    return with_standard_columns(open_table(source), source)


def open_table(source: ProblemSource) -> "Dataset":
    """The rows at a location with the columns that they have there.

    Raises: InputError when there is nothing at the location or it cannot be read; HubUnreachableError when a hub data
        set cannot be fetched.
    """
    path = Path(source.location).expanduser()
    if path.is_file():
        return _from_file(path)
    if path.is_dir():
        return _from_folder(path, source.split)
    if looks_like_a_path(source.location):
        raise InputError(_no_such_file(path))
    return _from_hub(source)


def looks_like_a_path(location: str) -> bool:
    """Whether the text can only be meant as a path: "./x", "~/x", "/x", "a/b/c", or a known suffix; "owner/name" is not
    one."""
    return location.startswith((".", "~", "/")) or location.count("/") > 1 or location.endswith(SUFFIXES)


def _no_such_file(path: Path) -> str:
    siblings = [p.name for p in path.parent.iterdir()] if path.parent.is_dir() else []
    where = "its folder exists" if path.parent.is_dir() else f"there is no folder {path.parent} either"
    return f"There is no data set at {path} ({where}).{nearest(path.name, siblings)}"


def _from_file(path: Path) -> "Dataset":
    import pyarrow.parquet
    from datasets import Dataset

    if path.suffix == ".parquet":
        return Dataset(pyarrow.parquet.read_table(path))
    if path.suffix in (".jsonl", ".json"):
        rows = read_json_rows(path)
    elif path.suffix == ".csv":
        # Every value stays text: a parser that guesses types turns the answer "025" into 25.
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = list(csv.DictReader(file))
    else:
        raise InputError(f"{path} ends in {path.suffix!r}; give a {', '.join(SUFFIXES[:-1])} or {SUFFIXES[-1]} file.")
    return table(rows)


def read_json_rows(path: Path) -> list[dict[str, Any]]:
    """The objects of a .jsonl file, or of the list in a .json file.

    Raises: InputError, naming the line, for what is not JSON or holds anything but objects.
    """
    return _read_json_lines(path) if path.suffix == ".jsonl" else _read_json(path)


def _read_json_lines(path: Path) -> list[dict[str, Any]]:
    rows = []
    for number, line in enumerate(path.read_text(encoding="utf-8-sig").split("\n"), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except json.JSONDecodeError as error:
            raise InputError(f"Line {number} of {path} is not JSON ({error.msg} at column {error.colno}).") from error
        if not isinstance(row, dict):
            raise InputError(
                f'Line {number} of {path} holds a {type(row).__name__}; write an object, {{"problem": …}}.'
            )
        rows.append(row)
    return rows


def _read_json(path: Path) -> list[dict[str, Any]]:
    try:
        rows = json.loads(path.read_text(encoding="utf-8-sig"))
    except json.JSONDecodeError as error:
        raise InputError(
            f"{path} is not JSON ({error.msg} in line {error.lineno}). If it holds one object a line, name it .jsonl."
        ) from error
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise InputError(f'{path} must hold a list of objects, [{{"problem": …, "answer": …}}, …].')
    return rows


def table(rows: Sequence[dict[str, Any]]) -> "Dataset":
    """Rows as a table; a column whose values share no type becomes text (JSON where the value is not text already)."""
    import pyarrow
    from datasets import Dataset

    columns: dict[str, list[Any]] = {}
    for name in dict.fromkeys(key for row in rows for key in row if key is not None):
        values = [row.get(name) for row in rows]
        try:
            pyarrow.array(values)
        except (pyarrow.ArrowInvalid, pyarrow.ArrowTypeError, pyarrow.ArrowNotImplementedError):
            values = _as_texts(values)
        columns[name] = values
    return Dataset.from_dict(columns)


def _as_texts(values: list[Any]) -> list[Any]:
    if any(isinstance(value, list) for value in values):  # "18" beside ["18", "18.0"]: every answer is a list of forms
        return [None if v is None else [str(x) for x in (v if isinstance(v, list) else [v])] for v in values]
    return [v if v is None or isinstance(v, str) else json.dumps(v, ensure_ascii=False) for v in values]


def _from_folder(path: Path, split: str) -> "Dataset":
    from datasets import DatasetDict, load_from_disk

    try:
        loaded = load_from_disk(str(path))
    except Exception as error:  # whatever a damaged or foreign folder makes the library raise
        files = sorted(p.name for p in path.iterdir() if p.suffix in SUFFIXES)
        hint = f" It holds {', '.join(files[:5])}: give the path of one of them." if files else ""
        raise InputError(f"The folder {path} was not written by `Dataset.save_to_disk`.{hint}") from error
    if not isinstance(loaded, DatasetDict):
        return loaded
    if split not in loaded:
        raise InputError(
            f"The data set {path} has no split {split!r}; it has {', '.join(loaded)}.{nearest(split, loaded)}"
        )
    return loaded[split]


def _from_hub(source: ProblemSource) -> "Dataset":
    from datasets import load_dataset

    try:
        return load_dataset(source.location, source.config, split=source.split)
    except (ValueError, FileNotFoundError) as error:
        text = str(error).strip().split("\n")[0]
        if "config" in text.lower() or "split" in text.lower():
            raise InputError(f"The hub's data set {source.location!r} cannot be opened: {text}") from error
        raise HubUnreachableError(_unreachable(source.location, text)) from error
    except OSError as error:  # no network, no permission; the hub client's errors derive from OSError
        raise HubUnreachableError(_unreachable(source.location, str(error).strip().split("\n")[0])) from error


def _unreachable(location: str, reason: str) -> str:
    return (
        f"{location!r} is no file or folder here, and the hub did not give a data set of that name ({reason}). "
        "Check the spelling and the connection, or give the path of a .jsonl, .json, .parquet or .csv file."
    )


def with_standard_columns(dataset: "Dataset", source: ProblemSource) -> "Dataset":
    if len(dataset) == 0:
        raise InputError(f"The data set {source.location} is empty: it has no rows to train on.")
    wanted = {"prompt": source.problem_column, "answer": source.answer_column}
    values: dict[str, Any] = {}
    for standard, column in wanted.items():
        if column is None:
            continue
        if column not in dataset.column_names:
            flag = "problem_column" if standard == "prompt" else "answer_column"
            raise InputError(
                f"The data set {source.location} has no column {column!r}; its columns are "
                f"{', '.join(dataset.column_names)}.{nearest(column, dataset.column_names)} Name it with --{flag}."
            )
        values[standard] = dataset[column][:]
    _check_present(values, source)
    taken = {**{name: c for name, c in wanted.items() if c is not None and c != name}, **dict.fromkeys(_RESERVED)}
    clashes = {name: f"source_{name}" for name in dataset.column_names if name in taken}
    dataset = dataset.rename_columns(clashes) if clashes else dataset
    for standard, column in values.items():
        if standard not in dataset.column_names:
            dataset = dataset.add_column(standard, column)
    return dataset


def _check_present(values: dict[str, Any], source: ProblemSource) -> None:
    """Refuse rows without a problem's text or without an answer, naming them (rows count from 1)."""
    missing = [i for i, text in enumerate(values["prompt"], 1) if not isinstance(text, str) or not text.strip()]
    if missing:
        raise InputError(
            f"{_rows(missing)} of {source.location} ha{'s' if len(missing) == 1 else 've'} no text in the column "
            f"{source.problem_column!r}; remove or fill them."
        )
    missing = [i for i, a in enumerate(values.get("answer", []), 1) if a is None or a == "" or a == []]
    if missing:
        raise InputError(
            f"{_rows(missing)} of {source.location} ha{'s' if len(missing) == 1 else 've'} no value in the column "
            f"{source.answer_column!r}; remove or fill them."
        )


def _rows(numbers: list[int]) -> str:
    shown = ", ".join(map(str, numbers[:5]))
    return f"Row{'s' if len(numbers) > 1 else ''} {shown}" + (
        f" and {len(numbers) - 5} more" if len(numbers) > 5 else ""
    )
