"""One spelling for the many ways to write the same LaTeX. Text in, text out, in linear time; nothing is evaluated."""

import re

from pmpo.grading.mathematics.characters import spelt_out
from pmpo.grading.mathematics.modulus import mark_explicit, with_moduli

LONGEST_ANSWER = 20_000
"""Characters; a longer final answer is refused rather than read."""


def _words(text: str) -> list[str]:
    return text.split()


_WHITE = str.maketrans(dict.fromkeys("\t\n\r\f\v", " "))

# Commands by what becomes of them. One regex finds every command, a dict says what it turns into.
_COMMANDS = {
    **dict.fromkeys(_words(r"\left \right \middle \big \Big \bigg \Bigg \bigl \bigr \Bigl \Bigr \biggl \biggr"), ""),
    **dict.fromkeys(_words(r"\displaystyle \textstyle \limits \nolimits \rm \bf \it \mathstrut \strut \/ \@"), ""),
    **dict.fromkeys((r"\quad", r"\qquad", r"\,", r"\;", r"\:", r"\>", r"\!", "\\ ", r"\enspace", r"\thinspace"), " "),
    **dict.fromkeys((r"\dfrac", r"\tfrac", r"\cfrac"), r"\frac"),
    **dict.fromkeys((r"\dbinom", r"\tbinom"), r"\binom"),
    **dict.fromkeys(
        _words(
            r"\mbox \textbf \textit \textrm \textnormal \textsf \texttt \mathrm \mathbf \mathit \mathsf \mathtt \bm "
            r"\boldsymbol \operatorname \emph \hbox"
        ),
        r"\text",
    ),
    **dict.fromkeys((r"\leq", r"\leqslant", r"\leqq"), r"\le"),
    **dict.fromkeys((r"\geq", r"\geqslant", r"\geqq"), r"\ge"),
    r"\neq": r"\ne",
    **dict.fromkeys((r"\blacksquare", r"\square", r"\checkmark", r"\qed"), ""),
    r"\lt": "<",
    r"\gt": ">",
    r"\colon": ":",
    r"\lbrace": r"\{",
    r"\rbrace": r"\}",
    r"\lbrack": "[",
    r"\rbrack": "]",
    r"\lparen": "(",
    r"\rparen": ")",
    **dict.fromkeys((r"\vert", r"\mid"), "|"),
    r"\%": "%",
    r"\#": "",
    r"\&": "&",
    r"\_": "_",
    r"\ast": "*",
    r"\star": "*",
    r"\thickapprox": r"\approx",
    **dict.fromkeys((r"\varnothing",), r"\emptyset"),
    r"\R": r"\mathbb{R}",
    r"\varepsilon": r"\epsilon",
    r"\prime": "'",
    r"\degree": r"^\circ",
    r"\infin": r"\infty",
    r"\deg": r"^\circ",
    r"\imath": "i",
    r"\bar": r"\overline",
    **dict.fromkeys((r"\dots", r"\ldots", r"\cdots"), r"\dots"),
    **dict.fromkeys((r"\lang",), r"\langle"),
    **dict.fromkeys((r"\rang",), r"\rangle"),
    r"\arsinh": r"\arcsinh",
    r"\arcosh": r"\arccosh",
    r"\artanh": r"\arctanh",
    r"\lg": r"\log",
    r"\div": "/",
}
_COMMAND = re.compile(r"\\(?:[A-Za-z]+|.)", re.DOTALL)
_ENVIRONMENT = re.compile(
    r"\\(begin|end) *\{ *(?:(?:[pbB]?|small)(?:matrix|array)|(?P<cases>[dr]?cases|aligned|align\*?|gathered|split)) *\}"
    r"(?:\{[lcr| ]*\})?"
)
_BRACED_ARRAY = re.compile(r"\\left *\\\{ *\\begin *\{ *array *\}(?:\{[lcr| ]*\})?|(\\end *\{ *array *\} *\\right *\.)")
_NO_BRACKET = re.compile(r"\\(?:left|right) *\.")
_ROWS = re.compile(r"\\q?quad(?![A-Za-z])|\\\\(?= |\Z)")
_RELATION = re.compile(r"[=<>]|\\(?:[lg]e|[lg]eq|[lg]eqslant|neq?|in|approx|equiv)(?![A-Za-z])")
_BRACE = re.compile(r"\\.|[{}]", re.DOTALL)
_SPACES = re.compile(r" {2,}")
_MATRIX_SPACE = re.compile(r"\\\\ *(?:\[[^\]]{0,20}\])?")
_COMMA_IN_BRACES = re.compile(r"\{ *, *\}")
_THOUSANDS = re.compile(r"(?<=\d)(?:,\\! *|\{ *, *\})(?=\d{3})")  # a comma that LaTeX marks as no list comma
_NOT_EQUAL = re.compile(r"\\not *(?:=|\\eq(?![A-Za-z]))")
_DECORATION = re.compile(r"\\(?:underline|uline|uuline|fbox|framebox)(?= *\{)|\\(?:text)?color *\{[A-Za-z0-9!]{1,30}\}")
_SIGN_TEXT = re.compile(  # \text{\$}18
    r"\\(?:text|mbox|mathrm|textbf|textrm) *\{ *(\\dollar|\\pounds|\\euro|\\?%|€|£|[-+]) *\}"
)
_DEGREE_TEXT = re.compile(r"\\text *\{ *\^ *\\circ *\}")
_MODULO = re.compile(
    r"(?:\( *)?\\(?:[pb]?mod\b|text *\{ *mod *\}) *(?:\{ *([0-9]+|[A-Za-z]) *\}|([0-9]+|[A-Za-z]))(?: *\))?"
)
_FUNCTION_TEXT = re.compile(
    r"\\text *\{ *(arcsinh|arccosh|arctanh|arcsin|arccos|arctan|sinh|cosh|tanh|sin|cos|tan|cot|sec|csc|ln|log|exp|"
    r"gcd|lcm|min|max|det) *\}"
)


def _command(found: re.Match[str]) -> str:
    text = found.group()
    return _COMMANDS.get(text, text)


def normalise(text: str) -> str:
    """The same mathematics in one spelling: no `$`, no sizes and spaces, `\\frac` and `\\text` for their variants,
    LaTeX commands for the usual Unicode signs, `\\abs{}` for bars, `matrix` and `cases` for their environments.

    `\\$` becomes `\\dollar`, so that a currency is not lost with the `$` that merely delimit mathematics. Relations
    side by side (`\\quad`) or in rows are separated by commas.
    """
    text = text.translate(_WHITE) if text.isascii() else spelt_out(text)
    if "\\" in text:
        text = _NOT_EQUAL.sub(r"\\ne ", _DECORATION.sub("", text))
        text = text.replace("\\$", "\\dollar ").replace("\\(", " ").replace("\\)", " ")
        text = _SIGN_TEXT.sub(r" \1 ", _THOUSANDS.sub("", text) if "," in text else text)
        if "\\left" in text or "\\right" in text:
            text = _NO_BRACKET.sub(" ", _BRACED_ARRAY.sub(_braced_array, text))
        if "\\begin" in text:
            text = _MATRIX_SPACE.sub(r"\\\\ ", _ENVIRONMENT.sub(_environment, text))
        else:
            text = _separated(text).replace("\\\\", "\\").replace("\\[", " ").replace("\\]", " ")
        text = _COMMAND.sub(_command, mark_explicit(text))
        text = _DEGREE_TEXT.sub(r"^\\circ ", _FUNCTION_TEXT.sub(_function, text))
        text = _MODULO.sub(lambda found: f" \\mod {found[1] or found[2]} ", text) if "mod" in text else text
    text = _COMMA_IN_BRACES.sub(",", text.replace("$", " ").replace("~", " ").replace("**", "^"))
    if "|" in text or "vert" in text:
        text = with_moduli(text)
    return _SPACES.sub(" ", text).strip()


def _braced_array(found: re.Match[str]) -> str:
    return r"\end{cases}" if found[1] else r"\begin{cases}"


def _function(found: re.Match[str]) -> str:
    before = found.string[max(0, found.start() - 2) : found.start()].strip()
    return found.group() if found[1] == "min" and before[-1:].isdigit() else f"\\{found[1]} "  # 20 min


def _environment(found: re.Match[str]) -> str:
    return f"\\{found[1]}{{{'cases' if found['cases'] else 'matrix'}}}"


def _separated(text: str) -> str:
    """Relations that \\quad or a row's end sets apart, with commas between them; other texts as they are."""
    pieces = [piece.strip(" ,;$") for piece in _ROWS.split(text)]
    if len(pieces) < 2 or not all(_RELATION.search(piece) and _balanced(piece) for piece in pieces):
        return text
    return ", ".join(pieces)


def _balanced(piece: str) -> bool:
    return all(piece.count(left) == piece.count(right) for left, right in ("()", "[]", "{}"))


def closing(text: str, start: int, limit: int = LONGEST_ANSWER) -> int:
    """Index of the `}` that closes the `{` at `start`, or -1 when it is not closed within `limit` characters."""
    depth = 0
    for found in _BRACE.finditer(text, start, min(len(text), start + limit + 2)):
        at = found.start()
        if text[at] == "{":
            depth += 1
        elif text[at] == "}":
            depth -= 1
            if depth == 0:
                return at
    return -1
