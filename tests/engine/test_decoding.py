"""The sampling loop against transformers' own: the same tokens from the same random numbers, in less of the model."""

import pytest
import torch
from transformers import GenerationConfig, LogitsProcessor, LogitsProcessorList

from pmpo.engine.decoding import Decoder
from pmpo.engine.decoding_cache import BLOCK
from tiny import tiny_model

PLAIN = {"do_sample": True, "temperature": 1.0, "top_k": 0, "top_p": 1.0, "max_new_tokens": 12}
WAYS = {
    "plain": {},
    "warm": {"temperature": 1.7},
    "cut": {"temperature": 1.3, "top_k": 6, "top_p": 0.9, "min_p": 0.02},
    "greedy": {"do_sample": False},
    "at least 3": {"min_new_tokens": 3},
    "long": {"max_new_tokens": BLOCK + 20},
}


def settings(**changes):
    return GenerationConfig(**{**PLAIN, "pad_token_id": 0, "eos_token_id": [1, 5], **changes})


def prompts(padded=True):
    """Three prompts, four times each, padded on the left; the second is the first with a token less."""
    ids = torch.tensor([[3, 4, 5, 6], [0, 4, 5, 6], [0, 0, 7, 8]] if padded else [[3, 4, 9, 6], [9, 4, 9, 6]])
    ids = ids.repeat_interleave(4, dim=0)
    return ids, (ids > 0).long()


def model(**changes):
    """Of several layers and groups of heads; ends often, as half of the tokens of `settings` that end are likely."""
    return tiny_model(num_hidden_layers=2, max_position_embeddings=512, initializer_range=0.3, **changes).eval()


def both(one, config, padded=True, seed=3):
    """Tokens and random state of transformers' loop and of ours, and our decoder."""
    ids, mask = prompts(padded)
    decoder, found = Decoder(one, config.temperature), []
    for generate in (one.generate, decoder):
        torch.manual_seed(seed)
        made = generate(input_ids=ids, attention_mask=mask, generation_config=config)
        found.append((made, torch.get_rng_state()))
    return *found, decoder


@pytest.mark.parametrize("padded", [True, False], ids=["padded", "even"])
@pytest.mark.parametrize("way", WAYS)
def test_tokens_and_random_state_are_those_of_transformers(way, padded):
    for seed in range(3):
        (theirs, their_state), (ours, our_state), decoder = both(model(), settings(**WAYS[way]), padded, seed)
        assert decoder.reason is None
        assert torch.equal(ours, theirs) and torch.equal(our_state, their_state)


@pytest.mark.parametrize("temperature", [1.0, 1.6])
def test_log_probabilities_are_those_of_a_forward_pass(temperature):
    one = model()
    _, (made, _), decoder = both(one, settings(temperature=temperature, top_k=5))
    (_, mask), width = prompts(), 4
    places = torch.cat([mask, torch.ones_like(made[:, width:])], dim=1)
    with torch.no_grad():
        logits = one(input_ids=made, attention_mask=places, position_ids=(places.cumsum(1) - 1).clamp(min=0)).logits
    expected = (logits[:, width - 1 : -1] / temperature).log_softmax(-1).gather(2, made[:, width:, None]).squeeze(2)
    ends = torch.isin(made[:, width:], torch.tensor([1, 5]))
    counted = ends.cumsum(1) - ends.long() == 0
    assert decoder.log_probs.shape == expected.shape and 0 < counted.sum() < counted.numel()
    torch.testing.assert_close(decoder.log_probs[counted], expected[counted], rtol=1e-5, atol=2e-6)


def test_equal_prompts_pass_once_and_ended_completions_are_dropped():
    one, rows = model(), []
    hook = one.register_forward_pre_hook(lambda _, __, given: rows.append(len(given["input_ids"])), with_kwargs=True)
    ids, mask = prompts()
    torch.manual_seed(3)
    made = Decoder(one)(input_ids=ids, attention_mask=mask, generation_config=settings(max_new_tokens=40))
    hook.remove()
    assert rows[0] == 3, "the prompts that differ"
    assert rows[1:] == sorted(rows[1:], reverse=True) and rows[1] == 12 and rows[-1] <= 6
    assert made.shape[1] == 4 + len(rows), "no pass after the last completion has ended"


def test_what_the_loop_does_not_know_is_left_to_transformers():
    class OfTheBatch(LogitsProcessor):
        def __call__(self, input_ids, scores):
            return scores - scores.mean()

    ids, mask = prompts()
    for one, given, more, reason in (
        (model(), {"num_beams": 2}, {}, "it is asked for num_beams"),
        (model(), {"return_dict_in_generate": True}, {}, "it is asked for return_dict_in_generate"),
        (model(), {}, {"logits_processor": LogitsProcessorList([OfTheBatch()])}, "the model is given logits_processor"),
        (model(), {"repetition_penalty": 1.2}, {}, "it is asked for RepetitionPenaltyLogitsProcessor"),
        (model(use_sliding_window=True, sliding_window=4, max_window_layers=0), {}, {}, "the model's cache is not one"),
        (model(rope_parameters={"rope_type": "dynamic", "factor": 2.0, "rope_theta": 1e4}), {}, {}, "rotary positions"),
    ):
        decoder, found = Decoder(one, 1.0), []
        for generate in (one.generate, decoder):
            torch.manual_seed(3)
            made = generate(input_ids=ids, attention_mask=mask, generation_config=settings(**given), **more)
            found.append(getattr(made, "sequences", made))
        assert reason in decoder.reason and decoder.log_probs is None
        assert torch.equal(*found), reason
