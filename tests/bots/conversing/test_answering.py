"""Turning a request into an answer, without a platform."""

from dataclasses import replace
from pathlib import Path

from bots.conversing.answering import respond
from bots.conversing.asker import Asker
from bots.conversing.reply_hooks import ReplyHooks
from bots.conversing.request import AnswerRequest
from bots.conversing.services import Services
from bots.telegram.platform import TELEGRAM
from core.assistant import Assistant
from core.i18n import Translator
from core.stop import Stop
from storage.store import Store, StoreConfig
from tests.fakes import ScriptedEngine, image


async def test_an_answer_that_is_saved_stays_whole_when_showing_it_again_is_stopped(tmp_path: Path) -> None:
    """As after a crash between saving and showing it: there is nothing to stop any more."""
    store = await Store.open(StoreConfig(url=f"sqlite+aiosqlite:///{tmp_path / 'answers.db'}"))
    services = Services(Assistant(ScriptedEngine(), store), store)
    request = AnswerRequest(
        conversation_id="chat:1:0",
        key="first",
        platform=TELEGRAM,
        asker=Asker(person="chat:ann"),
        text="What is it?",
        images=(image(),),
    )
    stopped = replace(request, hooks=ReplyHooks(stop=Stop(True)))
    try:
        shown = await respond(request, services, Translator("en"), lambda event: None)
        assert "What is it?" in shown.text
        assert await respond(stopped, services, Translator("en"), lambda event: None) == shown
    finally:
        await store.close()
