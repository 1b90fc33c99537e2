#!/bin/bash
# A run on a Ray cluster that is up, of 4 nodes with 8 GPUs each: submitted from anywhere that sees its dashboard.
# Not run here, which has no GPUs: what it becomes is checked against verl's configuration by a test.
#     RAY_DASHBOARD=http://head:8265 bash recipes/verl/ray_job.sh --dataset /shared/math_lvl3to5_8k
# Every node needs `pip install 'pmpo[verl]'` with vLLM, and the same path for the data, the model and the output.
set -euo pipefail
NODES=${NODES:-4}
GPUS_PER_NODE=${GPUS_PER_NODE:-8}
OUTPUT=${OUTPUT:-/shared/runs/pmpo-math-7b}

# The job's own process watches verl, which joins the cluster that it is in. The same command goes on after a failure.
ray job submit --address "${RAY_DASHBOARD:-http://127.0.0.1:8265}" --working-dir . -- \
    pmpo train --config recipes/verl/pmpo_qwen2.5-math-7b.yaml \
    --num_processes $((NODES * GPUS_PER_NODE)) --gradient_accumulation_steps 1 --steps_per_generation 8 \
    --verl "trainer.nnodes=$NODES" \
    --output_dir "$OUTPUT" --resume_from_checkpoint auto "$@"
