"""Tell what kind of model a config.json describes.

This engine computes one kind, and would answer garbage for others.
"""

from typing import Any

MODEL_TYPE = "qwen3_vl"
ARCHITECTURE = "Qwen3VLForConditionalGeneration"
ACTIVATIONS = {"text_config": "silu", "vision_config": "gelu_pytorch_tanh"}  # of the MLPs in `core.model`


def objection(config: dict[str, Any]) -> str | None:
    """Return why the engine cannot compute this model correctly, or None."""
    kind = config.get("model_type")
    text, vision = config.get("text_config"), config.get("vision_config")
    if "moe" in str(kind) or (isinstance(text, dict) and text.get("num_experts")):
        return "it is a mixture of experts (MoE), which this engine does not run: take a dense Qwen3-VL"
    if kind != MODEL_TYPE:
        return (
            f"model_type is {kind!r}, and this engine runs {MODEL_TYPE!r}: it is not a Qwen3-VL model. With "
            'kind = "reference" in [core.engine] transformers runs it, slower'
        )
    for part in (config, text, vision):
        for key in ("quantization_config", "compression_config"):
            if isinstance(part, dict) and part.get(key):
                return (
                    f"{key} says that the weights are quantized ({_method(part[key])}): take the model in bfloat16; "
                    "int8 weights are made of it here"
                )
    if ARCHITECTURE not in (config.get("architectures") or [ARCHITECTURE]):
        return f"architectures is {config['architectures']}, and this engine runs {ARCHITECTURE}"
    if not isinstance(text, dict) or not isinstance(vision, dict):
        return "text_config or vision_config is missing"
    for name, part in (("text_config", text), ("vision_config", vision)):
        if part.get("hidden_act", ACTIVATIONS[name]) != ACTIVATIONS[name]:
            return f"hidden_act of {name} is {part['hidden_act']!r}, and this engine computes {ACTIVATIONS[name]!r}"
    return None


def _method(quantization: Any) -> str:
    known = quantization if isinstance(quantization, dict) else {}
    return str(known.get("quant_method") or known.get("format") or "unknown method")
