"""The small run that is made in TRL and in verl: what both are told."""

from tiny import tiny_model

OBJECTIVES = ("pmpo", "apmpo", "holderpo")
UPDATES, PROMPTS, GROUP, LONGEST = 8, 8, 4, 8
"""Two updates a round, so that the ratios of every second one are not 1."""
RATE, BETAS = 3e-2, (0.9, 0.999)
EPSILON = 1e-3
"""Of Adam: so large that a gradient that is 0 but for rounding (of the keys' biases) moves no weight."""


def start_model():
    return tiny_model(seed=0)
