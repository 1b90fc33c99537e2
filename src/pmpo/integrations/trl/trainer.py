"""`PMPOTrainer`: TRL's GRPOTrainer with the power-mean objective family as its policy term."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Mapping
from typing import Any

from datasets import Dataset

from pmpo.integrations.trl.advantages import Advantages
from pmpo.integrations.trl.callbacks import MetricsCallback
from pmpo.integrations.trl.config import PMPOConfig
from pmpo.integrations.trl.decoding import Decodes
from pmpo.integrations.trl.generating import GeneratesInChunks
from pmpo.integrations.trl.head.install import heads_of
from pmpo.integrations.trl.host.parts import get_config_model_id
from pmpo.integrations.trl.loss import ObjectiveLoss
from pmpo.integrations.trl.picture_rows import AcceptsMixedRows
from pmpo.integrations.trl.preflight import check_progress, preflight
from pmpo.integrations.trl.regimes import regime_warning
from pmpo.integrations.trl.renamed_weights import LoadsRenamedWeights
from pmpo.integrations.trl.rewarding import ToleratesFailedRewards
from pmpo.integrations.trl.rows import KeepsRows
from pmpo.integrations.trl.skipping import NonFiniteGuard
from pmpo.integrations.trl.stopping import StopsInOrder
from pmpo.integrations.trl.symptom_watch import SymptomCallback
from pmpo.integrations.trl.token_sampling import TokenCallback
from pmpo.integrations.trl.vllm_server import check_server_log_probs
from pmpo.objective.presets import Objective


class PMPOTrainer(
    GeneratesInChunks,
    Advantages,
    ToleratesFailedRewards,
    ObjectiveLoss,
    StopsInOrder,
    LoadsRenamedWeights,
    AcceptsMixedRows,
    Decodes,
    KeepsRows,
):
    """Trains a causal language model with any objective of the family.

    Args:
        model, reward_funcs, args, ...: as TRL's GRPOTrainer; `args` is a `PMPOConfig`.
        objective: a name, a mapping or an `Objective` (for example with an exponent rule of your own); takes the place
            of `args.objective`.
    Raises: TypeError when `args` is not a `PMPOConfig`; ValueError as GRPOTrainer and PMPOConfig.
    """

    prompts_measured = False
    """Whether the prompts were held against the model's context before the trainer was built; else `train` does it."""

    def __init__(
        self,
        model: Any,
        reward_funcs: Any = None,
        args: PMPOConfig | None = None,
        train_dataset: Any = None,
        *positional: Any,
        objective: str | Mapping[str, Any] | Objective | None = None,
        **kwargs: Any,
    ) -> None:
        if args is None:
            name = model if isinstance(model, str) else get_config_model_id(model.config)
            args = PMPOConfig(f"{name.split('/')[-1]}-PMPO")
        if not isinstance(args, PMPOConfig):
            raise TypeError(
                f"PMPOTrainer needs a PMPOConfig, got {type(args).__name__}: replace GRPOConfig(...) by "
                "pmpo.integrations.trl.PMPOConfig(..., objective='pmpo')."
            )
        if objective is not None:
            args = args.with_objective(objective)
        args.settle()  # fields may have been assigned to since it was made
        if isinstance(train_dataset, Dataset):
            fitted = copy.copy(args)
            sentence = fitted.fit_round(len(train_dataset))
            if sentence is not None:
                args = fitted
                _warn(sentence, args)
        with heads_of(args.logits_precision):
            super().__init__(model, reward_funcs, args, train_dataset, *positional, **kwargs)
        self.use_objective(args.resolved_objective)
        check_server_log_probs(self, self.policy_objective)
        self.add_callback(MetricsCallback(self))
        if args.token_samples > 0:
            self.add_callback(TokenCallback(self))
        self.add_callback(NonFiniteGuard(self))
        self.symptoms = SymptomCallback(self.accelerator.is_main_process, args.to_dict())
        self.callback_handler.callbacks.insert(0, self.symptoms)  # before those that write log events down
        for sentence in (regime_warning(args), *(symptom.sentence for symptom in self.symptoms.of_settings)):
            _warn(sentence, args)

    def train(self, resume_from_checkpoint: str | bool | None = None, *positional: Any, **kwargs: Any) -> Any:
        """As TRL's, after a look at the data sets.

        Raises: InputError for prompts that cannot work (see `preflight`), for a run that ends without one optimiser
            step, and as `ResumesRuns.train`.
        """
        self.args.check_unchanged(self.policy_objective)
        preflight(self)
        if resume_from_checkpoint and self.environment_factories is not None:
            warnings.warn(
                "Resumed with environments that are made anew: what they keep from one episode to the next, such as a "
                "random generator of their own, is in no checkpoint, so the next episodes may be others than without "
                "the interruption. The generators of random, numpy and torch are restored.",
                stacklevel=2,
            )
        result = super().train(resume_from_checkpoint, *positional, **kwargs)
        check_progress(self)
        return result

    def run_epoch(self, **facts: Any) -> None:
        """Nothing when the run that is resumed is complete, where transformers 5.23 would make one step too many."""
        if self.state.global_step < self.state.max_steps:
            super().run_epoch(**facts)
        else:
            self.control.should_training_stop = True


def _warn(sentence: str | None, args: PMPOConfig) -> None:
    """On the first process, at the line that built the trainer."""
    if sentence is not None and args.process_index == 0:
        warnings.warn(sentence, stacklevel=3)
