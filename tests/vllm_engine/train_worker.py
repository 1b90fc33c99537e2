"""Train with a real vLLM as the sampler, and write down what it and the trainer make of the same completions.

python train_worker.py colocate|server MODEL RESULT.json [ADDRESS]
"""

import contextlib
import json
import sys
from pathlib import Path

import torch

UPDATES, UPDATES_PER_ROUND = 8, 2
BOUND = 1.0005
"""Largest ratio: small enough that a sampler in 16 bits reaches it, and one in 32 does not."""
CORRECTIONS = {
    "TRL, token": {"vllm_importance_sampling_mode": "token_truncate", "vllm_importance_sampling_clip_max": BOUND},
    "TRL, sequence": {"vllm_importance_sampling_mode": "sequence_mask", "vllm_importance_sampling_clip_max": BOUND},
    "ours, token": {"vllm_importance_sampling_correction": False, "correction": f"truncate:ratio_max={BOUND}"},
    "ours, sequence": {
        "vllm_importance_sampling_correction": False,
        "correction": f"mask:level=sequence,ratio_max={BOUND}",
    },
    "none": {"vllm_importance_sampling_correction": False},
}


def measured_trainer():
    """The class of trainer that keeps, of every round, how far its log-probabilities are from the sampler's."""
    from pmpo.integrations.trl import PMPOTrainer
    from pmpo.objective.correction import rollout_weights

    class Measured(PMPOTrainer):
        def __init__(self, *args, **kwargs):
            self.rounds = []
            super().__init__(*args, **kwargs)

        def make_round(self, rows):
            made = super().make_round(rows)
            old, sampled, mask = (
                made[name] for name in ("old_per_token_logps", "sampling_per_token_logps", "completion_mask")
            )
            apart = (old - sampled)[mask.bool()].abs()
            found = {"tokens": apart.numel(), "sum": apart.sum().item(), "max": apart.max().item()}
            if "importance_sampling_ratio" in made:
                mode, high = self.vllm_importance_sampling_mode, self.vllm_importance_sampling_clip_max
                ratio = made["importance_sampling_ratio"]
                expected = rollout_weights(old, sampled, mask, mode=mode, ratio_max=high)
                error = (ratio - expected).abs() * (mask if ratio.shape == mask.shape else 1)
                held = (ratio == 0) | (ratio >= high)
                found |= {"ratio": list(ratio.shape), "ratio_error": error.max().item(), "bounded": int(held.sum())}
            self.rounds.append(found)
            return made

    return Measured


def train(model: str, how: dict):
    """A trainer after all its updates."""
    from support import config
    from tiny import digit_reward, tiny_dataset, tiny_tokenizer

    args = config(
        use_vllm=True, max_steps=UPDATES, steps_per_generation=UPDATES_PER_ROUND, temperature=0.8, learning_rate=3e-3,
        **how,
    )  # fmt: skip
    one = measured_trainer()(model, digit_reward, args, train_dataset=tiny_dataset(), processing_class=tiny_tokenizer())
    torch.manual_seed(0)  # a colocated vLLM draws by this process's generator
    one.train()
    return one


def facts(one, model: str) -> dict:
    """What came of a run: its rounds, and the greedy completions of both engines."""
    from transformers import AutoModelForCausalLM

    from support import parameters

    one.vllm_generation.sync_weights()
    trained, first = one.model, AutoModelForCausalLM.from_pretrained(model)
    prompts = one.processing_class([f"{i}+{j}=" for i in range(8) for j in range(8)])["input_ids"]
    of_trained, of_first = (greedy(each, prompts) for each in (trained, first))
    of_vllm = greedy_of_vllm(one, prompts)
    return {
        "updates": one.state.global_step,
        "rounds": one.rounds,
        "asked": len(prompts),
        "equal": sum(a == b for a, b in zip(of_vllm, of_trained, strict=True)),
        "changed": sum(a != b for a, b in zip(of_first, of_trained, strict=True)),
        "parameters": parameters(one),
    }


def greedy(model, prompts) -> list[list[int]]:
    """Tokens by transformers, end token left out, as its own settings end."""
    from transformers import GenerationConfig

    model.eval()
    settings = GenerationConfig(do_sample=False, max_new_tokens=10, eos_token_id=1, pad_token_id=0)
    made = [model.generate(torch.tensor([ids]), generation_config=settings)[0, len(ids) :] for ids in prompts]
    return [ids.tolist() for ids in made]


def greedy_of_vllm(one, prompts) -> list[list[int]]:
    """Tokens by the trainer's vLLM with the weights that it holds now."""
    generation = one.vllm_generation
    generation.temperature, generation.max_completion_length = 0.0, 10
    return generation.generate(prompts, None, num_generations=1)[1]


def colocated(model: str) -> dict:
    """Both types of weights: float32, and what vLLM takes where TRL names none."""
    from trl.generation import vllm_generation

    from plain_weights import keep_weights_loadable

    start, how = vllm_generation.LLM, {"vllm_mode": "colocate", "vllm_max_model_length": 64}
    found = {"as it comes": refusal(model, how, start)}
    keep_weights_loadable()
    for name, dtype in (("float32", {"dtype": "float32"}), ("auto", {})):
        engine = None

        def shared(dtype=dtype, **kwargs):
            nonlocal engine  # one engine for the trainers of this type: each sends it its weights
            engine = engine or start(enforce_eager=True, **dtype, **kwargs)
            return engine

        vllm_generation.LLM = shared
        found[name] = {kind: facts(train(model, how | each), model) for kind, each in CORRECTIONS.items()}
        found[f"dtype of {name}"] = str(engine.llm_engine.model_config.dtype)
    return found


def refusal(model: str, how: dict, start=None) -> str:
    """What a trainer without a stand-in dies of on this machine; empty where it does not."""
    from trl.generation import vllm_generation

    if start is not None:
        vllm_generation.LLM = lambda **kwargs: start(enforce_eager=True, dtype="float32", **kwargs)
    try:
        train(model, how)
    except (AttributeError, NotImplementedError) as error:
        return f"{type(error).__name__}: {error}"
    return ""


def served(model: str, address: str) -> dict:
    """The same by a server, which holds float32."""
    from gloo_transfer import let_trl_send_by_gloo
    from serving import free_port

    how = {"vllm_mode": "server", "vllm_server_base_url": address, "vllm_server_timeout": 60.0}
    how["generation_kwargs"] = {"seed": 0}  # else the server's generator goes on from one trainer to the next
    found = {"as it comes": refusal(model, how)}
    let_trl_send_by_gloo()
    found["float32"] = {}
    for kind, each in CORRECTIONS.items():
        port = {"vllm_group_port": free_port()}
        found["float32"][kind] = facts(train(model, how | port | each), model)
    return found


def apart(runs: dict) -> dict[str, float]:
    """max |Δw| of final weights: of our correction and TRL's at each level, and of ours and none."""
    weights = {kind: run.pop("parameters") for kind, run in runs.items()}
    pairs = {level: (f"ours, {level}", f"TRL, {level}") for level in ("token", "sequence")}
    pairs |= {f"{level} and none": (f"ours, {level}", "none") for level in ("token", "sequence")}
    return {name: (weights[a] - weights[b]).abs().max().item() for name, (a, b) in pairs.items()}


def main() -> None:
    mode, model, result, *address = sys.argv[1:]
    with contextlib.redirect_stdout(sys.stderr):
        found = colocated(model) if mode == "colocate" else served(model, *address)
    for name in ("float32", "auto"):
        if name in found:
            found[f"apart, {name}"] = apart(found[name])
    Path(result).write_text(json.dumps(found))


if __name__ == "__main__":
    main()
