"""Loops over plain Python numbers (float64, or 60 digits where float64 cancels), straight from the equations.

Imports nothing of pmpo.
"""

import math

import mpmath


def power_mean(c, p, rho=None):
    """M_p of a list of log ratios under the measure ρ, with 60 digits inside, so that p near 0 costs nothing."""
    rho = rho or [1.0] * len(c)
    with mpmath.workdps(60):
        values, rho, p = [mpmath.mpf(x) for x in c], [mpmath.mpf(w) for w in rho], mpmath.mpf(p)
        total = mpmath.fsum(rho)
        if p == 0:
            return float(mpmath.exp(mpmath.fsum(w * x for w, x in zip(rho, values, strict=True)) / total))
        mean = mpmath.fsum(w * mpmath.exp(p * x) for w, x in zip(rho, values, strict=True)) / total
        return float(mean ** (1 / p))


def token_weights(c, p):
    peak = max(p * x for x in c)
    e = [math.exp(p * x - peak) for x in c]
    return [x / math.fsum(e) for x in e]


def ess(c, p, rho=None):
    """(Σ ρ e^{pc})² / (Σ ρ · Σ ρ e^{2pc})."""
    rho = rho or [1.0] * len(c)
    peak = max(p * x for x in c)
    e = [math.exp(p * x - peak) for x in c]
    first = math.fsum(w * x for w, x in zip(rho, e, strict=True))
    return first**2 / (math.fsum(rho) * math.fsum(w * x * x for w, x in zip(rho, e, strict=True)))


def bisect_exponent(c, target, rho=None):
    """The paper's way: 200 halvings."""
    if ess(c, 1.0, rho) >= target:
        return 1.0
    low, high = 0.0, 1.0
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if ess(c, middle, rho) >= target else (low, middle)
    return low


def weighted_pmpo(log_ratios, advantage, rho):
    """J of PMPO with token weights: ρ̄·A·M_p(c; ρ), where p, f and nESS are taken under ρ."""
    if advantage == 0 or sum(rho) == 0:
        return 0.0
    kept = [(x, w) for x, w in zip(log_ratios, rho, strict=True) if w > 0]
    c, rho = [clip(x, advantage, 0.4, 0.4) for x, _ in kept], [w for _, w in kept]
    fraction = sum(w for x, w in kept if abs(x) > 0.4) / sum(rho)
    e = ess(c, 1.0, rho)
    p = bisect_exponent(c, e + (1 - e) * ramp(fraction), rho)
    return math.fsum(rho) / len(log_ratios) * advantage * power_mean(c, p, rho)


def clip(log_ratio, advantage, down, up):
    if advantage > 0:
        return min(log_ratio, up)
    if advantage < 0:
        return max(log_ratio, -down)
    return log_ratio


def grpo_surrogate(ratios, advantage, low, high):
    """Mean over tokens of min(r·A, clip(r)·A)."""
    terms = [min(r * advantage, min(max(r, 1 - low), 1 + high) * advantage) for r in ratios]
    return math.fsum(terms) / len(terms)


def gmpo_surrogate(log_ratios, advantage, down, up):
    """sign-aware log clip, geometric mean, times A."""
    c = [clip(x, advantage, down, up) for x in log_ratios]
    return advantage * math.exp(math.fsum(c) / len(c))


def gspo_surrogate(log_ratios, advantage, low, high):
    s = math.exp(math.fsum(log_ratios) / len(log_ratios))
    return min(s * advantage, min(max(s, 1 - low), 1 + high) * advantage)


def apmpo_surrogate(log_ratios, advantage, low, high, p):
    """As APMPO's text has it: |A|·M_p(|min(r, ρ)|)·sign(A), the min taken on r·sign(A) against the clipped ratio."""
    sign = 1.0 if advantage > 0 else -1.0
    terms = []
    for x in log_ratios:
        r = math.exp(x)
        bounded = min(max(r, 1 - low), 1 + high)
        terms.append(abs(min(sign * r, sign * bounded)))
    return abs(advantage) * power_mean([math.log(t) for t in terms], p) * sign


def cispo_surrogate(ratios, advantage, cap):
    """Mean over tokens of min(r, cap)·A: a number whose gradient, with the cap passed, is `cispo_gradient`."""
    return math.fsum(min(r, cap) * advantage for r in ratios) / len(ratios)


def cispo_gradient(ratios, advantage, cap):
    """d/d log π_t of mean_t sg(min(r_t, cap))·A·log π_t."""
    return [min(r, cap) * advantage / len(ratios) for r in ratios]


def sapo_surrogate(ratios, advantage, tau_pos, tau_neg):
    """Mean over tokens of (4/τ)·sigmoid(τ(r − 1))·A."""
    tau = tau_pos if advantage > 0 else tau_neg
    terms = [4 / tau / (1 + math.exp(min(-tau * (r - 1), 700.0))) * advantage for r in ratios]
    return math.fsum(terms) / len(terms)


def sapo_gradient(ratios, advantage, tau_pos, tau_neg):
    """d/d log π_t of `sapo_surrogate`: 4·p(1 − p)·r·A/n with p = sigmoid(τ(r − 1))."""
    tau = tau_pos if advantage > 0 else tau_neg
    gates = [1 / (1 + math.exp(min(-tau * (r - 1), 700.0))) for r in ratios]
    return [4 * g * (1 - g) * r * advantage / len(ratios) for g, r in zip(gates, ratios, strict=True)]


def clipped_ratio(ratio, advantage, epsilon):
    """The ratio that PPO's min rule takes: min(rA, clip(r)A) / A."""
    bounded = min(max(ratio, 1 - epsilon), 1 + epsilon)
    return min(ratio * advantage, bounded * advantage) / advantage


def two_sided_surrogate(log_ratios, advantage, bound, p):
    """HölderPO's token clip that looks at no sign: A·M_p of log ratios clipped to ±bound."""
    return advantage * power_mean([min(max(x, -bound), bound) for x in log_ratios], p)


def rollout_weight(old, sampled, mode, low, high):
    """ρ of one completion: a list for the token modes, one number for the sequence modes."""
    differences = [0.0 if math.isnan(s) else o - s for o, s in zip(old, sampled, strict=True)]
    if mode.startswith("sequence"):
        differences = [math.fsum(differences)]
    ratios = [math.exp(d) for d in differences]
    if mode.endswith("truncate"):
        bounded = [min(max(r, low), high) for r in ratios]
    else:
        bounded = [r if low <= r <= high else 0.0 for r in ratios]
    return bounded[0] if mode.startswith("sequence") else bounded


def dppo_gradient(log_probs, old_log_probs, advantage, cap, bound):
    """d/d log π_t of mean_t sg(min(r, cap))·A·log π_t·[the probability has not moved too far along A]."""
    gradient = []
    for new, old in zip(log_probs, old_log_probs, strict=True):
        moved = math.exp(new) - math.exp(old)
        near = moved <= bound if advantage > 0 else moved >= -bound
        gradient.append(min(math.exp(new - old), cap) * advantage * near / len(log_probs))
    return gradient


def divergence(new, old, kind):
    """How far a token's probability has moved, by the two outcomes "this token" and "another one"."""
    p, q = math.exp(old), math.exp(new)
    if kind == "tv":
        return abs(q - p)
    return p * math.log(p / q) + (1 - p) * math.log((1 - p + 1e-8) / (1 - q + 1e-8))


def dppo_factors(log_probs, old_log_probs, advantage, cap, kind, bound):
    """(value of the ratio, whether its gradient passes) of every token: DPPO's capped ratio and its mask."""
    found = []
    for new, old in zip(log_probs, old_log_probs, strict=True):
        towards = new > old if advantage > 0 else new < old
        far = towards and divergence(new, old, kind) > bound
        found.append((min(math.exp(new - old), cap), not far))
    return found


def two_level_surrogate(log_ratios, advantage, bound, p, epsilon):
    """HölderPO's sequence_w_clip: two-sided token clip, power mean, PPO's min on the mean."""
    m = power_mean([min(max(x, -bound), bound) for x in log_ratios], p)
    return min(m * advantage, min(max(m, 1 - epsilon), 1 + epsilon) * advantage)


def step_ess(rows):
    """(Σ r)² / (N Σ r²) over all tokens of a step."""
    ratios = [math.exp(x) for row in rows for x in row]
    return math.fsum(ratios) ** 2 / (len(ratios) * math.fsum(r * r for r in ratios))


def p3o_loss(rows, advantages):
    """−Σ min(r, ESS) A + (1 − ESS) Σ KL(π_θ ‖ π_old), per token of the step; the exponent of the KL ends at 10."""
    ess_of_step, tokens = step_ess(rows), sum(len(row) for row in rows)
    policy = math.fsum(min(math.exp(x), ess_of_step) * a for row, a in zip(rows, advantages, strict=True) for x in row)
    kl = math.fsum(math.exp(min(-x, 10.0)) + x - 1 for row in rows for x in row)
    return (-policy + (1 - ess_of_step) * kl) / tokens


def p3o_gradient(rows, advantages):
    """d/d log π_t of `p3o_loss` with the capped ratio a constant factor of log π, row by row."""
    ess_of_step, tokens = step_ess(rows), sum(len(row) for row in rows)
    return [
        [
            (-min(math.exp(x), ess_of_step) * a + (1 - ess_of_step) * (1 - (math.exp(-x) if x > -10 else 0.0))) / tokens
            for x in row
        ]
        for row, a in zip(rows, advantages, strict=True)
    ]


def maxrl_advantages(rewards):
    """(R − mean)/mean of one group, 0 where the mean is 0."""
    mean = math.fsum(rewards) / len(rewards)
    return [(r - mean) / mean if mean else 0.0 for r in rewards]


def ramp(fraction, saturation=0.1):
    return min(1.0, fraction / saturation)


def objective_value(name, log_ratios, advantage, *, reward_mean=None, reward_std=None, progress=None):
    """J_i of a preset for one completion."""
    if advantage == 0 or not log_ratios:
        return 0.0
    if name in ("grpo", "dr_grpo", "dapo", "maxrl"):
        return grpo_surrogate([math.exp(x) for x in log_ratios], advantage, 0.2, 0.28 if name == "dapo" else 0.2)
    if name == "gspo":
        return gspo_surrogate(log_ratios, advantage, 3e-4, 4e-4)
    if name == "luspo":
        return gspo_surrogate(log_ratios, advantage, 2e-3, 2.5e-3)
    if name == "gmpo":
        return gmpo_surrogate(log_ratios, advantage, 0.4, 0.4)
    if name == "pmpo":
        c = [clip(x, advantage, 0.4, 0.4) for x in log_ratios]
        fraction = sum(abs(x) > 0.4 for x in log_ratios) / len(log_ratios)
        e = ess(c, 1.0)
        return advantage * power_mean(c, bisect_exponent(c, e + (1 - e) * ramp(fraction)))
    if name == "apmpo":
        high = 0.2 + 0.2 * math.tanh(reward_mean / (reward_std + 1e-6))
        return apmpo_surrogate(log_ratios, advantage, 0.2, high, math.exp(-0.8 * reward_mean))
    if name == "holderpo":
        m = power_mean(log_ratios, 2.0 - 4.0 * progress)
        return min(m * advantage, min(max(m, 0.8), 1.2) * advantage)
    if name == "holder_token":
        return advantage * power_mean(
            [math.log(clipped_ratio(math.exp(x), advantage, 0.2)) for x in log_ratios], 2.0 - 4.0 * progress
        )
    if name == "holder_two_level":
        return two_level_surrogate(log_ratios, advantage, math.log(1.2), 2.0 - 4.0 * progress, 0.2)
    if name == "cispo":
        return cispo_surrogate([math.exp(x) for x in log_ratios], advantage, 5.0)
    if name in ("dppo", "dppo_kl"):  # the mask takes gradients, not values
        return cispo_surrogate([math.exp(x) for x in log_ratios], advantage, 20.0)
    if name == "sapo":
        return sapo_surrogate([math.exp(x) for x in log_ratios], advantage, 1.0, 1.05)
    raise KeyError(name)


def weight(name, length, lengths, limit):
    if name in ("dapo", "cispo", "maxrl"):
        return length / sum(lengths)
    if name == "luspo":
        return length / len(lengths)
    if name in ("dr_grpo", "dppo", "dppo_kl"):
        return length / (len(lengths) * limit)
    return 1.0 / len(lengths)


def loss(name, rows, advantages, limit, **facts):
    """− Σ ω_i J_i over completions given as lists of log ratios."""
    if name == "p3o":
        return p3o_loss(rows, advantages)
    lengths = [len(row) for row in rows]
    return -math.fsum(
        weight(name, len(row), lengths, limit) * objective_value(name, row, a, **facts)
        for row, a in zip(rows, advantages, strict=True)
    )
