"""Rounds sampled by our loop: those of transformers', with old log-probabilities that need no pass of the model."""

import pytest
import torch
from accelerate.utils import send_to_device
from datasets import Dataset
from peft import LoraConfig

from pmpo.integrations.trl.rows import RepeatedRows, Rows
from resuming import Shape, largest_difference
from support import config, parameters, saved_model, trainer
from tiny import tiny_dataset, tiny_model


def rounds(one):
    """The rounds of a run; `one.without_gradients` counts the passes of the model in them."""
    made, make = [], one._generate_and_score_completions
    one.without_gradients = 0

    def count(*_):
        one.without_gradients += not torch.is_grad_enabled()

    def keep(rows):
        made.append(make(rows))
        return made[-1]

    one._generate_and_score_completions = keep
    one.model.register_forward_pre_hook(count)
    one.train()
    return made


@pytest.mark.parametrize("temperature", [1.0, 1.4])
def test_a_run_is_that_of_transformers_loop_and_a_pass_of_the_model(temperature):
    runs = []
    for changes in ({}, {"decoding_loop": "transformers"}, {"recompute_old_log_probs": True}):
        one = trainer(config(max_steps=6, temperature=temperature, learning_rate=3e-3, **changes))
        torch.manual_seed(1)
        runs.append((rounds(one), parameters(one), one))
    (ours, weights, one), *others = runs
    assert len(ours) == 3
    for made, other_weights, other in others:
        for mine, theirs in zip(ours, made, strict=True):
            assert torch.equal(mine["completion_ids"], theirs["completion_ids"])
            kept = mine["completion_mask"].bool()
            old, expected = mine["old_per_token_logps"], theirs["old_per_token_logps"]
            torch.testing.assert_close(old[kept], expected[kept], rtol=0, atol=3e-6)
            assert expected[kept].std() > 0.01
        torch.testing.assert_close(weights, other_weights, rtol=0, atol=2e-4)
        assert other.without_gradients > one.without_gradients, "a pass of every round is saved"


@pytest.mark.parametrize(
    ("changes", "model", "asked"),
    [
        ({"steps_per_generation": 2}, {}, True),
        ({"steps_per_generation": 1}, {}, False),  # TRL takes those of the first update
        ({"recompute_old_log_probs": True}, {}, False),
        ({"bf16": True}, {}, False),
        ({"sampler_noise": 0.1}, {}, False),
        ({}, {"dtype": torch.bfloat16}, False),
        ({"disable_dropout": False}, {"attention_dropout": 0.1}, False),
    ],
)
def test_sampling_gives_them_where_it_gives_the_same(changes, model, asked):
    one = trainer(config(**changes), model=tiny_model(**model))
    one.model.train()
    assert one._sampling_tells() is asked


def test_log_probabilities_of_other_completions_are_computed():
    one = trainer(config(max_steps=1))
    seen = []
    complete = one.complete

    def other(*args, **kwargs):
        ids, log_probs = complete(*args, **kwargs)
        seen.append(one._drawn is not None)
        return [[*ids[0][:-1], 5 if ids[0][-1] != 5 else 6], *ids[1:]], log_probs

    one.complete = other
    made = rounds(one)
    assert seen == [True]
    plain = trainer(config(max_steps=1, recompute_old_log_probs=True))
    with torch.no_grad():
        ids = torch.cat([made[0]["prompt_ids"], made[0]["completion_ids"]], dim=1)
        mask = torch.cat([made[0]["prompt_mask"], made[0]["completion_mask"]], dim=1)
        expected = plain.log_probs_of(plain.model, ids, mask, made[0]["completion_ids"].shape[1])[0]
    kept = made[0]["completion_mask"].bool()
    torch.testing.assert_close(made[0]["old_per_token_logps"][kept], expected[kept], rtol=0, atol=3e-6)


def test_the_reference_of_an_adapter_is_not_what_sampling_gave(tmp_path):
    lora = LoraConfig(r=2, target_modules=["q_proj", "v_proj"], task_type="CAUSAL_LM")
    args = config(max_steps=4, beta=0.1, learning_rate=3e-2)
    one = trainer(args, model=saved_model(tmp_path), peft_config=lora)
    made = rounds(one)
    kept = made[-1]["completion_mask"].bool()
    drift = (made[-1]["old_per_token_logps"] - made[-1]["ref_per_token_logps"])[kept].abs().max()
    assert drift > 1e-4, "the adapter has moved"


def test_an_option_that_the_loop_does_not_know_is_said_once():
    with pytest.warns(UserWarning, match="transformers' own loop.*RepetitionPenalty.*decoding_loop") as said:
        trainer(config(repetition_penalty=1.3)).train()
    assert sum("own loop" in str(one.message) for one in said) == 1
    with pytest.raises(ValueError, match="decoding_loop"):
        config(decoding_loop="mine")


def test_resumption_is_exact(tmp_path):
    assert largest_difference(tmp_path, Shape(2), [1, 2, 3]) == 0.0


def test_rows_are_handed_on_without_a_look_into_them():
    one, seen = trainer(), []
    make = one.make_round
    one.make_round = lambda rows: seen.append(rows) or make(rows)
    one.train()
    assert seen and all(type(rows) is Rows and send_to_device(rows, "cpu") is rows for rows in seen)


@pytest.mark.parametrize("objective", ["pmpo", "dapo"])
def test_a_micro_batch_is_as_wide_as_its_longest_completion(objective):
    """TRL pads it to the longest of the round; the numbers are the same."""
    small = {"per_device_train_batch_size": 2, "num_generations": 2, "steps_per_generation": 8}
    widths, runs = [], []
    for cut in (True, False):
        one = trainer(config(max_steps=8, objective=objective, max_completion_length=40, **small))
        if not cut:
            one.completions_of = lambda inputs: None
        forward = one.log_probs_of

        def spy(model, *args, forward=forward, cut=cut, **kwargs):
            found = forward(model, *args, **kwargs)
            if torch.is_grad_enabled():
                widths.append((cut, found[0].shape[1]))
            return found

        one.log_probs_of = spy
        torch.manual_seed(1)
        one.train()
        runs.append(parameters(one))
    assert len({width for cut, width in widths if cut}) > 1
    torch.testing.assert_close(*runs, rtol=0, atol=1e-5)


def test_the_rows_of_a_round_are_read_once(monkeypatch):
    reads, read = [], Dataset.__getitems__
    monkeypatch.setattr(Dataset, "__getitems__", lambda self, keys: reads.append(list(keys)) or read(self, keys))
    data = tiny_dataset()
    one = trainer(config(max_steps=6, steps_per_generation=3), train_dataset=data)
    one.train()
    assert len(reads) == 3, "two rounds, and accelerate is a batch ahead"
    assert one.train_dataset[:] == data[:] and type(data) is Dataset


def test_a_row_that_was_changed_is_as_it_was_in_the_next_round():
    data = RepeatedRows.of(Dataset.from_dict({"prompt": [[{"content": "a"}], [{"content": "b"}]]}), times=2)
    first = data.__getitems__([1, 0])
    first[0]["prompt"][0]["content"], first[1]["prompt"] = "changed", "too"
    assert data.__getitems__([1, 0])[1]["prompt"] == [{"content": "a"}]
    assert data.__getitems__([1, 0])[0]["prompt"] == [{"content": "b"}]
