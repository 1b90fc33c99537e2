"""tokens.jsonl never grows beyond its bound, keeps the newest event, and is cut back as the metrics are."""

import errno
import json
from itertools import pairwise

from pmpo.engine.metrics_log import MetricsLog
from pmpo.engine.token_log import TokenLog


def steps(path):
    return [json.loads(line)["step"] for line in path.read_text().splitlines()]


def event(size):
    return {"completions": [{"tokens": ["x" * size]}]}


def test_a_full_file_loses_every_second_event_and_keeps_the_newest(tmp_path):
    log = TokenLog(tmp_path / "tokens.jsonl", limit=4000)
    for step in range(1, 100):
        assert log.append(step, event(200)) is None
        assert log.path.stat().st_size <= 4000
        assert steps(log.path)[-1] == step
    kept = steps(log.path)
    assert kept[0] == 1 and len(kept) > 6
    gaps = [b - a for a, b in pairwise(kept)]
    assert max(gaps[:3]) > min(gaps[-3:]), "older events lie further apart"


def test_an_event_that_is_too_large_loses_completions(tmp_path):
    log = TokenLog(tmp_path / "tokens.jsonl", limit=4000)
    log.append(1, {"completions": [{"tokens": [str(k) * 400]} for k in range(8)]})
    (row,) = [json.loads(line) for line in log.path.read_text().splitlines()]
    assert [one["tokens"][0][0] for one in row["completions"]] == ["0", "1"]


def test_a_resumed_run_cuts_the_file_back(tmp_path):
    log = TokenLog(tmp_path / "tokens.jsonl")
    for step in (2, 4, 6):
        log.append(step, event(9))
    again = TokenLog(log.path)
    again.begin(4)
    again.append(6, event(9))
    assert steps(log.path) == [2, 4, 6]


def test_a_sample_that_cannot_be_written_is_left_out(tmp_path, monkeypatch):
    log = TokenLog(tmp_path / "tokens.jsonl")
    log.append(1, event(9))
    with monkeypatch.context() as patch:
        patch.setattr(MetricsLog, "_append", lambda self, line: OSError(errno.ENOSPC, "No space left on device"))
        assert log.append(2, event(9)).errno == errno.ENOSPC
    assert log.append(3, event(9)) is None and steps(log.path) == [1, 3]


def test_texts_of_any_kind_stay_one_line(tmp_path):
    log = TokenLog(tmp_path / "tokens.jsonl", limit=2000)
    text = "a\n\u2028\x85\ud800\u202e</script>"
    for step in range(30):
        log.append(step, {"completions": [{"tokens": [text]}]})
    rows = [json.loads(line) for line in log.path.read_text(encoding="utf-8").splitlines()]
    assert all(row["completions"][0]["tokens"] == [text] for row in rows) and rows[-1]["step"] == 29
