"""What a person wants of the bot, and what happens then: the same on every chat platform.

An adapter reads its messages into `Request`s; `respond` turns one into the events of an answer, the bot's own sentences
included, so that whatever is said goes through the one loop in `bots.reply`. Everything here may be done again after a
crash without anybody noticing.
"""

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Protocol

from core.assistant import Assistant
from core.conversation import Answer, Conversation, Ending, Event, Image, Question, Turn
from core.errors import BadImage, BadQuestion, NotAllowed, NotFound
from core.images import Config as ImagesConfig
from core.images import make_image
from core.voice import Voice

COMMANDS = frozenset({"start", "help", "new", "pictures", "remove", "forget", "stop", "retry"})


@dataclass(frozen=True, slots=True)
class Request:
    """`files` are downloaded when their turn has come; each raises `BotError`. `about` is the platform's id of the
    bot's message that this one replies to. `person` is who asks, for the quotas. `help` is what /help says."""

    conversation_id: str
    key: str
    person: str
    text: str = ""
    command: str | None = None
    files: tuple[Callable[[], Awaitable[bytes]], ...] = ()
    about: str | None = None
    help: str = ""
    stopped: Callable[[], bool] = field(default=lambda: False)  # somebody wanted it stopped before it was running
    made: Callable[[int, Image], Awaitable[None]] | None = None  # told of the picture that the n-th file became


class Memory(Protocol):
    """What knows which answer stands where: `storage.Store`."""

    async def turn_of_sent(self, adapter: str, sent: str, conversation_id: str | None = None) -> Turn | None: ...


async def respond(
    request: Request, assistant: Assistant, memory: Memory, images: ImagesConfig, voice: Voice
) -> AsyncGenerator[Event]:
    """Raises `BotError` where asking the same again may help; what it would not help is only said."""
    try:
        async with aclosing(_events(request, assistant, memory, images, voice)) as events:
            async for event in events:
                if request.stopped():
                    assistant.stop(request.conversation_id)
                yield event
    except (BadImage, BadQuestion, NotAllowed, NotFound) as error:
        yield says(voice.explain(error))


def says(sentence: str) -> Answer:
    return Answer(sentence, Ending.DONE)


def _events(
    request: Request, assistant: Assistant, memory: Memory, images: ImagesConfig, voice: Voice
) -> AsyncGenerator[Event]:
    match request.command:
        case None:
            return _ask(request, assistant, memory, images, voice)
        case "retry":
            return _again(request, assistant, memory, images, voice)
        case _:
            return _obey(request, assistant, voice)


async def _obey(request: Request, assistant: Assistant, voice: Voice) -> AsyncGenerator[Event]:
    match request.command:
        case "new":
            await assistant.begin(request.conversation_id)
            yield says(voice.say("This is a new conversation. Send a picture and ask about it."))
        case "forget":
            await assistant.forget(request.conversation_id)
            yield says(voice.say("Forgotten: this conversation and its pictures are deleted."))
        case "pictures":
            yield says(_list(await assistant.history.load(request.conversation_id), voice))
        case "remove":
            yield says(await _remove(request, assistant, voice))
        case "stop":
            yield says(voice.say("Nothing is being written just now."))
        case _:
            yield says(request.help)


async def _ask(
    request: Request, assistant: Assistant, memory: Memory, images: ImagesConfig, voice: Voice
) -> AsyncGenerator[Event]:
    pictures: list[Image] = []
    if not await assistant.history.answered(request.key):  # else only the delivery of its answer was interrupted
        pictures = await _look(request, images)
    if request.about is not None and (turn := await memory.turn_of_sent(*_where(request))):
        pictures += [picture.image for picture in turn.pictures]
    if request.stopped():
        yield Answer("", Ending.STOPPED)
    elif request.text:
        question = Question(request.text, tuple(pictures))
        async with aclosing(assistant.ask(request.conversation_id, question, request.key, request.person)) as events:
            async for event in events:
                yield event
    elif pictures:
        yield says(await _keep(pictures, request, assistant, voice))
    else:
        yield says(
            voice.say("Send a picture with your question as its caption, or reply to a picture with a question.")
        )


async def _look(request: Request, images: ImagesConfig) -> list[Image]:
    pictures = []
    for index, read in enumerate(request.files):
        pictures.append(await make_image(await read(), images))
        if request.made is not None:
            await request.made(index, pictures[-1])
    return pictures


async def _again(
    request: Request, assistant: Assistant, memory: Memory, images: ImagesConfig, voice: Voice
) -> AsyncGenerator[Event]:
    """Answer once more: the last question, or the one whose answer stands in `about`."""
    turn = await memory.turn_of_sent(*_where(request)) if request.about else None
    turns = (await assistant.history.load(request.conversation_id)).turns
    if request.about is None or (turn is not None and turns and turn == turns[-1]):
        events = assistant.retry(request.conversation_id, request.key, request.person)
    elif turn is not None:
        question = Question(turn.text, tuple(picture.image for picture in turn.pictures))
        events = assistant.ask(request.conversation_id, question, request.key, request.person)
    else:  # it was never answered, so what was asked is asked again
        events = _ask(request, assistant, memory, images, voice)
    async with aclosing(events):
        async for event in events:
            yield event


async def _keep(pictures: list[Image], request: Request, assistant: Assistant, voice: Voice) -> str:
    numbers = [await assistant.add_picture(request.conversation_id, picture) for picture in pictures]
    if len(numbers) == 1:
        return voice.say("Got picture {number}. What would you like to know?", number=numbers[0])
    return voice.say("Got pictures {numbers}. What would you like to know?", numbers=", ".join(map(str, numbers)))


async def _remove(request: Request, assistant: Assistant, voice: Voice) -> str:
    number = request.text.strip()
    if not number.isdecimal():
        return voice.say("Say which picture: /remove 2, for example.")
    await assistant.remove_picture(request.conversation_id, int(number))
    return voice.say("Picture {number} is removed.", number=int(number))


def _list(conversation: Conversation, voice: Voice) -> str:
    if not conversation.pictures:
        return voice.say("There are no pictures in this conversation yet.")
    waiting = {picture.number for picture in conversation.waiting}
    lines = []
    for picture in conversation.pictures:
        width, height = picture.image.original_size
        line = voice.say("Picture {number}: {width} × {height}", number=picture.number, width=width, height=height)
        lines.append(f"{line} {voice.say('(waits for a question)')}" if picture.number in waiting else line)
    return "\n".join(lines)


def _where(request: Request) -> tuple[str, str, str]:
    adapter = request.conversation_id.split(":")[0]
    return adapter, request.about or "", request.conversation_id
