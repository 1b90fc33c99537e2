"""Vision-language models: their processor, and completions from one that is loaded in this process."""

from pathlib import Path
from typing import Any

from pmpo.tasks.errors import InputError


def load_processor(location: str, **options: Any) -> Any:
    """The processor of a vision-language model, which turns texts and pictures into its input.

    Args:
        location: folder or hub id.
        options: of `AutoProcessor.from_pretrained`.
    Raises: InputError for a model that takes no pictures, or whose processor needs torchvision where there is none;
        whatever `from_pretrained` raises for files that cannot be read.
    """
    from transformers import AutoProcessor
    from transformers.utils import is_torchvision_available

    what = f"The model folder {location}" if Path(location).is_dir() else f"The model {location!r}"
    try:
        processor = AutoProcessor.from_pretrained(location, **options)
    except (ImportError, AttributeError, ValueError) as error:
        if is_torchvision_available():
            raise
        reason = " ".join(str(error).split())[:200]
        raise InputError(
            f"{what} takes pictures, if at all, through a processor that needs torchvision ({reason}): pip install "
            "torchvision."
        ) from error
    if not hasattr(processor, "image_processor"):
        raise InputError(
            f"{what} takes no pictures, and the problems have some; name a vision-language model, such as "
            "Qwen/Qwen2.5-VL-3B-Instruct."
        )
    return processor
