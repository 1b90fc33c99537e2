"""The settings of a run under verl, from the same flags and files as those of one under TRL."""

from __future__ import annotations

import contextlib
import shlex
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pmpo.foundation.errors import InputError
from pmpo.integrations.trl import trl_losses
from pmpo.integrations.trl.objective_fields import ObjectiveFields
from pmpo.integrations.trl.resolve import resolve_objective
from pmpo.integrations.trl.rounds import UPDATES_PER_GENERATION, check_groups, check_round, largest_round
from pmpo.objective.presets import Objective
from pmpo.runs.arguments import read
from pmpo.runs.run_arguments import RunArguments
from pmpo.runs.settings import Settings
from pmpo.runs.verl_engine.option_table import option_table


class TrainingOptions:
    """TRL's options and the objective's, as attributes by their names; what a round is, is filled in as `PMPOConfig`
    fills it in.

    Attributes:
        said: the options that a flag or the file names.
        world_size: GPUs of all nodes; on a CPU the processes that train.
        process_index: 0; one process starts a run and watches it.
        resolved_objective: the objective.
    """

    process_index = 0

    def __init__(self, values: Mapping[str, Any], said: Sequence[str], world_size: int) -> None:
        self.__dict__.update(values)
        self.said, self.world_size = frozenset(said), world_size
        fields = ObjectiveFields.of(self)
        self.resolved_objective: Objective = resolve_objective(fields)
        self.announcement = trl_losses.announcement(fields, self.resolved_objective)
        self._round_given = (values.get("steps_per_generation"), values.get("generation_batch_size")) != (None, None)
        self._settle_round(values)

    def _settle_round(self, values: Mapping[str, Any]) -> None:
        steps, whole = values.get("steps_per_generation"), values.get("generation_batch_size")
        micro_batch = self.per_device_train_batch_size * self.world_size
        check_round(steps, whole, micro_batch)
        if steps is None:
            default = UPDATES_PER_GENERATION * self.gradient_accumulation_steps
            steps = default if whole is None else whole // micro_batch
        self.steps_per_generation, self.generation_batch_size = steps, micro_batch * steps
        check_groups(self.generation_batch_size, self.num_generations)

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"There is no option {name!r}.")

    def fit_round(self, problems: int) -> str | None:
        """As `PMPOConfig.fit_round`: a round that nobody asked for made small enough for the data."""
        step = self.per_device_train_batch_size * self.world_size * self.gradient_accumulation_steps
        updates = self.steps_per_generation // self.gradient_accumulation_steps
        fitting = largest_round(step, self.num_generations, updates, problems)
        if self._round_given or fitting in (None, updates):
            return None
        self.steps_per_generation = fitting * self.gradient_accumulation_steps
        self.generation_batch_size = step * fitting
        return f"There are {problems} problems, so that rounds have {fitting} updates and not {updates}."

    @contextlib.contextmanager
    def main_process_first(self, desc: str = "") -> Iterator[None]:
        """Nobody else is there to wait."""
        yield


def parse_for_verl(arguments: list[str], command: str = "") -> Settings:
    """As `pmpo.runs.arguments.parse`, without TRL.

    Raises: InputError as that, and for words that are no options, those of `accelerate launch` among them.
    """
    offered = option_table()
    words = read(arguments, offered)
    if words.others:
        raise InputError(
            f"{shlex.join(words.others[:2])} is no option of a run under verl, which starts its processes itself; "
            "--num_processes is the number of GPUs, --verl trainer.nnodes=2 that of nodes."
        )
    said = words.said
    values = {**offered.defaults, **said}
    own = {name: said[name] for name in RunArguments.__dataclass_fields__ if name in said}
    run = RunArguments(**own)
    try:
        training = TrainingOptions(values, list(said), run.num_processes or 1)
    except InputError:
        raise
    except ValueError as error:
        raise InputError(str(error)) from error
    return Settings(run, training, training, values, command, values["output_dir"] is not None)  # type: ignore[arg-type]
