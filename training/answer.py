"""Stage 2: the whole model learns to answer. Run: python -m training.answer

Goes on from its own last checkpoint; without one it starts from the tower of stage 1, or, where checkpoints were lost,
from the published weights (--from-demo).
"""

import argparse
import dataclasses
import math
import random
import time
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional
from transformers import Qwen3VLForConditionalGeneration

from training import batches, checkpoint, export, model, team, tokenizer
from training.aids import Aids, Spelled
from training.course import GRADES, Course
from training.distortions import distorted
from training.log import Log
from training.muon import Muon, is_inner_matrix
from training.pointing import Pointing

NAME = "answer"
WARM_UP = 40  # steps
SAVED_EVERY = 300.0  # seconds


def main(words: Sequence[str] | None = None) -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--answer-steps", type=int, default=4000)
    arguments.add_argument("--minutes", type=float, help="to train for in all, instead of a number of steps")
    arguments.add_argument(
        "--sitting", type=float, default=math.inf, help="minutes after which to stop, and go on later"
    )
    arguments.add_argument("--tokens", type=int, default=5000, help="per batch, pictures and text together")
    arguments.add_argument("--sums", type=int, default=24, help="per batch, told in words (training/sums.py)")
    arguments.add_argument("--rate", type=float, default=2e-3)
    arguments.add_argument(
        "--tower", type=float, default=0.3, help="the tower's rate as a share of the rate; 0: the language model alone"
    )
    arguments.add_argument("--from-demo", action="store_true", help="start from the weights in core/demo")
    arguments.add_argument("--hold", type=float, default=0.0, help="to what those say rightly, in nats for a nat apart")
    arguments.add_argument("--seed", type=int, default=2)
    arguments.add_argument("--processes", type=int, default=1, help="that draw")
    options, _ = arguments.parse_known_args(words)
    team.train(train, options)


def train(options: argparse.Namespace) -> None:
    tokens = tokenizer.load()
    saved = checkpoint.Checkpoint.load(NAME)
    behind = saved or (None if options.from_demo else checkpoint.Checkpoint.load("read"))
    network, aids = export.begin(tokens, options.seed, behind, options.from_demo)
    device = team.device()
    network.to(device).train()
    aids.to(device)
    for part in settled(network, aids, options.tower):
        part.requires_grad_(False)
    before = export.begin(tokens, options.seed, None, from_demo=True)[0].to(device) if options.hold else None
    pointing = Pointing(network.model.language_model)
    optimizers, shares = teachers(network, aids, options.tower)
    if saved:
        for optimizer, state in zip(optimizers, saved.optimizers, strict=True):
            optimizer.load_state_dict(state)
    step, pictures, seconds = (saved.step, saved.pictures, saved.seconds) if saved else (0, 0, 0.0)
    if options.from_demo and not saved:
        step = round(GRADES[-2].until * options.answer_steps)  # small pictures are behind it
    first = step

    seed = options.seed + 1000 * team.rank()
    portion = options.tokens // team.size()
    sums_each = options.sums // team.size()
    done_before, pace = step / options.answer_steps, 1 / options.answer_steps
    course = Course(tokens, portion, sums_each, seed, done_before, pace, crammed=options.tower > 0)
    lessons = batches.background(course, options.processes)
    log = Log(NAME)
    rng = random.Random(seed + step)
    sat_down = saved_at = time.monotonic()

    def sat() -> float:
        return time.monotonic() - sat_down

    def save() -> None:
        states = [optimizer.state_dict() for optimizer in optimizers]
        spent = seconds + sat()
        checkpoint.Checkpoint(step, pictures, spent, network.state_dict(), aids.state_dict(), states).save(NAME)

    def done() -> float:
        """The share of the training that is behind it."""
        if options.minutes:
            return team.agreed((seconds + sat()) / 60 / options.minutes)
        return float(step / options.answer_steps)

    while (progress := done()) < 1.0 and team.agreed(sat() / 60) < options.sitting:
        decay = 0.03 + 0.97 * 0.5 * (1 + math.cos(math.pi * progress))
        rate = options.rate * min(1.0, (step - first + 1) / WARM_UP) * decay
        batch, crammed, drill = next(lessons)
        batch = dataclasses.replace(batch, prints=shown_anew(batch.prints, rng, device))
        loss, values = judge(network, aids, pointing, batch, device, before, options.hold)
        reckoned, sums = reckon(network, drill, device)
        loss = loss + 0.5 * reckoned
        values["sums"] = sums
        if crammed:
            page = spell(network, aids, shown_anew(crammed, rng, device), device)
            loss = loss + 0.5 * page.loss
            values["crammed"] = page.right.detach()
        torch.autograd.backward(loss)
        log.add(values)
        pictures += len(batch.prints.pixels) * team.size()
        learned = [p for p in (*network.parameters(), *aids.parameters()) if p.requires_grad]
        team.add_up(p.grad if p.grad is not None else torch.zeros_like(p) for p in learned)
        torch.nn.utils.clip_grad_norm_(learned, 1.0)
        for optimizer in optimizers:
            for group, share in zip(optimizer.param_groups, shares, strict=True):
                group["lr"] = rate * share
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        step += 1
        if team.rank():
            continue
        if step % 10 == 0:
            log.write(step, pictures, seconds + sat())
        if time.monotonic() > saved_at + SAVED_EVERY:
            save()
            saved_at = time.monotonic()
    if not team.rank():
        save()


def shown_anew(prints: batches.Prints, rng: random.Random, device: torch.device) -> batches.Prints:
    return batches.Prints(distorted(prints.pixels.to(device), rng), prints.glyphs.to(device))


def settled(network: Qwen3VLForConditionalGeneration, aids: Aids, tower: float) -> list[torch.nn.Module]:
    """What stays as it is. What counts is exact (training/count.py), and so must be the words that it hears."""
    language = network.model.language_model
    counting = len(language.layers) - model.READING
    parts = [language.embed_tokens, *language.layers[: 1 + counting]] if counting else []
    if not tower:  # nor does what it tells change, and the words that it tells it in
        parts += [network.model.visual, language.embed_tokens, aids.spelling, aids.whereabouts]
    return parts


def teachers(
    network: Qwen3VLForConditionalGeneration, aids: torch.nn.Module, tower: float
) -> tuple[list[torch.optim.Optimizer], list[float]]:
    """Muon for the matrices, AdamW for the rest; in each the tower apart, with its share of the rate."""
    seeing = [(name, p) for name, p in network.named_parameters() if ".visual." in name]
    speaking = [(name, p) for name, p in network.named_parameters() if ".visual." not in name]
    helping = list(aids.named_parameters())

    groups = [seeing, speaking + helping]
    muon = Muon([{"params": [p for n, p in g if is_inner_matrix(n, p)]} for g in groups], lr=1e-3)
    adam = torch.optim.AdamW(
        [{"params": [p for n, p in g if not is_inner_matrix(n, p)]} for g in groups],
        lr=1e-3,
        betas=(0.9, 0.98),
        weight_decay=0.0,
    )
    return [muon, adam], [tower, 1.0]


def judge(
    network: Qwen3VLForConditionalGeneration,
    aids: Aids,
    pointing: Pointing,
    batch: batches.Lessons,
    device: torch.device,
    before: Qwen3VLForConditionalGeneration | None = None,
    hold: float = 0.0,
) -> tuple[Tensor, dict[str, Tensor]]:
    """The loss of a batch, and what it is made of: `hold` times how far it is from what `before` says rightly, too."""
    seen = model.see(network.model.visual, batch.prints.pixels.to(device))
    logits = say(network, seen, batch, device)
    wanted = batch.answers.to(device)[:, 1:]
    targets = batch.ids.to(device)[:, 1:][wanted]
    said = functional.cross_entropy(logits, targets)
    right = (logits.argmax(-1) == targets).float()
    pointed, found = pointing.loss(batch.here.to(device), batch.there.to(device), aids.cells)
    _, height, width, _ = batch.prints.pixels.shape
    placed = aids.whereabouts(seen.tokens, height // model.TOKEN, width // model.TOKEN)
    embedding = network.model.language_model.embed_tokens.weight
    spelled = aids.spelling(seen.tokens, batch.prints.glyphs.to(device), embedding)
    worked_out = batch.results.to(device)[:, 1:][wanted]  # a few tokens among hundreds that are copied
    result = functional.cross_entropy(logits[worked_out], targets[worked_out]) if worked_out.any() else said
    loss = said + 0.3 * pointed + 0.5 * spelled.loss + 10 * placed + 0.2 * result
    quoted = batch.there.to(device)
    copied = torch.zeros_like(wanted)
    copied[quoted[:, 0], quoted[:, 1]] = True
    values = {
        "said": said,
        "right": right.mean(),
        "quoted": right[copied[wanted]].mean() if len(quoted) else right.mean(),
        "results": right[worked_out].mean() if worked_out.any() else right.mean(),
        "pointed": pointed,
        "found": found,
        "named": spelled.named,
        "spelled": spelled.right,
        "placed": placed,
    }
    if before:
        with torch.no_grad():
            formerly = say(before, seen, batch, device)
        told = formerly.argmax(-1) == targets
        apart = functional.kl_div(logits.log_softmax(-1), formerly.log_softmax(-1), reduction="none", log_target=True)
        held = (apart.sum(-1) * told).sum() / told.sum().clamp(min=1)
        loss = loss + hold * held
        values["held"] = held
    return loss, {name: value.detach() for name, value in values.items()}


def say(
    network: Qwen3VLForConditionalGeneration, seen: model.Sight, batch: batches.Lessons, device: torch.device
) -> Tensor:
    """What comes for each token of the answers, given all before it: logits (answer tokens, vocabulary)."""
    language = network.model.language_model
    ids, wanted = batch.ids.to(device), batch.answers.to(device)[:, 1:]
    shown = ids == network.config.image_token_id  # (conversations, length)
    embedded = language.embed_tokens(ids)
    embedded = embedded.masked_scatter(shown[..., None], seen.tokens.flatten(0, 1).to(embedded.dtype))
    hidden = language(
        inputs_embeds=embedded,
        position_ids=batch.places.to(device),
        visual_pos_masks=shown,
        deepstack_visual_embeds=[features.flatten(0, 1) for features in seen.deepstack],
        use_cache=False,
    ).last_hidden_state
    logits: Tensor = network.lm_head(hidden[:, :-1][wanted]).float()
    return logits


def reckon(
    network: Qwen3VLForConditionalGeneration, drill: batches.Sums, device: torch.device
) -> tuple[Tensor, Tensor]:
    """Nats per token of the results, and the share of sums that are right."""
    ids, results = drill.ids.to(device), drill.results.to(device)
    hidden = network.model.language_model(input_ids=ids, use_cache=False).last_hidden_state
    wanted = results[:, 1:]
    logits = network.lm_head(hidden[:, :-1][wanted]).float()
    right = torch.ones_like(wanted)
    right[wanted] = logits.argmax(-1) == ids[:, 1:][wanted]
    return functional.cross_entropy(logits, ids[:, 1:][wanted]), right.all(1).float().mean()


def spell(
    network: Qwen3VLForConditionalGeneration, aids: Aids, prints: batches.Prints, device: torch.device
) -> Spelled:
    """How well the tower alone reads."""
    seen = model.see(network.model.visual, prints.pixels.to(device))
    embedding = network.model.language_model.embed_tokens.weight
    spelled: Spelled = aids.spelling(seen.tokens, prints.glyphs.to(device), embedding)
    return spelled


if __name__ == "__main__":
    main()
