"""These tests need verl, in an environment of its own (`make verl`); without it they are skipped, or not collected."""

import importlib.util
import sys
from pathlib import Path

if importlib.util.find_spec("verl") is None:
    collect_ignore_glob = ["test_*.py"]
sys.path.insert(0, str(Path(__file__).parent))
