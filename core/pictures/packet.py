"""Name a piece of what a worker process returns of a job."""

from typing import Any

Packet = tuple[dict[str, Any], bytes]  # what it is, and its bytes
