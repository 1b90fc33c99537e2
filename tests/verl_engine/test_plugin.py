"""What `import verl` brings in, in a fresh interpreter."""

import pytest

pytest.importorskip("verl", reason="verl is not installed here: make verl")


import subprocess
import sys


def python(code, **environment):
    import os

    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=300, env={**os.environ, **environment}
    )


def test_names_are_there_without_an_import_of_ours_and_verl_s_own_stay_verl_s():
    code = """
import sys, verl
from verl.trainer.ppo.core_algos import ADV_ESTIMATOR_REGISTRY, POLICY_LOSS_REGISTRY as losses, get_policy_loss_fn
print(get_policy_loss_fn("pmpo/gmpo").__module__, get_policy_loss_fn("pmpo").__module__)
print({losses[name].__module__ for name in ("vanilla", "gspo", "cispo", "sapo", "dppo_tv", "dppo_kl", "geo_mean")})
print("pmpo/maxrl" in ADV_ESTIMATOR_REGISTRY, "pmpo.integrations.verl.trainer" in sys.modules)
from verl.trainer.ppo.v1 import get_trainer_cls
print(get_trainer_cls("pmpo").__module__, get_trainer_cls("sync").__module__)
"""
    said = python(code)
    assert said.stdout.splitlines() == [
        "pmpo.integrations.verl.loss pmpo.integrations.verl.loss",
        "{'verl.trainer.ppo.core_algos'}",
        "True False",
        "pmpo.integrations.verl.trainer verl.trainer.ppo.v1.trainer_sync",
    ], said.stderr[-3000:]


@pytest.mark.parametrize("broken", ["pmpo.integrations.verl.loss", "pmpo.integrations.verl.advantages"])
def test_a_broken_part_of_ours_stops_the_import_with_its_cause(broken):
    """verl would swallow it, and the user read "Unsupported loss mode" much later."""
    said = python(f"import sys, verl; sys.modules[{broken!r}] = None; import verl.trainer.ppo.core_algos")
    assert said.returncode == 1
    assert broken in said.stderr.splitlines()[-1]


def test_a_missing_dependency_of_the_plugin_is_said_aloud():
    said = python("import sys; sys.modules['wrapt'] = None; import verl")
    assert "pip install 'pmpo[verl]'" in said.stderr


def test_a_loss_mode_that_another_plugin_has_taken_is_not_shadowed():
    code = """
import verl.trainer.ppo.core_algos as algorithms
from pmpo.integrations.verl import plugin
algorithms.POLICY_LOSS_REGISTRY["pmpo/gmpo"] = algorithms.POLICY_LOSS_REGISTRY["vanilla"]
plugin.register_losses(algorithms)
"""
    said = python(code)
    assert "loss_mode=pmpo/gmpo is registered already, by verl.trainer.ppo.core_algos" in said.stderr
