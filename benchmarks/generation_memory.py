"""Peak memory of one generation: GRPOTrainer's own, a round of eight updates generated at once, and in pieces.

    python benchmarks/generation_memory.py

Each in a process of its own, on the CPU; a Qwen2 of 8 layers x 256 with 8,192 tokens of vocabulary, 32 completions an
update, 192 tokens each.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[1] / "tests"), str(Path(__file__).parents[1] / "tests" / "integrations")]
SIDES = {
    "GRPOTrainer, 1 update": None,
    "PMPOTrainer, 8 updates, at once": {"generation_chunk_size": 0},
    "PMPOTrainer, 8 updates, in pieces (default)": {},
}
TOKENS = 192


def megabytes() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def measure(side: str) -> None:
    """Print completions, seconds of CPU time, peak and what the generation added to it, MB."""
    warnings.simplefilter("ignore")
    from trl import GRPOConfig, GRPOTrainer

    from pmpo.integrations.trl import PMPOConfig, PMPOTrainer
    from tiny import digit_reward, tiny_dataset, tiny_model, tiny_tokenizer

    changes = SIDES[side]
    config, trainer = (GRPOConfig, GRPOTrainer) if changes is None else (PMPOConfig, PMPOTrainer)
    args = config(
        tempfile.mkdtemp(), per_device_train_batch_size=32, num_generations=8, max_completion_length=TOKENS,
        generation_kwargs={"min_new_tokens": TOKENS}, use_cpu=True, bf16=False, report_to="none", max_steps=8,
        **(changes or {}),
    )  # fmt: skip
    shape = {"hidden_size": 256, "intermediate_size": 512, "num_hidden_layers": 8, "num_attention_heads": 8}
    model = tiny_model(**shape, num_key_value_heads=8, max_position_embeddings=1024, vocab_size=8192)
    one = trainer(model, digit_reward, args, train_dataset=tiny_dataset(64), processing_class=tiny_tokenizer())
    one.model.train()
    prompts = [row["prompt"] for row in one.train_dataset for _ in range(8)][: args.generation_batch_size]
    before, started = megabytes(), resource.getrusage(resource.RUSAGE_SELF).ru_utime
    completions, _ = one._generate_single_turn(one._tokenize_prompts(prompts)[0], None, {}, 8)
    seconds = resource.getrusage(resource.RUSAGE_SELF).ru_utime - started
    print(f"| {side} | {len(completions)} | {seconds:.1f} | {megabytes():.0f} | {megabytes() - before:.0f} |")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        measure(sys.argv[1])
    else:
        print("| | completions | CPU seconds | peak, MB | of which above the loaded model, MB |\n|---|---|---|---|---|")
        for side in SIDES:
            run = subprocess.run([sys.executable, __file__, side], capture_output=True, text=True, check=True)
            print(run.stdout.strip().splitlines()[-1], flush=True)
