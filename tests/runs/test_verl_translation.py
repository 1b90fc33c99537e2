"""`pmpo train --engine verl`: what each option becomes in verl's configuration, and which are refused."""

import itertools
import json
from collections import Counter
from pathlib import Path

import pytest

import pmpo
from pmpo.foundation.errors import InputError
from pmpo.integrations.verl.chosen import objective_of
from pmpo.runs.verl_engine import left_out
from pmpo.runs.verl_engine.job import TABLE, Facts, Job
from pmpo.runs.verl_engine.option_table import FILE, option_table, read_off_trl
from pmpo.runs.verl_engine.overrides import Translation, hydra_value
from pmpo.runs.verl_engine.settings import parse_for_verl
from pmpo.runs.verl_engine.translate import shown, translate

flags = str.split

ACTOR, ROLLOUT, MODEL = "actor_rollout_ref.actor", "actor_rollout_ref.rollout", "actor_rollout_ref.model"
BASE = flags(
    "--engine verl --task sums --model_name_or_path m --lr_scheduler_type constant --output_dir runs/x --use_cpu false"
)
ROUND = flags(
    "--num_generations 8 --per_device_train_batch_size 4 --gradient_accumulation_steps 4 "
    "--steps_per_generation 16 --num_processes 8 --max_steps 40"
)


def job_of(words, **facts):
    settings = parse_for_verl([*BASE, *words])
    known = {"train_problems": 8192, "held_out_problems": 256, "longest_prompt": 9, **facts}
    return Job(settings, Facts(folder=Path("/runs/x/verl"), model="m", **known))


def translated(*words, **facts) -> Translation:
    return translate(job_of(words, **facts))


def lines(*words, **facts):
    return translated(*words, **facts).overrides


def said(words, **facts):
    with pytest.raises(InputError) as refused:
        translated(*words, **facts)
    return str(refused.value)


# ---- every option -------------------------------------------------------------------------------------------------


def test_every_option_is_translated_done_here_decided_by_verl_or_refused_and_only_one_of_them():
    places = [*itertools.chain(*TABLE.values()), *left_out.DONE_HERE, *left_out.DECIDED_BY_VERL, *left_out.REFUSED]
    assert [name for name, count in Counter(places).items() if count > 1] == []
    assert set(places) == set(option_table().kinds)


def test_the_options_without_trl_are_those_of_the_installed_trl():
    pytest.importorskip("trl")
    from pmpo.runs.command_line import option_table as of_trl

    assert FILE.read_text() == read_off_trl(), "write it anew: python -m pmpo.runs.verl_engine.option_table"
    theirs, ours = of_trl(), option_table()
    assert (ours.kinds, ours.aliases, ours.defaults) == (theirs.kinds, theirs.aliases, theirs.defaults)


@pytest.mark.parametrize(
    "words",
    [
        flags("--learning_rate 1e-5 --seed=3 --reward_funcs math sums --reward-weights 1 0.5"),
        ["--gradient-checkpointing", "--bf16", "false", "--no_shuffle_dataset", "--objective", '{"name": "gmpo"}'],
        flags("--report_to wandb --dataset_name x --resume_from_checkpoint true --strange 1"),
    ],
)
def test_flags_are_read_as_trls_parser_reads_them(words):
    pytest.importorskip("trl")
    from pmpo.runs.command_line import option_table as of_trl

    assert option_table().read_flags(list(words)) == of_trl().read_flags(list(words))


@pytest.mark.parametrize("name", sorted(left_out.REFUSED))
def test_what_has_no_counterpart_is_refused_by_its_name_unless_it_is_the_default(name):
    kind, default = option_table().kinds[name], option_table().defaults[name]
    value = next(v for v in _values(kind) if v != default)
    job = job_of([])
    job.options.said = frozenset({name})
    setattr(job.options, name, value)
    with pytest.raises(InputError) as refused:
        left_out.leave_out(job, dict(option_table().defaults), Translation())
    assert f"{name}={value!r} has no counterpart under verl: " in str(refused.value)
    setattr(job.options, name, default)
    left_out.leave_out(job, dict(option_table().defaults), Translation())


def _values(kind):
    yield from kind.choices
    yield from {bool: [True, False], int: [7, 8], float: [0.25], str: ["x"], list: [["x"]], dict: [{"x": 1}]}[
        next(one for one in (bool, int, float, str, list, dict) if one in kind.kinds or not kind.kinds)
    ]


def test_what_verl_decides_itself_is_noted_when_it_is_given_and_only_then():
    assert (
        "max_failed_rewards: a reward function that raises ends the run"
        in translated("--max_failed_rewards", "0").notes
    )
    assert not [note for note in translated().notes if note.startswith("max_failed")]


# ---- batches ------------------------------------------------------------------------------------------------------


def test_completions_and_updates_become_prompts_and_rounds():
    made = translated(*ROUND)
    got = made.overrides
    assert got["data.train_batch_size"] == 64  # 4 × 8 × 16 / 8 prompts in a round
    assert got[f"{ACTOR}.ppo_mini_batch_size"] == 16  # 4 × 8 × 4 / 8 prompts in an update
    assert got[f"{ACTOR}.ppo_micro_batch_size_per_gpu"] == 4 and got[f"{ROLLOUT}.n"] == 8
    assert got["trainer.total_training_steps"] == 10 and got["trainer.n_gpus_per_node"] == 8
    assert got["trainer.total_epochs"] == 1 and got[f"{ACTOR}.ppo_epochs"] == 1 and got[f"{ACTOR}.shuffle"] is True
    assert "max_steps: verl counts rounds, 10 of 4 updates each" in made.notes


def test_passes_over_a_round_are_epochs_of_verl_and_count_as_updates():
    got = lines(*ROUND, "--num_iterations", "2")
    assert (got[f"{ACTOR}.ppo_epochs"], got["trainer.total_training_steps"]) == (2, 5)


def test_a_run_by_epochs_has_the_rounds_that_trl_would_have():
    got = lines(*ROUND[:-2], "--num_train_epochs", "3", train_problems=200)
    assert (got["trainer.total_training_steps"], got["trainer.total_epochs"]) == (9, 3)  # 200 // 64 rounds an epoch


def test_rounds_longer_than_the_data_are_repeated_epochs():
    assert lines(*ROUND, train_problems=100)["trainer.total_epochs"] == 10


def test_numbers_that_verl_cannot_have():
    assert (
        "max_steps=42 updates end inside a round of 4, and verl trains whole rounds: write max_steps=40 or 44."
        in said([*ROUND[:-1], "42"])
    )
    words = flags("--num_generations 8 --per_device_train_batch_size 4 --steps_per_generation 4 --max_steps 4")
    assert "write gradient_accumulation_steps=2, or num_generations=4" in said(words)
    assert "num_processes=8 GPUs on trainer.nnodes=3 nodes are no whole number each: write num_processes=9" in said(
        [*ROUND, "--verl", "trainer.nnodes=3"]
    )
    assert lines(*ROUND, "--verl", "trainer.nnodes=2")["trainer.n_gpus_per_node"] == 4


def test_the_defaults_of_a_round_are_trls():
    from pmpo.runs.arguments import parse

    pytest.importorskip("trl")
    words = flags("--task sums --model_name_or_path m --per_device_train_batch_size 16 --gradient_accumulation_steps 2")
    theirs, ours = parse(list(words)).training, parse_for_verl(list(words)).training
    for name in ("steps_per_generation", "generation_batch_size", "num_generations", "learning_rate", "temperature"):
        assert getattr(ours, name) == getattr(theirs, name)
    assert ours.resolved_objective == theirs.resolved_objective
    assert bool(ours.fit_round(20)) == bool(theirs.fit_round(20))
    assert ours.generation_batch_size == theirs.generation_batch_size == 160


# ---- optimiser, sampling, model -----------------------------------------------------------------------------------


def test_the_optimiser():
    got = lines(
        *flags("--learning_rate 2e-6 --weight_decay 0.1 --adam_beta2 0.95 --adam_epsilon 1e-6 --max_grad_norm 0")
    )
    optim = f"{ACTOR}.optim"
    assert (got[f"{optim}.lr"], got[f"{optim}.weight_decay"], got[f"{optim}.betas"]) == (2e-6, 0.1, [0.9, 0.95])
    assert got[f"{optim}.override_optimizer_config"] == {"eps": 1e-6}
    assert got[f"{ACTOR}.grad_clip"] == got[f"{optim}.clip_grad"] == 1e30  # 0 clips nothing under TRL


def test_schedules_and_warmup():
    optim = f"{ACTOR}.optim"
    got = lines(*ROUND, "--lr_scheduler_type", "cosine_with_min_lr", "--lr_scheduler_kwargs", '{"min_lr": 1e-7}',
                "--warmup_steps", "10")  # fmt: skip
    assert (got[f"{optim}.lr_scheduler_type"], got[f"{optim}.lr_warmup_steps"]) == ("cosine", 3)
    assert got[f"{optim}.min_lr_ratio"] == pytest.approx(0.1)
    got = lines("--warmup_steps", "0.1")
    assert (got[f"{optim}.lr_warmup_steps"], got[f"{optim}.lr_warmup_steps_ratio"]) == (-1, 0.1)
    words = flags("--engine verl --task sums --model_name_or_path m --use_cpu false")
    with pytest.raises(InputError, match=r"lr_scheduler_type=linear \(the default\) is no schedule of verl's; write "):
        translate(Job(parse_for_verl(words), Facts(Path("/x"), "m")))
    assert "lr_scheduler_kwargs holds num_cycles" in said(["--lr_scheduler_kwargs", '{"num_cycles": 2}'])
    assert "optim=adafactor is transformers' name" in said(["--optim", "adafactor"])


def test_sampling():
    got = lines(*flags("--temperature 0.6 --top_p 0.9 --top_k 0 --max_completion_length 77 --eval_temperature 0"))
    assert (got[f"{ROLLOUT}.temperature"], got[f"{ROLLOUT}.top_p"], got[f"{ROLLOUT}.top_k"]) == (0.6, 0.9, -1)
    assert (got["data.max_response_length"], got["data.max_prompt_length"]) == (77, 9)
    assert got[f"{ROLLOUT}.val_kwargs.do_sample"] is False and got[f"{ROLLOUT}.name"] == "vllm"
    assert lines("--top_k", "20", "--eval_temperature", "0.5")[f"{ROLLOUT}.val_kwargs.temperature"] == 0.5
    assert lines("--max_completion_length", "20", longest_prompt=None, context=128)["data.max_prompt_length"] == 108
    assert "verl has one limit for both" in said(["--eval_max_completion_length", "8"])


def test_vllm():
    got = lines(
        *flags(
            "--use_vllm --vllm_gpu_memory_utilization 0.35 --vllm_tensor_parallel_size 2 --vllm_max_model_length "
            "4096 --vllm_enable_sleep_mode --vllm_model_impl transformers"
        )
    )
    assert (got[f"{ROLLOUT}.gpu_memory_utilization"], got[f"{ROLLOUT}.tensor_model_parallel_size"]) == (0.35, 2)
    assert (got[f"{ROLLOUT}.max_model_len"], got[f"{ROLLOUT}.free_cache_engine"]) == (4096, True)
    assert got[f"+{ROLLOUT}.engine_kwargs.vllm.model_impl"] == "transformers"
    assert "vllm_mode=server is a server that TRL talks to" in said(["--use_vllm", "--vllm_mode", "server"])
    assert "use_vllm is false, and on GPUs verl samples with an engine of its own" in said(["--use_vllm", "false"])
    assert any("verl always samples with vLLM" in note for note in translated().notes)
    assert str(lines("--verl", f"{ROLLOUT}.name=sglang")[f"{ROLLOUT}.name"]) == "sglang"


def test_the_model():
    got = lines(
        *flags("--dtype bfloat16 --bf16 --attn_implementation flash_attention_2 --activation_checkpointing false")
    )
    assert got[f"{ACTOR}.fsdp_config.model_dtype"] == "bf16" and got[f"{ROLLOUT}.dtype"] == "bfloat16"
    assert got[f"{MODEL}.use_remove_padding"] is True and got[f"{MODEL}.enable_gradient_checkpointing"] is False
    got = lines("--bf16", "false", "--beta", "0.01")
    for section in (ACTOR, "actor_rollout_ref.ref"):
        assert got[f"+{section}.fsdp_config.mixed_precision"]["param_dtype"] == "fp32"
    assert got[f"{MODEL}.use_remove_padding"] is False
    assert lines("--bf16", "true")[f"{ACTOR}.fsdp_config.model_dtype"] == "fp32"


def test_adapters():
    lora = ["--use_peft", "--lora_r", "32", "--lora_alpha", "64"]
    got = lines(*lora, "--lora_dropout", "0", "--lora_target_modules", "q_proj", "v_proj")
    assert (got[f"{MODEL}.lora_rank"], got[f"{MODEL}.lora_alpha"]) == (32, 64)
    assert got[f"{MODEL}.target_modules"] == ["q_proj", "v_proj"]
    assert "lora_dropout=0.05 (the default): verl's adapters have no dropout" in said(lora)
    assert "lora_target_modules is not given" in said([*lora, "--lora_dropout", "0"])


# ---- objective ----------------------------------------------------------------------------------------------------

SPELLED = [
    *([f"--objective={name}"] for name in pmpo.OBJECTIVES),
    ["--objective=gmpo", "--exponent=signed"],
    ["--objective=grpo", "--epsilon=0.1", "--epsilon_high=0.3", "--delta=4"],
    ["--objective=pmpo", "--trust_region=log_ratio:log_ratio_low=0.3,log_ratio_high=0.5", "--advantage=dr_grpo"],
    ["--loss_type=dr_grpo", "--max_completion_length=100"],
    ["--objective=gmpo", "--beta=0.04"],
    ["--objective=grpo", "--correction=mask:level=sequence,ratio_max=3"],
    ["--objective", '{"name": "apmpo", "sequence_weight": "token"}'],
]


@pytest.mark.parametrize("words", SPELLED, ids=" ".join)
def test_the_objective_that_verl_reads_is_the_one_that_trl_would_train_with(words):
    made = translated(*words)
    got, chosen = made.overrides, job_of(words).options.resolved_objective
    section = {
        "loss_mode": got[f"{ACTOR}.policy_loss.loss_mode"],
        "objective": got.get(f"+{ACTOR}.policy_loss.objective"),
    }
    read = objective_of(section)
    if chosen.sequence_weight == "constant":
        assert got[f"{ACTOR}.loss_scale_factor"] == chosen.max_completion_length
        read = pmpo.objective(read.to_mapping(), max_completion_length=chosen.max_completion_length)
    assert read == chosen
    assert got["algorithm.adv_estimator"] == f"pmpo/{chosen.advantage}"
    assert got[f"{ACTOR}.use_kl_loss"] is bool(chosen.kl_coef)
    assert got.get(f"{ACTOR}.kl_loss_coef", 0.0) == chosen.kl_coef
    assert got[f"{ROLLOUT}.calculate_log_probs"] is chosen.uses_sampler


def test_a_preset_is_one_line():
    got = lines("--objective", "gmpo")
    assert got[f"{ACTOR}.policy_loss.loss_mode"] == "pmpo/gmpo" and f"{ACTOR}.policy_loss._target_" not in got


@pytest.mark.parametrize("mode", ["token_truncate", "token_mask", "sequence_truncate", "sequence_mask"])
def test_trls_correction_for_vllm_is_a_part_of_the_objective(mode):
    words = ["--objective=grpo", "--use_vllm", "--vllm_importance_sampling_mode", mode]
    made = translated(*words, "--vllm_importance_sampling_clip_max", "2.5")
    level, _, action = mode.partition("_")
    want = pmpo.objective("grpo", correction={"kind": action, "level": level, "ratio_max": 2.5})
    assert objective_of({"loss_mode": "pmpo", "objective": made.overrides[f"+{ACTOR}.policy_loss.objective"]}) == want
    assert made.overrides[f"{ROLLOUT}.calculate_log_probs"] is True
    assert f"+{ACTOR}.policy_loss.objective" not in lines(*words, "--vllm_importance_sampling_correction", "false")
    assert "vllm_importance_sampling_correction is on as well" in said([*words, "--correction", "truncate"])


def test_entropy_kl_and_numbers_that_are_not_finite():
    got = translated("--entropy_coef", "0.01", "--on_nonfinite", "raise", "--objective", "gmpo")
    assert got.overrides[f"{ACTOR}.entropy_coeff"] == 0.01
    assert got.overrides[f"+{ACTOR}.policy_loss.nonfinite"] == "raise"
    assert got.overrides[f"{ACTOR}.policy_loss._target_"].endswith(".PolicyLossConfig")
    assert any(note.startswith("entropy_coef: TRL's bonus") for note in got.notes)
    assert "which verl's KL term does not: write use_bias_correction_kl: false" in said(
        ["--use_bias_correction_kl", "--beta", "0.1"]
    )


# ---- bookkeeping --------------------------------------------------------------------------------------------------


def test_rewards_go_to_the_reward_function():
    words = [
        "--reward",
        "sums",
        "think_format",
        "--reward_weights",
        "1",
        "0.2",
        "--status_rewards",
        '{"no_answer": -1}',
    ]
    got = lines(*words, "--grader_timeout", "2", "--pass_reward", "0.5")
    keys = "+reward.custom_reward_function.reward_kwargs."
    told = {key.removeprefix(keys): value for key, value in got.items() if key.startswith(keys)}
    assert told.pop("missing") != told.get("missing")  # NaN
    assert told == {
        "rewards": ["sums", "think_format"], "weights": [1.0, 0.2], "task": "sums", "status_rewards": {"no_answer": -1},
        "grader_timeout": 2.0, "pass_reward": 0.5,
    }  # fmt: skip
    assert "reward_weights has 1 numbers for 2 rewards" in said(["--reward", "sums", "math", "--reward_weights", "1"])


def test_saving_measuring_and_logging_are_in_rounds():
    made = translated(*ROUND, *flags("--save_steps 8 --save_total_limit 2 --pass_at_1_every 6 --logging_steps 1"))
    got = made.overrides
    assert (got["trainer.save_freq"], got["trainer.max_actor_ckpt_to_keep"], got["trainer.test_freq"]) == (2, 2, 2)
    assert any(note.startswith("pass_at_1_every: 6 updates are no whole number of rounds") for note in made.notes)
    assert any(note.startswith("logging_steps: verl logs every round") for note in made.notes)
    assert lines(*ROUND, "--save_strategy", "no")["trainer.save_freq"] == 10  # the last, which is the run's model
    assert lines(*ROUND, "--eval_size", "0", held_out_problems=0)["trainer.test_freq"] == -1
    assert lines("--report_to", "wandb")["trainer.logger"] == ["console", "file", "wandb"]
    assert "report_to=neptune: verl has no such tracker" in said(["--report_to", "neptune"])


def test_a_run_resumes_from_the_newest_checkpoint_or_from_a_named_one():
    assert lines()["trainer.resume_mode"] == "disable" and lines(resume=True)["trainer.resume_mode"] == "auto"
    got = lines(resume="/a/global_step_4")
    assert (got["trainer.resume_mode"], got["trainer.resume_from_path"]) == ("resume_path", "/a/global_step_4")


def test_without_a_gpu_the_cpu_rollout_is_used_and_said_to_be_slow():
    made = translate(Job(parse_for_verl([*BASE[:-1], "true"]), Facts(Path("/x"), "m")))
    assert made.overrides[f"{ROLLOUT}.name"] == "pmpo_cpu" and made.overrides["+ray_kwargs.ray_init.num_gpus"] == 1
    assert "pmpo.integrations.verl.cpu" in made.environment["VERL_USE_EXTERNAL_MODULES"]
    assert any("slowly" in note for note in made.notes)
    with pytest.raises(InputError, match="use_vllm is true, and a run on a CPU samples with transformers"):
        translate(Job(parse_for_verl([*BASE[:-1], "true", "--use_vllm"]), Facts(Path("/x"), "m")))


# ---- lines --------------------------------------------------------------------------------------------------------


def test_verls_own_lines_come_last_and_contradict_no_option():
    words = ["--verl", f"{MODEL}.use_fused_kernels=True", "+trainer.new={a: 1}"]
    assert shown(translated(*words)).endswith(f"{MODEL}.use_fused_kernels=True \\\n    '+trainer.new={{a: 1}}'")
    assert f"verl sets {ACTOR}.optim.lr, which the option learning_rate says" in said(["--verl", f"{ACTOR}.optim.lr=1"])
    assert "verl holds 'x'; write KEY=VALUE" in said(["--verl", "x"])
    with pytest.raises(InputError, match=r"verl is .*, and the engine is trl"):
        parse_for_verl([*BASE, "--engine", "trl", "--verl", "trainer.nnodes=2"])


@pytest.mark.parametrize(
    "value",
    [1, 1e-6, True, None, "a b", "it's", "a\\", "a\\'b", "1e5", "null", "{% for m in x %}{{ m.c }}{% endfor %}",
     "$x,y",     ["a", "b c", None], {"eps": 1e-8, "kind": "x:y=1,z"},
     "pmpo:exponent=0.5,trust_region={region: ratio}", "", "=", "#"],
    ids=repr,
)  # fmt: skip
def test_hydra_reads_a_value_back_as_it_is(value):
    parser = pytest.importorskip("hydra.core.override_parser.overrides_parser").OverridesParser.create()
    (override,) = parser.parse_overrides([f"key={hydra_value(value)}"])
    assert json.dumps(override.value()) == json.dumps(value) or override.value() == value


RECIPE = Path(__file__).parents[2] / "recipes" / "verl" / "pmpo_qwen2.5-math-7b.yaml"


def test_the_recipe_for_a_node_of_gpus_has_the_settings_of_the_one_for_trl():
    of_trl, ours = (parse_for_verl(["--config", str(path)]) for path in (RECIPE.parent.parent / RECIPE.name, RECIPE))
    same = (
        "learning_rate temperature max_completion_length num_generations seed beta generation_batch_size max_grad_norm"
    )
    for name in [*same.split(), "steps_per_generation", "lr_scheduler_type", "resolved_objective"]:
        assert getattr(ours.training, name) == getattr(of_trl.training, name), name
    assert ours.run.engine == "verl" and ours.run.reward == of_trl.run.reward
