import os
import signal
import sys
from pathlib import Path

import pytest

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")  # tiny models: more threads only wait for each other
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.setdefault("TRITON_INTERPRET", "1")  # kernels without a GPU; on one: TRITON_INTERPRET=0
HERE = Path(__file__).parent
sys.path[:0] = [str(HERE / folder) for folder in ("", "objective", "integrations", "launchers", "web_browser")]

# A job in the background of a shell starts with Ctrl-C ignored, and so would every process that the tests start.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def hub(monkeypatch):
    """A hub whose every data set has the rows put into it; the calls are recorded."""
    import datasets

    rows, calls = [], []

    def load_dataset(location, config=None, *, split):
        calls.append((location, config, split))
        return datasets.Dataset.from_list(rows)

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    return rows, calls
