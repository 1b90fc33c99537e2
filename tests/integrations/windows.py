"""What a logging window held, recorded beside a run, and its metrics recomputed in float64 without our code."""

import math
from collections import defaultdict

from torch.nn.functional import pad
from transformers import TrainerCallback

import oracle


class Recorder(TrainerCallback):
    """Keeps micro-batches and generations of a trainer, by mode, and closes a window at every log event.

    Attributes:
        windows: (logs, micro-batches, generations) of every log event.
    """

    def __init__(self, one):
        self.one, self.windows = one, []
        self._passes, self._generations = defaultdict(list), defaultdict(list)
        compute, forward, generate = (
            one._compute_loss, one.log_probs_of, one._generate_and_score_completions,
        )  # fmt: skip
        last = []

        def record_forward(*args, **kwargs):
            found = forward(*args, **kwargs)
            last[:] = [found[0].detach(), found[1].detach() if found[1] is not None else None]
            return found

        def record_loss(model, inputs):
            value = compute(model, inputs)
            self._passes[self.mode].append(micro_batch(inputs, *last, value.item()))
            return value

        def record_generation(inputs):
            output = generate(inputs)
            rewards = one._rewards.double().tolist()
            self._generations[self.mode].append(generation(output, rewards, one.num_generations))
            return output

        one.log_probs_of = record_forward
        one._compute_loss = record_loss
        one._generate_and_score_completions = record_generation
        one.add_callback(self)

    @property
    def mode(self):
        return "train" if self.one.model.training else "eval"

    def on_log(self, args, state, control, logs=None, **kwargs):
        mode = "eval" if any(key.startswith("eval_") for key in logs) else "train"
        self.windows.append((dict(logs), self._passes.pop(mode, []), self._generations.pop(mode, [])))


def micro_batch(inputs, log_probs, entropies, value):
    mask = inputs["completion_mask"].bool()
    log_probs, entropies = (pad(x, (0, mask.shape[1] - x.shape[1])) for x in (log_probs, entropies))  # cut off there
    old = inputs.get("old_per_token_logps")
    ratios = (log_probs - (log_probs if old is None else old)).double()
    return {
        "rows": [row[kept].tolist() for row, kept in zip(ratios, mask, strict=True)],
        "advantages": inputs["advantages"].double().tolist(),
        "entropy": entropies.double()[mask].tolist(),
        "kl": reference_kl(log_probs, inputs["ref_per_token_logps"], mask) if "ref_per_token_logps" in inputs else None,
        "loss": value,
    }


def reference_kl(log_probs, reference, mask):
    """k3 of every counted token, by completion."""
    x = (reference.double() - log_probs.double()).tolist()
    return [
        [math.exp(v) - 1 - v for v, counts in zip(row, kept, strict=True) if counts]
        for row, kept in zip(x, mask.tolist(), strict=True)
    ]


def generation(output, rewards, size):
    ids, mask = output["completion_ids"], output["completion_mask"].bool()
    lengths = [int(kept.sum()) for kept in mask]
    ended = [int(row[kept][-1]) in (0, 1) for row, kept in zip(ids, mask, strict=True)]
    groups = [rewards[start : start + size] for start in range(0, len(rewards), size)]
    return {"lengths": lengths, "ended": ended, "rewards": rewards, "groups": groups}


def completion(row, advantage):
    """p, f one- and two-sided, nESS, M and the log ratios of one active completion under objective pmpo."""
    c = [oracle.clip(x, advantage, 0.4, 0.4) for x in row]
    outside = sum(abs(x) > 0.4 for x in row) / len(row)
    e = oracle.ess(c, 1.0)
    p = oracle.bisect_exponent(c, e + (1 - e) * oracle.ramp(outside))
    return {
        "p": p,
        "one": sum(x != y for x, y in zip(c, row, strict=True)) / len(row),
        "two": outside,
        "ess": oracle.ess(c, p),
        "M": oracle.power_mean(c, p),
        "l": row,
        "kl": math.fsum(math.exp(x) - 1 - x for x in row) / len(row),
    }


def mean(values):
    return math.fsum(values) / len(values)


def std(values):
    """Unbiased."""
    return math.sqrt(math.fsum((x - mean(values)) ** 2 for x in values) / (len(values) - 1))


def ours(passes, beta=0.0):
    """The metrics of ours over a window, from every completion in it; None for statistics of no completion."""
    rows = [(row, a) for one in passes for row, a in zip(one["rows"], one["advantages"], strict=True)]
    penalties = [mean(row) for one in passes for row in one["kl"]] if beta else [0.0]
    found = [completion(row, a) for row, a in rows if a != 0 and row]
    surrogates = [a * completion(row, a)["M"] if a != 0 and row else 0.0 for row, a in rows]

    def over(how, values):
        return how(values) if found else None

    return {
        "policy_loss": beta * mean(penalties) - mean(surrogates),
        "active_completions": len(found) / len(rows),
        "exponent/mean": over(mean, [x["p"] for x in found]),
        "exponent/min": over(min, [x["p"] for x in found]),
        "exponent/max": over(max, [x["p"] for x in found]),
        "clip_fraction/one_sided": over(mean, [x["one"] for x in found]),
        "clip_fraction/two_sided": over(mean, [x["two"] for x in found]),
        "ess/mean": over(mean, [x["ess"] for x in found]),
        "ess/min": over(min, [x["ess"] for x in found]),
        "power_mean/mean": over(mean, [x["M"] for x in found]),
        "power_mean/min": over(min, [x["M"] for x in found]),
        "power_mean/max": over(max, [x["M"] for x in found]),
        "log_ratio/max": over(max, [max(x["l"]) for x in found]),
        "log_ratio/min": over(min, [min(x["l"]) for x in found]),
        "kl_old": over(mean, [x["kl"] for x in found]),
    }


def theirs(passes, generations, function):
    """TRL's metrics of a window: means of what every micro-batch and every generation gave."""
    metrics = {"entropy": mean([mean(one["entropy"]) for one in passes])}
    if passes[0]["kl"] is not None:
        metrics["kl"] = mean([mean([value for row in one["kl"] for value in row]) for one in passes])
    if not generations:
        return metrics
    ended = [[n for n, e in zip(g["lengths"], g["ended"], strict=True) if e] or [0] for g in generations]
    return {
        **metrics,
        "reward": mean([mean(g["rewards"]) for g in generations]),
        "reward_std": mean([std(g["rewards"]) for g in generations]),
        f"rewards/{function}/mean": mean([mean(g["rewards"]) for g in generations]),
        f"rewards/{function}/std": mean([std(g["rewards"]) for g in generations]),
        "frac_reward_zero_std": mean([mean([len(set(x)) == 1 for x in g["groups"]]) for g in generations]),
        "completions/mean_length": mean([mean(g["lengths"]) for g in generations]),
        "completions/min_length": mean([min(g["lengths"]) for g in generations]),
        "completions/max_length": mean([max(g["lengths"]) for g in generations]),
        "completions/clipped_ratio": mean([1 - mean(g["ended"]) for g in generations]),
        "completions/mean_terminated_length": mean([mean(x) for x in ended]),
        "completions/min_terminated_length": mean([min(x) for x in ended]),
        "completions/max_terminated_length": mean([max(x) for x in ended]),
    }
