"""An objective that uses the sampler's log-probabilities needs a vLLM server that reports the right ones."""

from types import SimpleNamespace

import pytest
from trl.trainer import grpo_trainer

from support import config, trainer

OURS = {"vllm_importance_sampling_correction": False, "correction": "truncate:ratio_max=2"}
CENTRED = {"vllm_importance_sampling_correction": False, "old_policy": "sampler"}


def built(monkeypatch, logprobs_mode, **how):
    """A trainer of a server that reports `logprobs_mode`; vLLM is not installed here."""
    info = {"model_config": {"logprobs_mode": logprobs_mode}}
    client = SimpleNamespace(get_server_info=lambda: info)
    monkeypatch.setattr(grpo_trainer, "VLLMGeneration", lambda **kwargs: SimpleNamespace(vllm_client=client))
    return trainer(config(use_vllm=True, vllm_mode="server", **how))


@pytest.mark.parametrize("how", [OURS, CENTRED], ids=["correction", "old_policy"])
@pytest.mark.parametrize(
    ("mode", "temperature"), [("raw_logprobs", 0.8), ("raw_logits", 1.0), ("processed_logits", 1.0)]
)
def test_other_numbers_are_refused(monkeypatch, mode, temperature, how):
    with pytest.raises(ValueError, match=f"server reports {mode}.*--logprobs-mode processed_logprobs"):
        built(monkeypatch, mode, temperature=temperature, **how)


@pytest.mark.parametrize(
    ("mode", "how"),
    [
        ("processed_logprobs", OURS | {"temperature": 0.8}),
        ("raw_logprobs", OURS | {"temperature": 1.0}),
        ("raw_logprobs", {"vllm_importance_sampling_correction": False, "temperature": 0.8}),
    ],
)
def test_the_right_ones_and_those_that_nobody_uses_are_taken(monkeypatch, mode, how):
    assert built(monkeypatch, mode, **how).use_vllm
