"""One training run from settings to summary: prepare, claim the folder, train with measurements, write down."""

import contextlib
import time

from rich.console import Console

from pmpo.foundation.locks import locked, make_folder
from pmpo.report.screen import choose_style
from pmpo.runs import folder as run_folder
from pmpo.runs import summarising
from pmpo.runs.display import RunDisplay, hush
from pmpo.runs.preparing import Prepared, prepare
from pmpo.runs.settings import Settings
from pmpo.runs.summary import Summary
from pmpo.runs.training import train


def run(settings: Settings, console: Console | None = None) -> Summary | None:
    """One training run; returns the summary, or None after a dry run.

    Every process of a distributed run calls this; the first one prints and writes.

    Raises: InputError, early, for whatever in the settings cannot work.
    """
    started = time.monotonic()
    console = console or Console()
    hush()
    main = settings.training.process_index == 0
    display = RunDisplay(console, choose_style(settings.run.progress, console, main))
    prepared = prepare(settings)
    if main and (settings.run.dry_run or display.style != "off"):
        console.print(prepared.plan.table())
    if settings.run.dry_run:
        return None
    _claim_folder(prepared)
    with locked(prepared.folder) if main else contextlib.nullcontext():
        if main:
            _take_folder(prepared, display)
        return _run(prepared, display, started)


def _run(prepared: Prepared, display: RunDisplay, started: float) -> Summary | None:
    held_out = train(prepared, display)
    # Finishes the trackers and, with several processes, their group: one left open can abort the process as it exits.
    held_out.trainer.end()
    if prepared.settings.training.process_index != 0:
        return None
    result = summarising.summarise(prepared.settings, prepared.plan, summarising.Ended.of(held_out), started)
    summarising.write(prepared.folder, result, prepared.settings.run.curves)
    if display.style != "off":
        summarising.show(prepared.folder, result, display.console)
    return result


def _claim_folder(prepared: Prepared) -> None:
    """Make the folder, once every process has seen that it is free."""
    args = prepared.settings.training
    if args.world_size > 1:
        args.distributed_state.wait_for_everyone()
    if args.process_index == 0:
        make_folder(prepared.folder)
    if args.world_size > 1:
        args.distributed_state.wait_for_everyone()


def _take_folder(prepared: Prepared, display: RunDisplay) -> None:
    """Look again, now that the folder is locked: another run may have come and gone. A new run writes config.yaml."""
    if prepared.again and run_folder.can_begin_again(prepared.folder):
        run_folder.begin_again(prepared.folder)
    resumed = prepared.checkpoint is not None
    run_folder.check_folder(prepared.folder, resumed, prepared.settings.training.overwrite_output_dir)
    if not resumed:
        aside = run_folder.set_aside(prepared.folder)
        if aside is not None:
            display.note(f"the run that was in {prepared.folder} is now in {aside}")
        prepared.write_config()
