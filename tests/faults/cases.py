"""Every fault as a case with a name, and how one is played through and judged, for either trainer.

A case ends in an `Outcome`: "exact" (the run that was disturbed and resumed has the weights of the one that was not,
bit for bit, and nothing else is amiss), "differs by …", "refused" (with a sentence), or the exception it died of.
"""

import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import disk_full
from damages import DAMAGES, Damage
from forked import in_child
from kill_points import KILL_POINTS, MOMENTS, KillPoint
from scenario import STEPS, blemishes, difference, train


@dataclass(frozen=True)
class Outcome:
    """What came of a case; `faults` is what was not as it must be, for `PMPOTrainer`."""

    case: str
    outcome: str
    message: str = ""
    faults: tuple[str, ...] = ()


@dataclass(frozen=True)
class Case:
    """`play(kind, folder, whole)` runs it in the empty `folder`; `whole` is the folder of the undisturbed run."""

    name: str
    group: str
    play: Callable[[str, Path, Path], Outcome]
    in_trl: bool = True
    quick: bool = False


class Bench:
    """Plays cases of one kind of trainer, with the undisturbed run and the run to be damaged made once."""

    def __init__(self, kind: str, folder: Path) -> None:
        self.kind, self.folder = kind, folder
        self.whole = folder / f"whole-{kind}"
        ended = in_child(self.whole, train, kind, self.whole)
        assert "raised" not in ended, ended
        stopped = folder / f"stopped-{kind}"
        assert in_child(stopped, train, kind, stopped, kill=_AFTER_SAVE_3) == {"signal": 9}

    def play(self, case: Case) -> dict:
        """The case's outcome as a dict; its folder is removed."""
        here = self.folder / "case"
        here.mkdir()
        try:
            return asdict(case.play(self.kind, here / "run", self.whole))
        finally:
            shutil.rmtree(here)


_AFTER_SAVE_3 = KillPoint("", "optimizer", "before", STEPS)


def judge(kind: str, case: str, run: Path, whole: Path, ended: dict, said: str = "") -> Outcome:
    """The outcome of a run that was resumed and told `ended`."""
    if "raised" in ended:
        refused = ended["raised"] in ("InputError", "CheckpointError")
        return Outcome(case, "refused" if refused else f"dies: {ended['raised']}", ended["message"])
    if "signal" in ended:
        return Outcome(case, f"dies of signal {ended['signal']}")
    faults = tuple(blemishes(run)) if kind == "pmpo" else ()
    gap = difference(run, whole)
    if gap:
        return Outcome(case, f"differs by {gap:.1e}", said, faults)
    return Outcome(case, "exact" if not faults else "exact weights", said or "; ".join(faults), faults)


def _kill(point: KillPoint, kind: str, run: Path, whole: Path) -> Outcome:
    killed = in_child(run, train, kind, run, kill=point)
    if killed != {"signal": 9}:
        return Outcome(point.name, "was not killed", str(killed), ("was not killed",))
    if point.again is not None and in_child(run, train, kind, run, True, point.again) != {"signal": 9}:
        return Outcome(point.name, "was not killed again", "", ("was not killed again",))
    return _resumed(point.name, kind, run, whole)


def _resumed(name: str, kind: str, run: Path, whole: Path) -> Outcome:
    ended = in_child(run, train, kind, run, True)
    said = "; ".join(w for w in ended.get("warnings", ()) if "Not resumed from" in w)
    if "raised" in ended and not list(run.glob("checkpoint-*")):  # killed too early: there is nothing to resume
        said = f"{ended['raised']}: {ended['message']}"
        shutil.rmtree(run)
        ended = in_child(run, train, kind, run)
        found = judge(kind, name, run, whole, ended, said)
        return Outcome(name, f"{found.outcome}, begun anew", found.message, found.faults)
    return judge(kind, name, run, whole, ended, said)


def _moment(seconds: float, kind: str, run: Path, whole: Path) -> Outcome:
    wait = seconds
    while in_child(run, train, kind, run, kill_after=wait, since=run / "checkpoint-3") != {"signal": 9}:
        shutil.rmtree(run)  # the run was done before the kill
        wait *= 0.7
    return _resumed(_moment_name(seconds), kind, run, whole)


def _moment_name(seconds: float) -> str:
    return f"kill -9 from outside, {seconds} s after the first checkpoint appeared"


def _damage(damage: Damage, kind: str, run: Path, whole: Path) -> Outcome:
    shutil.copytree(whole.parent / f"stopped-{kind}", run)
    damage.apply(run / "checkpoint-9")
    faults = _asked_for_by_name(damage, run.parent / "other", whole) if kind == "pmpo" else []
    ended = in_child(run, train, kind, run, True)
    told = [w for w in ended.get("warnings", ()) if f"Not resumed from: {damage.names}: " in w]
    found = judge(kind, damage.name, run, whole, ended, told[0] if told else "")
    if kind != "pmpo":
        return found
    faults += found.faults
    if not any(damage.says in sentence for sentence in told):
        faults.append(f"the resumption did not say {damage.says!r} of {damage.names}")
    return Outcome(damage.name, found.outcome, found.message, tuple(faults))


def _asked_for_by_name(damage: Damage, run: Path, whole: Path) -> list[str]:
    """A damaged checkpoint that is asked for is refused, and a sound one named."""
    shutil.copytree(whole.parent / "stopped-pmpo", run)
    damage.apply(run / "checkpoint-9")
    ended = in_child(run, train, "pmpo", run, str(run / damage.names))
    sentence = ended.get("message", "")
    if ended.get("raised") == "InputError" and damage.says in sentence and "; resume from" in sentence:
        return []
    return [f"asked for by name it was not refused: {ended.get('raised')}: {sentence[:200]}"]


_QUICK = {
    "before the first checkpoint", "after the third generation", "save 2: half of model.safetensors",
    "save 2: after the manifest, before the rename", "save 3: half of the oldest deleted",
    "half of the 7th metrics line", "again, in the next save", "model.safetensors missing",
    "model.safetensors with one bit flipped", "folder renamed to a later step", "half of the folder deleted",
    "file size limit, on_save_error continue",
}  # fmt: skip
"""The dozen that every run of the tests plays; `make faults` plays all."""


def _case(name: str, group: str, play: Callable, in_trl: bool = True) -> Case:
    return Case(name, group, play, in_trl, name in _QUICK)


CASES = {
    case.name: case
    for case in (
        *(_case(p.name, "kill -9", partial(_kill, p), p.in_trl) for p in KILL_POINTS),
        *(_case(_moment_name(seconds), "kill -9", partial(_moment, seconds)) for seconds in MOMENTS),
        *(_case(d.name, "damage", partial(_damage, d), d.in_trl) for d in DAMAGES),
        *(
            _case(s.name, "disk full", partial(disk_full.play, s, judge), s.in_trl)
            for s in disk_full.SHORTAGES
            if disk_full.possible(s)
        ),
    )
}
