"""A vision-language model made on the spot, with pictures in the prompts and in the answers of tools."""

from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from peft import LoraConfig
from PIL import Image
from transformers import CLIPVisionConfig, LlavaConfig, LlavaForConditionalGeneration, LlavaProcessor
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

from side_by_side.case import Case, Script
from side_by_side.parts import acting, call, chat_model, chat_tokenizer, message_reward

PIXELS, PATCH = 8, 4


def vision_model() -> LlavaForConditionalGeneration:
    """LLaVA with a CLIP of two layers before the chat model."""
    torch.manual_seed(0)
    tokenizer = chat_tokenizer()
    vision = CLIPVisionConfig(
        hidden_size=16, intermediate_size=32, num_hidden_layers=2, num_attention_heads=2, image_size=PIXELS,
        patch_size=PATCH, projection_dim=16,
    )  # fmt: skip
    return LlavaForConditionalGeneration(
        LlavaConfig(
            vision_config=vision, text_config=chat_model().config, pad_token_id=0, eos_token_id=tokenizer.eos_token_id,
            image_token_id=tokenizer.convert_tokens_to_ids("<image>"), image_seq_length=(PIXELS // PATCH) ** 2,
        )
    )  # fmt: skip


def processor() -> LlavaProcessor:
    """Pictures by PIL, text by the chat tokenizer."""
    tokenizer = chat_tokenizer()
    size = {"height": PIXELS, "width": PIXELS}
    images = CLIPImageProcessorPil(size={"shortest_edge": PIXELS}, crop_size=size)
    return LlavaProcessor(
        images, tokenizer, patch_size=PATCH, vision_feature_select_strategy="default", image_token="<image>",
        num_additional_image_tokens=1, chat_template=tokenizer.chat_template,
    )  # fmt: skip


def picture(i: int) -> Image.Image:
    """A picture of one colour."""
    return Image.new("RGB", (PIXELS, PIXELS), (i * 37 % 256, i * 91 % 256, 128))


def pictures(rows: int = 32, each: int = 1, column: str = "image") -> Dataset:
    """Questions with pictures: one in the column `image`, or a list of them in `images`."""
    prompts = [[{"role": "user", "content": f"{i % 10}?"}] for i in range(rows)]
    shown = [picture(i) if column == "image" else [picture(i + j) for j in range(each)] for i in range(rows)]
    return Dataset.from_dict({"prompt": prompts, column: shown})


def some_without() -> Dataset:
    """Every second row has no picture."""
    rows = pictures()
    return Dataset.from_dict(
        {"prompt": rows["prompt"], "images": [[picture(i)] if i % 2 else [] for i in range(len(rows))]}
    )


def _texts() -> Dataset:
    return Dataset.from_dict({"prompt": [f"{i}?" for i in range(32)], "image": [picture(i) for i in range(32)]})


def _plot(number: int) -> list[dict[str, Any]]:
    """Draw a number.

    Args:
        number: What to draw.

    Returns:
        The picture and its title.
    """
    return [{"type": "image", "image": picture(number)}, {"type": "text", "text": f"plot {number}"}]


def _sees(
    name: str,
    source: str,
    data: Any = pictures,
    *,
    quick: bool = False,
    more: Any = dict,
    says: Any = None,
    **args: Any,
) -> Case:
    def build(folder: Path) -> Script:
        prepare = acting(*says) if says else None
        return Script(args, vision_model(), message_reward, data(), processor(), more(), prepare)

    return Case(name, source, build, quick=quick)


def _by_path(folder: Path) -> Script:
    path = str(folder / "model")
    vision_model().save_pretrained(path)
    processor().save_pretrained(path)
    return Script({"beta": 0.1}, path, message_reward, pictures(), processor())


def _lora() -> dict[str, Any]:
    return {"peft_config": LoraConfig(r=4, target_modules=["q_proj", "v_proj"])}


VLM = "tests: test_train_vlm"
CASES = [
    _sees("a picture a prompt", VLM, quick=True),
    _sees("a picture a prompt, 4 updates a round", VLM + "_and_importance_sampling", loss_type="grpo",
          steps_per_generation=4, max_steps=4),
    _sees("two pictures a prompt", VLM + "_multi_image", lambda: pictures(each=2, column="images")),
    _sees("prompts with and without pictures", "-", some_without),
    _sees("pictures, pad_to_multiple_of", VLM + "_with_pad_to_multiple_of", pad_to_multiple_of=8),
    _sees("pictures, log_completions without them", VLM + "_log_multimodal_false", log_completions=True,
          log_multimodal=False),
    _sees("pictures, log_completions", "docs: grpo_trainer.md", log_completions=True),
    _sees("pictures, LoRA", VLM + "_peft", more=_lora),
    _sees("pictures, accumulation 2", VLM, gradient_accumulation_steps=2),
    _sees("pictures, evaluation", VLM, more=lambda: {"eval_dataset": pictures(8)}, eval_strategy="steps",
          eval_steps=2, per_device_eval_batch_size=8),
    Case("pictures, beta, the model by its path", VLM + "_beta_non_zero", _by_path),
    _sees("pictures with prompts that are no messages", "-", _texts),
    _sees("a tool that answers with a picture", "tests: test_train_with_tools_multimodal_response",
          says=(call("_plot", '{"number": 3}'), "7x", "77"), more=lambda: {"tools": [_plot]}, max_completion_length=96),
]  # fmt: skip
