"""Rollouts that are rounds old and a sampler with noise: what samples, what it reports, and what a run is told."""

import copy
import warnings

import pytest
import torch

from pmpo.integrations.trl import PMPOConfig
from pmpo.integrations.trl.sampler_log_probs import SamplerWatch
from resuming import Shape, largest_difference, lora
from support import config, parameters, trainer
from tiny import tiny_model

CORRECTED = {"correction": "truncate:ratio_max=2"}


def rounds_of(one):
    """Trains; for every round its numbers, and the weights at its start."""
    rounds, make = [], one.make_round

    def spy(rows):
        weights = copy.deepcopy(one.model.state_dict())
        rounds.append((weights, make(rows)))
        return rounds[-1][1]

    one.make_round = spy
    one.train()
    return rounds


def with_weights(weights):
    model = tiny_model()
    model.load_state_dict(weights)
    return model


@torch.no_grad()
def log_probs(model, made):
    """By one forward pass, [B, T]."""
    ids = torch.cat([made["prompt_ids"], made["completion_ids"]], dim=1)
    mask = torch.cat([made["prompt_mask"], made["completion_mask"]], dim=1)
    width = made["completion_ids"].shape[1]
    logits = model(input_ids=ids, attention_mask=mask).logits[:, -width - 1 : -1]
    return logits.log_softmax(-1).gather(2, made["completion_ids"].unsqueeze(2)).squeeze(2)


@pytest.mark.parametrize("how", [{}, {"generation_chunk_size": 4}], ids=["at once", "in pieces"])
def test_a_stale_sampler_has_the_weights_of_k_rounds_ago(how):
    rounds = rounds_of(trainer(config(max_steps=8, rollout_staleness=2, **CORRECTED, **how)))
    assert len(rounds) == 4
    for number, (weights, made) in enumerate(rounds):
        mask = made["completion_mask"].bool()
        said = made["sampling_per_token_logps"][mask]
        sampler = rounds[max(0, number - 2)][0]
        assert (said - log_probs(with_weights(sampler), made)[mask]).abs().max() < 1e-5
        assert (made["old_per_token_logps"] - log_probs(with_weights(weights), made))[mask].abs().max() < 1e-5
        assert number == 0 or (said - made["old_per_token_logps"][mask]).abs().max() > 1e-3


def test_a_stale_sampler_of_an_adapter():
    one = trainer(config(max_steps=4, rollout_staleness=1, **CORRECTED), **lora())
    assert len(rounds_of(one)) == 2
    assert {name.split(".")[-2] for name in one.weights_of_rounds[0]} == {"default"}, "only what is trained is kept"


def test_noise_is_part_of_what_the_sampler_says():
    for noise, apart in ((0.0, 0.0), (0.5, 0.2)):
        watch, model = SamplerWatch(noise, 1.0), tiny_model()
        prompt = torch.full((64, 3), 4)
        with watch.on(model):
            torch.manual_seed(0)
            made = model.generate(
                input_ids=prompt, attention_mask=torch.ones_like(prompt), do_sample=True, max_new_tokens=4,
                output_logits=True, return_dict_in_generate=True, eos_token_id=None,
            )  # fmt: skip
        ids = made.sequences[:, 3:]
        said = torch.tensor(watch.log_probs(ids.tolist()))
        seen = torch.stack(made.logits, dim=1).log_softmax(-1).gather(2, ids.unsqueeze(2)).squeeze(2)
        assert torch.allclose(said, seen, atol=1e-6), "of the logits that were sampled from"
        facts = {"prompt_ids": prompt, "completion_ids": ids}
        facts |= {"prompt_mask": torch.ones_like(prompt), "completion_mask": torch.ones_like(ids)}
        difference = said - log_probs(model, facts)
        assert difference.abs().mean().item() >= apart
        assert noise or difference.abs().max() < 1e-5
        # Completions of a noisy sampler are more likely to it than to the model; the ratio is 1 on average.
        assert abs((-difference).exp().mean().item() - 1.0) < 0.1


def test_completions_of_several_lengths():
    watch, model = SamplerWatch(0.0, 1.0), tiny_model()
    with watch.on(model):
        made = model.generate(input_ids=torch.full((3, 2), 4), do_sample=True, max_new_tokens=5, eos_token_id=None)
    ids = made[:, 2:].tolist()
    whole = watch.log_probs(ids)
    assert [len(row) for row in whole] == [5, 5, 5]
    cut = watch.log_probs([ids[0][:2], ids[1], ids[2][:1]])
    assert cut == [whole[0][:2], whole[1], whole[2][:1]]
    shorter = watch.log_probs([row[:3] for row in ids])  # generate may go on after every row has ended
    assert shorter == [row[:3] for row in whole]


def test_evaluation_is_fresh_and_without_noise():
    one = trainer(config(sampler_noise=0.5, rollout_staleness=1, **CORRECTED))
    one.model.eval()
    assert one.complete([[4, 5]], None, {}, 1)[1] is None


def test_the_correction_reaches_the_loss():
    """Where the sampler is another policy, the gradient is another one with it; where it is not, the same."""
    weights = {}
    for noise in (0.0, 0.5):
        for part in ("truncate:ratio_max=2", None):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                one = trainer(config(max_steps=2, sampler_noise=noise, correction=part))
            rounds_of(one)
            weights[noise, part] = parameters(one)
    same = (weights[0.0, None] - weights[0.0, "truncate:ratio_max=2"]).abs().max()
    other = (weights[0.5, None] - weights[0.5, "truncate:ratio_max=2"]).abs().max()
    assert same == 0.0 and other > 1e-4


def test_ratios_to_the_sampler():
    one = trainer(config(max_steps=2, sampler_noise=0.5, old_policy="sampler"))
    seen, measure = [], one._measure
    one._measure = lambda result, mask, entropies: (seen.append(result.diagnostics), measure(result, mask, entropies))
    one.train()
    assert seen[0].max_abs_log_ratio.max() > 0.3, "the first update of a round is not at ratio 1"


@pytest.mark.slow
def test_resumed_runs_are_equal(tmp_path):
    how = {"rollout_staleness": 2, "sampler_noise": 0.3, **CORRECTED}
    assert largest_difference(tmp_path / "run", Shape(2, 2), kills=[1, 6], **how) == 0.0


def test_a_run_in_a_regime_is_warned():
    with pytest.warns(UserWarning, match="weights of 8 rounds ago.* makes a run worse"):
        trainer(config(rollout_staleness=8, **CORRECTED))
    with pytest.warns(
        UserWarning, match="nothing corrects for it: .*correction=truncate:ratio_max=2, or old_policy=sampler"
    ):
        trainer(config(sampler_noise=0.1))
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message=".*(corrects for it|makes a run worse)")
        trainer(config(**CORRECTED))
        trainer(config())


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"rollout_staleness": -1}, "rollout_staleness is -1; write rounds"),
        ({"rollout_staleness": 1.5}, "rollout_staleness is 1.5"),
        ({"sampler_noise": float("nan")}, "sampler_noise is nan; write a standard deviation"),
        ({"sampler_noise": 0.1, "use_transformers_continuous_batching": True}, "remove use_transformers_continuous"),
        ({"rollout_staleness": 1, "use_vllm": True}, "remove use_vllm"),
    ],
)
def test_what_cannot_work_is_refused(changes, sentence):
    with pytest.raises(ValueError, match=sentence):
        config(PMPOConfig, **changes)


def test_a_rollout_function_samples_in_its_own_way():
    with pytest.raises(ValueError, match="rollout_func samples in its own way"):
        trainer(config(rollout_staleness=1), rollout_func=lambda prompts, one: {})
