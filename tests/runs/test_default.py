"""The embedded default itself: its base model solves a fifth when it samples, and reinforcement learning lifts it."""

import json

import pytest

from pmpo.cli import main


@pytest.mark.long
def test_the_default_starts_at_a_fifth_and_learns(tmp_path, monkeypatch):
    """The first 48 of the default's 640 updates: a measured run went from 0.20 to 0.33 in 32."""
    monkeypatch.setenv("PMPO_CACHE", str(tmp_path / "cache"))
    folder = tmp_path / "run"
    assert main(["train", "--max_steps", "48", "--output_dir", str(folder), "--progress", "off"]) == 0
    summary = json.loads((folder / "summary.json").read_text())
    assert 0.12 < summary["pass_at_1_before"] < 0.30
    assert summary["pass_at_1_after"] > summary["pass_at_1_before"] + 0.06 and summary["learned"]
    assert summary["reached_target"] is (summary["pass_at_1_after"] >= 0.6)
    assert (folder / "model" / "model.safetensors").exists() and (folder / "curves.png").exists()
