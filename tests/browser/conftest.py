"""Headless Chromium for tests of pages. Without it, or without Playwright, they skip: `make browser` installs both."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from looking import FLAGS, Opened, chromium


@pytest.fixture(scope="session")
def browser():
    """Playwright's browser, one for all tests; every page gets a context of its own in it."""
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
def screenshots(tmp_path_factory) -> Path:
    """Where pictures for people go: $PMPO_SCREENSHOTS, or a temporary folder."""
    given = os.environ.get("PMPO_SCREENSHOTS")
    folder = Path(given) if given else tmp_path_factory.mktemp("screenshots")
    folder.mkdir(parents=True, exist_ok=True)
    return folder
