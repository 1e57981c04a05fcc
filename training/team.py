"""Several processes that train one model together, each on conversations of its own.

On a CPU two processes of one thread each do more than one of two: threads wait for each other in every operation,
processes once a step.
"""

import os
import signal
import sys
import tempfile
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, distributed, multiprocessing


def train(work: Callable[[Any], None], options: Any) -> None:
    """Runs `work(options)` once per core, or once where a GPU does the work; whoever ends this one ends them all."""
    size = 1 if torch.cuda.is_available() else os.cpu_count() or 1
    if size == 1:
        work(options)
        return
    with tempfile.TemporaryDirectory() as directory:
        members = multiprocessing.spawn(  # type: ignore[attr-defined, no-untyped-call]
            member, (size, f"file://{directory}/meeting", work, options), size, join=False
        )
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
        try:
            while not members.join():
                pass
        finally:
            for process in members.processes:
                process.terminate()


def member(rank: int, size: int, meeting: str, work: Callable[[Any], None], options: Any) -> None:
    torch.set_num_threads(1)
    distributed.init_process_group("gloo", init_method=meeting, rank=rank, world_size=size)
    work(options)
    distributed.destroy_process_group()


def device() -> torch.device:
    """A GPU if there is one. It multiplies 19 of float32's 32 bits: bfloat16 with its casts took longer."""
    if not torch.cuda.is_available():
        return torch.device("cpu")
    torch.set_float32_matmul_precision("high")
    return torch.device("cuda")


def rank() -> int:
    return distributed.get_rank() if distributed.is_initialized() else 0


def size() -> int:
    return distributed.get_world_size() if distributed.is_initialized() else 1


def add_up(tensors: Iterable[Tensor]) -> None:
    """Makes each tensor the sum over all processes, in place."""
    if not distributed.is_initialized():
        return
    chosen = list(tensors)
    flat = torch.cat([tensor.flatten() for tensor in chosen])
    distributed.all_reduce(flat)
    for tensor, summed in zip(chosen, torch.split(flat, [tensor.numel() for tensor in chosen]), strict=True):
        tensor.copy_(summed.view_as(tensor))


def agreed(number: float) -> float:
    """What the first process says, for all of them: they have to stop at the same step."""
    if not distributed.is_initialized():
        return number
    said = torch.tensor(number, dtype=torch.float64)
    distributed.broadcast(said, 0)
    return float(said)
