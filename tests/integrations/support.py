"""Trainers and loss inputs small enough to build dozens of."""

import tempfile

import torch

from pmpo.integrations.trl import PMPOConfig, PMPOTrainer
from tiny import digit_reward, tiny_dataset, tiny_model, tiny_tokenizer

BASE = {
    "per_device_train_batch_size": 8,
    "num_generations": 4,
    "max_completion_length": 6,
    "max_steps": 4,
    "steps_per_generation": 2,
    "learning_rate": 1e-2,
    "logging_steps": 1,
    "report_to": "none",
    "use_cpu": True,
    "bf16": False,
    "gradient_checkpointing": False,
    "save_strategy": "no",
    "disable_tqdm": True,
    "lr_scheduler_type": "constant",
}


def config(cls=PMPOConfig, **changes):
    settings = {**BASE, "output_dir": tempfile.mkdtemp(prefix="pmpo-test-"), **changes}
    return cls(**settings)


def trainer(args=None, cls=PMPOTrainer, model=None, reward=digit_reward, **kwargs):
    return cls(
        model if model is not None else tiny_model(),
        reward,
        args if args is not None else config(),
        train_dataset=kwargs.pop("train_dataset", tiny_dataset()),
        processing_class=tiny_tokenizer(),
        **kwargs,
    )


def saved_model(folder):
    """A path to load policy and reference from, as beta > 0 needs."""
    tiny_model().save_pretrained(folder)
    tiny_tokenizer().save_pretrained(folder)
    return str(folder)


def loss_inputs(rows=8, width=6, seed=0, spread=0.6, model=None, **extra):
    """What `_generate_and_score_completions` hands to the loss: old log-probs a known way off the current ones."""
    g = torch.Generator().manual_seed(seed)
    model = model if model is not None else tiny_model()
    prompt = torch.randint(2, 12, (rows, 4), generator=g)
    completion = torch.randint(2, 12, (rows, width), generator=g)
    lengths = torch.randint(2, width + 1, (rows,), generator=g)
    mask = (torch.arange(width) < lengths[:, None]).long()
    with torch.no_grad():
        logits = model(input_ids=torch.cat([prompt, completion], 1)).logits[:, 3:-1]
        current = logits.log_softmax(-1).gather(-1, completion[..., None])[..., 0]
    old = current - spread * torch.randn(current.shape, generator=g)
    inputs = {
        "prompt_ids": prompt,
        "prompt_mask": torch.ones_like(prompt),
        "completion_ids": completion,
        "completion_mask": mask,
        "advantages": torch.randn(rows, generator=g),
        "num_items_in_batch": mask.sum(),
        "old_per_token_logps": old,
        "reward_mean": torch.tensor(0.4),
        "reward_std": torch.tensor(0.3),
    }
    return {**inputs, **extra}


def loss_and_grads(a_trainer, inputs):
    """Loss and flat gradient of one call of the trainer's loss, in training mode, with one micro-batch a step."""
    a_trainer.model.train()
    a_trainer.model.zero_grad()
    a_trainer.current_gradient_accumulation_steps = 1
    a_trainer._buffered_inputs = [inputs]
    a_trainer.args.steps_per_generation = 1
    loss = a_trainer._compute_loss(a_trainer.model, dict(inputs))
    loss.backward()
    grads = [p.grad.flatten() for p in a_trainer.model.parameters() if p.grad is not None]
    return loss.item(), torch.cat(grads)


def parameters(a_trainer):
    return torch.cat([p.detach().flatten() for p in a_trainer.model.parameters()])
