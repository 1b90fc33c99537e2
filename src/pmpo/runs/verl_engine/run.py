"""One run under verl: prepare, claim the folder, start main_ppo and follow it, write down what came out."""

from __future__ import annotations

import os
import shutil
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from rich.console import Console

from pmpo.engine import checkpoints
from pmpo.engine.symptoms import diagnose
from pmpo.foundation.errors import InputError
from pmpo.foundation.locks import locked, make_folder
from pmpo.report.screen import choose_style
from pmpo.runs import folder as run_folder
from pmpo.runs import model, summarising
from pmpo.runs.display import RunDisplay, hush
from pmpo.runs.settings import Settings
from pmpo.runs.signals import how_to_resume
from pmpo.runs.summary import Summary
from pmpo.runs.verl_engine import process
from pmpo.runs.verl_engine.bookkeeping import CHECKPOINTS, METRICS, VALIDATION
from pmpo.runs.verl_engine.logged import VerlLog
from pmpo.runs.verl_engine.preparing import Ready, ready, write_down
from pmpo.runs.verl_engine.translate import command, shown
from pmpo.tasks.prompting import write_prompt

OUTPUT = "output.txt"
_PAUSE = 0.5
"""Seconds between two looks at what verl has written."""


def run(settings: Settings, console: Console | None = None) -> Summary | None:
    """One training run; returns the summary, or None after a dry run.

    Raises: InputError, early, for whatever in the settings cannot work, and when main_ppo fails.
    """
    began = time.monotonic()
    console = console or Console()
    hush()
    display = RunDisplay(console, choose_style(settings.run.progress, console))
    this = ready(settings)
    if settings.run.dry_run or display.style != "off":
        console.print(this.prepared.plan.table())
        for note in this.translation.notes:
            console.print(f"under verl, {note}", highlight=False, soft_wrap=True, markup=False)
    if settings.run.dry_run:
        console.print("The run writes the files that are named below, then starts:")
        console.print(shown(this.translation), highlight=False, soft_wrap=True, markup=False)
        return None
    process.check_installed()
    make_folder(this.prepared.folder)
    with locked(this.prepared.folder):
        log = _trained(this, display)
        _publish_model(this)
        return _sum_up(this, log, display, began)


def _trained(this: Ready, display: RunDisplay) -> VerlLog:
    """main_ppo from its start to its end."""
    prepared = this.prepared
    _take_folder(this, display)
    model.materialise(prepared.source, prepared.settings, prepared.folder, display.note)
    write_down(this)
    log = _log_of(this)
    log.begin(this.updates)
    output = this.own / OUTPUT
    (this.own / METRICS).unlink(missing_ok=True)
    where = "on this CPU, slowly" if this.job.on_cpu else f"on {this.job.options.world_size} GPUs"
    display.note(f"verl and Ray start, which takes a minute or two; trains {where}; their output goes to {output}")
    state = SimpleNamespace(global_step=this.updates, max_steps=prepared.plan.total_updates or 0)
    words, environment = command(this.translation), this.translation.environment
    try:
        with process.signals_raise(), process.started(words, environment, output) as running:
            _follow(running, log, display, state)
    except process.SignalledError as signalled:
        print(f"pmpo: {signalled}, and verl was ended {_after(state.global_step)}.{_how_on(this)}", file=sys.stderr)
        raise SystemExit(128 + signalled.number) from None
    finally:
        display.close()
    if running.returncode != 0:
        raise InputError(_why(this, output, state.global_step))
    return log


def _follow(running: Any, log: VerlLog, display: RunDisplay, state: Any) -> None:
    """Show and write down every round, until main_ppo has ended and all that it wrote is read."""
    begun = False
    while True:
        ended = running.poll() is not None
        events, measurements = log.follow()
        for measured in measurements:
            display.report_held_out(measured)
        if (events or measurements) and not begun:
            display.on_train_begin(None, state, None)
            begun = True
        for event in events:
            state.global_step = event["step"]
            display.on_log(None, state, None, logs=event)
        if ended:
            return
        time.sleep(_PAUSE)


def _why(this: Ready, output: Path, updates: int) -> str:
    why = process.last_error(output).rstrip(".")
    return f"verl ended {_after(updates)}: {why}. All of its output is in {output}.{_how_on(this)}"


def _after(updates: int) -> str:
    return f"after update {updates}" if updates else "before its first update"


def _how_on(this: Ready) -> str:
    """The command that resumes, where verl has saved something, as a sentence."""
    saved = (this.own / CHECKPOINTS / "latest_checkpointed_iteration.txt").is_file()
    return f" From its newest checkpoint, {how_to_resume(this.prepared.folder)}." if saved else ""


def _take_folder(this: Ready, display: RunDisplay) -> None:
    """Look again, now that the folder is locked: another run may have come and gone. A new run writes config.yaml."""
    folder, options = this.prepared.folder, this.job.options
    if this.prepared.again and run_folder.can_begin_again(folder):
        run_folder.begin_again(folder)
    if this.job.facts.resume is None:
        run_folder.check_folder(folder, False, options.overwrite_output_dir)
        aside = run_folder.set_aside(folder)
        if aside is not None:
            display.note(f"the run that was in {folder} is now in {aside}")
    this.prepared.write_config()


def _log_of(this: Ready) -> VerlLog:
    run, tokenizer = this.prepared.settings.run, this.prepared.source.tokenizer
    return VerlLog(
        metrics=this.own / METRICS,
        validation=this.own / VALIDATION,
        folder=this.prepared.folder,
        updates_per_round=this.job.round.updates_per_round,
        samples_to_keep=run.samples_to_keep,
        length=lambda text: len(tokenizer(text, add_special_tokens=False)["input_ids"]),
        longest=this.job.options.max_completion_length,
        pass_reward=run.pass_reward,
    )


def _publish_model(this: Ready) -> None:
    """The final weights as `model/`, with the tokenizer and the prompt settings that they were trained with."""
    found = sorted(this.own.joinpath(CHECKPOINTS).glob("global_step_*/actor/huggingface"), key=_round_of)
    if not found or not list(found[-1].glob("*.safetensors")):
        return
    folder = this.prepared.folder
    staged = folder / checkpoints.SAVING / "model"
    shutil.rmtree(staged, ignore_errors=True)
    staged.parent.mkdir(exist_ok=True)
    shutil.copytree(found[-1], staged, copy_function=_linked)
    for name in ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja", "added_tokens.json"):
        (staged / name).unlink(missing_ok=True)  # verl's, with what was added for it
    this.prepared.source.tokenizer.save_pretrained(staged)
    write_prompt(staged, this.prepared.prompt)
    checkpoints.publish(staged, folder / "model")
    checkpoints.clear_staging(folder)


def _round_of(path: Path) -> int:
    return int(path.parent.parent.name.rpartition("_")[2])


def _linked(source: str, target: str) -> None:
    """Another name for the same file, where the file system has such, else a copy."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def _sum_up(this: Ready, log: VerlLog, display: RunDisplay, began: float) -> Summary:
    prepared = this.prepared
    steps = log.rows[-1]["step"] if log.rows else this.updates
    found = diagnose(log.rows, vars(this.job.options))
    ended = summarising.Ended(steps, log.tokens, log.measurements, found)
    result = summarising.summarise(prepared.settings, prepared.plan, ended, began)
    summarising.write(prepared.folder, result, prepared.settings.run.curves)
    if display.style != "off":
        summarising.show(prepared.folder, result, display.console)
    return result
