"""The exponent at which a completion's normalised effective sample size meets a target.

Equation: docs/equations.md.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from pmpo.objective.batch import per_completion
from pmpo.objective.power_mean import prepare, scaled_terms

MAX_EVALUATIONS = 15
"""Evaluations of the ESS (with its slope) in one solve: one at p = 1, the rest on the bracketed root."""


@torch.no_grad()
def solve_exponent(log_ratios: Tensor, mask: Tensor, target_ess: float | Tensor) -> Tensor:
    """The largest p in [0, 1] with nESS(p) >= target, for every completion at once.

    Args:
        log_ratios: c, nats, [B, T]. Masked-out values are never used.
        mask: bool [B, T], True on tokens that count.
        target_ess: τ, a number or [B]. τ >= 1 asks for equal weights: p = 0 unless all log ratios agree.
    Returns: [B] in [0, 1], no gradient; |nESS(p) − τ| <= 1e-6 in float64 and 1e-4 in float32 wherever 0 < p < 1.
        A completion without tokens gives 1. No host synchronisation, no loop over completions.
    Raises: ValueError when shapes disagree.
    Source: docs/equations.md; arXiv 2601.22521 finds the same p by bisection.

    >>> from pmpo.objective.power_mean import normalized_ess
    >>> log_ratios = torch.tensor([[0.0, 0.1, -0.1, 1.0]], dtype=torch.float64)
    >>> mask = torch.ones(1, 4, dtype=torch.bool)
    >>> p = solve_exponent(log_ratios, mask, 0.9)
    >>> round(p.item(), 3), round(normalized_ess(log_ratios, mask, p).item(), 6)
    (0.667, 0.9)
    """
    c_BT, n_BT, _ = prepare(log_ratios, mask, 0.0, None)
    target_B = per_completion(target_ess, c_BT, "target_ess")
    at_one = _evaluate(c_BT, n_BT, torch.ones_like(target_B))
    return torch.where(at_one.ess_B >= target_B, 1.0, _root(c_BT, n_BT, target_B, at_one))


@dataclass(frozen=True)
class _Evaluation:
    """nESS(p) and its derivative in p, both [B]."""

    ess_B: Tensor
    slope_B: Tensor


def _evaluate(c_BT: Tensor, n_BT: Tensor, p_B: Tensor) -> _Evaluation:
    """d log nESS/dp = 2 (E_w(p)[c] − E_w(2p)[c]) <= 0: the second mean leans further to the large ratios."""
    first_BT = scaled_terms(c_BT, n_BT, p_B)
    second_BT = first_BT.square()
    tiny = torch.finfo(c_BT.dtype).tiny
    sum_1_B, sum_2_B = first_BT.sum(dim=1).clamp(min=tiny), second_BT.sum(dim=1).clamp(min=tiny)
    n_B = n_BT.sum(dim=1)
    ess_B = torch.where(n_B > 0, sum_1_B.square() / (n_B.clamp(min=1.0) * sum_2_B), 1.0).clamp(max=1.0)
    mean_gap_B = (first_BT * c_BT).sum(dim=1) / sum_1_B - (second_BT * c_BT).sum(dim=1) / sum_2_B
    return _Evaluation(ess_B, 2.0 * mean_gap_B * ess_B)


def _root(c_BT: Tensor, n_BT: Tensor, target_B: Tensor, at_one: _Evaluation) -> Tensor:
    """Newton's method inside a bracket, on whichever of two transforms makes nESS nearly straight.

    Near p = 0, nESS ≈ exp(−p²σ²), so s = √(−log nESS) is a line in p. Far out, nESS decays exponentially to a
    floor (the share of tokens tied for the largest ratio), so y = log(nESS − floor) is a line; the floor is
    read off nESS and its slope at p = 1. A step that leaves the bracket becomes a bisection. The best point so
    far is returned, since a converged row keeps stepping with the others.
    """
    eps = torch.finfo(c_BT.dtype).tiny ** 0.5
    floor_B = (at_one.ess_B + at_one.slope_B).clamp(min=0.0)
    s_target_B = _spread(target_B)
    y_target_B = (target_B - floor_B).clamp(min=eps).log()
    target_is_far_B = target_B < floor_B + 0.3 * (1.0 - floor_B)

    low_B, high_B = torch.zeros_like(target_B), torch.ones_like(target_B)
    p_B = (s_target_B / _spread(at_one.ess_B).clamp(min=eps)).clamp(0.0, 1.0)
    best_B, best_error_B = torch.zeros_like(p_B), (1.0 - target_B).abs()  # p = 0 has nESS = 1
    for _ in range(MAX_EVALUATIONS - 1):
        now = _evaluate(c_BT, n_BT, p_B)
        error_B = (now.ess_B - target_B).abs()
        best_B = torch.where(error_B < best_error_B, p_B, best_B)
        best_error_B = torch.minimum(error_B, best_error_B)
        enough_B = now.ess_B >= target_B
        low_B, high_B = torch.where(enough_B, p_B, low_B), torch.where(enough_B, high_B, p_B)

        fall_B = (-now.slope_B).clamp(min=eps)
        s_B, above_floor_B = _spread(now.ess_B), (now.ess_B - floor_B).clamp(min=eps)
        near_B = p_B - (s_B - s_target_B) * 2.0 * s_B * now.ess_B / fall_B
        far_B = p_B + (above_floor_B.log() - y_target_B) * above_floor_B / fall_B
        step_B = torch.where(target_is_far_B & (now.ess_B < 0.9), far_B, near_B)
        inside_B = (step_B > low_B) & (step_B < high_B)
        p_B = torch.where(inside_B, step_B, 0.5 * (low_B + high_B))
    return best_B


def _spread(ess_B: Tensor) -> Tensor:
    """√(−log nESS): about p·σ for log ratios of standard deviation σ."""
    return (-ess_B.clamp(max=1.0).clamp(min=torch.finfo(ess_B.dtype).tiny).log()).clamp(min=0.0).sqrt()
