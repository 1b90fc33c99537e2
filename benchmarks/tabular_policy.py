"""A softmax policy of one table of logits, trained by `pmpo.policy_loss`: many seeds and learning rates at once.

Shape suffixes beside those of pmpo:
    R   runs side by side, every seed with every learning rate
    N   completions of a generation
    V   tokens of the vocabulary
    K   features that the positions share; without them every position has logits of its own
Three policies are kept apart: the one that sampled (k rounds old, with noise on its logits), the one at the start of
the round, and the current one.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

import pmpo


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


class Runs:
    """The parameters of R runs, seed after seed with every learning rate, and Adam's state."""

    def __init__(self, problem: Problem, seeds: int, rates: tuple[float, ...], generator: torch.Generator):
        self.problem, self.generator = problem, generator
        self.seeds, self.rates_per_seed = seeds, len(rates)
        self.rates_R = torch.tensor(rates).repeat(seeds)
        shape, width = (seeds, problem.positions), problem.features or problem.positions
        self.theta = torch.zeros(len(self.rates_R), width, problem.vocabulary)
        self.features_RTK: Tensor | None = None
        if problem.features:
            features = torch.randn(*shape, width, generator=generator) / width**0.5
            wished = torch.randn(seeds, width, problem.vocabulary, generator=generator)
            self.features_RTK = self.for_every_rate(features)
            target = (features @ wished).argmax(dim=2)
        else:
            target = torch.randint(problem.vocabulary, shape, generator=generator)
        self.target_RT1 = self.for_every_rate(target).unsqueeze(2)
        if not problem.features:
            self.theta.scatter_(2, self.target_RT1, problem.head_start)
        self.moments = torch.zeros_like(self.theta), torch.zeros_like(self.theta)
        self.updates = 0

    def for_every_rate(self, values: Tensor) -> Tensor:
        """What seeds have, [seeds, ...], as what runs have, [R, ...]."""
        return values.repeat_interleave(self.rates_per_seed, dim=0)

    def noise(self) -> Tensor:
        """Standard normal numbers for every logit, [R, T, V], one draw a seed."""
        shape = (self.seeds, self.problem.positions, self.problem.vocabulary)
        return self.for_every_rate(torch.randn(shape, generator=self.generator))

    def uniform(self) -> Tensor:
        """[R, T, N], one draw a seed: contenders and learning rates share their luck."""
        shape = (self.seeds, self.problem.positions, self.problem.completions)
        return self.for_every_rate(torch.rand(shape, generator=self.generator))

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
        self.theta = self.theta - self.rates_R[:, None, None] / (1 - 0.9**self.updates) * first / size

    def score(self, log_policy_RTV: Tensor) -> Tensor:
        """The exact expected reward, [R]."""
        return expected_reward(log_policy_RTV.gather(2, self.target_RT1).squeeze(2).exp(), self.problem)


def expected_reward(right_RT: Tensor, problem: Problem) -> Tensor:
    """Of independent positions that are right with these probabilities (or of 0 and 1), over the last dimension."""
    if problem.reward == "blocks":
        return right_RT.unflatten(-1, (-1, problem.block)).prod(dim=-1).mean(dim=-1)
    if problem.reward == "prefix":
        return right_RT.cumprod(dim=-1).mean(dim=-1)
    return right_RT.mean(dim=-1)


@dataclass(frozen=True)
class Generation:
    """A round's completions as pmpo has them, [R, N, T] and advantages [R, N], and their tokens [R, T, N]."""

    tokens_RTN: Tensor
    start_RNT: Tensor
    sampler_RNT: Tensor
    advantages_RN: Tensor


@torch.no_grad()
def generate(runs: Runs, objective: pmpo.Objective, sampler_RTV: Tensor, start_RTV: Tensor) -> Generation:
    """Completions of the sampler by inversion of one uniform number a token, and their advantages."""
    cumulated = sampler_RTV.exp().cumsum(dim=2)
    tokens_RTN = torch.searchsorted(cumulated, runs.uniform() * cumulated[..., -1:])
    tokens_RTN = tokens_RTN.clamp(max=runs.problem.vocabulary - 1)
    right_RNT = (tokens_RTN == runs.target_RT1).float().transpose(1, 2)
    rewards_RN = expected_reward(right_RNT, runs.problem)
    advantages = pmpo.group_advantages(rewards_RN.flatten(), runs.problem.group, objective.advantage)
    start_RNT, sampler_RNT = (each.gather(2, tokens_RTN).transpose(1, 2) for each in (start_RTV, sampler_RTV))
    return Generation(tokens_RTN, start_RNT, sampler_RNT, advantages.view_as(rewards_RN))


def update(runs: Runs, objective: pmpo.Objective, given: Generation, part: Tensor, progress: float) -> None:
    """One step of every run on these of its completions. The runs' losses share no parameter, so one sum serves all."""
    theta = runs.theta.requires_grad_()
    new_RTN = runs.log_policy(theta).gather(2, given.tokens_RTN[..., part])
    new_BT = new_RTN.transpose(1, 2).flatten(0, 1)
    loss = pmpo.policy_loss(
        new_BT,
        given.start_RNT[:, part].flatten(0, 1),
        given.advantages_RN[:, part].flatten(),
        torch.ones_like(new_BT, dtype=torch.bool),
        objective,
        pmpo.BatchContext(progress=progress, num_sequences=len(part), num_tokens=len(part) * runs.problem.positions),
        sampler_log_probs=given.sampler_RNT[:, part].flatten(0, 1) if objective.uses_sampler else None,
    ).loss
    (gradient,) = torch.autograd.grad(loss, theta)
    runs.theta = theta.detach()
    runs.step(gradient)


def train(
    problem: Problem,
    regime: Regime,
    objective: pmpo.Objective,
    rates: tuple[float, ...],
    seeds: int,
    first_seed: int = 0,
) -> Tensor:
    """Scores before every round and after the last, [seeds, rates, rounds + 1].

    Equal seeds meet equal problems, uniform numbers and noise, whatever the objective.
    """
    runs = Runs(problem, seeds, rates, torch.Generator().manual_seed(first_seed))
    past: list[Tensor] = []
    curve = []
    for number in range(problem.rounds):
        start_RTV = runs.log_policy(runs.theta)
        curve.append(runs.score(start_RTV))
        past = [*past, start_RTV][-regime.staleness - 1 :]
        sampler_RTV = past[0]
        if regime.noise:
            sampler_RTV = (sampler_RTV + regime.noise * runs.noise()).log_softmax(dim=2)
        given = generate(runs, objective, sampler_RTV, start_RTV)
        for _ in range(regime.epochs):
            for part in torch.arange(problem.completions).chunk(problem.minibatches):
                update(runs, objective, given, part, number / max(problem.rounds - 1, 1))
    curve.append(runs.score(runs.log_policy(runs.theta)))
    return torch.stack(curve, dim=1).unflatten(0, (seeds, len(rates)))
