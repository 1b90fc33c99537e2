"""verl without a GPU, for trying it and for tests: main_ppo end to end on a few CPU cores, slowly.

    VERL_USE_EXTERNAL_MODULES=pmpo.integrations.verl.cpu python -m verl.trainer.main_ppo \
        actor_rollout_ref.rollout.name=pmpo_cpu ...

verl imports that module in every process. It registers a platform "cpu" and a rollout "pmpo_cpu" whose server is a Ray
actor around transformers' `generate`, and changes the few places of verl that take an accelerator for granted. Models
of some millions of parameters train with it; anything larger belongs on GPUs with vLLM or SGLang.
"""

from pmpo.integrations.verl.cpu.host import use_cpu

use_cpu()
