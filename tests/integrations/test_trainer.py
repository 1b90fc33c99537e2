"""PMPOTrainer: batch facts, TRL's switches in real runs, metrics, what is not finite."""

import json
import math
import shutil
from pathlib import Path

import pytest
import torch
from datasets import Dataset
from peft import LoraConfig
from safetensors.torch import load_file
from trl import GRPOConfig

import pmpo
from pmpo.integrations.trl import NonFiniteLossError, PMPOTrainer
from support import config, loss_and_grads, loss_inputs, parameters, saved_model, trainer
from tiny import digit_reward, tiny_dataset, tiny_model


def run(**changes):
    one = trainer(config(**changes))
    one.train()
    return one


def log_rows(one):
    return [json.loads(line) for line in (Path(one.args.output_dir) / "metrics.jsonl").read_text().splitlines()]


# ---- objective and batch facts --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["dapo", "dr_grpo", "gspo", "pmpo", "holderpo"])
def test_every_objective_trains(name):
    one = trainer(config(objective=name))
    start = parameters(one).clone()
    one.train()
    assert (parameters(one) - start).abs().max() > 1e-3 and parameters(one).isfinite().all()


def test_apmpo_trains_with_its_reference_model(tmp_path):
    one = trainer(config(objective="apmpo"), model=saved_model(tmp_path))
    one.train()
    row = log_rows(one)[1]
    assert row["kl"] > 0 and 0.4 < row["exponent/mean"] < 1.0


def test_reward_statistics_are_those_of_the_generation_batch_without_missing_rewards():
    rewards = iter([1.0, None, 0.5, 0.25, 0.0, 1.0, 1.0, None] * 10)

    def reward(completions, **kwargs):
        return [next(rewards) for _ in completions]

    one = trainer(config(objective="apmpo", beta=0.0, max_steps=2), reward=reward)
    seen = []
    compute = one._compute_loss
    one._compute_loss = lambda model, inputs: seen.append(inputs) or compute(model, inputs)
    one.train()
    present = torch.tensor([1.0, 0.5, 0.25, 0.0, 1.0, 1.0] * 2)
    for inputs in seen:  # both slices of the generation carry the same numbers
        assert inputs["reward_mean"].item() == pytest.approx(present.mean().item())
        assert inputs["reward_std"].item() == pytest.approx(present.std(correction=0).item())
    assert log_rows(one)[0]["exponent/mean"] == pytest.approx(math.exp(-0.8 * present.mean().item()), rel=1e-5)


@pytest.mark.parametrize(("scale", "warns"), [(1.0, False), (3.0, True)])
def test_rewards_outside_zero_to_one_are_pointed_out_once_where_they_matter(scale, warns, recwarn):
    def reward(completions, **kwargs):
        return [scale * value for value in digit_reward(completions)]

    trainer(config(objective="apmpo", beta=0.0), reward=reward).train()
    trainer(config(objective="pmpo"), reward=reward).train()
    assert sum("share in [0, 1]" in str(w.message) for w in recwarn) == int(warns)


def holder(folder=None, resume=None, **changes):
    """Exponents of every update of HölderPO in a run of two rounds, and those in the buffer's micro-batches."""
    where = {} if folder is None else {"output_dir": str(folder), "save_strategy": "steps", "save_steps": 3}
    one = trainer(config(**{"objective": "holderpo", "max_steps": 8, "steps_per_generation": 4, **where, **changes}))
    shared, context = [], one._context
    one._context = lambda inputs, mode: (shared.append((one.state.global_step, context(inputs, mode))), shared[-1][1])[
        1
    ]
    one.train(resume_from_checkpoint=resume)
    return [row["exponent/mean"] for row in log_rows(one) if "exponent/mean" in row], shared


LINEAR = [2.0 - 4.0 * step / 7 for step in range(8)]


def test_a_schedule_follows_the_updates_and_reaches_its_end_at_the_last():
    exponents, _ = holder()
    assert exponents == pytest.approx(LINEAR, abs=1e-6) and exponents[0] == 2.0 and exponents[-1] == -2.0


def test_the_micro_batches_of_an_update_share_its_place_in_the_schedule():
    exponents, shared = holder(gradient_accumulation_steps=2, steps_per_generation=8, per_device_train_batch_size=4)
    assert len(shared) == 16 and all(facts.progress == pytest.approx(step / 7) for step, facts in shared)
    assert exponents == pytest.approx(LINEAR, abs=1e-6)


def test_a_resumed_run_goes_on_in_the_schedule(tmp_path):
    whole, _ = holder(tmp_path / "whole")
    shutil.copytree(tmp_path / "whole" / "checkpoint-3", tmp_path / "again" / "checkpoint-3")
    again, _ = holder(tmp_path / "again", resume=True)
    assert again == whole[3:] == pytest.approx(LINEAR[3:], abs=1e-6)


def test_an_evaluation_after_the_last_update_is_at_the_end_of_the_schedule():
    args = config(objective="holderpo", eval_strategy="steps", eval_steps=4, num_generations_eval=2)
    one = trainer(args, eval_dataset=tiny_dataset(8))
    one.train()
    assert [row["eval_exponent/mean"] for row in log_rows(one) if "eval_exponent/mean" in row] == [-2.0]


def a_quarter(facts):
    return 0.25


def test_an_exponent_rule_of_the_users_own():
    one = trainer(config(), objective=pmpo.objective("pmpo", exponent=a_quarter))
    one.train()
    assert {row["exponent/mean"] for row in log_rows(one)[:-1]} == {0.25}


@pytest.mark.parametrize("advantage", ["rloo", "maxrl"])
def test_advantages_that_trl_has_not_replace_its_own_and_their_log(advantage):
    one = trainer(config(advantage=advantage, log_completions=True))
    one.model.train()
    one.state.max_steps = 4
    output = one._generate_and_score_completions([{"prompt": "1+2="}] * 8)
    expected = pmpo.group_advantages(one._rewards, 4, advantage)
    assert torch.allclose(output["advantages"], expected)
    assert list(one._logs["advantages"]) == expected.tolist()


def test_rloo_in_an_evaluation_larger_than_a_generation():
    args = config(
        advantage="rloo", eval_strategy="steps", eval_steps=2, do_eval=True, max_steps=2,
        per_device_eval_batch_size=32, num_generations_eval=2,
    )  # fmt: skip
    one = trainer(args, eval_dataset=tiny_dataset(16))
    one.train()
    assert any("eval_exponent/mean" in row for row in log_rows(one))


# ---- gradient accumulation and counts -------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["grpo", "dapo", "dr_grpo", "pmpo", "gspo"])
def test_accumulation_gives_the_gradient_of_the_whole_batch(name):
    whole_inputs = loss_inputs(rows=8)
    _, whole = loss_and_grads(trainer(config(objective=name)), whole_inputs)
    one = trainer(config(objective=name))
    one.model.train()
    one.current_gradient_accumulation_steps = 2
    parts = [{k: (v[s] if v.dim() else v) for k, v in whole_inputs.items()} for s in (slice(0, 4), slice(4, 8))]
    one._buffered_inputs = parts
    for step, part in enumerate(parts):
        one._step = step
        one._compute_loss(one.model, dict(part)).backward()
    gradient = torch.cat([p.grad.flatten() for p in one.model.parameters() if p.grad is not None])
    assert torch.allclose(gradient, whole, atol=1e-6)


@pytest.mark.parametrize("name", ["pmpo", "dapo"])
@pytest.mark.parametrize("changes", [{"gradient_accumulation_steps": 2}, {"num_iterations": 2}], ids=["ga2", "it2"])
def test_accumulation_and_iterations_in_a_run(name, changes):
    one = run(objective=name, per_device_train_batch_size=4, **changes)
    rows = [row for row in log_rows(one) if "exponent/mean" in row]
    assert len(rows) == 4
    generations = sum("reward" in row for row in rows)
    updates = one.args.updates_per_generation
    assert generations == math.ceil(4 / updates)


def test_token_counts_follow_every_new_generation():
    one = trainer(config(objective="dapo"))
    seen = []
    context = one._context
    one._context = lambda inputs, mode: (
        seen.append((inputs["completion_mask"].sum(), context(inputs, mode))) or seen[-1][1]
    )
    one.train()
    assert len({int(own) for own, _ in seen}) > 1
    assert all(int(own) == int(facts.num_tokens) for own, facts in seen)


def test_one_update_per_generation_warns_once():
    with pytest.warns(UserWarning, match="every importance ratio is 1") as caught:
        trainer(config(steps_per_generation=1))
    assert sum("importance ratio" in str(w.message) for w in caught) == 1


# ---- TRL's switches -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["pmpo", "gmpo", "apmpo", "holderpo"])
@pytest.mark.parametrize(
    "switches",
    [{"entropy_coef": 0.3}, {"use_adaptive_entropy": True, "entropy_coef": 0.3}, {"top_entropy_quantile": 0.4},
     {"off_policy_mask_threshold": 0.01}, {"delta": 1.2}],
    ids=lambda s: next(iter(s)),
)  # fmt: skip
def test_a_switch_changes_the_gradient_of_every_objective(name, switches):
    inputs = loss_inputs(spread=0.8)
    plain = trainer(config(objective=name, beta=0.0))
    switched = trainer(config(objective=name, beta=0.0, **switches))
    if switches.get("use_adaptive_entropy"):
        switched._last_world_entropy = 0.0  # below the target: the controller applies the bonus
    sequence_level = plain.policy_objective.trust_region.level == "sequence"
    if "delta" in switches and sequence_level:
        inputs["old_per_token_logps"] -= 0.5  # the completion's own ratio must exceed the cap
    a, b = loss_and_grads(plain, inputs)[1], loss_and_grads(switched, inputs)[1]
    assert not torch.allclose(a, b, atol=1e-5)


def test_top_entropy_quantile_keeps_gradients_to_high_entropy_tokens():
    one = trainer(config(top_entropy_quantile=0.4))
    captured = {}
    forward = PMPOTrainer._get_per_token_logps_and_entropies

    def spy(self, *args, **kwargs):
        logps, entropies, aux = forward(self, *args, **kwargs)
        logps.retain_grad() if logps.requires_grad else None
        captured["logps"] = logps
        return logps, entropies, aux

    one._get_per_token_logps_and_entropies = lambda *a, **k: captured.setdefault("out", spy(one, *a, **k))
    one._forward = None
    inputs = loss_inputs()
    one.model.train()
    one.current_gradient_accumulation_steps = 1
    one._compute_loss(one.model, inputs).backward()
    gradient = captured["logps"].grad
    keep = one._entropy_mask & (inputs["advantages"] != 0)[:, None]
    assert (gradient[~keep] == 0).all() and (gradient[keep] != 0).any()


def test_mixture_of_experts_auxiliary_loss_is_kept():
    from transformers import Qwen2MoeConfig, Qwen2MoeForCausalLM

    def model():
        torch.manual_seed(0)
        return Qwen2MoeForCausalLM(
            Qwen2MoeConfig(
                vocab_size=17, hidden_size=16, intermediate_size=32, num_hidden_layers=1, num_attention_heads=2,
                num_key_value_heads=1, num_experts=4, num_experts_per_tok=2, moe_intermediate_size=16,
                shared_expert_intermediate_size=16, max_position_embeddings=64, pad_token_id=0, eos_token_id=1,
            )
        )  # fmt: skip

    inputs = loss_inputs(model=model())
    plain = loss_and_grads(trainer(config(router_aux_loss_coef=0.0), model=model()), inputs)
    with_aux = loss_and_grads(trainer(config(router_aux_loss_coef=1.0), model=model()), inputs)
    assert with_aux[0] > plain[0] + 0.5
    one = trainer(config(router_aux_loss_coef=1.0), model=model())
    one.train()
    assert log_rows(one)[0]["aux_loss"] > 0


def test_lora_trains_only_the_adapter_with_a_reference_from_the_base():
    lora = LoraConfig(r=4, target_modules=["q_proj", "v_proj"], task_type="CAUSAL_LM")
    one = trainer(config(beta=0.1), peft_config=lora)
    before = {n: p.detach().clone() for n, p in one.model.named_parameters()}
    one.train()
    moved = {n for n, p in one.model.named_parameters() if not torch.equal(p, before[n])}
    assert moved and all("lora" in n for n in moved)
    assert any(row.get("kl", 0) > 0 for row in log_rows(one))


def test_gradient_checkpointing_changes_memory_and_not_the_result():
    a, b = run(), run(gradient_checkpointing=True)
    assert torch.allclose(parameters(a), parameters(b), atol=1e-6)


def test_bfloat16_weights_are_optimised_by_a_float32_loss():
    one = trainer(config(bf16=True), model=tiny_model(dtype=torch.bfloat16))
    one.train()
    assert all(math.isfinite(row["policy_loss"]) for row in log_rows(one) if "policy_loss" in row)


def test_masked_truncated_completions_take_no_part():
    one = run(mask_truncated_completions=True)
    rows = [row for row in log_rows(one) if "active_completions" in row]
    assert all(row["active_completions"] < 1.0 for row in rows)


def test_evaluation_during_training_logs_apart():
    args = config(
        eval_strategy="steps", eval_steps=2, per_device_eval_batch_size=4, num_generations_eval=2, do_eval=True
    )
    one = trainer(args, eval_dataset=tiny_dataset(4))
    one.train()
    rows = log_rows(one)
    evaluated = [row for row in rows if "eval_exponent/mean" in row]
    assert len(evaluated) == 2 and all("exponent/mean" not in row for row in evaluated)
    assert all("eval_exponent/mean" not in row for row in rows if "exponent/mean" in row)


def test_resume_continues_the_run_and_its_log():
    args = config(max_steps=2, save_strategy="steps", save_steps=2)
    one = trainer(args)
    one.train()
    again = trainer(config(max_steps=4, output_dir=args.output_dir))
    again.train(resume_from_checkpoint=str(Path(args.output_dir) / "checkpoint-2"))
    steps = [row["step"] for row in log_rows(again) if "exponent/mean" in row]
    assert steps == [1, 2, 3, 4] and again.state.global_step == 4


def test_the_log_of_another_run_is_kept_under_another_name():
    args = config(max_steps=2)
    trainer(args).train()
    log = Path(args.output_dir) / "metrics.jsonl"
    first = log.read_text()
    again = trainer(config(max_steps=2, output_dir=args.output_dir))
    with pytest.warns(UserWarning, match=r"metrics.jsonl is of another run, and is now metrics-1.jsonl"):
        again.train()
    assert log.with_name("metrics-1.jsonl").read_text() == first
    assert [row["step"] for row in log_rows(again) if "exponent/mean" in row] == [1, 2]


def test_an_evaluation_before_the_training_stays_in_the_log():
    one = trainer(config(max_steps=2), eval_dataset=tiny_dataset(8))
    one.evaluate()
    one.train()
    assert [row["step"] for row in log_rows(one) if "eval_reward" in row or "exponent/mean" in row] == [0, 1, 2]


def test_completions_are_logged():
    one = run(log_completions=True, num_completions_to_print=1)
    assert sorted((Path(one.args.output_dir) / "completions").glob("*.parquet"))


def test_unchanged_switches_of_trl_have_trls_defaults():
    """What PMPOConfig redefines is exactly what it documents."""
    import dataclasses

    from pmpo.integrations.trl import PMPOConfig

    theirs = {f.name: f.default for f in dataclasses.fields(GRPOConfig)}
    ours = {f.name: f.default for f in dataclasses.fields(PMPOConfig)}
    changed = {name for name in theirs if ours[name] is not theirs[name] and ours[name] != theirs[name]}
    assert changed == {
        "beta", "epsilon", "importance_sampling_level", "loss_type", "sapo_temperature_neg", "sapo_temperature_pos",
        "scale_rewards", "use_bias_correction_kl",
    }  # fmt: skip


def test_a_grpo_config_is_refused_with_the_line_to_write(tmp_path):
    args = GRPOConfig(str(tmp_path), use_cpu=True, bf16=False, report_to="none")
    with pytest.raises(TypeError, match=r"PMPOConfig\(\.\.\., objective='pmpo'\)"):
        trainer(args)


# ---- metrics --------------------------------------------------------------------------------------------------------


def test_metrics_of_a_step_agree_with_the_diagnostics():
    inputs = loss_inputs(spread=0.8)
    inputs["advantages"][0] = 0.0
    one = trainer(config())
    loss_and_grads(one, inputs)
    one._settle("train")
    got = one._windows["train"].metrics()
    with torch.no_grad():
        logps = one._get_per_token_logps_and_entropies(
            one.model,
            torch.cat([inputs["prompt_ids"], inputs["completion_ids"]], 1),
            torch.cat([inputs["prompt_mask"], inputs["completion_mask"]], 1),
            6,
        )[0]
    expected = pmpo.policy_loss(
        logps, inputs["old_per_token_logps"], inputs["advantages"], inputs["completion_mask"], pmpo.objective("pmpo")
    )
    d, active = expected.diagnostics, expected.diagnostics.active
    assert got["active_completions"] == pytest.approx(7 / 8)
    assert got["policy_loss"] == pytest.approx(expected.loss.item(), abs=1e-6)
    for name, value in {
        "exponent/mean": d.exponent[active].mean(),
        "exponent/min": d.exponent[active].min(),
        "clip_fraction/one_sided": d.clip_fraction[active].mean(),
        "clip_fraction/two_sided": d.clip_fraction_two_sided[active].mean(),
        "ess/mean": d.ess[active].mean(),
        "power_mean/max": d.power_mean[active].max(),
        "log_ratio/max": d.max_log_ratio[active].max(),
        "log_ratio/min": d.min_log_ratio[active].min(),
        "kl_old": d.kl[active].mean(),
    }.items():
        assert got[name] == pytest.approx(value.item(), abs=1e-5), name
    assert not any(key.startswith("clip_ratio/") for key in one._metrics["train"])


def test_extremes_stay_extremes_over_a_logging_window_and_the_histogram_counts_every_completion():
    fine, coarse = run(max_steps=4), run(max_steps=4, logging_steps=4)
    rows = [row for row in log_rows(fine) if "exponent/mean" in row]
    window = next(row for row in log_rows(coarse) if "exponent/mean" in row)
    assert window["log_ratio/max"] == max(row["log_ratio/max"] for row in rows)
    assert window["exponent/min"] == min(row["exponent/min"] for row in rows)
    counts = sum(sum(row["exponent/histogram"]["counts"]) for row in rows)
    assert sum(window["exponent/histogram"]["counts"]) == counts > 0


def test_tensorboard_gets_the_scalars_and_the_histogram(tmp_path, monkeypatch):
    monkeypatch.setenv("TENSORBOARD_LOGGING_DIR", str(tmp_path))
    run(report_to="tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    folder = next(p.parent for p in tmp_path.rglob("events.out.tfevents*"))
    events = EventAccumulator(str(folder)).Reload()
    assert "train/exponent/mean" in events.Tags()["scalars"]
    assert "train/exponent/histogram" in events.Tags()["histograms"]


# ---- what is not finite ---------------------------------------------------------------------------------------------


def poisoned(first=2, last=2, every=1, **changes):
    """A trainer whose micro-batches `first`, `first + every`, … `last` have a NaN log-probability where it counts."""
    one = trainer(config(**changes))
    compute, calls = one._compute_loss, []

    def spoil(model, inputs):
        calls.append(1)
        if first <= len(calls) <= last and (len(calls) - first) % every == 0:
            old = inputs["old_per_token_logps"].clone()
            old[0, 0] = math.nan
            inputs = {**inputs, "old_per_token_logps": old, "advantages": inputs["advantages"] + 0.1}
        return compute(model, inputs)

    one._compute_loss = spoil
    return one


def test_a_nan_loss_can_raise_and_names_the_completion_and_keeps_the_batch():
    one = poisoned(on_nonfinite="raise")
    with pytest.raises(
        NonFiniteLossError, match=r"optimiser step 1: completion 0 .* prompt '.*on_nonfinite: skip"
    ) as e:
        one.train()
    assert "numbers in old_per_token_logps are not finite; log ratios range from" in str(e.value)
    folder = Path(one.args.output_dir) / "nonfinite-1-rank0"
    report = json.loads((folder / "report.json").read_text())
    assert len(report["completions"]) == 8 and report["step"] == 1
    assert load_file(folder / "batch.safetensors")["old_per_token_logps"].isnan().sum() == 1


def test_too_many_skipped_steps_in_a_row_stop_the_run():
    one = poisoned(first=2, last=99, max_nonfinite_steps=3, max_steps=8)
    with pytest.raises(NonFiniteLossError, match="step 3, 3 updates in a row: completion 0 of the micro-batch"):
        one.train()
    assert parameters(one).isfinite().all()
    assert (Path(one.args.output_dir) / "nonfinite-3-rank0" / "report.json").exists()


def test_a_finite_step_between_them_starts_the_count_anew():
    one = poisoned(first=2, last=99, every=2, max_nonfinite_steps=2, max_steps=8)
    one.train()
    assert one.skipped_steps == 4


def test_weights_that_are_not_finite_are_never_saved():
    args = config(save_strategy="steps", save_steps=1)
    one = trainer(args)
    with torch.no_grad():
        one.model.model.norm.weight[0] = math.nan
    with pytest.raises(NonFiniteLossError, match="weights are not finite at step 0, so checkpoint-0 was not written"):
        one._save_checkpoint(one.model, None)
    assert not list(Path(args.output_dir).glob("checkpoint-*"))


def test_a_nan_loss_can_be_skipped_and_is_counted():
    one = poisoned(on_nonfinite="skip")
    seen = []
    step = one.accelerator.backward
    one.accelerator.backward = lambda *a, **k: (seen.append(parameters(one).clone()), step(*a, **k))[1]
    one.train()
    assert parameters(one).isfinite().all()
    assert torch.equal(seen[1], seen[2]), "the spoiled step must leave the weights alone"
    assert not torch.equal(seen[0], seen[1]) and not torch.equal(seen[2], seen[3])
    assert max(row.get("nonfinite/skipped_steps", 0) for row in log_rows(one)) == 1


@pytest.mark.parametrize("choice", ["raise", "skip"])
def test_a_nan_gradient_of_a_finite_loss_is_caught(choice):
    one = trainer(config(on_nonfinite=choice))
    weight = one.model.lm_head.weight
    calls = []
    weight.register_hook(lambda g: (calls.append(1), g * math.nan if len(calls) == 2 else g)[1])
    if choice == "raise":
        with pytest.raises(NonFiniteLossError, match="Non-finite gradient"):
            one.train()
    else:
        one.train()
        assert parameters(one).isfinite().all() and one.skipped_steps == 1


def test_reward_functions_see_the_columns_of_the_data_set():
    rows = Dataset.from_dict({"prompt": ["1+1=", "2+2="] * 8, "answer": ["2", "4"] * 8})
    seen = []

    def reward(prompts, completions, answer, **kwargs):
        seen.extend(zip(prompts, answer, strict=True))
        return digit_reward(completions)

    trainer(config(max_steps=1), reward=reward, train_dataset=rows).train()
    assert set(seen) <= {("1+1=", "2"), ("2+2=", "4")} and seen
