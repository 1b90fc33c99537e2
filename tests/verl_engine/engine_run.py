"""One rank of verl's actor on one round, for several losses in turn: `python engine_run.py CASES.json RANK OUT.pt`.

Every case starts from the same weights and makes one update with plain gradient descent, so that the weights move by
RATE times the gradient; OUT has what rank 0 saw.
"""

import json
import os
import sys
from functools import partial
from pathlib import Path
from typing import Any

import torch
import verl
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf
from tensordict import TensorDict
from verl.utils import tensordict_utils as tu
from verl.utils.config import omega_conf_to_dataclass
from verl.workers.engine_workers import TrainingWorker
from verl.workers.utils.losses import ppo_loss

from pmpo.integrations.verl.worker import FACTS, ObjectiveWorker
from rounds import REWARD_MEAN, REWARD_STD, make_round

ACTOR = "actor_rollout_ref.actor"
RATE = 1e3
"""So large that the weights' own rounding does not show in how far they moved."""


def configuration(model: str) -> Any:
    """verl's own defaults, with what a rank on a CPU needs."""
    folder = str(Path(verl.__file__).parent / "trainer" / "config")
    with initialize_config_dir(folder, version_base=None):
        return compose(
            "ppo_trainer",
            overrides=[
                f"actor_rollout_ref.model.path={model}",
                "+actor_rollout_ref.model.override_config.attn_implementation=sdpa",
                "actor_rollout_ref.model.enable_gradient_checkpointing=False",
                "actor_rollout_ref.rollout.name=vllm",
                "actor_rollout_ref.rollout.log_prob_micro_batch_size_per_gpu=4",
                f"{ACTOR}.strategy=fsdp2",
                f"{ACTOR}.policy_loss.loss_mode=pmpo",
                f"{ACTOR}.loss_agg_mode=seq-mean-token-mean",
                f"{ACTOR}.ppo_micro_batch_size_per_gpu=4",
                f"{ACTOR}.use_torch_compile=False",
                f"{ACTOR}.fsdp_config.model_dtype=fp32",
                f"+{ACTOR}.fsdp_config.mixed_precision={{param_dtype:fp32,reduce_dtype:fp32,buffer_dtype:fp32}}",
                f"{ACTOR}.optim.optimizer=SGD",
                f"{ACTOR}.optim.lr={RATE}",
                f"{ACTOR}.optim.weight_decay=0.0",
                f"{ACTOR}.optim.clip_grad=1e9",
            ],
        )


def with_overrides(config: Any, overrides: list[str]) -> Any:
    return OmegaConf.merge(config, OmegaConf.from_dotlist(overrides)).actor_rollout_ref


def part_of_round(rank: int, ranks: int, case: dict[str, Any]) -> TensorDict:
    """The rows of a rank, nested as verl's controller sends them."""
    made = make_round()
    size = len(made["prompts"]) // ranks
    rows = list(range(rank * size, (rank + 1) * size))
    whole = [p + r for p, r in zip(made["prompts"], made["responses"], strict=True)]
    fields: dict[str, list[torch.Tensor]] = {
        "prompts": [torch.tensor(row) for row in made["prompts"]],
        "responses": [torch.tensor(row) for row in made["responses"]],
        "input_ids": [torch.tensor(row) for row in whole],
        "attention_mask": [torch.ones(len(row), dtype=torch.long) for row in whole],
        "position_ids": [torch.arange(len(row)) for row in whole],
        "loss_mask": made["response_mask"],
        "advantages": [a * m.float() for a, m in zip(made["advantages"], made["response_mask"], strict=True)],
    }
    names = ["response_mask", "old_log_probs", "rollout_log_probs"]
    names += ["ref_log_prob"] if case.get("reference") else []
    names += ["rollout_is_weights"] if case.get("weights") else []
    fields |= {name: made[name] for name in names}
    nested = {
        name: torch.nested.as_nested_tensor([values[row] for row in rows], layout=torch.jagged)
        for name, values in fields.items()
    }
    data = TensorDict(nested, batch_size=[size])
    tu.assign_non_tensor(data, uid=[made["uid"][row] for row in rows])
    entries = {
        "temperature": 1.0,
        "calculate_entropy": bool(case.get("entropy")),
        "global_batch_size": len(made["prompts"]),
        "mini_batch_size": len(made["prompts"]),
        "epochs": 1,
        "use_remove_padding": case.get("remove_padding", True),
        "use_dynamic_bsz": "tokens" in case,
        "max_token_len_per_gpu": case.get("tokens", 64),
        "micro_batch_size_per_gpu": size // case.get("micro_batches", 1),
    }
    for name, value in entries.items():
        tu.assign_non_tensor_data(data, name, value)
    if case.get("ours", True):
        facts = {"reward_mean": REWARD_MEAN, "reward_std": REWARD_STD, "first_update": 3, "updates": 13}
        tu.assign_non_tensor_data(data, FACTS, facts)
    return data


def whole_weights(worker: ObjectiveWorker) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in worker.actor.engine.get_per_tensor_param()[0]}


def main(cases_file: str, rank: str, out: str) -> None:
    given = json.loads(Path(cases_file).read_text())
    ranks = given["ranks"]
    os.environ |= {"RANK": rank, "WORLD_SIZE": str(ranks), "LOCAL_RANK": "0", "MASTER_ADDR": "127.0.0.1"}
    os.environ["MASTER_PORT"] = str(given["port"])
    torch.set_num_threads(1)
    base = configuration(given["model"])
    worker = ObjectiveWorker(base.actor_rollout_ref, role="actor")
    worker.init_model()
    module = worker.actor.engine.module
    start = [parameter.detach().clone() for parameter in module.parameters()]
    at_start, results = whole_weights(worker), []
    for case in given["cases"]:
        for parameter, value in zip(module.parameters(), start, strict=True):
            parameter.data.copy_(value)
        config = with_overrides(base, case["overrides"])
        loss_fn = partial(ppo_loss, config=omega_conf_to_dataclass(config.actor))
        if case.get("ours", True):
            worker.set_loss_fn(loss_fn)
        else:
            TrainingWorker.set_loss_fn(worker.actor, loss_fn)
        output = worker.update_actor(part_of_round(int(rank), ranks, case))
        full = whole_weights(worker)
        moved = {name: (at_start[name] - value) / RATE for name, value in full.items()}
        metrics = dict(tu.get(output, "metrics"))
        results.append({"gradient": moved, "metrics": metrics, "wrapper": type(module).__name__, "ranks": ranks})
        print(f"case {len(results)}/{len(given['cases'])}", flush=True)
    if int(rank) == 0:
        torch.save(results, out)
    torch.distributed.barrier()
    torch.distributed.destroy_process_group()


if __name__ == "__main__":
    main(*sys.argv[1:])
