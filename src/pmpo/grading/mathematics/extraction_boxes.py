"""The last `\\boxed{…}` or `\\fbox{…}` of a text, also "\\boxed 5". Linear in the length, whatever the text.

Empty boxes are passed over. A box inside a box is no answer of its own where more than words stand before it:
`\\boxed{2\\cdot\\boxed{3}}` says 2·3. A minus sign before a box belongs to it. A last box that is never closed was cut
off, and there is no answer, unless the box before it begins with what stands in it.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from pmpo.grading.mathematics.latex import LONGEST_ANSWER, closing

_BOX = re.compile(r"\\(?:boxed|fbox)(?![A-Za-z])\s{0,20}")
_BARE = re.compile(
    r"\$?\s{0,20}(-?(?:\\(?!boxed|fbox)[A-Za-z]{1,20}(?:\{[^{}]{0,200}\}){0,2}|[0-9A-Za-z][0-9A-Za-z.,/]{0,200}))"
)
_JOINT = re.compile(
    r"(?:\s|[,;$&]|\\quad|\\qquad|\\[,;! ]|\band\b|\bor\b|\\text\{\s{0,9}(?:and|or)\s{0,9}\}"
    r"|(?<![A-Za-z\\])[A-Za-z](?:_\{?\w\}?)?\s{0,9}=){1,40}"
)
_AFTER = re.compile(r"\s{0,9}(\\?%|％|\^\s?\\circ|\^\{\s?\\circ\s?\}|°)")
_MINUS = re.compile(r"(?:=\s{0,9}[-−]\s{0,9}|(?:\A|[\s$({\[,:])[-−])\Z")  # a sign, where "- " would be a dash
_SIMPLE = re.compile(r"[0-9A-Za-z][0-9A-Za-z.,/]*|\\[A-Za-z]+(?:\{[^{}]*\}){0,2}")
_TEXT = re.compile(r"\\(?:text\w{0,9}|mbox|mathrm)\s?\{[^{}]*\}")
_ONLY_WORDS = re.compile(r"(?:[\s.,:;{}$=]|[^\W\d_]{2,}+)*")
_PUNCTUATION = re.compile(r"[\s.,:;{}$]*")
_BRACE = re.compile(r"\\.|[{}]", re.DOTALL)
_MOST_EMPTY = 50
_MOST_JOINED = 64


@dataclass(frozen=True, slots=True)
class Boxed:
    """The `text` of the last box (None: there is none, and `problem` says why), and the boxes that the text joins
    directly, "\\boxed{1} and \\boxed{2}", as one list (`joined`, None for a single one)."""

    text: str | None
    joined: str | None = None
    problem: str = ""


def box_starts(text: str) -> list[int]:
    """Where the box commands of a text start."""
    return [found.start() for found in _BOX.finditer(text)] if "\\boxed" in text or "\\fbox" in text else []


def last_box(text: str, starts: Sequence[int]) -> Boxed:
    """The answer of the last box.

    Args:
        starts: what `box_starts` gives of the text; not empty.
    """
    for last in range(len(starts) - 1, max(-1, len(starts) - 1 - _MOST_EMPTY), -1):
        content, end = _content(text, starts[last])
        if content is None or _unwrapped(content):
            break  # an empty box is a mention of boxes, not an answer
    else:
        return Boxed(None, problem="its boxes are empty")
    if content is None:
        return _unclosed(text, starts[: last + 1])
    if (outer := _outermost(text, starts, last)) is not None:
        before = _TEXT.sub(" ", text[_behind(text, starts[outer[0]]) : starts[last]])
        if not (_ONLY_WORDS.fullmatch(before) and _PUNCTUATION.fullmatch(text, end, outer[1])):
            last, end = outer
            content = _unwrapped(text[_behind(text, starts[last]) : end])
    if suffix := _AFTER.match(text, end):
        content += suffix[1]
    if _follows_minus(text, starts[last]):
        content = f"-{content}" if _SIMPLE.fullmatch(content) else f"-({content})"
    return Boxed(content, _joined(text, starts[: last + 1], content))


def _follows_minus(text: str, at: int) -> bool:
    """Whether a minus sign stands before the box that starts at `at`."""
    first = max(0, at - 20)
    if text.find("-", first, at) < 0 and text.find("−", first, at) < 0:
        return False
    return _MINUS.search(text, first, at) is not None


def _behind(text: str, at: int) -> int:
    """The place behind the box command that starts at `at`: its brace."""
    found = _BOX.match(text, at)
    return found.end() if found else at


def _content(text: str, at: int) -> tuple[str | None, int]:
    """What is in the box that starts at `at` (None: it is not closed), and where the box ends."""
    start = _behind(text, at)
    if start < len(text) and text[start] == "{":
        end = closing(text, start)
        return (None, len(text)) if end < 0 else (text[start + 1 : end].strip(), end + 1)
    bare = _BARE.match(text, start)
    return (bare[1].rstrip(".,"), bare.end()) if bare else ("", start)


def _outermost(text: str, starts: Sequence[int], last: int) -> tuple[int, int] | None:
    """The index and the end of the outermost closed box around the last one; None where that stands in no other."""
    if last == 0 or starts[last] - starts[last - 1] > LONGEST_ANSWER:
        return None
    first = starts[last] - LONGEST_ANSWER
    opened = {}  # where a box's own brace stands -> which box it is
    for index in range(last, -1, -1):
        if starts[index] < first:
            break
        opened[_behind(text, starts[index])] = index
    earliest = starts[min(opened.values())]
    stack: list[int | None] = []
    outer = None
    for found in _BRACE.finditer(text, earliest, earliest + 2 * LONGEST_ANSWER):
        if found.group() == "{":
            stack.append(opened.get(found.start()))
        elif found.group() == "}" and stack:
            box = stack.pop()
            if box is not None and box < last and found.start() > starts[last]:
                outer = (box, found.end())
        if not stack and found.start() > starts[last]:
            break
    return outer


def _unwrapped(group: str) -> str:
    """The text of a box without the boxes inside, and without braces around it all."""
    if "\\" not in group and "{" not in group:
        return group
    group = _BOX.sub("", group).strip()
    if not group.startswith("{"):
        return group
    partner, stack = {}, []
    for found in _BRACE.finditer(group):
        if found.group() == "{":
            stack.append(found.start())
        elif found.group() == "}" and stack:
            partner[stack.pop()] = found.start()
    start, end = 0, len(group)
    while start < end and partner.get(start) == end - 1:
        start, end = start + 1, end - 1
        while start < end and group[start].isspace():
            start += 1
        while start < end and group[end - 1].isspace():
            end -= 1
    return group[start:end]


def _unclosed(text: str, starts: Sequence[int]) -> Boxed:
    start = _behind(text, starts[-1]) + 1
    if len(text) - start > LONGEST_ANSWER:
        return Boxed(text[start : start + LONGEST_ANSWER + 1])  # which is too long to be read
    if len(starts) > 1:
        content, _ = _content(text, starts[-2])
        if content and content.startswith(text[start:].strip()):
            return Boxed(content)
    return Boxed(None, problem="its last box is never closed; the text was probably cut off")


def _joined(text: str, starts: Sequence[int], content: str) -> str | None:
    """The last boxes as one list, where nothing but commas, "and", "or" and dollar signs stands between them."""
    contents, start = [content], starts[-1]
    for earlier in reversed(starts[-_MOST_JOINED:-1]):
        if start - earlier > 2000:
            break
        other, end = _content(text, earlier)
        if not other or end > start or not _JOINT.fullmatch(text, end, start):
            break
        contents.append(other)
        start = earlier
    return ", ".join(reversed(contents)) if len(contents) > 1 else None
