"""Generating with a model in training: batches change nothing, and nothing is left changed behind."""

from types import SimpleNamespace

import pytest
import torch
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast, Qwen2Config, Qwen2ForCausalLM

from pmpo.evaluation.generation import Sampling
from pmpo.evaluation.in_process import InProcessGenerator

LETTERS = "abcdefghijklmnopqrstuvwxyz"


@pytest.fixture
def tokenizer() -> PreTrainedTokenizerFast:
    inner = Tokenizer(models.WordLevel({t: i for i, t in enumerate(["<pad>", "<eos>", *LETTERS])}))
    inner.pre_tokenizer = pre_tokenizers.Split(Regex("."), behavior="isolated")
    inner.decoder = decoders.Fuse()
    # Pads on the wrong side on purpose: generation must not depend on it.
    return PreTrainedTokenizerFast(tokenizer_object=inner, pad_token="<pad>", eos_token="<eos>", padding_side="right")


@pytest.fixture
def model() -> Qwen2ForCausalLM:
    """Random weights, large enough that different prompts are continued differently."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        config = Qwen2Config(
            vocab_size=28,
            hidden_size=32,
            intermediate_size=32,
            num_hidden_layers=2,
            num_attention_heads=2,
            num_key_value_heads=2,
            initializer_range=0.3,
            tie_word_embeddings=False,
            attention_dropout=0.5,
            pad_token_id=0,
            eos_token_id=1,
            bos_token_id=None,
        )
        return Qwen2ForCausalLM(config)


class Scripted(torch.nn.Module):
    """Continues every prompt with the next of the given texts, and keeps what it was asked."""

    def __init__(self, tokenizer: PreTrainedTokenizerFast, *texts: str) -> None:
        super().__init__()
        self.tokenizer, self.texts, self.calls = tokenizer, list(texts), []
        self.device = torch.device("cpu")
        self.generation_config = SimpleNamespace(eos_token_id=1)

    def generate(self, input_ids, attention_mask, generation_config):
        ids_BT = input_ids
        self.calls.append((ids_BT, attention_mask, generation_config))
        rows = [self.tokenizer(self.texts.pop(0))["input_ids"] + [1] for _ in ids_BT]
        longest = max(map(len, rows))
        return torch.cat([ids_BT, torch.tensor([row + [0] * (longest - len(row)) for row in rows])], dim=1)


def texts(model, tokenizer, prompts, max_new_tokens=4, temperature=0.0, batch_size=64, seed=0) -> list[str]:
    generator = InProcessGenerator(model, tokenizer, batch_size)
    return [c.text for c in generator.generate(prompts, Sampling(max_new_tokens, temperature), seed)]


# ---- generation


def test_a_prompt_is_continued_the_same_alone_and_in_a_batch(model, tokenizer):
    prompts = ["a", "bcdefghijkl", "xyz", "qqqqqqqqqqqqqqqq", "hello"]
    alone = texts(model, tokenizer, prompts, 8, batch_size=1)
    assert texts(model, tokenizer, prompts, 8, batch_size=5) == alone
    assert len(set(alone)) == 5


def test_padding_is_on_the_left_and_masked(tokenizer):
    model = Scripted(tokenizer, "x", "y")
    texts(model, tokenizer, ["ab", "abcd"], 3)
    ids, mask, config = model.calls[0]
    assert ids.tolist() == [[0, 0, 2, 3], [2, 3, 4, 5]]
    assert mask.tolist() == [[0, 0, 1, 1], [1, 1, 1, 1]]
    assert config.max_new_tokens == 3
    assert tokenizer.padding_side == "right"


def test_greedy_ignores_the_seed_and_sampling_follows_it(model, tokenizer):
    def run(**options):
        return texts(model, tokenizer, list(LETTERS), **options)

    assert run(seed=1) == run(seed=2)
    sampled = run(seed=1, temperature=1.0)
    assert sampled == run(seed=1, temperature=1.0)
    assert sampled != run(seed=2, temperature=1.0)
    assert sampled != run(seed=1)


class FixedHead(torch.nn.Module):
    """The same next-token distribution everywhere: a half, b and c a quarter each."""

    def forward(self, hidden_BTD):
        logits = torch.full((28,), -torch.inf)
        logits[2:5] = torch.tensor([0.5, 0.25, 0.25]).log()
        return logits.expand(*hidden_BTD.shape[:2], 28)


@pytest.mark.parametrize(("temperature", "share_of_a"), [(1.0, 1 / 2), (0.5, 2 / 3), (2.0, 0.4142)])
def test_sampling_draws_from_the_whole_distribution_at_the_temperature(model, tokenizer, temperature, share_of_a):
    """Whatever the model's own generation settings say."""
    model.lm_head = FixedHead()
    model.generation_config.update(do_sample=True, top_k=1, top_p=0.1, repetition_penalty=9.0, temperature=0.1)
    drawn = "".join(texts(model, tokenizer, ["a"] * 1000, 1, temperature, batch_size=1000))
    assert drawn.count("a") / 1000 == pytest.approx(share_of_a, abs=0.05)
    assert drawn.count("b") / 1000 == pytest.approx((1 - share_of_a) / 2, abs=0.05)


def test_generation_stops_at_the_end_token_and_drops_it(model, tokenizer):
    with torch.no_grad():
        model.lm_head.weight.zero_()
    drawn = texts(model, tokenizer, ["a"] * 100, 60, 1.0)
    assert min(map(len, drawn)) < 10
    assert all(set(text) <= set(LETTERS) for text in drawn)


# ---- nothing left behind


def test_training_goes_on_as_if_nothing_had_happened(model, tokenizer):
    model.train()
    model.model.layers[0].eval()  # a part that the user froze
    modes = {name: module.training for name, module in model.named_modules()}
    torch.manual_seed(5)
    expected = torch.rand(4)
    torch.manual_seed(5)
    texts(model, tokenizer, ["ab", "c"], temperature=1.0)
    assert torch.equal(torch.rand(4), expected)
    assert {name: module.training for name, module in model.named_modules()} == modes
    assert all(parameter.grad is None for parameter in model.parameters())


def test_dropout_is_off_while_generating(model, tokenizer):
    model.train()
    assert texts(model, tokenizer, list(LETTERS), seed=0) == texts(model, tokenizer, list(LETTERS), seed=1)


def test_mode_and_random_state_come_back_after_an_error(model, tokenizer, monkeypatch):
    model.train()
    torch.manual_seed(5)
    expected = torch.rand(4)
    torch.manual_seed(5)

    def broken(*args, **kwargs):
        torch.rand(9)
        raise RuntimeError("out of memory")

    monkeypatch.setattr(model, "generate", broken)
    with pytest.raises(RuntimeError, match="out of memory"):
        texts(model, tokenizer, ["a"], temperature=1.0)
    assert model.training
    assert torch.equal(torch.rand(4), expected)


def test_a_tokenizer_without_padding_falls_back_to_its_end_token(model, tokenizer):
    expected = texts(model, tokenizer, ["ab", "c"])
    tokenizer.pad_token = None
    assert texts(model, tokenizer, ["ab", "c"]) == expected
    assert tokenizer.pad_token is None
    tokenizer.eos_token = None
    with pytest.raises(ValueError, match=r"set tokenizer\.pad_token"):
        texts(model, tokenizer, ["ab", "c"])
