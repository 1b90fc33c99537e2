"""`pmpo data --format verl`: the files, and that they say the same as what they were made from."""

import json

import pyarrow.parquet
import pytest

from pmpo.cli import main
from pmpo.runs import data, prompts
from pmpo.runs.run_arguments import RunArguments
from pmpo.tasks.prompting import PromptSettings
from tiny import tiny_tokenizer

COLUMNS = {"data_source", "prompt", "ability", "reward_model", "extra_info"}
TEMPLATE = "{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}<assistant>"


def rows_of(path):
    return pyarrow.parquet.read_table(path).to_pylist()


def written(tmp_path, *words):
    assert main(["data", "--format", "verl", *words, "--output", str(tmp_path / "out")]) == 0
    return [rows_of(tmp_path / "out" / f"{name}.parquet") for name in ("train", "held_out")]


def asked(run, template="chat", system=None):
    """What the model reads of a run's training problems under TRL, and the answers."""
    problems = data.load(run)
    tokenizer = tiny_tokenizer()
    tokenizer.chat_template = TEMPLATE
    rendered = prompts.render(problems.train, PromptSettings(template, system), tokenizer)
    return rendered["prompt"][:], problems.train["answer"][:]


def test_the_files_have_verls_columns_and_read_back_as_the_same_problems(tmp_path, capsys):
    words = ["--task", "sums", "--task_size", "30", "--eval_size", "7", "--system_prompt", "Add."]
    train, held_out = written(tmp_path, *words)
    assert (len(train), len(held_out)) == (30, 7) and set(train[0]) == COLUMNS
    assert [row["extra_info"]["index"] for row in train] == list(range(30))
    assert {row["extra_info"]["split"] for row in train} == {"train"} and held_out[0]["extra_info"]["split"] == "test"
    assert train[0]["data_source"] == "sums" and train[0]["extra_info"]["rewards"] == ["sums"]
    assert not {row["extra_info"]["question"] for row in train} & {row["extra_info"]["question"] for row in held_out}
    said = capsys.readouterr().out
    assert "train.parquet, 30 rows" in said and "pkg://pmpo.integrations.verl.rewards" in said
    back = asked(RunArguments(dataset=str(tmp_path / "out" / "train.parquet"), eval_size=0))
    assert back == asked(RunArguments(task="sums", task_size=30, eval_size=7), system="Add.")


def test_a_data_set_of_ones_own_keeps_its_other_columns_and_its_messages(tmp_path):
    talk = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "1+1="}]
    rows = [{"prompt": talk, "answer": i, "level": "easy" if i else None, "nothing": None} for i in range(4)]
    (tmp_path / "d.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    words = ["--dataset", str(tmp_path / "d.jsonl"), "--eval_size", "0", "--output", str(tmp_path / "out")]
    assert main(["data", "--format", "verl", *words]) == 0
    assert not (tmp_path / "out" / "held_out.parquet").exists()
    found = rows_of(tmp_path / "out" / "train.parquet")
    assert found[1]["prompt"] == talk and found[1]["reward_model"]["ground_truth"] == 1
    assert found[1]["extra_info"]["level"] == "easy" and "nothing" not in found[1]["extra_info"]
    assert found[0]["data_source"] == "d" and found[0]["extra_info"]["rewards"] == ["math"]
    back = asked(RunArguments(dataset=str(tmp_path / "out" / "train.parquet"), eval_size=0))
    assert back == asked(RunArguments(dataset=str(tmp_path / "d.jsonl"), eval_size=0))


def test_verls_own_files_go_through_unchanged(tmp_path):
    written(tmp_path, "--task", "sums", "--task_size", "12", "--eval_size", "3")
    first = rows_of(tmp_path / "out" / "train.parquet")
    main(["data", "--format", "verl", "--dataset", str(tmp_path / "out" / "train.parquet"), "--eval_size", "0",
          "--reward", "sums", "--output", str(tmp_path / "again")])  # fmt: skip
    again = rows_of(tmp_path / "again" / "train.parquet")
    same = [(row["data_source"], row["prompt"], row["reward_model"], row["extra_info"]["rewards"]) for row in first]
    assert [(r["data_source"], r["prompt"], r["reward_model"], r["extra_info"]["rewards"]) for r in again] == same


def test_another_template_is_rendered_and_verl_is_told_to_leave_it_alone(tmp_path, capsys):
    words = ["--task", "sums", "--task_size", "8", "--eval_size", "2", "--prompt_template", "qwen_math"]
    train, _ = written(tmp_path, *words)
    assert train[0]["prompt"][0]["content"].startswith("<|im_start|>system\n") and len(train[0]["prompt"]) == 1
    assert train[0]["extra_info"]["question"] in train[0]["prompt"][0]["content"]
    assert "custom_chat_template=" in capsys.readouterr().out


def test_a_configuration_file_of_a_run_says_which_data(tmp_path):
    (tmp_path / "c.yaml").write_text("task: sums\ntask_size: 9\neval_size: 2\nlearning_rate: 1.0e-6\nengine: verl\n")
    train, held_out = written(tmp_path, "--config", str(tmp_path / "c.yaml"))
    assert (len(train), len(held_out)) == (9, 2)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--task", "sums", "--learning_rate", "1"], "--learning_rate is no option of data, prompts or rewards"),
        (["--task", "dots", "--task_size", "4", "--eval_size", "0"], "have pictures, whose rows verl reads in another"),
        (["--task", "sums", "--frmat", "x"], "--frmat is no option"),
    ],
)
def test_what_cannot_be_written(words, said, tmp_path, capsys):
    assert main(["data", "--format", "verl", *words, "--output", str(tmp_path / "out")]) == 2
    assert said in capsys.readouterr().err
    assert not list(tmp_path.glob("out/*"))


def test_a_file_is_whole_or_as_it_was(tmp_path, monkeypatch):
    written(tmp_path, "--task", "sums", "--task_size", "8", "--eval_size", "2")
    before = (tmp_path / "out" / "train.parquet").read_bytes()
    from datasets import Dataset

    def fails(self, file):
        file.write(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Dataset, "to_parquet", fails)
    words = ["--task", "sums", "--task_size", "9", "--eval_size", "2", "--output", str(tmp_path / "out")]
    assert main(["data", "--format", "verl", *words]) == 2
    assert (tmp_path / "out" / "train.parquet").read_bytes() == before
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["held_out.parquet", "train.parquet"]
