"""The objectives in verl, on one node or a Ray cluster.

    pip install 'pmpo[verl]'
    python -m verl.trainer.main_ppo … actor_rollout_ref.actor.policy_loss.loss_mode=pmpo/gmpo

An entry point loads `pmpo.integrations.verl.plugin` with `import verl`, so in every Ray worker; nothing is imported by
the user's code. docs/scale-out.md says which switches there are.
"""
