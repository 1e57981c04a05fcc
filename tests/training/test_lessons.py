"""What is trained is what will be run: the same prompts, positions, pixels and numbers as transformers' own."""

import json
import math
import random

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import PreTrainedTokenizerBase, Qwen3VLForConditionalGeneration
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

from training import answer, batches, conversations, export, fonts, model, pointing, sums, tokenizer, words
from training.aids import Aids
from training.conversations import Turn
from training.subject import Result

DESK = conversations.Desk(256, 96, fonts.TRAINING, words.Lexicon(held_out=False))
TOKENS = math.prod(model.grid(256, 96))


@pytest.fixture(scope="module")
def tokens() -> PreTrainedTokenizerBase:
    return tokenizer.load()


@pytest.fixture(scope="module")
def network(tokens: PreTrainedTokenizerBase) -> Qwen3VLForConditionalGeneration:
    return model.build(tokens, seed=0).eval()


def messages(turns: list[Turn]) -> list[dict[str, object]]:
    said: list[dict[str, object]] = []
    for turn in turns:
        content = [{"type": "image"} for _ in turn.pictures]
        said.append({"role": "user", "content": [*content, {"type": "text", "text": turn.exchange.question}]})
        said.append({"role": "assistant", "content": turn.exchange.text})
    return said


@pytest.fixture(scope="module")
def lessons(tokens: PreTrainedTokenizerBase) -> tuple[list[list[Turn]], batches.Lessons]:
    rng = random.Random(5)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(conversations.SELDOM, "where", 0.0)  # a box's numbers do not stand on the picture
        talks = [
            conversations.one_after_the_other(rng, DESK, ("invoice", "chart")),
            conversations.side_by_side(rng, DESK, "invoice"),
        ]
    writer = batches.Writer(tokens)
    return talks, writer.lessons([writer.write(turns) for turns in talks])


def test_prompts_are_those_of_the_chat_template(
    tokens: PreTrainedTokenizerBase, lessons: tuple[list[list[Turn]], batches.Lessons]
) -> None:
    for turns, ids in zip(lessons[0], lessons[1].ids, strict=True):
        text = tokens.apply_chat_template(messages(turns), tokenize=False, add_vision_id=True)
        text = text.replace("<|image_pad|>", "<|image_pad|>" * TOKENS)
        for printed, read in batches.SAME.items():
            text = text.replace(printed, read)
        expected = tokens(text, add_special_tokens=False)["input_ids"]
        assert ids[: len(expected)].tolist() == expected
        assert set(ids[len(expected) :].tolist()) <= {tokens.pad_token_id}


def test_a_batch_gives_the_loss_that_transformers_gives(
    network: Qwen3VLForConditionalGeneration, lessons: tuple[list[list[Turn]], batches.Lessons]
) -> None:
    batch = lessons[1]
    processor = Qwen2VLImageProcessorPil(
        patch_size=model.PATCH,
        merge_size=model.TOKEN // model.PATCH,
        image_mean=[0.5] * 3,
        image_std=[0.5] * 3,
        size={"shortest_edge": model.LEAST, "longest_edge": model.MOST},
    )
    pictures = processor([Image.fromarray(p) for p in batch.prints.pixels.numpy()], return_tensors="pt")
    labels = batch.ids.masked_fill(~batch.answers, -100)
    aids = Aids(network.config.text_config.hidden_size)
    with torch.no_grad():
        _, values = answer.judge(
            network, aids, pointing.Pointing(network.model.language_model), batch, torch.device("cpu")
        )
        expected = network(
            input_ids=batch.ids,
            attention_mask=(batch.ids != network.config.text_config.pad_token_id).long(),
            labels=labels,
            pixel_values=pictures["pixel_values"],
            image_grid_thw=pictures["image_grid_thw"],
            mm_token_type_ids=(batch.ids == network.config.image_token_id).int(),
        ).loss
    assert values["said"].item() == pytest.approx(expected.item(), abs=1e-5)


def test_what_was_said_rightly_before_is_held_and_nothing_else(
    tokens: PreTrainedTokenizerBase, lessons: tuple[list[list[Turn]], batches.Lessons]
) -> None:
    batch, device = lessons[1], torch.device("cpu")
    (before, aids), (now, _) = (export.begin(tokens, 1, None, from_demo=True) for _ in range(2))
    heads = pointing.Pointing(now.model.language_model)
    with torch.no_grad():
        loss, values = answer.judge(now, aids, heads, batch, device, before, hold=3.0)
        free, _ = answer.judge(now, aids, heads, batch, device)
        assert values["held"].item() == pytest.approx(0, abs=1e-6)
        assert loss.item() == pytest.approx(free.item(), abs=1e-5)
        now.model.language_model.layers[-1].mlp.down_proj.weight.mul_(0.5)
        loss, values = answer.judge(now, aids, heads, batch, device, before, hold=3.0)
        free, _ = answer.judge(now, aids, heads, batch, device)
        assert values["held"].item() > 1e-4
        assert loss.item() == pytest.approx((free + 3 * values["held"]).item(), rel=1e-4)
        before.model.language_model.norm.weight.zero_()  # it says everything alike, and nothing rightly
        wrong = batch.ids[:, 1:][batch.answers[:, 1:]] != 0
        assert wrong.all()
        _, values = answer.judge(now, aids, heads, batch, device, before, hold=3.0)
        assert values["held"].item() == 0


def test_a_quote_points_at_the_character_it_quotes(
    tokens: PreTrainedTokenizerBase, lessons: tuple[list[list[Turn]], batches.Lessons]
) -> None:
    batch = lessons[1]
    image = tokens.convert_tokens_to_ids("<|image_pad|>")
    shown: dict[tuple[int, int, int], set[int]] = {}
    for picture, token, cell, character in batch.prints.glyphs.tolist():
        shown.setdefault((picture, token, cell), set()).add(character)
    for row, quoted, place, cell in batch.here.tolist():
        before = int((batch.ids[:row] == image).sum() + (batch.ids[row, :place] == image).sum())
        picture, token = divmod(before, TOKENS)
        assert int(batch.ids[row, quoted]) in shown[picture, token, cell]


def test_of_a_sum_only_the_results_have_to_be_found(tokens: PreTrainedTokenizerBase) -> None:
    drawn = sums.some(random.Random(1))
    batch = batches.Writer(tokens).sums(drawn)
    for each, ids, results in zip(drawn, batch.ids, batch.results, strict=True):
        assert tokens.decode(ids[results]) == "".join(p.text for p in each.answer if isinstance(p, Result))
        said = [{"role": "user", "content": each.question}, {"role": "assistant", "content": each.text}]
        written = tokens.apply_chat_template(said, tokenize=False).removesuffix("<|im_end|>\n")
        assert tokens.decode(ids).partition("<|endoftext|>")[0] == written


def test_the_same_seed_draws_the_same_picture() -> None:
    first, second = (DESK.draw(random.Random(3), "invoice").picture.image for _ in range(2))
    assert np.array_equal(np.asarray(first), np.asarray(second))


@pytest.mark.parametrize("text", ["发票号码", "¥8,600.00", "naïve 😀 龘", " two  spaces\n"])
def test_every_text_survives_the_tokenizer(tokens: PreTrainedTokenizerBase, text: str) -> None:
    assert tokens.decode(tokens(text)["input_ids"]) == text


def test_a_shape_is_named_in_the_token_in_its_middle_however_large_the_picture_is_seen(
    tokens: PreTrainedTokenizerBase,
) -> None:
    small = conversations.Desk(256, 160, fonts.TRAINING, words.Lexicon(held_out=False))
    picture = small.draw(random.Random(1), "shapes").picture
    for grid in (batches.crop(picture), batches.whole(picture)):
        rows = batches.prints([grid], batches.alphabet(tokens)).glyphs.tolist()
        for colour, number, kind in zip(rows[::3], rows[1::3], rows[2::3], strict=True):
            assert colour[1] == number[1] == kind[1]
            assert (colour[2], number[2], kind[2]) == (0, 1, 2)


def test_the_published_processor_shows_pictures_as_they_are_trained() -> None:
    published = json.loads((tokenizer.DEMO / "preprocessor_config.json").read_text("utf-8"))
    assert published == export.PREPROCESSOR
