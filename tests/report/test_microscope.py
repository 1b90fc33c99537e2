"""The trajectory microscope: its colours are the gradient's shares, in Python and in its script alike."""

import json
import re
import shutil
import subprocess
from importlib import resources

import pytest
import torch

import pmpo
from hostile import MARK
from made_up import run_folder
from pmpo.report.microscope import microscope_section
from pmpo.report.page import page, size
from pmpo.report.parts import Html, Source, figures_in
from pmpo.report.trajectories import Trajectory, foremost, read_trajectories, spread_out

SCRIPT = resources.files("pmpo.report").joinpath("theme", "microscope.js")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return run_folder(tmp_path_factory.mktemp("runs") / "pmpo", objective="pmpo")


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    return run_folder(tmp_path_factory.mktemp("runs") / "hostile", hostile=True)


def view(section):
    (found,) = [part.markup for part in section.parts if isinstance(part, Html)]
    return found


def test_a_section_shows_the_foremost_completions_and_keeps_the_others_for_the_script(folder):
    section = microscope_section(folder, 200_000, source=Source("pmpo train", "0123"))
    kept = section.data["completions"]
    assert len(kept) == len(read_trajectories(folder)) > 3
    assert kept[0]["group"] == "to look at first" and "smallest p" in kept[0]["label"]
    assert kept[0]["exponent"] == min(one["exponent"] for one in kept)
    (figure,) = figures_in(section.parts)
    assert figure.svg.count("<path") >= 4 and figure.source.command == "pmpo train" and len(figure.table.rows) == 17
    assert 'data-section="microscope"' in view(section) and 'id="microscope-c0"' in view(section)
    assert 'class="token' in page("Title", [section]) and ".token" in page("Title", [section])


def test_a_run_without_samples_has_no_section(tmp_path):
    assert microscope_section(tmp_path, 10**6) is None
    (tmp_path / "tokens.jsonl").write_text(
        '[1]\n{"step": 1, "completions": [{"tokens": ["a"]}, 3, {"tokens": []}]}\n{"st'
    )
    assert microscope_section(tmp_path, 10**6) is None


def test_without_a_script_the_colours_are_the_solved_p_s(folder):
    first = view(microscope_section(folder, 200_000)).split('id="microscope-c0"')[1]
    shown = re.findall(r'class="token state-(\w)( less)?" style="--heat:([\d.e-]+)"', first)
    (index, *_) = foremost(read_trajectories(folder))
    one = read_trajectories(folder)[index]
    assert one.row["state"].count("c") > 0 and one.exponent != 0
    shares, state = torch.tensor(one.shares(one.exponent)), one.row["state"]
    equal = 1 / (len(state) - state.count("c"))
    wanted = [0.0 if s == "c" else (share / equal).log2().item() / 2 for s, share in zip(state, shares, strict=True)]
    found = [float(heat) * (-1 if less else 1) for _, less, heat in shown]
    assert found[: len(state)] == pytest.approx([max(-1, min(1, heat)) for heat in wanted], abs=1e-3)


def test_the_budget_holds_and_says_what_was_left_out(hostile):
    whole = microscope_section(hostile, 10**6)
    budget = size([whole]) * 2 // 3
    part = microscope_section(hostile, budget)
    assert 1 < len(part.data["completions"]) < len(whole.data["completions"])
    assert size([part]) <= budget
    assert "left out to keep it small" in part.parts[0].paragraphs[1]
    assert microscope_section(hostile, 1000) is None


def test_hostile_text_is_text(hostile):
    section = microscope_section(hostile, 10**6)
    text = page("Title", [section])
    assert f"window.{MARK}=1</script>" not in text.replace("\\u003c", "<").split("<main")[0]
    for token in re.findall(r'<span class="token[^>]*>(.*?)</span>', text, flags=re.DOTALL):
        assert "<" not in token and not re.search("[\x00-\x08\u202e\ud800-\udfff]", token)
    text.encode()
    everything = json.dumps([[one["tokens"], one["prompt"]] for one in section.data["completions"]], ensure_ascii=False)
    assert "⟨U+202E⟩" in everything and not re.search("[\x00-\x08\u202e\u200b\ud800-\udfff]", everything)


def by_node(given):
    """The script's own functions on the rows of `given`: (c, ρ, slope, p)."""
    code = (
        "const m = require(process.argv[1]); const rows = JSON.parse(require('fs').readFileSync(0, 'utf8'));"
        "const all = ([c, rho, slope, p]) => ({ weights: m.weights(c, rho, p), ess: m.ess(c, rho, p),"
        " mean: m.mean(c, rho, p), shares: m.shares(c, rho, slope, p),"
        " heats: m.heats(m.shares(c, rho, slope, p), rho, slope) });"
        "console.log(JSON.stringify(rows.map(all)))"
    )
    done = subprocess.run(
        ["node", "-e", code, str(SCRIPT)], input=json.dumps(given), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")
def test_the_script_s_mathematics_is_the_library_s():
    g = torch.Generator().manual_seed(0)
    exponents = (-40.0, -4.0, -1.0, -1e-6, 0.0, 1e-9, 1e-4, 0.37, 1.0, 4.0, 40.0)
    given, expected = [], []
    for k, p in enumerate(exponents * 3):
        count = 3 + k
        c = torch.randn(1, count, generator=g, dtype=torch.float64) * (0.3, 3.0, 20.0)[k // len(exponents)]
        rho = torch.rand(1, count, generator=g, dtype=torch.float64) * 2
        rho[0, 0], c[0, 1] = 0.0, 80.0 if k % 4 == 0 else c[0, 1]
        slope = torch.where(torch.rand(1, count, generator=g) < 0.3, 0.0, 1.0).double()
        weights = pmpo.token_weights(c, rho > 0, p, weights=rho)
        passed = weights * slope
        expected.append(
            {
                "weights": weights[0].tolist(),
                "ess": pmpo.normalized_ess(c, rho > 0, p, weights=rho).item(),
                "mean": pmpo.power_mean(c, rho > 0, p, weights=rho).item(),
                "shares": (passed / passed.sum() if passed.sum() > 0 else passed)[0].tolist(),
            }
        )
        given.append([c[0].tolist(), rho[0].tolist(), slope[0].tolist(), p])
    for found, wanted in zip(by_node(given), expected, strict=True):
        for name, value in wanted.items():
            assert found[name] == pytest.approx(value, rel=1e-9, abs=1e-12), name


@pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")
def test_the_script_and_the_server_colour_a_completion_alike(folder):
    for one in read_trajectories(folder):
        (found,) = by_node([[one.clipped(), one.weights(), one.slopes(), one.exponent]])
        assert found["shares"] == pytest.approx(one.shares(one.exponent), rel=1e-9, abs=1e-12)
        assert found["heats"] == pytest.approx(one.heats(one.exponent), abs=1.1e-3)


def test_what_a_sample_leaves_out_is_what_is_usual():
    one = Trajectory(1, {"state": "icm", "log_ratio": [0.1, 0.9, 0.0], "exponent": 0.0})
    assert one.weights() == [1, 1, 0] and one.slopes() == [1, 0, 1] and one.clipped() == [0.1, 0.9, 0.0]
    assert one.shares(0.0) == [1.0, 0.0, 0.0] and one.heats(0.0) == [0.0, 0.0, 0.0]


def test_every_beginning_of_the_order_is_spread_out():
    for count in range(40):
        assert sorted(spread_out(count)) == list(range(count))
    assert spread_out(9)[:5] == [0, 8, 4, 2, 6]
