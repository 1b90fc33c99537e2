"""Every shipped recipe resolves, and says what its header says."""

import json
from pathlib import Path

import pytest
from datasets import Dataset

import pmpo
from pmpo.cli import main
from pmpo.runs.arguments import parse
from tiny import tiny_model, tiny_tokenizer
from tiny_vision import picture

RECIPES = sorted((Path(__file__).parents[2] / "recipes").glob("*.yaml"))
SMALL = [path for path in RECIPES if path.stem.endswith("_scratch")]
VISION = [path for path in RECIPES if "-vl-" in path.stem]
SCRIPTS = [path for path in RECIPES if path.stem.partition("_")[0] in ("maxrl", "dppo")]
PAPERS = [path for path in RECIPES if path not in SMALL + VISION + SCRIPTS]


def test_there_is_a_recipe_for_every_claim():
    assert {path.stem for path in PAPERS} == {
        *(
            f"{name}_{model}"
            for name in ("pmpo", "gmpo", "grpo", "holderpo")
            for model in ("qwen2.5-math-7b", "r1-distill-qwen-7b")
        ),
        *(f"apmpo_{model}" for model in ("qwen2.5-math-1.5b", "qwen2.5-3b", "r1-distill-qwen-1.5b")),
    }
    assert [path.stem for path in VISION] == ["apmpo_qwen2.5-vl-3b"]
    assert [path.stem for path in SCRIPTS] == ["dppo_qwen3-30b-a3b", "maxrl_smollm2-360m"]


@pytest.fixture
def math_data(tmp_path):
    """A stand-in for the hub's data, large enough for a round."""
    rows = [{"problem": f"What is {i} + 1?", "answer": str(i + 1)} for i in range(300)]
    (tmp_path / "math.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(tmp_path / "math.jsonl")


@pytest.mark.parametrize("path", PAPERS, ids=lambda path: path.stem)
def test_a_papers_recipe_dry_runs_without_the_hub(path, math_data, capsys):
    assert main(["train", "--config", str(path), "--dataset", math_data, "--eval_dataset", math_data, "--dry_run"]) == 0
    printed = " ".join(capsys.readouterr().out.replace("│", " ").split())
    per_round, updates = ("512", "4") if path.stem.startswith("apmpo") else ("1024", "8")
    assert f"{per_round} completions per round" in printed
    assert f"{updates} updates of 128 completions per round" in printed
    assert "on 8 processes" in printed and "not checked the model" in printed
    assert f"objective {path.stem.split('_')[0]}" in printed


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_a_recipe_from_the_authors_script_has_its_settings_and_dry_runs(path, tmp_path, capsys):
    args = parse(["--config", str(path)]).training
    name = path.stem.partition("_")[0]
    generations, longest, rate = {"maxrl": (128, 2048, 1e-5), "dppo": (16, 8192, 1e-6)}[name]
    assert args.resolved_objective == pmpo.objective(name, max_completion_length=longest if name == "dppo" else None)
    assert (args.num_generations, args.max_completion_length, args.learning_rate) == (generations, longest, rate)
    rows = "".join(json.dumps({"problem": f"What is {i} + 1?", "answer": str(i + 1)}) + "\n" for i in range(300))
    (tmp_path / "math.jsonl").write_text(rows)
    data = ["--dataset", str(tmp_path / "math.jsonl")] + (["--eval_size", "20"] if name == "maxrl" else [])
    data += [] if name == "maxrl" else ["--eval_dataset", str(tmp_path / "math.jsonl")]
    assert main(["train", "--config", str(path), *data, "--dry_run"]) == 0
    printed = " ".join(capsys.readouterr().out.replace("│", " ").split())
    whole, updates = {"maxrl": ("32768", "1 update of 32768"), "dppo": ("4096", "8 updates of 512")}[name]
    assert f"{whole} completions per round" in printed and f"{updates} completions per round" in printed


@pytest.mark.parametrize("path", SMALL, ids=lambda path: path.stem)
def test_a_small_recipe_dry_runs_on_any_machine(path, math_data, capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("PMPO_CACHE", str(tmp_path))
    data = ["--dataset", math_data] if path.stem == "gsm8k_scratch" else ["--task_size", "512"]
    assert main(["train", "--config", str(path), *data, "--dry_run"]) == 0
    assert "on 1 process" in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize("path", PAPERS, ids=lambda path: path.stem)
def test_a_papers_recipe_has_the_papers_settings(path):
    settings = parse(["--config", str(path)])
    args, run = settings.training, settings.run
    assert args.resolved_objective.name == path.stem.split("_")[0]
    assert (args.num_generations, args.max_completion_length, args.temperature) == (8, 3000, 1.0)
    assert (args.learning_rate, args.lr_scheduler_type, args.use_vllm) == (1e-6, "constant", True)
    assert args.beta == (0.001 if path.stem.startswith("apmpo") else 0.0)
    assert run.prompt_template == ("chat" if "r1-distill" in path.stem else "qwen_math")
    assert run.reward == ["math"]


def test_the_geometry_recipe_has_the_papers_settings_and_dry_runs_on_a_file(tmp_path, capsys):
    args, run = (settings := parse(["--config", str(VISION[0])])).training, settings.run
    assert (args.resolved_objective.name, args.beta, args.learning_rate, args.max_steps) == ("apmpo", 0.001, 1e-6, 400)
    assert (args.num_generations, args.temperature, run.reward, run.task) == (8, 1.0, ["geometry3k"], "geometry3k")
    rows = {"images": [[picture(row, 300, 200)] for row in range(80)], "problem": ["<image>Find x."] * 80}
    Dataset.from_dict({**rows, "answer": ["3"] * 80}).to_parquet(tmp_path / "geo.parquet")
    words = f"--dataset {tmp_path}/geo.parquet --eval_dataset {tmp_path}/geo.parquet --dry_run".split()
    assert main(["train", "--config", str(VISION[0]), *words]) == 0
    printed = " ".join(capsys.readouterr().out.replace("│", " ").split())
    assert "512 completions per round" in printed and "4 updates of 128 completions per round" in printed
    assert "80 to train on, 80 held out" in printed and "not checked the model" in printed


def test_a_recipe_is_refused_on_another_number_of_processes(capsys):
    assert main(["train", "--config", str(PAPERS[0]), "--dataset", "sums", "--max_completion_length", "20"]) == 2
    assert "meant for 8 processes" in capsys.readouterr().err


def test_a_chat_recipe_with_a_model_that_has_no_chat_template(math_data, tmp_path, capsys):
    tiny_model().save_pretrained(tmp_path / "m")
    tiny_tokenizer().save_pretrained(tmp_path / "m")
    path = next(path for path in PAPERS if "r1-distill" in path.stem)
    words = ["train", "--config", str(path), "--dataset", math_data, "--eval_size", "0", "--dry_run"]
    assert main([*words, "--model_name_or_path", str(tmp_path / "m")]) == 2
    assert "has no chat template; write prompt_template: qwen_math" in capsys.readouterr().err


def test_the_from_scratch_recipe_dry_runs_on_a_file(math_data, capsys):
    recipe = next(path for path in RECIPES if path.stem == "gsm8k_scratch")
    assert main(["train", "--config", str(recipe), "--dataset", math_data, "--eval_size", "20", "--dry_run"]) == 0
    printed = capsys.readouterr().out
    assert "new Qwen2, 2 layers" in printed and "not checked" not in printed
