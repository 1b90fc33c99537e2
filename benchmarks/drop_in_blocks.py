"""Every `GRPOConfig(...)` of TRL's documentation, examples and tests, built with both configurations."""

import ast
import contextlib
import io
import json
import re
import tempfile
import textwrap
import warnings
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trl import GRPOConfig

from pmpo.integrations.trl import PMPOConfig

PLACES = ("docs", "examples", "tests")
STAND_INS = {"use_cpu": True, "bf16": False, "report_to": "none"}
"""In place of what is no literal: the folder is one of this machine, which has no GPU, and nothing is reported."""


@dataclass(frozen=True)
class Block:
    """One call: where it is, its literal arguments, and the names of those that could not be read."""

    where: str
    args: dict[str, Any]
    unread: tuple[str, ...]


@dataclass(frozen=True)
class Built:
    """What the two configurations said to a block; None where it was built."""

    block: Block
    theirs: str | None
    ours: str | None


def blocks_of(folder: Path) -> list[Block]:
    """All calls of `GRPOConfig` in the Markdown, Python and notebooks of a checkout of TRL."""
    files = [path for place in PLACES for path in sorted((folder / place).rglob("*")) if path.is_file()]
    return [
        block
        for path in files
        if path.suffix in (".md", ".py", ".ipynb") and "GRPOConfig(" in path.read_text(errors="ignore")
        for source, first in _sources(path)
        for block in _calls(source, f"{path.relative_to(folder)}", first)
    ]


def _sources(path: Path) -> Iterator[tuple[str, int]]:
    """Python sources of a file with the line that each begins at."""
    text = path.read_text(errors="ignore")
    if path.suffix == ".py":
        yield text, 1
    elif path.suffix == ".ipynb":
        for cell in json.loads(text)["cells"]:
            lines = [line for line in "".join(cell["source"]).splitlines() if not line.lstrip().startswith(("!", "%"))]
            if cell["cell_type"] == "code":
                yield "\n".join(lines), 1
    else:
        for found in re.finditer(r"^( *)```(?:python|py)[^\n]*\n(.*?)^ *```", text, re.DOTALL | re.MULTILINE):
            yield textwrap.dedent(found[2]), text[: found.start(2)].count("\n") + 1


def _calls(source: str, where: str, first: int) -> Iterator[Block]:
    """Calls of GRPOConfig; a `...` that stands for further arguments, positional or after keywords, is left out."""
    inside = r"(?<=[(,])\s*\.\.\.\s*,?(?=\s*[)\w#])"
    plain = re.sub(inside, lambda found: "\n" * found[0].count("\n"), source)
    plain = re.sub(r"^ *\.\.\.,? *$", "", plain, flags=re.M)
    try:
        tree = ast.parse(plain)
    except SyntaxError:
        tree = _each_call(plain)
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "GRPOConfig":
            args, unread = {}, []
            for keyword in node.keywords:
                try:
                    args[keyword.arg] = ast.literal_eval(keyword.value)
                except ValueError:
                    unread.append(keyword.arg or "**")
            yield Block(f"{where}:{first + node.lineno - 1}", args, tuple(unread))


def _each_call(source: str) -> ast.Module:
    """The calls of a snippet that is no Python as a whole, each parsed by itself."""
    body = []
    for found in re.finditer(r"GRPOConfig\(", source):
        depth, end = 0, found.end() - 1
        for end in range(found.end() - 1, len(source)):
            depth += {"(": 1, ")": -1}.get(source[end], 0)
            if depth == 0:
                break
        with contextlib.suppress(SyntaxError):
            statement = ast.parse(source[found.start() : end + 1]).body[0]
            body.append(ast.increment_lineno(statement, source[: found.start()].count("\n")))
    return ast.Module(body, [])


def built(block: Block) -> Built:
    """Build a block with both configurations."""
    args = {**STAND_INS, **{name: value for name, value in block.args.items() if name not in STAND_INS}}
    with tempfile.TemporaryDirectory() as folder:
        args["output_dir"] = folder
        return Built(block, _said(GRPOConfig, args), _said(PMPOConfig, args))


def _said(config: type, args: dict[str, Any]) -> str | None:
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        try:
            config(**args)
        except Exception as error:
            return f"{type(error).__name__}: {' '.join(str(error).split())}"
    return None


def summary(found: list[Built]) -> str:
    """The Markdown: counts by place, then every block that one of the two refuses."""
    lines = [
        "## The configurations of TRL's own documentation, examples and tests\n",
        f"All {len(found)} calls of `GRPOConfig(...)`, built with their literal arguments by both configurations; in "
        f"{sum(bool(one.block.unread) for one in found)} of them others, most often `output_dir` alone, are left out "
        f"(on this machine: {', '.join(f'{k}={v!r}' for k, v in STAND_INS.items())}).\n",
        "| | blocks | built by both | by theirs alone | by ours alone | by neither |\n|---|---|---|---|---|---|",
    ]
    for place in (*PLACES, ""):
        some = [one for one in found if one.block.where.startswith(place)]
        counts = Counter((one.theirs is None, one.ours is None) for one in some)
        order = [(True, True), (True, False), (False, True), (False, False)]
        lines.append(f"| {place or '**all**'} | {len(some)} | {' | '.join(str(counts[key]) for key in order)} |")
    refused = [one for one in found if one.theirs is not None or one.ours is not None]
    if refused:
        lines += ["\n| block | theirs | ours |\n|---|---|---|"]
        lines += [f"| {one.block.where} | {_short(one.theirs)} | {_short(one.ours)} |" for one in refused]
    return "\n".join(lines) + "\n"


def _short(said: str | None) -> str:
    text = "built" if said is None else said.replace("|", "\\|")
    return text if len(text) <= 240 else text[:239] + "…"
