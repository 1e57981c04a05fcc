"""What is trained is what will be run: the same prompts, pixels and processor as the product's."""

import json
import math
import random

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import PreTrainedTokenizerBase
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

from training import conversations, encoding, export, fonts, model, tokenizer, words
from training.conversations import Turn

DRAWING = conversations.Drawing(256, 96, fonts.TRAINING, words.Lexicon(held_out=False))
TOKENS = math.prod(model.token_grid(256, 96))


@pytest.fixture(scope="module")
def tokens() -> PreTrainedTokenizerBase:
    return tokenizer.load()


@pytest.fixture(scope="module")
def held() -> list[list[Turn]]:
    rng = random.Random(5)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(conversations.RARE, "where", 0.0)  # a box's numbers do not stand in the picture
        return [
            conversations.one_after_the_other(rng, DRAWING, ("invoice", "chart")),
            conversations.side_by_side(rng, DRAWING, "invoice"),
        ]


@pytest.fixture(scope="module")
def batch(tokens: PreTrainedTokenizerBase, held: list[list[Turn]]) -> encoding.Batch:
    encoder = encoding.Encoder(tokens)
    return encoder.batch([encoder.encode(turns) for turns in held])


def messages(turns: list[Turn]) -> list[dict[str, object]]:
    said: list[dict[str, object]] = []
    for turn in turns:
        content = [{"type": "image"} for _ in turn.pictures]
        said.append({"role": "user", "content": [*content, {"type": "text", "text": turn.qa.question}]})
        said.append({"role": "assistant", "content": turn.qa.text})
    return said


def test_prompts_are_those_of_the_chat_template(
    tokens: PreTrainedTokenizerBase, held: list[list[Turn]], batch: encoding.Batch
) -> None:
    for turns, ids in zip(held, batch.ids, strict=True):
        text = tokens.apply_chat_template(messages(turns), tokenize=False, add_vision_id=True)
        text = text.replace("<|image_pad|>", "<|image_pad|>" * TOKENS)
        for printed, read in encoding.READ_AS.items():
            text = text.replace(printed, read)
        expected = tokens(text, add_special_tokens=False)["input_ids"]
        assert ids[: len(expected)].tolist() == expected
        assert set(ids[len(expected) :].tolist()) <= {tokens.pad_token_id}


def test_only_what_the_model_says_is_judged(
    tokens: PreTrainedTokenizerBase, held: list[list[Turn]], batch: encoding.Batch
) -> None:
    for turns, ids, answers in zip(held, batch.ids, batch.answers, strict=True):
        said = "".join(turn.qa.text + "<|im_end|>" for turn in turns)
        for printed, read in encoding.READ_AS.items():
            said = said.replace(printed, read)
        assert tokens.decode(ids[answers]) == said


def test_pixels_are_those_of_the_picture_processor(batch: encoding.Batch) -> None:
    processor = Qwen2VLImageProcessorPil(
        patch_size=model.PATCH,
        merge_size=1,
        image_mean=[0.5] * 3,
        image_std=[0.5] * 3,
        size={"shortest_edge": model.MIN_PIXELS, "longest_edge": model.MAX_PIXELS},
    )
    pictures = processor([Image.fromarray(p) for p in batch.images.pixels.numpy()], return_tensors="pt")
    pixels, grids = model.pixel_values(batch.images.pixels)
    assert torch.allclose(pixels, pictures["pixel_values"], atol=1e-5)
    assert torch.equal(grids, pictures["image_grid_thw"])


def test_a_quote_points_at_the_character_it_quotes(tokens: PreTrainedTokenizerBase, batch: encoding.Batch) -> None:
    image = tokens.convert_tokens_to_ids("<|image_pad|>")
    shown: dict[tuple[int, int, int], set[int]] = {}
    for picture, token, cell, character in batch.images.glyphs.tolist():
        shown.setdefault((picture, token, cell), set()).add(character)
    assert len(batch.here)
    for row, quoted, place, cell in batch.here.tolist():
        before = int((batch.ids[:row] == image).sum() + (batch.ids[row, :place] == image).sum())
        picture, token = divmod(before, TOKENS)
        assert int(batch.ids[row, quoted]) in shown[picture, token, cell]


def test_the_same_seed_draws_the_same_picture() -> None:
    first, second = (DRAWING.draw(random.Random(3), "invoice").picture.image for _ in range(2))
    assert np.array_equal(np.asarray(first), np.asarray(second))


@pytest.mark.parametrize("text", ["发票号码", "¥8,600.00", "naïve 😀 龘", " two  spaces\n"])
def test_every_text_survives_the_tokenizer(tokens: PreTrainedTokenizerBase, text: str) -> None:
    assert tokens.decode(tokens(text)["input_ids"]) == text


def test_a_shape_is_named_in_the_token_in_its_middle_however_large_the_picture_is_seen(
    tokens: PreTrainedTokenizerBase,
) -> None:
    drawing = conversations.Drawing(256, 160, fonts.TRAINING, words.Lexicon(held_out=False))
    picture = drawing.draw(random.Random(1), "shapes").picture
    for grid in (encoding.unresized(picture), encoding.resized(picture)):
        rows = encoding.image_batch([grid], encoding.alphabet(tokens)).glyphs.tolist()
        for colour, number, kind in zip(rows[::3], rows[1::3], rows[2::3], strict=True):
            assert colour[1] == number[1] == kind[1]
            assert (colour[2], number[2], kind[2]) == (0, 1, 2)


def test_the_shipped_processor_shows_pictures_as_they_are_trained() -> None:
    shipped = json.loads((tokenizer.DEMO / "preprocessor_config.json").read_text("utf-8"))
    assert shipped == export.PREPROCESSOR


def test_the_shipped_tokenizer_is_the_one_that_is_made_here() -> None:
    shipped = json.loads((tokenizer.DEMO / "tokenizer.json").read_text("utf-8"))
    assert json.loads(tokenizer.make().to_str()) == shipped
