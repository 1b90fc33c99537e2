"""What is done to the newest checkpoint, and what a resumption must say about it."""

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path


@dataclass(frozen=True)
class Damage:
    """`apply` damages the folder of the newest checkpoint; `says` is what is then told of the checkpoint `names`."""

    name: str
    apply: Callable[[Path], None]
    says: str
    names: str = "checkpoint-9"
    in_trl: bool = True


def _remove(name: str, folder: Path) -> None:
    (folder / name).unlink()


def _truncate(name: str, folder: Path) -> None:
    os.truncate(folder / name, (folder / name).stat().st_size * 2 // 3)


def _empty(name: str, folder: Path) -> None:
    os.truncate(folder / name, 0)


def _zero(name: str, folder: Path) -> None:
    (folder / name).write_bytes(bytes((folder / name).stat().st_size))


def _flip(name: str, folder: Path) -> None:
    """One bit at two thirds of the file: in model.safetensors it lies in the weights, after the header."""
    data = bytearray((folder / name).read_bytes())
    data[len(data) * 2 // 3] ^= 0b100
    (folder / name).write_bytes(data)


def _garbage(name: str, folder: Path) -> None:
    (folder / name).write_text('{"global_step": 9, "log_hist')


def _from_older(name: str, folder: Path) -> None:
    shutil.copy(folder.parent / "checkpoint-6" / name, folder / name)


def _wrong_hash(folder: Path) -> None:
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["files"]["optimizer.pt"]["sha256"] = "0" * 64
    (folder / "manifest.json").write_text(json.dumps(manifest))


def _changed_setting(folder: Path) -> None:
    text = (folder / "manifest.json").read_text()
    assert '"seed": 1' in text
    (folder / "manifest.json").write_text(text.replace('"seed": 1', '"seed": 3'))


def _no_settings(folder: Path) -> None:
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps({"files": manifest["files"]}))


def _no_files_listed(folder: Path) -> None:
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps({**manifest, "files": {}}))


def _half_deleted(folder: Path) -> None:
    for file in sorted(folder.iterdir())[::2]:
        file.unlink()


def _folder_in_place(name: str, folder: Path) -> None:
    _remove(name, folder)
    (folder / name).mkdir()


def _renamed(folder: Path) -> None:
    folder.rename(folder.parent / "checkpoint-12")


def _empty_newer(folder: Path) -> None:
    (folder.parent / "checkpoint-12").mkdir()


def _unreadable(folder: Path) -> None:
    (folder / "model.safetensors").chmod(0)


def _file(kind: str, change: Callable[[str, Path], None], name: str, says: str) -> Damage:
    ours = name in ("generation-0.pt", "manifest.json")
    return Damage(f"{name} {kind}", partial(change, name), says, in_trl=not ours)


_NOT_OURS = "there is no manifest.json"
_CHANGED = "was changed"

DAMAGES = [
    *(
        _file("missing", _remove, name, f"{name} is missing")
        for name in ("model.safetensors", "optimizer.pt", "scheduler.pt", "rng_state.pth", "generation-0.pt",
                     "trainer_state.json", "training_args.bin", "config.json", "tokenizer.json")
    ),
    _file("missing", _remove, "manifest.json", _NOT_OURS),
    _file("truncated", _truncate, "model.safetensors", "bytes, not"),
    _file("truncated", _truncate, "optimizer.pt", "bytes, not"),
    _file("truncated", _truncate, "rng_state.pth", "bytes, not"),
    _file("empty", _empty, "model.safetensors", "has 0 bytes, not"),
    _file("empty", _empty, "trainer_state.json", "has 0 bytes, not"),
    _file("empty", _empty, "manifest.json", "manifest.json cannot be read"),
    _file("with one bit flipped", _flip, "model.safetensors", _CHANGED),
    _file("with one bit flipped", _flip, "optimizer.pt", _CHANGED),
    _file("is garbage", _garbage, "trainer_state.json", "bytes, not"),
    _file("is garbage", _garbage, "manifest.json", "manifest.json cannot be read"),
    _file("full of zeros", _zero, "model.safetensors", _CHANGED),
    _file("full of zeros", _zero, "optimizer.pt", _CHANGED),
    _file("of an older checkpoint", _from_older, "model.safetensors", _CHANGED),
    _file("of an older checkpoint", _from_older, "optimizer.pt", _CHANGED),
    _file("of an older checkpoint", _from_older, "manifest.json", "the manifest is that of step 6"),
    _file("is a folder", _folder_in_place, "optimizer.pt", "optimizer.pt has"),
    Damage("wrong hash in the manifest", _wrong_hash, "manifest.json was changed", in_trl=False),
    Damage("a setting changed in the manifest", _changed_setting, "manifest.json was changed", in_trl=False),
    Damage("no settings in the manifest", _no_settings, "manifest.json was changed", in_trl=False),
    Damage("no files in the manifest", _no_files_listed, "manifest.json was changed", in_trl=False),
    Damage("half of the folder deleted", _half_deleted, "is missing"),
    Damage("folder renamed to a later step", _renamed, "the manifest is that of step 9", "checkpoint-12"),
    Damage("an empty folder of a later step", _empty_newer, _NOT_OURS, "checkpoint-12"),
    *([] if os.geteuid() == 0 else [
        Damage("model.safetensors unreadable", _unreadable, "cannot be read (Permission denied)")
    ]),
]  # fmt: skip
