"""What a question costs the database: its statements are few, and no picture is read twice for one question."""

import re
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, event

from core.image import Image
from core.quota import QuotaConfig
from storage import images
from storage.store import Store, StoreConfig
from tests.bots.slack.conftest import Scene, png
from tests.bots.slack.server import FakeSlack
from tests.bots.slack.workspace import BOT
from tests.bots.telegram.conftest import Chatting, until
from tests.bots.telegram.conftest import service as telegram_service
from tests.bots.telegram.person import Person
from tests.bots.telegram.server import BotApi
from tests.bots.web.conftest import photo
from tests.bots.web.conftest import service as web_service
from tests.fakes import ScriptedEngine

STAMP = 'Here.\n```json\n[{"bbox_2d": [100, 100, 500, 500], "label": "stamp"}]\n```'
PAGE = (2400, 2400)  # of which a closer look is offered
MOST_STATEMENTS = 60  # without those by which tests see that nothing is left to do
POLLING = re.compile(
    r"FROM messages LEFT OUTER JOIN deliveries ON messages.id = deliveries.message_id\s+"
    r"WHERE messages.adapter = . AND messages.finished IS NULL"
)


@dataclass
class Costs:
    """Of the question that is being asked: its statements, and the ids of the images whose data was read."""

    statements: list[str] = field(default_factory=list)
    read: list[str] = field(default_factory=list)

    @asynccontextmanager
    async def of(self, question: str, reads: bool = True) -> AsyncIterator[None]:
        """Each picture's data once: where the question `reads`, no more than that."""
        self.statements.clear()
        self.read.clear()
        yield
        counts = Counter(self.read)
        assert max(counts.values(), default=0) <= 1, question
        assert bool(counts) == reads, question
        assert 0 < len(self.statements) <= MOST_STATEMENTS, f"{question}: {len(self.statements)}"


@pytest.fixture
def costs(monkeypatch: pytest.MonkeyPatch) -> Iterator[Costs]:
    costs, image_of = Costs(), images.as_image

    def hear(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if not statement.startswith(("PRAGMA", "BEGIN")) and not POLLING.search(statement):
            costs.statements.append(statement)

    def see(row: Any, original: bytes | None = None) -> Image:
        image = image_of(row, original)
        if image.data:
            costs.read.append(image.id)
        return image

    monkeypatch.setattr(images, "as_image", see)
    event.listen(Engine, "before_cursor_execute", hear)
    yield costs
    event.remove(Engine, "before_cursor_execute", hear)


async def test_no_picture_is_read_twice_for_a_question_on_the_web(tmp_path: Path, costs: Costs) -> None:
    engine = ScriptedEngine()
    async with web_service(tmp_path, engine, QuotaConfig(questions_per_minute=100)) as web:
        async with costs.of("web: first"):
            page = {"image": photo("white", PAGE)}
            headers = {"Idempotency-Key": "a-key-nobody-guesses"}
            first = await web.client.post("/api/v1/analyze", data={"query": "Read"}, files=page, headers=headers)
        conversation = first.json()["conversation"]
        here = f"/api/v1/conversations/{conversation}"
        for query in ("What?", "And now?", "Transcribe it"):
            async with costs.of(f"web: {query}"):
                assert (await web.ask(query, conversation=conversation)).status_code == 200
            async with costs.of(f"web: {query} with a key, streamed"):
                key = f"{query.strip('?')}-key-nobody-guesses".replace(" ", "-")
                assert (
                    await web.ask(query, conversation=conversation, key=key, stream="true", html="true")
                ).status_code == 200
        async with costs.of("web: about a picture"):
            assert (await web.ask("What?", conversation=conversation, pictures="1")).status_code == 200
        async with costs.of("web: retry"):
            assert (await web.client.post(f"{here}/retry")).status_code == 200
        async with costs.of("web: closer"):
            small_print = await web.client.post(
                f"{here}/turns/1/smallprint", headers={"Idempotency-Key": "closer-key-nobody-guesses"}
            )
            assert small_print.status_code == 200
        engine.script = lambda _: STAMP
        async with costs.of("web: boxes"):
            assert (await web.ask("Where?", conversation=conversation, stream="true")).status_code == 200


async def test_no_picture_is_read_twice_for_a_question_in_telegram(tmp_path: Path, costs: Costs) -> None:
    engine = ScriptedEngine()
    async with BotApi(strict=False) as telegram, telegram_service(telegram, tmp_path, engine):
        ann = Chatting(Person(telegram, telegram.world.chat(7)))
        async with costs.of("telegram: first", reads=False):
            page = ann.person.sends_file(photo("white", PAGE), "page.png", "image/png", "Read")
            [answer] = await ann.answers(page)
        async with costs.of("telegram: follow-up"):
            await ann.answer(ann.person.says("And now?"))
        async with costs.of("telegram: transcription"):
            await ann.answer(ann.person.says("Continue"))
        async with costs.of("telegram: reply"):
            await ann.answer(ann.person.says("Are you sure?", reply_to=answer))
        async with costs.of("telegram: retry"):
            await ann.answer(ann.person.says("/retry"))
        async with costs.of("telegram: closer"):
            before = len(ann.chat.by_bot())
            ann.person.presses(answer, "Read the small print")
            await until(lambda: len(ann.chat.by_bot()) > before and ann.chat.by_bot()[-1]["text"].startswith("Answer"))
        engine.script = lambda _: STAMP
        async with costs.of("telegram: boxes"):
            await ann.answer(ann.person.says("Where is the stamp?"))


async def test_no_picture_is_read_twice_for_a_question_in_slack(tmp_path: Path, costs: Costs) -> None:
    store = await Store.open(StoreConfig(url=f"sqlite+aiosqlite:///{tmp_path}/answers.db"))
    async with FakeSlack() as slack:
        await talk(Scene(slack, store, ScriptedEngine()), costs)
    await store.close()


async def talk(scene: Scene, costs: Costs) -> None:
    async with scene.bot():
        async with costs.of("slack: first", reads=False):
            asked = scene.slack.says(f"<@{BOT}> Read", (scene.slack.upload(png("white", PAGE)),))
            await scene.finished(asked)
        async with costs.of("slack: follow-up"):
            scene.slack.says(f"<@{BOT}> And now?", thread=asked)
            await scene.finished(asked, 2)
        async with costs.of("slack: transcription"):
            scene.slack.says(f"<@{BOT}> Continue", thread=asked)
            await scene.finished(asked, 3)
        async with costs.of("slack: retry"):
            scene.slack.says(f"<@{BOT}> retry", thread=asked)
            await scene.finished(asked, 4)
        async with costs.of("slack: closer"):
            button, message = await scene.button(asked, "smallprint")
            scene.slack.presses(button, message)
            await scene.slack.settled()
            await scene.finished(asked, 4)
        scene.engine.script = lambda _: STAMP
        async with costs.of("slack: boxes"):
            scene.slack.says(f"<@{BOT}> Where is the stamp?", thread=asked)
            await scene.finished(asked, 5)
