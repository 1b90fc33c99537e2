"""Pictures of problems, and prompts with a place for each.

In a problem's text `<image>` marks where a picture stands, as in the data sets of EasyR1 and verl; a text without the
mark has its pictures first. A prompt for a model is then a conversation whose user turn is a list of parts, which is
what TRL and the processors of transformers take:

    [{"role": "user", "content": [{"type": "image", "text": None}, {"type": "text", "text": "Find x."}]}]
"""

import hashlib
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pmpo.tasks.errors import InputError

if TYPE_CHECKING:
    from PIL.Image import Image

MARK = "<image>"


@dataclass(frozen=True)
class Picture:
    """A picture that is decoded when it is opened: the bytes of its file (PNG, JPEG, …), or where that file is."""

    data: bytes | None = None
    path: str | None = None

    @classmethod
    def of(cls, value: Any) -> "Picture":
        """From a path, the bytes of a file, a PIL image, or the {"bytes", "path"} of the library `datasets`.

        Raises: TypeError for anything else.
        """
        if isinstance(value, Picture):
            return value
        if isinstance(value, str | Path):
            return cls(path=str(value))
        if isinstance(value, bytes):
            return cls(value)
        if isinstance(value, Mapping) and {"bytes", "path"} & set(value):
            data = value.get("bytes")
            return cls(data, None if data is not None else value.get("path"))
        if hasattr(value, "save") and hasattr(value, "mode"):
            file = io.BytesIO()
            value.save(file, "PNG")
            return cls(file.getvalue())
        raise TypeError(f"A picture is a {type(value).__name__}, not a path, the bytes of a file or a PIL image.")

    def row(self) -> dict[str, Any]:
        """As the feature `Image` of the library `datasets` stores it."""
        return {"bytes": self.data, "path": self.path}

    def open(self) -> "Image":
        """The picture as a PIL image; only its header is read until the pixels are asked for.

        Raises: InputError when there is no such file, or it is no picture.
        """
        from PIL import Image, UnidentifiedImageError

        try:
            return Image.open(io.BytesIO(self.data) if self.data is not None else str(self.path))
        except (OSError, UnidentifiedImageError) as error:
            name = self.path if self.data is None else f"of {len(self.data)} bytes"
            raise InputError(f"The picture {name} cannot be read ({error}).") from error

    @property
    def identity(self) -> str:
        """A hash of the file's bytes."""
        data = self.data if self.data is not None else Path(str(self.path)).read_bytes()
        return hashlib.sha256(data).hexdigest()[:16]


def without_marks(text: str) -> str:
    """The text of a problem alone."""
    return text.replace(MARK, "").strip()


def conversation(text: str, pictures: int, system_prompt: str | None = None) -> list[dict[str, Any]]:
    """The prompt of a problem with `pictures` pictures, as the conversation described above.

    Raises: InputError when the text marks another number of pictures.
    """
    marked = text.count(MARK)
    if marked not in (0, pictures):
        raise InputError(
            f"The problem {text[:60]!r} marks {marked} place{'s' if marked != 1 else ''} with {MARK}, but it has "
            f"{pictures} picture{'s' if pictures != 1 else ''}; mark each of them, or none."
        )
    pieces = text.split(MARK) if marked else [*[""] * pictures, text]
    parts: list[dict[str, Any]] = []
    for number, piece in enumerate(pieces):
        if number:
            parts.append({"type": "image", "text": None})
        if piece:
            parts.append({"type": "text", "text": piece})
    turns = [{"role": "user", "content": parts}]
    if system_prompt is not None:
        turns.insert(0, {"role": "system", "content": [{"type": "text", "text": system_prompt}]})
    return turns


def render(turns: Sequence[Mapping[str, Any]], processor: Any, chat_template_kwargs: Mapping[str, Any] | None) -> str:
    """A conversation in the processor's chat template, with the model's own mark for every picture; the processor turns
    this text and the pictures into the model's input.

    Raises: InputError for a processor without a chat template.
    """
    if not getattr(processor, "chat_template", None):
        raise InputError(
            "The problems have pictures, which only a chat template can place, and the model's processor has none; use "
            "an instruction-tuned vision-language model."
        )
    options = dict(chat_template_kwargs or {})
    text: str = processor.apply_chat_template(list(turns), tokenize=False, add_generation_prompt=True, **options)
    # The processor tokenizes the text again, and one that prepends its own start token would then write it twice.
    tokenizer = processor.tokenizer
    start = tokenizer.bos_token
    if start and text.startswith(start) and tokenizer("x")["input_ids"][:1] == [tokenizer.bos_token_id]:
        return text[len(start) :]
    return text


def prompt_lengths(processor: Any, texts: Sequence[str], pictures: Iterable[Sequence[Picture]]) -> list[int] | None:
    """Tokens of rendered prompts with their pictures, from the pictures' sizes alone; None for a processor that does
    not tell how many tokens a picture takes."""
    count = getattr(processor, "_get_num_multimodal_tokens", None)  # what vLLM asks too
    if count is None:
        return None
    taken: dict[tuple[int, int], int] = {}
    lengths = []
    for ids, own in zip(processor.tokenizer(list(texts))["input_ids"], pictures, strict=True):
        length = len(ids)
        for picture in own:
            width, height = picture.open().size
            if (height, width) not in taken:
                taken[height, width] = count(image_sizes=[(height, width)])["num_image_tokens"][0]
            length += taken[height, width] - 1  # the text has one token for it
        lengths.append(length)
    return lengths
