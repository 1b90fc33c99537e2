"""PMPO on a Ray cluster, through Ray Train: `PMPOTrainer` as it is, with Ray's workers in place of a launcher's.

    pip install 'pmpo[trl]' 'ray[train]'
    python examples/train_on_ray.py MODEL_ID_OR_PATH --workers 8 --gpu --output_dir /shared/run

Workers are a group of torch processes (DDP). When one dies, Ray starts the group again, up to --max_failures times, and
the run goes on from its newest checkpoint; so --output_dir must be a folder that every node sees.
"""

import argparse
from pathlib import Path

from ray.train import FailureConfig, RunConfig, ScalingConfig
from ray.train.torch import TorchTrainer


def train(settings: dict) -> dict:
    """Runs on every worker; what it needs is imported here, where the worker is."""
    from datasets import Dataset

    from pmpo.integrations.trl import PMPOConfig, PMPOTrainer

    def reward(completions, answer, **kwargs):
        """1 where the answer stands in the completion."""
        return [float(gold in text) for text, gold in zip(completions, answer, strict=True)]

    data = Dataset.from_dict({"prompt": [f"{a}+{b}=" for a in range(8) for b in range(8)],
                              "answer": [str(a + b) for a in range(8) for b in range(8)]})  # fmt: skip
    args = PMPOConfig(
        settings["output_dir"],
        objective="pmpo",
        num_generations=8,
        max_completion_length=16,
        max_steps=settings["max_steps"],
        save_strategy="steps",
        save_steps=settings["save_steps"],
        use_cpu=not settings["gpu"],
        bf16=settings["gpu"],
        report_to="none",
    )
    trainer = PMPOTrainer(settings["model"], reward, args, train_dataset=data)
    trainer.train(resume_from_checkpoint=any(Path(settings["output_dir"]).glob("checkpoint-*")))
    trainer.save_model()
    return {
        "steps": trainer.state.global_step,
        "processes": trainer.accelerator.num_processes,
        "wrapper": type(trainer.model_wrapped).__name__,
    }


def main(words: list[str] | None = None) -> dict:
    """Trains, and returns what the first worker returned."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--gpu", action="store_true", help="one GPU for each worker; else its CPU")
    parser.add_argument("--output_dir", default="runs/ray")
    parser.add_argument("--max_steps", type=int, default=100)
    parser.add_argument("--save_steps", type=int, default=10)
    parser.add_argument("--max_failures", type=int, default=3)
    settings = vars(parser.parse_args(words))
    settings["output_dir"] = str(Path(settings["output_dir"]).absolute())  # workers have folders of their own
    trainer = TorchTrainer(
        train,
        train_loop_config=settings,
        scaling_config=ScalingConfig(num_workers=settings["workers"], use_gpu=settings["gpu"]),
        run_config=RunConfig(
            name="pmpo",
            storage_path=f"{settings['output_dir']}/ray",
            failure_config=FailureConfig(max_failures=settings["max_failures"]),
        ),
    )
    return trainer.fit().return_value


if __name__ == "__main__":
    print(main())
