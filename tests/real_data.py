"""The real problems, where they are: in the folder $PMPO_DATA, else in `<any folder>/data` beside the checkout."""

import json
import os
from functools import cache
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[1]


@cache
def folder() -> Path | None:
    """The folder with gsm8k.jsonl, aime24.jsonl and the others, or None."""
    if named := os.environ.get("PMPO_DATA"):
        return Path(named)
    return next((path.parent for path in CHECKOUT.parent.glob("*/data/gsm8k.jsonl")), None)


@cache
def _rows(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line]


def real_rows(name: str) -> list[dict]:
    """The rows {"problem", "answer"} of gsm8k, aime24, amc, math500, minerva_math, olympiadbench; skips when absent."""
    path = (folder() or CHECKOUT) / f"{name}.jsonl"
    if not path.is_file():
        pytest.skip(f"there is no {path.name} here (set PMPO_DATA to its folder)")
    return _rows(path)
