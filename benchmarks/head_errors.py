"""Errors of log-probabilities, of ratios, of p and of gradients, by how the products of the head are rounded."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from trl.kernels import ChunkedLogProbFunction

import pmpo
from head_states import Case
from pmpo.integrations.trl.head.log_probs import log_probs_of
from pmpo.integrations.trl.head.products import common_half, inner, terms
from pmpo.integrations.trl.head.tiles import Sums, Transform
from pmpo.objective.policy_loss import policy_loss
from scale_paper import table

Form = Callable[[Tensor, Tensor], Tensor]
TOKENS_A_COMPLETION = 32


def tf32(x: Tensor) -> Tensor:
    """Rounded to TF32's 10 mantissa bits, ties to even."""
    bits = x.float().contiguous().view(torch.int32)
    return ((bits + 0xFFF + ((bits >> 13) & 1)) & ~0x1FFF).view(torch.float32)


def half(x: Tensor) -> Tensor:
    return x.half().float()


def brain(x: Tensor) -> Tensor:
    return x.bfloat16().float()


def rounded(how: Callable[[Tensor], Tensor]) -> Form:
    """One product of rounded inputs, summed in float32."""
    return lambda hidden, weight: how(hidden) @ how(weight).t()


def ours(precision: str) -> Form:
    """As `logits_precision`, with the tensor cores' products in float32, which is exact."""

    def product(hidden: Tensor, weight: Tensor) -> Tensor:
        kind = common_half(hidden, weight)
        left, right = inner(terms(hidden, precision, kind), terms(weight, precision, kind))
        return left.float() @ right.float().t()

    return product


def split(how: Callable[[Tensor], Tensor], hidden_too: bool) -> Form:
    """Factors as sums of two rounded terms; of two sums without the product of the remainders."""

    def two(x: Tensor) -> tuple[Tensor, ...]:
        return how(x), how(x.float() - how(x))

    def product(hidden: Tensor, weight: Tensor) -> Tensor:
        left, right = inner(two(hidden) if hidden_too else (how(hidden),), two(weight))
        return left @ right.t()

    return product


FORMS: dict[str, tuple[Form, str]] = {
    "host: bf16 product, bf16 logits": (lambda h, w: brain(brain(h) @ brain(w).t()), "1"),
    "bf16: bf16 product, float32 logits": (ours("bf16"), "1"),
    "weights in two bf16 terms": (split(brain, hidden_too=False), "2"),
    "TF32": (rounded(tf32), "2"),
    "fp16 product, float32 logits": (rounded(half), "1"),
    "**bf16x3**: both in two bf16 terms": (ours("bf16x3"), "3"),
    "both in two fp16 terms": (split(half, hidden_too=True), "3"),
    "**float32**": (ours("float32"), "15"),
}
"""{name: (product, its time on an H100 in bf16 products, by published rates: TF32 half, float32 a fifteenth)}."""
FORMS_16 = {
    "host: bf16 product, bf16 logits": FORMS["host: bf16 product, bf16 logits"],
    "**bf16x3**, bf16: one bf16 product, float32 logits": (ours("bf16x3"), "1"),
    "TF32": (rounded(tf32), "2"),
    "**float32**": FORMS["**float32**"],
}


@dataclass(frozen=True)
class Found:
    """Log-probabilities before and after the update, by form, [N]; and of the exact ones the largest logit, entropy."""

    before: dict[str, Tensor]
    after: dict[str, Tensor]
    largest: Tensor
    entropy: Tensor


EXACT = "exact"


class Exact(Sums):
    """In float64, and without knowing the tokens beforehand: each is drawn from its distribution meanwhile."""

    def __init__(self, count: int) -> None:
        super().__init__(torch.zeros(count, dtype=torch.long), entropy=True)
        for name in ("largest", "total", "moment", "chosen"):
            setattr(self, name, getattr(self, name).double())


def measure(case: Case, forms: dict[str, tuple[Form, str]]) -> Found:
    """All forms side by side, a part of the vocabulary at a time."""
    states, everyone = case.hidden_states(), slice(0, case.tokens)
    products: dict[str, Form] = {EXACT: lambda h, w: h.double() @ w.double().t()}
    products |= {name: form for name, (form, _) in forms.items()}
    sums = {(name, turn): Exact(case.tokens) for name in products for turn in (0, 1)}
    best, chance = torch.full((case.tokens,), -torch.inf, dtype=torch.float64), torch.Generator().manual_seed(77)
    for start, *weights in case.parts():
        winner = None
        for name, product in products.items():
            for turn in (0, 1):
                z = product(states[turn], weights[turn]).double()
                if winner is None:  # the largest of z + Gumbel noise is a draw from the softmax
                    noise = torch.rand(z.shape, generator=chance, dtype=torch.float64).log_().neg_().log_().neg_()
                    height, winner = (z + noise).max(1)
                    better = height > best
                    best = torch.where(better, height, best)
                one = sums[name, turn]
                one.targets = torch.where(better, start + winner, -1)
                one.fold(z, everyone, start, Transform())
    before, after = ({name: sums[name, turn].chosen - sums[name, turn].log_z() for name in products} for turn in (0, 1))
    exact = sums[EXACT, 0]
    return Found(before, after, exact.largest, exact.entropies())


def exponents(new: Tensor, old: Tensor) -> Tensor:
    """p of `pmpo` with advantages of both signs, [B]."""
    new_BT, old_BT = new.view(-1, TOKENS_A_COMPLETION), old.view(-1, TOKENS_A_COMPLETION)
    signs = 1.0 - 2.0 * (torch.arange(len(new_BT)) % 2)
    return policy_loss(
        new_BT, old_BT, signs.to(new_BT), torch.ones_like(new_BT), pmpo.objective("pmpo")
    ).diagnostics.exponent


def error_table(found: Found, forms: dict[str, tuple[Form, str]]) -> list[str]:
    """Errors in nats, absolute."""
    old, new = found.before[EXACT], found.after[EXACT]
    p = exponents(new, old)
    rows = []
    for name, (_, cost) in forms.items():
        mine, later = found.before[name], found.after[name]
        ratio = ((later - mine) - (new - old)).abs()
        of_p = (exponents(later, mine) - p).abs()
        cells = [cost, *spread((mine - old).abs()), *spread(ratio), f"{of_p.mean():.1e}", f"{of_p.max():.1e}"]
        rows.append([name, *cells, "yes" if ratio.quantile(0.999) < 1e-3 else "no"])
    heads = ["products", "cost", *(f"log p, {q}" for q in QUANTILES), *(f"ratio, {q}" for q in QUANTILES)]
    return table([*heads, "p, mean", "p, max", "ratio at 99.9 % < 1e-3"], rows)


QUANTILES = ("mean", "99.9 %", "max")


def spread(error: Tensor) -> list[str]:
    return [f"{x:.1e}" for x in (error.mean(), error.quantile(0.999), error.max())]


def described(case: Case, found: Found) -> str:
    """What the logits and the update were like."""
    change = found.after[EXACT] - found.before[EXACT]
    largest, entropy = (
        " / ".join(f"{x:.1f}" for x in one.quantile(torch.tensor([0.05, 0.5, 0.95], dtype=one.dtype)))
        for one in (found.largest, found.entropy)
    )
    p = exponents(found.after[EXACT], found.before[EXACT])
    return (
        f"H {case.hidden:,}, V {case.vocabulary:,}, {case.tokens:,} tokens; at 5 / 50 / 95 % the largest logit is "
        f"{largest} and the entropy {entropy} nats. The update changes log p by {change.std():.3f} nats (standard "
        f"deviation), at most {change.abs().max():.2f}; {(change.abs() > 0.4).double().mean():.1%} of the tokens are "
        f"beyond ±0.4 and p is {p.min():.3f} to {p.max():.3f}."
    )


def gradient_table(hidden: int = 1024, tokens: int = 512, vocabulary: int = 16_384) -> list[str]:
    """Relative errors of the gradients of Σ ±log p against float64, by the functions in use."""
    rows = []
    for half_model in (False, True):
        case = Case(hidden, tokens, half_model, vocabulary)
        states, weights = case.hidden_states()[0], torch.cat([before for _, before, _ in case.parts()])
        targets = torch.randint(vocabulary, (tokens,), generator=torch.Generator().manual_seed(1))
        signs = 1.0 - 2.0 * (torch.arange(tokens) % 2)
        exact = gradients(exactly(targets), states.double(), weights.double(), signs.double())
        for name in ("float32", "bf16x3", "bf16", "host"):
            found = gradients(in_use(name, targets), states, weights, signs)
            cells = [f"{((a.double() - b).norm() / b.norm()):.1e}" for a, b in zip(found, exact, strict=True)]
            rows.append(["bfloat16" if half_model else "float32", name, *cells])
    return table(["weights, hidden states", "logits_precision", "of hidden states", "of weights"], rows)


def exactly(targets: Tensor) -> Form:
    return lambda hidden, weight: (hidden @ weight.t()).log_softmax(-1).gather(-1, targets[:, None])[:, 0]


def in_use(name: str, targets: Tensor) -> Form:
    """Log-probabilities by the library's head, or by TRL's under bf16 autocast."""
    if name != "host":
        return lambda h, w: log_probs_of(h, w, None, targets, Transform(), name, entropy=False)[0]

    def theirs(hidden: Tensor, weight: Tensor) -> Tensor:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            return ChunkedLogProbFunction.apply(hidden, weight, None, targets, 1.0, 32_768, None, 1.0, ())[0]

    return theirs


def gradients(
    log_p: Callable[[Tensor, Tensor], Tensor], hidden: Tensor, weight: Tensor, signs: Tensor
) -> Sequence[Tensor]:
    leaves = [hidden.clone().requires_grad_(), weight.clone().requires_grad_()]
    return torch.autograd.grad((log_p(*leaves) * signs).sum(), leaves)
