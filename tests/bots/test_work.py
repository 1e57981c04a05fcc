"""Limits stand before the work they limit: no file is fetched or opened for whoever may not ask now."""

from pathlib import Path

import pytest

from bots.conversing.answering import respond
from bots.conversing.asker import Asker
from bots.conversing.request import AnswerRequest, Attachment
from bots.conversing.services import Services
from bots.telegram.platform import TELEGRAM
from core.assistant import Assistant
from core.errors import BotError
from core.i18n import Translator
from core.quota import QuotaConfig
from storage.store import Store, StoreConfig
from tests.bots.web.conftest import photo
from tests.fakes import ScriptedEngine


@pytest.mark.parametrize("text", ["What is it?", ""])
async def test_no_file_of_a_chat_is_fetched_beyond_the_quota(tmp_path: Path, text: str) -> None:
    store = await Store.open(StoreConfig(url=f"sqlite+aiosqlite:///{tmp_path / 'answers.db'}"))
    services = Services(Assistant(ScriptedEngine(), store, quota=QuotaConfig(pictures_per_minute=2)), store)
    fetched = 0

    async def fetch() -> bytes:
        nonlocal fetched
        fetched += 1
        return b"no picture" if fetched == 1 else photo()

    async def send(key: str) -> str:
        request = AnswerRequest(
            conversation_id="chat:1:0",
            key=key,
            platform=TELEGRAM,
            asker=Asker(person="chat:ann"),
            text=text,
            files=(Attachment(fetch, "a.png"),),
        )
        try:
            return (await respond(request, services, Translator("en"), lambda event: None)).text
        except BotError as error:
            return str(error)

    try:
        said = [await send(key) for key in ("first", "second", "third")]
        assert "2 pictures a minute" in said[2] and not any("a minute" in words for words in said[:2])
        assert fetched == 2
    finally:
        await store.close()
