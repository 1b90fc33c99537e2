"""How often the host waits for the device, and the processes for each other, in an update."""

from collections import Counter

import pytest
import torch
from torch import Tensor

from pmpo.integrations.trl.host.hooks import HostTrainer
from support import config, trainer

WAITS = ("item", "tolist", "__bool__", "__float__", "__int__", "cpu", "numpy")


class Waits:
    """Counts calls that read a tensor on the host and that talk to other processes, while it is open, by who calls."""

    def __init__(self, monkeypatch, one):
        self.reads, self.talks, self.open = Counter(), Counter(), False
        for name in WAITS:
            self._count(monkeypatch, Tensor, name, self.reads)
        for name in ("gather", "reduce", "gather_for_metrics"):
            self._count(monkeypatch, one.accelerator, name, self.talks)

    def _count(self, monkeypatch, owner, name, counter):
        inner = getattr(owner, name)

        def outer(*args, **kwargs):
            if self.open:
                counter[name] += 1
            was, self.open = self.open, False  # what it calls in turn is the same wait
            try:
                return inner(*args, **kwargs)
            finally:
                self.open = was

        monkeypatch.setattr(owner, name, outer)


@pytest.mark.parametrize("accumulation", [1, 4])
def test_an_update_reads_the_device_once(monkeypatch, accumulation):
    """From the first micro-batch of an update to the change of its weights, without the model and the objective."""
    args = config(
        gradient_accumulation_steps=accumulation, steps_per_generation=4 * accumulation, max_steps=4, logging_steps=4,
        per_device_train_batch_size=4, objective="grpo", implementation="reference",  # C++ reads numbers on the CPU
    )  # fmt: skip
    one = trainer(args)
    waits, updates = Waits(monkeypatch, one), []
    compute, decide = HostTrainer._compute_loss, type(one.callback_handler).on_pre_optimizer_step

    def computing(self, model, inputs):
        assert not self.args.logging_nan_inf_filter, "for which transformers reads every loss"
        self.completions_of(inputs)  # reads the lengths of a round, once
        waits.open = True
        try:
            return compute(self, model, inputs)
        finally:
            waits.open = False

    def deciding(self, *positional, **kwargs):
        waits.open = True
        try:
            return decide(self, *positional, **kwargs)
        finally:
            waits.open = False
            updates.append((sum(waits.reads.values()), sum(waits.talks.values())))
            waits.reads.clear()
            waits.talks.clear()

    # transformers looks at the mask of every pass.
    one.model.register_forward_pre_hook(lambda *_: setattr(waits, "open", False))
    one.model.register_forward_hook(lambda *_: setattr(waits, "open", torch.is_grad_enabled()))
    monkeypatch.setattr(HostTrainer, "_compute_loss", computing)
    monkeypatch.setattr(type(one.callback_handler), "on_pre_optimizer_step", deciding)
    one.train()
    assert updates == [(1, 1)] * 4 and one.args.logging_nan_inf_filter


def test_a_log_event_gathers_once(monkeypatch):
    one = trainer(config(max_steps=4, logging_steps=2, steps_per_generation=4, per_device_train_batch_size=4))
    gathers = []
    settle = type(one)._settle

    def spy(self, mode):
        inner, before = self.accelerator.gather, len(gathers)
        self.accelerator.gather = lambda table: gathers.append(tuple(table.shape)) or inner(table)
        settle(self, mode)
        self.accelerator.gather = inner
        assert len(gathers) <= before + 1

    monkeypatch.setattr(type(one), "_settle", spy)
    one.train()
    assert [rows for rows, _ in gathers] == [8, 8], "two updates of four completions an event, and none at the end"
