"""Recorded runs on two workers of Ray Train; FOLDER and CASES.json as of `preset_worker.py`."""

import sys


def train(arguments) -> None:
    """On every worker."""
    from preset_worker import run_cases

    run_cases(**arguments)


def main() -> None:
    from ray.train import RunConfig, ScalingConfig
    from ray.train.torch import TorchTrainer

    TorchTrainer(
        train,
        train_loop_config={"folder": sys.argv[1], "cases": sys.argv[2]},
        scaling_config=ScalingConfig(num_workers=2, use_gpu=False),
        run_config=RunConfig(storage_path=f"{sys.argv[1]}/ray"),
    ).fit()


if __name__ == "__main__":  # doctest collection imports this file, where Ray may not be
    main()
