"""A softmax policy of one table of logits, trained by `pmpo.policy_loss`: many seeds and learning rates at once.

Shape suffixes beside those of pmpo:
    R   runs side by side, every seed with every learning rate
    N   completions of a generation
    V   tokens of the vocabulary
    K   features that the positions share; without them every position has logits of its own
Every policy is kept apart: the one that sampled (k rounds old, with noise on its logits), the one at the start of the
round, and the current one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor

import pmpo

REWARDS = ("share", "blocks", "prefix")


@dataclass(frozen=True)
class Problem:
    """What is to be learnt, and how it is trained.

    Attributes:
        positions: T, tokens of a completion; each has one right token.
        vocabulary: V.
        head_start: added to the right token's logit at the start, nats, so that a large vocabulary is no lottery.
        reward: "share" of right positions; share of "blocks" of `block` positions that are right as a whole;
            "prefix", the share of positions before the first mistake.
        block: positions of a block.
        features: K, 0 for a table. Otherwise logits are features times weights, and tokens interfere.
        rounds, completions, minibatches: generations, completions of one, and updates that share them in an epoch.
        group: G, completions that the advantage compares.
    """

    positions: int = 32
    vocabulary: int = 8
    head_start: float = 0.0
    reward: str = "share"
    block: int = 4
    features: int = 0
    rounds: int = 100
    completions: int = 64
    minibatches: int = 4
    group: int = 8


@dataclass(frozen=True)
class Regime:
    """Staleness of the samples in rounds, noise on the sampler's logits (standard deviation), passes over a round."""

    staleness: int = 0
    noise: float = 0.0
    epochs: int = 1


@dataclass(frozen=True)
class Contender:
    """An objective, and what its log ratios are taken against.

    Attributes:
        objective: the objective.
        centre: "sampler" or "start" (the policy at the start of the round).
        truncation: largest π_start/π_sampler of the tokens' weights ρ; None for ρ = 1.
    """

    objective: pmpo.Objective
    centre: str = "sampler"
    truncation: float | None = None


@dataclass
class Trace:
    """What came out, each [seeds, learning rates]: the area under the curve and the last score."""

    area: Tensor
    last: Tensor
    entropy: Tensor
    curves: Tensor = field(repr=False)


class Runs:
    """The parameters of R runs and Adam's state."""

    def __init__(self, problem: Problem, seeds: int, rates: list[float], generator: torch.Generator):
        self.problem, self.seeds, self.rates = problem, seeds, torch.tensor(rates).repeat(seeds)  # seed-major
        self.features_RTK = None
        one = (seeds, problem.positions)
        if problem.features:
            width = problem.features
            features = torch.randn(*one, width, generator=generator) / width**0.5
            wished = torch.randn(seeds, width, problem.vocabulary, generator=generator)
            target = (features @ wished).argmax(dim=2)
            self.features_RTK = self._per_rate(features)
            self.theta = torch.zeros(len(self.rates), width, problem.vocabulary)
        else:
            target = torch.randint(problem.vocabulary, one, generator=generator)
            self.theta = torch.zeros(len(self.rates), problem.positions, problem.vocabulary)
        self.target_RT1 = self._per_rate(target).unsqueeze(2)
        if not problem.features:
            self.theta.scatter_(2, self.target_RT1, problem.head_start)
        self.moments = (torch.zeros_like(self.theta), torch.zeros_like(self.theta))
        self.updates = 0

    def _per_rate(self, values: Tensor) -> Tensor:
        return values.repeat_interleave(len(self.rates) // self.seeds, dim=0)

    def log_policy(self, theta: Tensor) -> Tensor:
        """log π of every token, [R, T, V]."""
        logits = theta if self.features_RTK is None else self.features_RTK @ theta
        return logits.log_softmax(dim=2)

    def step(self, gradient: Tensor) -> None:
        """Adam, betas 0.9 and 0.999, each run with its learning rate."""
        self.updates += 1
        first, second = self.moments
        first.mul_(0.9).add_(gradient, alpha=0.1)
        second.mul_(0.999).addcmul_(gradient, gradient, value=0.001)
        size = (second / (1 - 0.999**self.updates)).sqrt_().add_(1e-8)
        rate = self.rates[:, None, None] / (1 - 0.9**self.updates)
        self.theta = self.theta - rate * first / size

    def score(self, log_policy_RTV: Tensor) -> Tensor:
        """The exact expected reward, [R]."""
        right_RT = log_policy_RTV.gather(2, self.target_RT1).squeeze(2).exp()
        return expected_reward(right_RT, self.problem)


def expected_reward(right_RT: Tensor, problem: Problem) -> Tensor:
    """Of independent positions that are right with these probabilities (or of 0 and 1), over the last dimension."""
    if problem.reward == "blocks":
        return right_RT.unflatten(-1, (-1, problem.block)).prod(dim=-1).mean(dim=-1)
    if problem.reward == "prefix":
        return right_RT.cumprod(dim=-1).mean(dim=-1)
    return right_RT.mean(dim=-1)


@torch.no_grad()
def sample(log_policy_RTV: Tensor, uniform_RTN: Tensor) -> Tensor:
    """Tokens [R, T, N] by inversion, so that contenders share their luck."""
    cumulated = log_policy_RTV.exp().cumsum(dim=2)
    tokens = torch.searchsorted(cumulated, uniform_RTN * cumulated[..., -1:])
    return tokens.clamp(max=log_policy_RTV.shape[2] - 1)


def completions(values_RTN: Tensor) -> Tensor:
    """[R, T, N] as pmpo's [B, T] with B = R·N."""
    return values_RTN.transpose(1, 2).reshape(-1, values_RTN.shape[1])


def train(
    problem: Problem, regime: Regime, contender: Contender, rates: list[float], seeds: int, first_seed: int = 0
) -> Trace:
    """Train seeds × rates runs side by side; equal seeds meet equal problems, uniforms and noise."""
    generator = torch.Generator().manual_seed(first_seed)
    runs = Runs(problem, seeds, rates, generator)
    past, curve = [], []
    for number in range(problem.rounds):
        start_RTV = runs.log_policy(runs.theta)
        curve.append(runs.score(start_RTV))
        past = [*past[-regime.staleness :], start_RTV] if regime.staleness else [start_RTV]
        sampler_RTV = past[0]
        one = (seeds, problem.positions)
        if regime.noise:
            noise = torch.randn(*one, problem.vocabulary, generator=generator) * regime.noise
            sampler_RTV = (sampler_RTV + runs._per_rate(noise)).log_softmax(dim=2)
        uniform = runs._per_rate(torch.rand(*one, problem.completions, generator=generator))
        _round(runs, contender, regime, sampler_RTV, start_RTV, uniform, number / max(problem.rounds - 1, 1))
    final_RTV = runs.log_policy(runs.theta)
    curve.append(runs.score(final_RTV))
    curves = torch.stack(curve, dim=1).unflatten(0, (seeds, -1))
    entropy_R = -(final_RTV.exp() * final_RTV).sum(dim=2).mean(dim=1)
    return Trace(curves.mean(dim=2), curves[..., -1], entropy_R.unflatten(0, (seeds, -1)), curves)


def _round(runs, contender, regime, sampler_RTV, start_RTV, uniform_RTN, progress) -> None:
    problem = runs.problem
    tokens_RTN = sample(sampler_RTV, uniform_RTN)
    right_RNT = (tokens_RTN == runs.target_RT1).float().transpose(1, 2)
    rewards_RN = expected_reward(right_RNT, problem)
    advantage = pmpo.group_advantages(rewards_RN.flatten(), problem.group, contender.objective.advantage)
    advantages_RN = advantage.view_as(rewards_RN)
    start_RTN, sampler_RTN = start_RTV.gather(2, tokens_RTN), sampler_RTV.gather(2, tokens_RTN)
    old_RTN = sampler_RTN if contender.centre == "sampler" else start_RTN
    facts = pmpo.BatchContext(progress=progress, num_sequences=problem.completions // problem.minibatches)
    for _ in range(regime.epochs):
        for part in torch.arange(problem.completions).chunk(problem.minibatches):
            weights = None
            if contender.truncation is not None:
                start_BT, sampler_BT = completions(start_RTN[..., part]), completions(sampler_RTN[..., part])
                weights = _weights(start_BT, sampler_BT, contender.truncation)
            theta = runs.theta.requires_grad_()
            new_BT = completions(runs.log_policy(theta).gather(2, tokens_RTN[..., part]))
            loss = pmpo.policy_loss(
                new_BT,
                completions(old_RTN[..., part]),
                advantages_RN[:, part].flatten(),
                torch.ones_like(new_BT, dtype=torch.bool),
                contender.objective,
                facts,
                loss_weights=weights,
            ).loss
            (gradient,) = torch.autograd.grad(loss, theta)
            runs.theta = theta.detach()
            runs.step(gradient)


def _weights(start_BT: Tensor, sampler_BT: Tensor, truncation: float) -> Tensor:
    counted = torch.ones_like(start_BT, dtype=torch.bool)
    return pmpo.rollout_weights(start_BT, sampler_BT, counted, mode="token_truncate", ratio_max=truncation)


Progress = Callable[[str], None]
