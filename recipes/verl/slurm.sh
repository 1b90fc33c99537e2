#!/bin/bash
# A run on 4 nodes of a Slurm cluster: Ray is started on them, the run, and Ray ends with the job.
# Not run here, which has no GPUs: what it becomes is checked against verl's configuration by a test.
#     sbatch recipes/verl/slurm.sh --dataset /shared/math_lvl3to5_8k
# Every node needs `pip install 'pmpo[verl]'` with vLLM, and the same path for the data, the model and the output.
#SBATCH --job-name=pmpo
#SBATCH --nodes=4
#SBATCH --ntasks-per-node=1
#SBATCH --gpus-per-node=8
#SBATCH --cpus-per-task=64
#SBATCH --exclusive
#SBATCH --requeue
set -euo pipefail
GPUS_PER_NODE=${SLURM_GPUS_PER_NODE:-8}
NODES=${SLURM_JOB_NUM_NODES:-4}
PORT=${PORT:-6379}
OUTPUT=${OUTPUT:-/shared/runs/pmpo-math-7b}

mapfile -t HOSTS < <(scontrol show hostnames "$SLURM_JOB_NODELIST")
HEAD=${HOSTS[0]}
RESOURCES=(--num-cpus "${SLURM_CPUS_PER_TASK:-64}" --num-gpus "$GPUS_PER_NODE")

srun --nodes=1 --ntasks=1 --nodelist="$HEAD" \
    ray start --head --node-ip-address="$HEAD" --port="$PORT" "${RESOURCES[@]}" --block &
sleep "${WAIT:-20}"  # until the head answers
for HOST in "${HOSTS[@]:1}"; do
    srun --nodes=1 --ntasks=1 --nodelist="$HOST" ray start --address="$HEAD:$PORT" "${RESOURCES[@]}" --block &
done
sleep "${WAIT:-20}"

# The same command goes on where a job that was requeued was.
RAY_ADDRESS="$HEAD:$PORT" srun --overlap --nodes=1 --ntasks=1 --nodelist="$HEAD" \
    pmpo train --config recipes/verl/pmpo_qwen2.5-math-7b.yaml \
    --num_processes $((NODES * GPUS_PER_NODE)) --gradient_accumulation_steps 1 --steps_per_generation 8 \
    --verl "trainer.nnodes=$NODES" \
    --output_dir "$OUTPUT" --resume_from_checkpoint auto "$@"
