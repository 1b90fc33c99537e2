"""PMPO in a TRL script you already have: two names change.

    from trl import GRPOConfig, GRPOTrainer                          # before
    from pmpo.integrations.trl import PMPOConfig, PMPOTrainer        # after

Run it on any model: python examples/train_with_trl.py MODEL_ID_OR_PATH
"""

import sys

from datasets import Dataset

from pmpo.integrations.trl import PMPOConfig, PMPOTrainer


def reward(completions, answer, **kwargs):
    """1 where the answer stands in the completion."""
    return [float(gold in text) for text, gold in zip(completions, answer, strict=True)]


def main(model: str, output_dir: str = "runs/example", **settings) -> PMPOTrainer:
    data = Dataset.from_dict({"prompt": [f"{a}+{b}=" for a in range(8) for b in range(8)],
                              "answer": [str(a + b) for a in range(8) for b in range(8)]})  # fmt: skip
    args = PMPOConfig(output_dir, objective="pmpo", num_generations=8, max_completion_length=16, **settings)
    trainer = PMPOTrainer(model, reward, args, train_dataset=data)
    trainer.train()
    return trainer


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python examples/train_with_trl.py MODEL_ID_OR_PATH")
    main(sys.argv[1])
