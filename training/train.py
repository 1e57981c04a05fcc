"""Train the demo model from random weights. Run it with `python -m training.train`.

Stage 1 teaches the vision tower its letters from crammed pages; of the language model only the token embeddings learn.
Stage 2 teaches the whole model to answer, on conversations. The weights go to training/out; nothing else is touched.
A checkpoint is saved every five minutes, and the same command goes on from there.
"""

import argparse
import math
import os
import random
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from transformers import Qwen3VLForConditionalGeneration

from training import export, model, tokenizer
from training.augmentation import augment
from training.auxiliary import AttentionSupervision, AuxiliaryHeads
from training.datasets import Conversations, Pages, background
from training.encoding import Batch, ImageBatch, alphabet
from training.muon import Muon, is_inner_matrix

OUT = Path(__file__).parent / "out"
WARM_UP_STEPS = 40
SAVE_SECONDS = 300.0
LAST_RATE = 0.03  # share of the learning rate that is left at the end
Values = dict[str, Tensor]


def main(words: list[str] | None = None) -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--out", type=Path, default=OUT, help="folder for the checkpoint and the model")
    arguments.add_argument("--page-steps", type=int, default=6000, help="steps of stage 1")
    arguments.add_argument("--steps", type=int, default=4000, help="steps of stage 2")
    arguments.add_argument("--pages", type=int, default=24, help="per batch of stage 1, of 128x128 pixels")
    arguments.add_argument("--tokens", type=int, default=5000, help="per batch of stage 2, pictures and text together")
    arguments.add_argument("--rate", type=float, default=2e-3)
    arguments.add_argument("--tower-rate", type=float, default=0.3, help="the tower's share of the rate in stage 2")
    arguments.add_argument("--seed", type=int, default=1)
    arguments.add_argument("--processes", type=int, default=max(1, (os.cpu_count() or 2) - 1), help="that draw")
    options = arguments.parse_args(words)
    options.out.mkdir(parents=True, exist_ok=True)
    tokens = tokenizer.load()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    torch.set_float32_matmul_precision("high")
    network = model.build(tokens, options.seed).to(device).train()
    training = Training(network, options)
    if training.stage == 1:
        pages = Pages(alphabet(tokens), options.pages, options.seed + training.step)
        training.run(options.page_steps, background(pages, options.processes), training.page_loss, tower_rate=1.0)
        training.stage, training.step = 2, 0
    done, pace = training.step / options.steps, 1 / options.steps
    held = Conversations(tokens, options.tokens, options.seed, done, pace)
    training.run(options.steps, background(held, options.processes), training.answer_loss, options.tower_rate)
    export.save_model(network, options.out)


class Training:
    """A network that learns, and its checkpoint."""

    def __init__(self, network: Qwen3VLForConditionalGeneration, options: argparse.Namespace) -> None:
        self.network, self.options = network, options
        self.device: torch.device = network.device
        self.embedding: Tensor = network.model.language_model.embed_tokens.weight
        self.heads = AuxiliaryHeads(network.config.text_config.hidden_size).to(self.device)
        self.attention = AttentionSupervision(network.model.language_model)
        self.optimizers = make_optimizers(network, self.heads)
        self.rng = random.Random(options.seed)
        self.checkpoint: Path = options.out / "checkpoint.pt"
        self.stage, self.step = 1, 0
        if self.checkpoint.exists():
            self.load()

    def load(self) -> None:
        saved = torch.load(self.checkpoint, map_location="cpu", weights_only=True)
        self.stage, self.step = saved["stage"], saved["step"]
        for part, state in zip((self.network, self.heads, *self.optimizers), saved["parts"], strict=True):
            part.load_state_dict(state)

    def save(self) -> None:
        parts = [part.state_dict() for part in (self.network, self.heads, *self.optimizers)]
        temporary = self.checkpoint.with_suffix(".tmp")
        torch.save({"stage": self.stage, "step": self.step, "parts": parts}, temporary)
        os.replace(temporary, self.checkpoint)

    def run(
        self, steps: int, batches: Iterable[Any], loss_of: Callable[..., tuple[Tensor, Values]], tower_rate: float
    ) -> None:
        """Take steps until `steps` are done; the rate rises for a few of them, and then falls along a cosine."""
        learned = [p for optimizer in self.optimizers for group in optimizer.param_groups for p in group["params"]]
        saved_at = started = time.monotonic()
        for batch in batches:
            if self.step >= steps:
                break
            decay = LAST_RATE + (1 - LAST_RATE) * 0.5 * (1 + math.cos(math.pi * self.step / steps))
            rate = self.options.rate * min(1.0, (self.step + 1) / WARM_UP_STEPS) * decay
            loss, values = loss_of(*batch)
            torch.autograd.backward(loss)
            torch.nn.utils.clip_grad_norm_(learned, 1.0)
            for optimizer in self.optimizers:
                for group in optimizer.param_groups:
                    group["lr"] = rate * (tower_rate if group["tower"] else 1.0)
                optimizer.step()
                optimizer.zero_grad(set_to_none=True)
            self.step += 1
            if self.step % 25 == 0:
                figures = " ".join(f"{name} {float(value):.4f}" for name, value in values.items())
                print(f"stage {self.stage} step {self.step} seconds {time.monotonic() - started:.0f} {figures}")
            if time.monotonic() > saved_at + SAVE_SECONDS:
                self.save()
                saved_at = time.monotonic()
        self.save()

    def page_loss(self, images: ImageBatch) -> tuple[Tensor, Values]:
        """Return the loss of the vision tower alone, and figures for the log."""
        pixels = augment(images.pixels.to(self.device), self.rng)
        return self.tower_loss(model.image_tokens(model.encode_images(self.network, pixels)), images, 1.0)

    def tower_loss(self, tokens: Tensor, images: ImageBatch, position_weight: float) -> tuple[Tensor, Values]:
        _, height, width, _ = images.pixels.shape
        glyphs, right = self.heads.glyphs(tokens, images.glyphs.to(self.device), self.embedding)
        positions = self.heads.positions(tokens, height // model.PATCH, width // model.PATCH)
        return glyphs + position_weight * positions, {"characters": right, "positions": positions.detach()}

    def answer_loss(self, batch: Batch, pages: ImageBatch) -> tuple[Tensor, Values]:
        """Return the loss of a batch of conversations and crammed pages, and figures for the log."""
        pixels = augment(batch.images.pixels.to(self.device), self.rng)
        encoded = model.encode_images(self.network, pixels)
        ids, wanted = batch.ids.to(self.device), batch.answers.to(self.device)
        logits = model.text_logits(self.network, ids, wanted, encoded, model.pixel_values(pixels)[1])
        targets = ids[:, 1:][wanted[:, 1:]]
        answers = functional.cross_entropy(logits, targets)
        computed = batch.computed.to(self.device)[:, 1:][wanted[:, 1:]]  # a few tokens among hundreds that are copied
        result = functional.cross_entropy(logits[computed], targets[computed]) if computed.any() else answers
        here, there = batch.here.to(self.device), batch.there.to(self.device)
        attention = self.attention.loss(here, there, self.heads.read_cells)
        tower, values = self.tower_loss(model.image_tokens(encoded), batch.images, 20.0)
        page, _ = self.page_loss(pages)
        loss = answers + 0.2 * result + 0.3 * attention + 0.5 * (tower + page)
        right = (logits.argmax(-1) == targets).float().mean()
        return loss, values | {"answers": answers.detach(), "right": right, "attention": attention.detach()}


def make_optimizers(network: Qwen3VLForConditionalGeneration, heads: AuxiliaryHeads) -> list[torch.optim.Optimizer]:
    """Return Muon for the matrices and AdamW for the rest, each with the vision tower as a group of its own."""
    named = [*network.named_parameters(), *heads.named_parameters()]

    def groups(inner: bool) -> list[dict[str, Any]]:
        chosen = [(name, p) for name, p in named if is_inner_matrix(name, p) == inner]
        return [
            {"params": [p for name, p in chosen if (".visual." in name) == tower], "tower": tower}
            for tower in (True, False)
        ]

    adam = torch.optim.AdamW(groups(inner=False), lr=1e-3, betas=(0.9, 0.98), weight_decay=0.0)
    return [Muon(groups(inner=True), lr=1e-3), adam]


if __name__ == "__main__":
    main()
