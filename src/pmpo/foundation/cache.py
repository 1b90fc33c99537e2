"""Where what can be made again is kept between runs."""

from __future__ import annotations

import os
from pathlib import Path


def cache_folder() -> Path:
    """$PMPO_CACHE, else $XDG_CACHE_HOME/pmpo, else ~/.cache/pmpo; an empty variable counts as unset."""
    if own := os.environ.get("PMPO_CACHE"):
        return Path(own).expanduser()
    if shared := os.environ.get("XDG_CACHE_HOME"):
        return Path(shared).expanduser() / "pmpo"
    return Path.home() / ".cache" / "pmpo"
