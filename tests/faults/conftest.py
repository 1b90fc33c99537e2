"""Faults are played in one process that has imported everything; the end of the tests shows what came of each."""

import os
import re

import pytest

from player import Player


def pytest_collection_modifyitems(items):
    """Of all faults a dozen, unless PMPO_ALL_FAULTS is set (`make faults`)."""
    if not os.environ.get("PMPO_ALL_FAULTS"):
        items[:] = [item for item in items if item.get_closest_marker("all_faults") is None]


@pytest.fixture(scope="session")
def player(tmp_path_factory):
    with Player("pmpo", tmp_path_factory.mktemp("faults")) as one:
        yield one


def pytest_terminal_summary(terminalreporter):
    """The table: case, outcome, message."""
    reports = [report for key in ("passed", "failed") for report in terminalreporter.stats.get(key, [])]
    rows = [dict(report.user_properties) for report in reports]
    rows = [row for row in rows if "fault" in row]
    if rows and os.environ.get("PMPO_ALL_FAULTS"):
        terminalreporter.section("faults")
        for row in rows:
            message = re.sub(r"/\S*/", "", row["message"])  # without the folders
            terminalreporter.write_line(f"{row['fault']:<66} {row['outcome']:<18} {message[:150]}")
        exact = sum(row["outcome"].startswith("exact") for row in rows)
        terminalreporter.write_line(f"{exact} of {len(rows)} runs end with the weights of the undisturbed one")
