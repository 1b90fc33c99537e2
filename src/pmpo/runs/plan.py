"""What a run is going to do, before it does it: batch arithmetic, objective, length, and what will be written where."""

from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pmpo.integrations.trl.preflight import check_rounds
from pmpo.runs.batch_arithmetic import check_alignment, check_processes, one_round
from pmpo.runs.settings import Settings

if TYPE_CHECKING:
    from rich.table import Table


@dataclass(frozen=True)
class Plan:
    """The resolved run. Counts are over all processes; a round is one generation and the updates made from it.

    Attributes:
        objective, objective_text: the preset's name, and its own description: exponent rule, trust region, weights.
        model, dataset: as given.
        train_problems, held_out_problems: rows; None where a dry run could not load them.
        processes: how many the numbers are computed for.
        prompts_per_round, completions_per_prompt, completions_per_round: of one generation.
        completions_per_update, updates_per_round: of one optimiser step; of one round, passes over it included.
        rounds, total_updates: of the whole run; None when unknown.
        longest_prompt, max_completion_length: tokens.
        learning_rate, seed, rewards, prompt_template: as resolved, the last with its reason.
        logged: what is recorded, and how often.
        output_dir: where.
        unchecked: sentences on what a dry run could not check.
        notes: sentences on what was recognised in the data, and on a template that differs from the model's.
    """

    objective: str
    objective_text: str
    model: str
    dataset: str
    train_problems: int | None
    held_out_problems: int | None
    processes: int
    prompts_per_round: int
    completions_per_prompt: int
    completions_per_round: int
    completions_per_update: int
    updates_per_round: int
    rounds: float | None
    total_updates: int | None
    longest_prompt: int | None
    max_completion_length: int
    learning_rate: float
    seed: int
    rewards: str
    prompt_template: str
    logged: str
    output_dir: str
    unchecked: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def table(self) -> "Table":
        """As a two-column rich table."""
        from rich.table import Table

        table = Table(title="Plan", show_header=False, title_justify="left", title_style="bold")
        table.add_column(style="bold", no_wrap=True)
        table.add_column(overflow="fold")
        for name, text in self.lines():
            table.add_row(name, text)
        return table

    def lines(self) -> list[tuple[str, str]]:
        """The rows of the table: (label, text)."""
        passes = f"{_many(self.updates_per_round, 'update')} of {self.completions_per_update} completions per round"
        if self.updates_per_round == 1:
            passes += "; unless vLLM samples, every ratio is then 1 and the exponent changes nothing"
        total = "unknown" if self.total_updates is None else _many(self.total_updates, "update")
        rounds = "" if self.rounds is None else f" in {self.rounds:g} round{'' if self.rounds == 1 else 's'}"
        longest = "unknown length" if self.longest_prompt is None else f"at most {self.longest_prompt} tokens"
        return [
            ("objective", self.objective_text),
            ("model", self.model),
            ("problems", f"{_count(self.train_problems)} to train on, {_count(self.held_out_problems)} held out, "
                         f"{self.dataset}"),
            *(("data", sentence) for sentence in self.notes),
            ("prompts", f"template {self.prompt_template}, {longest}; completions of at most "
                        f"{self.max_completion_length} tokens"),
            ("reward", self.rewards),
            ("generation", f"{self.completions_per_round} completions per round: "
                           f"{_many(self.prompts_per_round, 'prompt')} × {self.completions_per_prompt}"),
            ("updates", passes),
            ("length", f"{total}{rounds}, on {_many(self.processes, 'process')}"),
            ("optimiser", f"learning rate {self.learning_rate:g}, seed {self.seed}"),
            ("logged", self.logged),
            ("folder", self.output_dir),
            *(("not checked", sentence) for sentence in self.unchecked),
        ]  # fmt: skip

    def as_dict(self) -> dict[str, Any]:
        return {f.name: getattr(self, f.name) for f in fields(self)}


def _count(number: int | None) -> str:
    return "an unknown number" if number is None else f"{number:,}"


def _many(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}{'es' if noun.endswith('s') else 's'}"


def make_plan(
    settings: Settings,
    folder: Path,
    model: str,
    sizes: tuple[int | None, int | None],
    longest_prompt: int | None,
    unchecked: tuple[str, ...] = (),
) -> Plan:
    """The plan of these settings.

    Args:
        sizes: (problems to train on, held-out problems), None where unknown.
        longest_prompt: tokens, or None.
    Raises: InputError when the numbers cannot work together.
    """
    run, args = settings.run, settings.training
    processes = check_processes(settings)
    check_alignment(args)
    numbers = one_round(args, processes)
    if sizes[0] is not None:
        check_rounds(sizes[0], numbers.prompts_per_round, args)
    total = numbers.total_updates(args.max_steps, args.num_train_epochs, sizes[0])
    return Plan(
        objective=args.resolved_objective.name,
        objective_text=args.resolved_objective.describe(),
        model=model,
        dataset=run.data_name,
        train_problems=sizes[0],
        held_out_problems=sizes[1],
        processes=processes,
        **asdict(numbers),
        rounds=None if total is None else total / numbers.updates_per_round,
        total_updates=total,
        longest_prompt=longest_prompt,
        max_completion_length=args.max_completion_length,
        learning_rate=args.learning_rate,
        seed=args.seed,
        rewards=" + ".join(run.reward_names),
        prompt_template=run.prompt_template,
        logged=_logged(settings),
        output_dir=str(folder),
        unchecked=unchecked,
    )


def _logged(settings: Settings) -> str:
    run, args = settings.run, settings.training
    how = "greedy" if run.eval_temperature == 0 else f"temperature {run.eval_temperature:g}"
    every = "every update" if args.logging_steps == 1 else f"every {args.logging_steps:g} updates"
    held_out = f", every {run.pass_at_1_every} updates" if run.pass_at_1_every else ""
    names = args.report_to if isinstance(args.report_to, list) else [args.report_to]
    reports = "".join(f" and {name}" for name in names if name != "none")
    return (
        f"reward, exponent, clip fractions, ESS, log ratios, KL, entropy, loss {every} to "
        f"metrics.jsonl{reports}; held-out pass@1 ({how}) before and after{held_out} to "
        f"held_out.jsonl; {run.samples_to_keep} completions to samples.jsonl; summary.json"
        f"{'; curves.png' if run.curves else ''}"
    )
