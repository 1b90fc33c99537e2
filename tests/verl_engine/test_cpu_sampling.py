"""Completions have their own random streams, come from the distribution asked for, and carry its log-probabilities."""

import pytest
import torch

pytest.importorskip("verl", reason="verl is not installed here: make verl")

from pmpo.integrations.verl.cpu.sampling import Distribution, Request, complete, seed_of
from tiny import tiny_model

PAD, END = 0, 1
PROMPTS = [[3, 14, 4, 12], [2, 12], [9, 9, 9, 14, 7, 12]]


@pytest.fixture(scope="module")
def model():
    return tiny_model(initializer_range=0.5).eval()  # far from uniform


def probabilities(logits: torch.Tensor, distribution: Distribution) -> torch.Tensor:
    """The distribution over the vocabulary, from logits [V], without transformers' warpers."""
    shares = torch.softmax(logits.float() / (distribution.temperature or 1.0), -1)
    order = shares.argsort(descending=True)
    if distribution.temperature and distribution.top_k > 0:
        shares[order[distribution.top_k :]] = 0.0
        shares /= shares.sum()
    if distribution.temperature and distribution.top_p < 1.0:
        before = shares[order].cumsum(0) - shares[order]  # of the likelier ones
        shares[order[before >= distribution.top_p]] = 0.0
    return shares / shares.sum()


def log_probs_of(model, prompt: list[int], tokens: list[int], distribution: Distribution) -> list[float]:
    """By one forward pass over the unpadded sequence."""
    with torch.no_grad():
        logits_TV = model(torch.tensor([prompt + tokens])).logits[0, len(prompt) - 1 : -1]
    pairs = zip(logits_TV, tokens, strict=True)
    return [float(probabilities(logits_V, distribution)[token].log()) for logits_V, token in pairs]


def test_a_completion_does_not_depend_on_its_batch(model):
    requests = [Request(prompt, 12, seed=seed_of(0, prompt)) for prompt in PROMPTS]
    together = complete(model, requests, Distribution(), PAD, [END])
    alone = [complete(model, [request], Distribution(), PAD, [END])[0] for request in requests]
    assert [made.tokens for made in together] == [made.tokens for made in alone]
    assert len({tuple(made.tokens) for made in together}) == 3
    for one, other in zip(together, alone, strict=True):
        assert one.log_probs == pytest.approx(other.log_probs, abs=1e-5)


@pytest.mark.parametrize("distribution", [Distribution(), Distribution(0.7, 0.8, 5), Distribution(0.0)])
def test_log_probabilities_are_those_of_the_distribution(model, distribution):
    for prompt in PROMPTS:
        (made,) = complete(model, [Request(prompt, 10, seed=1)], distribution, PAD, [END])
        expected = log_probs_of(model, prompt, made.tokens, distribution)
        assert made.log_probs == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize(
    "distribution", [Distribution(), Distribution(2.0), Distribution(1.0, 0.6), Distribution(0.5, 1.0, 3)]
)
def test_tokens_come_with_the_probabilities_asked_for(model, distribution):
    prompt, draws = PROMPTS[0], 4000
    made = complete(model, [Request(prompt, 1, seed=seed) for seed in range(draws)], distribution, PAD, [END])
    with torch.no_grad():
        expected_V = probabilities(model(torch.tensor([prompt])).logits[0, -1], distribution)
    counts_V = torch.bincount(torch.tensor([one.tokens[0] for one in made]), minlength=len(expected_V))
    assert counts_V[expected_V == 0].sum() == 0
    error_V = (expected_V * (1 - expected_V) / draws).sqrt()
    assert ((counts_V / draws - expected_V).abs() <= 4.5 * error_V).all()


def test_greedy_takes_the_likeliest(model):
    (made,) = complete(model, [Request(PROMPTS[2], 6, seed=5)], Distribution(0.0, 0.1, 1), PAD, [END])
    ids = list(PROMPTS[2])
    for token in made.tokens:
        with torch.no_grad():
            assert token == int(model(torch.tensor([ids])).logits[0, -1].argmax())
        ids.append(token)


def test_a_completion_ends_with_its_end_token_or_at_its_own_limit(model):
    requests = [Request(PROMPTS[i % 3], most=2 + i % 4, seed=i) for i in range(60)]
    made = complete(model, requests, Distribution(2.0), PAD, [END])
    for request, one in zip(requests, made, strict=True):
        assert END not in one.tokens[:-1] and len(one.tokens) == len(one.log_probs)
        assert len(one.tokens) == request.most or one.tokens[-1] == END
    assert any(one.tokens[-1] == END for one in made)


def test_forced_tokens_are_replayed_with_the_models_log_probabilities(model):
    forced = [[5, 6, END], [7], [8, 9, 10, 11]]
    requests = [Request(prompt, 8, 0, tokens) for prompt, tokens in zip(PROMPTS, forced, strict=True)]
    made = complete(model, requests, Distribution(0.8), PAD, [END])
    assert [one.tokens for one in made] == forced
    for prompt, one in zip(PROMPTS, made, strict=True):
        expected = log_probs_of(model, prompt, one.tokens, Distribution(0.8))
        assert one.log_probs == pytest.approx(expected, abs=1e-5)
