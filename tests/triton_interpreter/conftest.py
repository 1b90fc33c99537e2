"""Triton's interpreter, or a GPU: `make triton`, in an environment of its own, since Triton takes 900 MB.

TRITON_INTERPRET must be set before anything imports Triton, torch's own compiler included, so that these tests run by
themselves; without it they are left out.
"""

import importlib.util
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

if importlib.util.find_spec("triton") is None or "TRITON_INTERPRET" not in os.environ:
    collect_ignore_glob = ["*.py"]
elif os.environ["TRITON_INTERPRET"] == "1":
    import numpy
    from triton.runtime.interpreter import ReduceOps

    def _sum_as_a_tree(self, values):
        """The threads of a GPU add pairwise; numpy does so only along the last axis, elsewhere one after the other."""
        last = numpy.ascontiguousarray(numpy.moveaxis(values.handle.data, self.axis, -1))
        return self.to_tensor(last.sum(axis=-1, keepdims=self.keep_dims), values.dtype)

    ReduceOps.sum = _sum_as_a_tree
