import asyncio
import io
import json
import random
import threading
import zipfile
from collections.abc import AsyncGenerator
from typing import Any

import pytest
from markdown_it import MarkdownIt
from PIL import Image as Pillow

from core.answer import Answer, Ending, Figures
from core.answers.transcript import archive, as_json, as_markdown
from core.conversation import Conversation, Picture, Turn
from core.i18n import Translator
from core.image import Image
from core.pictures.contact_sheet import contact_sheet
from core.pictures.images import make_image
from tests.core.files import BLUE, GREEN, RED, encoded, plain

CAT, DOG = (Picture(n, Image(name, name.encode(), 64, 32, (640, 320))) for n, name in ((1, "cat"), (3, "dog")))
CONVERSATION = Conversation(
    "web:1",
    (
        Turn("What is\nit?", (CAT,), Answer("A **cat**.\n", Ending.DONE, Figures(decode_s=1.25))),
        Turn("还有吗?", (DOG, CAT), Answer("一只", Ending.STOPPED)),
        Turn("open"),
    ),
    (Picture(4, CAT.image),),
    5,
)


def test_as_markdown_it_reads_like_a_conversation() -> None:
    assert as_markdown(CONVERSATION, Translator("en")).split("\n\n") == [
        "# Conversation",
        "## What is it?",
        "![Picture 1](pictures/1.png)",
        "A **cat**.",
        "## 还有吗?",
        "![Picture 3](pictures/3.png)",
        "[Picture 1](pictures/1.png)",
        "一只",
        "*(stopped)*",
        "## open",
        "![Picture 4](pictures/4.png)\n",
    ]


HOSTILE = [
    '<img src="http://evil.example/x.png">', "<script>alert(1)</script>", "![x](http://evil.example/x.png)",
    "![x][y]\n\n[y]: http://evil.example/x.png", "```", "~~~~", "``` <img src=x>", "```\n<img src=x>\n```", "<!--",
    "    <img src=x>", "| ` | `<img src=x>` |\n|---|---|", "| ` | `![a](http://e/x)` |\n|---|---|\n",
    "- ```\n<img src=x>",
    "> ~~~\n<img src=x>", "<div>\n\n<img src=x>", "\\<img src=x>", "\\![a](//e/x)", "[![a](//e/x)](//e/y)",
    "`<b>", "a`<b>`",
    "&lt;img src=x&gt;", "<?php", "<![CDATA[", "1. a\n\n       <img src=x>", "- a\n\n    <img src=x>",
    "`` ` <img src=x>",
    "Setext\n===\n<img src=x>", "\t<img src=x>", "!\\[a](//e/x)", "!", "[a](//e/x)",
    "\r<img src=x>\r", "- ```\r<img src=x>", "a\r\r[y]: //e/x", "# <b>",
]  # fmt: skip


def turns(*texts: str) -> Conversation:
    """Of questions and answers, one after the other."""
    pairs = zip(texts[::2], texts[1::2], strict=True)
    return Conversation("web:1", tuple(Turn(asked, (CAT,), Answer(told, Ending.DONE)) for asked, told in pairs))


def loads(markdown: str, parser: MarkdownIt) -> list[str]:
    """The HTML, and where the pictures of a document come from."""
    tokens = [inner for token in parser.parse(markdown) for inner in (token, *(token.children or ()))]
    html = [token.content for token in tokens if token.type in ("html_inline", "html_block")]
    return html + [str(token.attrs["src"]) for token in tokens if token.type == "image"]


PARSERS = [
    MarkdownIt("commonmark"),
    MarkdownIt("commonmark").enable(["table", "strikethrough"]),
    MarkdownIt("default", {"html": True}),
]


def test_the_transcript_holds_no_html_and_no_pictures_but_its_own() -> None:
    dice = random.Random(1)
    for number in range(300):
        texts = HOSTILE[number : number + 1] * 4 if number < len(HOSTILE) else dice.choices(HOSTILE, k=4)
        texts = [text + dice.choice(["", " ", "\n", "\n\n"]) * (number > 99) + dice.choice(texts) for text in texts]
        markdown = as_markdown(turns(*texts), Translator("en"))
        for parser in PARSERS:
            assert loads(markdown, parser) == ["pictures/1.png"], (texts, markdown)


def test_code_that_an_answer_leaves_open_swallows_nothing_of_what_follows() -> None:
    markdown = as_markdown(turns("a", "```python\nx = 1", "b", "~~~~\n```\ny", "c", "- ```\n  z"), Translator("en"))
    headings = [token for token in PARSERS[0].parse(markdown) if token.type == "heading_open"]
    assert len(headings) == 4


def test_what_is_asked_reads_as_it_was_asked() -> None:
    for asked in ("Is 2*3*4 = 24?", "- 320", "#5", "``` what is this", "a <b> c", "~~~", "320 + 5 = ?", "1. Was?"):
        [_, heading] = [token for token in PARSERS[0].parse(as_markdown(turns(asked, "x"), Translator("en")))
                        if token.type == "inline" and token.level == 1][:2]  # fmt: skip
        assert "".join(child.content for child in heading.children or ()) == asked


def test_as_json_it_has_everything_a_program_needs() -> None:
    whole = json.loads(as_json(CONVERSATION))
    assert whole["conversation"] == "web:1"
    assert [picture["number"] for picture in whole["pictures"]] == [1, 3, 4]
    assert whole["pictures"][0] == {
        "number": 1,
        "file": "pictures/1.png",
        "sha256": "cat",
        "width": 64,
        "height": 32,
        "sent_as": [640, 320],
    }
    assert whole["turns"][0] == {
        "question": "What is\nit?",
        "pictures": [1],
        "answer": "A **cat**.\n",
        "ending": "done",
        "seconds": 1.25,
    }
    assert whole["turns"][2] == {"question": "open", "pictures": []}


async def data_of(image_id: str) -> AsyncGenerator[bytes]:
    for letter in image_id:
        yield letter.encode()


async def packed_whole() -> bytes:
    return b"".join([piece async for piece in archive(CONVERSATION, data_of, Translator("zh"))])


async def test_the_zip_holds_the_transcripts_and_the_pictures_they_link_to() -> None:
    packed = zipfile.ZipFile(io.BytesIO(await packed_whole()))
    assert packed.testzip() is None
    assert packed.namelist() == ["transcript.md", "transcript.json", *[f"pictures/{n}.png" for n in (1, 3, 4)]]
    assert packed.read("pictures/3.png") == b"dog"
    assert packed.read("transcript.md").decode() == as_markdown(CONVERSATION, Translator("zh"))
    assert await packed_whole() == await packed_whole()


async def test_whoever_hangs_up_while_a_zip_is_packed_leaves_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    begun, gone, write = threading.Event(), threading.Event(), zipfile.ZipFile.writestr

    def slow_elsewhere(packed: zipfile.ZipFile, *texts: Any) -> None:
        if threading.current_thread() is not threading.main_thread():
            with packed.open("slow", "w"):
                begun.set()
                gone.wait(10)
        write(packed, *texts)

    def slow(conversation: Conversation) -> str:
        begun.set()
        return as_json(conversation)

    monkeypatch.setattr(zipfile.ZipFile, "writestr", slow_elsewhere)
    monkeypatch.setattr("core.answers.transcript.as_json", slow)
    packing = asyncio.create_task(packed_whole())
    await asyncio.to_thread(begun.wait, 10)
    await asyncio.sleep(0.05)
    packing.cancel()
    [ended] = await asyncio.gather(packing, return_exceptions=True)
    gone.set()
    assert not isinstance(ended, ValueError)


async def test_a_contact_sheet_shows_every_picture_with_its_number() -> None:
    colours = (RED, GREEN, BLUE, RED, GREEN)
    images = [await make_image(encoded(plain(colour, (600, 300)), "PNG")) for colour in colours]
    sheet = Pillow.open(io.BytesIO(await contact_sheet([Picture(n, image) for n, image in enumerate(images, 5)])))
    assert sheet.size == (4 * 336 + 16, 2 * 336 + 16)
    centres = [(16 + column * 336 + 160, 16 + row * 336 + 160) for row in range(2) for column in range(4)]
    assert [sheet.getpixel(centre) for centre in centres[:5]] == list(colours)
    assert len(sheet.crop((16, 16, 76, 76)).getcolors(10_000) or []) > 3  # the number on its plate
    assert sheet.getpixel(centres[5]) == (242, 242, 242)


def test_thoughts_are_left_out_of_the_markdown_and_kept_in_the_json() -> None:
    known = Conversation("c", (Turn("How many?", (), Answer("<think>Two and two.</think>\n\nFour.", Ending.DONE)),))
    assert as_markdown(known, Translator("en")) == "# Conversation\n\n## How many?\n\nFour.\n"
    assert "<think>Two and two.</think>" in as_json(known)
