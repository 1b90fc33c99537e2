"""Every `GRPOConfig(...)` block of TRL's documentation, examples and tests, built as a `PMPOConfig`.

    git clone https://github.com/huggingface/trl /somewhere/trl
    python benchmarks/trl_config_blocks.py /somewhere/trl

Takes a checkout, or a bare git directory. A value that is not literal is dropped, except a `loss_type` or a level that
comes from a parametrised test, which is tried with every one of TRL's. Prints, per block, whether GRPOConfig and
PMPOConfig accept it, and the counts: works as it is, works with a warning, refused and why.
"""

import argparse
import ast
import collections
import json
import re
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from trl import GRPOConfig

from pmpo.integrations.trl import PMPOConfig

EACH = {
    "loss_type": ["grpo", "dapo", "dr_grpo", "bnpo", "luspo", "cispo", "sapo", "vespo"],
    "importance_sampling_level": ["token", "sequence"],
}
HERE = {"use_cpu": True, "bf16": False, "report_to": "none", "push_to_hub": False}
"""What this machine needs; it takes the place of the block's own."""


def texts(source: Path) -> Iterator[tuple[str, str]]:
    """(path, text) of every file that may hold a block."""
    git = ["git", "-C", str(source)]
    names = subprocess.run([*git, "ls-tree", "-r", "--name-only", "HEAD"], capture_output=True, text=True, check=True)
    for name in names.stdout.splitlines():
        if name.startswith(("docs/", "examples/", "tests/")) and name.endswith((".md", ".py", ".ipynb")):
            text = subprocess.run([*git, "show", f"HEAD:{name}"], capture_output=True, text=True, check=True).stdout
            if "GRPOConfig(" in text:
                yield name, _code_of(text) if name.endswith(".ipynb") else text


def _code_of(notebook: str) -> str:
    return "\n".join("".join(cell["source"]) for cell in json.loads(notebook)["cells"])


def blocks(text: str) -> Iterator[ast.Call]:
    """Every call of GRPOConfig in a text that Python can read."""
    for match in re.finditer(r"(?<![A-Za-z])GRPOConfig\(", text):
        depth, end = 1, match.end()
        while depth and end < len(text):
            depth += {"(": 1, ")": -1}.get(text[end], 0)
            end += 1
        try:
            call = ast.parse(text[match.start() : end]).body[0]
        except (SyntaxError, IndexError):
            continue
        if isinstance(call, ast.Expr) and isinstance(call.value, ast.Call) and (call.value.keywords or call.value.args):
            yield call.value


def settings(call: ast.Call) -> Iterator[dict[str, Any]]:
    """The keyword arguments of a call; several times where a parametrised one stands for several values."""
    values: list[dict[str, Any]] = [{}]
    for keyword in call.keywords:
        try:
            choices = [ast.literal_eval(keyword.value)]
        except ValueError:
            choices = EACH.get(str(keyword.arg), [])
        if choices and keyword.arg not in (None, "output_dir"):
            values = [{**known, str(keyword.arg): choice} for known in values for choice in choices]
    yield from values


def build(cls: type, values: dict[str, Any]) -> tuple[str | None, list[str]]:
    """(why it is refused or None, warnings of ours)."""
    with warnings.catch_warnings(record=True) as seen, tempfile.TemporaryDirectory() as folder:
        warnings.simplefilter("always")
        try:
            cls(output_dir=folder, **{**values, **HERE})
        except Exception as error:
            return f"{type(error).__name__}: {error}", []
    return None, [str(w.message) for w in seen if "is taken as the member" in str(w.message)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("trl", type=Path)
    counts: collections.Counter[str] = collections.Counter()
    for name, text in texts(parser.parse_args().trl):
        for call in blocks(text):
            for values in settings(call):
                theirs, _ = build(GRPOConfig, values)
                ours, told = build(PMPOConfig, values)
                kind = "refused" if ours else "works with a warning" if told else "works"
                counts[kind if theirs is None else f"{kind}; GRPOConfig refuses"] += 1
                if ours or told:
                    shown = {k: v for k, v in values.items() if k in EACH or k.startswith(("epsilon", "delta"))}
                    print(
                        f"{kind}: {name} {shown}\n    {ours or told[0]}" + (f"\n    theirs: {theirs}" if theirs else "")
                    )
    print(f"{sum(counts.values())} blocks: {dict(counts)}", file=sys.stderr)


if __name__ == "__main__":
    main()
