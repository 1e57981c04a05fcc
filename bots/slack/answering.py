"""Answer what is asked in Slack: find the pictures first, which a thread may hold far above the question."""

from collections.abc import Sequence
from dataclasses import replace

from bots.conversing.answer_action import first_questions
from bots.conversing.answering import respond
from bots.conversing.attachments import say_got_pictures
from bots.conversing.commands import COMMANDS, fixed_answer
from bots.conversing.events import Tell
from bots.conversing.request import AnswerRequest
from bots.conversing.services import Services
from bots.slack.files import Files
from bots.slack.finder import Finder, Found
from bots.slack.inquiry import Inquiry
from bots.slack.message import no_picture, pictures
from bots.slack.threads import Threads
from core.answer import Answer
from core.i18n import Translator
from core.image import Image

BESIDE_PICTURES = ("help", "new")  # with a picture of their own they are a greeting, or begin with that picture


class Answering:
    def __init__(self, services: Services, threads: Threads, files: Files) -> None:
        self._services = services
        self._threads = threads
        self._files = files
        self._finder = Finder(threads, files, services)

    async def answer(self, inquiry: Inquiry, translator: Translator, request: AnswerRequest, tell: Tell) -> Answer:
        """Answer a request of the inquiry. Raises `BotError`."""
        if inquiry.is_misplaced:
            return fixed_answer(
                translator.say(
                    "This works only in a thread with a picture: each thread is a conversation of its own. "
                    'Say "{command}" in the thread of the picture.',
                    command=inquiry.command,
                )
            )
        request, found = await self._own_pictures(inquiry, request)
        asks = inquiry.command is None or (inquiry.command == "retry" and inquiry.about)
        if asks and not await self._services.assistant.history.answered(request.key):
            found = await self._find(inquiry, request, translator)
            if inquiry.asked.files and not found.own:
                return fixed_answer(no_picture(inquiry.asked.files, translator))
            if found.numbers and not found.own and not inquiry.text:
                request.hooks.offer(first_questions(self._services.model))
                return fixed_answer(" ".join([say_got_pictures(found.numbers, translator), *found.notes]))

        async def made(index: int, images: Sequence[Image]) -> None:
            if file_id := found.own[index].id:
                ids = [image.id for image in images]
                inquiry.images.setdefault(file_id, []).extend(ids)
                await self._services.store.remember_file(f"slack:{file_id}", request.conversation_id, ids)

        files, notes = self._files.attachments(found.own), (*request.notes, *found.notes)
        request = replace(request, files=files, notes=notes, hooks=replace(request.hooks, on_opened=made))
        return await respond(request, self._services, translator, tell)

    async def _own_pictures(self, inquiry: Inquiry, request: AnswerRequest) -> tuple[AnswerRequest, Found]:
        """Find the pictures that came with a command. Below a picture, "help" is a question."""
        found = Found()
        if inquiry.command in BESIDE_PICTURES:
            _, own = await self._threads.files(inquiry.asked, acquainted=True)
            found.own = tuple(pictures(own))
            if found.own and inquiry.command == "help":
                request = replace(request, command=None)
        elif inquiry.command in COMMANDS and inquiry.about is None:
            found.own = tuple(pictures(inquiry.asked.files))
        return request, found

    async def _find(self, inquiry: Inquiry, request: AnswerRequest, translator: Translator) -> Found:
        """Find the pictures of a question. Raises `BotError`."""
        if inquiry.about:
            return Found(tuple(pictures(inquiry.asked.files)))
        found = await self._finder.find(inquiry.asked, request, translator)
        inquiry.images.update(found.images)
        if not (found.own or found.numbers) and inquiry.links and not await self._has_pictures(request.conversation_id):
            found.notes.append(translator.say("I fetch nothing from addresses. Please upload the picture itself."))
        return found

    async def _has_pictures(self, conversation_id: str) -> bool:
        return bool((await self._services.store.outline(conversation_id)).pictures)
