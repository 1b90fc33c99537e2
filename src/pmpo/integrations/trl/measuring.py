"""The part of `PMPOTrainer` that gathers what a log event says."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch import Tensor

from pmpo.engine.window import Window, histogram
from pmpo.foundation.files import plain
from pmpo.integrations.trl.host.hooks import HostTrainer
from pmpo.objective.policy_loss import PolicyLoss


class Measures(HostTrainer):
    """TRL's trainer with the objective's own metrics beside TRL's."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._windows: dict[str, Window] = defaultdict(Window)
        self._own_entropy = False
        self._histogram: tuple[dict[str, Any] | None, list[float]] = (None, [])

    @contextmanager
    def _without_metrics_of_the_policy(self) -> Iterator[None]:
        """Drops what TRL's loss records meanwhile of its policy term, which is switched off, and nothing older."""
        recorded = self.metric_values[self.mode]
        before = {name: len(values) for name, values in recorded.items()}
        yield
        for name in [key for key in recorded if key.startswith("clip_ratio/") or key == "policy_loss"]:
            del recorded[name][before.get(name, 0) :]
            if not recorded[name]:
                del recorded[name]

    def _measure(self, result: PolicyLoss, mask_BT: Tensor, entropies_BT: Tensor | None) -> None:
        """Remember a micro-batch's loss, diagnostics and entropies (None: TRL has logged them) for the log event."""
        share = None
        if self.mode == "train":  # micro-batches and ranks sum to the loss of the step
            share = 1.0 / (self.current_gradient_accumulation_steps * self.accelerator.num_processes)
        window = self._windows[self.mode]
        window.defer(result, mask_BT, share, entropies_BT)
        self._own_entropy = entropies_BT is not None
        if window.is_full:
            self._settle(self.mode)

    def _settle(self, mode: str) -> None:
        """Gather what the window remembers: the one gather for metrics of a log event. Every process comes here."""
        accelerator = self.accelerator
        self._windows[mode].settle(lambda table: accelerator.gather(table.to(accelerator.device)))

    def log_save_evaluate(self, *args: Any, **kwargs: Any) -> None:
        if self.control.should_log and self.state.global_step > self.last_logged_step:
            self._settle("train")  # not in `log`, which a callback may call on one process alone
        super().log_save_evaluate(*args, **kwargs)

    def finish_training(self, *args: Any, **kwargs: Any) -> Any:
        self._settle("train")
        return super().finish_training(*args, **kwargs)

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """As TRL's, with the window of ours, whose numbers are not averaged again, and with numpy's and torch's
        numbers, of users' functions and callbacks, as Python's, which are all that trackers and JSON know."""
        mode = self.mode
        logs.update(plain(logs, finite=False))
        for values in self.metric_values[mode].values():
            values[:] = plain(values, finite=False)
        if mode == "eval":
            self._settle(mode)
        window = self._windows[mode].pop_settled()
        numbers = window.metrics()
        if numbers and self.beta != 0.0:
            numbers["kl"] = window.kl  # TRL's name and TRL's mean
        if numbers and self._own_entropy:
            numbers["entropy"] = window.entropy
        self.metric_values[mode].update({name: [value] for name, value in numbers.items()})
        self._histogram = (histogram(window.exponents), window.exponents)
        super().log(logs, start_time)

    def take_histogram(self) -> tuple[dict[str, Any] | None, list[float]]:
        """The exponents' histogram of the log event under way, once."""
        taken, self._histogram = self._histogram, (None, [])
        return taken
