"""verl's main_ppo in a process of its own, with the fewest overrides that make it run on two CPU cores."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from tiny import tiny_dataset, tiny_model, tiny_tokenizer

HERE = Path(__file__).parent
SOURCE = HERE.parent.parent / "src"
PROMPTS, GROUP, PROMPT_LENGTH, COMPLETION_LENGTH = 8, 4, 8, 8
"""Prompts of an update, completions of a prompt, and the most tokens of both."""


@dataclass(frozen=True)
class Run:
    """What came of a run.

    Attributes:
        status: exit status; negative for a signal.
        output: stdout and stderr of the driver, workers included.
        metrics: verl's own, of each update that was logged, by their names.
        folder: where it ran; checkpoints are in `folder / "checkpoints"`.
    """

    status: int
    output: str
    metrics: list[dict[str, float]]
    folder: Path

    def column(self, name: str) -> list[float]:
        return [row[name] for row in self.metrics]

    def rewards(self) -> list[float]:
        return self.column("critic/score/mean")


def make_inputs(folder: Path, rows: int = 64) -> None:
    """`folder/model` and `folder/train.parquet`: a model of a few thousand parameters and its prompts."""
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = tiny_tokenizer()
    tokenizer.chat_template = "{% for message in messages %}{{ message['content'] }}{% endfor %}"
    tokenizer.add_tokens(["\n", "<|im_end|>"])  # verl asks every Qwen for them, to join the turns of a conversation
    tokenizer.save_pretrained(folder / "model")
    tiny_model(hidden_size=32, intermediate_size=64).save_pretrained(folder / "model")
    tiny_dataset(rows).map(_as_verl_row, with_indices=True).to_parquet(folder / "train.parquet")


def _as_verl_row(row: Mapping[str, str], index: int) -> dict:
    return {
        "data_source": "sevens",
        "prompt": [{"role": "user", "content": row["prompt"]}],
        "ability": "math",
        "reward_model": {"style": "rule", "ground_truth": "7"},
        "extra_info": {"index": index, "split": "train"},
    }


def overrides(folder: Path, *, ranks: int = 1, updates: int = 20, learning_rate: float = 1e-2) -> list[str]:
    """main_ppo's arguments for the inputs in `folder`: GRPO advantages, verl's own loss, FSDP2 with gloo in float32."""
    actor, rollout = "actor_rollout_ref.actor", "actor_rollout_ref.rollout"
    float32 = "{param_dtype:fp32,reduce_dtype:fp32,buffer_dtype:fp32}"  # bfloat16 where nothing is written
    return [
        f"actor_rollout_ref.model.path={folder / 'model'}",
        "actor_rollout_ref.model.use_remove_padding=False",
        "+actor_rollout_ref.model.override_config.attn_implementation=sdpa",
        f"{actor}.strategy=fsdp2",
        f"+{actor}.fsdp_config.mixed_precision={float32}",
        f"+actor_rollout_ref.ref.fsdp_config.mixed_precision={float32}",
        f"{actor}.fsdp_config.use_torch_compile=False",
        f"{actor}.ppo_mini_batch_size={PROMPTS}",
        f"{actor}.ppo_micro_batch_size_per_gpu={PROMPTS * GROUP // ranks}",
        f"{actor}.optim.lr={learning_rate}",
        f"{rollout}.name=pmpo_cpu",
        f"{rollout}.dtype=float32",
        f"{rollout}.tensor_model_parallel_size=1",
        f"{rollout}.n={GROUP}",
        f"{rollout}.log_prob_micro_batch_size_per_gpu={PROMPTS * GROUP // ranks}",
        f"{rollout}.agent.num_workers=1",
        "algorithm.adv_estimator=grpo",
        f"data.train_files={folder / 'train.parquet'}",
        f"data.val_files={folder / 'train.parquet'}",
        f"data.train_batch_size={PROMPTS}",
        f"data.max_prompt_length={PROMPT_LENGTH}",
        f"data.max_response_length={COMPLETION_LENGTH}",
        "data.dataloader_num_workers=0",
        "data.seed=0",
        "reward.num_workers=1",
        f"reward.custom_reward_function.path={HERE / 'sevens.py'}",
        "transfer_queue.backend.SimpleStorage.num_data_storage_units=1",
        f"trainer.n_gpus_per_node={ranks}",
        "trainer.device=cpu",
        "trainer.logger=[file]",
        "trainer.v1.sampler.custom_sampler.path=pkg://pmpo.integrations.verl.cpu.polling",
        "trainer.v1.sampler.custom_sampler.name=QuickReplayBuffer",
        "trainer.val_before_train=False",
        f"trainer.total_training_steps={updates}",
        f"trainer.default_local_dir={folder / 'checkpoints'}",
        f"+ray_kwargs.ray_init.num_gpus={ranks}",
        "ray_kwargs.ray_init.num_cpus=16",
        "+ray_kwargs.ray_init.include_dashboard=False",
        "hydra.run.dir=.",
        "hydra.output_subdir=null",
    ]


@contextmanager
def started(
    folder: Path, arguments: Sequence[str], environment: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen]:
    """main_ppo running in `folder`, its output in `folder/output.txt`; it and all of its Ray are gone at the end."""
    ray_folder = Path(tempfile.mkdtemp(prefix="r", dir="/tmp"))  # short: Ray puts sockets there, of at most 107 bytes
    environment = dict(environment or {})
    paths = [str(SOURCE), environment.pop("PYTHONPATH", ""), os.environ.get("PYTHONPATH", "")]
    settings = {
        "PYTHONPATH": os.pathsep.join(filter(None, paths)),
        "VERL_USE_EXTERNAL_MODULES": "pmpo.integrations.verl.cpu",
        "VERL_FILE_LOGGER_PATH": str(folder / "metrics.jsonl"),
        "RAY_TMPDIR": str(ray_folder),
        "RAY_DEDUP_LOGS": "0",
        "RAY_prestart_worker_first_driver": "0",  # one idle process for each logical core
        "TQ_NUM_THREADS": "1",
        "RAY_worker_niceness": "0",  # Ray takes 15, and whatever else runs then comes first
        "OMP_NUM_THREADS": "1",
        "HF_HUB_OFFLINE": "1",
        **environment,
    }
    command = [sys.executable, "-m", "verl.trainer.main_ppo", *arguments]
    with open(folder / "output.txt", "w", encoding="utf-8") as output:
        process = subprocess.Popen(
            command, cwd=folder, env={**os.environ, **settings}, stdout=output, stderr=subprocess.STDOUT,
            start_new_session=True,
        )  # fmt: skip
        try:
            yield process
        finally:
            end_everything(process, ray_folder)


def end_everything(process: subprocess.Popen, ray_folder: Path) -> None:
    """Kill the driver and each process that was started with this run's Ray folder."""
    for pid in processes_of(ray_folder):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    if process.poll() is None:
        process.kill()
    process.wait()
    shutil.rmtree(ray_folder, ignore_errors=True)


def processes_of(ray_folder: Path) -> list[int]:
    """Ids of the processes whose environment names this Ray folder."""
    mark, found = f"RAY_TMPDIR={ray_folder}\0".encode(), []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and mark in (entry / "environ").read_bytes() + b"\0":
                found.append(int(entry.name))
        except OSError:
            continue
    return found


def run_main_ppo(
    folder: Path, arguments: Sequence[str], *, environment: Mapping[str, str] | None = None, timeout: float = 900
) -> Run:
    """Run main_ppo to its end.

    Args:
        folder: working directory, made if needed.
        arguments: `overrides(...)` and more; of two for one key the last holds.
        environment: more variables; a plugin under test goes into VERL_USE_EXTERNAL_MODULES.
        timeout: seconds after which it is killed; the status is then negative.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "metrics.jsonl").unlink(missing_ok=True)
    with started(folder, arguments, environment) as process, suppress(subprocess.TimeoutExpired):
        process.wait(timeout)
    return Run(process.returncode, (folder / "output.txt").read_text(errors="replace"), read_metrics(folder), folder)


def read_metrics(folder: Path) -> list[dict[str, float]]:
    """The rows of verl's file logger so far, "step" among their names."""
    path = folder / "metrics.jsonl"
    lines = path.read_text().splitlines() if path.exists() else []
    rows = [json.loads(line) for line in lines if line.endswith("}")]
    return [{"step": row["step"], **row["data"]} for row in rows]
