"""The rollout's server without Ray: batches, seeds, recorded completions, and what is refused in which words."""

import asyncio
import json

import pytest

pytest.importorskip("verl", reason="verl is not installed here: make verl")

from verl.workers.config import HFModelConfig, RolloutConfig

from pmpo.foundation.errors import InputError
from pmpo.integrations.verl.cpu import server as server_module
from pmpo.integrations.verl.cpu.options import check_rollout
from pmpo.integrations.verl.cpu.recorded import RecordedCompletions
from pmpo.integrations.verl.cpu.server import CPURolloutServer
from support import make_inputs

SAMPLING = {"temperature": 1.0, "top_p": 1.0, "top_k": -1, "repetition_penalty": 1.0, "logprobs": True}
PROMPTS = [[3, 12, 4, 13], [5, 12, 4, 13]]


@pytest.fixture(scope="module")
def model_config(tmp_path_factory):
    folder = tmp_path_factory.mktemp("inputs")
    make_inputs(folder, rows=1)
    return HFModelConfig(path=str(folder / "model"), override_config={"attn_implementation": "sdpa"})


def rollout_config(**changes) -> RolloutConfig:
    settings = {
        "name": "pmpo_cpu",
        "dtype": "float32",
        "tensor_model_parallel_size": 1,
        "response_length": 6,
        "seed": 0,
    }
    return RolloutConfig(**{**settings, **changes})


def answers(server: CPURolloutServer, prompts: list[list[int]], **changes) -> list:
    async def all_of_them():
        calls = [server.generate(str(i), prompt, {**SAMPLING, **changes}) for i, prompt in enumerate(prompts)]
        return await asyncio.gather(*calls, return_exceptions=True)

    return asyncio.run(all_of_them())


def tokens(server: CPURolloutServer, prompts: list[list[int]]) -> list[list[int]]:
    return [answer.token_ids for answer in answers(server, prompts)]


def test_waiting_requests_are_completed_together(model_config, monkeypatch):
    sizes = []

    def complete(model, requests, *others):
        sizes.append(len(requests))
        return original(model, requests, *others)

    original = server_module.complete
    monkeypatch.setattr(server_module, "complete", complete)
    server = CPURolloutServer(rollout_config(max_num_seqs=16), model_config)
    assert len(tokens(server, PROMPTS * 12)) == 24
    assert sizes == [16, 8]


def test_seed_weights_prompt_and_turn_make_a_completion_and_nothing_else(model_config):
    one = CPURolloutServer(rollout_config(), model_config)
    first = tokens(one, [PROMPTS[0], PROMPTS[0], PROMPTS[1]])
    assert first[0] != first[1]  # the second of the same prompt is another
    other = CPURolloutServer(rollout_config(max_num_seqs=1), model_config)
    assert tokens(other, [PROMPTS[1], PROMPTS[0], PROMPTS[0]]) == [first[2], first[0], first[1]]
    assert tokens(CPURolloutServer(rollout_config(seed=1), model_config), PROMPTS[:1]) != first[:1]
    asyncio.run(one.update_weights(one.model.state_dict(), 1))
    assert tokens(one, PROMPTS[:1]) != first[:1]


def test_new_weights_are_used_and_those_of_another_model_refused(model_config):
    server = CPURolloutServer(rollout_config(), model_config)
    before = answers(server, PROMPTS, temperature=0.0)
    weights = {name: tensor * 1.5 for name, tensor in server.model.state_dict().items()}
    asyncio.run(server.update_weights(weights, 3))
    after = answers(server, PROMPTS, temperature=0.0)
    assert after[0].log_probs != before[0].log_probs
    assert after[0].extra_fields["global_steps"] == 3
    with pytest.raises(InputError, match=r"do not fit.*'stranger'"):
        asyncio.run(server.update_weights({**weights, "stranger": weights["model.norm.weight"]}, 4))
    del weights["model.norm.weight"]
    with pytest.raises(InputError, match=r"do not fit.*norm"):
        asyncio.run(server.update_weights(weights, 4))


def test_a_failed_request_ends_the_run_at_the_next_weights(model_config):
    server = CPURolloutServer(rollout_config(), model_config)
    (failed,) = answers(server, PROMPTS[:1], repetition_penalty=1.1)
    assert isinstance(failed, InputError)
    with pytest.raises(InputError, match=r"repetition_penalty=1\.1.*write repetition_penalty=1\.0"):
        asyncio.run(server.update_weights(server.model.state_dict(), 1))


def test_a_prompt_without_room_is_refused(model_config):
    server = CPURolloutServer(rollout_config(max_model_len=4), model_config)
    (failed,) = answers(server, PROMPTS[:1])
    assert "leaves no room in 4 tokens" in str(failed)
    (short,) = answers(server, [PROMPTS[0][:2]])
    assert len(short.token_ids) <= 2


def test_recorded_completions_come_in_their_order(model_config, tmp_path):
    path = tmp_path / "recorded.jsonl"
    lines = [
        {"prompt": PROMPTS[0], "completions": [[4, 1], [9, 9, 9]]},
        {"prompt": PROMPTS[1], "completions": [[7, 1]]},
    ]
    path.write_text("\n".join(map(json.dumps, [*lines, {"prompt": PROMPTS[0], "completions": [[5]]}])))
    kwargs = {"pmpo_cpu": {"recorded": str(path)}}
    server = CPURolloutServer(rollout_config(engine_kwargs=kwargs), model_config)
    assert tokens(server, [PROMPTS[0], PROMPTS[1], PROMPTS[0]]) == [[4, 1], [7, 1], [9, 9, 9]]
    assert tokens(server, [PROMPTS[0]]) == [[5]]
    (failed,) = answers(server, [PROMPTS[0]])
    assert "3 completions of the prompt [3, 12, 4, 13], and one more is asked for" in str(failed)


@pytest.mark.parametrize("line", ["{", "[]", '{"prompt": [1]}', '{"prompt": [1], "completions": [[]]}',
                                  '{"prompt": ["a"], "completions": [[1]]}'])  # fmt: skip
def test_a_line_that_is_no_recording_is_named(tmp_path, line):
    path = tmp_path / "recorded.jsonl"
    path.write_text('{"prompt": [1], "completions": [[2]]}\n' + line)
    with pytest.raises(InputError, match=r"Line 2 of .*recorded\.jsonl is no recorded completion"):
        RecordedCompletions(path)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"tensor_model_parallel_size": 2}, r"tensor_model_parallel_size=2.*Write .*tensor_model_parallel_size=1"),
        ({"quantization": "fp8"}, r"quantization=fp8.*quantization=null"),
        ({"logprobs_mode": "raw_logprobs"}, "logprobs_mode=processed_logprobs"),
        ({"ignore_eos": True}, "ignore_eos=False"),
        ({"enable_rollout_routing_replay": True}, "enable_rollout_routing_replay=False"),
        ({"engine_kwargs": {"pmpo_cpu": {"recordd": "x"}}}, "did you mean 'recorded'"),
    ],
)
def test_what_would_be_ignored_is_refused(changes, said):
    check_rollout(rollout_config())
    with pytest.raises(InputError, match=said):
        check_rollout(rollout_config(**changes))


def test_a_lora_adapter_comes_merged_or_not_at_all():
    check_rollout(rollout_config(), lora_rank=8, lora_merged=True)
    with pytest.raises(InputError, match=r"rank 8.*lora\.merge=True"):
        check_rollout(rollout_config(), lora_rank=8)


def test_images_and_unknown_parameters_are_refused(model_config):
    server = CPURolloutServer(rollout_config(), model_config)
    with pytest.raises(InputError, match="text alone, and got image_data"):
        asyncio.run(server.generate("0", PROMPTS[0], dict(SAMPLING), image_data=["picture"], video_data=None))
    (failed,) = answers(server, PROMPTS[:1], min_p=0.1)
    assert "min_p" in str(failed)
