"""Teaches the published demo model to count: three layers behind the first of its language model, all else as it was.

Run: python -m training.count [--conversations 3000] [--steps 1500]. Writes core/demo. (The scripts that it was written
from took about an hour on two cores.)

Each layer is begun as what it is to do, and learns the rest by itself on hidden states that were computed once: left to
the answers alone, the model learned how often to say "1".
"""

import argparse
import random
import time
from collections.abc import Iterator, Sequence

import torch
from safetensors.torch import load_file
from torch import Tensor
from transformers import Qwen3VLForConditionalGeneration

from training import comparing, export, lists, model, shapes, tallying, tokenizer, turns, words
from training.batches import Writer
from training.comparing import Heard
from training.directions import evened, quiet
from training.log import Log

TOGETHER = 16  # conversations in words alone; of those about pictures half as many


def main(told: Sequence[str] | None = None) -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--conversations", type=int, default=3000)
    arguments.add_argument("--steps", type=int, default=1500)
    arguments.add_argument("--seed", type=int, default=1)
    options, _ = arguments.parse_known_args(told)
    torch.manual_seed(options.seed)
    network = count(options.conversations, options.steps, options.seed)
    export.publish_model(network, tokenizer.DEMO)


def count(conversations: int, steps: int, seed: int) -> Qwen3VLForConditionalGeneration:
    tokens = tokenizer.load()
    network = reading(model.build(tokens, seed, model.READING + model.COUNTING))
    network.requires_grad_(False)
    writer, layers = Writer(tokens), network.model.language_model.layers
    compare, tell, tally = layers[1 : 1 + model.COUNTING]
    log, started = Log("count"), time.monotonic()

    def done(part: str) -> None:
        print(part, end=": ")
        log.write(steps, conversations, time.monotonic() - started)

    lessons = heard(network, writer, random.Random(seed))
    some = next(lessons)
    direction, *_ = quiet(layers[1 + model.COUNTING :], evened(some[1])[some[0].real], 1).T
    comparing.begin(compare, some, direction)
    compare.requires_grad_(True)
    comparing.teach(compare, lessons, direction, max(2, steps // 9), log)
    compare.requires_grad_(False)
    done("comparing")

    stored: list[Heard] = []
    while sum(len(taught.real) for taught, _, _ in stored) < conversations:
        taught, hidden, rotation = next(lessons)
        with torch.no_grad():
            stored.append((taught, comparing.run(compare, hidden, rotation), rotation))
    x = torch.cat([hidden[taught.real] for taught, hidden, _ in stored])
    board = turns.Board.of(quiet(layers[1 + model.COUNTING :], x, 9, taken=direction))
    turns.begin(tell, stored, writer.special("<|im_start|>"), board)
    tell.mlp.requires_grad_(True)
    turns.teach(tell, stored, board, 2 * steps, log)
    done("turns")
    tallying.begin(tally, stored, board)
    tally.self_attn.requires_grad_(True)
    tallying.teach_both(tell, tally, stored, board, steps, log)
    done("shares")
    network.requires_grad_(False)
    digits = [[str(n) for n in range(1, 1 + tallying.NUMBERS)], list(shapes.NUMBERS_ZH[1 : 1 + tallying.NUMBERS])]
    ids = torch.tensor([[writer.spell(digit)[0] for digit in tongue] for tongue in digits])
    vectors = tallying.numerals(network, ids, stored, max(2, steps // 50))
    tally.mlp.requires_grad_(True)
    tallying.teach_numbers(tell, tally, stored, direction, vectors, ids, 2 * steps, log)
    done("numbers")
    return network


def reading(network: Qwen3VLForConditionalGeneration) -> Qwen3VLForConditionalGeneration:
    """Takes up the published weights; layers that count are left out, if there are any: they are taught anew."""
    weights = export.floats(load_file(tokenizer.DEMO / "model.safetensors"))
    known = export.layers(weights) - model.READING
    before = "model.language_model.layers."
    placed = {}
    for name, weight in weights.items():
        if name.startswith(before):
            index, rest = name.removeprefix(before).split(".", 1)
            if 0 < int(index) <= known:
                continue
            name = f"{before}{int(index) + (model.COUNTING - known if int(index) else 0)}.{rest}"
        placed[name] = weight
    network.load_state_dict(placed, strict=False)
    return network.eval()


def heard(network: Qwen3VLForConditionalGeneration, writer: Writer, rng: random.Random) -> Iterator[Heard]:
    """Conversations as the first layer leaves them: three of four batches in words alone."""
    lexicon = words.Lexicon(False)
    while True:
        if rng.random() < 0.75:
            talks = lists.alike(rng, TOGETHER)
        else:
            kind = "shapes" if rng.random() < 0.5 else rng.choice(lists.OTHERS)
            talks = lists.pictured(rng, lexicon, kind, TOGETHER // 2)
        written = lists.write(writer, talks)
        yield written, *behind_first(network, written)


@torch.no_grad()
def behind_first(
    network: Qwen3VLForConditionalGeneration, written: lists.Lists
) -> tuple[Tensor, tuple[Tensor, Tensor]]:
    """Hidden states (conversations, length, width) and rotary positions."""
    language, lessons = network.model.language_model, written.lessons
    x = language.embed_tokens(lessons.ids)
    rotation: tuple[Tensor, Tensor] = language.rotary_emb(x, lessons.places)
    shown = lessons.ids == network.config.image_token_id
    if not shown.any():
        return comparing.run(language.layers[0], x, rotation), rotation
    seen = model.see(network.model.visual, lessons.prints.pixels)
    x = x.masked_scatter(shown[..., None], seen.tokens.flatten(0, 1))
    x = comparing.run(language.layers[0], x, rotation)
    x[shown] += seen.deepstack[0].flatten(0, 1)
    return x, rotation


if __name__ == "__main__":
    main()
