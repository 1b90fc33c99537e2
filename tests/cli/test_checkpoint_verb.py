"""`pmpo checkpoint verify`: what it says of sound and damaged checkpoints, of run folders, and of what is neither."""

import shutil

import pytest

from pmpo.cli import main
from support import config, trainer


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """The folder of a run with checkpoint-1 and checkpoint-2."""
    folder = tmp_path_factory.mktemp("verified") / "run"
    trainer(config(output_dir=str(folder), max_steps=2, save_strategy="steps", save_steps=1)).train()
    return folder


@pytest.fixture
def run(finished, tmp_path):
    """A copy that may be damaged."""
    return shutil.copytree(finished, tmp_path / "run")


def verify(folder, capsys):
    capsys.readouterr()
    status = main(["checkpoint", "verify", str(folder)])
    return status, capsys.readouterr()


def test_a_sound_checkpoint_is_described(run, capsys):
    status, said = verify(run / "checkpoint-2", capsys)
    assert status == 0 and "checkpoint-2: sound" in said.out and "checkpoint-1" not in said.out
    for fact in ("step", "objective", "pmpo", "seed", "learning_rate", "versions", "torch", "model.safetensors"):
        assert fact in said.out, fact
    assert "fault" not in said.out


def test_a_run_folder_stands_for_all_its_checkpoints(run, capsys):
    status, said = verify(run, capsys)
    assert status == 0 and "checkpoint-1: sound" in said.out and "checkpoint-2: sound" in said.out


def flip(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(bytes(content))


DAMAGE = {
    "one bit flipped": (lambda c: flip(c / "model.safetensors"), "model.safetensors"),
    "a file cut short": (lambda c: (c / "optimizer.pt").write_bytes(b"short"), "optimizer.pt"),
    "a file missing": (lambda c: (c / "scheduler.pt").unlink(), "scheduler.pt"),
    "no manifest": (lambda c: (c / "manifest.json").unlink(), "manifest.json"),
    "half a manifest": (lambda c: (c / "manifest.json").write_text('{"format": 1, "fi'), "manifest.json"),
}


@pytest.mark.parametrize("kind", DAMAGE)
def test_damage_is_named_and_the_other_checkpoint_stays_sound(run, kind, capsys):
    damage, file = DAMAGE[kind]
    damage(run / "checkpoint-2")
    status, said = verify(run / "checkpoint-2", capsys)
    assert status == 1 and "checkpoint-2: damaged" in said.out and "fault" in said.out and file in said.out
    status, said = verify(run, capsys)
    assert status == 1 and "checkpoint-1: sound" in said.out and "checkpoint-2: damaged" in said.out


def test_what_is_no_checkpoint_is_a_sentence(tmp_path, capsys):
    status, said = verify(tmp_path, capsys)
    assert status == 2 and f"The folder {tmp_path} is no checkpoint and holds none" in said.err and said.out == ""
    status, said = verify(tmp_path / "nowhere", capsys)
    assert status == 2 and f"There is no folder {tmp_path}/nowhere to verify." in said.err


def test_how_the_verb_is_written(capsys):
    assert main(["checkpoint"]) == main(["checkpoint", "--help"]) == 0
    assert capsys.readouterr().out.count("usage: pmpo checkpoint verify DIR") == 2
    assert main(["checkpoint", "verfy", "x"]) == 2
    assert "There is no `pmpo checkpoint verfy`; write verify. Did you mean 'verify'?" in capsys.readouterr().err
    assert main(["checkpoint", "verify", "a", "b"]) == 2
    assert "`pmpo checkpoint verify` takes one folder, got 2." in capsys.readouterr().err
