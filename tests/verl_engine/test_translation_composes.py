"""What `pmpo train --engine verl` writes is what verl's own configuration, its dataclasses and our checks take."""

from pathlib import Path

import pytest

import pmpo

verl = pytest.importorskip("verl", reason="verl is not installed")

from hydra import initialize_config_dir  # noqa: E402
from verl.utils.config import omega_conf_to_dataclass  # noqa: E402

from composing import composed  # noqa: E402
from pmpo.integrations.verl.chosen import objective_of  # noqa: E402

RECIPES = sorted((Path(__file__).parents[2] / "recipes").glob("*.yaml"))
ON_GPUS = [path for path in RECIPES if not path.stem.endswith("_scratch") and "-vl-" not in path.stem]
"""Those with pictures stay with TRL, and the small ones are for CPUs."""
TEMPLATE = "{% for m in messages %}{{ m.content }}{% endfor %}"


@pytest.fixture(scope="module", autouse=True)
def config_folder():
    with initialize_config_dir(str(Path(verl.__file__).parent / "trainer" / "config"), version_base=None):
        yield


def base(*words):
    plain = "--task sums --model_name_or_path m --lr_scheduler_type constant --per_device_train_batch_size 8"
    return [*plain.split(), "--max_steps", "16", *words]


@pytest.mark.parametrize("path", ON_GPUS, ids=lambda path: path.stem)
def test_every_recipe_becomes_a_configuration_of_verl_with_its_objective(path):
    words = ["--config", str(path)]
    if path.stem.startswith("maxrl"):
        words += ["--lora_dropout", "0"]
    job, config = composed(words, cpu=False)
    actor = config.actor_rollout_ref.actor
    assert objective_of(actor.policy_loss).name == path.stem.partition("_")[0]
    assert config.trainer.n_gpus_per_node == 8 and actor.strategy == "fsdp2"
    assert actor.ppo_mini_batch_size * config.actor_rollout_ref.rollout.n == job.round.completions_per_update


@pytest.mark.parametrize("name", pmpo.OBJECTIVES)
def test_every_preset_passes_the_checks_and_makes_verls_dataclasses(name):
    _, config = composed(base("--objective", name, "--beta", "0.01", "--use_bias_correction_kl", "false"), cpu=False)
    actor = omega_conf_to_dataclass(config.actor_rollout_ref.actor)
    told = objective_of(actor.policy_loss)
    assert told.name == name and told.kl_coef == 0.01 == actor.kl_loss_coef
    assert omega_conf_to_dataclass(config.actor_rollout_ref.rollout).n == 8


WORDS = [
    ["--objective=gmpo", "--exponent=signed", "--on_nonfinite=raise"],
    ["--use_vllm", "--vllm_importance_sampling_mode=token_mask", "--vllm_model_impl=transformers"],
    ["--lr_scheduler_type=cosine_with_min_lr", '--lr_scheduler_kwargs={"min_lr_rate": 0.1}', "--warmup_steps=4"],
    ["--dtype=bfloat16", "--bf16", "--attn_implementation=flash_attention_2", "--report_to=wandb"],
    ["--entropy_coef=.01"],
    ["--reward", "sums", "think_format", "--reward_weights", "1", "0.2", '--status_rewards={"no_answer": null}'],
    ['--chat_template_kwargs={"enable_thinking": false}', "--full_determinism"],
    ["--verl", "actor_rollout_ref.model.use_fused_kernels=True", "actor_rollout_ref.actor.use_dynamic_bsz=True"],
]
ON_A_CPU = [[], ["--use_peft", "--lora_dropout=0", "--lora_target_modules", "q_proj", "v_proj"]]


@pytest.mark.parametrize(
    ("words", "cpu"), [*((words, False) for words in WORDS), *((words, True) for words in ON_A_CPU)], ids=str
)
def test_every_part_of_the_translation_is_known_to_verl(words, cpu):
    _, config = composed(base(*words), chat_template=TEMPLATE, tokenizer="/t", cpu=cpu)
    omega_conf_to_dataclass(config.actor_rollout_ref.actor)
    omega_conf_to_dataclass(config.actor_rollout_ref.rollout)
    assert config.actor_rollout_ref.model.custom_chat_template == TEMPLATE
    assert config.reward.custom_reward_function.path == "pkg://pmpo.integrations.verl.rewards"
