"""verl pins a transformers that TRL does not take, so these tests have an environment of their own: `make verl`."""

import importlib.util
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
if importlib.util.find_spec("verl"):
    # Before anything imports verl: the tests' own process is one of verl's on a CPU.
    os.environ.setdefault("VERL_USE_EXTERNAL_MODULES", "pmpo.integrations.verl.cpu")

collect_ignore_glob = ["[!t]*.py"]
"""The modules beside the tests, which the search for doctests would import, also where verl is not."""
