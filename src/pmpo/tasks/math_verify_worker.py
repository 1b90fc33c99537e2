"""The program that a grading worker runs: one JSON request a line in, one JSON answer a line out.

It is started by path, not imported, and imports nothing of `pmpo`: a worker then needs no torch and starts in about the
time that sympy takes. A completion is hostile text. `9**9**9**9` keeps sympy busy for ever inside one C call, where no
exception reaches it; only ending the process does. So no time limit lives here except the last resort below.
"""

import json
import os
import re
import resource
import signal
import sys
from typing import Any

MEMORY_LIMIT = 4 * 2**30  # bytes of address space; sympy needs a few hundred MB, a power tower all there is


def gold_forms(answer: Any) -> list[str]:
    """The accepted forms of a reference answer as LaTeX without `$`: "$\\frac12$", 142.0, "025", ["9.6\\n"] all
    work."""
    if isinstance(answer, list):
        return [form for item in answer for form in gold_forms(item)]
    if isinstance(answer, float) and answer.is_integer():
        answer = int(answer)
    text = str(answer).replace("$", "").strip()
    if scientific := re.fullmatch(r"([+-]?[\d.]+)[eE]([+-]?\d+)", text):  # "7e37"; as LaTeX that is 7·e·37
        text = f"{scientific[1]} \\times 10^{{{scientific[2]}}}"
    return [text] if text else []


def answer_part(completion: str) -> str:
    """The text after the last <answer> where the completion uses that tag (template `r1`), else the whole
    completion."""
    _, tag, tail = completion.rpartition("<answer>")
    return tail.partition("</answer>")[0] if tag else completion


def grade(answer: Any, completion: str) -> float | None:
    """1.0 when the completion's final answer equals the reference, 0.0 when not, None when the reference is
    unreadable."""
    from math_verify import ExprExtractionConfig, LatexExtractionConfig, parse, verify

    targets = [LatexExtractionConfig(boxed_match_priority=0), ExprExtractionConfig()]
    forms = gold_forms(answer)
    golds = [parsed for form in forms if (parsed := parse(f"${form}$", targets, parsing_timeout=None))]
    if not golds:
        return None
    prediction = parse(answer_part(completion), targets, parsing_timeout=None)
    return float(any(verify(gold, prediction, timeout_seconds=None) for gold in golds))


def main() -> None:
    """Answer requests {"answer", "completion", "limit"} with {"reward"} or {"error"} until standard input ends."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # whatever a library prints must not mix with the answers
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_LIMIT, resource.getrlimit(resource.RLIMIT_AS)[1]))
    try:
        import math_verify  # noqa: F401  the slow import, before the first request's clock runs
    except ImportError as error:
        print(json.dumps({"error": str(error)}), file=answers, flush=True)
        return
    print(json.dumps({"ready": True}), file=answers, flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        # Last resort, for a parent that died without a word: the default action of SIGALRM ends this process, wherever
        # it is.
        signal.setitimer(signal.ITIMER_REAL, 2 * request["limit"] + 5)
        try:
            reply: dict[str, Any] = {"reward": grade(request["answer"], request["completion"])}
        except Exception as error:  # RecursionError, MemoryError, and what sympy raises on nonsense
            reply = {"error": f"{type(error).__name__}: {error}"[:500]}
        signal.setitimer(signal.ITIMER_REAL, 0)
        print(json.dumps(reply), file=answers, flush=True)


if __name__ == "__main__":
    main()
