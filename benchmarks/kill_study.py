"""Kill -9 a study of real runs at random points: its tables are those of an uninterrupted one, no run is done twice.

    python benchmarks/kill_study.py [--kills 2] [--seed 0] [--folder runs/kill-study]

Eight runs of 16 updates of the built-in demonstration, once to the end, once killed: the study's process by SIGKILL at
random times, its workers left to end by themselves. Prints what was done at each kill, and what differs; the exit
status is 0 when nothing does. Takes some three minutes on two cores.
"""

import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import yaml

STUDY = {
    "name": "kill",
    "base": {"max_steps": 16, "eval_size": 64, "pass_at_1_every": 8},
    "objectives": ["grpo", "pmpo"],
    "settings": {"learning_rate": [1e-4, 4e-4]},
    "seeds": [0, 1],
}
TABLES = ("table.csv", "table.md")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--folder", type=Path, default=Path("runs/kill-study"))
    given = parser.parse_args()
    shutil.rmtree(given.folder, ignore_errors=True)
    given.folder.mkdir(parents=True)
    file = given.folder / "study.yaml"
    file.write_text(yaml.safe_dump(STUDY))
    whole, killed = given.folder / "whole", given.folder / "killed"
    started = time.monotonic()
    assert study(file, whole).wait() == 0
    seconds = time.monotonic() - started
    print(f"uninterrupted: {seconds:.0f} s", flush=True)
    twice = killed_study(file, killed, given.kills, seconds, random.Random(given.seed))
    differing = [name for name in TABLES if (whole / name).read_text() != (killed / name).read_text()]
    rows = len((killed / "results.jsonl").read_text().splitlines())
    print(f"runs done twice: {twice or 'none'}; rows: {rows} of 8; tables that differ: {differing or 'none'}")
    return int(bool(twice or differing or rows != 8))


def killed_study(file: Path, folder: Path, kills: int, seconds: float, random_: random.Random) -> list[str]:
    """Runs that had ended before a kill and were begun again after it."""
    done: dict[str, str] = {}
    for number in range(kills + 1):
        process = study(file, folder)
        if number < kills:
            time.sleep(random_.uniform(0.1, 0.9) * seconds / (kills + 1) + seconds * 0.2)
            os.killpg(process.pid, signal.SIGKILL) if number % 2 else process.kill()
        status = process.wait()
        now = begun(folder)
        changed = [name for name, when in done.items() if now[name] != when]
        if changed:
            return changed
        done = {name: when for name, when in now.items() if (folder / "runs" / name / "result.json").exists()}
        print(f"{'killed' if number < kills else f'ended with {status}'}: {len(done)} of 8 runs are done", flush=True)
    return []


def begun(folder: Path) -> dict[str, str]:
    """When each run was begun: its configuration's record."""
    files = folder.glob("runs/*/config.yaml")
    return {file.parent.name: yaml.safe_load(file.read_text())["record"]["started"] for file in files}


def study(file: Path, folder: Path) -> subprocess.Popen:
    words = ["compare", "--study", str(file), "--output_dir", str(folder), "--progress", "off"]
    return subprocess.Popen([sys.executable, "-m", "pmpo", *words], start_new_session=True)


if __name__ == "__main__":
    sys.exit(main())
