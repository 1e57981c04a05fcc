"""Show what no other bot does, each feature on each platform with the demo model.

`pytest --collect-only` is the list.
"""

import asyncio
import io
import json
import os
import random
import re
import zipfile
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import pillow_heif
import pytest
from PIL import Image as PilImage
from typer.testing import CliRunner

from bots.__main__ import cli
from bots.conversing.actions import SMALL_PRINT_FACTOR
from bots.conversing.commands import SHORTHANDS, allowed
from bots.slack.platform import SLACK
from bots.telegram.platform import TELEGRAM
from core.answers.boxes import draw, find_boxes
from core.answers.tables import csv_file, find_tables
from core.conversation import MOST_PICTURES, Picture
from core.engine.engine import Engine
from core.i18n import Translator
from core.image import Image
from core.model.description import ModelDescription, describe
from core.pictures.documents import open_document
from core.pictures.images import ImagesConfig, make_image
from core.sampling import Sampling
from tests.bots.guest import Guest, Home, Seen, Sent, opened
from tests.bots.slack import guest as slack
from tests.bots.telegram import guest as telegram
from tests.bots.web import guest as web
from tests.core.pictures.tall import items, tall_print
from tests.demo import directly, sample, shows

PLATFORMS: dict[str, Callable[..., AbstractAsyncContextManager[Guest]]] = {
    "telegram": telegram.visiting,
    "slack": slack.visiting,
    "web": web.visiting,
}
SMALL = ImagesConfig(image_tokens=64)  # less than a quarter of a scan's pixels, so that its print becomes small
TOTAL, PRICE, TABLE = "What is the total?", "What is the price?", "Show the values as a table."
BRIEF = Sampling(max_new_tokens=4)  # where the words of the answers do not matter
IN_LINE = {"en": r"You are number \d+ in line, about \d+ s …", "zh": r"您排在第 \d+ 位，大约还要 \d+ 秒 …"}

pytestmark = pytest.mark.parametrize("platform", PLATFORMS)


def png(name: str) -> Sent:
    return Sent(f"{name}.png", "image/png", sample(name))


def saved(picture: PilImage.Image, kind: str, **options: Any) -> bytes:
    data = io.BytesIO()
    picture.save(data, kind, **options)
    return data.getvalue()


def bound(pages: list[PilImage.Image], kind: str, **options: Any) -> bytes:
    """A document of several pages."""
    first, *more = [page.copy() for page in pages]  # Pillow leaves one format's options in them
    return saved(first, kind, save_all=True, append_images=more, **options)


@asynccontextmanager
async def visit(
    platform: str,
    demo: Engine,
    folder: Path,
    images: ImagesConfig = ImagesConfig(),
    language: str = "en",
    model: ModelDescription = ModelDescription(),
    sampling: Sampling = Sampling(),
    **settings: Any,
) -> AsyncIterator[tuple[Home, Guest]]:
    async with (
        opened(demo, folder, images, platform, model, sampling) as home,
        PLATFORMS[platform](home, language, **settings) as guest,
    ):
        yield home, guest


_said: dict[tuple[tuple[str, tuple[bytes | Image | Picture, ...]], ...], list[str]] = {}


async def says(demo: Engine, *turns: tuple[str, tuple[bytes | Image | Picture, ...]]) -> list[str]:
    """Return what the demo model says when it is asked directly, which is the same for every platform."""
    if turns not in _said:
        _said[turns] = await directly(demo, *turns)
    return _said[turns]


@pytest.mark.parametrize("language", ["en", "zh"])
async def test_receipt_and_small_print_in_the_askers_language(
    platform: str, demo: Engine, tmp_path: Path, language: str
) -> None:
    question = {"en": TOTAL, "zh": "合计金额是多少？"}[language]
    scan = PilImage.open(io.BytesIO(sample("invoice"))).resize((768, 512), PilImage.Resampling.LANCZOS)
    sent = Sent("invoice.png", "image/png", saved(scan, "PNG"))
    fine = SMALL.model_copy(update={"image_tokens": SMALL_PRINT_FACTOR * SMALL.image_tokens})
    quick, sharp = [await make_image(sent.data, config) for config in (SMALL, fine)]
    expected = await says(demo, (question, (quick,)), (question, (Picture(1, sharp),)))
    async with visit(platform, demo, tmp_path, SMALL, language) as (_, guest):
        first = await guest.ask(question, sent)
        assert shows(first.words, expected[0])
        looked = {
            "en": "Looked at picture 1 (320×224, shrunk from 768×512)",
            "zh": "看了图片 1（320×224，由 768×512 缩小）",
        }
        assert looked[language] in first.words
        small_print = {"en": "Read the small print", "zh": "看清小字"}[language]
        assert small_print in first.buttons
        second = await guest.press(first, small_print)
        assert shows(second.words, expected[1])
        assert small_print not in second.buttons
        assert numbers(await guest.pictures()) == [1]


async def test_pictures_have_numbers_and_can_be_listed_and_removed(platform: str, demo: Engine, tmp_path: Path) -> None:
    question = "What is the total in picture 1?"
    [expected] = await says(demo, (question, (sample("invoice"), sample("product"))))
    async with visit(platform, demo, tmp_path) as (_, guest):
        seen = await guest.ask(question, png("invoice"), png("product"))
        assert shows(seen.words, expected)
        assert "picture 1 (384×256), picture 2 (384×256)" in seen.words
        listed = await guest.pictures()
        assert numbers(listed) == [1, 2]
        if platform != "web":  # whose page shows the pictures themselves
            [sheet] = listed.files.values()
            assert PilImage.open(io.BytesIO(sheet)).width > 2 * 320
        await guest.remove(1)
        assert numbers(await guest.pictures()) == [2]


async def test_at_the_limit_the_oldest_unused_picture_goes_and_that_is_said(
    platform: str, demo: Engine, tmp_path: Path
) -> None:
    shades = [
        Sent(f"{n}.png", "image/png", saved(PilImage.new("RGB", (32, 32), (9 * n, 0, 0)), "PNG")) for n in range(25)
    ]
    async with visit(platform, demo, tmp_path, sampling=BRIEF) as (_, guest):
        for start in range(0, MOST_PICTURES, 8):
            assert "Removed" not in (await guest.ask("How many shapes?", *shades[start : start + 8])).words
        seen = await guest.ask("How many shapes?", shades[-1])
        assert "Removed to make room: picture 1. A conversation keeps 24 pictures." in seen.words
        assert numbers(await guest.pictures()) == [*range(2, MOST_PICTURES + 2)]


async def test_where_something_is_gets_drawn_and_its_json_is_never_shown(
    platform: str, demo: Engine, tmp_path: Path
) -> None:
    [expected] = await says(demo, ("Where is the price?", (sample("product"),)))
    boxes = find_boxes(expected).boxes
    assert boxes
    async with visit(platform, demo, tmp_path) as (_, guest):
        seen = await guest.ask("Where is the price?", png("product"))
        image = await make_image(sample("product"))
        assert list(seen.files.values()) == [await draw(image, list(boxes))]
        assert "Marked in the picture" in seen.words
        assert not [text for text in (seen.words, *seen.states) if "bbox" in text or "```" in text]
        again = await guest.ask("Where is the price?")  # a follow-up points into the same picture
        assert len(again.files) == 1


async def test_a_part_is_looked_at_closer_by_words_and_by_a_box(platform: str, demo: Engine, tmp_path: Path) -> None:
    if platform == "web":
        pytest.skip("the page's viewer cuts out what one draws: `tests/bots/web`")
    scan = PilImage.open(io.BytesIO(sample("invoice"))).resize((768, 512), PilImage.Resampling.LANCZOS)
    sent = Sent("invoice.png", "image/png", saved(scan, "PNG"))
    closer = "/closer bottom" if platform == "telegram" else "closer bottom"
    async with visit(platform, demo, tmp_path, SMALL) as (_, guest):
        await guest.ask(TOTAL, sent)
        seen = await guest.ask(f"{closer}: {TOTAL}")
        assert "cut out of picture 1: 0–100 % from the left, 45–100 % from the top" in seen.words
        assert "8,600.00" in seen.words
    other = tmp_path / "other"
    other.mkdir()
    async with visit(platform, demo, other) as (_, guest):
        seen = await guest.ask("Where is the price?", png("product"))
        assert "Look closer at 1" in seen.buttons
        assert "cut out of picture 1" in (await guest.press(seen, "Look closer at 1")).words


@pytest.mark.parametrize("language", ["en", "zh"])
async def test_a_tall_picture_is_read_in_parts_and_the_line_says_so(
    platform: str, demo: Engine, tmp_path: Path, language: str
) -> None:
    question = {"en": "Extract all text.", "zh": "提取图中的所有文字"}[language]
    sent = Sent("list.png", "image/png", saved(tall_print(items(2)), "PNG"))
    [expected] = await says(demo, (question, (sent.data,)))
    async with visit(platform, demo, tmp_path, language=language) as (_, guest):
        seen = await guest.ask(question, sent)
        assert shows(seen.words, expected)
        assert {"en": "seen in 4 parts, shrunk to 92 %", "zh": "分 4 段查看，缩小到 92%"}[language] in seen.words
        assert numbers(await guest.pictures()) == [1]


async def test_a_table_can_be_taken_along_as_csv(platform: str, demo: Engine, tmp_path: Path) -> None:
    [expected] = await says(demo, (TABLE, (sample("chart"),)))
    tables = find_tables(expected)
    assert tables
    async with visit(platform, demo, tmp_path) as (_, guest):
        seen = await guest.press(await guest.ask(TABLE, png("chart")), "Table as CSV")
        assert seen.files == {"table.csv": csv_file(tables)}


@pytest.mark.parametrize("language", ["en", "zh"])
async def test_a_picture_without_words_offers_what_can_be_asked_about_it(
    platform: str, demo: Engine, tmp_path: Path, language: str
) -> None:
    if platform == "web":
        pytest.skip("the page's buttons ask before anything is sent: `tests/bots/web`")
    read, table = ("读出文字", "做成表格") if language == "zh" else ("Read text", "As a table")
    async with visit(platform, demo, tmp_path, language=language) as (_, guest):
        kept = await guest.ask("", png("invoice"))
        assert {read, table} <= set(kept.buttons) and not kept.files
        assert "NO.20260118" in (await guest.press(kept, read)).words
        seen = await guest.press(kept, table)
        assert "|" in seen.words
        assert list(seen.files) == ["table.csv"] and not {"Table as CSV", "表格存为 CSV"} & set(seen.buttons)


@pytest.mark.parametrize(
    ("language", "question", "line", "unknown"),
    [
        ("en", TOTAL, "Demo model: reads printed documents, charts and shapes · the operator can", "Translate"),
        ("zh", "合计金额是多少？", "演示模型：只能识读印刷文档、图表和几何图形 · 真正的模型", "翻译"),
    ],
)
async def test_a_chats_first_answer_says_that_the_demo_model_is_one(
    platform: str, demo: Engine, tmp_path: Path, language: str, question: str, line: str, unknown: str
) -> None:
    if platform == "web":
        pytest.skip("the page says it at its top: `tests/bots/web/test_demo.py`")
    async with visit(platform, demo, tmp_path, language=language, model=describe("demo")) as (_, guest):
        assert unknown not in (await guest.ask("", png("invoice"))).buttons
        assert (await guest.ask(question)).words.count(line) == 1
        assert line not in (await guest.ask(question)).words


async def test_a_command_asks_what_it_stands_for(platform: str, demo: Engine, tmp_path: Path) -> None:
    if platform == "web":
        pytest.skip("the page has buttons instead of commands")
    prefix = "/" if platform == "telegram" else ""
    async with visit(platform, demo, tmp_path) as (_, guest):
        assert "NO.20260118" in (await guest.ask(f"{prefix}text", png("invoice"))).words
        seen = await guest.ask(f"{prefix}table")
        assert "|" in seen.words and "table.csv" in seen.files


@pytest.mark.parametrize("name", ["describe", "translate", "json", "where"])
async def test_each_command_asks_its_question(platform: str, demo: Engine, tmp_path: Path, name: str) -> None:
    if platform == "web":
        pytest.skip("the page has buttons instead of commands: `test_first_questions.py` of the page")
    if (platform, name) == ("slack", "where"):
        pytest.skip("plain words say it already: where is the price?")
    words = "the price" if name == "where" else ""
    question = SHORTHANDS[name].asked(words, Translator("en"))
    assert question
    async with visit(platform, demo, tmp_path, sampling=BRIEF) as (home, guest):
        await guest.ask(f"{'/' if platform == 'telegram' else ''}{name} {words}".strip(), png("product"))
        [summary] = (await home.store.summaries()).summaries
        asked = (await home.store.outline(summary.id)).turns
    assert [turn.text for turn in asked] == [question] and len(asked[0].pictures) == 1


@pytest.mark.parametrize("language", ["en", "zh"])
async def test_the_help_names_what_works_with_an_example(
    platform: str, demo: Engine, tmp_path: Path, language: str
) -> None:
    if platform == "web":
        pytest.skip("there are no commands on the page: it shows what it can do")
    translator, described = Translator(language), {"telegram": TELEGRAM, "slack": SLACK}[platform]
    async with visit(platform, demo, tmp_path, language=language) as (_, guest):
        told = (await guest.ask("/help" if platform == "telegram" else "help")).words
    for command in allowed(described, admin=False):
        assert command.explained(described, translator) in told
    example = {"en": "What is the total?", "zh": "合计是多少？"}[language]
    assert example in told and not {"/block", "block"} & set(told.split())


@pytest.mark.parametrize("who", ["bot", "workflow", "channel"])
async def test_bots_workflows_and_channels_are_answered_where_a_setting_says_so(
    platform: str, demo: Engine, tmp_path: Path, who: str
) -> None:
    if platform == "web":
        pytest.skip("programs ask over REST and /v1")
    if (platform, who) in (("telegram", "workflow"), ("slack", "channel")):
        pytest.skip("there is no such thing")
    [expected] = await says(demo, (TOTAL, (sample("invoice"),)))
    async with visit(platform, demo, tmp_path) as (_, guest):
        assert not await guest.mentioned_by(who, TOTAL, png("invoice"))
    other = tmp_path / "other"
    other.mkdir()
    settings: dict[str, Any] = {"channels" if who == "channel" else "bots": True}
    async with visit(platform, demo, other, **settings) as (_, guest):
        assert shows(await guest.mentioned_by(who, TOTAL, png("invoice")), expected)


async def test_a_conversation_is_answered_as_its_settings_say(platform: str, demo: Engine, tmp_path: Path) -> None:
    async with visit(platform, demo, tmp_path, SMALL) as (_, guest):
        assert "Looked at picture 1" in (await guest.ask(TOTAL, png("invoice"))).words
        assert "receipt: off" in await guest.sets("receipt", "off")
        assert "length: short" in await guest.sets("length", "short")
        assert "instructions: Sell bikes." in await guest.sets("instructions", "Sell bikes.")
        again = (await guest.ask(TOTAL, png("invoice"))).words
        assert again and "Looked at picture" not in again
        if platform != "web":  # whose panel is tested in a browser
            changed = await guest.ask("/settings" if platform == "telegram" else "settings")
            assert "length: long" in (await guest.press(changed, "Long answers")).words


async def test_a_question_is_marked_until_it_is_answered(platform: str, demo: Engine, tmp_path: Path) -> None:
    async with visit(platform, demo, tmp_path) as (_, guest):
        assert (await guest.ask(TOTAL, png("invoice"))).words
        async with asyncio.timeout(60):
            while guest.marks()[0]:
                await asyncio.sleep(0.01)
        assert guest.marks() == (0, 0 if platform == "web" else 1)


async def test_where_nothing_is_kept_a_question_is_forgotten(platform: str, demo: Engine, tmp_path: Path) -> None:
    async with visit(platform, demo, tmp_path) as (_, guest):
        await guest.ask(TOTAL, png("invoice"))
        assert numbers(await guest.pictures()) == [1]
        assert "keep: off" in await guest.sets("keep", "off")
        answered = await guest.ask(TABLE, png("invoice"))
        assert "|" in answered.words and "Table as CSV" not in answered.buttons
        async with asyncio.timeout(60):
            while numbers(await guest.pictures()):  # it goes once the answer is there
                await asyncio.sleep(0.01)


async def test_an_edited_question_is_answered_in_the_place_of_its_answer(
    platform: str, demo: Engine, tmp_path: Path
) -> None:
    answers = [(await says(demo, (question, (sample("invoice"),))))[0] for question in (TOTAL, "Extract all text.")]
    async with visit(platform, demo, tmp_path) as (_, guest):
        assert shows((await guest.ask(TOTAL, png("invoice"))).words, answers[0])
        assert shows((await guest.edit("Extract all text.")).words, answers[1])


async def test_a_conversation_can_be_taken_along_as_a_zip(platform: str, demo: Engine, tmp_path: Path) -> None:
    [expected] = await says(demo, (PRICE, (sample("product"),)))
    async with visit(platform, demo, tmp_path) as (_, guest):
        await guest.ask(PRICE, png("product"))
        with zipfile.ZipFile(io.BytesIO(await guest.export())) as archive:
            transcript = archive.read("transcript.md").decode()
            assert PRICE in transcript and expected in transcript
            assert PilImage.open(io.BytesIO(archive.read("pictures/1.png"))).size == (384, 256)


async def test_pages_of_a_pdf_heic_and_tiff_are_read(platform: str, demo: Engine, tmp_path: Path) -> None:
    pages = [PilImage.open(io.BytesIO(sample(name))).convert("RGB") for name in ("invoice", "chart", "product")]
    heic = io.BytesIO()
    pillow_heif.from_pillow(pages[0]).save(heic, quality=90)
    documents = (
        ("Page 3: what is the price?", Sent("a.pdf", "application/pdf", bound(pages, "PDF", resolution=200)), (3, 3)),
        (TOTAL, Sent("a.heic", "image/heic", heic.getvalue()), (1, 1)),
        ("Page 2: which quarter is the highest?", Sent("a.tiff", "image/tiff", bound(pages, "TIFF")), (2, 3)),
    )
    async with visit(platform, demo, tmp_path) as (_, guest):
        turns: list[tuple[str, tuple[Image | bytes, ...]]] = []
        for question, file, (page, of) in documents:
            opened = await open_document(file.data, question)
            assert (opened.pages, opened.page_count) == ((page,), of)
            turns.append((question, opened.images))
            seen = await guest.ask(question, file)
            assert shows(seen.words, (await says(demo, *turns))[-1])
            assert (f"Pages looked at: {page} of {of}." in seen.words) == (of > 1)


async def test_a_later_question_names_a_page_that_was_left_out(platform: str, demo: Engine, tmp_path: Path) -> None:
    pages = [PilImage.open(io.BytesIO(sample(name))).convert("RGB") for name in ("invoice", "chart", "product")]
    paper = Sent("a.pdf", "application/pdf", bound(pages, "PDF", resolution=200))
    one = ImagesConfig(page_limit=1)
    first, third = [(await open_document(paper.data, f"page {page}", one)).images for page in (1, 3)]
    later = "And page 3: what is the price?"
    expected = await says(demo, (TOTAL, first), (later, third))
    async with visit(platform, demo, tmp_path, one) as (_, guest):
        seen = await guest.ask(TOTAL, paper)
        assert shows(seen.words, expected[0])
        assert "Pages looked at: 1 of 3. For others, ask about “page 2”, for example." in seen.words
        seen = await guest.ask(later)
        assert shows(seen.words, expected[1])
        assert "Pages looked at: 3 of 3." in seen.words


async def test_while_one_waits_place_estimate_and_what_happens_are_told(
    platform: str, demo: Engine, tmp_path: Path
) -> None:
    language = "zh" if platform == "slack" else "en"
    await says(demo, (TOTAL, (sample("invoice"),)), (PRICE, ()))  # from then on its speeds are known
    shades = random.sample(range(256), 9)  # that nobody has looked at before: what was seen needs no line
    *crowd, mine = [saved(PilImage.new("RGB", (512, 384), (*os.urandom(2), shade)), "PNG") for shade in shades]
    async with visit(platform, demo, tmp_path, language=language) as (_, guest):
        pictures = [await make_image(picture) for picture in crowd]
        others = [asyncio.create_task(directly(demo, ("What is it?", (picture,)))) for picture in pictures]
        while not demo.stats().running:  # they all came at once
            await asyncio.sleep(0.01)
        question = {"en": "What is it?", "zh": "这是什么？"}[language]
        asking = asyncio.create_task(guest.ask(question, Sent("mine.png", "image/png", mine)))
        while not (asking.done() or any(re.search(IN_LINE[language], text) for text in guest.shown())):
            await asyncio.sleep(0.01)
        for other in others:  # they have been waited for, and may go
            other.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        seen = await asking
    told = "\n".join(seen.states)
    assert re.search(IN_LINE[language], told), told
    assert {"en": "Looking at picture 1 of 1 …", "zh": "正在看第 1 张图片（共 1 张）…"}[language] in told, told


async def test_a_thumb_is_kept_and_exported_with_its_picture(platform: str, demo: Engine, tmp_path: Path) -> None:
    async with visit(platform, demo, tmp_path) as (home, guest):
        seen = await guest.ask(PRICE, png("product"))
        await guest.rate(seen, good=False)
        async with asyncio.timeout(60):
            while not (rated := await home.store.rated()):
                await asyncio.sleep(0.01)
    config, out = tmp_path / "config.toml", tmp_path / "feedback"
    config.write_text(f'[storage]\nurl = "sqlite+aiosqlite:///{tmp_path}/answers.db"\nratings = true\n')
    done = await asyncio.to_thread(
        CliRunner().invoke, cli, ["export-feedback", str(out), "--config", str(config)], catch_exceptions=False
    )
    assert done.exit_code == 0
    [line] = (out / "rated.jsonl").read_text("utf-8").splitlines()
    exported = json.loads(line)
    assert (exported["question"], exported["rating"]) == (PRICE, -1)
    assert rated[0].answer is not None and exported["answer"] == rated[0].answer.text
    assert (out / exported["pictures"][0]).read_bytes() == rated[0].pictures[0].image.data


async def test_the_operator_sees_the_door_and_where_the_time_went(platform: str, demo: Engine, tmp_path: Path) -> None:
    async with visit(platform, demo, tmp_path) as (home, guest):
        assert "Nothing was answered yet." in await home.admin()
        await guest.ask(PRICE, png("product"))
        page = await home.admin()
    assert f'<td>{platform}</td><td>up</td><td class="right">1</td><td>done 1</td>' in page
    assert page.count('<rect class="decode_s"') == 1
    assert PRICE not in page


def numbers(listed: Seen) -> list[int]:
    return [int(number) for number in re.findall(r"^(?:Picture|图片) (\d+)[:：]", listed.words, re.MULTILINE)]
