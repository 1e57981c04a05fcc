"""Answer questions about pictures with a Qwen3-VL checkpoint on the CPU. Importing this package imports no torch.

Begin with `core.engine.engine.Engine`. NOTES.md tells what was measured and what did not help.
"""

from core.engine.config import EngineConfig
from core.model.precision import Precision

__all__ = ["EngineConfig", "Precision"]
