"""A page in headless Chromium, and what is wrong with it: every check returns sentences, [] when all is well."""

import io
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from PIL import Image, ImageChops

from hostile import MARK

FLAGS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip
DESKTOP, PHONE = (1280, 900), (390, 844)
"""Width and height in CSS pixels."""
CHECKS = (Path(__file__).parent / "in_page.js").read_text(encoding="utf-8")
LISTEN = """
window.heard = new Map();
const add = EventTarget.prototype.addEventListener;
EventTarget.prototype.addEventListener = function (kind, ...rest) {
  if (!heard.has(this)) heard.set(this, new Set());
  heard.get(this).add(kind);
  return add.call(this, kind, ...rest);
};
"""
"""Runs before the page's own scripts and remembers which element listens to what."""


def chromium() -> str | None:
    """The path of a Chromium, None without one."""
    return next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


class Opened:
    """One page in one window.

    Attributes:
        page: Playwright's.
        errors: errors of the console and of scripts so far.
        requests: addresses that the page has asked for beside itself.
    """

    def __init__(self, browser: Any, path: Path, size: tuple[int, int] = DESKTOP, **how: Any) -> None:
        """Open a file.

        Args:
            browser: Playwright's.
            how: of Playwright's `new_context`: color_scheme="dark", reduced_motion="reduce",
                java_script_enabled=False.
        """
        self._context = browser.new_context(viewport={"width": size[0], "height": size[1]}, **how)
        self.page = self._context.new_page()
        self.page.add_init_script(LISTEN)
        self.errors: list[str] = []
        self.requests: list[str] = []
        self.page.on("console", lambda said: self.errors.append(said.text) if said.type in ("error", "warning") else 0)
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("request", lambda asked: self.requests.append(asked.url))
        self.page.on("dialog", lambda dialog: (self.errors.append(f"dialog: {dialog.message}"), dialog.dismiss()))
        self.address = path.resolve().as_uri()
        self.page.goto(self.address)
        self.page.evaluate(f"window.checks = {CHECKS}")
        self._size = size

    def close(self) -> None:
        """Close the window."""
        self._context.close()

    def ask(self, check: str, *arguments: Any) -> Any:
        """One of the checks of `in_page.js`."""
        return self.page.evaluate(f"(given) => checks.{check}(...given)", list(arguments))

    def alone(self) -> list[str]:
        """Errors, what the page loads from elsewhere, and whether a hostile text has run."""
        found = [f"error: {error}" for error in self.errors]
        found += [f"asks for {url[:200]}" for url in self.requests if url.split("#")[0] != self.address]
        return found + (["a hostile text has run"] if self.page.evaluate(f"'{MARK}' in window") else [])

    def whole(self) -> None:
        """Make the window as high as the page, so that nothing is out of sight; unfold what is folded."""
        self.page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
        height = self.page.evaluate("document.documentElement.scrollHeight")
        self.page.set_viewport_size({"width": self._size[0], "height": min(height + 50, 60_000)})

    def legible(self) -> list[str]:
        """Texts below 12 px or a contrast of 4.5, marks below 3."""
        self.whole()
        small = self.ask("smallText", 12)
        faint = [f"faint text {one}" for one in self.ask("faintText", 4.5)]
        return [*small, *faint, *(f"faint mark {one}" for one in self.ask("faintMarks", 3))]

    def figures(self) -> list[str]:
        """Figures without marks, a name, a description or their numbers."""
        return [*self.ask("emptyFigures"), *self.ask("unnamedFigures")]

    def built(self) -> list[str]:
        """Headings out of order, links that lead nowhere, ids used twice."""
        return [*self.ask("headings"), *self.ask("brokenLinks")]

    def tabbing(self, most: int = 3000) -> Iterator[str]:
        """Press the Tab key from the top until it leaves the page; at every stop, what has the focus."""
        page = self.page
        page.evaluate("document.activeElement?.blur(); scrollTo(0, 0); checks.visited.clear()")
        for _ in range(most):
            page.keyboard.press("Tab")
            stop = page.evaluate("checks.visit()")
            if stop is None:
                return
            yield stop

    def unreachable(self) -> list[str]:
        """What answers the mouse and not the keyboard, and what the Tab key should visit and does not."""
        if not list(self.tabbing()):
            return ["the Tab key visits nothing"]
        return [*self.ask("missed"), *self.ask("mouseOnly")]

    def unseen_focus(self) -> list[str]:
        """Kinds of elements that look the same with the keyboard's focus and without it: one of each is tried."""
        found, seen = [], set()
        for stop in self.tabbing():
            kind = self.page.evaluate("checks.kind(document.activeElement)")
            if kind not in seen and not self._changes_with_focus():
                found.append(f"focus cannot be seen: {stop}")
            seen.add(kind)
        return found

    def _changes_with_focus(self) -> bool:
        box = self.page.evaluate(
            """() => {
                const now = document.activeElement;
                now.scrollIntoView({ block: "center", inline: "center", behavior: "instant" });
                const box = now.getBoundingClientRect();
                window.focused = now;
                return [box.x, box.y, box.width, box.height];
            }"""
        )
        x, y = max(0, box[0] - 8), max(0, box[1] - 8)
        width, height = self._size[0], self.page.viewport_size["height"]
        clip = {"x": x, "y": y, "width": min(box[2] + 16, width - x), "height": min(box[3] + 16, height - y)}
        focused = picture(self.page.screenshot(clip=clip))
        self.page.evaluate("focused.blur()")
        plain = picture(self.page.screenshot(clip=clip))
        self.page.evaluate("focused.focus({ focusVisible: true, preventScroll: true })")
        return ImageChops.difference(focused, plain).getbbox() is not None


def picture(png: bytes) -> Image.Image:
    """A screenshot as pixels."""
    return Image.open(io.BytesIO(png)).convert("RGB")
