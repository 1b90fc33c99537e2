"""The power mean of a completion's token ratios, its token weights and its effective sample size.

Equations: docs/equations.md.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from pmpo.objective.batch import check_mask, fill_masked, full_precision, per_completion

_EXPM1_LIMIT = 40.0  # exp(40) = 2e17 leaves room for a million tokens in float32; above, logsumexp is as good


def power_mean(log_ratios: Tensor, mask: Tensor, exponent: float | Tensor, *, weights: Tensor | None = None) -> Tensor:
    """Power mean of each completion's ratios, M_p(c) = (1/n Σ_t exp(p c_t))^(1/p), M_0 = exp(1/n Σ_t c_t).

    With `weights` ρ the mean is the weighted one, (Σ ρ_t exp(p c_t) / Σ ρ_t)^(1/p).

    Args:
        log_ratios: c, nats, [B, T]; float16 and bfloat16 are computed in float32. Masked-out values are never used.
        mask: bool (or 0/1) [B, T], True on tokens that count.
        exponent: p, a number or [B], any real. A constant for the gradient.
        weights: ρ ≥ 0, [B, T], constants for the gradient. Default: 1 for every token.
    Returns: [B], ratios (not logs), differentiable in `log_ratios` (also twice, and by `torch.func`) with
        ∂M/∂c_t = M·w_t, where w are the `token_weights`. A completion without tokens gives 1.
    Raises: ValueError when shapes disagree.
    Source: docs/equations.md; arXiv 2601.22521.

    >>> c = torch.tensor([[0.0, 1.0]]).log1p()          # ratios 1 and 2
    >>> mask = torch.ones(1, 2, dtype=torch.bool)
    >>> [round(power_mean(c, mask, p).item(), 4) for p in (1, 0, -1)]
    [1.5, 1.4142, 1.3333]
    """
    c_BT, rho_BT, p_B = prepare(log_ratios, mask, exponent, weights)
    log_mean_B: Tensor = _LogPowerMean.apply(c_BT, rho_BT, p_B)  # type: ignore[no-untyped-call]
    return log_mean_B.exp()


def token_weights(
    log_ratios: Tensor, mask: Tensor, exponent: float | Tensor, *, weights: Tensor | None = None
) -> Tensor:
    """Share of the gradient that each token gets, w_t = ρ_t exp(p c_t) / Σ_s ρ_s exp(p c_s).

    Args: as `power_mean`.
    Returns: [B, T], sums to 1 over the counted tokens of a completion, 0 elsewhere (and everywhere in a
        completion without tokens).
    Raises: ValueError when shapes disagree.
    Source: docs/equations.md.

    >>> token_weights(torch.tensor([[0.0, 1.0]]).log1p(), torch.ones(1, 2), 1.0)
    tensor([[0.3333, 0.6667]])
    """
    return _weights(*prepare(log_ratios, mask, exponent, weights))


def normalized_ess(
    log_ratios: Tensor, mask: Tensor, exponent: float | Tensor, *, weights: Tensor | None = None
) -> Tensor:
    """Effective share of tokens that carry the gradient at `exponent`, (Σ ρ e^{pc})² / (Σ ρ · Σ ρ e^{2pc}).

    ρ is the measure over tokens: with integer ρ the result is that of tokens repeated ρ times, with 0 and 1 that of
    the tokens with ρ = 1 alone. Without weights it is (Σ e^{pc})² / (n Σ e^{2pc}).

    Args:
        log_ratios: c, nats, [B, T]. Masked-out values are never used.
        mask: bool [B, T], True on tokens that count.
        exponent: p, a number or [B], any real.
        weights: ρ ≥ 0, [B, T]; only their proportions within a completion matter. Default: 1 for every token.
    Returns: [B] in [min ρ/Σρ, 1], so in [1/n, 1] without weights; 1 at p = 0; a completion without tokens, or with
        Σρ = 0, gives 1.
    Raises: ValueError when shapes disagree.
    Source: docs/equations.md; arXiv 2601.22521.

    >>> normalized_ess(torch.tensor([[0.0, 0.0, 30.0, 0.0]]), torch.ones(1, 4), 1.0)
    tensor([0.2500])
    """
    c_BT, rho_BT, p_B = prepare(log_ratios, mask, exponent, weights)
    return ess(rho_BT, *scaled_terms(c_BT, rho_BT, p_B))


def ess(rho_BT: Tensor, terms_BT: Tensor, weighted_BT: Tensor) -> Tensor:
    """nESS from e = exp(pc − max) and ρ·e."""
    total_B, first_B = rho_BT.sum(dim=1), weighted_BT.sum(dim=1)
    second_B = (weighted_BT * terms_BT).sum(dim=1)
    ess_B = first_B.square() / (total_B * second_B).clamp(min=torch.finfo(rho_BT.dtype).tiny)
    return torch.where(total_B != 0, ess_B.clamp(max=1.0), torch.ones_like(ess_B))


class _LogPowerMean(torch.autograd.Function):
    """log M_p with its closed-form derivative w_t: autograd through a where() of two branches would give inf·0.

    The backward and forward-mode derivatives are made of ordinary operations on c, so that `torch.func`'s
    transforms, and the second derivative ∂w_t/∂c_s = p·w_t(δ_ts − w_s), follow. ρ and p are constants.
    """

    generate_vmap_rule = True

    @staticmethod
    def forward(c_BT: Tensor, rho_BT: Tensor, p_B: Tensor) -> Tensor:
        return _log_power_mean(c_BT, rho_BT, p_B)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor, Tensor], output: Tensor) -> None:
        ctx.save_for_backward(*inputs)
        ctx.save_for_forward(*inputs)

    @staticmethod
    def backward(ctx: Any, grad_B: Tensor) -> tuple[Tensor, None, None]:
        return grad_B.unsqueeze(1) * _weights(*ctx.saved_tensors), None, None

    @staticmethod
    def jvp(ctx: Any, tangent_BT: Tensor, _rho: Tensor | None, _p: Tensor | None) -> Tensor:
        return (_weights(*ctx.saved_tensors) * tangent_BT).sum(dim=1)


def prepare(
    log_ratios: Tensor, mask: Tensor, exponent: float | Tensor, weights: Tensor | None
) -> tuple[Tensor, Tensor, Tensor]:
    """Checked (c, ρ, p): c is 0 where ρ is 0, and ρ is 0 on masked-out tokens, so no later step needs the mask.

    ρ is divided by the largest of its completion, which changes no mean and keeps products of small ρ in range.
    """
    mask_BT = check_mask(log_ratios, mask)
    wide_BT = full_precision(log_ratios)
    p_B = per_completion(exponent, wide_BT, "exponent").detach()
    if weights is None:
        return fill_masked(wide_BT, mask_BT), mask_BT.to(wide_BT.dtype), p_B
    if weights.shape != mask.shape:
        raise ValueError(f"`weights` must have the shape of the mask {list(mask.shape)}, got {list(weights.shape)}.")
    rho_BT = fill_masked(weights.to(wide_BT.dtype), mask_BT).detach()
    largest_B1 = rho_BT.amax(dim=1, keepdim=True)
    rho_BT = rho_BT / torch.where(largest_B1 == 0, 1.0, largest_B1)
    return fill_masked(wide_BT, mask_BT & (rho_BT != 0)), rho_BT, p_B


def _log_power_mean(c_BT: Tensor, rho_BT: Tensor, p_B: Tensor) -> Tensor:
    """log M_p = c̄ + log1p(mean(expm1(p(c − c̄))))/p: centred, so that p near 0 keeps every digit.

    By Jensen's inequality the mean inside log1p is never negative, so nothing cancels; only overflow needs
    the second form.
    """
    total_B = rho_BT.sum(dim=1).clamp(min=torch.finfo(rho_BT.dtype).tiny)
    center_B = (rho_BT * c_BT).sum(dim=1) / total_B
    x_BT = torch.where(rho_BT > 0, p_B.unsqueeze(1) * (c_BT - center_B.unsqueeze(1)), 0.0)
    peak_B = x_BT.amax(dim=1).clamp(min=0.0)
    small_B = torch.log1p((rho_BT * torch.expm1(x_BT.clamp(max=_EXPM1_LIMIT))).sum(dim=1) / total_B)
    large_B = peak_B + torch.log((rho_BT * torch.exp(x_BT - peak_B.unsqueeze(1))).sum(dim=1) / total_B)
    log_excess_B = torch.where(peak_B <= _EXPM1_LIMIT, small_B, large_B)
    divisor_B = torch.where(p_B == 0, 1.0, p_B)
    return center_B + torch.where(p_B == 0, 0.0, log_excess_B / divisor_B)


def scaled_terms(c_BT: Tensor, rho_BT: Tensor, p_B: Tensor) -> tuple[Tensor, Tensor]:
    """e = exp(p·c − max) and ρ·e: neither overflows, both are 0 where ρ is 0."""
    x_BT = torch.where(rho_BT > 0, p_B.unsqueeze(1) * c_BT, -torch.inf)
    peak_B1 = x_BT.detach().amax(dim=1, keepdim=True)
    terms_BT = torch.exp(x_BT - torch.where(peak_B1 == -torch.inf, 0.0, peak_B1))
    return terms_BT, rho_BT * terms_BT


def _weights(c_BT: Tensor, rho_BT: Tensor, p_B: Tensor) -> Tensor:
    _, weighted_BT = scaled_terms(c_BT, rho_BT, p_B)
    return weighted_BT / weighted_BT.sum(dim=1, keepdim=True).clamp(min=torch.finfo(c_BT.dtype).tiny)
