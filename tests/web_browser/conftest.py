"""Headless Chromium for the tests of pages, which `make browser` installs and runs; elsewhere they skip."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from looking import FLAGS, Opened, chromium

SCREENSHOTS = "PMPO_SCREENSHOTS"
"""Folder for pictures of the pages; without it no page is opened, since that takes minutes."""


@pytest.fixture(scope="session")
def browser():
    """Playwright's browser, one for all tests; every page gets a context of its own in it."""
    if SCREENSHOTS not in os.environ:
        pytest.skip(f"`make browser` looks at pages; by hand: {SCREENSHOTS}=FOLDER pytest tests/web_browser")
    playwright = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed: make browser")
    path = chromium()
    if path is None:
        pytest.skip("Chromium is not installed: make browser")
    with playwright.sync_playwright() as started:
        found = started.chromium.launch(executable_path=path, args=list(FLAGS))
        yield found
        found.close()


@pytest.fixture
def look(browser) -> Iterator[Callable[..., Opened]]:
    """`look(path, size, **how)` opens a page as `Opened` does and closes it after the test."""
    opened: list[Opened] = []

    def look_at(path: Path, *arguments, **how) -> Opened:
        opened.append(Opened(browser, path, *arguments, **how))
        return opened[-1]

    yield look_at
    for one in opened:
        one.close()


@pytest.fixture(scope="session")
def screenshots() -> Path:
    """Where pictures for people go."""
    folder = Path(os.environ[SCREENSHOTS])
    folder.mkdir(parents=True, exist_ok=True)
    return folder
