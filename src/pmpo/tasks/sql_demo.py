"""A small text-to-SQL data set in BIRD's layout, made on the spot: short questions, short queries, five tables.

    pets(name, kind, age) How many pets are older than 7? -> SELECT count(*) FROM pets WHERE age > 7

It shows the whole path of a SQL task without a download; it is no benchmark.
"""

import contextlib
import hashlib
import json
import os
import random
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pmpo.foundation.cache import cache_folder
from pmpo.foundation.errors import InputError
from pmpo.foundation.files import write_whole
from pmpo.tasks.problem import Split

DEMO_SIZE = 1500
_VERSION = 1
_TEST_SHARE = 0.1
_NAMES = (
    *("Ada", "Ben", "Cleo", "Dan", "Eva", "Fay", "Gus", "Hal", "Ida", "Jon", "Kim", "Leo", "Mia", "Ned", "Oda", "Pia"),
    *("Rex", "Sam", "Tom", "Una", "Vic", "Wim", "Xan", "Yan", "Zoe", "Abe", "Bea", "Cal", "Dee", "Eli", "Flo", "Gil"),
    *("Hue", "Ivo", "Jay", "Kai", "Lou", "Max", "Nia", "Oz"),
)


@dataclass(frozen=True)
class _Theme:
    """One table: a name, a category and a number in every row."""

    table: str
    name: str
    category: str
    number: str
    categories: Sequence[str]


_THEMES = (
    _Theme("pets", "name", "kind", "age", ("dog", "cat", "bird", "fish", "frog")),
    _Theme("towns", "town", "land", "size", ("Peru", "Chad", "Iran", "Cuba", "Mali")),
    _Theme("books", "title", "shelf", "pages", ("art", "law", "sea", "war", "tea")),
    _Theme("cars", "model", "color", "price", ("red", "blue", "grey", "pink", "gold")),
    _Theme("songs", "song", "style", "length", ("jazz", "rock", "folk", "soul", "rap")),
)

_Row = tuple[str, str, int]


def make_demo(folder: Path, *, seed: int = 0, count: int = DEMO_SIZE) -> Path:
    """Write the data set: `train.json`, `test.json` and `databases/<db_id>/<db_id>.sqlite`.

    Args:
        folder: is made, whole or not at all; an existing one of the same seed and count is left as it is.
        seed: of the rows of the tables and of the choice of questions.
        count: training questions. The test questions are those of a tenth of all, by a hash of their text, so none of
            them is ever a training question, whatever the seeds.
    Returns: the folder.
    Raises: InputError when there are not so many questions, or the folder cannot be written.
    """
    if (folder / "test.json").is_file():
        return folder
    tables = {theme: _rows(theme, seed) for theme in _THEMES}
    questions = {split: list(_questions(split, tables)) for split in ("train", "test")}
    if not 1 <= count <= len(questions["train"]):
        raise InputError(
            f"The demonstration of text_to_sql with the seed {seed} has {len(questions['train'])} training questions; "
            f"{count} were asked for. Ask for a number from 1 up to that."
        )
    for rows in questions.values():
        random.Random(f"text_to_sql/{seed}").shuffle(rows)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
        try:
            _write(draft, tables, {"train": questions["train"][:count], "test": questions["test"]})
            draft.chmod(0o755)
            with contextlib.suppress(FileExistsError):
                _move(draft, folder)
        finally:
            shutil.rmtree(draft, ignore_errors=True)
    except OSError as error:
        raise InputError(
            f"The demonstration of text_to_sql cannot be written to {folder} ({error}); name another place for it in "
            "the environment variable PMPO_CACHE."
        ) from error
    return folder


def demo_folder(seed: int, count: int) -> Path:
    """Where the demonstration of a seed and count is kept, in the cache folder."""
    return cache_folder() / "text_to_sql" / f"demo-{_VERSION}-seed-{seed}-count-{count}"


def _write(folder: Path, tables: Mapping[_Theme, Sequence[_Row]], questions: Mapping[Split, Sequence[Any]]) -> None:
    """The databases, one of each table, and the questions of each split."""
    for theme, rows in tables.items():
        place = folder / "databases" / theme.table
        place.mkdir(parents=True)
        with contextlib.closing(sqlite3.connect(place / f"{theme.table}.sqlite")) as connection:
            _fill(connection, theme, rows)
    for split, rows in questions.items():
        write_whole(folder / f"{split}.json", json.dumps(rows, indent=1))


def _move(draft: Path, folder: Path) -> None:
    """Rename; where another process was faster, its folder, which is the same, stays."""
    try:
        os.rename(draft, folder)
    except OSError:
        if not (folder / "test.json").is_file():
            raise


def _rows(theme: _Theme, seed: int) -> list[_Row]:
    rng = random.Random(f"text_to_sql/{seed}/{theme.table}")
    return [(name, rng.choice(theme.categories), rng.randint(1, 20)) for name in _NAMES]


def _fill(connection: sqlite3.Connection, theme: _Theme, rows: Sequence[_Row]) -> None:
    with connection:
        connection.execute(
            f"CREATE TABLE {theme.table} ({theme.name} TEXT, {theme.category} TEXT, {theme.number} INTEGER)"
        )
        connection.executemany(f"INSERT INTO {theme.table} VALUES (?, ?, ?)", rows)


def _questions(split: Split, tables: Mapping[_Theme, Sequence[_Row]]) -> Iterator[Mapping[str, str]]:
    """Every question of the split, as rows of BIRD. Questions with nothing or 0 for an answer are left out: too many
    wrong queries would answer them."""
    for theme, rows in tables.items():
        with contextlib.closing(sqlite3.connect(":memory:")) as connection:
            _fill(connection, theme, rows)
            for question, query in _pairs(theme):
                digest = hashlib.sha256(f"{theme.table} {question}".encode()).digest()
                is_test = int.from_bytes(digest[:8], "big") / 2**64 < _TEST_SHARE
                if is_test == (split == "test") and connection.execute(query).fetchall() not in ([], [(0,)], [(None,)]):
                    yield {"question": question, "evidence": "", "SQL": query, "db_id": theme.table}


def _pairs(theme: _Theme) -> Iterator[tuple[str, str]]:
    table, name, category, number = theme.table, theme.name, theme.category, theme.number
    for who in _NAMES:
        for column in (number, category):
            yield f"What is the {column} of {who}?", f"SELECT {column} FROM {table} WHERE {name} = '{who}'"
    for word, function in (("highest", "max"), ("lowest", "min"), ("total", "sum")):
        yield f"What is the {word} {number}?", f"SELECT {function}({number}) FROM {table}"
        for kind in theme.categories:
            condition = f"WHERE {category} = '{kind}'"
            yield (
                f"What is the {word} {number} with {category} {kind}?",
                f"SELECT {function}({number}) FROM {table} {condition}",
            )
    for what, column in (("Which", name), ("How many", "count(*)")):
        for condition, test in _conditions(theme):
            yield f"{what} {table} have {condition}?", f"SELECT {column} FROM {table} WHERE {test}"
    for kind in theme.categories:
        yield (
            f"Which {table} have {category} {kind}, by {number}?",
            f"SELECT {name} FROM {table} WHERE {category} = '{kind}' ORDER BY {number}",
        )


def _conditions(theme: _Theme) -> Iterator[tuple[str, str]]:
    category, number = theme.category, theme.number
    for kind in theme.categories:
        yield f"{category} {kind}", f"{category} = '{kind}'"
    for limit in range(2, 20):
        for word, sign in (("over", ">"), ("under", "<"), ("of", "=")):
            yield f"{number} {word} {limit}", f"{number} {sign} {limit}"
            for kind in theme.categories:
                yield (
                    f"{category} {kind} and {number} {word} {limit}",
                    (f"{category} = '{kind}' AND {number} {sign} {limit}"),
                )
