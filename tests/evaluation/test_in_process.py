"""Completions of a loaded model: counted exactly, cut by top-p and top-k, and by the length."""

import pytest
import torch

from pmpo.evaluation.generation import Sampling, clean_text, derived_seed
from pmpo.evaluation.in_process import InProcessGenerator, generated_length
from tiny import tiny_model, tiny_tokenizer


class FixedHead(torch.nn.Module):
    """The same next-token distribution everywhere; ids 0 and 1 are padding and end, 2 is "0", 3 is "1", …"""

    def __init__(self, shares: dict[int, float]) -> None:
        super().__init__()
        self.shares = shares

    def forward(self, hidden_BTD):
        logits = torch.full((17,), -torch.inf)
        for token, share in self.shares.items():
            logits[token] = torch.tensor(share).log()
        return logits.expand(*hidden_BTD.shape[:2], 17)


def generator(shares: dict[int, float], batch_size: int = 500) -> InProcessGenerator:
    model = tiny_model()
    model.lm_head = FixedHead(shares)
    return InProcessGenerator(model, tiny_tokenizer(), batch_size)


def drawn(shares, count=1000, **sampling) -> str:
    texts = generator(shares).generate(["1+1="] * count, Sampling(1, temperature=1.0, **sampling), seed=0)
    return "".join(completion.text for completion in texts)


def test_top_p_and_top_k_cut_the_tail():
    shares = {2: 0.5, 3: 0.3, 4: 0.15, 5: 0.05}
    assert set(drawn(shares)) == set("0123")
    assert set(drawn(shares, top_p=0.7)) == set("01")  # 0.5 alone does not reach 0.7
    assert set(drawn(shares, top_k=3)) == set("012")
    assert drawn(shares, top_p=0.7).count("0") / 1000 == pytest.approx(0.5 / 0.8, abs=0.05)


def test_lengths_count_the_end_token_and_truncation_is_its_absence():
    ends_soon = generator({1: 0.5, 2: 0.5}).generate(["1="] * 300, Sampling(4, temperature=1.0), seed=1)
    for completion in ends_soon:
        written = completion.text.count("0")
        assert completion.truncated == (written == 4)
        assert completion.tokens == (4 if completion.truncated else written + 1)
    assert {completion.truncated for completion in ends_soon} == {True, False}
    never = generator({2: 1.0}).generate(["1="], Sampling(3), seed=0)[0]
    assert (never.text.replace(" ", ""), never.tokens, never.truncated) == ("000", 3, True)


def test_an_end_token_in_the_last_place_is_no_truncation():
    assert generated_length([5, 6, 1], 1, 3) == (3, False)
    assert generated_length([5, 1, 0, 0], [9, 1], 4) == (2, False)
    assert generated_length([5, 6, 7], None, 3) == (3, True)


def test_equal_prompts_are_sampled_apart_and_a_seed_repeats():
    model = InProcessGenerator(tiny_model(), tiny_tokenizer(), 8)
    sampling = Sampling(6, temperature=1.0)
    first = model.generate(["1+2="] * 8, sampling, seed=3)
    assert len({completion.text for completion in first}) > 1
    assert model.generate(["1+2="] * 8, sampling, seed=3) == first
    assert model.generate(["1+2="] * 8, sampling, seed=4) != first


@pytest.mark.parametrize(
    ("options", "message"),
    [({"top_p": 0.0}, "top_p must be above 0"), ({"top_p": 1.5}, "top_p"), ({"top_k": -1}, "top_k must be 0")],
)
def test_numbers_out_of_range(options, message):
    with pytest.raises(ValueError, match=message):
        generator({2: 1.0}).generate(["1="], Sampling(3, temperature=1.0, **options), seed=0)


def test_seeds_are_stable_and_apart():
    assert derived_seed(0, "aime24", 3) == 1987564328
    seeds = {derived_seed(0, name, number) for name in ("aime24", "amc") for number in range(1000)}
    assert len(seeds) == 2000 and all(0 <= seed < 2**31 for seed in seeds)
    assert derived_seed(1, "23") != derived_seed(12, "3")


def test_lone_surrogates_become_replacement_characters():
    assert clean_text("a\ud800b") == "a\ufffdb"
    assert clean_text("\U0001f600é") == "\U0001f600é"
