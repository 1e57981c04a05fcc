"""What is imported is waited for at every start, so what is not used is not imported."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from core.model.description import DEMO

ROOT = Path(__file__).parents[3]
TORCH = {"torch", "transformers", "tokenizers", "safetensors", "numpy"}
SERVICE = {"sqlalchemy", "alembic", "starlette", "fastapi", "uvicorn", "telegram", "slack_sdk", "PIL"}
# Parts of torch that train, compile and distribute; each alone takes as long as mapping a 2B model's weights.
UNUSED = {"torch._dynamo", "torch._inductor", "torch.distributed.tensor", "torch.onnx", "sympy"}
QUESTION = [str(DEMO / "samples" / "chart.png"), "Extract all text."]


def imported(module: str, *arguments: str, folder: Path) -> set[str]:
    """Run a command until its end, and return the modules that it has imported."""
    script = (
        "import runpy, sys, atexit\n"
        "atexit.register(lambda: print(*sorted(sys.modules), file=sys.stderr))\n"
        f"runpy.run_module({module!r}, run_name='__main__', alter_sys=True)"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments], capture_output=True, text=True, env=environment, cwd=folder
    )
    assert done.returncode == 0, done.stderr
    return set(done.stderr.splitlines()[-1].split())


def test_an_answer_about_a_picture_imports_neither_transformers_nor_parts_of_torch_that_train(tmp_path: Path) -> None:
    modules = imported("bots", "ask", *QUESTION, folder=tmp_path)
    assert {"torch", "core.engine.worker"} <= modules
    assert not modules & (UNUSED | {"transformers", "accelerate", "huggingface_hub"})


@pytest.mark.parametrize("command", [("bots", "--help"), ("core.engine", "--help"), ("core.engine", "bench", "--help")])
def test_help_imports_no_model_no_database_and_no_server(command: tuple[str, ...], tmp_path: Path) -> None:
    assert not imported(*command, folder=tmp_path) & (TORCH | SERVICE)
