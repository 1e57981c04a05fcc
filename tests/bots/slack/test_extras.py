"""What goes with an answer: receipts, drawn boxes, tables, transcripts, the small print, documents, thumbs."""

import asyncio
import io
from pathlib import Path

from PIL import Image as PilImage

from core.conversation import Conversation
from core.errors import Busy
from storage.store import Store, StoreConfig
from tests.bots.slack.conftest import Scene, png
from tests.bots.slack.server import once
from tests.bots.slack.workspace import BOT, SCOPES, Json, buttons, said
from tests.core.papers import pdf

ME = f"<@{BOT}>"
DM = "D0ANN"
TABLE = "Here it is:\n\n| item | price |\n|---|---|\n| tea | =1+1 |\n| milk | 3 |"


def labels(message: Json) -> list[str]:
    return [button["text"]["text"] for button in buttons(message)]


async def press(scene: Scene, action: str, thread: str, channel: str = DM) -> list[Json]:
    button, message = await scene.button(thread, action, channel)
    before = len(scene.slack.workspace.answers(channel, thread))
    scene.slack.presses(button, message, channel)
    return await scene.finished(thread, before + 1, channel)


async def test_a_receipt_says_what_was_looked_at(scene: Scene) -> None:
    async with scene.bot(receipt=True):
        files = (scene.slack.upload(png()), scene.slack.upload(png("blue", (4000, 3000))))
        asked = scene.slack.says("compare", files, channel=DM)
        answer = await scene.answer(asked, DM)
        assert answer.startswith("Answer to 'compare' about [1, 2] after 0 turns.\n\n*Looked at picture 1 (64×48), ")
        assert "shrunk from 4000×3000" in answer
        plain = scene.slack.says("and alone?", (scene.slack.upload(png()),), channel=DM)
        assert await scene.answer(plain, DM) == "Answer to 'and alone?' about [1] after 0 turns."


async def test_boxes_are_drawn_on_the_picture_and_their_json_is_not_shown(scene: Scene) -> None:
    scene.engine.script = lambda _: '```json\n[{"bbox_2d": [100, 100, 900, 900], "label": "a cat"}]\n```'
    for method in ("", "files.getUploadURLExternal", "upload", "files.completeUploadExternal"):
        scene.slack.fault = once(method, "after")
        async with scene.bot():
            asked = scene.slack.says("where is the cat?", (scene.slack.upload(png()),), channel=DM)
            answer, drawn = await scene.finished(asked, 2, DM)
        assert "bbox" not in said(answer) + answer["text"]
        assert "a cat" in said(answer)
        [file] = drawn["files"]
        assert PilImage.open(io.BytesIO(file["data"])).size == (64, 48)
        assert said(drawn) == "Picture 1"


async def test_a_table_can_be_had_as_csv(scene: Scene) -> None:
    scene.engine.script = lambda _: TABLE
    async with scene.bot():
        asked = scene.slack.says("read the table", (scene.slack.upload(png()),), channel=DM)
        [answer] = await scene.finished(asked, channel=DM)
        assert labels(answer) == ["Table as CSV", "Try again"]
        _, with_file = await press(scene, "csv", asked)
        [file] = with_file["files"]
        assert file["name"] == "table.csv"
        assert file["data"] == b"\xef\xbb\xbfitem,price\r\ntea,'=1+1\r\nmilk,3\r\n"
        assert said(answer).endswith("| milk | 3 |")


async def test_without_the_scope_a_file_is_not_sent_but_said_to_be_missing(scene: Scene) -> None:
    scene.engine.script = lambda _: TABLE
    scene.slack.workspace.scopes = [scope for scope in SCOPES if scope != "files:write"]
    async with scene.bot():
        asked = scene.slack.says("read the table", (scene.slack.upload(png()),), channel=DM)
        await scene.finished(asked, channel=DM)
        assert said((await press(scene, "csv", asked))[-1]) == (
            "table.csv could not be sent: Slack does not let me upload files here."
        )


async def test_a_long_answer_can_be_had_as_a_file(scene: Scene) -> None:
    text = "A sentence that goes on. " * 200
    scene.engine.script = lambda _: text.strip()
    async with scene.bot():
        asked = scene.slack.says("tell me about it", (scene.slack.upload(png()),), channel=DM)
        await scene.finished(asked, 2, DM)
        [file] = (await press(scene, "text", asked))[-1]["files"]
        assert (file["name"], file["data"].decode().strip()) == ("answer.md", text.strip())


async def test_the_small_print_is_read_from_the_picture_as_it_was_sent(scene: Scene) -> None:
    def sizes(conversation: Conversation) -> str:
        image = conversation.turns[-1].pictures[-1].image
        return f"{image.width * image.height} pixels"

    scene.engine.script = sizes
    async with scene.bot():
        asked = scene.slack.says("what does it say?", (scene.slack.upload(png("white", (4000, 3000))),), channel=DM)
        first = await scene.answer(asked, DM)
        button, message = await scene.button(asked, "smallprint", DM)
        scene.slack.presses(button, message, DM)
        await scene.slack.settled()
        [answer] = await scene.finished(asked, channel=DM)  # in the same message
        assert int(said(answer).split()[0]) > 3 * int(first.split()[0])


async def test_pages_of_a_pdf_are_pictures(scene: Scene) -> None:
    async with scene.bot():
        paper = scene.slack.upload(pdf(["one", "two", "three"]), "paper.pdf", "application/pdf")
        asked = scene.slack.says("what do pages 2-3 say?", (paper,), channel=DM)
        assert "about [1, 2]" in await scene.answer(asked, DM)
        scene.slack.deletes_file(paper["id"])
        await scene.finished(asked, channel=DM)
        assert not (await scene.store.load(f"slack:T0TEAM:{DM}:{asked}")).pictures


async def test_thumbs_rate_an_answer_where_the_operator_wants_it(scene: Scene, tmp_path: Path) -> None:
    rating = await Store.open(StoreConfig(url=f"sqlite+aiosqlite:///{tmp_path}/rated.db", ratings=True))
    for store, expected in ((scene.store, []), (rating, [-1])):
        scene.store = store
        async with scene.bot():
            asked = scene.slack.says("what is it?", (scene.slack.upload(png()),), channel=DM)
            [answer] = await scene.finished(asked, channel=DM)
            for reaction in ("+1::skin-tone-2", "tada", "-1"):
                scene.slack.reacts(reaction, answer, DM)
                await scene.slack.settled()
            assert [turn.rating for turn in await store.rated()] == expected
            scene.slack.reacts("-1", answer, DM, "reaction_removed")
            await scene.slack.settled()
            assert not await store.rated()
    await asyncio.sleep(0)
    await rating.close()


async def test_a_refused_look_at_the_small_print_is_tried_again_as_one(scene: Scene) -> None:
    def pixels(conversation: Conversation) -> str:
        image = conversation.turns[-1].pictures[-1].image
        return f"{image.width * image.height} pixels"

    async def presses(label: str, message: Json) -> list[Json]:
        [button] = [each for each in buttons(message) if each["text"]["text"] == label]
        scene.slack.presses(button, message, DM)
        await scene.slack.settled()
        return await scene.finished(asked, channel=DM)

    scene.engine.script = pixels
    async with scene.bot():
        asked = scene.slack.says("what does it say?", (scene.slack.upload(png("white", (4000, 3000))),), channel=DM)
        [answer] = await scene.finished(asked, channel=DM)
        first = said(answer)
        scene.engine.script = lambda _: Busy("Too many questions are waiting already. Please ask again in a minute.")
        *_, refusal = await presses("Read the small print", answer)
        *_, refusal = await presses("Try again", refusal)
        assert "too many" in said(refusal).lower()
        scene.engine.script = pixels
        told = [said(message) for message in await presses("Try again", refusal)]
        assert int(told[0].split()[0]) > 3 * int(first.split()[0])
