"""Exchange lines of JSON: who says what about which picture, and what the bot answers."""

import asyncio
import json
import re
from collections.abc import Sequence
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Any

from bots.conversing.allow_list import AllowList
from bots.conversing.answer_action import AnswerAction
from bots.conversing.asker import Asker
from bots.conversing.commands import command_in
from bots.conversing.dispatcher import Dispatcher
from bots.conversing.events import File
from bots.conversing.platform import Platform
from bots.conversing.request import AnswerRequest, Attachment, forgets
from bots.conversing.services import Services
from bots.conversing.streamed_reply import reply_factory
from core.answer import Answer
from core.errors import OperatorError
from core.i18n import Translator
from core.note import Note
from core.stored_message import StoredMessage

ECHO = Platform(
    "echo", (Note("Send a picture with your question."),), "!", re.compile("[A-Z]+"), "EVE", Note("Say who, by name.")
)


async def serve(socket: str, admins: frozenset[str], services: Services) -> None:
    chat = Chat(services, admins)
    await chat.dispatcher.inbox.resume()  # before anybody can connect: what comes meanwhile would be taken up twice
    try:
        server = await asyncio.start_unix_server(chat.meet, socket)
    except OSError as error:
        raise OperatorError("The socket cannot be made: {reason}.", reason=str(error)) from error
    async with server:
        services.health.mark_working("echo")
        try:
            await server.serve_forever()
        finally:
            await chat.close()


class Chat:
    """One conversation for everyone who connects."""

    def __init__(self, services: Services, admins: frozenset[str]) -> None:
        self.dispatcher = Dispatcher(services, ECHO, self._work, self._forgets, AllowList(admins=admins))
        self._people: dict[asyncio.StreamWriter, asyncio.Task[None]] = {}
        self._keys = count(1)

    def meet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._people[writer] = asyncio.create_task(self._listen(reader, writer))

    async def _listen(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            async for line in reader:
                await self.dispatcher.inbox.receive(f"echo:{next(self._keys)}", "echo:chat", line.decode())
        writer.close()

    async def close(self) -> None:
        await self.dispatcher.inbox.close()
        for writer in self._people:
            writer.close()
        await asyncio.gather(*self._people.values())

    def say(self, **line: Any) -> None:
        for writer in self._people:
            writer.write(json.dumps(line).encode() + b"\n")

    async def _forgets(self, payload: str) -> bool:
        command, words = command_in(json.loads(payload)["text"].removeprefix(ECHO.prefix), ECHO)
        return forgets(command, words, False)

    async def _work(self, batch: Sequence[StoredMessage]) -> None:
        [message] = batch
        if message.withdrawn:
            return
        said = json.loads(message.payload)
        command, text = None, said["text"]
        if text.startswith(ECHO.prefix):
            command, _, text = text.removeprefix(ECHO.prefix).partition(" ")
        picture = Path(said.get("picture", ""))

        async def read() -> bytes:
            return await asyncio.to_thread(picture.read_bytes)

        files = (Attachment(read, picture.name),) if picture.name else ()
        request = AnswerRequest(
            conversation_id=message.conversation_id,
            key=message.key,
            platform=ECHO,
            asker=Asker(person=f"echo:{said['who']}", person_id=said["who"]),
            text=text,
            command=command,
            files=files,
        )
        translator = Translator("en")
        await self.dispatcher.answer(message, request, translator, reply_factory(lambda _: Line(self), translator))


class Line:
    """A draft of one message. It is sent once it is complete, because nothing can be edited here."""

    keeps_old_answer = scarce = False
    interval = 0.01

    def __init__(self, chat: Chat) -> None:
        self._chat = chat
        self._buttons: tuple[AnswerAction, ...] = ()

    async def __aenter__(self) -> "Line":
        return self

    async def __aexit__(self, *_: object) -> None:
        pass

    def offer(self, actions: tuple[AnswerAction, ...]) -> None:
        self._buttons = actions

    def split(self, text: str) -> list[str]:
        return [text]

    async def status(self, sentence: str) -> bool:
        return True

    async def preview(self, text: str) -> bool:
        return True

    async def post(self, part: str | None = None) -> str:
        return "1"

    async def edit(self, sent: str, part: str, answer: Answer | None, last: bool) -> None:
        if answer is not None:
            self._chat.say(text=part)

    async def send(self, content: str | File, answer: Answer, last: bool) -> str:
        await self.edit("1", content if isinstance(content, str) else content.name, answer, last)
        return "1"

    async def attach(self, sent: str, file: File) -> None:
        self._chat.say(file=file.name)

    async def remove(self, sent: str) -> None:
        pass
