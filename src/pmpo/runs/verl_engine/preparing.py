"""A run under verl up to the moment when verl starts: everything settled and checked, then written down."""

from __future__ import annotations

import copy
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pmpo.foundation.errors import InputError
from pmpo.runs import folder as run_folder
from pmpo.runs import model
from pmpo.runs.exporting import HELD_OUT_FILE, TRAIN_FILE, VERBATIM, source_name
from pmpo.runs.preparing import Prepared, prepare
from pmpo.runs.settings import Settings
from pmpo.runs.verl_engine.bookkeeping import CHECKPOINTS
from pmpo.runs.verl_engine.job import Facts, Job
from pmpo.runs.verl_engine.overrides import Translation
from pmpo.runs.verl_engine.translate import translate
from pmpo.tasks.verl_rows import RowSettings, verl_rows, write_parquet

OWN_FOLDER = "verl"
"""In the run's folder: what verl reads and writes."""
_ASKED_OF_QWEN = ("\n", "<|im_end|>")
"""What verl wants to find as one token each in the tokenizer of every Qwen, to join the turns of conversations."""


@dataclass(frozen=True)
class Ready:
    """A run that is known in every detail.

    Attributes:
        updates: that a resumed run has made already.
    """

    prepared: Prepared
    job: Job
    translation: Translation
    updates: int

    @property
    def own(self) -> Path:
        return self.prepared.folder / OWN_FOLDER


def ready(settings: Settings) -> Ready:
    """Everything that can fail before verl starts.

    Raises: InputError for whatever in the settings cannot work.
    """
    if settings.run.datasets:
        raise InputError(
            "datasets is a mixture, which TRL reads: make one file of it where TRL is installed (pmpo data --format "
            "verl), and name that with dataset."
        )
    folder, resume, again = settle_folder(settings)
    prepared = prepare(settings, (folder, again))
    job = Job(settings, _facts(prepared, resume))
    done = _rounds_done(folder, resume)
    return Ready(prepared, job, translate(job), done * job.round.updates_per_round)


def settle_folder(settings: Settings) -> tuple[Path, str | bool | None, bool]:
    """The run's folder, what verl resumes from (True: its newest checkpoint), and whether the folder holds the
    beginning of this run.

    Raises: InputError for a folder that holds another run, and for a resumption of nothing.
    """
    options: Any = settings.training
    folder = run_folder.choose_folder(settings)
    given = options.resume_from_checkpoint
    saved = _newest(folder) > 0
    if str(given).lower() == "auto":
        again = not saved and run_folder.can_begin_again(folder)
        given = "true" if saved else None
    else:
        again = False
    resume = run_folder.resume_point(given)
    if resume is True and not saved:
        raise InputError(
            f"There is nothing to resume: {folder} holds no checkpoint of verl. Drop resume_from_checkpoint, or write "
            "auto."
        )
    if isinstance(resume, str) and "global_step_" not in resume:
        raise InputError(f"resume_from_checkpoint is {resume!r}; name a folder of verl's, …/global_step_40, or true.")
    if not again and resume is None:
        run_folder.check_folder(folder, False, options.overwrite_output_dir)
    return folder.absolute(), resume, again


def _newest(folder: Path) -> int:
    """The round of verl's newest checkpoint in a run's folder; 0 without one."""
    tracker = folder / OWN_FOLDER / CHECKPOINTS / "latest_checkpointed_iteration.txt"
    return int(tracker.read_text()) if tracker.is_file() else 0


def _rounds_done(folder: Path, resume: str | bool | None) -> int:
    if resume is None:
        return 0
    return _newest(folder) if resume is True else int(str(resume).rstrip("/").rpartition("global_step_")[2])


def _facts(prepared: Prepared, resume: str | bool | None) -> Facts:
    source, settings = prepared.source, prepared.settings
    train, held_out = prepared.plan.train_problems, prepared.plan.held_out_problems
    path = source.path or _made_at(prepared)
    return Facts(
        folder=prepared.folder / OWN_FOLDER,
        model=path,
        tokenizer=str(prepared.folder / OWN_FOLDER / "tokenizer") if _lacks_turns(prepared) else None,
        chat_template=_template(prepared),
        train_problems=train,
        held_out_problems=held_out if settings.run.eval_size else 0,
        longest_prompt=prepared.plan.longest_prompt,
        context=None if source.context is None else source.context.tokens,
        resume=resume,
    )


def _made_at(prepared: Prepared) -> str:
    """Where a model will be that is made when the run starts."""
    settings = prepared.settings
    if settings.run.init_from_scratch:
        return str(prepared.folder / "scratch_model")
    from pmpo.runs.base_model import base_model_path

    return str(base_model_path(settings=model.built_in_lessons(settings)))


def _template(prepared: Prepared) -> str | None:
    """verl renders messages. Prompts that are text here have their template already, and pass as they are, behind the
    token that the tokenizer itself begins with."""
    problems, tokenizer = prepared.problems, prepared.source.tokenizer
    if problems.train is None or problems.conversational:
        return None
    begins = tokenizer is not None and tokenizer("x")["input_ids"][:1] == [tokenizer.bos_token_id]
    return ("{{ bos_token }}" if begins else "") + VERBATIM


def _lacks_turns(prepared: Prepared) -> bool:
    tokenizer, path = prepared.source.tokenizer, prepared.source.path
    if tokenizer is None:
        return False
    config = Path(path) / "config.json" if path is not None else None
    kind = "qwen2" if config is None else ""
    if config is not None and config.is_file():
        kind = json.loads(config.read_text(encoding="utf-8")).get("model_type", "")
    return kind.startswith("qwen") and any(_as_one(tokenizer, text) is None for text in _ASKED_OF_QWEN)


def _as_one(tokenizer: Any, text: str) -> int | None:
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    return ids[0] if len(ids) == 1 and ids[0] != tokenizer.unk_token_id else None


def write_down(this: Ready) -> None:
    """What verl reads: the problems, and a tokenizer where the model's own is not enough for verl."""
    prepared, own = this.prepared, this.own
    own.mkdir(parents=True, exist_ok=True)
    run, problems = prepared.settings.run, prepared.problems
    for file, rows, split in ((TRAIN_FILE, problems.train, "train"), (HELD_OUT_FILE, problems.held_out, "test")):
        if rows is not None:
            write_parquet(own / file, verl_rows(rows, RowSettings(source_name(run), run.reward or [], split)))
    if this.job.facts.tokenizer is not None:
        tokenizer = copy.deepcopy(prepared.source.tokenizer)  # the model's own stays what it is
        tokenizer.add_tokens([text for text in _ASKED_OF_QWEN if _as_one(tokenizer, text) is None])
        tokenizer.save_pretrained(this.job.facts.tokenizer)
