"""The folder of a study. One process at a time writes in it.

study.yaml       the study as it was settled; more objectives, cells and seeds may come, nothing may change
results.jsonl    one row a run, appended when it has ended, whatever became of it
runs/NAME/       the run's own folder; result.json in it is the row that results.jsonl has or is about to get
table.csv, table.md
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

from pmpo.comparison.results import RunResult, from_row, read_results
from pmpo.comparison.study import PlannedRun, Study, read_study, run_key
from pmpo.foundation.errors import InputError
from pmpo.foundation.files import plain, write_json, write_whole

RESULT = "result.json"
ResultKey = str


class StudyFolder:
    """What is in a study's folder.

    Attributes:
        path: of the folder.
        results: one a run, by its key, in the order in which they ended.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.rows = path / "results.jsonl"
        self.results: dict[ResultKey, RunResult] = {}
        self._earlier: str | None = None  # study.yaml before this study was settled in it

    def run_folder(self, run: PlannedRun) -> Path:
        return self.path / "runs" / run.name

    def begin(self, study: Study) -> Study:
        """Take in what is there, and write study.yaml; the folder must be locked.

        Returns: the study with what the folder's has more.
        Raises: InputError when the folder holds another study, with the difference.
        """
        file = self.path / "study.yaml"
        if file.is_file():
            try:
                study = study.joined(read_study(file))
            except InputError as error:
                raise InputError(
                    f"The folder {self.path} holds another study: {error}. Give another --output_dir, or the study "
                    "that it was begun with; more objectives, seeds and cells may be added to that."
                ) from error
        elif self.rows.exists():
            raise InputError(f"The folder {self.path} holds results.jsonl of no study; give another --output_dir.")
        self._read()
        self._earlier = file.read_text(encoding="utf-8") if file.is_file() else None
        self._write_study(study)
        return study

    @contextlib.contextmanager
    def unchanged_if_refused(self) -> Iterator[None]:
        """While settings are checked: a study that is refused leaves no study.yaml in the way of the corrected one."""
        try:
            yield
        except InputError:
            file = self.path / "study.yaml"
            file.unlink() if self._earlier is None else write_whole(file, self._earlier)
            raise

    def _read(self) -> None:
        if not self.rows.is_file():
            return
        found = read_results(self.rows)
        self.results = {run_key(one.objective, one.settings, one.seed): one for one in found}
        text = self.rows.read_bytes()
        if text and not text.endswith(b"\n"):  # a line that a kill has cut: the next one must not be glued to it
            self._rewrite()

    def _write_study(self, study: Study) -> None:
        import yaml

        head = "# The study of this folder, as it was settled: `pmpo compare --study THIS_FILE` goes on with it.\n"
        text = head + yaml.safe_dump(plain(study.to_mapping()), sort_keys=False, allow_unicode=True)
        write_whole(self.path / "study.yaml", text)

    def _rewrite(self) -> None:
        write_whole(self.rows, "".join(f"{_line(one)}\n" for one in self.results.values()))

    def collect(self, runs: Iterable[PlannedRun]) -> None:
        """Add rows of runs that had ended when the study was killed before it had written them down."""
        for run in runs:
            if run.key not in self.results:
                result = ended(self.run_folder(run))
                if result is not None:
                    self.add(result)

    def add(self, result: RunResult) -> None:
        """Append a row; on disk when this returns."""
        with self.rows.open("ab", buffering=0) as file:
            file.write(f"{_line(result)}\n".encode())
            os.fsync(file.fileno())
        self.results[run_key(result.objective, result.settings, result.seed)] = result

    def put(self, results: Iterable[RunResult]) -> None:
        """Add rows, or put them in the place of those of the same run."""
        self.results |= {run_key(one.objective, one.settings, one.seed): one for one in results}
        self._rewrite()

    def forget(self, statuses: Collection[str]) -> int:
        """Leave out the rows with these statuses, and their folders, so that they are run again.

        Returns: how many.
        """
        left_out = {key: one for key, one in self.results.items() if one.status in statuses and self._own(one)}
        if left_out:
            for one in left_out.values():  # first the folder, whose result would be collected again
                shutil.rmtree(self.path / one.folder, ignore_errors=True)
            self.results = {key: one for key, one in self.results.items() if key not in left_out}
            self._rewrite()
        return len(left_out)

    def _own(self, one: RunResult) -> bool:
        return one.folder.startswith("runs/")


def ended(folder: Path) -> RunResult | None:
    """The result in a run's folder; None when the run has not ended."""
    try:
        return from_row(json.loads((folder / RESULT).read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None


def write_result(folder: Path, result: RunResult) -> None:
    """result.json: from now on the run counts as done."""
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / RESULT, result.to_row())


def _line(result: RunResult) -> str:
    return json.dumps(plain(result.to_row()), allow_nan=False)
