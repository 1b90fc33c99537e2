"""Matrix products with a float32 result, of float32 numbers or of as few 16-bit ones as are needed.

A float32 number is a bfloat16 one plus the remainder's bfloat16 one to 16 bits. Of the four products of two such sums
the smallest is left out (`bf16x3`, as XLA and oneDNN call it); the other three are one product of thrice the inner
length, on tensor cores at a third of the bfloat16 rate. A number that has 16 bits already needs one product, and loses
nothing: products of 16-bit numbers are exact in float32, and float32 is what they are summed in.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

Precision = Literal["float32", "bf16x3", "bf16"]
HALVES = (torch.bfloat16, torch.float16)


def terms(x: Tensor, precision: Precision, half: torch.dtype) -> tuple[Tensor, ...]:
    """Tensors whose sum stands for x, largest first.

    Args:
        x: floating point, any shape.
        precision: "float32": x in float32. "bf16": x rounded to 16 bits. "bf16x3": that and its remainder.
        half: bfloat16, or float16 where x and what it is multiplied with have it; see `common_half`.
    """
    if precision == "float32":
        return (x.float(),)
    if x.dtype == half or precision == "bf16":
        return (x.to(half),)
    large = x.to(half)
    return large, (x.float() - large.float()).to(half)


def common_half(a: Tensor, b: Tensor) -> torch.dtype:
    """The 16-bit type of both, else bfloat16, which has float32's range."""
    return a.dtype if a.dtype == b.dtype and a.dtype in HALVES else torch.bfloat16


def inner(a: tuple[Tensor, ...], b: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
    """Two matrices [M, K'] and [N, K'] whose product is that of the sums, but for the product of both remainders.

    >>> a, b = (torch.full((1, 1), 3.0), torch.full((1, 1), 0.1)), (torch.full((1, 1), 2.0), torch.full((1, 1), 0.2))
    >>> left, right = inner(a, b)
    >>> round((left @ right.t()).item(), 6)  # 3·2 + 3·0.2 + 0.1·2
    6.8
    """
    pairs = [(0, 0)] + [(0, 1)] * (len(b) - 1) + [(1, 0)] * (len(a) - 1)
    if len(pairs) == 1:
        return a[0], b[0]
    return torch.cat([a[i] for i, _ in pairs], dim=-1), torch.cat([b[j] for _, j in pairs], dim=-1)


def multiply(a: Tensor, b: Tensor, out: Tensor, add: bool = False) -> Tensor:
    """out = a @ b, or out += a @ b, in float32.

    Args:
        a, b: [M, K] and [K, N], of one type: float32, bfloat16 or float16.
        out: float32 [M, N].
    """
    if a.dtype in HALVES and out.device.type == "cuda":
        if add:
            return torch.addmm(out, a, b, out_dtype=torch.float32, out=out)
        return torch.mm(a, b, out_dtype=torch.float32, out=out)
    if add:
        return out.addmm_(a.float(), b.float())
    return torch.mm(a.float(), b.float(), out=out)
