"""Check that the engine computes what a checkpoint means, from headers and small files, before a weight is read.

It refuses missing, unknown or misshapen tensors, another model's tokenizer, and Thinking models.
"""

import logging
import math
from itertools import chain
from typing import Any, NoReturn

from pydantic import ValidationError

from core.model.checkpoint import Checkpoint, damaged, refusal
from core.model.config import HEAD, ModelConfig, VisionConfig
from core.model.rotary import TextRotary

log = logging.getLogger(__name__)
FLOATS = ("F32", "F16", "BF16")
EMBEDDING = "model.language_model.embed_tokens.weight"
SPECIAL = ("im_start", "im_end", "vision_start", "vision_end", "image_pad")
ROUND_TRIP_TEXT = "Total 总金额: 1,234.50 (20 %)\n"  # a good tokenizer returns it unchanged
THINKS = "<think>"
TEMPLATES = (("chat_template.jinja", None), ("chat_template.json", "chat_template"),
             ("tokenizer_config.json", "chat_template"))  # fmt: skip


def read_config(checkpoint: Checkpoint) -> ModelConfig:
    """Return what config.json says, which this checkpoint fulfils exactly. Raises `OperatorError`."""
    try:
        return _read_config(checkpoint)
    except (ValueError, TypeError, LookupError, AttributeError) as error:  # settings of wrong types
        raise damaged(checkpoint.folder, error) from error


def _read_config(checkpoint: Checkpoint) -> ModelConfig:
    settings = checkpoint.read_json("config.json")
    _check_depth(checkpoint, settings)
    try:
        config = ModelConfig.model_validate(settings)
    except ValidationError as error:
        detail = error.errors(include_url=False)[0]
        refuse(checkpoint, "config.json", f"{'.'.join(map(str, detail['loc']))}: {detail['msg']}")
    _check_config(checkpoint, config)
    _check_tensors(checkpoint, config)
    _check_tokenizer(checkpoint, config)
    _check_pictures(checkpoint, config.vision_config)
    _check_template(checkpoint)
    eos_token_ids(checkpoint)
    return config


def eos_token_ids(checkpoint: Checkpoint) -> frozenset[int]:
    """Return the tokens that end an answer."""
    ends = checkpoint.read_json("generation_config.json").get("eos_token_id")
    found = [] if ends is None else ends if isinstance(ends, list) else [ends]
    if not all(type(end) is int for end in found):
        refuse(checkpoint, "generation_config.json", f"eos_token_id is {ends!r}, and not a token's number")
    encoder = checkpoint.encoder
    known = (encoder.token_to_id(name) for name in ("<|im_end|>", "<|endoftext|>"))
    return frozenset([*found, *(token for token in known if token is not None)])


def refuse(checkpoint: Checkpoint, file: str, reason: str) -> NoReturn:
    raise refusal(checkpoint.folder, file, reason)


def _check_depth(checkpoint: Checkpoint, config: dict[str, Any]) -> None:
    """Check the number of layers before modules are made for them: every layer has tensors of its own."""
    layers = (config["text_config"].get("num_hidden_layers", 1), config["vision_config"].get("depth", 1))
    if not all(type(count) is int and 0 < count <= len(checkpoint.names) for count in layers):
        refuse(checkpoint, "config.json", f"it describes {layers[0]} and {layers[1]} layers")


def _check_config(checkpoint: Checkpoint, config: ModelConfig) -> None:
    text, vision = config.text_config, config.vision_config
    sections = text.rope_parameters.mrope_section
    broken = {
        f"head_dim is {text.head_dim}, and mrope_section {list(sections)}": 2 * sum(sections) != text.head_dim,
        "num_attention_heads is no multiple of num_key_value_heads": (
            text.num_attention_heads % text.num_key_value_heads
        ),
        "out_hidden_size of vision_config is not hidden_size of text_config": (
            vision.out_hidden_size != text.hidden_size
        ),
        "hidden_size of vision_config is no multiple of 4 times num_heads": (
            vision.hidden_size % (4 * vision.num_heads)
        ),
        "deepstack_visual_indexes names blocks that are not there": (
            not all(0 <= index < vision.depth for index in vision.deepstack_visual_indexes)
            or len(vision.deepstack_visual_indexes) > text.num_hidden_layers
        ),
        f"in_channels of vision_config is {vision.in_channels}, and pictures have 3": vision.in_channels != 3,
        f"rope_type of vision_config is {vision.rope_parameters.rope_type!r}": (
            vision.rope_parameters.rope_type not in ("axial", "default")
        ),
    }
    for reason, is_broken in broken.items():
        if is_broken:
            refuse(checkpoint, "config.json", reason)
    try:
        TextRotary(text)
    except Exception as error:  # transformers raises nearly anything for inconsistent numbers
        reason = str(error).strip().splitlines()[0]
        refuse(checkpoint, "config.json", f"rope_type {text.rope_parameters.rope_type!r} is not understood ({reason})")


def _check_tensors(checkpoint: Checkpoint, config: ModelConfig) -> None:
    expected = config.shapes()
    for name in sorted(expected.keys() - checkpoint.names):
        if name != HEAD or not config.tied:
            where = checkpoint.files[0].name if len(checkpoint.files) == 1 else "model.safetensors.index.json"
            refuse(checkpoint, where, f"{name} is missing{_more(expected.keys() - checkpoint.names - {HEAD})}")
    for name in sorted(checkpoint.names):
        file, place = checkpoint.place(name)
        if name not in expected:
            refuse(checkpoint, file, f"{name} is left over: this model has no such tensor"
                   f"{_more(checkpoint.names - expected.keys())}")  # fmt: skip
        if place.shape != expected[name]:
            refuse(checkpoint, file, f"{name} has the shape {list(place.shape)}, and config.json says "
                   f"{list(expected[name])}")  # fmt: skip
        if place.kind not in FLOATS:
            refuse(checkpoint, file, f"{name} has numbers of the type {place.kind}, and this engine reads "
                   f"{', '.join(FLOATS)}")  # fmt: skip


def _more(names: Any) -> str:
    return f" (and {len(names) - 1} more)" if len(names) > 1 else ""


def _check_tokenizer(checkpoint: Checkpoint, config: ModelConfig) -> None:
    encoder = checkpoint.encoder
    file, rows = "tokenizer.json", config.text_config.vocab_size
    for name in SPECIAL:
        if encoder.token_to_id(f"<|{name}|>") is None:
            refuse(checkpoint, file, f"it has no <|{name}|>: it is another model's tokenizer")
    largest = max(chain(encoder.get_vocab(with_added_tokens=True).values()), default=-1)
    if largest >= rows:
        refuse(checkpoint, file, f"its largest token is {largest}, and {EMBEDDING} has {rows} rows")
    if encoder.token_to_id("<|image_pad|>") != config.image_token_id:
        refuse(
            checkpoint, file,
            f"<|image_pad|> is {encoder.token_to_id('<|image_pad|>')}, and config.json says {config.image_token_id}",
        )  # fmt: skip
    encoded = encoder.encode(ROUND_TRIP_TEXT, add_special_tokens=False).ids
    if encoder.decode(encoded, skip_special_tokens=True) != ROUND_TRIP_TEXT:
        refuse(checkpoint, file, "it does not give text back as it was")


def _check_pictures(checkpoint: Checkpoint, vision: VisionConfig) -> None:
    file = "preprocessor_config.json"
    settings = checkpoint.read_json(file)
    pairs = {"patch_size": vision.patch_size, "merge_size": vision.spatial_merge_size,
             "temporal_patch_size": vision.temporal_patch_size}  # fmt: skip
    for key, value in pairs.items():
        if settings.get(key, value) != value:
            refuse(checkpoint, file, f"{key} is {settings[key]!r}, and config.json says {value}")
    size = settings.get("size", {"shortest_edge": 1, "longest_edge": 1})
    edges = [size.get(key) for key in ("shortest_edge", "longest_edge")] if isinstance(size, dict) else [None]
    whole = [edge for edge in edges if type(edge) is int and edge > 0]
    if len(whole) < len(edges) or whole != sorted(whole):
        refuse(checkpoint, file, f"size is {size!r}, and shortest_edge and longest_edge must be numbers of pixels")
    for key in ("image_mean", "image_std"):
        values = settings.get(key, [0.5] * 3)
        if not (isinstance(values, list) and len(values) == 3 and all(_is_number(value) for value in values)):
            refuse(checkpoint, file, f"{key} is {values!r}, and must be three numbers")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)


def _check_template(checkpoint: Checkpoint) -> None:
    """Refuse a Thinking model. It begins each answer with its thoughts, and answers badly without them."""
    for file, key in TEMPLATES:
        path = checkpoint.folder / file
        template = path.read_text("utf-8", "replace") if key is None and path.is_file() else None
        if key is not None:
            template = checkpoint.read_json(file).get(key)
        if isinstance(template, str) and THINKS in template and _begins_thinking(template):
            refuse(checkpoint, file, "this is a Thinking model, which this engine does not run: take the Instruct one")


def _begins_thinking(template: str) -> bool:
    from transformers.utils.chat_template_utils import render_jinja_template  # seconds of imports that few models need

    question = [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "?"}]}]
    try:
        rendered = render_jinja_template([question], chat_template=template, add_generation_prompt=True)
    except Exception as error:  # a template for other messages than these
        log.warning("the chat template cannot be used: %s", error)
        return False
    text = rendered[0] if isinstance(rendered, tuple) else rendered
    return THINKS in "".join(text).rpartition("assistant")[2]
