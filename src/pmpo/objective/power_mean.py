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
    Returns: [B], ratios (not logs), differentiable once in `log_ratios` with ∂M/∂c_t = M·w_t, where w are the
        `token_weights`. A completion without tokens gives 1.
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


def normalized_ess(log_ratios: Tensor, mask: Tensor, exponent: float | Tensor) -> Tensor:
    """Effective share of tokens that carry the gradient at `exponent`, (Σ e^{pc})² / (n Σ e^{2pc}).

    Args:
        log_ratios: c, nats, [B, T]. Masked-out values are never used.
        mask: bool [B, T], True on tokens that count.
        exponent: p, a number or [B], any real.
    Returns: [B] in [1/n, 1]; 1 at p = 0; a completion without tokens gives 1.
    Raises: ValueError when shapes disagree.
    Source: docs/equations.md; arXiv 2601.22521.

    >>> normalized_ess(torch.tensor([[0.0, 0.0, 30.0, 0.0]]), torch.ones(1, 4), 1.0)
    tensor([0.2500])
    """
    c_BT, mask_BT, p_B = prepare(log_ratios, mask, exponent, None)
    return _ess(c_BT, mask_BT, p_B)


class _LogPowerMean(torch.autograd.Function):
    """log M_p with its closed-form gradient w_t: autograd through a where() of two branches would give inf·0."""

    @staticmethod
    def forward(ctx: Any, c_BT: Tensor, rho_BT: Tensor, p_B: Tensor) -> Tensor:
        ctx.save_for_backward(_weights(c_BT, rho_BT, p_B))
        return _log_power_mean(c_BT, rho_BT, p_B)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad_B: Tensor) -> tuple[Tensor, None, None]:
        (weights_BT,) = ctx.saved_tensors
        return grad_B.unsqueeze(1) * weights_BT, None, None


def prepare(
    log_ratios: Tensor, mask: Tensor, exponent: float | Tensor, weights: Tensor | None
) -> tuple[Tensor, Tensor, Tensor]:
    """Checked (c, ρ, p): c is 0 and ρ is 0 on masked-out tokens, so no later step needs the mask."""
    mask_BT = check_mask(log_ratios, mask)
    c_BT = fill_masked(full_precision(log_ratios), mask_BT)
    p_B = per_completion(exponent, c_BT, "exponent").detach()
    if weights is None:
        return c_BT, mask_BT.to(c_BT.dtype), p_B
    if weights.shape != mask.shape:
        raise ValueError(f"`weights` must have the shape of the mask {list(mask.shape)}, got {list(weights.shape)}.")
    return c_BT, fill_masked(weights.to(c_BT.dtype), mask_BT).detach(), p_B


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


def scaled_terms(c_BT: Tensor, rho_BT: Tensor, p_B: Tensor) -> Tensor:
    """ρ·exp(p·c − max) for each completion: never overflows, 0 on masked-out tokens."""
    x_BT = torch.where(rho_BT > 0, p_B.unsqueeze(1) * c_BT, -torch.inf)
    peak_B = x_BT.amax(dim=1, keepdim=True)
    return rho_BT * torch.exp(x_BT - torch.where(peak_B == -torch.inf, 0.0, peak_B))


def _weights(c_BT: Tensor, rho_BT: Tensor, p_B: Tensor) -> Tensor:
    scaled_BT = scaled_terms(c_BT, rho_BT, p_B)
    return scaled_BT / scaled_BT.sum(dim=1, keepdim=True).clamp(min=torch.finfo(c_BT.dtype).tiny)


def _ess(c_BT: Tensor, mask_BT: Tensor, p_B: Tensor) -> Tensor:
    """nESS with the mask as 0/1 floats."""
    e_BT = scaled_terms(c_BT, mask_BT, p_B)
    n_B = mask_BT.sum(dim=1)
    first_B, second_B = e_BT.sum(dim=1), e_BT.square().sum(dim=1)
    ess_B = first_B.square() / (n_B * second_B).clamp(min=torch.finfo(c_BT.dtype).tiny)
    return torch.where(n_B > 0, ess_B.clamp(max=1.0), torch.ones_like(ess_B))
