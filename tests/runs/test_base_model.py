"""The base model made on the spot: stored whole or not at all, reused, reproducible, taught as said."""

import json
import random
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from pmpo.foundation.errors import InputError
from pmpo.rewards.exact_sum import sums_reward
from pmpo.runs.base_model import base_model
from pmpo.runs.base_model_lessons import BaseModelSettings, batches, lessons_in, make_model, make_tokenizer
from pmpo.tasks.sums import CHARACTERS, SumsTask, worked_solution

TINY = BaseModelSettings(
    n_terms=2,
    digits=1,
    n_problems=30,
    hidden_size=32,
    intermediate_size=32,
    n_layers=1,
    n_heads=2,
    steps=6,
    batch_size=8,
)


def weights(path: Path) -> dict[str, torch.Tensor]:
    # Cloned, since loaded weights can be a map of the file, which a test is about to damage.
    loaded = AutoModelForCausalLM.from_pretrained(path).state_dict()
    return {name: tensor.clone() for name, tensor in loaded.items()}


def same(left: dict[str, torch.Tensor], right: dict[str, torch.Tensor]) -> bool:
    return left.keys() == right.keys() and all(torch.equal(left[name], right[name]) for name in left)


# ---- cache


def test_second_call_reuses_the_first(tmp_path):
    calls = []
    first = base_model(on_step=lambda *call: calls.append(call), cache_dir=tmp_path, settings=TINY)
    assert not first.cached
    assert [(step, total) for step, total, _ in calls] == [(step, 6) for step in range(1, 7)]
    assert all(isinstance(loss, float) and loss > 0 for _, _, loss in calls)
    written = {file: file.stat().st_mtime_ns for file in first.path.iterdir()}

    second = base_model(on_step=lambda *call: pytest.fail("made again"), cache_dir=tmp_path, settings=TINY)
    assert second.cached
    assert second.path == first.path
    assert {file: file.stat().st_mtime_ns for file in first.path.iterdir()} == written
    assert second.tokenizer.get_vocab() == first.tokenizer.get_vocab()
    assert [folder.name for folder in first.path.parent.iterdir()] == [first.path.name]


def test_everything_that_changes_the_model_changes_its_folder(tmp_path, monkeypatch):
    paths = [
        base_model(seed=0, cache_dir=tmp_path, settings=TINY).path,
        base_model(seed=1, cache_dir=tmp_path, settings=TINY).path,
        base_model(seed=0, cache_dir=tmp_path, settings=replace(TINY, noise=0.1)).path,
        base_model(seed=0, cache_dir=tmp_path, settings=replace(TINY, steps=5)).path,
    ]
    monkeypatch.setattr("pmpo.runs.base_model.metadata.version", lambda name: "99.0")
    paths.append(base_model(seed=0, cache_dir=tmp_path, settings=TINY).path)
    monkeypatch.setattr("pmpo.runs.base_model.noisy_worked_solution", lambda terms, noise, rng: "1+1=3")
    paths.append(base_model(seed=0, cache_dir=tmp_path, settings=TINY).path)
    assert len(set(paths)) == 6


def test_same_seed_gives_the_same_weights_and_another_seed_others(tmp_path):
    one = weights(base_model(seed=3, cache_dir=tmp_path / "a", settings=TINY).path)
    torch.manual_seed(99)  # the caller's random state must not matter
    two = weights(base_model(seed=3, cache_dir=tmp_path / "b", settings=TINY).path)
    other = weights(base_model(seed=4, cache_dir=tmp_path / "b", settings=TINY).path)
    assert same(one, two)
    assert not same(one, other)


@pytest.mark.parametrize("damage", ["truncated", "missing", "no manifest", "broken manifest"])
def test_damaged_model_is_made_again(tmp_path, damage):
    made = base_model(cache_dir=tmp_path, settings=TINY)
    expected = weights(made.path)
    file, manifest = made.path / "model.safetensors", made.path / "pmpo_base_model.json"
    if damage == "truncated":
        file.write_bytes(file.read_bytes()[:100])
    elif damage == "missing":
        file.unlink()
    elif damage == "no manifest":
        manifest.unlink()
    else:
        manifest.write_text(json.dumps(["not", "a", "manifest"]))
    again = base_model(cache_dir=tmp_path, settings=TINY)
    assert not again.cached
    assert again.path == made.path
    assert same(weights(again.path), expected)


def test_interrupted_making_leaves_nothing_behind(tmp_path):
    def interrupt(step: int, total: int, loss: float) -> None:
        if step == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        base_model(on_step=interrupt, cache_dir=tmp_path, settings=TINY)
    assert [file for file in tmp_path.rglob("*") if file.is_file()] == []
    assert not base_model(cache_dir=tmp_path, settings=TINY).cached


def test_model_made_by_another_process_meanwhile_is_kept(tmp_path):
    def other_process(step: int, total: int, loss: float) -> None:
        if step == total:
            base_model(cache_dir=tmp_path, settings=TINY)

    made = base_model(on_step=other_process, cache_dir=tmp_path, settings=TINY)
    assert [folder.name for folder in made.path.parent.iterdir()] == [made.path.name]
    assert base_model(cache_dir=tmp_path, settings=TINY).cached


def test_cache_that_cannot_be_written_says_what_to_do(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(InputError, match=r"could not be stored in .*PMPO_CACHE"):
        base_model(cache_dir=tmp_path / "file", settings=TINY)


def test_it_is_kept_in_the_cache_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("PMPO_CACHE", str(tmp_path / "own"))
    assert base_model(settings=TINY).path.parent.parent == tmp_path / "own"


def test_random_state_is_left_alone(tmp_path):
    torch.manual_seed(11)
    random.seed(11)
    expected = torch.rand(3), random.random()
    torch.manual_seed(11)
    random.seed(11)
    base_model(cache_dir=tmp_path, settings=TINY)
    assert torch.equal(torch.rand(3), expected[0])
    assert random.random() == expected[1]


# ---- tokenizer


def test_tokenizer_is_one_token_a_character_and_survives_the_disk(tmp_path):
    fresh = make_tokenizer()
    fresh.save_pretrained(tmp_path)
    for tokenizer in (fresh, AutoTokenizer.from_pretrained(tmp_path)):
        text = "37+58+91=37+58=95,95+91=186"
        ids = tokenizer(text)["input_ids"]
        assert len(ids) == len(text)
        assert tokenizer.decode(ids) == text
        assert tokenizer.convert_ids_to_tokens(tokenizer(CHARACTERS)["input_ids"]) == list(CHARACTERS)
        assert len({tokenizer.pad_token_id, tokenizer.eos_token_id, tokenizer.unk_token_id}) == 3
        assert tokenizer("1x\n\n2")["input_ids"].count(tokenizer.unk_token_id) == 3
        padded = tokenizer(["1+2=", "10+20="], padding=True)
        assert padded["attention_mask"] == [[0, 0, 1, 1, 1, 1], [1] * 6]


def test_text_ends_with_the_end_of_sequence_token_and_loses_it_in_decoding():
    tokenizer = make_tokenizer()
    ids = [*tokenizer("1+2=3")["input_ids"], tokenizer.eos_token_id, tokenizer.pad_token_id]
    assert tokenizer.decode(ids, skip_special_tokens=True) == "1+2=3"


# ---- what is taught


def test_model_is_a_float32_qwen2_of_half_a_million_parameters():
    tokenizer = make_tokenizer()
    model = make_model(BaseModelSettings(), tokenizer)
    assert model.config.model_type == "qwen2"
    assert 400_000 < sum(parameter.numel() for parameter in model.parameters()) < 700_000
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}
    assert model.config.eos_token_id == tokenizer.eos_token_id
    assert model.config.pad_token_id == tokenizer.pad_token_id


def test_batches_are_right_solutions_first_then_noisy_ones_and_hide_the_prompt():
    tokenizer = make_tokenizer()
    settings = replace(TINY, n_terms=3, n_problems=100, steps=10, batch_size=32, noise=1.0, clean_share=0.7)
    right = []
    for ids_BT, labels_BT in batches(tokenizer, 0, settings):
        for ids, labels in zip(ids_BT, labels_BT, strict=True):
            text = tokenizer.decode(ids, skip_special_tokens=True)
            prompt, _, completion = text.partition("=")
            terms = tuple(map(int, prompt.split("+")))
            right.append(completion == worked_solution(terms))
            counted = labels != -100
            assert torch.equal(ids[counted], labels[counted])
            assert labels[counted][-1] == tokenizer.eos_token_id
            assert tokenizer.decode(labels[counted], skip_special_tokens=True) == completion
    assert right == [True] * 7 * 32 + [False] * 3 * 32


def test_longer_sums_have_rarer_slips_and_fit_into_the_context():
    assert lessons_in(SumsTask()) == BaseModelSettings(), "the default keeps its place in the cache"
    settings = replace(lessons_in(SumsTask(n_terms=11)), steps=2, clean_share=0.0)
    assert (1 - settings.noise) ** 10 == pytest.approx((1 - BaseModelSettings().noise) ** 2)
    tokenizer = make_tokenizer()
    for ids_BT, labels_BT in batches(tokenizer, 0, settings):
        assert ids_BT.shape[1] <= make_model(settings, tokenizer).config.max_position_embeddings == settings.context
        assert (labels_BT != -100).sum(1).float().mean() > 100
    nines = (99,) * 11
    assert len("+".join(map(str, nines)) + "=" + worked_solution(nines)) < settings.context == 192


def test_it_learns_to_add_and_then_to_slip(tmp_path):
    """The same mechanism as the default, at a size that takes seconds: sums of two digits it has seen."""
    settings = replace(TINY, hidden_size=64, intermediate_size=128, steps=400, batch_size=32, n_problems=40)
    shares = {}
    for noise in (0.0, 0.5):
        made = base_model(cache_dir=tmp_path, settings=replace(settings, noise=noise))
        model = AutoModelForCausalLM.from_pretrained(made.path)
        problems = [(a, b) for a in range(1, 10) for b in range(1, 10)]
        ids = made.tokenizer([f"{a}+{b}=" for a, b in problems], return_tensors="pt")
        torch.manual_seed(0)
        out = model.generate(**ids, max_new_tokens=8, do_sample=True, top_k=0)
        texts = made.tokenizer.batch_decode(out[:, ids["input_ids"].shape[1] :], skip_special_tokens=True)
        rewards = sums_reward(texts, [str(a + b) for a, b in problems])
        shares[noise] = sum(rewards) / len(rewards)
    assert shares[0.0] > 0.5  # the 40 problems it has seen, of the 81 asked
    assert 0.1 < shares[0.5] < shares[0.0] - 0.15
