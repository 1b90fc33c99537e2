"""The command `pmpo`: what needs no torch is answered before the package, which loads it, is imported."""

from __future__ import annotations

import sys
from importlib.metadata import version


def main() -> int:
    """Run the command; the return value is the exit status."""
    if sys.argv[1:2] in (["--version"], ["-V"]):
        print(f"pmpo {version('pmpo')}")
        return 0
    from pmpo.cli import main as run

    return run()
