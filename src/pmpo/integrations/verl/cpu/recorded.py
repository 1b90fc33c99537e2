"""Recorded completions, replayed instead of sampled: the same rollouts in verl as in another trainer.

A JSONL file with a line for each prompt,

    {"prompt": [5, 17, 9], "completions": [[3, 4, 1], [8, 8, 1]]}

token ids throughout. The first request for that prompt gets the first completion, the second the second, over the
whole run; a prompt may stand in several lines, whose completions follow one another.
"""

import json
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from pmpo.foundation.errors import InputError


class RecordedCompletions:
    """The completions of a file, given out in their order."""

    def __init__(self, path: str | Path) -> None:
        """Raises: InputError when the file is missing, or a line is not of that form."""
        self.path = Path(path)
        self.completions: dict[tuple[int, ...], list[list[int]]] = defaultdict(list)
        self.given: dict[tuple[int, ...], int] = defaultdict(int)
        try:
            lines = self.path.read_text(encoding="utf-8").splitlines()
        except OSError as error:
            raise InputError(f"The recorded completions in {self.path} could not be read: {error}.") from error
        for number, line in enumerate(lines, start=1):
            self._add(number, line)

    def _add(self, number: int, line: str) -> None:
        try:
            entry = json.loads(line)
            prompt, completions = tuple(entry["prompt"]), entry["completions"]
            whole = all(isinstance(token, int) for row in (prompt, *completions) for token in row)
            if not whole or not all(completions):
                raise ValueError("token ids are whole numbers, and a completion has at least one")
        except (ValueError, KeyError, TypeError) as error:
            raise InputError(
                f"Line {number} of {self.path} is no recorded completion ({error!r}); "
                'write {"prompt": [token ids], "completions": [[token ids], ...]}.'
            ) from error
        self.completions[prompt] += completions

    def next(self, prompt: Sequence[int]) -> list[int]:
        """The next completion of this prompt.

        Raises: InputError when the file has none, or no more.
        """
        key = tuple(prompt)
        place = self.given[key]
        if place >= len(self.completions.get(key, ())):
            had = len(self.completions.get(key, ()))
            raise InputError(
                f"{self.path} has {had} completions of the prompt {list(key)}, and one more is asked for. Record one "
                "for every request (rollout.n for each time the prompt is drawn), and turn validation off "
                "(trainer.val_before_train=False trainer.test_freq=-1), which asks too."
            )
        self.given[key] = place + 1
        return self.completions[key][place]
