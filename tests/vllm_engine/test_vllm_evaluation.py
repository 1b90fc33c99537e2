"""`pmpo eval` by lm-eval's vLLM backend: greedy, it gives what the transformers backend gives."""

import json
import sys
from pathlib import Path

import pytest

from serving import run

PROBLEMS = 64
ENGINE = "enforce_eager=true,max_model_len=128"


@pytest.fixture(scope="module")
def base(vllm):
    """The model that `pmpo train` starts from: it solves some problems and not others."""
    from pmpo.runs.base_model import base_model

    return base_model().path


@pytest.fixture(scope="module")
def evaluated(base, environ, tmp_path_factory):
    """{backend: (results, completions)}"""
    import pyarrow.parquet as parquet

    found = {}
    for backend, options in (("hf", []), ("vllm", ["--model_args", ENGINE])):
        folder = tmp_path_factory.mktemp(backend)
        asked = f"--benchmark sums --limit {PROBLEMS} --temperature 0 --max_new_tokens 40 --dtype float32".split()
        asked += ["--backend", backend, "--output_dir", folder]
        run([Path(sys.executable).parent / "pmpo", "eval", "--model", base, *asked, *options], environ)
        rows = parquet.read_table(next(folder.rglob("*.parquet"))).to_pydict()
        found[backend] = json.loads((folder / "results.json").read_text()), rows
    return found


def test_same_answers_as_transformers(evaluated, table):
    (hf, by_hf), (engine, by_engine) = evaluated["hf"], evaluated["vllm"]
    equal = sum(a == b for a, b in zip(by_hf["completion"], by_engine["completion"], strict=True))
    scores = [one["benchmarks"]["sums"]["pass@1"] for one in (hf, engine)]
    table.append(
        ("pmpo eval of the built-in base model, greedy, float32",
         f"equal completions {equal} of {PROBLEMS}; pass@1 {scores[0]:.3f} by transformers, {scores[1]:.3f} by vLLM")
    )  # fmt: skip
    assert equal == PROBLEMS and 0 < scores[0] == scores[1] < 1
    for column in ("status", "tokens", "truncated"):
        assert by_hf[column] == by_engine[column]
