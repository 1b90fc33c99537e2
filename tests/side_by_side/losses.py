"""Losses, clips and advantages; the recipes of TRL's paper index."""

from typing import Any

from side_by_side.case import STEP_COUNTS, Case, Script, switch
from tiny import digit_reward

PAPERS = "docs/source/paper_index.md"
LOSSES = "tests: test_train_loss_types"


def _length(completions: Any, **kwargs: Any) -> list[float]:
    return [len(text) / 20.0 for text in completions]


def _two_rewards(name: str, source: str, **args: Any) -> Case:
    return Case(name, source, lambda folder: Script(args, reward=[digit_reward, _length]))


CASES = [
    switch("the defaults: no loss_type, one update a round", "docs: quickstart", quick=True),
    *[
        switch(f"loss_type='{name}'", LOSSES, loss_type=name)
        for name in ("grpo", "bnpo", "dr_grpo", "dapo", "cispo", "sapo", "luspo", "vespo")
    ],
    *[
        switch(f"loss_type='{name}', 4 updates a round", LOSSES, loss_type=name, steps_per_generation=4, max_steps=4,
               differs=STEP_COUNTS if name == "dapo" else "")
        for name in ("grpo", "bnpo", "dr_grpo", "dapo", "cispo", "sapo", "luspo", "vespo")
    ],
    switch("a loss_type that does not exist", "-", loss_type="gprs", numbers=False),
    switch("importance_sampling_level='sequence'", "tests: test_train_sequence_importance_sampling",
           importance_sampling_level="sequence"),
    switch("GSPO", PAPERS, importance_sampling_level="sequence", loss_type="grpo", beta=0.0, epsilon=3e-4,
           epsilon_high=4e-4, gradient_accumulation_steps=1, steps_per_generation=4, max_steps=4, quick=True),
    switch("DeepSeek-R1: epsilon=10, accumulation 4", PAPERS, loss_type="grpo", epsilon=10.0, num_generations=8,
           gradient_accumulation_steps=4, steps_per_generation=8, per_device_train_batch_size=4),
    switch("DAPO: higher upper clip, truncated masked", PAPERS, mask_truncated_completions=True, loss_type="dapo",
           epsilon=0.2, epsilon_high=0.28, beta=0.0),
    switch("Dr. GRPO: one completion a device step", PAPERS, loss_type="dr_grpo", per_device_train_batch_size=1,
           gradient_accumulation_steps=4, num_generations=4, beta=0.0),
    switch("Lite PPO: batch scaling, top_k, accumulation", PAPERS, scale_rewards="batch", loss_type="dapo", beta=0.0,
           top_p=0.99, top_k=10, temperature=0.99, num_iterations=1, per_device_train_batch_size=4,
           gradient_accumulation_steps=4, steps_per_generation=4),
    switch("MiniMax-M1: CISPO, batch scaling, float32 head", PAPERS, loss_type="cispo", epsilon_high=5.0,
           scale_rewards="batch", cast_lm_head_to_fp32=True),
    switch("2-GRPO", PAPERS, num_generations=2, loss_type="grpo"),
    switch("SAPO with its temperatures", PAPERS, loss_type="sapo", sapo_temperature_pos=1.0,
           sapo_temperature_neg=1.05, scale_rewards="group"),
    switch("SAPO with other temperatures, 4 updates a round", PAPERS, loss_type="sapo", sapo_temperature_pos=0.5,
           sapo_temperature_neg=2.0, steps_per_generation=4, max_steps=4),
    switch("LUSPO", PAPERS, loss_type="luspo", importance_sampling_level="sequence", epsilon=2e-3, epsilon_high=2.5e-3),
    switch("VESPO with its exponents", PAPERS, loss_type="vespo", vespo_k_pos=2.0, vespo_lambda_pos=3.0,
           vespo_k_neg=3.0, vespo_lambda_neg=2.0),
    switch("delta, two-sided clip", "tests: test_train_delta_clipping", delta=1.5, loss_type="grpo",
           steps_per_generation=4, max_steps=4),
    switch("INTELLECT-2: delta=4", PAPERS, delta=4, epsilon=0.2, loss_type="grpo"),
    switch("epsilon alone", "docs: grpo_trainer.md", epsilon=0.1, loss_type="grpo", steps_per_generation=4,
           max_steps=4),
    switch("num_iterations=2", "tests: test_train_multiple_iterations", num_iterations=2, loss_type="grpo"),
    switch("off_policy_mask_threshold", "tests: test_train_with_off_policy_mask", off_policy_mask_threshold=0.5),
    *[
        switch(f"scale_rewards={value!r}", "tests: test_train_scale_rewards", scale_rewards=value)
        for value in ("group", "batch", "none", True, False)
    ],
    switch("scale_rewards='batch' with dr_grpo", "tests: test_train_scale_rewards", scale_rewards="batch",
           loss_type="dr_grpo"),
    _two_rewards("GDPO: normalize_then_sum", PAPERS, multi_objective_aggregation="normalize_then_sum"),
    _two_rewards("normalize_then_sum with scale_rewards='none'", "tests: test_train_normalize_then_sum_aggregation",
                 multi_objective_aggregation="normalize_then_sum", scale_rewards="none"),
    _two_rewards("normalize_then_sum with scale_rewards='batch'", "tests: test_train_normalize_then_sum_aggregation",
                 multi_objective_aggregation="normalize_then_sum", scale_rewards="batch"),
    _two_rewards("normalize_then_sum with weights", "tests: test_reward_metric_reflects_reward_weights",
                 multi_objective_aggregation="normalize_then_sum", reward_weights=[0.7, 0.3]),
    switch("entropy_coef", "tests: test_train_with_static_entropy", entropy_coef=0.05),
    switch("adaptive entropy", "tests: test_train_with_adaptive_entropy", entropy_coef=0.01,
           use_adaptive_entropy=True, entropy_target=5.0, entropy_coef_delta=0.005),
    switch("adaptive entropy, accumulation 2", "tests: test_train_with_adaptive_entropy_gradient_accumulation",
           entropy_coef=0.01, use_adaptive_entropy=True, entropy_target=5.0, gradient_accumulation_steps=2),
    switch("top_entropy_quantile", "tests: test_train_with_entropy_filter", top_entropy_quantile=0.2),
    switch("top_entropy_quantile, mask and clip of DAPO", PAPERS, mask_truncated_completions=True, loss_type="dapo",
           epsilon_high=0.28, epsilon=0.2, beta=0.0, top_entropy_quantile=0.2),
]  # fmt: skip
