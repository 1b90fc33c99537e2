"""The text that each token of a completion adds to it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

_HELD_BACK = 8
"""Tokens that may wait for the rest of a character; no character of UTF-8 has more than four bytes."""
_UNFINISHED = "\ufffd"


def token_texts(ids: Sequence[int], decode: Callable[[Sequence[int]], str]) -> list[str]:
    """One text for each token; together they are the text of the completion.

    Decoded one by one, tokens of many tokenizers lose the space before them, or are a part of a character. Each is
    therefore decoded behind the token before it; one that ends within a character gives "", and the token that
    completes it gives the character.

    Args:
        ids: token ids, in their order.
        decode: the tokenizer's, of a few ids at a time.

    >>> letters = {1: b"a", 2: b"\\xc3", 3: b"\\xa9"}
    >>> token_texts([1, 2, 3], lambda ids: b"".join(letters[i] for i in ids).decode(errors="replace"))
    ['a', '', 'é']
    """
    texts: list[str] = []
    start = done = 0  # ids[start:done] are decoded for what they do to the text after them
    for index in range(len(ids)):
        before, now = decode(ids[start:done]), decode(ids[start : index + 1])
        if now.endswith(_UNFINISHED) and index + 1 - done < _HELD_BACK and index + 1 < len(ids):
            texts.append("")
            continue
        texts.append(now[len(before) :])
        start, done = done, index + 1
    return texts
