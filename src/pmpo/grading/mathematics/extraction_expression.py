"""Expressions in prose: whether a text is prose, what markup says nothing, and the last expression of a text."""

import re

from pmpo.grading.mathematics.scales import changes_number

DIGIT = "[0-9０-９]"
"""The digits that may stand for a number: full-width ones are common in Chinese and Japanese text."""

FORMULA = re.compile(
    r"\$\$([^$]{1,400})\$\$|\$([^$\n]{1,400})\$|\\\(([^\n]{1,400}?)\\\)|\\\[(.{1,400}?)\\\]", re.DOTALL
)
_NUMBER = re.compile(
    rf"(?<![0-9A-Za-z_.])[-−+－＋]?(?:\\?\$)?[-−]?(?:{DIGIT}{{1,3}}(?:[,，]{DIGIT}{{3}}){{1,300}}(?!{DIGIT})"
    rf"(?:[.．]{DIGIT}{{1,5000}})?|{DIGIT}{{1,5000}}(?:[.．]{DIGIT}{{0,5000}})?|\.{DIGIT}{{1,5000}})"
    rf"(?:[eE][-+]?[0-9]{{1,9}}(?![0-9A-Za-z_])|/{DIGIT}{{1,5000}}(?![0-9A-Za-z_]))?(?:\s?\\?[%％])?"
)
_LETTERS = (  # of scripts that are no mathematics: not Latin, Greek, superscripts, fractions, styled letters
    r"[^\W\d_A-Za-z²³¹¼-¾\u0370-\u03ff\u2070-\u218f\U0001d400-\U0001d7ff]"
)
_PROSE = re.compile(rf"(?<![\\A-Za-z{{])[A-Za-z]{{4,}}|{_LETTERS}")
_MARKUP = re.compile(r"\\(?:text\w{0,9}|mbox|mathrm)\s?\{[^{}]{0,200}\}|\\[A-Za-z]{1,30}")
_BOLD = re.compile(r"(?<![\w)\]}*])(\*\*|__)(?=[^\s*])((?:(?!\1).){1,400})(?<=[^\s*])\1(?![\w(\\{+*-])", re.DOTALL)
_WRAPPED = re.compile(r"([*_]{1,3})(?=[^\s*_])(?P<inner>[^*_]{1,400})(?<=\S)\1")
_QUOTED = re.compile(r"[\"'“«「](?P<inner>[^\"'“”«»「」]{1,400})[\"'”»」]")
_ORNAMENTS = re.compile(
    r"\A(?:[\u2600-\u27bf\U0001f300-\U0001faff\ufe0f]\s{0,9})+|(?:\s{0,9}[\u2600-\u27bf\U0001f300-\U0001faff\ufe0f])+\Z"
)
_FENCE = re.compile(r"`++(?:(?<=```)[A-Za-z]{0,20}+\n)?|</?(?:b|i|u|em|strong|code)>")
_TITLE = re.compile(r"#{1,6}\s+")
_OPENS = re.compile(r"(?:it|its|it['’]s|so|we|he|she|i|the|and|or|to|get|has),?\s", re.IGNORECASE)  # a short sentence
_OTHER_WORDS = re.compile(
    r"(?P<value>.*?[0-9０-９)\]}$%])\s?(?P<words>[^\W\d_][^0-9０-９\\${}=+*/^<>]{0,100})", re.DOTALL
)
_NEXT_WORD = re.compile(r"\s?([^\W\d_]{1,30})")
_LETTER = re.compile(_LETTERS)


def is_prose(text: str) -> bool:
    """Whether words stand in a text outside of LaTeX's commands: four Latin letters, or one of another script."""
    return _PROSE.search(_MARKUP.sub(" ", text) if "\\" in text else text) is not None


def plain(text: str) -> str:
    """An answer without Markdown or HTML: no code span, bold, emphasis, emoji or quotes around. "9**9" stays.

    >>> plain("**65**"), plain("`65`"), plain("**3** and **4**"), plain("9**9")
    ('65', '65', '3 and 4', '9**9')
    """
    if "`" in text or "<" in text:
        text = _FENCE.sub("", text)
    text = text.strip()
    if "**" in text or "__" in text:
        text = _BOLD.sub(r"\2", text)
    if text.startswith("\\[") and text.find("\\]") == len(text) - 2:  # inside a matrix "\\[" could be something else
        text = text[2:-2].strip()
    if not text.isascii():
        text = _ORNAMENTS.sub("", text)
    found = _WRAPPED.fullmatch(text) or _QUOTED.fullmatch(text)
    return found["inner"] if found else text


def words_as_text(answer: str) -> str:
    """An answer with the words of another script behind its number as text: "65 яблок" becomes "65\\text{ яблок}".

    Words that change the number ("5万", "5 тысяч") stay as they are.
    """
    if answer.isascii():
        return answer
    found = _OTHER_WORDS.fullmatch(answer)
    if found is None or not _LETTER.search(found["words"]) or changes_number(found["words"]):
        return answer
    return f"{found['value']}\\text{{ {found['words'].strip(' .。')}}}"


def whole(text: str) -> str | None:
    """The text itself where it is one short line without prose."""
    text = text.strip()
    text = plain(text.removeprefix(found.group()) if (found := _TITLE.match(text)) else text)
    return None if not text or len(text) > 400 or "\n" in text or is_prose(text) or _OPENS.match(text) else text


def last_expression(text: str) -> str | None:
    """The last formula between dollar signs, or the last number outside one, whichever ends later; with the word
    after it where that makes it another number, "65\\text{ тысяч}"."""
    best, best_end = None, 0
    for found in FORMULA.finditer(text):
        inside = next(group for group in found.groups() if group is not None)
        if not is_prose(inside):  # "$5 and then $6" is money, not a formula
            best, best_end = inside.strip(), found.end()
    for found in _NUMBER.finditer(text, best_end):
        best, best_end = found.group(), found.end()
    word = _NEXT_WORD.match(text, best_end)
    return f"{best}\\text{{ {word[1]}}}" if best and word and changes_number(word[1]) else best
