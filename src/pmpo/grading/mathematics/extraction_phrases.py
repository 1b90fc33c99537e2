"""What a text announces in words: "the answer is 18", "**Final Answer:**", "答案是65", "Ответ: 65".

An announcement is a noun for an answer with a verb, colon or dash behind it, in any of the languages below. What it
announces goes up to the end of its sentence, or of the bold text that it stands in; where it ends its line, the next
line is meant, or all of a list that begins there. The last announcement counts, but for suppositions ("if the answer is
5") and for those with nothing behind them.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from pmpo.grading.mathematics.extraction_expression import FORMULA, last_expression, plain, words_as_text

_ENGLISH = re.compile(
    r"(?:\banswers?|\bfinal\s{1,9}(?:answer|result|value)s?)\b[*_]{0,3}"
    r"(?:\s(?:to|in|for|of|as)\s[^.\n:=?]{1,80}?(?=\s(?:is|are)\s))?"
    r"(?:\s{0,9}(?:\b(?:is|are|equals|=|(?:should|must|would|will)\s{1,9}be|comes\s{1,9}(?:out\s{1,9})?to)(?!\w)"
    r"|[:：=]|[—–](?=\s))"
    r"(?:\s{0,9}\b(?:therefore|thus|simply|exactly|approximately|about|equal\s{1,9}to|then|indeed|clearly)\b){0,3}"
    r"(?:\s{0,9}[:：])?"
    r"|(?<=final\sanswer)(?=[*_]{0,3}\s{0,9}(?:\n|[-−+]?[\d$\\(]))|(?<=final\sanswer\*\*)(?=\s))",
    re.IGNORECASE,
)
_UNSPACED = "答案 答え 答 解答 正解 最终结果 最終結果 답 คำตอบ"
_SPACED = (
    "ответ відповідь отговор одговор απάντηση respuesta resposta réponse reponse risposta antwort lösung ergebnis "
    "endergebnis antwoord svar svaret vastaus válasz răspunsul răspuns odpowiedź odpověď odpoveď cevap yanıt jawaban "
    "jawabannya الجواب الإجابة الاجابة پاسخ جواب תשובה התשובה उत्तर উত্তর"
)
_PHRASES_OF_NOUNS = "đáp án|đáp số|câu trả lời"
_NOUNS = (*_UNSPACED.split(), *_SPACED.split(), *_PHRASES_OF_NOUNS.split("|"))
_ASCII_NOUNS = tuple(noun for noun in _NOUNS if noun.isascii())
_VERBS = (
    r"[:：=]|是|为|為|等于|等於|应为|應為|应该是|應該是|就是|即为?|は、?|은|는|คือ|[—–-](?=\s)"
    r"|(?:es|son|est|sont|é|são|è|sono|ist|sind|lautet|beträgt|is|zijn|är|er|on|este|là|adalah|yaitu|to|jest|brzmi|je|هو|هي"
    r"|است|היא|הוא|है|হলো|είναι|равен|равна|равно|равняется|есть|это|составляет|дорівнює|становить)(?![^\W\d_])"
)
_QUALIFIERS = r"(?:\s(?:finale?|correct[ae]|correta|corretta|definitiva|ostateczna|cuối\scùng))?"
_BARE = re.compile(r"(?:the\s|my\s|our\s)?(?:final\s|correct\s)?(?:answer|result)s?|final\svalue")
_TITLE = re.compile(r"^[ \t]{0,3}(?:#{1,6}[ \t]+|\*\*|__)[^\n]{1,60}$", re.MULTILINE)
_POLITE = re.compile(r"\s?(?:です|である|となります|となる|になります|だ|입니다|이다|이에요|예요|हैं?)[。.]?\Z")
_HEAD = re.compile(
    r"(?:[\s:：*_]*\n[ \t]*(?:[-•>]|#{1,6})[ \t]+[*_]{0,3}|[\s:：*_]*)(?:`{3,}[A-Za-z]{0,20}\n\s*|`)?"  # bullet, fence
)
_ITEMS = re.compile(r"[\s:：*_]*\n(?=[ \t]*(?:[-*•]|[0-9]{1,2}[.)]|\(?[a-z]\))[ \t])")
_ITEM = re.compile(r"[ \t]*(?:[-*•]|[0-9]{1,2}[.)]|\(?[a-z]\))[ \t]+([^\n]*)\n?")
_OPENS_BOLD = re.compile(r"(?:^|[\s:：])\*\*\Z")
_LIST = re.compile(r"(?:\band|\bor|,|、|和|と|\bи|\bили|\by|\bo|\bet|\bou|\bund|\boder)[\s$*\\(\[]*\Z")
_SENTENCE_END = re.compile(
    r"\n|[.!?](?=\s|$|\*)|[。！？；।]|;\s|,?\s(?:because|since|so|as|which|where|when|but|for)\s|,\s(?!and\b|or\b)(?=[a-z]{2,})"
    r"|[,，、]\s?(?=[^\W\d_A-Za-z\u0370-\u03ff])|\s\((?=[a-z]{3,})|</"
)
_SUPPOSED = re.compile(
    r"\b(?:if|whether|suppose|supposing|assume|assuming|unless|(?:might|may|could|would|some)\s(?:think|say|guess|expect))\b"
    r"[^.!?,\n]*\Z",
    re.IGNORECASE,
)
_DOUBTFUL = re.compile(r"\b(?:not|never|neither|nor|than|between|least|most|either|unless|except)\b|n't", re.IGNORECASE)
_LETTER = re.compile(r"[^\W\d_]")
_WORD = re.compile(r"(?<!\\)\b[A-Za-z]{2,}|[^\W\d_A-Za-z\u0370-\u03ff]{2,}")
_LONGEST = 2000
_MOST_TRIED = 20


@dataclass(frozen=True, slots=True)
class Announced:
    """What is announced, and where the announcement starts."""

    text: str
    start: int


def announced_backwards(text: str, *, lenient: bool) -> Iterator[Announced]:
    """What the announcements of a text give, the last one first; only the last ones are looked at.

    Args:
        lenient: where an announcement is followed by a whole sentence, take that sentence's last expression.
    """
    spans = sorted(_announcements(text), key=lambda span: span[1])
    for start, end in reversed(spans[-_MOST_TRIED:]):
        if _is_supposed(text, start):
            continue
        if found := announced_at(text, start, end, lenient=lenient):
            yield Announced(found, start)


def _is_supposed(text: str, start: int) -> bool:
    """Whether a supposition leads up to `start`. It does not reach over a comma or the end of a sentence, so that what
    stands before the last one need not be searched."""
    first = max(0, start - 80)
    first = max(first, *(text.rfind(sign, first, start) + 1 for sign in ".!?,"))
    return _SUPPOSED.search(text, first, start) is not None


def last_announced(text: str, *, lenient: bool) -> Announced | None:
    """The first of `announced_backwards`, None where there is none."""
    return next(announced_backwards(text, lenient=lenient), None)


def announced_at(text: str, start: int, end: int, *, lenient: bool) -> str | None:
    """What follows the announcement from `start` to `end`; None where that is nothing."""
    rest = text[end : end + _LONGEST]
    if listed := _items(rest):
        return listed
    head = found.group() if (found := _HEAD.match(rest)) else ""
    rest = rest[len(head) :]
    bold_before = text.count("**", text.rfind("\n", 0, start) + 1, start) % 2 == 1
    opens_bold = _OPENS_BOLD.search(head) is not None
    if bold_before and "**" not in text[start:end] + head and "\n" not in head:
        rest = rest.partition("**")[0]
    elif opens_bold:
        rest = f"**{rest}"
    formula = FORMULA.match(rest, 2 * opens_bold)  # "$5$ and $7$": the whole list; "$5$ apples": the unit too
    ending = _SENTENCE_END.search(rest, formula.end() if formula else 0)
    said = _POLITE.sub("", plain(rest[: ending.start() if ending else len(rest)]).rstrip("*_"))
    if lenient and ("\n" in head or ":" in text[start:end] + head) and _is_sentence(said):
        return _of_sentence(said)
    return words_as_text(said.strip()) or None


def _items(rest: str) -> str | None:
    """The items of a Markdown list in the lines below an announcement, as one list; None where there is none."""
    found = _ITEMS.match(rest)
    items, at = [], found.end() if found else len(rest)
    while item := _ITEM.match(rest, at):
        items.append(plain(item[1].strip().rstrip(".;,")))
        at = item.end()
        if at >= len(rest):
            break
    return ", ".join(items) if len(items) > 1 or (found and rest[found.end() :].lstrip()[:1].isalnum()) else None


def announces(line: str) -> str | None:
    """What a heading announces, "" where it only says that the next line does; None where it announces nothing.

    >>> announces("Final Answer: 65"), announces("Final Answer"), announces("Checking the answer")
    ('65', '', None)
    """
    if not _LETTER.search(line):
        return None
    if _is_bare(line):
        return ""
    spans = [span for span in _announcements(line) if not _SUPPOSED.search(line, 0, span[0])]
    if not spans:
        return None
    start, end = min(spans)
    return announced_at(line, start, end, lenient=False) or ""


def _is_bare(line: str) -> bool:
    """Whether a line is nothing but a noun for an answer, such as "Final Answer:"."""
    words = line.strip(" \t:：*_`#").lower()
    if _BARE.fullmatch(words):
        return True
    near = [noun for noun in _nouns_in(words) if len(words) <= len(noun) + 16]
    return any(words.startswith(noun) or words.endswith(noun) for noun in near) and not any(
        _pattern(noun).search(words) for noun in near
    )


def _announcements(text: str) -> Iterator[tuple[int, int]]:
    lowered = text.lower()
    if starts := [at for word in ("answer", "final") if (at := lowered.find(word)) >= 0]:
        # Of ASCII nothing matches before these words. Elsewhere lower case may move them, and "ı" pass for an "i".
        start = min(starts) if text.isascii() else 0
        yield from (found.span() for found in _ENGLISH.finditer(text, start))
    for noun in _nouns_in(lowered):
        yield from (found.span() for found in _pattern(noun).finditer(text))
    if "\n" in text and ("#" in text or "**" in text or "__" in text):
        yield from (found.span() for found in _TITLE.finditer(text) if _is_bare(found.group()))


def _nouns_in(lowered: str) -> list[str]:
    """The nouns that occur in a text in lower case."""
    return [noun for noun in (_ASCII_NOUNS if lowered.isascii() else _NOUNS) if noun in lowered]


@lru_cache(maxsize=len(_NOUNS))
def _pattern(noun: str) -> re.Pattern[str]:
    before = "" if noun in _UNSPACED.split() else r"(?<![^\W\d_])"
    return re.compile(
        rf"{before}{noun}{_QUALIFIERS}[*_]{{0,3}}"
        rf"(?:\s{{0,3}}(?:{_VERBS})(?:\s{{0,3}}[:：])?|(?=\s{{0,3}}[-−]?[\d$\\]))",
        re.IGNORECASE,
    )


def _is_sentence(text: str) -> bool:
    """Whether a text is a sentence about an expression rather than an answer, and has no doubt in it."""
    words = _WORD.findall(text) if _WORD.match(text) else []
    return (len(words) >= 4 or (len(words) >= 2 and words[-1] in ("is", "are", "was"))) and not _DOUBTFUL.search(text)


def _of_sentence(sentence: str) -> str:
    """The last expression of a sentence; the sentence where that is one of several in a list, or there is none."""
    last = last_expression(sentence)
    return sentence if last is None or _LIST.search(sentence[: sentence.rfind(last)]) else last
