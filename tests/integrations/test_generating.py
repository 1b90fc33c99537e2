"""Rounds that are generated in pieces: the samples of a GRPOTrainer that generates those one after the other."""

import pytest
import torch
from datasets import Dataset
from trl import GRPOConfig, GRPOTrainer

from pmpo.integrations.trl import PMPOConfig
from pmpo.integrations.trl.generating import InPieces
from resuming import Shape, largest_difference
from support import config, parameters, trainer
from tiny import tiny_dataset, tiny_tokenizer


def default_round(cls=PMPOConfig, **changes):
    """Of a script that says nothing of its rounds: ours feed 8 updates, TRL's one."""
    return config(cls, **{"steps_per_generation": None, "per_device_train_batch_size": 4, **changes})


def spied(one):
    """How many completions every call of `generate` makes."""
    calls, generate = [], one.model.generate

    def count(input_ids, **kwargs):
        calls.append(tuple(input_ids.shape))
        return generate(input_ids=input_ids, **kwargs)

    one.model.generate = count
    return calls


def test_the_default_is_the_width_of_grpo_trainer():
    ours, theirs = (
        default_round(gradient_accumulation_steps=2),
        default_round(GRPOConfig, gradient_accumulation_steps=2),
    )
    assert ours.generation_batch_size == 8 * theirs.generation_batch_size == 64
    assert ours.generation_chunk_size == theirs.generation_batch_size == 8
    assert config().generation_chunk_size == 0, "a round that was given is generated at once, as TRL does"
    one = trainer(ours)
    calls = spied(one)
    one.train()
    assert calls and {rows for rows, _ in calls} == {8}


@pytest.mark.parametrize("size", [4, 12, 32])
def test_samples_are_those_of_grpo_trainer_generating_the_pieces(size):
    prompts = [f"{'1+' * (place % 5)}{place}=" for place in range(8) for _ in range(4)]  # of several lengths
    ours, theirs = trainer(default_round(generation_chunk_size=size)), trainer(default_round(GRPOConfig), GRPOTrainer)
    for one in (ours, theirs):
        one.model.train()
    calls = spied(ours)
    torch.manual_seed(5)
    made = ours._generate(prompts)[1]
    torch.manual_seed(5)
    pieces = [theirs._generate(prompts[start : start + size])[1] for start in range(0, 32, size)]
    assert made == [ids for piece in pieces for ids in piece]
    assert [rows for rows, _ in calls] == [min(size, 32 - start) for start in range(0, 32, size)]
    assert size == 32 or len({width for _, width in calls}) > 1, "each piece is padded to its own longest prompt"


def test_chunks_of_every_size_are_the_whole_round_where_it_fits():
    whole, large = trainer(default_round(generation_chunk_size=0)), trainer(default_round(generation_chunk_size=999))
    for one in (whole, large):
        one.calls = spied(one)
        torch.manual_seed(5)
        one.train()
    assert [rows for rows, _ in whole.calls] == [rows for rows, _ in large.calls] == [32]
    assert torch.equal(parameters(whole), parameters(large))


def test_an_evaluation_is_generated_as_trl_does():
    args = default_round(per_device_eval_batch_size=16, num_generations_eval=2)
    one = trainer(args, eval_dataset=tiny_dataset(8))
    calls = spied(one)
    one.evaluate()
    assert [rows for rows, _ in calls] == [16]


def test_a_negative_size_is_refused():
    with pytest.raises(ValueError, match="generation_chunk_size is -1; write completions, or 0 for the whole round"):
        config(generation_chunk_size=-1)


def test_resumption_is_exact_with_pieces(tmp_path):
    assert largest_difference(tmp_path, Shape(2), [1, 2, 3], generation_chunk_size=4) == 0.0


class Judge(torch.nn.Module):
    """A reward model whose answer depends on the row alone."""

    config = type("Config", (), {"_name_or_path": "judge", "pad_token_id": 0})()

    def __init__(self):
        super().__init__()
        self.rows = []

    def forward(self, input_ids, attention_mask, **kwargs):
        self.rows.append(len(input_ids))
        score = (input_ids * attention_mask).sum(1, keepdim=True) / 100.0
        return type("Output", (), {"logits": score})


def test_a_reward_model_reads_no_more_than_a_piece():
    ids = torch.arange(20).reshape(10, 2)
    judge, pieces = Judge(), Judge()
    inputs = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
    assert torch.equal(InPieces(pieces, 4)(**inputs).logits, judge(**inputs).logits)
    assert pieces.rows == [4, 4, 2]
    one = trainer(default_round(max_steps=1), reward=(inside := Judge()), reward_processing_classes=tiny_tokenizer())
    one.train()
    assert inside.rows == [4] * 8 and one.state.log_history[0]["reward_std"] > 0


# ---- rounds that the data set does not fill -------------------------------------------------------------------------


def rows(count):
    return Dataset.from_dict({"prompt": [f"{i}+1=" for i in range(count)]})


@pytest.mark.parametrize(
    ("problems", "accumulation", "updates"), [(7, 1, 7), (3, 1, 3), (1, 1, 1), (7, 2, 3), (2, 2, 1)]
)
def test_a_default_round_shrinks_to_what_the_data_set_fills(problems, accumulation, updates):
    args = default_round(gradient_accumulation_steps=accumulation)
    said = rf"A round of 8 updates needs {8 * accumulation} different prompts, and there are {problems}: rounds have "
    with pytest.warns(UserWarning, match=said + f"{updates} update.*steps_per_generation={updates * accumulation}"):
        one = trainer(args, train_dataset=rows(problems))
    assert args.steps_per_generation == 8 * accumulation, "the user's configuration stays as it is"
    assert one.args.steps_per_generation == updates * accumulation
    one.train()
    assert one.state.global_step == 4


def test_whole_groups_stay_whole(recwarn):
    """Completions of 2 a step and groups of 4: an odd number of steps would cut a group."""
    one = trainer(default_round(per_device_train_batch_size=2), train_dataset=rows(3))
    assert one.args.steps_per_generation == 6 and one.args.generation_batch_size == 12
    assert trainer(default_round(), train_dataset=rows(8)).args.steps_per_generation == 8
    assert sum("A round of" in str(w.message) for w in recwarn) == 1
