"""Text from anywhere as text on a page: markup, control characters and broken Unicode are shown, never acted on."""

from __future__ import annotations

import html
import json
import re
from typing import Any

from pmpo.foundation.files import plain

_UNSEEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f"
    "\u3164\ud800-\udfff\ufdd0-\ufdef\ufeff\uffa0\ufff0-\uffff\U000e0000-\U000e0fff]"
)
"""Characters that change how others look, show as nothing or have no place in a file: controls but tab and newline,
marks of direction, zero widths, halves of surrogate pairs, tags."""


def visible(text: str) -> str:
    r"""The text with everything that would not show as itself written out.

    >>> visible("a\x1bb\u202e\ud800")
    'a⟨U+001B⟩b⟨U+202E⟩⟨U+D800⟩'
    """
    return _UNSEEN.sub(lambda found: f"⟨U+{ord(found[0]):04X}⟩", text)


def escape(text: object) -> str:
    """Any text for the content or a quoted attribute of HTML or SVG.

    >>> escape("</script> & \\"x\\"")
    '&lt;/script&gt; &amp; &quot;x&quot;'
    """
    return html.escape(visible(str(text)))


def script_json(data: Any) -> str:
    r"""Data as JSON that may stand in a script element: ASCII, without a character that could end the element.

    >>> script_json({"text": "</script>\u2028", "loss": float("nan")})
    '{"text":"\\u003c/script\\u003e\\u2028","loss":null}'
    """
    text = json.dumps(plain(data), separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
