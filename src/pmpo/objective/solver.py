"""The exponent at which a completion's normalised effective sample size meets a target.

Equation: docs/equations.md.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from pmpo.objective.batch import per_completion
from pmpo.objective.power_mean import ess, prepare, scaled_terms

MAX_EVALUATIONS = 15
"""Evaluations of the ESS with its slope in one solve: one at p = 1, the rest Newton's."""

BISECTIONS = {torch.float64: 29, torch.float32: 22}
"""Evaluations of the ESS alone after Newton's. |d nESS/dp| ≤ 2·(max c − min c), 320 for log ratios within ±80 nats,
so that a bracket of 2^-29 holds the ESS to 6e-7 and one of 2^-22 to 8e-5, whatever the log ratios and the start."""

_MET = {torch.float64: 1e-7, torch.float32: 1e-5}
"""ESS error below which Newton's answer stands: a tenth of what is promised."""


@torch.no_grad()
def solve_exponent(
    log_ratios: Tensor, mask: Tensor, target_ess: float | Tensor, *, weights: Tensor | None = None
) -> Tensor:
    """The largest p in [0, 1] with nESS(p) >= target, for every completion at once.

    Args:
        log_ratios: c, nats, [B, T]. Masked-out values are never used.
        mask: bool [B, T], True on tokens that count.
        target_ess: τ, a number or [B]. τ >= 1 asks for equal weights: p = 0 unless all log ratios agree.
        weights: ρ ≥ 0, [B, T], the measure of `normalized_ess`. Default: 1 for every token.
    Returns: [B] in [0, 1], no gradient. Wherever 0 < p < 1 and the log ratios of a completion lie within 160 nats of
        each other (`policy_loss` saturates them at ±80), |nESS(p) − τ| <= 1e-6 in float64 and 1e-4 in float32. Over
        a wider range R the ESS can fall by 2·R per unit of p, steeper than p is resolved: then p is within 2e-9
        (float64; 3e-7 in float32) of the root, and the ESS within 4e-9·R (6e-7·R).
        A completion without tokens, or with Σρ = 0, gives 1. No host synchronisation, no loop over completions.
    Raises: ValueError when shapes disagree.
    Source: docs/equations.md; arXiv 2601.22521 finds the same p by bisection.

    >>> from pmpo.objective.power_mean import normalized_ess
    >>> log_ratios = torch.tensor([[0.0, 0.1, -0.1, 1.0]], dtype=torch.float64)
    >>> mask = torch.ones(1, 4, dtype=torch.bool)
    >>> p = solve_exponent(log_ratios, mask, 0.9)
    >>> round(p.item(), 3), round(normalized_ess(log_ratios, mask, p).item(), 6)
    (0.667, 0.9)
    """
    c_BT, rho_BT, _ = prepare(log_ratios, mask, 0.0, weights)
    target_B = per_completion(target_ess, c_BT, "target_ess")
    at_one = _evaluate(c_BT, rho_BT, torch.ones_like(target_B))
    found = _bisect(c_BT, rho_BT, target_B, _newton(c_BT, rho_BT, target_B, at_one))
    return torch.where(at_one.ess_B >= target_B, 1.0, found.best_B)


@dataclass(frozen=True)
class _Evaluation:
    """nESS(p) and its derivative in p, both [B]."""

    ess_B: Tensor
    slope_B: Tensor


@dataclass(frozen=True)
class _Bracket:
    """nESS(low) >= τ > nESS(high), and the evaluated p with the smallest |nESS(p) − τ|, all [B]."""

    low_B: Tensor
    high_B: Tensor
    best_B: Tensor
    best_error_B: Tensor

    def narrowed(self, p_B: Tensor, ess_B: Tensor, target_B: Tensor, may_improve_B: Tensor) -> _Bracket:
        error_B, enough_B = (ess_B - target_B).abs(), ess_B >= target_B
        better_B = may_improve_B & (error_B < self.best_error_B)
        return _Bracket(
            torch.where(enough_B, p_B, self.low_B),
            torch.where(enough_B, self.high_B, p_B),
            torch.where(better_B, p_B, self.best_B),
            torch.where(better_B, error_B, self.best_error_B),
        )


def _evaluate(c_BT: Tensor, rho_BT: Tensor, p_B: Tensor) -> _Evaluation:
    """d log nESS/dp = 2 (E_w(p)[c] − E_w(2p)[c]) <= 0: the second mean leans further to the large ratios."""
    terms_BT, first_BT = scaled_terms(c_BT, rho_BT, p_B)
    second_BT = first_BT * terms_BT
    tiny = torch.finfo(c_BT.dtype).tiny
    sum_1_B, sum_2_B = first_BT.sum(dim=1).clamp(min=tiny), second_BT.sum(dim=1).clamp(min=tiny)
    rho_B = rho_BT.sum(dim=1)
    ess_B = torch.where(rho_B != 0, sum_1_B.square() / (rho_B.clamp(min=1.0) * sum_2_B), 1.0).clamp(max=1.0)
    mean_gap_B = (first_BT * c_BT).sum(dim=1) / sum_1_B - (second_BT * c_BT).sum(dim=1) / sum_2_B
    return _Evaluation(ess_B, 2.0 * mean_gap_B * ess_B)


def _newton(c_BT: Tensor, rho_BT: Tensor, target_B: Tensor, at_one: _Evaluation) -> _Bracket:
    """Newton's method inside a bracket, on whichever of two transforms makes nESS nearly straight.

    Near p = 0, nESS ≈ exp(−p²σ²), so s = √(−log nESS) is a line in p. Far out, nESS decays exponentially to a
    floor (the share of tokens tied for the largest ratio), so y = log(nESS − floor) is a line; the floor is
    read off nESS and its slope at p = 1. A step that leaves the bracket becomes a bisection. A converged row keeps
    stepping with the others, so the best point is kept.
    """
    eps = torch.finfo(c_BT.dtype).tiny ** 0.5
    floor_B = (at_one.ess_B + at_one.slope_B).clamp(min=0.0)
    s_target_B = _spread(target_B)
    y_target_B = (target_B - floor_B).clamp(min=eps).log()
    target_is_far_B = target_B < floor_B + 0.3 * (1.0 - floor_B)

    zero_B, always_B = torch.zeros_like(target_B), torch.ones_like(target_B, dtype=torch.bool)
    bracket = _Bracket(zero_B, torch.ones_like(target_B), zero_B, (1.0 - target_B).abs())  # p = 0 has nESS = 1
    p_B = (s_target_B / _spread(at_one.ess_B).clamp(min=eps)).clamp(0.0, 1.0)
    for _ in range(MAX_EVALUATIONS - 1):
        now = _evaluate(c_BT, rho_BT, p_B)
        bracket = bracket.narrowed(p_B, now.ess_B, target_B, always_B)
        fall_B = (-now.slope_B).clamp(min=eps)
        s_B, above_floor_B = _spread(now.ess_B), (now.ess_B - floor_B).clamp(min=eps)
        near_B = p_B - (s_B - s_target_B) * 2.0 * s_B * now.ess_B / fall_B
        far_B = p_B + (above_floor_B.log() - y_target_B) * above_floor_B / fall_B
        step_B = torch.where(target_is_far_B & (now.ess_B < 0.9), far_B, near_B)
        inside_B = (step_B > bracket.low_B) & (step_B < bracket.high_B)
        p_B = torch.where(inside_B, step_B, 0.5 * (bracket.low_B + bracket.high_B))
    return bracket


def _bisect(c_BT: Tensor, rho_BT: Tensor, target_B: Tensor, bracket: _Bracket) -> _Bracket:
    """Halve the bracket that Newton's method left, for the completions that it did not bring to the target.

    Newton creeps where nESS has two steps, as with a few tokens far above a thousand others. Without reading a value
    back to the host the whole batch takes the steps; a row that had met its target keeps Newton's p.
    """
    open_B = bracket.best_error_B > _MET[c_BT.dtype]
    below_peak_BT = c_BT - torch.where(rho_BT > 0, c_BT, -torch.inf).amax(dim=1, keepdim=True)
    below_peak_BT = torch.where(rho_BT > 0, below_peak_BT, 0.0)
    for _ in range(BISECTIONS[c_BT.dtype]):
        p_B = 0.5 * (bracket.low_B + bracket.high_B)
        terms_BT = torch.exp(p_B.unsqueeze(1) * below_peak_BT)
        bracket = bracket.narrowed(p_B, ess(rho_BT, terms_BT, rho_BT * terms_BT), target_B, open_B)
    return bracket


def _spread(ess_B: Tensor) -> Tensor:
    """√(−log nESS): about p·σ for log ratios of standard deviation σ."""
    return (-ess_B.clamp(max=1.0).clamp(min=torch.finfo(ess_B.dtype).tiny).log()).clamp(min=0.0).sqrt()
