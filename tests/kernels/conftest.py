"""Triton's interpreter for these tests, where Triton is installed."""

import importlib.util

if importlib.util.find_spec("triton") is None:
    collect_ignore = ["triton_calls.py"]
else:
    import numpy
    from triton.runtime.interpreter import ReduceOps

    def _sum_as_a_tree(self, values):
        """The threads of a GPU add pairwise; numpy does so only along the last axis, elsewhere one after the other."""
        last = numpy.ascontiguousarray(numpy.moveaxis(values.handle.data, self.axis, -1))
        return self.to_tensor(last.sum(axis=-1, keepdims=self.keep_dims), values.dtype)

    ReduceOps.sum = _sum_as_a_tree
