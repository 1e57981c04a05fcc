import io
import json
import zipfile
from collections.abc import AsyncGenerator

from PIL import Image as Pillow

from core.conversation import Answer, Conversation, Ending, Figures, Image, Picture, Turn
from core.images import make_image
from core.sheet import contact_sheet
from core.transcript import archive, as_json, as_markdown
from core.voice import Voice
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
    assert as_markdown(CONVERSATION, Voice("en")).split("\n\n") == [
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
    return b"".join([piece async for piece in archive(CONVERSATION, data_of, Voice("zh"))])


async def test_the_zip_holds_the_transcripts_and_the_pictures_they_link_to() -> None:
    packed = zipfile.ZipFile(io.BytesIO(await packed_whole()))
    assert packed.testzip() is None
    assert packed.namelist() == ["transcript.md", "transcript.json", *[f"pictures/{n}.png" for n in (1, 3, 4)]]
    assert packed.read("pictures/3.png") == b"dog"
    assert packed.read("transcript.md").decode() == as_markdown(CONVERSATION, Voice("zh"))
    assert await packed_whole() == await packed_whole()


async def test_a_contact_sheet_shows_every_picture_with_its_number() -> None:
    colours = (RED, GREEN, BLUE, RED, GREEN)
    images = [await make_image(encoded(plain(colour, (600, 300)), "PNG")) for colour in colours]
    sheet = Pillow.open(io.BytesIO(await contact_sheet([Picture(n, image) for n, image in enumerate(images, 5)])))
    assert sheet.size == (4 * 336 + 16, 2 * 336 + 16)
    centres = [(16 + column * 336 + 160, 16 + row * 336 + 160) for row in range(2) for column in range(4)]
    assert [sheet.getpixel(centre) for centre in centres[:5]] == list(colours)
    assert len(sheet.crop((16, 16, 76, 76)).getcolors(10_000) or []) > 3  # the number on its plate
    assert sheet.getpixel(centres[5]) == (242, 242, 242)
