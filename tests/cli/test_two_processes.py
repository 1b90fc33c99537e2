"""`pmpo train` under a launcher: every process takes part, the first one alone prints and writes."""

import json
import subprocess
import sys

from tiny import tiny_model, tiny_tokenizer


def test_two_processes_make_one_run(tmp_path):
    tiny_model().save_pretrained(tmp_path / "model")
    tiny_tokenizer().save_pretrained(tmp_path / "model")
    rows = ({"problem": f"{i % 10}+{i // 10}=", "answer": str(i)} for i in range(48))
    (tmp_path / "data.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "rewards.py").write_text(
        "def digits(completions, **kwargs):\n    return [float(any(c.isdigit() for c in t)) for t in completions]\n"
    )
    flags = """--dataset data.jsonl --model_name_or_path model --reward rewards.py:digits --eval_size 7
        --num_generations 4
        --per_device_train_batch_size 4 --steps_per_generation 2 --max_completion_length 6 --max_steps 2
        --logging_steps 1 --save_strategy no --output_dir out --progress lines"""
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2"]
    done = subprocess.run(
        [*command, "-m", "pmpo", "train", *flags.split()], cwd=tmp_path, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.count("pass@1 after") == 1
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert summary["steps"] == 2 and summary["n_eval"] == 7 and summary["pass_at_1_after"] is not None
    assert json.loads((tmp_path / "out" / "model" / "pmpo_prompt.json").read_text())["template"] == "plain"
    steps = [json.loads(line) for line in (tmp_path / "out" / "metrics.jsonl").read_text().splitlines()]
    assert [row["step"] for row in steps if "exponent/mean" in row] == [1, 2]
