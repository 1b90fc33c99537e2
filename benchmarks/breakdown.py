"""Where a training run spends its time: `pmpo train` as users start it, part by part.

    python benchmarks/breakdown.py [--model embedded|0.1b] [--title TEXT] [--output PAGE.md] [-- OPTIONS]

Time is process time, of all threads together; one thread unless OMP_NUM_THREADS says otherwise, so that a busy machine
counts as little as it can. The parts are functions of the library, TRL and torch, wrapped: what a part calls of another
counts for the other alone, so the parts add up to the whole. The table of --output gets a column more, beside those of
other titles; OPTIONS are those of `pmpo train`.

embedded: the run without arguments. 0.1b: a Qwen2 of random weights, 12 layers of 768 and 32,000 tokens, with prompts
of 64 tokens and completions of 128; two rounds of 4 updates of 8 completions. It solves nothing, so that all have A = 0
and would go without a backward pass: a micro-batch is therefore made in one pass.
"""

import argparse
import functools
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

from page import report
from pmpo.foundation.files import write_json

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ |= {"HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}
sys.path[:0] = [str(Path(__file__).resolve().parents[1] / "tests")]

PARTS = (
    "imports and start", "prompts and data", "generation", "old log-probabilities", "rewards", "forward", "head",
    "policy loss", "rest of the loss", "backward", "optimiser", "metrics and logs", "held-out evaluations",
    "saving", "curves", "rest",
)  # fmt: skip
MODELS = ("embedded", "0.1b")


class Stopwatch:
    """Process time by part; the innermost part that is open gets it."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self._open = ["imports and start"]
        self._since = 0.0  # process time begins with the process

    def switch(self) -> None:
        now = time.process_time()
        self.seconds[self._open[-1]] += now - self._since
        self._since = now

    def begin(self, part: str) -> None:
        self.switch()
        self._open.append(part)

    def end(self) -> None:
        self.switch()
        self._open.pop()

    @property
    def part(self) -> str:
        return self._open[-1]


def timed(watch: Stopwatch, owner: Any, name: str, part: str | Callable[[], str]) -> None:
    """Let the time in `owner.name` count for `part`."""
    inner = owner.__dict__[name] if isinstance(owner, type) else getattr(owner, name)
    static = isinstance(inner, staticmethod)
    function = inner.__func__ if static else inner

    @functools.wraps(function)
    def outer(*args: Any, **kwargs: Any) -> Any:
        watch.begin(part if isinstance(part, str) else part())
        try:
            return function(*args, **kwargs)
        finally:
            watch.end()

    setattr(owner, name, staticmethod(outer) if static else outer)


def wrap_parts(watch: Stopwatch) -> None:
    """Wrap what the parts are made of."""
    import accelerate
    import transformers

    from pmpo.integrations.trl.head.log_probs import _LogProbs
    from pmpo.integrations.trl.host.hooks import HostTrainer
    from pmpo.integrations.trl.measuring import Measures
    from pmpo.integrations.trl.skipping import NonFiniteGuard, SkipsNonFinite
    from pmpo.integrations.trl.token_sampling import SamplesTokens
    from pmpo.kernels.choice import Implementation
    from pmpo.runs import held_out, summarising, training

    old, pass_, loss_of, metrics = "old log-probabilities", "forward", "rest of the loss", "metrics and logs"
    for owner, name, part in (
        (HostTrainer, "run_epoch", "rest"),
        (transformers.Trainer, "get_batch_samples", "prompts and data"),
        (HostTrainer, "_generate_and_score_completions", "prompts and data"),
        (HostTrainer, "_generate_single_turn", "generation"),
        (HostTrainer, "_calculate_rewards", "rewards"),
        (HostTrainer, "_compute_loss", loss_of),
        (HostTrainer, "log_probs_of", lambda: pass_ if watch.part == loss_of else old),
        (_LogProbs, "forward", lambda: old if watch.part == old else "head"),
        (Implementation, "policy_loss", "policy loss"),
        (Measures, "_measure", metrics),
        (SamplesTokens, "offer_tokens", metrics),
        (SkipsNonFinite, "guard", metrics),
        (NonFiniteGuard, "on_pre_optimizer_step", metrics),
        (HostTrainer, "_maybe_log_save_evaluate", metrics),
        (accelerate.Accelerator, "backward", "backward"),
        (transformers.Trainer, "_clip_grad_norm", "optimiser"),
        (accelerate.optimizer.AcceleratedOptimizer, "step", "optimiser"),
        (held_out.HeldOutCallback, "measure", "held-out evaluations"),
        (training, "_save_model", "saving"),
        (summarising, "write", "curves"),
    ):
        timed(watch, owner, name, part)


def large_model(folder: Path) -> list[str]:
    """Write a Qwen2 of 0.1 B random weights and problems of 64 tokens; returns the options that name them."""
    import torch
    from transformers import Qwen2Config, Qwen2ForCausalLM

    from tiny import tiny_tokenizer

    torch.manual_seed(0)
    shape = Qwen2Config(
        vocab_size=32_000, hidden_size=768, intermediate_size=2048, num_hidden_layers=12, num_attention_heads=12,
        num_key_value_heads=12, max_position_embeddings=256, pad_token_id=0, eos_token_id=1, bos_token_id=None,
    )  # fmt: skip
    Qwen2ForCausalLM(shape).save_pretrained(folder / "model")
    tiny_tokenizer().save_pretrained(folder / "model")
    problems = [{"problem": f"{number:063d}=", "answer": str(number % 10)} for number in range(64)]
    (folder / "data.jsonl").write_text("".join(json.dumps(row) + "\n" for row in problems))
    one_pass = "--passes_per_micro_batch 1"  # else nothing would go backward
    return f"""{one_pass} --dataset {folder}/data.jsonl --model_name_or_path {folder}/model
        --num_generations 8 --eval_size 0 --per_device_train_batch_size 8 --steps_per_generation 4
        --max_completion_length 128 --max_steps 8 --learning_rate 1e-6 --bf16 false --use_cpu true
        --prompt_template plain --save_strategy no
        --report_to none""".split()


def worker(model: str, options: list[str]) -> dict[str, float]:
    """One run in this process; the seconds of every part."""
    watch = Stopwatch()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        words = large_model(folder) if model == "0.1b" else []
        from pmpo.cli import main as pmpo

        wrap_parts(watch)
        if model == "0.1b":  # what it took to make the model is not the run's
            watch.switch()
            watch.seconds.clear()
        status = pmpo(["train", *words, "--output_dir", str(folder / "run"), "--progress", "off", *options])
    watch.switch()
    if status:
        raise SystemExit(status)
    return dict(watch.seconds)


def table(columns: dict[str, dict[str, float]]) -> list[str]:
    """Seconds and shares of every part, a column for each title."""
    wholes = {title: sum(seconds.values()) for title, seconds in columns.items()}
    lines = [f"| part | {' | '.join(columns)} |", "|---|" + "---:|" * len(columns)]
    for part in PARTS:
        found = [(column.get(part, 0.0), wholes[title]) for title, column in columns.items()]
        lines.append(
            f"| {part} | " + " | ".join(f"{value:.1f} s, {value / whole:.0%}" for value, whole in found) + " |"
        )
    return [*lines, "| **whole** | " + " | ".join(f"**{whole:.1f} s**" for whole in wholes.values()) + " |"]


def page(kept: dict[str, dict[str, dict[str, float]]]) -> list[str]:
    """The page of {model: {title: seconds}}."""
    releases = ", ".join(f"{name} {version(name)}" for name in ("torch", "trl", "transformers"))
    lines = [__doc__.strip().partition("\n\n")[2].partition("\n\n")[2], "", f"{releases}; {os.cpu_count()} cores.", ""]
    for model in MODELS:
        lines += [f"## {model}", "", *table(kept[model]), ""] if model in kept else []
    return lines


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", choices=MODELS, default="embedded")
    parser.add_argument("--title", default="now", help="of the column")
    parser.add_argument("--output", type=Path, help="page to add the column to; its numbers are kept in a .json beside")
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("options", nargs="*", help="of `pmpo train`, after --")
    given = parser.parse_args()
    if given.worker:
        print(json.dumps(worker(given.model, given.options)))
        return
    command = [sys.executable, __file__, "--worker", "--model", given.model, "--", *given.options]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        raise SystemExit(done.returncode)
    found = json.loads(done.stdout.splitlines()[-1])
    if given.output is None:
        print("\n".join(table({given.title: found})))
        return
    numbers = given.output.with_suffix(".json")
    kept = json.loads(numbers.read_text()) if numbers.exists() else {}
    kept.setdefault(given.model, {})[given.title] = found
    write_json(numbers, kept)
    report("Where a training run spends its time", f"breakdown.py --output {given.output}", page(kept), given.output)


if __name__ == "__main__":
    main()
