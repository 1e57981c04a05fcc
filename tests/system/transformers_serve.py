"""`transformers serve` for a model of pictures alone: the processor for videos would need torchvision.

Run it as `python -m tests.system.transformers_serve serve FOLDER --port 8000`.
"""

from pathlib import Path
from typing import Any

from transformers import AutoConfig
from transformers.cli.serving.model_manager import ModelManager
from transformers.cli.transformers import main

from core.engine.any_model import load_processor


def _load_processor(manager: ModelManager, name: str, gguf_file: str | None = None) -> Any:
    folder = Path(name.partition("@")[0])
    return load_processor(folder, AutoConfig.from_pretrained(folder))


ModelManager._load_processor = _load_processor
main()
