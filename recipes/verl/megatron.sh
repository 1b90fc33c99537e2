#!/bin/bash
# A mixture of experts of 30 billion parameters under verl with Megatron, on 4 nodes of 8 GPUs: verl's own command, since
# `pmpo train` translates to FSDP2 alone. DPPO, whose ratio is to the sampler.
# Not run here, which has no GPUs: the lines are checked against verl's configuration by a test.
#     pmpo data --format verl --dataset BytedTsinghua-SIA/DAPO-Math-17k --reward math --output /shared/dapo
#     RAY_ADDRESS=head:6379 DATA=/shared/dapo MODEL=/shared/Qwen3-30B-A3B-Base bash recipes/verl/megatron.sh
set -euo pipefail
DATA=${DATA:-/shared/dapo}
MODEL=${MODEL:-/shared/Qwen3-30B-A3B-Base}
OUTPUT=${OUTPUT:-/shared/runs/dppo-30b}
NODES=${NODES:-4}

"${PYTHON:-python}" -m verl.trainer.main_ppo --config-name=ppo_megatron_trainer \
    data.train_files="$DATA/train.parquet" \
    data.val_files="$DATA/held_out.parquet" \
    data.train_batch_size=256 \
    data.max_prompt_length=2048 \
    data.max_response_length=8192 \
    actor_rollout_ref.model.path="$MODEL" \
    actor_rollout_ref.model.use_fused_kernels=True \
    actor_rollout_ref.actor.policy_loss.loss_mode=pmpo/dppo \
    actor_rollout_ref.actor.loss_agg_mode=seq-mean-token-sum-norm \
    actor_rollout_ref.actor.loss_scale_factor=8192 \
    algorithm.adv_estimator=pmpo/dr_grpo \
    trainer.v1.trainer_mode=pmpo \
    critic.enable=False \
    actor_rollout_ref.actor.ppo_mini_batch_size=32 \
    actor_rollout_ref.actor.use_dynamic_bsz=True \
    actor_rollout_ref.actor.ppo_max_token_len_per_gpu=12288 \
    actor_rollout_ref.actor.shuffle=True \
    actor_rollout_ref.actor.optim.lr=1e-6 \
    actor_rollout_ref.actor.optim.weight_decay=0.0 \
    actor_rollout_ref.actor.megatron.tensor_model_parallel_size=2 \
    actor_rollout_ref.actor.megatron.pipeline_model_parallel_size=2 \
    actor_rollout_ref.actor.megatron.expert_model_parallel_size=8 \
    actor_rollout_ref.actor.megatron.param_offload=True \
    actor_rollout_ref.actor.megatron.optimizer_offload=True \
    actor_rollout_ref.rollout.name=vllm \
    actor_rollout_ref.rollout.n=16 \
    actor_rollout_ref.rollout.tensor_model_parallel_size=4 \
    actor_rollout_ref.rollout.gpu_memory_utilization=0.6 \
    actor_rollout_ref.rollout.log_prob_use_dynamic_bsz=True \
    actor_rollout_ref.rollout.calculate_log_probs=True \
    reward.custom_reward_function.path=pkg://pmpo.integrations.verl.rewards \
    trainer.nnodes="$NODES" \
    trainer.n_gpus_per_node=8 \
    trainer.total_epochs=10 \
    trainer.save_freq=10 \
    trainer.test_freq=10 \
    trainer.logger='[console,file]' \
    trainer.default_local_dir="$OUTPUT" "$@"
