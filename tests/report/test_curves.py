"""curves.png is a picture of the run: valid, and different when the run was different."""

import json

import numpy as np
import pytest
from matplotlib.image import imread

from pmpo.report.curves import draw_curves


def write_run(folder, steps=40, exponent=0.8):
    lines = []
    for step in range(1, steps + 1):
        row = {"step": step, "loss": -0.01 * step, "grad_norm": 1.0 / step, "entropy": 1.0, "kl": 0.01}
        row |= {"exponent/mean": exponent, "exponent/min": exponent - 0.1, "exponent/max": exponent + 0.1}
        row |= {"clip_fraction/one_sided": 0.01, "clip_fraction/two_sided": 0.02}
        row |= {"log_ratio/max": 0.3, "log_ratio/min": -0.3}
        if step % 4 == 1:  # rewards come with a generation only
            row["reward"] = step / steps
        lines.append(json.dumps(row))
    lines.append('{"step": 40, "train_runtime": 3.0}')
    lines.append('{"step": 41, "lo')  # cut short by a crash
    (folder / "metrics.jsonl").write_text("\n".join(lines))
    rows = [{"step": 0, "value": 0.2, "standard_error": 0.02}, {"step": steps, "value": None, "standard_error": None}]
    (folder / "held_out.jsonl").write_text("\n".join(map(json.dumps, rows)))


def panel(path, row, column):
    """Pixels of one of the 2 × 3 panels, by thirds and halves of the picture."""
    pixels = imread(path)[..., :3]
    height, width = pixels.shape[:2]
    return pixels[row * height // 2 : (row + 1) * height // 2, column * width // 3 : (column + 1) * width // 3]


def colours(pixels):
    """Share of pixels that are neither white, grey nor black: what was drawn."""
    return float((pixels.max(-1) - pixels.min(-1) > 0.2).mean())


def test_the_picture_is_a_png_with_something_in_every_panel(tmp_path):
    write_run(tmp_path)
    path = draw_curves(tmp_path)
    assert path.read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
    for row in range(2):
        for column in range(3):
            assert colours(panel(path, row, column)) > 1e-3, f"panel {row}, {column} is empty"
    assert list(tmp_path.glob(".*")) == []


def test_the_picture_shows_the_numbers(tmp_path):
    pictures = []
    for exponent in (0.8, 0.2):
        write_run(tmp_path, exponent=exponent)
        pictures.append(panel(draw_curves(tmp_path), 0, 1))
    assert np.abs(pictures[0] - pictures[1]).max() > 0.5


def test_the_exponent_panel_shows_where_the_completions_are(tmp_path):
    pictures = []
    for crowded in (0, 9):
        write_run(tmp_path)
        rows = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()[:40]]
        counts = [0] * 10
        counts[crowded] = 64
        for row in rows:
            row["exponent/histogram"] = {"edges": [k / 10 for k in range(11)], "counts": counts}
        (tmp_path / "metrics.jsonl").write_text("\n".join(map(json.dumps, rows)))
        pictures.append(panel(draw_curves(tmp_path), 0, 1).mean(axis=(1, 2)))  # darkness by height
    third = len(pictures[0]) // 3
    low, high = pictures
    assert low[-third:].mean() < high[-third:].mean() and high[:third].mean() < low[:third].mean()


@pytest.mark.parametrize("content", [None, "", '{"step": 1, "loss": 0.0, "grad_norm": 0.0, "reward": 0.5}\n'])
def test_a_run_with_little_to_show(tmp_path, content):
    if content is not None:
        (tmp_path / "metrics.jsonl").write_text(content)
    path = draw_curves(tmp_path)
    assert imread(path).shape[2] == 4
    assert colours(panel(path, 0, 2)) < 1e-3  # clip fractions were not logged


def test_the_held_out_mean_reward_is_drawn_where_it_is_another_number_than_pass_at_1(tmp_path):
    write_run(tmp_path)
    pictures = []
    for reward in (None, 0.2, 0.7):
        rows = [{"step": step, "value": 0.2, "standard_error": 0.0, "reward": reward} for step in (0, 40)]
        (tmp_path / "held_out.jsonl").write_text("\n".join(map(json.dumps, rows)))
        pictures.append(panel(draw_curves(tmp_path), 0, 0))
    assert np.array_equal(pictures[0], pictures[1]) and not np.array_equal(pictures[1], pictures[2])
