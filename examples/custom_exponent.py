"""An exponent rule of your own: p follows the share of tokens whose ratio fell, in ten lines.

Run it: python examples/custom_exponent.py
"""

import torch

import pmpo


def falling_share(facts: pmpo.ExponentFacts) -> torch.Tensor:
    """p = 1 − 2·(share of counted tokens with l < 0): from arithmetic to harmonic, per completion."""
    falling = (facts.log_ratios_BT < 0) & facts.mask_BT
    share_B = falling.sum(dim=1) / facts.mask_BT.sum(dim=1).clamp(min=1)
    return 1.0 - 2.0 * share_B


def main() -> pmpo.PolicyLoss:
    mine = pmpo.objective("gmpo", exponent=falling_share)
    log_probs = torch.tensor([[-1.0, -0.5, -2.0], [-0.7, -1.9, -0.1]], requires_grad=True)
    old_log_probs = torch.tensor([[-1.1, -0.6, -2.3], [-0.5, -1.5, -0.1]])
    mask = torch.tensor([[True, True, True], [True, True, False]])
    result = pmpo.policy_loss(log_probs, old_log_probs, torch.tensor([1.0, -0.5]), mask, mine)
    result.loss.backward()
    print("exponents ", result.diagnostics.exponent.tolist())
    print("loss      ", round(result.loss.item(), 6))
    print("gradient  ", log_probs.grad)
    return result


if __name__ == "__main__":
    main()
