"""Stage 1: the vision tower alone learns its letters from crammed pages. Run: python -m training.read

Goes on from the last checkpoint. Of the language model only the token embeddings learn: they name the letters.
With --from-demo the published tower learns more, alone, and stays near what the language model behind it has learned
to read: `python -m training.export read` puts it back in front.
"""

import argparse
import copy
import math
import random
import time
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from training import batches, checkpoint, export, model, pages, team, tokenizer
from training.distortions import distorted
from training.log import Log
from training.muon import Muon, is_inner_matrix

NAME = "read"
NEAR = 0.2  # nats for features that have moved as far as they spread


def main(words: Sequence[str] | None = None) -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--read-steps", type=int, default=6000)
    arguments.add_argument("--batch", type=int, default=24, help="pictures of 128x128, or as much of another size")
    arguments.add_argument("--rate", type=float, default=2e-3)
    arguments.add_argument("--from-demo", action="store_true", help="start from the weights in core/demo")
    arguments.add_argument("--seed", type=int, default=1)
    arguments.add_argument("--processes", type=int, default=1, help="that draw")
    options, _ = arguments.parse_known_args(words)

    tokens = tokenizer.load()
    saved = checkpoint.Checkpoint.load(NAME)
    network, aids = export.begin(tokens, options.seed, saved, options.from_demo)
    device = team.device()
    network.to(device)
    aids.to(device)
    tower = network.model.visual
    embedding = network.model.language_model.embed_tokens.weight
    learned = [*tower.named_parameters(), *aids.named_parameters(), ("embed_tokens.weight", embedding)]
    behind = copy.deepcopy(tower).requires_grad_(False) if options.from_demo else None
    if behind:
        learned = list(tower.named_parameters())
        network.model.language_model.requires_grad_(False)
        aids.requires_grad_(False)
    muon = Muon([p for n, p in learned if is_inner_matrix(n, p)], lr=options.rate)
    adam = torch.optim.AdamW(
        [p for n, p in learned if not is_inner_matrix(n, p)], lr=options.rate, betas=(0.9, 0.98), weight_decay=0.0
    )
    optimizers: list[torch.optim.Optimizer] = [muon, adam]
    if saved:
        for optimizer, state in zip(optimizers, saved.optimizers, strict=True):
            optimizer.load_state_dict(state)
    step, pictures, seconds = (saved.step, saved.pictures, saved.seconds) if saved else (0, 0, 0.0)

    ids = batches.alphabet(tokens)
    drawn = batches.background(pages.Pages(ids, options.batch, options.seed + step), options.processes)
    log = Log(NAME)
    rng = random.Random(options.seed + step)
    started = time.monotonic() - seconds

    def save() -> None:
        states = [optimizer.state_dict() for optimizer in optimizers]
        done = time.monotonic() - started
        checkpoint.Checkpoint(step, pictures, done, network.state_dict(), aids.state_dict(), states).save(NAME)

    while step < options.read_steps:
        rate = (
            options.rate
            * min(1.0, (step + 1) / 100)
            * (0.05 + 0.95 * 0.5 * (1 + math.cos(math.pi * step / options.read_steps)))
        )
        batch = next(drawn)
        pixels = distorted(batch.pixels.to(device), rng)
        seen = model.see(tower, pixels)
        spelled = aids.spelling(seen.tokens, batch.glyphs.to(device), embedding)
        _, height, width, _ = batch.pixels.shape
        placed = aids.whereabouts(seen.tokens, height // model.TOKEN, width // model.TOKEN)
        loss = spelled.loss + placed
        if behind:
            loss = loss + NEAR * moved(seen, model.see(behind, pixels))
        torch.autograd.backward(loss)
        torch.nn.utils.clip_grad_norm_([parameter for _, parameter in learned], 1.0)
        for optimizer in optimizers:
            for group in optimizer.param_groups:
                group["lr"] = rate
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        step += 1
        pictures += len(batch.pixels)
        values = {"named": spelled.named, "occupied": spelled.occupied, "right": spelled.right, "placed": placed}
        log.add({name: value.detach() for name, value in values.items()})
        if step % 25 == 0:
            log.write(step, pictures, time.monotonic() - started)
        if step % 100 == 0:
            save()
    save()


def moved(seen: model.Sight, before: model.Sight) -> Tensor:
    """How far features are from where they were, in shares of their variance, summed over the layers that are read."""
    layers = zip((seen.tokens, *seen.deepstack), (before.tokens, *before.deepstack), strict=True)
    return torch.stack([functional.mse_loss(now, then) / then.var() for now, then in layers]).sum()


if __name__ == "__main__":
    main()
