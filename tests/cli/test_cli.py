"""The command line: verbs, help, exit statuses, and one clear sentence for every bad input."""

import json
import os
import re
import subprocess
import sys

import pytest
from transformers import GPT2Config

from pmpo.cli import main
from tiny import tiny_model, tiny_tokenizer


def test_help_and_version(capsys):
    assert main([]) == main(["--help"]) == 0
    assert "pmpo train --config" in capsys.readouterr().out
    assert main(["--version"]) == 0
    assert re.fullmatch(r"pmpo \d+\.\d+.*\n", capsys.readouterr().out)
    assert main(["trian"]) == 2
    verbs = "train, compare, report, data, eval, overlap, checkpoint, objectives"
    assert f"no verb 'trian'; write {verbs}. Did you mean 'train'?" in capsys.readouterr().err


def test_help_of_train_loads_neither_trl_nor_transformers():
    code = (
        "import sys; from pmpo.cli import main; main(['train', '--help']); main(['--version'])\n"
        "assert not {'trl', 'transformers', 'datasets'} & set(sys.modules), 'loaded'"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert out.returncode == 0, out.stderr
    assert "--prompt_template" in out.stdout


def test_help_all_lists_the_options_of_all_three_groups(capsys):
    assert main(["train", "--help_all"]) == 0
    printed = capsys.readouterr().out
    assert all(name in printed for name in ("--prompt_template", "--num_generations", "--lora_r", "--exponent"))


def test_python_m_pmpo_is_the_same_and_a_user_error_is_one_sentence_without_traceback():
    words = [sys.executable, "-m", "pmpo", "train", "--dataset", "no/such/file.jsonl", "--init_from_scratch"]
    out = subprocess.run(words, capture_output=True, text=True, env={**os.environ, "HF_HUB_OFFLINE": "1"})
    assert out.returncode == 2
    assert out.stderr.strip().startswith("pmpo: There is no data set at no/such/file.jsonl")
    assert "Traceback" not in out.stderr and len(out.stderr.strip().splitlines()) == 1 and out.stdout == ""


def test_a_defect_keeps_its_traceback(monkeypatch):
    import pmpo.runs.run

    def broken(settings):
        raise KeyError("a bug of ours")

    monkeypatch.setattr(pmpo.runs.run, "run", broken)
    with pytest.raises(KeyError, match="a bug of ours"):
        main(["train", "--dataset", "sums"])


@pytest.fixture
def base(tmp_path, monkeypatch):
    """Flags of a run that works, in a folder with a data set, a model and a reward file."""
    monkeypatch.chdir(tmp_path)
    rows = [{"problem": f"{i}+1=", "answer": str(i + 1)} for i in range(16)]
    (tmp_path / "data.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "rewards.py").write_text(
        "def good(completions, **k): return [0.0] * len(completions)\n"
        "def raises(completions, **k): return [int(c) for c in completions]\n"
        "def none(completions, **k): pass\n"
        "def words(completions, **k): return [0.0, 'good']\n"
        "def short(completions, **k): return [0.0]\n"
        "def later(completions, trainer_state, **k):\n"
        "    return [0.0] * (len(completions) - (trainer_state.global_step > 0))\n"
    )
    tiny_model().save_pretrained(tmp_path / "model")
    tiny_tokenizer().save_pretrained(tmp_path / "model")
    GPT2Config(vocab_size=17, n_positions=64, n_embd=16, n_layer=1, n_head=2).save_pretrained(tmp_path / "table")
    tiny_tokenizer().save_pretrained(tmp_path / "table")
    return [
        "train",
        "--dataset",
        "data.jsonl",
        "--model_name_or_path",
        "model",
        "--reward",
        "rewards.py:good",
        "--eval_size",
        "4",
        "--num_generations",
        "4",
        "--per_device_train_batch_size",
        "4",
        "--steps_per_generation",
        "2",
        "--max_completion_length",
        "6",
        "--max_steps",
        "4",
        "--save_strategy",
        "no",
        "--progress",
        "off",
        "--output_dir",
        "run",
    ]


BAD = {
    "unknown objective": (["--objective", "pmop"], r"pmop.*pmpo"),
    "missing column": (["--problem_column", "question"], "no column 'question'; its columns are problem, answer"),
    "empty data set": (["--dataset", "empty.jsonl"], "The data set empty.jsonl is empty"),
    "no data set": (["--dataset", "dta.jsonl"], "There is no data set at dta.jsonl .* Did you mean 'data.jsonl'"),
    "reward raises": (
        ["--reward", "rewards.py:raises"],
        "rewards.py:raises raised ValueError: .* for row 0, completion",
    ),
    "reward returns None": (["--reward", "rewards.py:none"], "rewards.py:none returned None for 2 completions"),
    "reward is a word": (["--reward", "rewards.py:words"], "rewards.py:words returned 'good' .* for row 1, completion"),
    "reward of the wrong length": (["--reward", "rewards.py:short"], "returned 1 rewards for 2 completions"),
    "batch arithmetic": (
        ["--num_generations", "3"],
        "8 completions .*num_generations=3. Write per_device_train_batch_size=3",
    ),
    "prompt longer than the context": (
        ["--dataset", "long.jsonl", "--model_name_or_path", "table"],  # of positions, whose end is an error
        "row 2 of long.jsonl .* has 102 tokens, .* context is 64",
    ),
    "unreadable model path": (["--model_name_or_path", "./modle"], "There is no model folder modle; give the folder"),
    "model folder without a model": (
        ["--model_name_or_path", "."],
        "configuration in the model folder . cannot be read",
    ),
    "weights that are broken": (["--model_name_or_path", "broken"], "The weights of broken cannot be loaded"),
    "log bounds on a ratio clip": (
        ["--objective", "grpo", "--trust_region", "ratio:log_ratio_low=0.4"],
        "log_ratio_low.*ratio",
    ),
    "ratio bounds on a log clip": (["--objective", "gmpo", "--epsilon", "0.2"], "epsilon.*log_ratio"),
    "folder of another run": (["--output_dir", "old"], "The folder old already holds a run .metrics.jsonl."),
    "no model": (["--model_name_or_path", "none/such"], "is no folder here, and the hub did not give it"),
    "system prompt without a place": (["--system_prompt", "x"], "'plain' has no place for a system prompt"),
    "another of TRL's losses": (["--objective", "pmpo", "--loss_type", "dapo"], "contradicts `objective`"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_one_early_sentence(base, case, tmp_path, capsys):
    flags, message = BAD[case]
    (tmp_path / "empty.jsonl").write_text("")
    rows = [{"problem": "1+1=", "answer": "2"}, {"problem": "1+" * 50 + "1=", "answer": "51"}]
    (tmp_path / "long.jsonl").write_text(
        "".join(json.dumps(row) + "\n" for row in [*rows, *({"problem": f"{i}=", "answer": "0"} for i in range(20))])
    )
    (tmp_path / "broken").mkdir()
    for path in (tmp_path / "model").iterdir():
        content = b"" if path.suffix == ".safetensors" else path.read_bytes()
        (tmp_path / "broken" / path.name).write_bytes(content)
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "metrics.jsonl").write_text("")
    assert main([*base, *flags]) == 2
    error = capsys.readouterr().err
    assert re.search(message, error, re.DOTALL), error
    assert error.startswith("pmpo: ") and error.rstrip().endswith((".", "?", "…", ")", "'"))
    assert not (tmp_path / "run").exists()  # the corrected command can use the same folder


def test_a_reward_that_breaks_during_training_is_a_sentence_too(base, capsys):
    assert main([*base, "--reward", "rewards.py:later", "--eval_size", "0", "--max_failed_rewards", "0"]) == 2
    assert "rewards.py:later returned 7 rewards for 8 completions" in capsys.readouterr().err


def test_the_sentence_with_its_traceback_on_request(base, monkeypatch):
    monkeypatch.setenv("PMPO_TRACEBACK", "1")
    with pytest.raises(ValueError, match=r"Did you mean 'data.jsonl'"):
        main([*base, "--dataset", "dta.jsonl"])


def test_the_version_loads_no_torch():
    code = (
        "import sys; from pmpo_command import main; sys.argv[1:] = ['--version']; main(); print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[0].startswith("pmpo ") and done.stdout.splitlines()[1] == "False"


def test_the_command_runs_verbs(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["pmpo", "no-such-verb"])
    from pmpo_command import main as command

    assert command() == 2 and "no verb 'no-such-verb'" in capsys.readouterr().err
