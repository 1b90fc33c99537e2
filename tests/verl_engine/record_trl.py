"""Record a small run of PMPOTrainer for the same run in verl: `python tests/verl_engine/record_trl.py`, with pmpo[trl].

Writes into recorded/: start.safetensors, and for every objective its completions and the weights after its updates.
"""

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent), str(HERE.parent / "integrations"), str(HERE)]

from safetensors.torch import save_file  # noqa: E402

from pmpo.integrations.trl import PMPOConfig, PMPOTrainer  # noqa: E402
from same_run import BETAS, EPSILON, GROUP, LONGEST, OBJECTIVES, PROMPTS, RATE, UPDATES, start_model  # noqa: E402
from tiny import tiny_dataset, tiny_tokenizer  # noqa: E402
from upper_digits import compute_score  # noqa: E402


def record(objective: str, folder: Path) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Completions in the order of generation, and the weights after the last update."""
    rounds: list[dict[str, Any]] = []
    tokenizer = tiny_tokenizer()

    def reward(prompts, completions, completion_ids, **_):
        for first in range(0, len(prompts), GROUP):
            rows = [list(map(int, ids)) for ids in completion_ids[first : first + GROUP]]
            rounds.append({"prompt": tokenizer(prompts[first])["input_ids"], "completions": rows})
        return [compute_score(None, text, None) for text in completions]

    start_model().save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    args = PMPOConfig(
        output_dir=str(folder / "run"), objective=objective, seed=1, use_cpu=True, bf16=False, report_to="none",
        per_device_train_batch_size=PROMPTS * GROUP, num_generations=GROUP, steps_per_generation=1, num_iterations=2,
        max_completion_length=LONGEST, max_steps=UPDATES, shuffle_dataset=False, gradient_checkpointing=False,
        learning_rate=RATE, lr_scheduler_type="constant", warmup_steps=0, weight_decay=0.0, max_grad_norm=1.0,
        adam_beta1=BETAS[0], adam_beta2=BETAS[1], adam_epsilon=EPSILON, save_strategy="no", disable_tqdm=True,
    )  # fmt: skip
    trainer = PMPOTrainer(
        str(folder), reward, args, train_dataset=tiny_dataset(PROMPTS * UPDATES // 2), processing_class=tokenizer
    )
    trainer.train()
    return rounds, {name: value.detach().clone() for name, value in trainer.model.named_parameters()}


def main() -> None:
    out = HERE / "recorded"
    out.mkdir(exist_ok=True)
    save_file(
        {name: value.detach().clone() for name, value in start_model().named_parameters()}, out / "start.safetensors"
    )
    for objective in OBJECTIVES:
        with tempfile.TemporaryDirectory() as folder:
            rounds, weights = record(objective, Path(folder))
        lines = [json.dumps(each) for each in rounds]
        (out / f"{objective}.jsonl").write_text("\n".join(lines) + "\n")
        save_file(weights, out / f"{objective}.safetensors")
        print(f"{objective}: {len(rounds)} prompts")


if __name__ == "__main__":
    main()
