"""Scripts and switches of GRPOTrainer, each written to run with either trainer. `CASES` has them by name."""

from side_by_side import agents, batches, generating, images, losses, models, rewards, running, scripts
from side_by_side.case import Case

THEMES = {
    "Losses, clips, advantages": losses.CASES,
    "Batches, data, evaluation": batches.CASES,
    "Rewards": rewards.CASES,
    "Tools, environments, rollouts": agents.CASES,
    "Pictures": images.CASES,
    "Models, adapters, number formats": models.CASES,
    "Generation": generating.CASES,
    "Subclasses, parsers, changed settings": scripts.CASES,
    "Optimisers, logging, checkpoints, hub": running.CASES,
}
CASES: dict[str, Case] = {case.name: case for cases in THEMES.values() for case in cases}
assert len(CASES) == sum(map(len, THEMES.values())), "two cases have one name"
