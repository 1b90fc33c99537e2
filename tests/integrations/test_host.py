"""Every private name of TRL and transformers is in one table, exists as the table says, and is named nowhere else."""

import ast
import inspect
import re
import textwrap

import pytest
import torch
from trl import GRPOTrainer

from host_scan import HOST, TREES, load, names_in, own_names, private, relative, trainer_classes, trespasses, users
from pmpo.integrations.trl.host.hooks import HostTrainer
from pmpo.integrations.trl.host.names import ATTRIBUTE, DOCUMENTED, METHODS, NAMES, UNPROMISED, HostName
from support import config, trainer

USERS = users()


def parameters(function):
    """As `HostName.form` writes them."""
    found = list(inspect.signature(function).parameters.values())
    found = [one for one in found if one.name != "self" and one.kind is not one.VAR_KEYWORD]
    return [one.name + ("" if one.default is one.empty else "=") for one in found]


def fault(row):
    """What differs between a row of the table and the installed host, as the rest of a sentence; None when nothing."""
    owner = load(row.owner)
    if row.form == ATTRIBUTE:
        exists = row.name in own_names(owner) if inspect.isclass(owner) else hasattr(owner, row.name)
        return None if exists else "is gone"
    if not hasattr(owner, row.name):
        return "is gone"
    found = parameters(getattr(owner, row.name))
    pattern = "".join(r"(\w+=?,)*" if one == "..." else re.escape(one) + "," for one in row.form.split(", ") if one)
    same = re.fullmatch(pattern, "".join(f"{one}," for one in found))
    return None if same else f"has the parameters ({', '.join(found)})"


@pytest.mark.parametrize("row", NAMES, ids=lambda row: row.name)
def test_the_host_has_every_private_name_as_the_table_says(row):
    wrong = fault(row)
    assert wrong is None, f"In the installed release {row.name} {wrong}: {row}."


def test_the_contract_can_fail():
    gone = HostName("_spoof", "model", "loss_of", (), "")
    assert fault(gone) == fault(HostName("_spoof", ATTRIBUTE, "", (), "")) == "is gone"
    assert fault(HostName("_compute_loss", "model", "loss_of", (), "")) == "has the parameters (model, inputs)"
    assert fault(HostName("_compute_loss", "net, ...", "loss_of", (), "")) == "has the parameters (model, inputs)"
    assert "needed through `x` by a.py, b.py to learn" in str(HostName("_y", "", "x", ("a.py", "b.py"), "learn"))


@pytest.mark.parametrize("row", METHODS, ids=lambda row: row.name)
def test_every_private_method_hands_on_to_its_hook(row):
    assert callable(getattr(HostTrainer, row.ours)) and not hasattr(GRPOTrainer, row.ours)
    hook = ast.unparse(ast.parse(textwrap.dedent(inspect.getsource(getattr(HostTrainer, row.ours)))))
    assert f"super().{row.name}(" in hook or f"self.{row.name}(" in hook
    if row.name in vars(HostTrainer):
        assert f"self.{row.ours}(" in inspect.getsource(vars(HostTrainer)[row.name])


def test_the_attributes_hold_what_their_properties_promise():
    one = trainer(config(max_steps=3, steps_per_generation=4))
    assert (one.round_step, one.round_buffer, one.is_uploading) == (0, None, False)
    assert not one.reads_pictures and not one.has_several_environments
    assert one.text_tokenizer is one.processing_class
    one.train()
    assert one.round_step == one.last_logged_step == 3
    assert len(one.round_buffer) == 4 and all("completion_mask" in part for part in one.round_buffer)
    assert one.metric_values["train"] == {} and one.metric_values["eval"]["made"] == []
    assert len(one.advantage_column) == 32
    one._pending_metrics["a"], one._pending_extra_logs["b"] = [1.0], ["text"]
    one.drop_pending_metrics()
    assert not one._pending_metrics and not one._pending_extra_logs


def test_restored_numbers_are_those_that_trl_reads():
    one, loss = trainer(), torch.tensor(0.5)
    one.set_loss_window(loss, 7)
    assert (one._tr_loss, one._globalstep_last_logged, one._total_loss_scalar) == (loss, 7, -0.5)
    assert one.loss_since_log is loss and one.last_logged_step == 7
    one.counters = {"entropy_coef": 0.1, "entropy": 2.0, "flops": 3}
    assert (one.entropy_coef, one._last_world_entropy, one.current_flos) == (0.1, 2.0, 3)
    assert one.counters == {"entropy_coef": 0.1, "entropy": 2.0, "flops": 3}
    one.round_step, one.round_buffer = 5, [{}]
    assert (one._step, one._buffered_inputs) == (5, [{}])


# ---- what our files name ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("row", [row for row in NAMES if row.ours], ids=lambda row: row.name)
def test_the_table_knows_who_uses_a_name(row):
    assert set(row.users) == USERS[row.ours], f"write the files that use {row.ours} into the row of {row.name}"


def test_the_host_package_names_what_the_table_lists_and_nothing_else():
    inside, rows = names_in(HOST), {row.name for row in NAMES}
    elsewhere = {row.name for row in NAMES if not row.ours} - inside
    assert inside & private() <= rows and rows - elsewhere <= inside


OTHER_HOSTS = {"integrations/verl/host_trainer.py"}
"""Where another host's private names are, some of which TRL has too."""


@pytest.mark.parametrize(
    "path", [path for path in TREES if HOST not in path.parents and relative(path) not in OTHER_HOSTS], ids=relative
)
def test_no_other_file_names_a_private_part(path):
    allowed = {row.name for row in NAMES if not row.ours and relative(path) in row.users}
    assert trespasses(TREES[path], trainer_classes(TREES.values()), allowed) == []


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ("def f(trainer):\n    return trainer._step", ["2: _step"]),
        ("getattr(config, '_attn_implementation', None)", ["1: _attn_implementation"]),
        ("from trl.trainer.utils import RepeatSampler", ["1: trl.trainer.utils.RepeatSampler"]),
        ("class Mine(PMPOTrainer):\n    def _save(self):\n        super()._save()", ["1: _save", "3: _save"]),
        ("class Mine(PMPOTrainer):\n    _tag_names = ()\n    _name: str = ''", ["1: _name", "1: _tag_names"]),
        ("class Mine(PMPOTrainer):\n    def f(self):\n        self._metrics = 1", ["3: _metrics"]),
        ("class Own:\n    def _save(self):\n        self._metrics = self._step", []),
        ("from trl import GRPOTrainer\nfrom transformers.utils import cached_file", []),
    ],
)
def test_the_scan_can_fail(code, found):
    tree = ast.parse(code)
    assert trespasses(tree, trainer_classes([*TREES.values(), tree])) == found


def test_every_other_name_of_the_trainer_is_promised_or_listed():
    """Public attributes that no page documents are used where they are needed; the list says what for."""
    public = {name for name in own_names(GRPOTrainer) if not name.startswith("_")}
    listed = {name: purpose for purpose, names in UNPROMISED.items() for name in names}
    used = {name: files for name, files in USERS.items() if name in public - DOCUMENTED}
    assert {name: files for name, files in used.items() if name not in listed} == {}, "list it, with its purpose"
    assert {name: f"gone; needed to {purpose}" for name, purpose in listed.items() if name not in public} == {}
    assert set(listed) - set(used) - names_in(HOST) == set(), "nothing uses it"
