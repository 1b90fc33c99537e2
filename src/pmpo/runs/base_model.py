"""The model that training starts from when the user names none: made here in about a minute, no download.

A Qwen2 of half a million parameters learns the task "sums" (`pmpo.tasks.sums`) from scratch, first from right
worked solutions, then from ones with slips in them. It then solves about a fifth of held-out problems,
sampled or greedy: it can add, but gets carries wrong, and reinforcement learning can correct that.

The result is an ordinary Hugging Face folder, kept in the user's cache under a key made of the settings, the
seed and the library's version, and reused from then on.
"""

import hashlib
import json
import random
import shutil
import tempfile
import time
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from pmpo.foundation.cache import cache_folder
from pmpo.foundation.errors import InputError
from pmpo.runs.base_model_lessons import (
    BaseModelSettings,
    OnStep,
    batches,
    make_model,
    make_tokenizer,
    supervise,
)
from pmpo.tasks.sums import noisy_worked_solution, sample_sums

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

_MANIFEST = "pmpo_base_model.json"


@dataclass(frozen=True)
class BaseModel:
    """A base model on disk.

    Attributes:
        path: folder for `AutoModelForCausalLM.from_pretrained` and `AutoTokenizer.from_pretrained`.
        tokenizer: the folder's tokenizer, loaded.
        settings: what it was made with.
        cached: True when an earlier call had made it.
        seconds: wall time of this call, making or loading.
    """

    path: Path
    tokenizer: "PreTrainedTokenizerFast"
    settings: BaseModelSettings
    cached: bool
    seconds: float


def base_model(
    seed: int = 0,
    on_step: OnStep | None = None,
    cache_dir: str | Path | None = None,
    settings: BaseModelSettings | None = None,
) -> BaseModel:
    """The base model for this seed and these settings: from the cache if it is there in full, else made now.

    Args:
        seed: of the initial weights, the problems and the slips.
        on_step: called after every step of the making; never when the model comes from the cache.
        cache_dir: where models are kept; by default `cache_folder()`.
        settings: by default `BaseModelSettings()`.
    Raises: InputError when the cache cannot be written, naming the folder and the way out.

    The global random state of torch and Python is left as it was.
    """
    from transformers import AutoTokenizer

    started = time.perf_counter()
    settings = settings or BaseModelSettings()
    path = base_model_path(seed, cache_dir, settings)
    cached = _is_complete(path)
    if not cached:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            _make(path, seed, settings, on_step)
        except OSError as error:
            raise InputError(
                f"The base model could not be stored in {path.parent}: {error}. Set the environment variable "
                "PMPO_CACHE to a folder that you may write to and that has 10 MB free."
            ) from error
    tokenizer = AutoTokenizer.from_pretrained(path)
    return BaseModel(path, tokenizer, settings, cached, time.perf_counter() - started)


def base_model_path(
    seed: int = 0, cache_dir: str | Path | None = None, settings: BaseModelSettings | None = None
) -> Path:
    """Where `base_model` keeps the model of the same arguments, made or not."""
    root = Path(cache_dir) if cache_dir is not None else cache_folder()
    identity = json.dumps(_identity(seed, settings or BaseModelSettings()), sort_keys=True)
    return root / "base-models" / f"sums-{hashlib.sha256(identity.encode()).hexdigest()[:16]}"


def _identity(seed: int, settings: BaseModelSettings) -> dict[str, object]:
    """Everything that could change the model; it makes the name of the folder."""
    # Some lessons too, so that between releases a changed task is taught anew.
    rng = random.Random(0)
    lessons = [noisy_worked_solution(p.terms, noise=0.5, rng=rng) for p in sample_sums("sft", 50, seed=0)]
    identity = {"seed": seed, "settings": asdict(settings), "version": metadata.version("pmpo")}
    return {**identity, "lessons": lessons}


def _is_complete(path: Path) -> bool:
    """Whether the folder holds every file its manifest lists, at the listed size."""
    try:
        files = json.loads((path / _MANIFEST).read_text(encoding="utf-8"))["files"]
        return all((path / name).stat().st_size == size for name, size in files.items())
    except (OSError, ValueError, KeyError, AttributeError, TypeError):
        return False


def _make(path: Path, seed: int, settings: BaseModelSettings, on_step: OnStep | None) -> None:
    """Train and store in a folder beside `path`, then rename, so that `path` never holds half a model."""
    scratch = Path(tempfile.mkdtemp(prefix=".making-", dir=path.parent))
    try:
        tokenizer = make_tokenizer()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            model = make_model(settings, tokenizer)
            supervise(model, batches(tokenizer, seed, settings), settings, on_step)
        model.save_pretrained(scratch)
        tokenizer.save_pretrained(scratch)
        files = {file.name: file.stat().st_size for file in scratch.iterdir()}
        manifest = json.dumps({**_identity(seed, settings), "files": files}, indent=2)
        (scratch / _MANIFEST).write_text(manifest, encoding="utf-8")
        if path.exists() and not _is_complete(path):
            shutil.rmtree(path)
        if not path.exists():  # else another process finished first, with the same model
            scratch.rename(path)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
