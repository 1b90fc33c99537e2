"""Pass@1: right numbers, no silent wrongs, and nothing left changed behind."""

import math
from types import SimpleNamespace

import pytest
import torch
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast, Qwen2Config, Qwen2ForCausalLM

from pmpo.evaluation.pass_at_1 import pass_at_1

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

    def generate(self, ids_BT, attention_mask, generation_config):
        self.calls.append((ids_BT, attention_mask, generation_config))
        rows = [self.tokenizer(self.texts.pop(0))["input_ids"] + [1] for _ in ids_BT]
        longest = max(map(len, rows))
        return torch.cat([ids_BT, torch.tensor([row + [0] * (longest - len(row)) for row in rows])], dim=1)


def all_right(completions: list[str]) -> list[float]:
    return [1.0] * len(completions)


# ---- the numbers


def test_value_error_and_text(tokenizer):
    model = Scripted(tokenizer, "yes", "no", "yes", "yes", "no")
    seen = []

    def grade(completions):
        seen.append(completions)
        return [float(text == "yes") for text in completions]

    result = pass_at_1(model, tokenizer, list("abcde"), grade, max_new_tokens=4, batch_size=2)
    assert seen == [["yes", "no", "yes", "yes", "no"]]
    assert result.completions == seen
    assert result.grades == [[1.0, 0.0, 1.0, 1.0, 0.0]]
    assert result.value == pytest.approx(0.6)
    assert result.standard_error == pytest.approx(math.sqrt(0.6 * 0.4 / 4))  # unbiased variance / n
    assert (result.n_problems, result.samples, result.n_ungraded) == (5, 1, 0)
    assert str(result) == "0.600 ± 0.245 (5 problems, 1 sample each)"


def test_samples_of_one_problem_are_not_independent(tokenizer):
    """Two problems, one always solved and one never: four samples each do not make the estimate surer."""
    model = Scripted(tokenizer, *(["yes", "no"] * 4))
    result = pass_at_1(
        model,
        tokenizer,
        ["a", "b"],
        lambda completions: [float(text == "yes") for text in completions],
        max_new_tokens=4,
        samples=4,
        temperature=1.0,
    )
    assert result.grades == [[1.0, 0.0]] * 4
    assert result.value == 0.5
    assert result.standard_error == pytest.approx(0.5)


def test_ungraded_is_counted_apart_and_never_wrong(tokenizer):
    model = Scripted(tokenizer, "a", "b", "c", "d")
    result = pass_at_1(model, tokenizer, list("wxyz"), lambda _: [1.0, None, 0.0, 1.0], max_new_tokens=4)
    assert result.value == pytest.approx(2 / 3)
    assert result.n_ungraded == 1
    assert result.grades == [[1.0, None, 0.0, 1.0]]
    assert "1 completions not graded" in str(result)

    model = Scripted(tokenizer, "a", "b")
    result = pass_at_1(model, tokenizer, ["w", "x"], lambda _: [None, None], max_new_tokens=4)
    assert math.isnan(result.value)
    assert math.isnan(result.standard_error)
    assert result.n_ungraded == 2


# ---- generation


def test_a_prompt_is_continued_the_same_alone_and_in_a_batch(model, tokenizer):
    prompts = ["a", "bcdefghijkl", "xyz", "qqqqqqqqqqqqqqqq", "hello"]
    alone = pass_at_1(model, tokenizer, prompts, all_right, max_new_tokens=8, batch_size=1)
    together = pass_at_1(model, tokenizer, prompts, all_right, max_new_tokens=8, batch_size=5)
    assert together.completions == alone.completions
    assert len(set(alone.completions[0])) == 5


def test_padding_is_on_the_left_and_masked(tokenizer):
    model = Scripted(tokenizer, "x", "y")
    pass_at_1(model, tokenizer, ["ab", "abcd"], all_right, max_new_tokens=3)
    ids, mask, config = model.calls[0]
    assert ids.tolist() == [[0, 0, 2, 3], [2, 3, 4, 5]]
    assert mask.tolist() == [[0, 0, 1, 1], [1, 1, 1, 1]]
    assert config.max_new_tokens == 3
    assert tokenizer.padding_side == "right"


def test_greedy_ignores_the_seed_and_sampling_follows_it(model, tokenizer):
    def run(**options):
        return pass_at_1(model, tokenizer, list(LETTERS), all_right, max_new_tokens=4, **options).completions

    assert run(seed=1) == run(seed=2)
    sampled = run(seed=1, temperature=1.0)
    assert sampled == run(seed=1, temperature=1.0)
    assert sampled != run(seed=2, temperature=1.0)
    assert sampled != run(seed=1)
    twice = run(seed=1, temperature=1.0, samples=2)
    assert twice[0] == sampled[0]
    assert twice[1] != twice[0]


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
    result = pass_at_1(
        model, tokenizer, ["a"] * 1000, all_right, max_new_tokens=1, temperature=temperature, batch_size=1000
    )
    drawn = "".join(result.completions[0])
    assert drawn.count("a") / 1000 == pytest.approx(share_of_a, abs=0.05)
    assert drawn.count("b") / 1000 == pytest.approx((1 - share_of_a) / 2, abs=0.05)


def test_generation_stops_at_the_end_token_and_drops_it(model, tokenizer):
    with torch.no_grad():
        model.lm_head.weight.zero_()
    result = pass_at_1(model, tokenizer, ["a"] * 100, all_right, max_new_tokens=60, temperature=1.0)
    lengths = [len(text) for text in result.completions[0]]
    assert min(lengths) < 10
    assert all(set(text) <= set(LETTERS) for text in result.completions[0])


# ---- nothing left behind


def test_training_goes_on_as_if_nothing_had_happened(model, tokenizer):
    model.train()
    model.model.layers[0].eval()  # a part that the user froze
    modes = {name: module.training for name, module in model.named_modules()}
    torch.manual_seed(5)
    expected = torch.rand(4)
    torch.manual_seed(5)
    during = []

    def grade(completions):
        during.append(model.training)
        return all_right(completions)

    pass_at_1(model, tokenizer, ["ab", "c"], grade, max_new_tokens=4, temperature=1.0)
    assert torch.equal(torch.rand(4), expected)
    assert {name: module.training for name, module in model.named_modules()} == modes
    assert all(parameter.grad is None for parameter in model.parameters())


def test_dropout_is_off_while_generating(model, tokenizer):
    model.train()
    texts = [
        pass_at_1(model, tokenizer, list(LETTERS), all_right, max_new_tokens=4, seed=s).completions for s in (0, 1)
    ]
    assert texts[0] == texts[1]


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
        pass_at_1(model, tokenizer, ["a"], all_right, max_new_tokens=4, temperature=1.0)
    assert model.training
    assert torch.equal(torch.rand(4), expected)


# ---- wrong calls


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"prompts": []}, "at least one prompt"),
        ({"prompts": "abc"}, "list with at least one prompt, got 'abc'"),
        ({"max_new_tokens": 0}, "max_new_tokens must be at least 1, got 0"),
        ({"batch_size": 0}, "batch_size must be at least 1"),
        ({"samples": 0}, "samples must be at least 1"),
        ({"temperature": -1.0}, "temperature must be 0"),
        ({"temperature": float("nan")}, "temperature must be 0"),
        ({"samples": 4}, "4 greedy completions of a prompt are all the same"),
        ({"grade": lambda completions: [1.0]}, "1 grades for 2 completions"),
        ({"grade": lambda completions: [1.0, 2.0]}, "completion 1 got 2.0"),
        ({"grade": lambda completions: [float("nan"), 1.0]}, "completion 0 got nan"),
    ],
)
def test_wrong_arguments_are_refused(tokenizer, options, message):
    model = Scripted(tokenizer, "x", "y")
    arguments = {"prompts": ["a", "b"], "grade": all_right, "max_new_tokens": 4, **options}
    prompts, grade = arguments.pop("prompts"), arguments.pop("grade")
    with pytest.raises(ValueError, match=message):
        pass_at_1(model, tokenizer, prompts, grade, **arguments)


def test_a_tokenizer_without_padding_falls_back_to_its_end_token(model, tokenizer):
    expected = pass_at_1(model, tokenizer, ["ab", "c"], all_right, max_new_tokens=4).completions
    tokenizer.pad_token = None
    assert pass_at_1(model, tokenizer, ["ab", "c"], all_right, max_new_tokens=4).completions == expected
    assert tokenizer.pad_token is None
    tokenizer.eos_token = None
    with pytest.raises(ValueError, match=r"set tokenizer\.pad_token"):
        pass_at_1(model, tokenizer, ["ab", "c"], all_right, max_new_tokens=4)
