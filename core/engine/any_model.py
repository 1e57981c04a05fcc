"""Any vision-language checkpoint that transformers can load, through accelerate, and its processor for pictures."""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from PIL import Image as Pillow
from transformers import AutoConfig, AutoImageProcessor, AutoModelForImageTextToText, AutoTokenizer, GenerationConfig
from transformers.models.auto.processing_auto import PROCESSOR_MAPPING

from core import thoughts
from core.conversation import Turn, labelled
from core.errors import OperatorError
from core.model.precision import Precision

TYPES: dict[Precision, Any] = {
    Precision.AUTO: "auto",  # as the checkpoint has it
    Precision.FLOAT32: torch.float32,
    Precision.FLOAT16: torch.float16,
}


def check(folder: Path, precision: Precision) -> str:
    """Return the architecture's name. Raises `OperatorError` for what cannot be loaded, before a weight is read."""
    return _prepare(folder, precision)[0]


def load(folder: Path, precision: Precision, offload: Path) -> tuple[Any, Any]:
    """Return model and processor. What has room on no GPU and not in memory goes to the folder `offload`."""
    _, processor = _prepare(folder, precision)
    try:
        model = AutoModelForImageTextToText.from_pretrained(
            folder, dtype=TYPES[precision], device_map="auto", offload_folder=str(offload), local_files_only=True
        )
    except Exception as error:
        raise _explained(folder, error) from error
    if model.generation_config is None:
        model.generation_config = GenerationConfig()
    return model.eval(), processor


def _prepare(folder: Path, precision: Precision) -> tuple[str, Any]:
    if precision not in TYPES:
        raise OperatorError('The reference engine has no int8: set precision = "auto" in [core.engine].')
    try:
        config = AutoConfig.from_pretrained(folder, local_files_only=True)
        name = str(AutoModelForImageTextToText._model_mapping[type(config)].__name__)
        return name, load_processor(folder, config)
    except Exception as error:  # transformers raises dozens of types for what it does not know
        raise _explained(folder, error) from error


def load_processor(folder: Path, config: Any) -> Any:
    """Return the model's own processor, for pictures and text alone: that for videos would need torchvision."""
    theirs = PROCESSOR_MAPPING[type(config)]

    class PictureProcessor(theirs):  # type: ignore[misc, valid-type]
        @classmethod
        def _get_arguments_from_pretrained(cls, name: Any, *_: Any, **options: Any) -> list[Any]:
            made = {
                "tokenizer": lambda: AutoTokenizer.from_pretrained(name, local_files_only=True),
                "image_processor": lambda: AutoImageProcessor.from_pretrained(
                    name, backend="pil", local_files_only=True
                ),
            }
            return [made.get(part, lambda: None)() for part in cls.get_attributes()]

        def check_argument_for_proper_class(self, argument_name: str, argument: Any) -> Any:
            return type(argument) if argument is None else super().check_argument_for_proper_class(
                argument_name, argument
            )  # fmt: skip

    processor = PictureProcessor.from_pretrained(folder, local_files_only=True)
    if not getattr(processor, "chat_template", None):
        processor.chat_template = processor.tokenizer.chat_template
    if not processor.chat_template:
        raise ValueError("it has no chat template")
    return processor


def make_inputs(processor: Any, turns: Sequence[Turn], system: str = "") -> Any:
    """Return the model's inputs for a conversation's turns: the chat template's text as tokens, and pixels.

    `system` is what the model is told first.
    """
    messages: list[dict[str, Any]] = []
    if system:
        messages.append({"role": "system", "content": [{"type": "text", "text": system}]})
    pictures = []
    for turn in turns:
        content: list[dict[str, str]] = []
        for label, view in labelled(turn.pictures):
            content += [{"type": "text", "text": label}, {"type": "image"}]
            with Pillow.open(io.BytesIO(view.data)) as opened:
                shown = opened.crop(*view.tiles).convert("RGB")
            pictures.append(shown.resize((view.width, view.height), Pillow.Resampling.LANCZOS))
        messages.append({"role": "user", "content": [*content, {"type": "text", "text": turn.text}]})
        if turn.answer:
            messages.append(
                {"role": "assistant", "content": [{"type": "text", "text": thoughts.without(turn.answer.text)}]}
            )
    text = processor.apply_chat_template(messages, add_generation_prompt=True, tokenize=False)
    return processor(text=[text], images=pictures or None, return_tensors="pt")


def _explained(folder: Path, error: Exception) -> OperatorError:
    reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
    return OperatorError(
        "The reference engine cannot load the model in {folder}: {reason}", folder=str(folder), reason=reason
    )
